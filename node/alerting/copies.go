package alerting

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// Windows of rules 11 and 12, by corrected receive time.
const (
	Window         = 10 * time.Minute // two entries of one identity are one event
	StandingWindow = 60 * time.Second // while the panel's sequence does not advance
)

// keptTimes bounds the receive times kept of one event's copies; what is
// dropped lies between others.
const keptTimes = 64

// Entry is what Judge and Note look at.
type Entry struct {
	Position mesh.Position
	Identity mesh.Identity
	Before   mesh.Identity // under yesterday's key or the former rule, zero: none (rules 13, 31)
	Panel    string        // roster id, empty: unknown account
	Sequence int           // 0 to 9999
	Received time.Time     // corrected by the origin's offset
	Poll     bool          // reports nothing: lies between no two messages
	Window   time.Duration // of its panel's setting; 0: Window
}

// window is within what time the entry is a copy.
func (e Entry) window() time.Duration {
	if e.Window > 0 {
		return e.Window
	}
	return Window
}

// Judgement says what an entry is.
type Judgement struct {
	CopyOf mesh.Position // the event's entry; zero: an event of its own
	Fresh  bool          // an event, though its identity lies within a window (rule 12)
}

// Copies is the index identity -> receive times and event, for the whole
// retention, made of decisions in any order (rule 11). Notes may be repeated.
// It is safe for use by several goroutines; nothing waits while it is locked.
type Copies struct {
	mu      sync.Mutex
	once    map[mesh.Identity]once // of one event that came once: nearly all
	windows map[mesh.Identity][]window
	panels  map[string][]message // ordered by time
	origins []mesh.Origin
	numbers map[mesh.Origin]uint32 // in origins
}

// once is a window of one time. It holds no pointers, so that the whole
// retention of them costs the collector of garbage nothing.
type once struct {
	number uint64
	at     int64 // Unix ms
	origin uint32
}

// window is one event and the times of all its entries, ordered, in Unix ms.
type window struct {
	event mesh.Position
	times []int64
}

// message is what rule 12 needs to know of a panel's past.
type message struct {
	at       int64 // Unix ms
	identity mesh.Identity
	sequence int
}

// NewCopies makes an empty index.
func NewCopies() *Copies {
	return &Copies{once: make(map[mesh.Identity]once), windows: make(map[mesh.Identity][]window), panels: make(map[string][]message), numbers: make(map[mesh.Origin]uint32)}
}

func (c *Copies) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.once)
	clear(c.windows)
	clear(c.panels)
	clear(c.numbers)
	c.origins = c.origins[:0]
}

// Judge says whether e repeats an event that was noted, in c or in pending:
// entries judged before it that are not decided yet, in any order (nil: none).
func (c *Copies) Judge(e Entry, pending *Copies) Judgement {
	at := e.Received.UnixMilli()
	best, distance := window{}, int64(-1)
	for _, x := range []*Copies{c, pending} {
		if x == nil {
			continue
		}
		x.mu.Lock()
		for _, id := range e.identities() {
			for _, w := range x.of(id) {
				if w.event == e.Position {
					continue // noted before: the same answer again
				}
				if d := w.distance(at); distance < 0 || d < distance || d == distance && w.times[0] < best.times[0] {
					best, distance = window{w.event, slices.Clone(w.times)}, d
				}
			}
		}
		x.mu.Unlock()
	}
	if distance < 0 || distance > e.window().Milliseconds() {
		// Within the usual window the agreement would take it for a copy: it is told.
		return Judgement{Fresh: distance >= 0 && distance <= Window.Milliseconds()}
	}
	if e.Panel == "" || !c.standing(e, at, pending) {
		return Judgement{CopyOf: best.event}
	}
	if c.unbroken(e, at, best, pending) {
		return Judgement{CopyOf: best.event}
	}
	return Judgement{Fresh: true}
}

// standing tells whether the panel's sequence did not advance: 0000, or the
// same as in its previous different message.
func (c *Copies) standing(e Entry, at int64, pending *Copies) bool {
	if e.Sequence == 0 {
		return true
	}
	last, found := message{}, false
	c.past(e, pending, func(m message) {
		if m.at <= at && (!found || m.at >= last.at) {
			last, found = m, true
		}
	})
	return found && last.sequence == e.Sequence
}

// unbroken tells whether an entry of w lies within StandingWindow of at, with no
// other message of the panel between.
func (c *Copies) unbroken(e Entry, at int64, w window, pending *Copies) bool {
	for _, t := range w.times {
		if abs(t-at) > min(StandingWindow, e.window()).Milliseconds() {
			continue
		}
		lo, hi := min(t, at), max(t, at)
		clear := true
		c.past(e, pending, func(m message) {
			if m.at > lo && m.at < hi {
				clear = false
			}
		})
		if clear {
			return true
		}
	}
	return false
}

// past calls fn for the panel's other messages.
func (c *Copies) past(e Entry, pending *Copies, fn func(message)) {
	for _, x := range []*Copies{c, pending} {
		if x == nil {
			continue
		}
		x.mu.Lock()
		for _, m := range x.panels[e.Panel] {
			if !slices.Contains(e.identities(), m.identity) {
				fn(m)
			}
		}
		x.mu.Unlock()
	}
}

// Note takes over what was judged or decided: event is e's own position, or
// the position of the event that it is a copy of.
func (c *Copies) Note(e Entry, event mesh.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(&e, event)
}

func (c *Copies) note(e *Entry, event mesh.Position) {
	at := e.Received.UnixMilli()
	if e.Identity != (mesh.Identity{}) {
		c.noteWindow(e.Identity, event, at)
	}
	if e.Panel == "" || e.Poll {
		return
	}
	m := message{at: at, identity: e.Identity, sequence: e.Sequence}
	past := c.panels[e.Panel]
	i, _ := slices.BinarySearchFunc(past, at, func(m message, at int64) int { return cmp.Compare(m.at, at) })
	for j := i; j < len(past) && past[j].at == at; j++ {
		if past[j] == m {
			return
		}
	}
	c.panels[e.Panel] = slices.Insert(past, i, m)
}

// of are an identity's windows. c.mu is held.
func (c *Copies) of(id mesh.Identity) []window {
	if o, ok := c.once[id]; ok {
		return []window{{event: mesh.Position{Origin: c.origins[o.origin], Number: o.number}, times: []int64{o.at}}}
	}
	return c.windows[id]
}

func (c *Copies) noteWindow(id mesh.Identity, event mesh.Position, at int64) {
	o, had := c.once[id]
	ws := c.windows[id]
	switch {
	case !had && len(ws) == 0:
		n, ok := c.numbers[event.Origin]
		if !ok {
			n = uint32(len(c.origins))
			c.origins, c.numbers[event.Origin] = append(c.origins, event.Origin), n
		}
		c.once[id] = once{number: event.Number, at: at, origin: n}
		return
	case had && o.at == at && o.number == event.Number && c.origins[o.origin] == event.Origin:
		return
	case had:
		ws = c.of(id)
		delete(c.once, id)
		c.windows[id] = ws
	}
	for i := range ws {
		if ws[i].event != event {
			continue
		}
		j, had := slices.BinarySearch(ws[i].times, at)
		if had {
			return
		}
		ws[i].times = slices.Insert(ws[i].times, j, at)
		if len(ws[i].times) > keptTimes {
			ws[i].times = slices.Delete(ws[i].times, 1, 2)
		}
		return
	}
	c.windows[id] = append(ws, window{event: event, times: []int64{at}})
}

// NoteVerdict takes over a decision of the agreement. One about an event of its
// own is no message: it lies between none.
func (c *Copies) NoteVerdict(v decision.Verdict) { c.NoteVerdicts([]decision.Verdict{v}) }

// NoteVerdicts is NoteVerdict of many.
func (c *Copies) NoteVerdicts(list []decision.Verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range list {
		v := &list[i]
		if v.Entry.Origin.IsAgreement() || v.Ruling == decision.RulingErased {
			continue
		}
		e := Entry{Position: v.Entry, Panel: v.Panel, Sequence: v.Sequence, Received: time.UnixMilli(v.ReceivedMs),
			Poll: v.Ruling == decision.RulingEvents && len(v.Events) == 0}
		copy(e.Identity[:], v.Identity)
		event := v.Entry
		if v.Ruling == decision.RulingCopy {
			event = v.CopyOf
		}
		c.note(&e, event)
	}
}

// Forget drops what was last received before the floor (rule 3).
func (c *Copies) Forget(floor time.Time) {
	ms := floor.UnixMilli()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, o := range c.once {
		if o.at < ms {
			delete(c.once, id)
		}
	}
	for id, ws := range c.windows {
		ws = slices.DeleteFunc(ws, func(w window) bool { return w.times[len(w.times)-1] < ms })
		if len(ws) == 0 {
			delete(c.windows, id)
		} else {
			c.windows[id] = ws
		}
	}
	for panel, past := range c.panels {
		i, _ := slices.BinarySearchFunc(past, ms, func(m message, at int64) int { return cmp.Compare(m.at, at) })
		if i == len(past) {
			delete(c.panels, panel)
		} else if i > 0 {
			c.panels[panel] = slices.Clone(past[i:])
		}
	}
}

// distance from at to the nearest time of the window, 0 when it lies between.
func (w window) distance(at int64) int64 {
	first, last := w.times[0], w.times[len(w.times)-1]
	switch {
	case at < first:
		return first - at
	case at > last:
		return at - last
	}
	return 0
}

func (e Entry) identities() []mesh.Identity {
	if e.Before != (mesh.Identity{}) {
		return []mesh.Identity{e.Identity, e.Before}
	}
	return []mesh.Identity{e.Identity}
}

func abs(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}
