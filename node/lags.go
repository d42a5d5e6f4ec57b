package node

import (
	"context"
	"sync"
	"time"
)

const (
	lagSample  = 200 * time.Millisecond
	lagSamples = 1024 // then every other one is left out: older ones are coarser
)

// history turns "entries behind" into seconds: it remembers how many entries
// this node held at which time. A follower that lacks n of them is behind by
// the age of the moment at which this node held so many less. It is stepped,
// now is an argument; safe for several goroutines.
type history struct {
	mu   sync.Mutex // guards the field below
	held []sample   // by time; held never falls
}

type sample struct {
	at   time.Time
	held uint64
}

// note says how many entries this node holds now.
func (h *history) note(now time.Time, held uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.held)
	if n > 0 && held <= h.held[n-1].held {
		return
	}
	if n == lagSamples {
		for i := range n / 2 {
			h.held[i] = h.held[2*i]
		}
		h.held = h.held[:n/2]
	}
	h.held = append(h.held, sample{now, held})
}

// behind is since when, at least, a follower that lacks so many entries of what
// is held has lacked one; 0 when it lacks none. What was there at the start
// counts from the start.
func (h *history) behind(now time.Time, held, lacks uint64) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if lacks == 0 {
		return 0
	}
	// The first moment at which more was held than the follower has.
	for _, s := range h.held {
		if s.held > held-min(held, lacks) {
			return now.Sub(s.at)
		}
	}
	return 0 // came since the last sample
}

// run samples until ctx ends.
func (h *history) run(held func() uint64) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(lagSample)
		defer tick.Stop()
		for {
			h.note(time.Now(), held())
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	}
}
