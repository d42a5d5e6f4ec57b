package agreement

import (
	"context"
	"fmt"
)

// WaitIndex returns when this node has applied the log up to index, so that who
// proposed sees what was decided.
func (v *View) WaitIndex(ctx context.Context, index uint64) error {
	for {
		changed := v.Changed()
		if v.Index() >= index {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the agreement's index %d: %w", index, ctx.Err())
		case <-changed:
		}
	}
}
