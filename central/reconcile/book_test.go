package reconcile_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vedetta/central/reconcile"
)

var start = time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC)

// script steps a book through one unit's life: what is found at which second.
func script(steps []step) (out []string) {
	b := reconcile.NewBook(reconcile.Bounds{Lag: 60 * time.Second}, 10, nil)
	var closed []reconcile.Case
	n := 0
	for _, s := range steps {
		for _, ch := range b.Step(start.Add(time.Duration(s.at)*time.Second), []reconcile.Unit{"u"}, s.found, closed, func() string { n++; return fmt.Sprint("case", n) }) {
			line := fmt.Sprintf("%d %s %s", s.at, ch.ID, ch.State)
			if ch.Gone {
				line = fmt.Sprintf("%d %s gone", s.at, ch.ID)
			} else if ch.Noted {
				line += "!"
			}
			out = append(out, line)
			closed = nil
			if ch.State == reconcile.Closed {
				closed = []reconcile.Case{ch.Case}
			}
		}
	}
	return out
}

type step struct {
	at    int
	found []reconcile.Finding
}

func TestBook(t *testing.T) {
	at := func(s int, f ...reconcile.Finding) step { return step{s, f} }
	miscounted := reconcile.Finding{Kind: reconcile.CopiesDiffer, Unit: "u", Place: "p"}
	behind := func(at, goal uint64) reconcile.Finding {
		return reconcile.Finding{Kind: reconcile.IngestBehind, Unit: "u", Place: "o", At: at, Goal: goal}
	}
	known := miscounted
	known.Kind, known.Since = reconcile.RosterDiffers, start.Add(-time.Hour)
	for _, c := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"at once", []step{at(0, miscounted), at(60, miscounted), at(120), at(180)}, "[0 case1 open! 60 case1 open 120 case1 closed!]"},
		{"back", []step{at(0, miscounted), at(60), at(120, miscounted), at(180)}, "[0 case1 open! 60 case1 closed! 120 case1 reopened! 180 case1 closed!]"},
		{"a lag that heals", []step{at(0, behind(1, 5)), at(59, behind(2, 9)), at(61)}, "[0 case1 watched 59 case1 watched 61 case1 gone]"},
		{"a lag that stands", []step{at(0, behind(1, 5)), at(60, behind(1, 9)), at(120)}, "[0 case1 watched 60 case1 open! 120 case1 closed!]"},
		{"a lag that moves", []step{at(0, behind(1, 5)), at(50, behind(5, 9)), at(100, behind(9, 20)), at(159, behind(12, 30))}, "[0 case1 watched 50 case1 watched 100 case1 watched 159 case1 watched]"},
		{"an open lag that moves", []step{at(0, behind(1, 5)), at(60, behind(1, 9)), at(120, behind(6, 11)), at(180, behind(6, 12)), at(240, behind(6, 12))},
			"[0 case1 watched 60 case1 open! 120 case1 closed! 180 case1 watched 240 case1 reopened!]"},
		{"since when is known", []step{at(0, known)}, "[0 case1 open!]"},
		{"watched again and gone", []step{at(0, known), at(1), at(2, reconcile.Finding{Kind: reconcile.RosterDiffers, Unit: "u", Place: "p"}), at(3)}, "[0 case1 open! 1 case1 closed! 2 case1 watched 3 case1 closed]"},
		{"found twice in one look", []step{at(0, miscounted, miscounted)}, "[0 case1 open!]"},
	} {
		if got := fmt.Sprint(script(c.steps)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// A full book takes no new case and still lets go of the old.
func TestBookIsBounded(t *testing.T) {
	b := reconcile.NewBook(reconcile.Bounds{}, 3, nil)
	n := 0
	find := func(places ...int) (list []reconcile.Finding) {
		for _, p := range places {
			list = append(list, reconcile.Finding{Kind: reconcile.CopiesDiffer, Unit: reconcile.Unit(fmt.Sprint(p)), Place: fmt.Sprint(p)})
		}
		return list
	}
	id := func() string { n++; return fmt.Sprint(n) }
	if ch := b.Step(start, []reconcile.Unit{"1", "2", "3", "4"}, find(1, 2, 3, 4), nil, id); len(ch) != 3 || !b.Full() {
		t.Errorf("%d changes, want 3", len(ch))
	}
	if ch := b.Step(start, []reconcile.Unit{"1", "4"}, find(4), nil, id); len(ch) != 1 || b.Full() {
		t.Errorf("%+v, want one closed: there was no room when the fourth was found", ch)
	}
	if ch := b.Step(start, []reconcile.Unit{"4"}, find(4), nil, id); len(ch) != 1 || len(b.Live()) != 3 {
		t.Errorf("%+v, want the fourth taken", ch)
	}
}

// Whatever comes: a case stands exactly while its difference is found, one case
// per kind and place, and time never runs backwards in it.
func TestBookLaw(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := reconcile.NewBook(reconcile.Bounds{Lag: 30 * time.Second}, 1000, nil)
		closed := map[string]reconcile.Case{}
		now, n := start, 0
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 40).Draw(rt, "seconds")) * time.Second)
			var examined []reconcile.Unit
			var found []reconcile.Finding
			want := map[string]bool{}
			for u := range 3 {
				if !rapid.Bool().Draw(rt, "examined") {
					continue
				}
				unit := reconcile.Unit(fmt.Sprint("u", u))
				examined = append(examined, unit)
				for _, k := range []reconcile.Kind{reconcile.CopiesDiffer, reconcile.DecisionMissing} {
					if rapid.Bool().Draw(rt, "found") {
						place := fmt.Sprint(u, k)
						want[place] = true
						found = append(found, reconcile.Finding{Kind: k, Unit: unit, Place: place})
					}
				}
			}
			var former []reconcile.Case
			for _, c := range closed {
				former = append(former, c)
			}
			for _, ch := range b.Step(now, examined, found, former, func() string { n++; return fmt.Sprint(n) }) {
				if ch.State == reconcile.Closed {
					closed[ch.Place] = ch.Case
				} else {
					if old, ok := closed[ch.Place]; ok && old.ID != ch.ID {
						rt.Fatalf("%s came back as %s", old.ID, ch.ID)
					}
					delete(closed, ch.Place)
				}
				if ch.Since.After(ch.Seen) || !ch.Opened.IsZero() && ch.Opened.After(ch.Seen) {
					rt.Fatalf("times of %+v", ch)
				}
			}
			live := map[string]bool{}
			for _, c := range b.Live() {
				if live[c.Place] || !c.Stands() {
					rt.Fatalf("%+v", b.Live())
				}
				live[c.Place] = true
			}
			for _, u := range examined {
				for _, k := range []reconcile.Kind{reconcile.CopiesDiffer, reconcile.DecisionMissing} {
					place := fmt.Sprint(string(u)[1:], k)
					if live[place] != want[place] {
						rt.Fatalf("%s: live %v, found %v", place, live[place], want[place])
					}
				}
			}
		}
	})
}
