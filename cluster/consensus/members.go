package consensus

import (
	"context"
	"fmt"

	"github.com/hashicorp/raft"
)

// Servers are the members by Raft's latest configuration here, in its order.
func (c *Consensus) Servers() []Server {
	r, err := c.running()
	if err != nil {
		return nil
	}
	var out []Server
	for _, s := range r.GetConfiguration().Configuration().Servers {
		node := nodeOf(string(s.ID))
		out = append(out, Server{Node: node, Disk: string(s.ID)[min(len(node)+1, len(s.ID)):], Voter: s.Suffrage == raft.Voter})
	}
	return out
}

func (c *Consensus) server(id string) (Server, bool) {
	for _, s := range c.Servers() {
		if s.ID() == id {
			return s, true
		}
	}
	return Server{}, false
}

// votes is 1 when this node's disk has a vote, else 0.
func (c *Consensus) votes() float64 {
	if s, ok := c.server(c.cfg.Self.ID()); ok && s.Voter {
		return 1
	}
	return 0
}

// AddNonvoter makes a server follow the log without a vote. At the leader
// only, as all changes of members; one that is there already changes nothing.
func (c *Consensus) AddNonvoter(ctx context.Context, id string) error {
	if _, ok := c.server(id); ok {
		return nil
	}
	return c.change(ctx, "add non-voter "+id, func(r *raft.Raft) raft.Future {
		return r.AddNonvoter(raft.ServerID(id), raft.ServerAddress(id), 0, requestTimeout)
	})
}

// Promote gives a vote to a server that follows the log.
func (c *Consensus) Promote(ctx context.Context, id string) error {
	if s, ok := c.server(id); ok && s.Voter {
		return nil
	}
	return c.change(ctx, "promote "+id, func(r *raft.Raft) raft.Future {
		return r.AddVoter(raft.ServerID(id), raft.ServerAddress(id), 0, requestTimeout)
	})
}

// Remove takes a server out.
func (c *Consensus) Remove(ctx context.Context, id string) error {
	if _, ok := c.server(id); !ok {
		return nil
	}
	return c.change(ctx, "remove "+id, func(r *raft.Raft) raft.Future {
		return r.RemoveServer(raft.ServerID(id), 0, requestTimeout)
	})
}

// ReplaceVoter takes out a voter that is lost and gives its vote to a server
// that follows the log: in this order, so that a site never has two votes
// (rule 27) and the dead one never counts among more. Any leader may call it
// again after it broke off.
func (c *Consensus) ReplaceVoter(ctx context.Context, oldID, newID string) error {
	if _, ok := c.server(newID); !ok {
		return fmt.Errorf("replace voter %s: %s doesn't follow the log yet, want AddNonvoter first", oldID, newID)
	}
	if err := c.Remove(ctx, oldID); err != nil {
		return err
	}
	return c.Promote(ctx, newID)
}

func (c *Consensus) change(ctx context.Context, doing string, f func(*raft.Raft) raft.Future) error {
	r, err := c.running()
	if err != nil {
		return err
	}
	if err := wait(ctx, f(r)); err != nil {
		return fmt.Errorf("%s: %w", doing, c.judged(err))
	}
	return nil
}
