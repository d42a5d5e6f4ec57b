// Package membership gives a node whose disk was replaced its place again (rule
// 28): the Raft leader sees a known node with an unknown disk id, adds it as a
// non-voter, waits until it holds everything, commits its admission, and makes
// it the voter in place of the disk that is gone. Until the admission is
// committed its marks count nowhere.
//
// What is to be done next is judged by Next, which is pure; Run carries out one
// step a second while this node leads.
package membership

import (
	"context"
	"log/slog"
	"time"

	"vedetta/cluster/consensus"
	"vedetta/cluster/env"
	"vedetta/cluster/replica"
	"vedetta/node/agreement"
	"vedetta/wire/decision"
)

// Action is what a leader does next.
type Action struct {
	Add     string           // server id to add as a non-voter
	Admit   *decision.Member // disk that counts from now on
	Replace [2]string        // server ids: the voter that goes, the one that comes
}

// None tells that nothing is to be done.
func (a Action) None() bool { return a == Action{} }

// Facts are what is judged.
type Facts struct {
	Members []decision.Member // committed: whose disks count
	Servers []consensus.Server
	Peers   []replica.PeerStatus
}

// Next is the next step for the first peer that needs one.
func Next(f Facts) Action {
	for _, p := range f.Peers {
		if !p.Connected || p.Disk == "" {
			continue
		}
		old, known := member(f.Members, p.Name)
		if !known {
			continue // new names join by an operator's command
		}
		id := consensus.Server{Node: p.Name, Disk: p.Disk}.ID()
		server, added := find(f.Servers, id)
		switch {
		case old.Disk == p.Disk && added && server.Voter:
			continue
		case !added:
			return Action{Add: id}
		case p.Behind > 0 || lagging(f.Peers):
			continue
		case old.Disk != p.Disk:
			return Action{Admit: &decision.Member{Node: p.Name, Disk: p.Disk, Site: old.Site}}
		}
		// gone is empty when an earlier leader took it out and broke off.
		gone := otherVoter(f.Servers, p.Name, p.Disk)
		if gone != "" || !siteVotes(f, old.Site) {
			return Action{Replace: [2]string{gone, id}}
		}
	}
	return Action{}
}

// lagging tells whether this leader itself lacks what another counted node has:
// then a new disk that is level with it may lack an acknowledged entry.
func lagging(peers []replica.PeerStatus) bool {
	for _, p := range peers {
		if p.Counted && p.Ahead > 0 {
			return true
		}
	}
	return false
}

func member(all []decision.Member, node string) (decision.Member, bool) {
	for _, m := range all {
		if m.Node == node {
			return m, true
		}
	}
	return decision.Member{}, false
}

func find(all []consensus.Server, id string) (consensus.Server, bool) {
	for _, s := range all {
		if s.ID() == id {
			return s, true
		}
	}
	return consensus.Server{}, false
}

// otherVoter is the voter of the same node on another disk, empty when there is none.
func otherVoter(all []consensus.Server, node, disk string) string {
	for _, s := range all {
		if s.Node == node && s.Disk != disk && s.Voter {
			return s.ID()
		}
	}
	return ""
}

// siteVotes tells whether a site has its voter (rule 27).
func siteVotes(f Facts, site string) bool {
	for _, s := range f.Servers {
		if m, ok := member(f.Members, s.Node); ok && s.Voter && m.Site == site {
			return true
		}
	}
	return false
}

// Raft carries out changes of servers, at the leader.
type Raft interface {
	Leader() (name string, self bool)
	Servers() []consensus.Server
	AddNonvoter(ctx context.Context, id string) error
	ReplaceVoter(ctx context.Context, oldID, newID string) error
}

// Proposer puts a command before the agreement.
type Proposer interface {
	Propose(ctx context.Context, body decision.Body) (agreement.Result, error)
}

// Membership steps while this node leads.
type Membership struct {
	raft     Raft
	proposer Proposer
	members  func() []decision.Member
	peers    func() replica.Status
	log      *slog.Logger
}

// New starts nothing.
func New(r Raft, p Proposer, members func() []decision.Member, peers func() replica.Status, e env.Env) *Membership {
	return &Membership{raft: r, proposer: p, members: members, peers: peers, log: e.Log}
}

const (
	stepEvery  = time.Second
	stepWithin = 10 * time.Second
)

// Run carries out one step a second until ctx ends.
func (m *Membership) Run(ctx context.Context) error {
	tick := time.NewTicker(stepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, self := m.raft.Leader(); !self {
			continue
		}
		a := Next(Facts{Members: m.members(), Servers: m.raft.Servers(), Peers: m.peers().Peers})
		if a.None() {
			continue
		}
		if err := m.carryOut(ctx, a); err != nil && ctx.Err() == nil {
			m.log.Warn("step of a replaced disk not done; it is tried again", "error", err)
		}
	}
}

func (m *Membership) carryOut(ctx context.Context, a Action) error {
	ctx, cancel := context.WithTimeout(ctx, stepWithin)
	defer cancel()
	switch {
	case a.Add != "":
		m.log.Info("a node came back with a new disk; it is added without a vote", "server", a.Add)
		return m.raft.AddNonvoter(ctx, a.Add)
	case a.Admit != nil:
		m.log.Info("the new disk holds everything; it counts from now on", "node", a.Admit.Node)
		res, err := m.proposer.Propose(ctx, decision.Admit{Member: *a.Admit})
		if err == nil {
			err = res.Err()
		}
		return err
	}
	m.log.Info("the new disk gets the vote of the old one", "old", a.Replace[0], "new", a.Replace[1])
	return m.raft.ReplaceVoter(ctx, a.Replace[0], a.Replace[1])
}
