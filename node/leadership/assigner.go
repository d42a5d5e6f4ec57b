package leadership

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"vedetta/node/identity"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// Bounds of rule 25, and how long what has changed must last before shards are
// moved for evenness alone.
const (
	Silence  = 2 * time.Second  // without a renewal: the shards are given to others
	Behind   = 10 * time.Second // oldest undecided entry or due step: the shards are given to others
	Penalty  = time.Minute      // a node that was behind gets none for so long
	Steadily = 5 * time.Second  // the same nodes can lead: shards are spread evenly
)

// Renewal is what a node says of itself each 500 ms.
type Renewal struct {
	Holder      mesh.Origin // the process that speaks
	Ready       bool        // it would acknowledge an alarm now, and isn't draining
	UndecidedMs int64       // age of the oldest durable entry of its shards that isn't decided
	DueMs       int64       // age of the oldest due step of its shards that isn't claimed
}

// Assigner judges who leads which shard. It is stepped: no clock, no I/O. Only
// the Raft leader's is asked; it remembers renewals since its election.
type Assigner struct {
	elected time.Time
	nodes   map[string]*node
	able    []string  // who could lead at the last Assign, sorted
	since   time.Time // since when able hasn't changed
}

type node struct {
	renewal Renewal
	at      time.Time
	penalty time.Time // none before this time
}

// NewAssigner makes the memory of a Raft leader elected at the given time:
// silence counts from then (rule 25).
func NewAssigner(elected time.Time) *Assigner {
	return &Assigner{elected: elected, nodes: make(map[string]*node), since: elected}
}

// Renew takes over a renewal. Those of an incarnation that has been followed by
// another are ignored.
func (a *Assigner) Renew(now time.Time, r Renewal) {
	n := a.nodes[r.Holder.Node]
	if n == nil {
		n = &node{}
		a.nodes[r.Holder.Node] = n
	} else if r.Holder.Incarnation < n.renewal.Holder.Incarnation {
		return
	} else if r.Holder != n.renewal.Holder {
		*n = node{}
	}
	n.renewal, n.at = r, now
}

// Assign returns the shards that get a holder, another holder, or the same
// node's new process (rule 17); nothing when all is well. members are the nodes
// that count, holders the present ones by shard.
func (a *Assigner) Assign(now time.Time, members []string, holders []mesh.Origin) []decision.Assignment {
	able := a.ableNodes(now, members)
	if !slices.Equal(able, a.able) {
		a.able, a.since = able, now
	}
	if len(able) == 0 {
		return nil // nobody could do better than who holds them
	}
	load := make(map[string]int, len(able))
	for _, name := range able {
		load[name] = 0
	}
	next := make([]string, len(holders)) // empty: to be given
	for shard, h := range holders {
		if a.keeps(h, load) {
			next[shard] = h.Node
			load[h.Node]++
		}
	}
	for shard := range next {
		if next[shard] == "" && !a.waits(now, holders[shard], members) {
			next[shard] = least(load)
			load[next[shard]]++
		}
	}
	if now.Sub(a.since) >= Steadily {
		spread(next, load)
	}
	var out []decision.Assignment
	for shard, name := range next {
		if name == "" {
			continue
		}
		if to := a.nodes[name].renewal.Holder; to != holders[shard] {
			out = append(out, decision.Assignment{Shard: byte(shard), Holder: to})
		}
	}
	return out
}

// ableNodes are the members that may lead, sorted: heard of within Silence,
// ready, not behind. When all that are ready are behind, none is punished.
func (a *Assigner) ableNodes(now time.Time, members []string) []string {
	var ready, able []string
	for _, name := range members {
		n := a.nodes[name]
		if n == nil || now.Sub(n.at) > Silence || !n.renewal.Ready {
			continue
		}
		ready = append(ready, name)
		if max(n.renewal.UndecidedMs, n.renewal.DueMs) >= Behind.Milliseconds() {
			n.penalty = now.Add(Penalty)
		}
		if !now.Before(n.penalty) {
			able = append(able, name)
		}
	}
	if len(able) == 0 {
		able = ready
	}
	slices.Sort(able)
	return able
}

// keeps tells whether a holder goes on: the same process, among the able.
func (a *Assigner) keeps(h mesh.Origin, able map[string]int) bool {
	_, ok := able[h.Node]
	return ok && a.nodes[h.Node].renewal.Holder == h
}

// waits tells whether a holder that hasn't been heard of since the election
// still has time to speak.
func (a *Assigner) waits(now time.Time, h mesh.Origin, members []string) bool {
	return !h.IsZero() && a.nodes[h.Node] == nil && now.Sub(a.elected) <= Silence && slices.Contains(members, h.Node)
}

// least is the node with the fewest shards, the first by name.
func least(load map[string]int) string {
	return slices.MinFunc(slices.Sorted(maps.Keys(load)), func(a, b string) int { return cmp.Compare(load[a], load[b]) })
}

func most(load map[string]int) string {
	return slices.MaxFunc(slices.Sorted(maps.Keys(load)), func(a, b string) int { return cmp.Compare(load[a], load[b]) })
}

// spread moves as few shards as make the numbers differ by one at most.
func spread(next []string, load map[string]int) {
	for range identity.Shards {
		from, to := most(load), least(load)
		if load[from]-load[to] <= 1 {
			return
		}
		shard := slices.Index(next, from)
		next[shard] = to
		load[from]--
		load[to]++
	}
}
