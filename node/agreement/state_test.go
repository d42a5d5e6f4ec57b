package agreement

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

func TestFoundComesFirstAndOnce(t *testing.T) {
	m := newMachine(t)
	m.no(ReasonNotFounded, decision.Tick{Now: start})
	m.no(ReasonBad, decision.Found{Generation: 1, Sites: []string{"a"}, Members: []decision.Member{{Node: "x", Disk: "d", Site: "elsewhere"}}})
	m.ok(foundBody)
	m.no(ReasonFounded, foundBody)
	equal(t, "clock", m.s.clock, start)
	equal(t, "first member", m.s.members[0].Node, "arezzo")
}

func TestRule04_FormsAboveItsVersionStopTheNode(t *testing.T) {
	m := founded(t)
	b := m.command(t, decision.Tick{Now: start})
	b[0] = decision.CommandVersion + 1
	if _, _, err := m.s.Apply(999, b); !errors.Is(err, decision.ErrVersion) {
		t.Fatalf("command above the version: %v", err)
	}
	snap, err := m.s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	snap[0]++
	if _, err := Restore(m.mesh, snap); !errors.Is(err, decision.ErrVersion) {
		t.Fatalf("snapshot above the version: %v", err)
	}
	snap[0]--
	snap[len(snap)/2] ^= 1
	if _, err := Restore(m.mesh, snap); !errors.Is(err, ErrSnapshot) {
		t.Fatalf("damaged snapshot: %v", err)
	}
}

func TestRule10_NotificationIDsArePlaces(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 2, false)
	wrong := v
	wrong.Plan = append([]decision.Notification(nil), v.Plan...)
	wrong.Plan[1].ID = v.Plan[0].ID
	m.no(ReasonBad, m.decide(5, wrong))
	wrong.Plan[1].ID = decision.NotificationID(events(at(arezzo, 1), "c1", "x", 3, false).Plan[2]) // of another step
	m.no(ReasonBad, m.decide(5, wrong))
	wrong.Plan[1] = v.Plan[1]
	wrong.Plan[1].Event = decision.EventID(at(arezzo, 2), 0) // another entry's event
	wrong.Plan[1].ID = decision.NotificationID(wrong.Plan[1])
	m.no(ReasonBad, m.decide(5, wrong))
	m.ok(m.decide(5, v))
	// A week later the same message is another event with other ids.
	m.pass(time.Hour)
	w := events(at(arezzo, 2), "c1", "x", 2, false)
	w.ReceivedMs = m.s.clock
	m.ok(m.decide(5, w))
	equal(t, "open", len(m.s.open), 4)
}

func TestRule11_SecondGuardAgainstCopies(t *testing.T) {
	for _, c := range []struct {
		name   string
		after  int64 // receive time after the first entry's
		copyAt int64 // a decided copy before it, 0: none
		fresh  bool
		want   Reason
	}{
		{"same time", 0, 0, false, ReasonCopy},
		{"within the window", WindowMs, 0, false, ReasonCopy},
		{"received earlier, decided later", -WindowMs, 0, false, ReasonCopy},
		{"after the window", WindowMs + 1, 0, false, ""},
		{"before the window", -WindowMs - 1, 0, false, ""},
		{"a copy extends it", WindowMs + 1, 9 * minute, false, ReasonCopy},
		{"a copy extends it so far", 19*minute + 1, 9 * minute, false, ""},
		{"standing sequence", second, 0, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := founded(t)
			m.ok(m.decide(5, events(at(arezzo, 1), "c1", "x", 1, false)))
			if c.copyAt != 0 {
				m.ok(m.decide(5, decision.Verdict{Entry: at(arezzo, 2), Customer: "c1", Identity: identity("x"), ReceivedMs: start + c.copyAt, Ruling: decision.RulingCopy, CopyOf: at(arezzo, 1)}))
			}
			v := events(at(roubaix, 1), "c1", "x", 1, false)
			v.ReceivedMs, v.Fresh = start+c.after, c.fresh
			if c.want == "" {
				m.ok(m.decide(5, v))
				return
			}
			r := m.no(c.want, m.decide(5, v))
			equal(t, "copy of", r.Refusal.CopyOf, at(arezzo, 1))
			equal(t, "refused entry", r.Refusal.Entry, at(roubaix, 1))
		})
	}
}

func TestRule11_GuardSeesTwoEntriesOfOneCommand(t *testing.T) {
	m := founded(t)
	r := m.no(ReasonCopy, m.decide(5, events(at(arezzo, 1), "c1", "x", 0, false), events(at(arezzo, 2), "c1", "x", 0, false)))
	equal(t, "copy of", r.Refusal.CopyOf, at(arezzo, 1))
	equal(t, "windows of a refused command", len(m.s.windows.newest), 0)
}

func TestRule11_WindowsAreDroppedByTheAgreementsClock(t *testing.T) {
	m := founded(t)
	late := events(at(arezzo, 1), "c1", "x", 0, false)
	late.ReceivedMs = start - 24*hour // decided a day late
	m.ok(m.decide(5, late))
	m.pass(14 * time.Minute)
	equal(t, "windows", len(m.s.windows.newest), 1)
	m.pass(3 * time.Minute)
	equal(t, "windows", len(m.s.windows.newest), 0)
}

func TestRule14_WholePlanWithTheCursor(t *testing.T) {
	m := founded(t)
	d := m.decide(5, events(at(arezzo, 2), "c1", "x", 3, true), events(at(arezzo, 4), "c2", "y", 2, true))
	r := m.ok(d)
	equal(t, "claims", len(r.Claims), 2)
	equal(t, "cursor", m.s.cursors[cursor{5, arezzo}], 4)
	equal(t, "open", len(m.s.open), 5)
	said := m.said()
	equal(t, "records", len(said), 4) // verdict, claim, verdict, claim
	equal(t, "steps in the verdict", len(said[0].Verdict.Plan), 3)
	equal(t, "claimed", said[1].Claimed.Notification, d.Entries[0].Plan[0].ID)
	equal(t, "holder", said[1].Claimed.Holder, arezzo)
	equal(t, "customer of the other", said[2].Customer, "c2")

	again := m.no(ReasonCursor, d)
	equal(t, "cursor told", again.Refusal.Cursor.Number, 4)
	// One bad entry refuses all.
	bad := events(at(arezzo, 6), "nobody", "z", 1, false)
	m.no(ReasonNoKeys, m.decide(5, events(at(arezzo, 5), "c1", "w", 1, false), bad))
	equal(t, "cursor", m.s.cursors[cursor{5, arezzo}], 4)
	equal(t, "open", len(m.s.open), 5)
}

func TestRule14_LongPlansTakeSeveralRecords(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 600, true)
	m.ok(m.decide(5, v))
	n, parts := 0, 0
	for _, r := range m.said() {
		if r.Verdict != nil {
			equal(t, "part", r.Part, parts)
			n, parts = n+len(r.Verdict.Plan), parts+1
		}
	}
	equal(t, "steps", n, 600)
	if parts < 2 {
		t.Fatalf("%d parts, want several", parts)
	}
	big := events(at(arezzo, 2), "c1", "y", 0, false)
	big.Events[0].Text = string(bytes.Repeat([]byte("x"), mesh.MaxSealedBytes))
	equal(t, "entry", m.no(ReasonTooLarge, m.decide(5, big)).Refusal.Entry, at(arezzo, 2))
}

func TestRule14_OpenStepsExpireAfter48Hours(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 3, true)
	m.ok(m.decide(5, v))
	m.ok(settle(outcome(v.Plan[0].ID, 1, arezzo, decision.StateDelivered)))
	m.pass(48*time.Hour - time.Minute)
	equal(t, "open", len(m.s.open), 2)
	m.pass(2 * time.Minute)
	equal(t, "open", len(m.s.open), 0)
	equal(t, "state", m.s.closed[v.Plan[1].ID].State, decision.StateExpired)
	said := m.said()
	equal(t, "last record", said[len(said)-1].Settled.State, decision.StateExpired)
	m.pass(49 * time.Hour)
	equal(t, "closed", len(m.s.closed), 0)
}

func TestRule14_NeverBegunIsClaimedAnewAsTheNextAttempt(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 1, true)
	id := v.Plan[0].ID
	m.ok(m.decide(5, v))
	equal(t, "second claim", m.ok(decision.Claim{Fence: m.fence(5), Notifications: []string{id}}).Claims[0].Reason, ReasonClaimed)
	o := outcome(id, 1, arezzo, decision.StatePending)
	o.NeverBegun = true
	o.DueMs = start + 30*second
	equal(t, "state", m.ok(settle(o)).Outcomes[0].State, decision.StatePending)
	equal(t, "due", m.s.open[id].DueMs, start+30*second)
	equal(t, "again", m.ok(settle(o)).Outcomes[0].Reason, ReasonSettled)
	equal(t, "attempt", m.ok(decision.Claim{Fence: m.fence(5), Notifications: []string{id}}).Claims[0].Attempt, 2)
}

func TestRule15_PlanWithAnOldRosterIsRefused(t *testing.T) {
	m := founded(t)
	d := m.decide(5, events(at(arezzo, 1), "c1", "x", 1, false))
	m.no(ReasonRevision, decision.PutDocument{Customer: "c1", Revision: 1, Sealed: []byte("same")})
	m.ok(m.decide(9, events(at(arezzo, 2), "c2", "y", 1, false)))
	m.ok(decision.PutDocument{Customer: "c1", Revision: 2, Sealed: []byte("new")})
	equal(t, "customer", m.no(ReasonRoster, d).Refusal.Customer, "c1")
	d.RosterIndex = m.s.rosters["c1"]
	m.ok(d)
}

// A roster in parts is one roster: a change of any part makes older plans old,
// it goes with its customer, and comes back with a snapshot.
func TestRule15_RosterInParts(t *testing.T) {
	m := founded(t)
	m.no(ReasonBad, decision.PutDocument{Customer: "c1", Part: -1, Revision: 9, Sealed: []byte("x")})
	m.ok(decision.PutDocument{Customer: "c1", Part: 3, Revision: 1, Sealed: []byte("more")})
	d := m.decide(5, events(at(arezzo, 1), "c1", "x", 1, false))
	d.RosterIndex = m.s.rosters["c1"]
	m.ok(decision.PutDocument{Customer: "c1", Part: 3, Revision: 2, Sealed: []byte("other")})
	m.no(ReasonRevision, decision.PutDocument{Customer: "c1", Part: 3, Revision: 2, Sealed: []byte("same")})
	equal(t, "customer", m.no(ReasonRoster, d).Refusal.Customer, "c1")
	b, err := m.s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Restore(m.s.opener, b)
	if err != nil {
		t.Fatal(err)
	}
	if x := again.documents["c1"][3]; string(x.Sealed) != "other" || again.rosters["c1"] != m.s.rosters["c1"] || again.partCount != m.s.partCount || again.changedAt != m.s.changedAt {
		t.Errorf("restored %+v, roster index %d, %d documents, want what was there", x, again.rosters["c1"], again.partCount)
	}
	before := m.s.partCount
	m.ok(decision.Destroy{Customer: "c1"})
	if m.s.partCount != before-2 || m.s.documents["c1"] != nil {
		t.Errorf("%d documents after a customer of two was destroyed, had %d", m.s.partCount, before)
	}
	m.no(ReasonBad, decision.PutDocument{Customer: "unheard", Part: 1, Revision: 1, Sealed: []byte("x")})
}

func TestRule17_AnotherIncarnationInheritsNothing(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 1, true)
	m.ok(m.decide(5, v))
	f := m.fence(5)
	f.Holder = arezzo2 // restarted within its lease
	d := m.decide(5, events(at(arezzo, 2), "c1", "y", 1, false))
	d.Fence = f
	m.no(ReasonOldEpoch, d)
	m.no(ReasonOldEpoch, decision.Claim{Fence: f, Notifications: []string{v.Plan[0].ID}})
	equal(t, "outcome", m.ok(settle(outcome(v.Plan[0].ID, 1, arezzo2, decision.StateDelivered))).Outcomes[0].Reason, ReasonAttempt)
	m.assign(arezzo2)
	equal(t, "epoch", m.fence(5).Epoch, f.Epoch+1)
	m.ok(m.decide(5, events(at(arezzo, 2), "c1", "y", 1, false)))
}

func TestRule18_OutcomeOfAnOldEpochIsAccepted(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 1, true)
	m.ok(m.decide(5, v))
	m.assign(roubaix)
	m.pass(time.Minute)
	r := m.ok(settle(outcome(v.Plan[0].ID, 1, arezzo, decision.StateDelivered)))
	equal(t, "outcome", r.Outcomes[0], Settled{State: decision.StateDelivered})
	equal(t, "again", m.ok(settle(outcome(v.Plan[0].ID, 1, arezzo, decision.StateRefused))).Outcomes[0].Reason, ReasonSettled)
}

func TestRule18_LateOutcomeBesideASecondAttemptIsADouble(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 1, true)
	id := v.Plan[0].ID
	m.ok(m.decide(5, v))
	m.assign(roubaix)
	m.pass(13 * time.Second)
	f := m.fence(5)
	o := outcome(id, 1, roubaix, decision.StatePending)
	o.Fence, o.DueMs = &f, m.s.clock
	equal(t, "resolved", m.ok(settle(o)).Outcomes[0], Settled{State: decision.StatePending})
	m.ok(decision.Claim{Fence: f, Notifications: []string{id}})
	late := m.ok(settle(outcome(id, 1, arezzo, decision.StateDelivered))).Outcomes[0]
	equal(t, "late", late, Settled{State: decision.StatePending, Double: true})
	// The second attempt is refused: what arrived, arrived.
	equal(t, "second", m.ok(settle(outcome(id, 2, roubaix, decision.StateRefused))).Outcomes[0], Settled{State: decision.StateDelivered})
	said := m.said()
	equal(t, "recorded", said[len(said)-2].Settled.Double, true)
}

func TestRule18_LateOutcomeOfAFinalNotification(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 1, true)
	id := v.Plan[0].ID
	m.ok(m.decide(5, v))
	m.assign(roubaix)
	m.pass(13 * time.Second)
	f := m.fence(5)
	o := outcome(id, 1, roubaix, decision.StateUnknown)
	o.Fence = &f
	equal(t, "resolved", m.ok(settle(o)).Outcomes[0].State, decision.StateUnknown)
	equal(t, "resolved twice", m.ok(settle(o)).Outcomes[0].Reason, ReasonSettled)
	equal(t, "its holder's word", m.ok(settle(outcome(id, 1, arezzo, decision.StateDelivered))).Outcomes[0], Settled{State: decision.StateDelivered})
	equal(t, "once", m.ok(settle(outcome(id, 1, arezzo, decision.StateDelivered))).Outcomes[0].Reason, ReasonSettled)
	equal(t, "compacted", m.s.closed[id].Attempts == nil, true)
	equal(t, "never planned", m.ok(settle(outcome("nothing", 1, arezzo, decision.StateDelivered))).Outcomes[0].Reason, ReasonUnknown)
}

// A holder that was held for long says at last that its mail was delivered,
// when the mail sent in its stead is recorded as unknown: there may be two, and
// it stays unknown (rule 24).
func TestRule24_TheHoldersLateWordLeavesAPossibleSecondUnknown(t *testing.T) {
	for name, second := range map[string]struct {
		state decision.State
		doubt bool
		want  decision.State
	}{
		"the second is unknown":            {decision.StateUnknown, false, decision.StateUnknown},
		"the second never began, in doubt": {decision.StatePending, true, decision.StateDelivered},
	} {
		m := founded(t)
		v := events(at(arezzo, 1), "c1", "x", 1, true)
		id := v.Plan[0].ID
		m.ok(m.decide(5, v))
		m.assign(roubaix)
		m.pass(13 * time.Second)
		f := m.fence(5)
		o := outcome(id, 1, roubaix, decision.StatePending)
		o.Fence, o.DueMs, o.Doubt = &f, m.s.clock, true
		m.ok(settle(o))
		m.ok(decision.Claim{Fence: f, Notifications: []string{id}})
		o = outcome(id, 2, roubaix, second.state)
		o.Doubt, o.NeverBegun = second.doubt, second.state == decision.StatePending
		m.ok(settle(o))
		late := m.ok(settle(outcome(id, 1, arezzo, decision.StateDelivered))).Outcomes[0]
		equal(t, name, late.State, second.want)
		equal(t, name+", what stands", m.s.closed[id].State, second.want)
	}
}

// The first holder says at last that it was delivered; the second is gone in
// doubt, so there may be two: unknown, where two would show.
func TestRule24_ArrivedAndPerhapsOnceMoreIsUnknown(t *testing.T) {
	for channel, want := range map[string]decision.State{"email": decision.StateUnknown, "webhook": decision.StateDelivered} {
		m := founded(t)
		v := events(at(arezzo, 1), "c1", "x", 1, true)
		v.Plan[0].Channel = channel
		v.Plan[0].ID = decision.NotificationID(v.Plan[0])
		id := v.Plan[0].ID
		m.ok(m.decide(5, v))
		m.assign(roubaix)
		m.pass(13 * time.Second)
		f := m.fence(5)
		o := outcome(id, 1, roubaix, decision.StatePending)
		o.Fence, o.DueMs, o.Doubt = &f, m.s.clock, true
		m.ok(settle(o))
		m.ok(decision.Claim{Fence: f, Notifications: []string{id}})
		equal(t, "the first one's word", m.ok(settle(outcome(id, 1, arezzo, decision.StateDelivered))).Outcomes[0].State, decision.StatePending)
		m.assign(arezzo2)
		m.pass(13 * time.Second)
		f = m.fence(5)
		o = outcome(id, 2, arezzo2, decision.StatePending)
		o.Fence, o.DueMs, o.Doubt = &f, m.s.clock, true
		equal(t, channel, m.ok(settle(o)).Outcomes[0].State, want)
	}
}

// What is known to have arrived makes a repetition possibly a second one.
func TestRule24_AnAttemptAfterOneThatArrivedIsInDoubt(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 1, true)
	id := v.Plan[0].ID
	m.ok(m.decide(5, v))
	m.assign(roubaix)
	m.pass(13 * time.Second)
	f := m.fence(5)
	o := outcome(id, 1, roubaix, decision.StatePending)
	o.Fence, o.DueMs, o.Doubt = &f, m.s.clock, true
	m.ok(settle(o))
	m.ok(decision.Claim{Fence: f, Notifications: []string{id}})
	equal(t, "before the holder's word", [2]bool{m.s.open[id].doubtful(), m.s.open[id].arrived()}, [2]bool{true, false})
	m.ok(settle(outcome(id, 1, arezzo, decision.StateDelivered)))
	equal(t, "after it", [2]bool{m.s.open[id].doubtful(), m.s.open[id].arrived()}, [2]bool{true, true})
}

func TestRule19_RepeatedProposalGetsItsFirstResult(t *testing.T) {
	m := founded(t)
	b := m.command(t, m.shards(m.decide(5, events(at(arezzo, 1), "c1", "x", 1, true)), m.decide(6, events(at(arezzo, 1), "c1", "y", 0, false))))
	first := m.raw(b)
	equal(t, "answers of one with claims", len(first.Shards), 1)
	n := len(m.records)
	m.pass(9 * time.Minute)
	equal(t, "again", string(m.raw(b).Marshal()), string(first.Marshal()))
	equal(t, "records", len(m.records), n)
	m.pass(3 * time.Minute)
	m.first = start // as first tried
	equal(t, "forgotten", m.raw(b).is(ReasonStale), true)
	equal(t, "no id", m.raw(encode(t, decision.ProposalID{}, m.s.clock, decision.Claim{Fence: m.fence(5)})).is(ReasonBad), true)
	equal(t, "records", len(m.records), n)
}

// However a proposal's first try lies to the agreement's clock: what is
// forgotten is refused.
func TestRule19_ForgottenMeansStale(t *testing.T) {
	for _, ahead := range []time.Duration{-9 * time.Minute, 0, 9 * time.Minute, time.Hour} {
		m := founded(t)
		m.first = start + ahead.Milliseconds()
		b := m.command(t, m.decide(5, events(at(arezzo, 1), "c1", "x", 1, false)))
		first := m.raw(b)
		for range 100 {
			m.pass(time.Minute)
			r := m.raw(b)
			if !r.is(ReasonStale) && (r.Refusal != nil || r.Index != first.Index) {
				t.Fatalf("first try %s ahead, clock %d min on: %+v", ahead, (m.s.clock-start)/minute, r.Refusal)
			}
		}
	}
}

func TestRule20_ClockNeverGoesBackAndNeverJumps(t *testing.T) {
	m := founded(t)
	for _, c := range []struct{ now, want int64 }{
		{start + 1000, start + 1000},
		{start, start + 1000},
		{start + 10*24*hour, start + 1000 + MaxTickMs},
		{start + 1000 + MaxTickMs, start + 1000 + MaxTickMs},
	} {
		m.ok(decision.Tick{Now: c.now})
		equal(t, "clock", m.s.clock, c.want)
	}
}

func TestRule22_ErasedAndUndecidableMoveTheCursor(t *testing.T) {
	m := founded(t)
	m.ok(m.decide(5,
		decision.Verdict{Entry: at(arezzo, 1), Ruling: decision.RulingErased, ReceivedMs: start},
		decision.Verdict{Entry: at(arezzo, 2), Customer: "c1", Ruling: decision.RulingUndecidable, ReceivedMs: start}))
	equal(t, "cursor", m.s.cursors[cursor{5, arezzo}], 2)
	equal(t, "ruling", m.said()[1].Verdict.Ruling, decision.RulingUndecidable)
}

func TestRule24_ResolvingWaitsTwelveSeconds(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 1, true)
	m.ok(m.decide(5, v))
	// The agreement's clock stood still for a while: the wait counts from the proposer's.
	m.first = start + 40*second
	m.assign(roubaix)
	f := m.fence(5)
	o := outcome(v.Plan[0].ID, 1, roubaix, decision.StateUnknown)
	o.Fence = &f
	m.ok(decision.Tick{Now: start + 52*second - 1})
	equal(t, "too early", m.ok(settle(o)).Outcomes[0].Reason, ReasonTooEarly)
	m.ok(m.decide(5, events(at(arezzo, 2), "c1", "new", 1, true))) // new events don't wait
	m.ok(decision.Tick{Now: start + 52*second})
	old := f
	old.Epoch--
	o.Fence = &old
	equal(t, "old epoch", m.ok(settle(o)).Outcomes[0].Reason, ReasonOldEpoch)
	o.Fence = &f
	equal(t, "resolved", m.ok(settle(o)).Outcomes[0].State, decision.StateUnknown)
}

// An assignment whose answer was lost comes again under another id.
func TestRule17_AssignedAgainKeepsTheEpoch(t *testing.T) {
	m := founded(t)
	before := m.s.shards[5]
	m.pass(time.Minute)
	r := m.ok(decision.Assign{Shards: []decision.Assignment{{Shard: 5, Holder: arezzo}, {Shard: 9, Holder: roubaix}}})
	equal(t, "unchanged", m.s.shards[5], before)
	equal(t, "another holder's epoch", m.s.shards[9].Epoch, before.Epoch+1)
	equal(t, "answer", string(mustJSON(t, r.Epochs)), string(mustJSON(t, []uint64{before.Epoch, before.Epoch + 1})))
}

// Neither a proposer's wrong clock puts resolving off for long, nor is the wait
// shorter than 12 s while the agreement's clock catches up by a minute a second.
func TestRule24_TheWaitIsBounded(t *testing.T) {
	m := founded(t)
	m.first = start + 10*24*hour
	m.assign(roubaix)
	since := m.s.shards[5].SinceMs
	equal(t, "since", since, start+12*minute)
	ticks := int64(0)
	for ; m.s.clock < since+ResolveMs; ticks++ {
		m.ok(decision.Tick{Now: m.first})
	}
	if (ticks-1)*second < ResolveMs {
		t.Errorf("%d ticks while catching up, want the 12 s between the first and the last", ticks)
	}
}

func TestRule28_AdmitReplacesTheFormerDisk(t *testing.T) {
	m := founded(t)
	m.no(ReasonMember, decision.Admit{Member: decision.Member{Node: "x", Disk: "d", Site: "elsewhere"}})
	m.ok(decision.Admit{Member: decision.Member{Node: "limburg", Disk: "new", Site: "limburg"}})
	equal(t, "members", len(m.s.members), 3)
	equal(t, "disk", m.s.members[1].Disk, "new")
	m.no(ReasonMember, decision.Assign{Shards: []decision.Assignment{{Shard: 1, Holder: mesh.Origin{Node: "stranger", Incarnation: 1}}}})
}

func TestRule31_OneCustomerPerRecordUnderItsOwnKey(t *testing.T) {
	m := founded(t)
	m.ok(m.decide(5, events(at(arezzo, 1), "c1", "x", 1, true), events(at(arezzo, 2), "c2", "y", 1, false),
		decision.Verdict{Entry: at(arezzo, 3), Ruling: decision.RulingHeld, Identity: identity("held"), ReceivedMs: start}))
	for i, want := range []seal.KeyID{m.s.keys["c1"].ID, m.s.keys["c1"].ID, m.s.keys["c2"].ID, m.s.dayKeys[today()].ID} {
		id, err := seal.IDOf(m.records[i].Sealed)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "key", id, want)
		equal(t, "day", m.records[i].Day, today())
		for _, secret := range []string{"c1", "p-c1", "email"} {
			if bytes.Contains(m.records[i].Bytes, []byte(secret)) {
				t.Fatalf("record %d shows %q", i, secret)
			}
		}
	}
}

func TestRule31_WithoutADayKeyNothingOfNobodyIsDecided(t *testing.T) {
	m := founded(t)
	m.pass(26 * time.Hour) // two days on: no key was put
	held := decision.Verdict{Entry: at(arezzo, 1), Ruling: decision.RulingHeld, ReceivedMs: start}
	m.no(ReasonDayKey, m.decide(5, held))
	m.no(ReasonDayKey, decision.Destroy{Customer: "c1"})
	m.ok(m.decide(5, events(at(arezzo, 1), "c1", "x", 1, false))) // a customer's goes on
	m.ok(m.putDayKey(t, today()+2))
	held.Entry = at(arezzo, 2)
	m.ok(m.decide(5, held))
}

func TestRule31_KeysThatCannotBeOpenedAreRefused(t *testing.T) {
	m := founded(t)
	stands := m.s.keys["c1"].ID
	m.ok(m.putKeys(t, "c1"))
	equal(t, "key", m.s.keys["c1"].ID, stands)
	p := m.putKeys(t, "c3")
	p.Customer = "c4" // wrapped for another owner
	m.no(ReasonKey, p)
	stranger := newMaker()
	stranger.mesh[0] ^= 1
	stranger.count = 999
	m.no(ReasonMeshKey, stranger.putKeys(t, "c5"))
	// A node with another mesh key stops at the first key it meets.
	s := NewState(stranger.mesh)
	var err error
	for i, b := range m.log {
		if _, _, err = s.Apply(uint64(i+1), b); err != nil {
			break
		}
	}
	if !errors.Is(err, seal.ErrWrongKey) {
		t.Fatalf("another mesh key: %v", err)
	}
}

func TestRule32_DestroyedCustomerLeavesNothing(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 3, true)
	m.ok(m.decide(5, v, events(at(arezzo, 2), "c2", "y", 1, true)))
	id, wrapped := m.s.keys["c1"].ID, m.s.keys["c1"].Bytes
	before := len(m.records)
	m.ok(decision.Destroy{Customer: "c1"})
	said := m.said()[before:]
	equal(t, "records", len(said), 4) // three open steps, the destruction
	for _, r := range said[:3] {
		equal(t, "state", r.Settled.State, decision.StateErased)
		equal(t, "customer", r.Customer, "")
	}
	equal(t, "destroyed", said[3].Destroyed.Customer, "c1")
	equal(t, "erasure", m.s.erasure, m.s.index)
	equal(t, "open of the other", len(m.s.open), 1)
	m.no(ReasonDestroyed, m.putKeys(t, "c1"))
	m.no(ReasonDestroyed, decision.PutDocument{Customer: "c1", Revision: 9, Sealed: []byte("x")})

	o := outcome(v.Plan[0].ID, 1, arezzo, decision.StateDelivered)
	o.ProviderRef = "reference"
	equal(t, "late", m.ok(settle(o)).Outcomes[0].Reason, "")
	equal(t, "reference", m.said()[len(m.records)-1].Settled.ProviderRef, "")
	r := m.ok(m.decide(5, events(at(arezzo, 3), "c1", "z", 2, true)))
	equal(t, "claim", r.Claims[0], Claimed{Reason: ReasonDestroyed})
	last := m.said()[len(m.records)-1]
	equal(t, "ruling", last.Verdict.Ruling, decision.RulingErased)
	equal(t, "says", string(decision.EncodeRecord(last)), string(decision.EncodeRecord(decision.Record{ClockMs: start,
		Verdict: &decision.Verdict{Entry: at(arezzo, 3), ReceivedMs: start, Ruling: decision.RulingErased}})))
	snap, err := m.s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range [][]byte{wrapped, bytes.Trim(mustJSON(t, wrapped), `"`)} {
		if bytes.Contains(snap, form) {
			t.Fatal("the snapshot holds the destroyed key")
		}
	}
	if _, ok := m.s.opened[id]; ok {
		t.Fatal("the unwrapped key is still in memory")
	}
}

func TestRule32_ADaysKeyIsDestroyedWhenItIsOver(t *testing.T) {
	m := founded(t)
	m.no(ReasonDayOpen, decision.Destroy{Day: today()})
	m.no(ReasonBad, decision.Destroy{})
	m.pass(3 * time.Minute)
	m.ok(decision.Destroy{Day: today()})
	equal(t, "keys left", len(m.s.dayKeys), 1)
	m.no(ReasonDestroyed, m.putDayKey(t, today()))
}

func TestConfirmationsOnlyRise(t *testing.T) {
	m := founded(t)
	for _, n := range []uint64{5, 3, 7} {
		m.ok(decision.Confirm{Cursors: []decision.Mark{{Origin: arezzo, Number: n}}})
	}
	equal(t, "confirmed", m.s.confirmed[arezzo], 7)
}

// A shard that changes hands more often than every 12 s resolves its old claims
// all the same: the wait is the claim's, not each epoch's.
func TestRule24_TheWaitIsTheClaimsNotEachEpochs(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 1, true)
	m.ok(m.decide(5, v))
	m.pass(time.Hour) // its holder held the shard for long
	for _, next := range []mesh.Origin{roubaix, arezzo2, roubaix} {
		m.assign(next)
		f := m.fence(5)
		o := outcome(v.Plan[0].ID, 1, next, decision.StateUnknown)
		o.Fence = &f
		equal(t, "too early", m.ok(settle(o)).Outcomes[0].Reason, ReasonTooEarly)
		m.pass(4 * time.Second)
	}
	m.assign(arezzo2)
	f := m.fence(5)
	o := outcome(v.Plan[0].ID, 1, arezzo2, decision.StateUnknown)
	o.Fence = &f
	equal(t, "resolved", m.ok(settle(o)).Outcomes[0].State, decision.StateUnknown)
}

// A claim of the epochs between waits for its own 12 s.
func TestRule24_EachClaimHasItsOwnWait(t *testing.T) {
	m := founded(t)
	first, second := events(at(arezzo, 1), "c1", "x", 1, true), events(at(arezzo, 2), "c1", "y", 1, true)
	m.ok(m.decide(5, first))
	m.assign(roubaix)
	m.pass(10 * time.Second)
	m.ok(m.decide(5, second)) // claimed by roubaix
	m.assign(arezzo2)
	m.pass(5 * time.Second)
	f := m.fence(5)
	one, two := outcome(first.Plan[0].ID, 1, arezzo2, decision.StateUnknown), outcome(second.Plan[0].ID, 1, arezzo2, decision.StateUnknown)
	one.Fence, two.Fence = &f, &f
	r := m.ok(settle(one, two))
	equal(t, "15 s after its epoch", r.Outcomes[0].State, decision.StateUnknown)
	equal(t, "5 s after its epoch", r.Outcomes[1].Reason, ReasonTooEarly)
	m.pass(7 * time.Second)
	equal(t, "12 s after its epoch", m.ok(settle(two)).Outcomes[0].State, decision.StateUnknown)
}

// Two events of one identity, an hour apart: a late copy of either is refused.
func TestRule11_TheLastTwoWindowsAreKept(t *testing.T) {
	m := founded(t)
	m.ok(m.decide(5, events(at(arezzo, 1), "c1", "x", 0, false)))
	second := events(at(arezzo, 2), "c1", "x", 0, false)
	second.ReceivedMs = start + hour
	m.ok(m.decide(5, second))
	for n, c := range []struct {
		at   int64
		want mesh.Position
	}{{start + minute, at(arezzo, 1)}, {start + hour + minute, at(arezzo, 2)}} {
		v := events(at(roubaix, uint64(n+1)), "c1", "x", 0, false)
		v.ReceivedMs = c.at
		equal(t, "copy of", m.no(ReasonCopy, m.decide(5, v)).Refusal.CopyOf, c.want)
	}
}

// What was resolved stays resolved, also beside a second attempt; only its
// holder's own word still comes in, and is recorded as a double.
func TestRule18_ResolvedOnceBesideASecondAttempt(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 1, true)
	id := v.Plan[0].ID
	m.ok(m.decide(5, v))
	m.assign(roubaix)
	m.pass(13 * time.Second)
	f := m.fence(5)
	o := outcome(id, 1, roubaix, decision.StatePending)
	o.Fence, o.Doubt = &f, true
	m.ok(settle(o))
	equal(t, "doubtful", m.s.open[id].Attempts[0].Doubt, true)
	m.ok(decision.Claim{Fence: f, Notifications: []string{id}})
	equal(t, "doubt after the next claim", m.s.open[id].Attempts[0].Doubt, true)
	equal(t, "resolved again", m.ok(settle(o)).Outcomes[0].Reason, ReasonSettled)
	// The late word of the first leaves the second under way: it decides.
	late := m.ok(settle(outcome(id, 1, arezzo, decision.StateRefused))).Outcomes[0]
	equal(t, "late", late, Settled{State: decision.StatePending, Double: true})
	equal(t, "open", m.s.open[id] != nil, true)
	equal(t, "second", m.ok(settle(outcome(id, 2, roubaix, decision.StateDelivered))).Outcomes[0].State, decision.StateDelivered)
}

// The late word of a first attempt, while no second is under way yet, doesn't
// end the notification by what was only refused.
func TestRule18_LateRefusalBeforeASecondAttempt(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 1, true)
	id := v.Plan[0].ID
	m.ok(m.decide(5, v))
	m.assign(roubaix)
	m.pass(13 * time.Second)
	f := m.fence(5)
	o := outcome(id, 1, roubaix, decision.StatePending)
	o.Fence = &f
	m.ok(settle(o))
	equal(t, "late refusal", m.ok(settle(outcome(id, 1, arezzo, decision.StateRefused))).Outcomes[0].State, decision.StatePending)
	equal(t, "claimed anew", m.ok(decision.Claim{Fence: f, Notifications: []string{id}}).Claims[0].Attempt, 2)
}

// A message may report more events than one record holds: none is lost, and each
// step finds its event in the record that it names.
func TestRule14_ManyEventsTakeSeveralRecords(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 0, false)
	v.Events, v.Plan = nil, nil
	for i := range 1365 { // the most that a frame can hold
		v.Events = append(v.Events, decision.Event{Index: i, Standard: "SIA-DCS", Code: "BA", Qualifier: "new", Category: "burglary", ZoneName: strings.Repeat("\x01", 200)})
		if i%10 == 0 {
			n := decision.Notification{Event: decision.EventID(v.Entry, i), Contact: "k1", Channel: "email", Address: "a1", Rule: "r1", DueMs: start}
			n.ID = decision.NotificationID(n)
			v.Plan = append(v.Plan, n)
		}
	}
	m.ok(m.decide(5, v))
	found := map[string]uint64{} // event -> record
	seen := 0
	for i, r := range m.said() {
		equal(t, "part", r.Part, i)
		for _, e := range r.Verdict.Events {
			equal(t, "index", e.Index, seen)
			seen++
			found[decision.EventID(v.Entry, e.Index)] = m.records[i].Number
		}
	}
	equal(t, "events", seen, 1365)
	equal(t, "steps", len(m.s.open), len(v.Plan))
	for _, o := range m.s.open {
		equal(t, "record of the step's event", o.Verdict, found[o.Event])
	}
}
