package alerting

import (
	"sync"
	"time"

	"vedetta/node/identity"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// shard is the work of one shard: filled by the reader, emptied by its worker.
type shard struct {
	number byte
	signal chan struct{} // capacity 1: there is something to do

	mu      sync.Mutex
	leading bool
	fence   decision.Fence
	origin  mesh.Origin            // decisions that must be read before deciding:
	number0 uint64                 // agreement's origin and number at that time (rule 16)
	scanned map[mesh.Origin]uint64 // read up to here, all queued or decided
	queue   []queued
	doubt   queued // front of the queue at the first restart since it was decided; zero: none
}

type queued struct {
	record mesh.Record
	since  time.Time // read; it was durable then
}

// lead takes over what the agreement says; it tells whether that is news.
func (s *shard) lead(f decision.Fence, leading bool, origin mesh.Origin, number uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if leading == s.leading && (!leading || f == s.fence) {
		return false
	}
	s.leading, s.fence = leading, f
	s.origin, s.number0 = origin, number
	s.scanned, s.queue, s.doubt = make(map[mesh.Origin]uint64), nil, queued{}
	return true
}

// restart forgets what was read, so that the reader begins at the cursors. It
// doesn't forget for how long the front has waited: its age may cost the shard.
func (s *shard) restart(f decision.Fence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leading && s.fence == f {
		if s.doubt.since.IsZero() && len(s.queue) > 0 {
			s.doubt = s.queue[0]
		}
		s.scanned, s.queue = make(map[mesh.Origin]uint64), nil
	}
}

// position is how far an origin is read; cursor is where to begin.
func (s *shard) position(o mesh.Origin, cursor func() uint64) (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.leading {
		return 0, false
	}
	n, ok := s.scanned[o]
	if !ok {
		n = cursor()
		s.scanned[o] = n
	}
	return n, true
}

// chains say which records belong to each shard: first[s] is the first one's
// index, next[i] that of the one after i; -1: none.
type chains struct {
	first [identity.Shards]int
	next  []int
}

// chained goes over records once, for all shards.
func chained(records []mesh.Record) (c chains) {
	for i := range c.first {
		c.first[i] = -1
	}
	c.next = make([]int, len(records))
	for i := len(records) - 1; i >= 0; i-- {
		if s := records[i].Shard; s < identity.Shards && records[i].Kind == mesh.KindMessage {
			c.next[i], c.first[s] = c.first[s], i
		}
	}
	return c
}

// add queues the shard's of records of one origin, read without a gap up to last.
func (s *shard) add(o mesh.Origin, records []mesh.Record, of *chains, last uint64, now time.Time) {
	s.mu.Lock()
	n, ok := s.scanned[o]
	if !s.leading || !ok || n >= last {
		s.mu.Unlock()
		return
	}
	added := false
	for i := of.first[s.number]; i >= 0; i = of.next[i] {
		if records[i].Number > n {
			s.queue = append(s.queue, queued{records[i], now})
			added = true
		}
	}
	s.scanned[o] = last
	s.mu.Unlock()
	if added {
		s.wake()
	}
}

func (s *shard) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// batch is what one proposal may decide: entries of the queue's front, and how
// far each origin's cursor can go with them.
type batch struct {
	fence   decision.Fence
	origin  mesh.Origin
	number0 uint64
	entries []queued
	reach   map[mesh.Origin]uint64
}

// peek shows the front of the queue without taking it.
func (s *shard) peek(most int) (batch, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.leading {
		return batch{}, false
	}
	n := min(most, len(s.queue))
	b := batch{fence: s.fence, origin: s.origin, number0: s.number0, entries: s.queue[:n:n], reach: make(map[mesh.Origin]uint64, len(s.scanned))}
	for o, to := range s.scanned {
		b.reach[o] = to
	}
	for _, q := range s.queue[n:] {
		if r := q.record; r.Number-1 < b.reach[r.Origin] {
			b.reach[r.Origin] = r.Number - 1
		}
	}
	return b, true
}

// take removes the first n entries, unless another epoch has begun.
func (s *shard) take(f decision.Fence, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leading && s.fence == f && n <= len(s.queue) {
		s.queue = s.queue[n:]
		if len(s.queue) == 0 {
			s.queue = nil
		}
	}
}

func (s *shard) leads() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leading
}

func (s *shard) queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// oldest is since when the oldest entry waits that is not decided as far as the
// cursors tell; zero: none.
func (s *shard) oldest(cursor func(mesh.Origin) uint64) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.doubt.since.IsZero() && cursor(s.doubt.record.Origin) >= s.doubt.record.Number {
		s.doubt = queued{}
	}
	switch {
	case !s.doubt.since.IsZero():
		return s.doubt.since
	case len(s.queue) == 0:
		return time.Time{}
	}
	return s.queue[0].since
}

// led returns the fence under which this process leads, and what must be read
// before it may decide.
func (s *shard) led() (f decision.Fence, origin mesh.Origin, number uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fence, s.origin, s.number0, s.leading
}
