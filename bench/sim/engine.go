package sim

import (
	"container/heap"
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// engine is the world's clock and its queue of what happens next.
type engine struct {
	now   time.Time
	rng   *rand.Rand
	queue events
	count uint64
	trace hash.Hash64 // of everything that happened: equal seeds, equal traces
}

func newEngine(seed uint64) *engine {
	return &engine{now: time.Date(2026, 11, 24, 22, 0, 0, 0, time.UTC), rng: rand.New(rand.NewPCG(seed, 0x7665646574746121)), trace: fnv.New64a()}
}

// event is one thing that will happen; p is the process whose code it is, nil
// for the world's own. A dead process does nothing, a held one does it later.
type event struct {
	at time.Time
	n  uint64
	p  *process
	fn func()
}

// after has fn happen d from now.
func (e *engine) after(d time.Duration, p *process, fn func()) {
	e.count++
	heap.Push(&e.queue, event{e.now.Add(d), e.count, p, fn})
}

// run lets everything happen up to a time.
func (e *engine) run(until time.Time) {
	for len(e.queue) > 0 && !e.queue[0].at.After(until) {
		next := heap.Pop(&e.queue).(event)
		e.now = next.at
		switch {
		case next.p == nil:
			next.fn()
		case next.p.dead:
		case next.p.held:
			next.p.backlog = append(next.p.backlog, next)
		default:
			next.fn()
		}
	}
	e.now = until
}

// note writes a line of the trace.
func (e *engine) note(format string, args ...any) {
	fmt.Fprintf(e.trace, "%d ", e.now.UnixNano())
	fmt.Fprintf(e.trace, format, args...)
}

// between draws a duration.
func (e *engine) between(least, most time.Duration) time.Duration {
	return least + time.Duration(e.rng.Int64N(int64(most-least)+1))
}

// chance is true once in n times.
func (e *engine) chance(n int) bool { return e.rng.IntN(n) == 0 }

type events []event

func (q events) Len() int { return len(q) }
func (q events) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].n < q[j].n
	}
	return q[i].at.Before(q[j].at)
}
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *events) Push(x any)   { *q = append(*q, x.(event)) }
func (q *events) Pop() any {
	old := *q
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return last
}
