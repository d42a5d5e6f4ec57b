package consensus

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// Errors by which a caller decides.
var (
	// ErrNotLeader: nothing was done; send it to the leader (see NotLeader).
	ErrNotLeader = errors.New("this node doesn't lead the agreement")
	// ErrUnknown: the command may have been or may yet be committed.
	ErrUnknown = errors.New("result of the command is unknown")
	// ErrNotRunning: Raft hasn't started yet or has ended; nothing was done.
	ErrNotRunning = errors.New("the agreement isn't running at this node")
)

// NotLeader is an ErrNotLeader that names who leads, if known.
type NotLeader struct{ Leader string }

func (e *NotLeader) Error() string {
	if e.Leader == "" {
		return ErrNotLeader.Error() + "; no leader is known"
	}
	return ErrNotLeader.Error() + "; " + e.Leader + " does"
}

// Is makes errors.Is(err, ErrNotLeader) hold.
func (e *NotLeader) Is(target error) bool { return target == ErrNotLeader }

// Regressed says that this folder holds less than a peer has seen of it: its
// disk lost what it had flushed, or an older copy was put in place. It must
// not vote; Discard it and come back with a new disk id (rule 28).
type Regressed struct{ Reason string }

func (e *Regressed) Error() string {
	return "this node's data is behind what its peers have seen of it, want a new disk id: " + e.Reason
}

// judged turns raft's errors of a command or change into ours.
func (c *Consensus) judged(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		leader, _, _, _ := c.Leader()
		return &NotLeader{leader}
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return context.DeadlineExceeded
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}
