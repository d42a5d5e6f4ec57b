package supervision

// slots of a wheel, a second each: what lies further off comes round and is put
// in again.
const slots = 512

// wheel holds when the panels of one led shard are to be looked at. A panel is
// put in by its deadline as it was then; what moves a deadline later is found
// when it is due. It stands in no wheel while the shard isn't led.
type wheel struct {
	turning bool
	at      tick // looked at up to here
	heads   []uint32
}

func slotOf(t tick) int { return int(t/second) % slots }

// start empties the wheel and puts all panels in, to be looked at next.
func (w *wheel) start(s *shard, now tick) {
	w.stop(s)
	w.turning, w.at = true, now
	w.heads = make([]uint32, slots)
	for i := range w.heads {
		w.heads[i] = none
	}
	s.each(func(i uint32, _ *row) { w.put(s, i, now) })
}

func (w *wheel) stop(s *shard) {
	if !w.turning {
		return
	}
	s.each(func(_ uint32, r *row) { r.next, r.prev = none, outside })
	*w = wheel{}
}

// put has a row looked at when the horizon has passed a time.
func (w *wheel) put(s *shard, i uint32, deadline tick) {
	if !w.turning {
		return
	}
	w.take(s, i)
	head := &w.heads[slotOf(max(deadline, w.at)+second)] // whole seconds: never early
	r := s.row(i)
	r.next, r.prev = *head, none
	if *head != none {
		s.row(*head).prev = i
	}
	*head = i
}

// early has a row looked at soon: its deadline may have become earlier.
func (w *wheel) early(s *shard, i uint32) {
	if r := s.row(i); r.within[Primary] > 0 {
		w.put(s, i, w.at)
	} else {
		w.take(s, i)
	}
}

// take takes a row out.
func (w *wheel) take(s *shard, i uint32) {
	r := s.row(i)
	if r.prev == outside {
		return
	}
	if r.prev == none {
		for slot, head := range w.heads { // few rows are heads
			if head == i {
				w.heads[slot] = r.next
				break
			}
		}
	} else {
		s.row(r.prev).next = r.next
	}
	if r.next != none {
		s.row(r.next).prev = r.prev
	}
	r.next, r.prev = none, outside
}

// turn calls fn for the rows whose second the horizon has passed; each is out of
// the wheel then.
func (w *wheel) turn(s *shard, horizon tick, fn func(i uint32, r *row)) {
	if !w.turning || horizon <= w.at {
		return
	}
	first, n := w.at/second+1, int(horizon/second)-int(w.at/second)
	var list []uint32
	for k := range min(n, slots) {
		slot := slotOf((first + tick(k)) * second)
		for i := w.heads[slot]; i != none; {
			r := s.row(i)
			next := r.next
			r.next, r.prev = none, outside
			list = append(list, i)
			i = next
		}
		w.heads[slot] = none
	}
	w.at = horizon
	for _, i := range list {
		fn(i, s.row(i))
	}
}
