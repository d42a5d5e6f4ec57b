package watch

import (
	"context"
	"slices"
	"time"

	wire "vedetta/wire/watch"
)

// follower is one viewer's state; one goroutine owns it.
type follower struct {
	w       *Watch
	view    View
	fn      func(Update) error
	nodes   []Node
	seen    []string       // ids told of late, so that a node that is asked again tells nothing twice
	pending []wire.Attempt // stored, and no event is known yet
}

// most ids and pending attempts that are remembered.
const most = 1000

func (f *follower) tell(ctx context.Context, t told) error {
	n := &f.nodes[t.node]
	was := *n
	switch {
	case t.line.Attempt != nil:
		return f.attempt(ctx, *t.line.Attempt)
	case t.line.Lost > 0:
		return f.fn(Update{Lost: t.line.Lost})
	case t.line.Ready != nil:
		n.Site, n.Watching, n.KeepSeconds = t.line.Ready.Site, true, t.line.Ready.KeepSeconds
	default:
		n.Watching = false
	}
	if *n == was {
		return nil
	}
	return f.fn(Update{Nodes: slices.Clone(f.nodes)})
}

func (f *follower) attempt(ctx context.Context, a wire.Attempt) error {
	if slices.Contains(f.seen, a.ID) {
		return nil
	}
	f.seen = append(f.seen, a.ID)
	if len(f.seen) > most {
		f.seen = slices.Delete(f.seen, 0, most/2)
	}
	found, err := f.w.settle(ctx, f.view.Customer, &a)
	if err != nil {
		return err
	}
	if a.Entry != nil && a.Relation == wire.Own && !found && len(f.pending) < most {
		f.pending = append(f.pending, a)
	}
	return f.fn(Update{Attempt: &a})
}

// settle tells again of attempts whose event has become known.
func (f *follower) settle(ctx context.Context) error {
	rest := f.pending[:0]
	for _, a := range f.pending {
		found, err := f.w.settle(ctx, f.view.Customer, &a)
		switch {
		case err != nil:
			return err
		case found:
			if err := f.fn(Update{Attempt: &a, Again: true}); err != nil {
				return err
			}
		case time.Since(time.Time(a.Time)) < settleWithin:
			rest = append(rest, a)
		}
	}
	f.pending = rest
	return nil
}
