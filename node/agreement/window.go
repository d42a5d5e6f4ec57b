package agreement

import "vedetta/wire/mesh"

// Window is one event of an identity and how far its copies reach (rule 11).
// Times are corrected receive times, Unix milliseconds.
type Window struct {
	First   mesh.Position `json:"first"` // entry that was decided first: the event
	FromMs  int64         `json:"from"`
	ToMs    int64         `json:"to"`
	UntilMs int64         `json:"until"` // agreement's clock: dropped after it
}

// windows are the last two events of every identity, for as long as a copy can
// meet them. They hold no pointers, so that a million of them cost the collector
// of garbage nothing, and what is over is found by its minute. What a command
// does to them can be taken back until done.
type windows struct {
	newest  map[mesh.Identity]span
	before  map[mesh.Identity]span // the event before the newest
	due     map[int64][]mesh.Identity
	origins []mesh.Origin
	numbers map[mesh.Origin]uint32 // in origins
	changes []change
}

// span is a Window whose origin has a number.
type span struct {
	number              uint64
	fromMs, toMs, until int64
	origin              uint32
}

// change is what stood before it.
type change struct {
	id                   mesh.Identity
	newest, before       span
	hadNewest, hadBefore bool
}

func newWindows() windows {
	return windows{newest: map[mesh.Identity]span{}, before: map[mesh.Identity]span{}, due: map[int64][]mesh.Identity{}, numbers: map[mesh.Origin]uint32{}}
}

// of are an identity's windows, the older first.
func (w *windows) of(id mesh.Identity) (list []Window) {
	if s, ok := w.before[id]; ok {
		list = append(list, w.window(s))
	}
	if s, ok := w.newest[id]; ok {
		list = append(list, w.window(s))
	}
	return list
}

func (w *windows) window(s span) Window {
	return Window{First: w.first(s), FromMs: s.fromMs, ToMs: s.toMs, UntilMs: s.until}
}

func (w *windows) first(s span) mesh.Position {
	return mesh.Position{Origin: w.origins[s.origin], Number: s.number}
}

func (w *windows) origin(o mesh.Origin) uint32 {
	n, ok := w.numbers[o]
	if !ok {
		n = uint32(len(w.origins))
		w.origins, w.numbers[o] = append(w.origins, o), n
	}
	return n
}

// within finds the newest event of an identity whose window reaches atMs.
func (w *windows) within(id mesh.Identity, atMs int64) (mesh.Position, bool) {
	s, ok := w.newest[id]
	if !ok {
		return mesh.Position{}, false
	}
	if s.reaches(atMs) {
		return w.first(s), true
	}
	if s, ok := w.before[id]; ok && s.reaches(atMs) {
		return w.first(s), true
	}
	return mesh.Position{}, false
}

func (s span) reaches(atMs int64) bool { return atMs >= s.fromMs-WindowMs && atMs <= s.toMs+WindowMs }

// event opens a window; of three the oldest is dropped.
func (w *windows) event(id mesh.Identity, first mesh.Position, atMs, clock int64) {
	was, had := w.note(id)
	if had {
		w.before[id] = was
	}
	w.put(w.newest, id, span{origin: w.origin(first.Origin), number: first.Number, fromMs: atMs, toMs: atMs, until: until(atMs, clock)})
}

// copy extends the window of the event it repeats.
func (w *windows) copy(id mesh.Identity, of mesh.Position, atMs, clock int64) {
	if _, had := w.note(id); !had {
		return
	}
	for _, m := range []map[mesh.Identity]span{w.newest, w.before} {
		if s, ok := m[id]; ok && w.first(s) == of {
			s.fromMs, s.toMs = min(s.fromMs, atMs), max(s.toMs, atMs)
			s.until = max(s.until, until(s.toMs, clock))
			w.put(m, id, s)
		}
	}
}

func (w *windows) put(m map[mesh.Identity]span, id mesh.Identity, s span) {
	m[id] = s
	w.due[s.until/minute] = append(w.due[s.until/minute], id)
}

// note remembers what stands, to take it back, and gives the newest.
func (w *windows) note(id mesh.Identity) (span, bool) {
	c := change{id: id}
	if c.newest, c.hadNewest = w.newest[id]; c.hadNewest {
		c.before, c.hadBefore = w.before[id]
	}
	w.changes = append(w.changes, c)
	return c.newest, c.hadNewest
}

// takeBack undoes all changes but the first n. What they put into due names
// nothing that is over sooner.
func (w *windows) takeBack(n int) {
	for i := len(w.changes) - 1; i >= n; i-- {
		c := w.changes[i]
		restore(w.newest, c.id, c.newest, c.hadNewest)
		restore(w.before, c.id, c.before, c.hadBefore)
	}
	w.changes = w.changes[:n]
}

func restore(m map[mesh.Identity]span, id mesh.Identity, s span, had bool) {
	if had {
		m[id] = s
	} else {
		delete(m, id)
	}
}

// done: what a command did stands.
func (w *windows) done() {
	if cap(w.changes) > 1<<16 {
		w.changes = nil
	}
	w.changes = w.changes[:0]
}

// until counts from the decision for what is decided late, from the receive
// time for what the origin's clock puts ahead of ours.
func until(atMs, clock int64) int64 {
	return max(clock, min(atMs, clock+hour)) + WindowMs + windowSlack
}

// drop drops what no copy can meet any more: an identity all of whose windows
// are over.
func (w *windows) drop(clock int64) {
	for _, m := range minutes(w.due, clock/minute) {
		var later []mesh.Identity
		for _, id := range w.due[m] {
			newest, has := w.newest[id]
			before, had := w.before[id]
			switch {
			case !has:
			case newest.until < clock && (!had || before.until < clock):
				delete(w.newest, id)
				delete(w.before, id)
			case m == clock/minute:
				later = append(later, id)
			}
		}
		if later == nil {
			delete(w.due, m)
		} else {
			w.due[m] = later
		}
	}
}

// minutes are those up to last; which comes first makes no difference.
func minutes(due map[int64][]mesh.Identity, last int64) (list []int64) {
	for m := range due {
		if m <= last {
			list = append(list, m)
		}
	}
	return list
}

// set makes an identity's windows what a snapshot has.
func (w *windows) set(id mesh.Identity, list []Window) {
	for i, x := range list {
		m := w.newest
		if i < len(list)-1 {
			m = w.before
		}
		w.put(m, id, span{origin: w.origin(x.First.Origin), number: x.First.Number, fromMs: x.FromMs, toMs: x.ToMs, until: x.UntilMs})
	}
}
