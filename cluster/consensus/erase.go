package consensus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/raft"
)

// eraseRetry is the wait when raft can't take a snapshot just now.
const eraseRetry = 100 * time.Millisecond

// Snapshot makes a snapshot of what is applied; nothing new is no error.
func (c *Consensus) Snapshot(ctx context.Context) error {
	r, err := c.running()
	if err != nil {
		return err
	}
	if err := wait(ctx, r.Snapshot()); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return fmt.Errorf("snapshot: %w", err)
	}
	return nil
}

// CompactForErasure makes sure that nothing which the state machine has
// forgotten by now is left in Raft's folder (rule 32): a snapshot, the only one
// kept, and a new log folder with the entries above it. Call it when the command
// that destroys has been applied at this node; when it has returned nil, the
// node may report. After an error, or a crash at any moment, call it again.
func (c *Consensus) CompactForErasure(ctx context.Context) error {
	c.mu.Lock()
	r, st, snaps := c.raft, c.store, c.snaps
	c.mu.Unlock()
	if r == nil {
		return ErrNotRunning
	}
	for {
		err := c.Snapshot(ctx)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "wait until the configuration entry") { // raft has no type for it
			return fmt.Errorf("erase: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("erase: %w", err)
		case <-time.After(eraseRetry):
		}
	}
	list, err := snaps.List()
	if err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	if len(list) == 0 {
		return errors.New("erase: there is no snapshot, and nothing was applied that could be destroyed")
	}
	if err := st.compact(list[0].Index); err != nil {
		return fmt.Errorf("erase: %w", err)
	}
	return nil
}
