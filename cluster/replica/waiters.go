package replica

import (
	"container/heap"
	"context"
	"fmt"
	"time"

	"vedetta/wire/mesh"
)

// waiter waits for one number of an origin to become durable. Each alarm needs
// one, so they are used again.
type waiter struct {
	number uint64
	at     int           // place in the heap, -1 when it has left
	done   chan struct{} // gets one token when durable
	timer  *time.Timer   // stopped while nobody waits
}

func newWaiter() any {
	w := &waiter{done: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
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

// lines are those who wait, by origin.
type lines map[mesh.Origin]*waiters

// release lets go of those of one origin who wait for mark or less.
func (l lines) release(o mesh.Origin, mark uint64) {
	line := l[o]
	for line != nil && len(*line) > 0 && (*line)[0].number <= mark {
		heap.Pop(line).(*waiter).done <- struct{}{} // has room for the only token
	}
	if line != nil && len(*line) == 0 {
		delete(l, o)
	}
}

// WaitDurable returns nil once the place is flushed at a majority of sites. It
// waits as long as within says, or without a limit when that is zero.
func (r *Replica) WaitDurable(ctx context.Context, pos mesh.Position, within time.Duration) error {
	return r.wait(ctx, pos, within, r.waiting, r.quorum.Durable)
}

// WaitAll is WaitDurable for every configured site (rule 8).
func (r *Replica) WaitAll(ctx context.Context, pos mesh.Position, within time.Duration) error {
	return r.wait(ctx, pos, within, r.waitingAll, r.quorum.Whole)
}

func (r *Replica) wait(ctx context.Context, pos mesh.Position, within time.Duration, waiting lines, mark func(mesh.Origin) uint64) error {
	r.mu.Lock()
	if mark(pos.Origin) >= pos.Number {
		r.mu.Unlock()
		return nil
	}
	w := r.waiters.Get().(*waiter)
	w.number = pos.Number
	line := waiting[pos.Origin]
	if line == nil {
		line = &waiters{}
		waiting[pos.Origin] = line
	}
	heap.Push(line, w)
	r.mu.Unlock()
	defer r.waiters.Put(w)
	if within > 0 {
		w.timer.Reset(within)
		defer w.timer.Stop()
	}
	cause := context.DeadlineExceeded
	select {
	case <-w.done:
		return nil
	case <-w.timer.C:
	case <-ctx.Done():
		cause = context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if w.at < 0 {
		<-w.done
		return nil // at the last moment
	}
	heap.Remove(line, w.at)
	if len(*line) == 0 && waiting[pos.Origin] == line {
		delete(waiting, pos.Origin)
	}
	return fmt.Errorf("wait until %s is durable, mark is %d: %w", pos, mark(pos.Origin), cause)
}

// noted releases those who wait for every site to have the origin. Needs mu.
func (r *Replica) noted(o mesh.Origin) {
	if r.waitingAll[o] != nil {
		r.waitingAll.release(o, r.quorum.Whole(o))
	}
}

// settled releases those who wait for origins whose durable mark has moved.
// Needs mu.
func (r *Replica) settled(moved []mesh.Origin) {
	if len(moved) == 0 {
		return
	}
	for _, o := range moved {
		r.waiting.release(o, r.quorum.Durable(o))
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
