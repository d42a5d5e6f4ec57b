package journal

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"vedetta/wire/mesh"
)

// item is one thing that waits for the writer: an own record that is being
// sealed, or records made elsewhere.
type item struct {
	header mesh.Header // own record: number and day are given
	sealed []byte
	state  atomic.Int32 // own record: sealing, sealed, failed
	err    error        // own record: why sealing failed

	records []mesh.Record // made elsewhere
	parks   bool          // decisions: what is above a gap waits

	done  func(error) // made elsewhere; may be nil
	reply chan error  // own record that is waited for

	posted bool // own record that nobody waits for here
}

const (
	stateSealing = iota
	stateSealed
	stateFailed
)

func (it *item) own() bool { return it.posted || it.reply != nil }

func (it *item) ready() bool { return !it.own() || it.state.Load() != stateSealing }

func (it *item) count() int { return max(1, len(it.records)) }

func (it *item) finish(err error) {
	switch {
	case it.posted:
	case it.own():
		it.reply <- err // has room for the only answer
	case it.done != nil:
		it.done(err)
	}
}

// queue holds the two lanes. Numbers are given under the same lock that puts
// the record in line, so the order in the lane is the order of numbers.
type queue struct {
	mu      sync.Mutex // guards all below but wake
	lanes   [2][]*item
	origin  mesh.Origin // own
	number  uint64      // last one given
	day     mesh.Day    // last one given
	stopped bool
	wake    chan struct{} // one token: look at the lanes
	pool    sync.Pool
}

func (q *queue) begin(o mesh.Origin) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.origin = o
}

func (q *queue) ownOrigin() mesh.Origin {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.origin
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// number gives the next number and a day that never goes back (rule 2).
func (q *queue) numberOwn(it *item, now time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.stopped:
		return ErrStopped
	case q.origin.IsZero():
		return errors.New("the incarnation has not begun")
	}
	q.number++
	q.day = max(q.day, mesh.DayOf(now))
	it.header.Origin, it.header.Number, it.header.Day = q.origin, q.number, q.day
	q.lanes[LaneLive] = append(q.lanes[LaneLive], it)
	return nil
}

func (q *queue) add(lane Lane, it *item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.stopped {
		return ErrStopped
	}
	q.lanes[lane] = append(q.lanes[lane], it)
	return nil
}

// take removes what the next batch may hold from the front of a lane: it ends
// before the first record that is still being sealed.
func (q *queue) take(lane Lane, maxItems, maxBytes int, into []*item) []*item {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, items, bytes := 0, 0, 0
	for _, it := range q.lanes[lane] {
		if !it.ready() || items >= maxItems || bytes >= maxBytes {
			break
		}
		n++
		items += it.count()
		bytes += len(it.sealed)
		for i := range it.records {
			bytes += len(it.records[i].Bytes)
		}
	}
	into = append(into, q.lanes[lane][:n]...)
	rest := copy(q.lanes[lane], q.lanes[lane][n:])
	clear(q.lanes[lane][rest:])
	q.lanes[lane] = q.lanes[lane][:rest]
	return into
}

// close refuses what comes from now on and returns what was waiting.
func (q *queue) close() []*item {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	left := append(q.lanes[LaneLive], q.lanes[LaneCatchUp]...)
	q.lanes = [2][]*item{}
	return left
}

func (q *queue) getItem() *item {
	if it, ok := q.pool.Get().(*item); ok {
		return it
	}
	return &item{reply: make(chan error, 1)}
}

func (q *queue) putItem(it *item) {
	*it = item{reply: it.reply}
	q.pool.Put(it)
}

// Append writes one own record and returns its place once it is flushed here.
// seal gets the header with number and day and runs on the caller's goroutine;
// it must be quick, and if it fails the incarnation ends, because the number is
// given (rule 1). When ctx ends first the place is returned with the error: the
// record is on its way and may become durable.
func (j *Journal) Append(ctx context.Context, kind mesh.Kind, shard byte, id mesh.Identity, seal func(mesh.Header) ([]byte, error)) (mesh.Position, error) {
	if err := ctx.Err(); err != nil {
		return mesh.Position{}, fmt.Errorf("append: %w", context.Cause(ctx))
	}
	it := j.queue.getItem()
	it.header = mesh.Header{Kind: kind, Shard: shard, Identity: id}
	if err := j.queue.numberOwn(it, time.Now()); err != nil {
		return mesh.Position{}, fmt.Errorf("append: %w", j.orDead(err))
	}
	pos := it.header.Position()
	j.seal(it, seal)
	select {
	case err := <-it.reply:
		j.queue.putItem(it)
		if err != nil {
			return pos, fmt.Errorf("append %s: %w", pos, err)
		}
		return pos, nil
	case <-j.dead:
		return pos, fmt.Errorf("append %s: %w", pos, j.deadErr)
	case <-ctx.Done():
		return pos, fmt.Errorf("append %s, not known to be flushed: %w", pos, context.Cause(ctx))
	}
}

// Post is Append for a caller that waits elsewhere until the record is durable,
// as package replica tells: it returns the place at once. The record is on its
// way and becomes flushed, or the journal ends.
func (j *Journal) Post(kind mesh.Kind, shard byte, id mesh.Identity, seal func(mesh.Header) ([]byte, error)) (mesh.Position, error) {
	it := &item{posted: true, header: mesh.Header{Kind: kind, Shard: shard, Identity: id}}
	if err := j.queue.numberOwn(it, time.Now()); err != nil {
		return mesh.Position{}, fmt.Errorf("post: %w", j.orDead(err))
	}
	pos := it.header.Position() // the writer may have it as soon as it is sealed
	j.seal(it, seal)
	return pos, nil
}

// seal leaves the item sealed or failed, also when the callback panics.
func (j *Journal) seal(it *item, seal func(mesh.Header) ([]byte, error)) {
	state, err := int32(stateFailed), errors.New("sealing panicked")
	defer func() {
		it.err = err
		it.state.Store(state)
		j.queue.signal()
	}()
	var sealed []byte
	if sealed, err = seal(it.header); err != nil {
		return
	}
	if len(sealed) > mesh.MaxSealedBytes {
		err = fmt.Errorf("sealed content has %d bytes, want at most %d", len(sealed), mesh.MaxSealedBytes)
		return
	}
	it.sealed, state = sealed, stateSealed
}

// orDead returns why the journal ended, if it has, else err.
func (j *Journal) orDead(err error) error {
	select {
	case <-j.dead:
		return j.deadErr
	default:
		return err
	}
}
