package agreement

import (
	"slices"
	"strings"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

func byNode(a, b decision.Member) int { return strings.Compare(a.Node, b.Node) }

func (s *State) validMember(m decision.Member, sites []string) bool {
	return mesh.ValidNode(m.Node) && m.Node != mesh.AgreementNode && m.Disk != "" && slices.Contains(sites, m.Site)
}

// admit makes a node's disk count, in place of its former one (rule 28).
func (s *State) admit(a decision.Admit) Result {
	if !s.validMember(a.Member, s.sites) {
		return refuse(ReasonMember)
	}
	i, ok := slices.BinarySearchFunc(s.members, a.Member, byNode)
	if ok {
		s.members[i] = a.Member
	} else {
		s.members = slices.Insert(s.members, i, a.Member)
	}
	return Result{}
}

// maxSinceMs is how far an epoch's clock may lie ahead of the agreement's: what
// the latter moves at most, at a tick a second, while rule 24 waits.
const maxSinceMs = ResolveMs / second * MaxTickMs

// assign gives shards to holders, each with the shard's next epoch; who holds a
// shard keeps it under the present epoch, for an assignment whose answer was lost
// is proposed again. The epoch's clock is not below the proposer's: else, when
// the agreement's clock catches up after a pause, the wait of rule 24 would be
// shorter than it says. A proposer whose clock is far ahead can't put it off for
// longer than maxSinceMs.
func (s *State) assign(a decision.Assign, firstMs int64) Result {
	var seen [Shards]bool
	for _, n := range a.Shards {
		if n.Shard >= Shards || seen[n.Shard] {
			return refuse(ReasonBad)
		}
		seen[n.Shard] = true
		_, ok := slices.BinarySearchFunc(s.members, decision.Member{Node: n.Holder.Node}, byNode)
		if !n.Holder.IsZero() && !ok {
			return refuse(ReasonMember)
		}
	}
	var r Result
	for _, n := range a.Shards {
		sh := &s.shards[n.Shard]
		if sh.Epoch == 0 || sh.Holder != n.Holder {
			ended := sh.Epoch
			*sh = Shard{Holder: n.Holder, Epoch: ended + 1, SinceMs: min(max(s.clock, firstMs), s.clock+maxSinceMs)}
			s.endClaims(n.Shard, ended, sh.SinceMs)
		}
		r.Epochs = append(r.Epochs, sh.Epoch)
	}
	return r
}

// endClaims notes when the epoch of a shard's claims under way ended: from then
// the wait of rule 24 counts.
func (s *State) endClaims(shard byte, epoch uint64, sinceMs int64) {
	for _, o := range s.byShard[shard] {
		if a, n := o.Claim(); n != 0 && a.Epoch == epoch {
			o.Attempts[n-1].ClockMs = sinceMs
		}
	}
}

// holds tells whether a fence names the present holder (rules 17, 18).
func (s *State) holds(f decision.Fence) bool {
	if f.Shard >= Shards || f.Holder.IsZero() {
		return false
	}
	sh := s.shards[f.Shard]
	return sh.Epoch == f.Epoch && sh.Holder == f.Holder
}
