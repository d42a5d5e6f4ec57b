package consensus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// MaxCommand is the greatest command, so that one never holds up heartbeats.
const MaxCommand = 1 << 20

// ErrTooLarge: the command is above MaxCommand; nothing was done, and it never
// will be however often it is tried.
var ErrTooLarge = errors.New("the command is too large")

// Propose has a command committed and applied, at the leader only. It returns
// the command's index and what this node's state machine made of it. After a
// *NotLeader, ErrNotRunning or a refusal nothing was done; after ErrUnknown the
// command may be committed, now or later: the same proposal id must be used when
// it is tried again (rule 19).
func (c *Consensus) Propose(ctx context.Context, data []byte) (index uint64, result any, err error) {
	if len(data) > MaxCommand {
		return 0, nil, fmt.Errorf("command of %d bytes, want at most %d: %w", len(data), MaxCommand, ErrTooLarge)
	}
	r, err := c.running()
	if err != nil {
		return 0, nil, err
	}
	if r.State() != raft.Leader {
		return 0, nil, c.judged(raft.ErrNotLeader)
	}
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	timeout := requestTimeout
	if end, ok := ctx.Deadline(); ok {
		timeout = max(time.Until(end), time.Millisecond)
	}
	f := r.Apply(data, timeout)
	err = wait(ctx, f)
	switch {
	case err == nil:
		return f.Index(), f.Response(), nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return 0, nil, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return 0, nil, c.judged(err)
}

// Barrier returns when this leader has applied all that was committed before.
func (c *Consensus) Barrier(ctx context.Context) error {
	r, err := c.running()
	if err != nil {
		return err
	}
	return c.judged(wait(ctx, r.Barrier(requestTimeout)))
}

// TransferLeadership hands leadership to another voter, before this node stops
// or is drained. At a node that doesn't lead it does nothing.
func (c *Consensus) TransferLeadership(ctx context.Context) error {
	r, err := c.running()
	if err != nil {
		return err
	}
	if r.State() != raft.Leader {
		return nil
	}
	if err := wait(ctx, r.LeadershipTransfer()); err != nil {
		return fmt.Errorf("hand over leadership: %w", err)
	}
	return nil
}
