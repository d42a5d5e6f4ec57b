package agreement

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	sharding "vedetta/node/identity"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// silence is a change of one panel with one event and so many steps.
func silence(customer, panel string, from, to decision.Silent, steps int) decision.Silence {
	qualifier := "new"
	if to == 0 {
		qualifier = "restore"
	}
	p := decision.Silence{Customer: customer, Panel: panel, From: from, To: to,
		Events: []decision.Event{{Standard: "VEDETTA", Code: "350", Qualifier: qualifier, Category: "communication"}}}
	for i := range steps {
		p.Plan = append(p.Plan, decision.Notification{Event: "0", Contact: "k1", Channel: "email", Address: "a1", Rule: "r1", Step: i, DueMs: start})
	}
	return p
}

func (m *machine) supervise(panels ...decision.Silence) decision.Supervise {
	return decision.Supervise{Fence: m.fence(sharding.Shard(panels[0].Panel)), RosterIndex: m.s.index, Panels: panels}
}

func TestRule30_VerdictAndPlanAreOneEntryAndItsPlaceIsTheEvent(t *testing.T) {
	m := founded(t)
	m.ok(m.supervise(silence("c1", "p1", 0, decision.SilentAll, 2)))
	at := m.s.tail.Origin
	said := m.said()
	v := said[len(said)-1].Verdict
	if v == nil || v.Entry != m.records[len(m.records)-1].Position() || !v.Entry.Origin.IsAgreement() {
		t.Fatalf("last record is %+v, want a verdict about its own place", said[len(said)-1])
	}
	event := decision.EventID(v.Entry, 0)
	equal(t, "event id", event, fmt.Sprintf("agreement.1.%d.0", m.s.tail.Number))
	for _, n := range v.Plan {
		o := m.s.open[n.ID]
		if n.Event != event || n.ID != decision.NotificationID(n) || o == nil || o.Verdict != m.s.tail.Number || o.Panel != "p1" {
			t.Fatalf("planned %+v, open %+v, want it under event %s", n, o, event)
		}
	}
	equal(t, "steps", len(v.Plan), 2)
	equal(t, "origin", v.Entry.Origin, at)
}

// Each panel of a command has its own place, also behind a plan that takes
// several records.
func TestRule30_EveryPanelOfACommandHasItsOwnPlace(t *testing.T) {
	m := founded(t)
	list := []decision.Silence{silence("c1", "p1", 0, decision.SilentAll, 1500)}
	for i := 0; len(list) < 4; i++ {
		if p := fmt.Sprint("q", i); sharding.Shard(p) == sharding.Shard("p1") {
			list = append(list, silence("c2", p, 0, decision.SilentAll, 1))
		}
	}
	m.ok(m.supervise(list...))
	first := map[string]mesh.Position{}
	steps := map[string]int{}
	for i, d := range m.said() {
		at := m.records[i].Position()
		if d.Verdict == nil {
			continue
		}
		if d.Part == 0 {
			first[d.Verdict.Panel] = at
		}
		if d.Verdict.Entry != first[d.Verdict.Panel] {
			t.Fatalf("record %s is about %s, want %s", at, d.Verdict.Entry, first[d.Verdict.Panel])
		}
		for _, n := range d.Verdict.Plan {
			steps[d.Verdict.Panel]++
			o := m.s.open[n.ID]
			if o == nil || o.Verdict != first[d.Verdict.Panel].Number || n.Event != decision.EventID(d.Verdict.Entry, 0) {
				t.Fatalf("step %+v is open as %+v", n, o)
			}
		}
	}
	equal(t, "panels", len(first), 4)
	equal(t, "steps of the long plan", steps["p1"], 1500)
}

func TestRule30_RaisedOnceAndRestoredOnce(t *testing.T) {
	m := founded(t)
	raise, restore := silence("c1", "p1", 0, decision.SilentAll, 1), silence("c1", "p1", decision.SilentAll, 0, 1)
	for _, step := range []struct {
		change decision.Silence
		taken  bool
	}{{restore, false}, {raise, true}, {raise, false}, {restore, true}, {restore, false}, {raise, true}} {
		n := len(m.records)
		r := m.ok(m.supervise(step.change))
		equal(t, "taken", r.Taken[0], step.taken)
		equal(t, "record", len(m.records) > n, step.taken)
	}
	equal(t, "since", m.s.silent[sharding.Shard("p1")]["p1"].SinceMs, m.s.clock)
	old := m.supervise(restore)
	m.assign(roubaix)
	m.no(ReasonOldEpoch, old)
}

func TestRule30_ANewerRosterLeavesOnlyItsOwnPanelOut(t *testing.T) {
	m := founded(t)
	a, b := "p1", ""
	for i := 0; b == ""; i++ { // another panel of the same shard
		if p := fmt.Sprint("q", i); sharding.Shard(p) == sharding.Shard(a) {
			b = p
		}
	}
	c := m.supervise(silence("c1", a, 0, decision.SilentAll, 1), silence("c2", b, 0, decision.SilentAll, 1))
	m.ok(decision.PutDocument{Customer: "c1", Revision: 2, Sealed: []byte("newer")})
	r := m.ok(c)
	equal(t, "the changed customer's", r.Taken[0], false)
	equal(t, "the other's", r.Taken[1], true)
}

func TestRule30_WhatContradictsItselfIsRefused(t *testing.T) {
	m := founded(t)
	good := func() decision.Silence { return silence("c1", "p1", 0, decision.SilentAll, 1) }
	for name, change := range map[string]func(*decision.Silence){
		"no change":         func(p *decision.Silence) { p.To = 0 },
		"unknown bit":       func(p *decision.Silence) { p.To = 1 << 7 },
		"an id of its own":  func(p *decision.Silence) { p.Plan[0].ID = "mine" },
		"claimed":           func(p *decision.Silence) { p.Plan[0].Claimed = true },
		"another event":     func(p *decision.Silence) { p.Plan[0].Event = "1" },
		"event by its name": func(p *decision.Silence) { p.Plan[0].Event = "agreement.1.1.0" },
		"another shard":     func(p *decision.Silence) { p.Panel = "p2" },
		"no panel":          func(p *decision.Silence) { p.Panel = "" },
	} {
		t.Run(name, func(t *testing.T) {
			p := good()
			change(&p)
			c := m.supervise(good())
			c.Panels = []decision.Silence{p}
			m.t = t
			m.no(ReasonBad, c)
		})
	}
	m.t = t
	c := m.supervise(good(), good())
	m.no(ReasonBad, c)
}

func TestRule30_SilenceOutlivesASnapshotAndNoErasure(t *testing.T) {
	m := founded(t)
	m.ok(m.supervise(silence("c1", "p1", 0, decision.SilentPrimary, 0)))
	m.pass(time.Minute)
	m.ok(m.supervise(silence("c1", "p1", decision.SilentPrimary, decision.SilentPrimary|decision.SilentAlternative|decision.SilentAll, 0)))
	b, err := m.s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Restore(m.mesh, b)
	if err != nil {
		t.Fatal(err)
	}
	got := s.silent[sharding.Shard("p1")]["p1"]
	equal(t, "after the snapshot", got, m.s.silent[sharding.Shard("p1")]["p1"])
	equal(t, "since", got.SinceMs, start)
	equal(t, "primary since", got.PrimaryMs, start)
	m.ok(decision.Destroy{Customer: "c1"})
	if b, err = m.s.Snapshot(); err != nil || bytes.Contains(b, []byte(`"p1"`)) {
		t.Fatalf("the erased customer's panel is in the snapshot, %v", err)
	}
}
