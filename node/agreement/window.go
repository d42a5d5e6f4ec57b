package agreement

import (
	"maps"

	"vedetta/wire/mesh"
)

// Window is one event of an identity and how far its copies reach (rule 11).
// Times are corrected receive times, Unix milliseconds.
type Window struct {
	First   mesh.Position `json:"first"` // entry that was decided first: the event
	FromMs  int64         `json:"from"`
	ToMs    int64         `json:"to"`
	UntilMs int64         `json:"until"` // agreement's clock: dropped after it
}

// windows is an overlay over the state's: what one command makes of them.
// Decisions within it are tried one after the other.
type windows struct {
	s       *State
	changed map[mesh.Identity][]Window // by those that were accepted
	trial   map[mesh.Identity][]Window // by the one that is looked at
}

func (s *State) overlay(size int) *windows {
	return &windows{s: s, changed: make(map[mesh.Identity][]Window, size), trial: make(map[mesh.Identity][]Window, size)}
}

// accept keeps what was tried, refuse forgets it.
func (w *windows) accept() {
	maps.Copy(w.changed, w.trial)
	clear(w.trial)
}

func (w *windows) refuse() { clear(w.trial) }

func (w *windows) of(id mesh.Identity) []Window {
	if l, ok := w.trial[id]; ok {
		return l
	}
	if l, ok := w.changed[id]; ok {
		return append([]Window(nil), l...)
	}
	return append([]Window(nil), w.s.windows[id]...)
}

// within finds the newest event of an identity whose window reaches atMs.
func (w *windows) within(id mesh.Identity, atMs int64) (mesh.Position, bool) {
	l := w.of(id)
	for i := len(l) - 1; i >= 0; i-- {
		if atMs >= l[i].FromMs-WindowMs && atMs <= l[i].ToMs+WindowMs {
			return l[i].First, true
		}
	}
	return mesh.Position{}, false
}

// event opens a window; of three the oldest is dropped.
func (w *windows) event(id mesh.Identity, first mesh.Position, atMs int64) {
	l := append(w.of(id), Window{First: first, FromMs: atMs, ToMs: atMs, UntilMs: w.until(atMs)})
	w.trial[id] = l[max(0, len(l)-2):]
}

// copy extends the window of the event it repeats.
func (w *windows) copy(id mesh.Identity, of mesh.Position, atMs int64) {
	l := w.of(id)
	for i := range l {
		if l[i].First == of {
			l[i].FromMs, l[i].ToMs = min(l[i].FromMs, atMs), max(l[i].ToMs, atMs)
			l[i].UntilMs = max(l[i].UntilMs, w.until(l[i].ToMs))
		}
	}
	w.trial[id] = l
}

// until counts from the decision for what is decided late, from the receive
// time for what the origin's clock puts ahead of ours.
func (w *windows) until(atMs int64) int64 {
	return max(w.s.clock, min(atMs, w.s.clock+hour)) + WindowMs + windowSlack
}

// keep makes what was accepted the state's.
func (w *windows) keep() {
	for id, l := range w.changed {
		if len(l) > 0 {
			w.s.windows[id] = l
		}
	}
}

// dropWindows drops what no copy can meet any more.
func (s *State) dropWindows() {
	maps.DeleteFunc(s.windows, func(_ mesh.Identity, l []Window) bool {
		for _, w := range l {
			if w.UntilMs >= s.clock {
				return false
			}
		}
		return true
	})
}
