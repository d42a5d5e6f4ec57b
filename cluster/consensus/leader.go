package consensus

import (
	"time"

	"github.com/hashicorp/raft"
)

// leaderPoll is how often leadership is looked at besides raft's own signals.
const leaderPoll = 100 * time.Millisecond

// follow keeps the record of who leads.
func (c *Consensus) follow(done <-chan struct{}, r *raft.Raft) {
	events := make(chan raft.Observation, 16)
	seen := raft.NewObserver(events, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	})
	r.RegisterObserver(seen)
	defer r.DeregisterObserver(seen)
	tick := time.NewTicker(leaderPoll)
	defer tick.Stop()
	for {
		self := r.State() == raft.Leader
		_, id := r.LeaderWithID()
		if !self && string(id) == c.cfg.Self.ID() {
			id = "" // raft names itself for a moment after it has lost
		}
		c.mu.Lock()
		if c.raft != nil {
			c.lead(leadership{id: string(id), self: self, since: time.Now()})
		}
		c.mu.Unlock()
		select {
		case <-done:
			return
		case <-events:
		case <-tick.C:
		}
	}
}

// lead notes a change; the caller holds mu.
func (c *Consensus) lead(now leadership) {
	if now.id == c.leader.id && now.self == c.leader.self {
		return
	}
	c.leader = now
	close(c.moved)
	c.moved = make(chan struct{})
}

// Leader tells who leads: its node name ("" when none is known), whether that
// is this node, since when this node has known it, and when the leader was last
// heard of (now, at the leader itself; zero: never). Times are monotonic.
func (c *Consensus) Leader() (name string, self bool, since, lastSeen time.Time) {
	c.mu.Lock()
	l, r := c.leader, c.raft
	c.mu.Unlock()
	if r != nil {
		if lastSeen = r.LastContact(); l.self {
			lastSeen = time.Now()
		}
	}
	return nodeOf(l.id), l.self, l.since, lastSeen
}

// LeaderChanged is closed at the next change of what Leader names.
func (c *Consensus) LeaderChanged() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.moved
}

// TermIndex is what this node may announce of itself to its peers (rule 28):
// its current term and its commit index. Neither falls but by loss.
func (c *Consensus) TermIndex() (term, index uint64) {
	r, err := c.running()
	if err != nil {
		return 0, 0
	}
	return r.CurrentTerm(), r.CommitIndex()
}

// Applied is the index up to which commands were given to the state machine.
func (c *Consensus) Applied() uint64 {
	r, err := c.running()
	if err != nil {
		return 0
	}
	return r.AppliedIndex()
}
