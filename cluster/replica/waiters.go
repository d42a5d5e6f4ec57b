package replica

import (
	"container/heap"
	"context"
	"fmt"

	"vedetta/wire/mesh"
)

// waiter waits for one number of an origin to become durable.
type waiter struct {
	number uint64
	at     int           // place in the heap, -1 when it has left
	done   chan struct{} // closed when durable
}

// waiters is a heap by number, of one origin.
type waiters []*waiter

func (w waiters) Len() int           { return len(w) }
func (w waiters) Less(i, j int) bool { return w[i].number < w[j].number }
func (w waiters) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].at, w[j].at = i, j
}

func (w *waiters) Push(x any) {
	it := x.(*waiter)
	it.at = len(*w)
	*w = append(*w, it)
}

func (w *waiters) Pop() any {
	old := *w
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*w = old[:len(old)-1]
	it.at = -1
	return it
}

// WaitDurable returns nil once the place is flushed at a majority of sites.
func (r *Replica) WaitDurable(ctx context.Context, pos mesh.Position) error {
	r.mu.Lock()
	if r.quorum.Durable(pos.Origin) >= pos.Number {
		r.mu.Unlock()
		return nil
	}
	w := &waiter{number: pos.Number, done: make(chan struct{})}
	line := r.waiting[pos.Origin]
	if line == nil {
		line = &waiters{}
		r.waiting[pos.Origin] = line
	}
	heap.Push(line, w)
	r.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.at < 0 {
		return nil // at the last moment
	}
	heap.Remove(line, w.at)
	if len(*line) == 0 && r.waiting[pos.Origin] == line {
		delete(r.waiting, pos.Origin)
	}
	return fmt.Errorf("wait until %s is durable, mark is %d: %w", pos, r.quorum.Durable(pos.Origin), context.Cause(ctx))
}

// settled releases those who wait for origins whose durable mark has moved.
// Needs mu.
func (r *Replica) settled(moved []mesh.Origin) {
	if len(moved) == 0 {
		return
	}
	for _, o := range moved {
		line, durable := r.waiting[o], r.quorum.Durable(o)
		for line != nil && len(*line) > 0 && (*line)[0].number <= durable {
			close(heap.Pop(line).(*waiter).done)
		}
		if line != nil && len(*line) == 0 {
			delete(r.waiting, o)
		}
	}
	close(r.durableChanged)
	r.durableChanged = make(chan struct{})
}

// Durable returns an origin's durable mark: the highest number flushed at a
// majority of sites. It never falls.
func (r *Replica) Durable(o mesh.Origin) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.quorum.Durable(o)
}

// Durables returns the durable marks of all origins that have one.
func (r *Replica) Durables() map[mesh.Origin]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.quorum.Durables()
}

// DurableChanged returns a channel that is closed at the next move of any
// durable mark. Take it before looking at the marks.
func (r *Replica) DurableChanged() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.durableChanged
}
