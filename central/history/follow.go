package history

import (
	"context"
	"time"
)

// keepAlive is how often a follower that has nothing to say says so; a change
// of another instance of central is seen at the latest then.
const keepAlive = 10 * time.Second

// Follow hands on what changes after a number, in order, until ctx ends or fn
// fails. An empty list is a sign of life.
func (h *History) Follow(ctx context.Context, customer string, after int64, fn func([]Change) error) error {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		wait := h.Hub.Wait(customer) // before looking, so that nothing is missed
		changes, err := h.Changes(ctx, customer, after, 200)
		if err != nil {
			return err
		}
		if len(changes) > 0 {
			if err := fn(changes); err != nil {
				return err
			}
			after = changes[len(changes)-1].Seq
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait:
		case <-tick.C:
			if err := fn(nil); err != nil {
				return err
			}
		}
	}
}
