package agreement

import (
	"context"
	"fmt"

	"vedetta/wire/decision"
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

// Result is what a proposal first gave, once this node has applied it and for
// ProposalMs (rule 19). False tells nothing: it may be under way, forgotten, or
// refused as stale.
func (v *View) Result(id decision.ProposalID) (Result, bool) {
	v.f.mu.RLock()
	defer v.f.mu.RUnlock()
	p, ok := v.f.state.proposals[id]
	return p.Result.clone(), ok
}
