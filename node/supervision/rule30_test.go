package supervision

import (
	"testing"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/roster"
)

const (
	interval = 60 * time.Second
	grace    = 30 * time.Second
	slack    = 5 * time.Second // digests and the judge's own second
)

var sites = []string{"arezzo", "limburg", "roubaix"}

func single(id string) Panel { return Panel{ID: id, Customer: "c", Within: interval + grace} }

// mesh is a world with panels that poll: at has the node of each, "" for none.
func polled(t *testing.T, at map[string]string) (*world, func()) {
	w := newWorld(t, sites...)
	var polls []func()
	for id := range at {
		w.put(single(id))
		polls = append(polls, w.every(interval, func() {
			if n := at[id]; n != "" {
				w.poll(n, id, Primary)
			}
		}))
	}
	return w, func() {
		for _, p := range polls {
			p()
		}
	}
}

func TestRule30_ACutPanelIsRaisedOnceAndRestoredOnce(t *testing.T) {
	at := map[string]string{"cut": "roubaix", "good": "roubaix"}
	w, polls := polled(t, at)
	w.pass(5*time.Minute, polls)
	w.wantNothing("both poll")
	last := w.now.Add(-interval) // it has polled at the full minute before
	at["cut"] = ""
	w.pass(10*time.Minute, polls)
	w.wantRaised("cut", decision.SilentAll, last.Add(interval-100*time.Millisecond), grace, interval+grace+slack)
	at["cut"] = "limburg"
	w.pass(5*time.Minute, polls)
	l := w.of("cut")
	if len(l) != 2 || l[1].To != 0 || l[1].From != decision.SilentAll || len(w.of("good")) != 0 {
		t.Fatalf("%s, want one restoral of the panel that is back", w.story())
	}
}

func TestRule30_ASiteDownForGood(t *testing.T) {
	at := map[string]string{"cut": "limburg", "moves": "roubaix", "good": "limburg", "only": "roubaix"}
	w, polls := polled(t, at)
	w.pass(5*time.Minute, polls)
	w.stop("roubaix")
	down := w.now
	at["moves"], at["only"] = "limburg", "" // it has no other address
	w.pass(3*time.Minute, polls)
	w.wantRaised("only", decision.SilentAll, down, interval+grace-time.Second, interval+grace+slack)
	w.said = nil
	w.pass(10*time.Second, polls)
	at["cut"] = ""
	cut := w.now
	w.pass(5*time.Minute, polls)
	w.wantRaised("cut", decision.SilentAll, cut, grace-slack, interval+grace+slack)
}

// The site that is silent is left out, no sooner than it has stopped acknowledging.
func TestRule30_NobodyIsJudgedWhileASilentSiteMayAcknowledge(t *testing.T) {
	at := map[string]string{"p": "arezzo"}
	w, polls := polled(t, at)
	w.pass(5*time.Minute, polls)
	at["p"] = ""
	w.pass(interval+grace-10*time.Second-interval, polls) // it polled at the start of the minute
	for _, o := range []string{"arezzo", "limburg"} {
		w.cut[link("roubaix", o)] = true
	}
	gone := w.now
	w.pass(5*time.Minute, polls)
	w.wantRaised("p", decision.SilentAll, gone, LeaveOut, LeaveOut+interval+slack)
}

func TestRule30_WithoutAMajorityNobodyIsJudged(t *testing.T) {
	at := map[string]string{"p": "arezzo"}
	w, polls := polled(t, at)
	w.pass(2*time.Minute, polls)
	w.stop("limburg")
	w.stop("roubaix")
	at["p"] = ""
	w.pass(30*time.Minute, polls)
	w.wantNothing("one site of three reports")
}

func TestRule30_ANewJudgeKnowsWhatTheOthersKnow(t *testing.T) {
	at := map[string]string{"good": "arezzo", "cut": "limburg"}
	w, polls := polled(t, at)
	w.pass(5*time.Minute, polls)
	at["cut"] = ""
	cut := w.now
	w.pass(20*time.Second, polls)
	w.lead("roubaix")
	w.stop("roubaix") // the judge restarts
	w.pass(5*time.Second, polls)
	w.start("roubaix")
	w.pass(5*time.Minute, polls)
	w.wantRaised("cut", decision.SilentAll, cut, grace-slack, interval+grace+slack)
}

// A judge that starts may be told before it has its roster.
func TestRule30_WhatIsToldBeforeTheRosterIsKept(t *testing.T) {
	at := map[string]string{"cut": "limburg", "good": "limburg"}
	w, polls := polled(t, at)
	w.pass(2*time.Minute, polls)
	at["cut"] = ""
	cut := w.now
	w.stop("roubaix")
	w.pass(5*time.Second, polls)
	panels := w.panels
	w.panels = nil
	w.start("roubaix")
	w.lead("roubaix")
	w.pass(5*time.Second, polls)
	for _, p := range panels {
		w.put(p)
	}
	w.pass(3*time.Minute, polls)
	w.wantRaised("cut", decision.SilentAll, cut, grace-slack, interval+grace+slack)
}

func TestRule30_AllNodesRestarted(t *testing.T) {
	at := map[string]string{"good": "limburg", "slow": "roubaix", "cut": "arezzo"}
	w, polls := polled(t, at)
	w.pass(2*time.Minute+interval-5*time.Second, polls)
	for _, n := range sites {
		w.stop(n)
	}
	w.pass(20*time.Second, polls) // the polls of this time go unanswered
	for _, n := range sites {
		w.start(n)
	}
	again := w.now
	at["cut"] = ""
	w.pass(interval+grace-2*time.Second, polls)
	w.wantNothing("what nobody knows is counted from the start")
	w.pass(5*time.Minute, polls)
	w.wantRaised("cut", decision.SilentAll, again, interval+grace-time.Second, interval+grace+slack)
}

// A panel that is entered days before it is mounted: its first message begins its
// interval and grace, and until then it has a day. A node that restarts meanwhile
// doesn't take it for one that was forgotten.
func TestRule30_ANewPanelHasADayToBeHeard(t *testing.T) {
	w := newWorld(t, sites...)
	w.pass(time.Hour, nil)
	w.put(single("late"))
	w.put(single("none"))
	w.put(Panel{ID: "dual", Customer: "c", Within: interval + grace, Alternative: interval + grace})
	entered := w.now
	w.pass(time.Hour, nil)
	w.stop("arezzo") // it judges
	w.pass(5*time.Second, nil)
	w.start("arezzo")
	restarted := w.now
	w.pass(20*time.Hour, nil)
	w.wantNothing("nobody has heard them yet")
	for i, n := range []string{"arezzo", "limburg"} { // heard by the judge, and by another
		w.said = nil
		at := w.now
		w.poll(n, []string{"late", "dual"}[i], Primary)
		w.pass(interval+grace-time.Second, nil)
		w.wantNothing("it was just heard")
		w.pass(slack, nil)
		bits := []decision.Silent{decision.SilentAll, decision.SilentPrimary | decision.SilentAlternative | decision.SilentAll}[i]
		w.wantRaised([]string{"late", "dual"}[i], bits, at, interval+grace, interval+grace+slack)
	}
	w.said = nil
	w.pass(24*time.Hour, nil)
	w.wantRaised("none", decision.SilentNever, restarted, patience, patience+slack)
	if w.of("none")[0].at.Before(entered.Add(patience)) || w.of("none")[0].Counted >= 0 {
		t.Fatalf("%s, want it told a day after it was entered, as never heard", w.story())
	}
}

// A message that was held until its panel was entered: the panel was heard, all
// nodes know when, and it is counted from when it was entered.
func TestRule30_AnAdoptedPanelWasHeard(t *testing.T) {
	w := newWorld(t, sites...)
	w.pass(time.Hour, nil)
	held := w.now.Add(-20 * time.Minute)
	w.put(single("p"))
	entered := w.now
	w.pass(time.Second, nil)
	w.cores["limburg"].Heard(held, "p", Primary) // arezzo judges
	w.pass(5*time.Second, nil)
	for _, n := range sites {
		if seen, _ := w.cores[n].Look(w.now, "p"); (seen.Heard[Primary] - w.now.Sub(held)).Abs() > time.Minute {
			t.Errorf("%s says it was heard %s ago, want %s", n, seen.Heard[Primary], w.now.Sub(held))
		}
	}
	w.pass(5*time.Minute, nil)
	w.wantRaised("p", decision.SilentAll, entered, interval+grace, interval+grace+slack)
}

// A judge that starts while a site is down waits for that site for a while, and
// knows nothing newer: that restores nobody.
func TestRule30_ANewJudgeRestoresNobody(t *testing.T) {
	at := map[string]string{"p": "roubaix"}
	w, polls := polled(t, at)
	w.pass(5*time.Minute, polls)
	w.stop("roubaix")
	at["p"] = ""
	w.pass(3*time.Minute, polls)
	w.stop("limburg")
	w.pass(5*time.Second, polls)
	w.start("limburg")
	w.lead("limburg")
	w.pass(3*time.Minute, polls)
	if l := w.of("p"); len(l) != 1 {
		t.Fatalf("%s, want it raised once and never restored", w.story())
	}
}

// A restart of the site that a panel reports to swallows polls: it is given its
// whole time again, and no more than that.
func TestRule30_OurOwnOutageIsDiscounted(t *testing.T) {
	at := map[string]string{"p": "roubaix", "cut": "roubaix"}
	w, polls := polled(t, at)
	w.pass(2*time.Minute+interval-time.Second, polls)
	at["cut"] = ""
	w.ready["roubaix"] = false // draining; it goes on reporting
	w.pass(8*time.Second, polls)
	w.stop("roubaix")
	w.pass(30*time.Second, polls) // p's poll is lost
	w.start("roubaix")
	back := w.now
	w.pass(4*time.Minute, polls)
	w.wantRaised("cut", decision.SilentAll, back, interval+grace-time.Second, interval+grace+slack)
}

// What was raised is restored by a message, not by an outage of ours.
func TestRule30_AnOutageRestoresNobody(t *testing.T) {
	at := map[string]string{"p": "arezzo"}
	w, polls := polled(t, at)
	w.pass(2*time.Minute, polls)
	at["p"] = ""
	w.pass(5*time.Minute, polls)
	for _, n := range sites {
		w.ready[n] = false
	}
	w.pass(10*time.Second, polls)
	for _, n := range sites {
		w.ready[n] = true
	}
	w.pass(5*time.Minute, polls)
	if l := w.of("p"); len(l) != 1 {
		t.Fatalf("%s, want it raised once and never restored", w.story())
	}
}

// A site that comes and goes puts a verdict off, but not for ever.
func TestRule30_AFlappingSiteBlindsNobody(t *testing.T) {
	at := map[string]string{"cut": "roubaix"}
	w, polls := polled(t, at)
	w.pass(2*time.Minute, polls)
	at["cut"] = ""
	cut := w.now
	flap := w.every(20*time.Second, func() { w.ready["roubaix"] = !w.ready["roubaix"] })
	w.pass(10*time.Minute, func() { polls(); flap() })
	w.wantRaised("cut", decision.SilentAll, cut, interval+grace, 3*(interval+grace)+slack)
}

// One silence after the other, at any distance: each is told in time, also when
// the panel was back for a few seconds only, and after an outage of ours.
func TestRule30_TheNextSilenceIsToldInTimeToo(t *testing.T) {
	const poll, within = 5 * time.Second, 10 * time.Second
	for _, outage := range []time.Duration{0, 3 * time.Second, 93 * time.Second} {
		for back := 15 * time.Second; back <= 75*time.Second; back += 12 * time.Second {
			w := newWorld(t, sites...)
			w.put(Panel{ID: "p", Customer: "c", Within: within})
			cut, last := false, w.now
			polls := w.every(poll, func() {
				if !cut && w.poll("roubaix", "p", Primary) {
					last = w.now
				}
			})
			w.pass(30*time.Second, polls)
			if outage > 0 {
				for _, n := range sites {
					w.stop(n)
				}
				w.pass(outage, polls)
				for _, n := range sites {
					w.start(n)
				}
			}
			for round := range 8 {
				cut = false
				w.pass(back, polls)
				if w.known["p"].Silent != 0 {
					t.Fatalf("outage %s, back for %s, round %d: %s, want it restored", outage, back, round, w.story())
				}
				cut, w.said = true, nil
				w.pass(within+poll, polls)
				w.wantRaised("p", decision.SilentAll, last, within, within+slack)
			}
		}
	}
}

// Two nodes that can't reach each other learn through the third.
func TestRule30_AThirdSitePassesOnWhatItKnows(t *testing.T) {
	at := map[string]string{"good": "roubaix", "cut": "roubaix"}
	w, polls := polled(t, at)
	w.pass(2*time.Minute, polls)
	w.cut[link("arezzo", "roubaix")] = true // arezzo judges
	w.pass(10*time.Minute, polls)
	w.wantNothing("roubaix acknowledges, and limburg tells arezzo")
	at["cut"] = ""
	cut := w.now
	w.pass(5*time.Minute, polls)
	w.wantRaised("cut", decision.SilentAll, cut, grace-slack, interval+grace+2*slack)
}

func TestRule30_TheAlternativePathIsJudgedByItsOwnTime(t *testing.T) {
	w := newWorld(t, sites...)
	w.put(Panel{ID: "dual", Customer: "c", Within: interval + grace, Alternative: time.Hour})
	primary, alternative := true, true
	polls := w.every(interval, func() {
		if primary {
			w.poll("arezzo", "dual", Primary)
		}
	})
	alt := w.every(30*time.Minute, func() {
		if alternative {
			w.poll("limburg", "dual", Alternative)
		}
	})
	both := func() { polls(); alt() }
	w.pass(2*time.Hour, both)
	w.wantNothing("both paths poll as agreed")
	primary = false
	cut := w.now
	w.pass(interval+grace+slack, both)
	w.wantRaised("dual", decision.SilentPrimary, cut, grace-slack, interval+grace+slack)
	w.said = nil
	w.pass(5*time.Minute, both) // the other path doesn't report faster
	w.wantRaised("dual", decision.SilentPrimary|decision.SilentAlternative|decision.SilentAll, cut, 2*(interval+grace)-interval-slack, 2*(interval+grace)+2*slack)
	w.said = nil
	primary = true
	w.pass(2*time.Minute, both)
	l := w.of("dual")
	if w.known["dual"].Silent != 0 || len(l) == 0 || l[0].To&(decision.SilentPrimary|decision.SilentAll) != 0 {
		t.Fatalf("%s, want both paths restored: the alternative's own hour isn't over", w.story())
	}
	w.said = nil
	alternative = false
	w.pass(3*time.Hour, both)
	if l := w.of("dual"); len(l) != 1 || l[0].To != decision.SilentAlternative {
		t.Fatalf("%s, want the alternative path raised alone", w.story())
	}
}

func TestRule30_WhatIsSupervisedNoMoreIsForgottenWithoutAWord(t *testing.T) {
	at := map[string]string{"p": ""}
	w, polls := polled(t, at)
	w.pass(patience+time.Minute, polls)
	w.wantRaised("p", decision.SilentNever, begin, patience, patience+slack)
	w.said = nil
	w.put(Panel{ID: "p", Customer: "c"})
	w.pass(5*time.Second, nil)
	if l := w.of("p"); len(l) != 1 || l[0].To != 0 || len(l[0].Events(w.now, time.UTC, "it")) != 0 {
		t.Fatalf("%s, want it cleared without an event", w.story())
	}
	w.said = nil
	w.pass(time.Hour, nil)
	w.wantNothing("it is not supervised")
	w.put(Panel{ID: "p", Customer: "c", Within: 10 * time.Minute})
	w.poll("limburg", "p", Primary)
	w.pass(10*time.Minute-slack, nil)
	w.wantNothing("a new time counts from when it was set")
	w.pass(2*slack, nil)
	if len(w.said) != 1 {
		t.Fatalf("%s, want it raised by its new time", w.story())
	}
}

// A message is of the alternative path when it fits all that tells it apart.
func TestPathOfAMessage(t *testing.T) {
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		path             *roster.Path
		transport        string
		prefix, receiver *string
		want             Path
	}{
		"one path":                {nil, "udp", text("2"), nil, Primary},
		"by transport":            {&roster.Path{Transport: "udp"}, "udp", nil, nil, Alternative},
		"another transport":       {&roster.Path{Transport: "udp"}, "tcp", nil, nil, Primary},
		"by prefix":               {&roster.Path{Prefix: "2A"}, "tcp", text("02a"), nil, Alternative},
		"another prefix":          {&roster.Path{Prefix: "2A"}, "tcp", text("0"), nil, Primary},
		"without a prefix":        {&roster.Path{Prefix: "0"}, "tcp", nil, nil, Primary},
		"by receiver":             {&roster.Path{Receiver: "7"}, "tcp", text("0"), text("7"), Alternative},
		"all of two":              {&roster.Path{Transport: "udp", Receiver: "7"}, "udp", nil, text("7"), Alternative},
		"one of two is another's": {&roster.Path{Transport: "udp", Receiver: "7"}, "tcp", nil, text("7"), Primary},
	} {
		if got := pathOf(&roster.Panel{Alternative: c.path}, c.transport, c.prefix, c.receiver); got != c.want {
			t.Errorf("%s: path %d, want %d", name, got, c.want)
		}
	}
}

// What a change tells, in the customer's language and the premises' time.
func TestEventsOfAChange(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	const all, primary, alternative = decision.SilentAll, decision.SilentPrimary, decision.SilentAlternative
	c := Change{From: primary, To: primary | alternative | all, Supervised: true, Heard: [paths]time.Duration{2 * time.Hour, 90 * time.Minute}}
	for language, want := range map[string]string{"it": "ultimo segnale 24/11/2026 11:30:00 CET", "en": "last heard 2026-11-24 11:30:00 CET"} {
		l := c.Events(begin, zone, language)
		if len(l) != 2 || l[0].Code != "352" || l[1].Code != "350" || l[1].Index != 1 || l[0].Qualifier != "new" || l[0].Text != want || l[1].Text != want || l[0].Standard != "VEDETTA" || l[0].Category != "communication" {
			t.Errorf("%s: %+v", language, l)
		}
	}
	c.From, c.To = c.To, alternative
	if l := c.Events(begin, zone, "it"); len(l) != 2 || l[0].Code != "351" || l[1].Code != "350" || l[0].Qualifier != "restore" || l[1].Text != "" {
		t.Errorf("%+v, want the primary path and the panel restored", l)
	}
	c = Change{To: decision.SilentNever, Supervised: true, Heard: [paths]time.Duration{-1, -1}, Counted: -1}
	if l := c.Events(begin, zone, "en"); len(l) != 1 || l[0].Code != "354" || l[0].Text != "not heard yet" {
		t.Errorf("%+v, want 354", l)
	}
	c.To, c.Counted = all, time.Hour
	for language, want := range map[string]string{"it": "mai sentita dal riavvio del 24/11/2026 12:00:00 CET, l'ultimo segnale prima non è noto",
		"en": "not heard since the restart at 2026-11-24 12:00:00 CET, last heard before that is not known"} {
		if l := c.Events(begin, zone, language); len(l) != 1 || l[0].Code != "350" || l[0].Text != want {
			t.Errorf("%+v, want %q", l, want)
		}
	}
}
