package supervision

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"vedetta/node/identity"
)

// tick is a tenth of a second of this process's monotonic clock. 0 is never.
type tick uint32

const (
	second tick = 10
	// pastTicks lie before the process's start: a panel last heard earlier than
	// that counts as heard then.
	pastTicks tick = 400 * 24 * 3600 * second
)

// span is a duration in ticks, rounded up.
func span(d time.Duration) tick {
	return tick((d + time.Second/time.Duration(second) - 1) / (time.Second / time.Duration(second)))
}

func (t tick) duration() time.Duration {
	return time.Duration(t) * (time.Second / time.Duration(second))
}

// back is t earlier by an age, never 0.
func (t tick) back(age tick) tick {
	if age >= t {
		return 1
	}
	return t - age
}

// Path of a message.
type Path int

// Paths.
const (
	Primary Path = iota
	Alternative
	paths
)

const nobody = 0xff // no node has heard it

// row is one panel. 72 bytes, and strings that the roster holds anyway.
type row struct {
	key        uint64
	id         string // roster id; empty: the row is free
	customer   string
	heard      [paths]tick // last message, 0 never
	within     [paths]tick // interval and grace; 0: not supervised, or no such path
	since      tick        // it, or its times, came into the roster here
	next, prev uint32      // in the wheel's slot; of a row that isn't in one: prev is outside
	by         [paths]uint8
	changed    bool // since counts though it was heard before
	before     bool // it stood in the roster before this process began: it may have been heard then
}

const (
	pageBits = 8
	pageRows = 1 << pageBits
	none     = ^uint32(0)     // end of a list
	outside  = ^uint32(0) - 1 // not in the wheel
)

// shard holds the panels of one shard. mu guards all of it and is never held
// while waiting.
type shard struct {
	mu    sync.Mutex
	index map[uint64]uint32 // by key
	pages []*[pageRows]row  // rows stay where they are
	free  []uint32
	used  uint32 // rows handed out, free ones included

	early map[uint64]hearsay // of panels that aren't in the roster here yet; nil: none
	fresh []uint32           // heard here since the last digest was cut
	from  tick               // since when
	wheel wheel
	known Known // what was silent at the last look, while the shard is led
}

// hearsay is what was told of a panel before its document came: a node that
// starts may be told before it has applied all.
type hearsay struct {
	told  tick
	heard [paths]tick
	by    [paths]uint8
}

// keepEarly is for how long hearsay is kept.
const keepEarly = 10 * 60 * second

func (s *shard) row(i uint32) *row { return &s.pages[i>>pageBits][i&(pageRows-1)] }

// find gives a panel's row, nil when there is none.
func (s *shard) find(key uint64) (*row, uint32) {
	i, ok := s.index[key]
	if !ok {
		return nil, none
	}
	return s.row(i), i
}

// add makes a row.
func (s *shard) add(key uint64) (*row, uint32) {
	var i uint32
	if n := len(s.free); n > 0 {
		i, s.free = s.free[n-1], s.free[:n-1]
	} else {
		i = s.used
		s.used++
		if int(i>>pageBits) == len(s.pages) {
			s.pages = append(s.pages, new([pageRows]row))
		}
	}
	r := s.row(i)
	*r = row{key: key, next: none, prev: outside, by: [paths]uint8{nobody, nobody}}
	s.index[key] = i
	return r, i
}

func (s *shard) remove(key uint64) {
	r, i := s.find(key)
	if r == nil {
		return
	}
	s.wheel.take(s, i)
	*r = row{prev: outside}
	delete(s.index, key)
	s.free = append(s.free, i)
}

// each calls fn for every panel of the shard.
func (s *shard) each(fn func(i uint32, r *row)) {
	for p, page := range s.pages {
		for j := range page {
			if page[j].id != "" {
				fn(uint32(p)<<pageBits|uint32(j), &page[j])
			}
		}
	}
}

const keyBits = 56

// keyOf is how a digest names a panel.
func keyOf(panel string) uint64 {
	sum := sha256.Sum256([]byte(panel))
	return binary.BigEndian.Uint64(sum[:]) >> (64 - keyBits)
}

func shardOf(key uint64) int { return int(key >> (keyBits - 6)) }

// Panel is what supervision needs to know of a panel of the roster.
type Panel struct {
	ID          string
	Customer    string
	Within      time.Duration // interval and grace of the primary path; 0: not supervised
	Alternative time.Duration // of the alternative path; 0: there is none
	Before      bool          // it stood in the roster before this process began
}

// Put takes over a panel as the roster has it now. One that is new, or judged by
// other times than before, is counted from now. False: another panel has the
// same key, and this one can't be supervised.
func (c *Core) Put(now time.Time, p Panel) bool {
	key, at := keyOf(p.ID), c.tick(now)
	within := [paths]tick{span(max(0, p.Within)), span(max(0, p.Alternative))}
	if within[Primary] == 0 {
		within[Alternative] = 0
	}
	s := &c.shards[shardOf(key)]
	s.mu.Lock()
	defer s.mu.Unlock()
	r, i := s.find(key)
	if r != nil && r.id != p.ID {
		return false
	}
	if r == nil {
		r, i = s.add(key)
		r.since, r.before = at, p.Before
		if e, ok := s.early[key]; ok {
			r.heard, r.by = e.heard, e.by
			delete(s.early, key)
		}
	}
	if r.within != within {
		r.changed = r.id != ""
		r.within, r.since = within, at
		s.wheel.early(s, i)
	}
	r.id, r.customer = p.ID, p.Customer
	return true
}

// Drop forgets a panel that is no longer in the roster.
func (c *Core) Drop(panel string) {
	key := keyOf(panel)
	s := &c.shards[shardOf(key)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if r, _ := s.find(key); r != nil && r.id == panel {
		s.remove(key)
	}
}

// Heard notes a good message of a panel on a path; now may lie in the past, for
// a message that was held until its panel was entered.
func (c *Core) Heard(now time.Time, panel string, p Path) {
	key, at := keyOf(panel), c.tick(now)
	s := &c.shards[shardOf(key)]
	s.mu.Lock()
	defer s.mu.Unlock()
	r, i := s.find(key)
	if r == nil {
		return // not in the roster any more
	}
	if r.within[p] == 0 {
		p = Primary // it has one path
	}
	if at+keptCuts*second < s.from {
		if at > r.heard[p] {
			if r.heard[p] == 0 {
				s.first(i, at)
			}
			r.heard[p], r.by[p] = at, 0
			c.past.Store(true)
		}
		return
	}
	at = max(at, s.from) // what is told is what was heard since
	if r.heard[p] == 0 {
		s.first(i, at)
	}
	told := r.by[p] == 0 && r.heard[p] >= s.from && r.heard[p] != 0
	r.heard[p], r.by[p] = max(r.heard[p], at), 0
	if !told {
		s.fresh = append(s.fresh, i)
	}
}

// first is called before a path's first message is noted: from now on it is
// judged by its own times. With the panel's first one the other path begins to
// count.
func (s *shard) first(i uint32, at tick) {
	r := s.row(i)
	if r.heard == [paths]tick{} {
		r.changed = r.changed || !r.before && at < r.since // it was held, and is counted from when it was entered
		r.since = max(r.since, at)
	}
	s.wheel.early(s, i)
}

// Seen is what is known of a panel.
type Seen struct {
	Counted    time.Duration        // age of the moment before which it may have been heard; negative: it was not
	Heard      [paths]time.Duration // age of the last message; negative: never, as far as is known
	Dual       bool                 // it has an alternative path
	Supervised bool                 // its silence is judged
}

// Look tells what is known of a panel; false: it isn't in the roster here.
func (c *Core) Look(now time.Time, panel string) (Seen, bool) {
	key, at := keyOf(panel), c.tick(now)
	c.mu.Lock()
	served := c.served
	c.mu.Unlock()
	s := &c.shards[shardOf(key)]
	s.mu.Lock()
	defer s.mu.Unlock()
	r, _ := s.find(key)
	if r == nil || r.id != panel {
		return Seen{}, false
	}
	out := Seen{Counted: c.counted(r, served, at), Supervised: r.within[Primary] > 0, Dual: r.within[Alternative] > 0}
	for p, t := range r.heard {
		out.Heard[p] = -1
		if t > 0 {
			out.Heard[p] = (at - min(at, t)).duration()
		}
	}
	return out, true
}

// Panels counts those that are supervised.
func (c *Core) Panels() (n int) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += len(s.index)
		s.mu.Unlock()
	}
	return n
}

// keys appends those of the rows that keep accepts.
func (s *shard) keys(rows []uint32, keep func(*row) bool, to []uint64) []uint64 {
	for _, i := range rows {
		if r := s.row(i); r.id != "" && keep(r) {
			to = append(to, r.key)
		}
	}
	return to
}

const shards = identity.Shards
