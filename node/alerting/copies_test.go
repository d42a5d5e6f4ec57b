package alerting

import (
	"testing"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func at(node string, n uint64) mesh.Position {
	return mesh.Position{Origin: mesh.Origin{Node: node, Incarnation: 1, Random: 7}, Number: n}
}

type got struct {
	name     string
	at       mesh.Position
	identity byte
	sequence int
	after    time.Duration // after start, corrected receive time
	want     string        // "event", "fresh", or "copy of" and the name
	window   time.Duration // of the panel's setting, 0: the usual
}

func (g got) entry() Entry {
	return Entry{Position: g.at, Identity: mesh.Identity{g.identity}, Panel: "pan", Sequence: g.sequence, Received: start.Add(g.after), Window: g.window}
}

// play judges in the order given and notes each decision.
func play(t *testing.T, c *Copies, script []got) {
	t.Helper()
	places := map[string]mesh.Position{}
	names := map[mesh.Position]string{}
	for _, g := range script {
		places[g.name], names[g.at] = g.at, g.name
	}
	for _, g := range script {
		e := g.entry()
		j := c.Judge(e, nil)
		said := "event"
		if j.Fresh {
			said = "fresh"
		}
		event := e.Position
		if !j.CopyOf.IsZero() {
			said, event = "copy of "+names[j.CopyOf], j.CopyOf
		}
		if said != g.want {
			t.Errorf("%s: %s, want %s", g.name, said, g.want)
		}
		c.Note(e, event)
		c.Note(e, event) // repeated notes change nothing
	}
}

// A panel may have a window of its own, narrower or wider than the usual.
func TestRule11_a_panel_with_its_own_window(t *testing.T) {
	const narrow, wide = 90 * time.Second, time.Hour
	play(t, NewCopies(), []got{
		{"first", at("arezzo", 1), 'a', 7, 0, "event", narrow},
		{"repeated", at("roubaix", 1), 'a', 7, 89 * time.Second, "copy of first", narrow},
		{"again", at("arezzo", 2), 'a', 7, 180 * time.Second, "fresh", narrow}, // the agreement's guard is told
		{"much later", at("arezzo", 3), 'a', 7, 20 * time.Minute, "event", narrow},
	})
	play(t, NewCopies(), []got{
		{"first", at("arezzo", 1), 'a', 7, 0, "event", wide},
		{"repeated", at("roubaix", 1), 'a', 7, 59 * time.Minute, "copy of first", wide},
		{"again", at("arezzo", 2), 'a', 7, 2 * time.Hour, "event", wide},
	})
	play(t, NewCopies(), []got{ // a standing sequence is narrower yet
		{"first", at("arezzo", 1), 'a', 0, 0, "event", 20 * time.Second},
		{"repeated", at("roubaix", 1), 'a', 0, 19 * time.Second, "copy of first", 20 * time.Second},
		{"again", at("arezzo", 2), 'a', 0, 45 * time.Second, "fresh", 20 * time.Second},
	})
}

func TestRule10_identity_only_finds_copies(t *testing.T) {
	const week = 7 * 24 * time.Hour
	play(t, NewCopies(), []got{
		{"test", at("arezzo", 1), 'a', 1, 0, "event", 0},
		{"next day", at("arezzo", 2), 'a', 1, 24 * time.Hour, "event", 0},
		{"a week later", at("arezzo", 3), 'a', 1, week, "event", 0},
		{"its copy", at("roubaix", 9), 'a', 1, week + time.Minute, "copy of a week later", 0},
	})
}

func TestRule11_windows(t *testing.T) {
	const day = 24 * time.Hour
	for name, script := range map[string][]got{
		"lost ACK, repeated at another node": {
			{"alarm", at("arezzo", 1), 'a', 17, 0, "event", 0},
			{"repeat", at("roubaix", 5), 'a', 17, 20 * time.Second, "copy of alarm", 0},
		},
		"the repeat is decided first": {
			{"repeat", at("roubaix", 5), 'a', 17, 20 * time.Second, "event", 0},
			{"alarm", at("arezzo", 1), 'a', 17, 0, "copy of repeat", 0},
		},
		"each copy extends the window": {
			{"alarm", at("arezzo", 1), 'a', 17, 0, "event", 0},
			{"nine", at("arezzo", 2), 'a', 17, 9 * time.Minute, "copy of alarm", 0},
			{"eighteen", at("arezzo", 3), 'a', 17, 18 * time.Minute, "copy of alarm", 0},
			{"edge", at("arezzo", 4), 'a', 17, 28 * time.Minute, "copy of alarm", 0},
			{"beyond", at("arezzo", 5), 'a', 17, 38*time.Minute + time.Millisecond, "event", 0},
		},
		"a copy comes back with its node a day later": {
			{"alarm", at("roubaix", 1), 'a', 17, 0, "event", 0},
			{"tomorrow", at("roubaix", 2), 'a', 17, day, "event", 0},
			{"late", at("arezzo", 1), 'a', 17, -5 * time.Second, "copy of alarm", 0},
			{"late tomorrow", at("arezzo", 2), 'a', 17, day - time.Second, "copy of tomorrow", 0},
		},
		"between two events": {
			{"first", at("roubaix", 1), 'a', 17, 0, "event", 0},
			{"second", at("roubaix", 2), 'a', 17, 18 * time.Minute, "event", 0},
			{"late", at("arezzo", 1), 'a', 17, 9 * time.Minute, "copy of first", 0},
			{"late, nearer the second", at("arezzo", 2), 'a', 17, 10 * time.Minute, "copy of first", 0},
			{"late, within the second's", at("arezzo", 3), 'a', 17, 25 * time.Minute, "copy of second", 0},
		},
	} {
		t.Run(name, func(t *testing.T) { play(t, NewCopies(), script) })
	}
}

func TestRule12_standing_sequences(t *testing.T) {
	for name, script := range map[string][]got{
		"panic, restore, panic with sequence 0000 within five minutes": {
			{"panic", at("arezzo", 1), 'p', 0, 0, "event", 0},
			{"restore", at("arezzo", 2), 'r', 0, 20 * time.Second, "event", 0},
			{"panic again", at("arezzo", 3), 'p', 0, 40 * time.Second, "fresh", 0},
			{"its copy", at("roubaix", 1), 'p', 0, 50 * time.Second, "copy of panic again", 0},
			{"restore again", at("arezzo", 4), 'r', 0, 4 * time.Minute, "fresh", 0},
		},
		"sixty seconds": {
			{"panic", at("arezzo", 1), 'p', 0, 0, "event", 0},
			{"within", at("arezzo", 2), 'p', 0, time.Minute, "copy of panic", 0},
			{"beyond", at("arezzo", 3), 'p', 0, 2*time.Minute + time.Millisecond, "fresh", 0},
		},
		"a sequence other than 0000 that stands still": {
			{"arm", at("arezzo", 1), 'o', 7, -time.Hour, "event", 0},
			{"panic", at("arezzo", 2), 'p', 7, 0, "event", 0},
			{"restore", at("arezzo", 3), 'r', 7, 20 * time.Second, "event", 0},
			{"panic again", at("arezzo", 4), 'p', 7, 40 * time.Second, "fresh", 0},
		},
		"a sequence that advances": {
			{"panic", at("arezzo", 1), 'p', 7, 0, "event", 0},
			{"restore", at("arezzo", 2), 'r', 8, 20 * time.Second, "event", 0},
			{"panic repeated", at("roubaix", 1), 'p', 7, 40 * time.Second, "copy of panic", 0},
		},
		"late copy of the first of two": {
			{"panic", at("arezzo", 1), 'p', 0, 0, "event", 0},
			{"restore", at("arezzo", 2), 'r', 0, 100 * time.Second, "event", 0},
			{"panic again", at("arezzo", 3), 'p', 0, 200 * time.Second, "fresh", 0},
			{"late", at("roubaix", 1), 'p', 0, 10 * time.Second, "copy of panic", 0},
			{"later", at("roubaix", 2), 'p', 0, 190 * time.Second, "copy of panic again", 0},
		},
	} {
		t.Run(name, func(t *testing.T) { play(t, NewCopies(), script) })
	}
}

func TestRule12_polls_lie_between_nothing(t *testing.T) {
	c := NewCopies()
	first := got{at: at("arezzo", 1), identity: 'p', sequence: 0}.entry()
	c.Note(first, first.Position)
	poll := got{at: at("arezzo", 2), identity: 'n', sequence: 0, after: 10 * time.Second}.entry()
	poll.Poll = true
	c.Note(poll, poll.Position)
	again := got{at: at("roubaix", 1), identity: 'p', sequence: 0, after: 20 * time.Second}.entry()
	if j := c.Judge(again, nil); j.CopyOf != first.Position {
		t.Errorf("judged %+v, want a copy of %s", j, first.Position)
	}
}

func TestRule11_pending_decisions_count(t *testing.T) {
	decided, pending := NewCopies(), NewCopies()
	first := got{at: at("arezzo", 1), identity: 'a', sequence: 3}.entry()
	pending.Note(first, first.Position)
	copyOf := got{at: at("roubaix", 1), identity: 'a', sequence: 3, after: time.Second}.entry()
	if j := decided.Judge(copyOf, pending); j.CopyOf != first.Position {
		t.Errorf("judged %+v, want a copy of %s", j, first.Position)
	}
}

func TestRule31_yesterdays_key(t *testing.T) {
	c := NewCopies()
	first := got{at: at("arezzo", 1), identity: 'y', sequence: 3}.entry()
	first.Panel = ""
	c.Note(first, first.Position)
	after := Entry{Position: at("arezzo", 2), Identity: mesh.Identity{'t'}, Before: mesh.Identity{'y'}, Sequence: 3, Received: start.Add(time.Minute)}
	if j := c.Judge(after, nil); j.CopyOf != first.Position {
		t.Errorf("judged %+v, want a copy of %s", j, first.Position)
	}
}

func TestRule16_index_is_made_of_decisions(t *testing.T) {
	direct, derived := NewCopies(), NewCopies()
	var verdicts []decision.Verdict
	for _, g := range []got{
		{"panic", at("arezzo", 1), 'p', 0, 0, "", 0},
		{"restore", at("arezzo", 2), 'r', 0, 20 * time.Second, "", 0},
		{"panic", at("arezzo", 3), 'p', 0, 40 * time.Second, "", 0},
		{"copy", at("roubaix", 1), 'p', 0, 45 * time.Second, "", 0},
	} {
		e := g.entry()
		j := direct.Judge(e, nil)
		v := decision.Verdict{Entry: e.Position, Panel: e.Panel, Identity: e.Identity[:], ReceivedMs: e.Received.UnixMilli(),
			Sequence: e.Sequence, Ruling: decision.RulingEvents, Events: []decision.Event{{}}, Fresh: j.Fresh}
		event := e.Position
		if !j.CopyOf.IsZero() {
			v.Ruling, v.CopyOf, v.Events, event = decision.RulingCopy, j.CopyOf, nil, j.CopyOf
		}
		direct.Note(e, event)
		verdicts = append(verdicts, v)
	}
	for i := range verdicts { // in reverse: the order of decisions makes no difference
		derived.NoteVerdict(verdicts[len(verdicts)-1-i])
	}
	for s := -700; s < 1400; s += 7 {
		for _, id := range []byte{'p', 'r'} {
			e := got{at: at("limburg", 1), identity: id, after: time.Duration(s) * time.Second}.entry()
			if a, b := direct.Judge(e, nil), derived.Judge(e, nil); a != b {
				t.Errorf("%c at %d s: %+v from decisions, want %+v", id, s, b, a)
			}
		}
	}
}

func TestRule03_forget(t *testing.T) {
	c := NewCopies()
	old, young := got{at: at("arezzo", 1), identity: 'a'}.entry(), got{at: at("arezzo", 2), identity: 'b', after: 48 * time.Hour}.entry()
	c.Note(old, old.Position)
	c.Note(young, young.Position)
	c.Forget(start.Add(24 * time.Hour))
	if n := len(c.windows) + len(c.once); n != 1 || len(c.panels["pan"]) != 1 {
		t.Errorf("%d identities and %d messages kept, want 1 and 1", n, len(c.panels["pan"]))
	}
}
