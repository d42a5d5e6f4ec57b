package notify

import "sync"

// defaultSlots is how many messages of a channel are under way at once when
// the channel doesn't say.
const defaultSlots = 8

// slots counts what is under way per channel. A quarter of a channel is kept
// for life safety, so that a flood of other notifications never blocks it.
type slots struct {
	mu    sync.Mutex
	limit map[string]int // never changed
	taken map[string]int
	shut  bool
	freed chan struct{} // capacity 1: a slot was given back
}

func newSlots(limit map[string]int) *slots {
	return &slots{limit: limit, taken: map[string]int{}, freed: make(chan struct{}, 1)}
}

// take reserves a slot; false when there is none, or no such channel.
func (s *slots) take(channel string, urgent bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.limit[channel]
	if !urgent {
		limit -= limit / 4
	}
	if s.shut || s.taken[channel] >= limit {
		return false
	}
	s.taken[channel]++
	return true
}

func (s *slots) give(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[channel] > 0 {
		s.taken[channel]--
		wake(s.freed)
	}
}

// close gives no more slots.
func (s *slots) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shut = true
}
