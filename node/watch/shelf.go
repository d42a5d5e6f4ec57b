package watch

import (
	"container/list"
	"slices"
	"time"

	"vedetta/node/reception"
)

// Bounds of one attempt: a frame of the longest form fits.
const (
	maxRaw   = 4096 + 16
	overhead = 512 // of an attempt besides its bytes, counted with them
)

// kept is an attempt with its number, which its shelf never gives again.
type kept struct {
	seq     uint64
	group   string
	at      time.Time // received
	took    time.Duration
	from    reception.Source
	raw     string
	detail  string // of what is no frame
	verdict reception.Verdict
	unsent  bool // the answer could not be written
}

func (k *kept) size() int { return len(k.raw) + len(k.verdict.Answer) + len(k.detail) + overhead }

// shelf is a bounded store, oldest first: so many bytes in all, so many
// attempts of one group, so long. It is stepped: time comes with what is put.
type shelf struct {
	bytes, perGroup int
	keep            time.Duration
	lost            func(*kept) // is told what is let go of before its time

	all    list.List                  // of *kept
	groups map[string][]*list.Element // oldest first; the same elements
	held   int                        // bytes
	last   uint64                     // highest number given
}

func newShelf(cfg Config, lost func(*kept)) *shelf {
	return &shelf{bytes: cfg.MaxBytes, perGroup: cfg.PerPanel, keep: cfg.Keep, lost: lost, groups: map[string][]*list.Element{}}
}

// put numbers an attempt, adds it and lets go of what no longer fits.
func (s *shelf) put(k *kept) {
	s.last++
	k.seq = s.last
	s.groups[k.group] = append(s.groups[k.group], s.all.PushBack(k))
	s.held += k.size()
	if of := s.groups[k.group]; len(of) > s.perGroup {
		s.drop(of[0])
	}
	for s.held > s.bytes {
		s.drop(s.all.Front())
	}
	s.expire(k.at)
}

// expire lets go of what is older than keep.
func (s *shelf) expire(now time.Time) {
	for e := s.all.Front(); e != nil; e = s.all.Front() {
		if now.Sub(e.Value.(*kept).at) <= s.keep {
			return
		}
		s.remove(e)
	}
}

// forget lets go of what gone says.
func (s *shelf) forget(gone func(*kept) bool) {
	for e := s.all.Front(); e != nil; {
		next := e.Next()
		if gone(e.Value.(*kept)) {
			s.remove(e)
		}
		e = next
	}
}

func (s *shelf) drop(e *list.Element) {
	s.lost(e.Value.(*kept))
	s.remove(e)
}

func (s *shelf) remove(e *list.Element) {
	k := s.all.Remove(e).(*kept)
	s.held -= k.size()
	of := s.groups[k.group]
	if of[0] == e { // nearly always
		of = of[1:]
	} else {
		of = slices.DeleteFunc(of, func(one *list.Element) bool { return one == e })
	}
	if len(of) == 0 {
		delete(s.groups, k.group)
	} else {
		s.groups[k.group] = of
	}
}

// after lists what stands behind a number, oldest first; want chooses.
func (s *shelf) after(seq uint64, want func(*kept) bool) []*kept {
	var out []*kept
	for e := s.all.Back(); e != nil && e.Value.(*kept).seq > seq; e = e.Prev() {
		if k := e.Value.(*kept); want(k) {
			out = append(out, k)
		}
	}
	slices.Reverse(out)
	return out
}
