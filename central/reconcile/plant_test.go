package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/reconcile"
	"vedetta/wire/decision"
)

const ok = decision.StateDelivered

// A day and a half of a customer's life has no fault; the one unknown outcome
// is to know.
func TestAStoryHasNoFault(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	centraltest.Story(b.Mesh, time.Now())
	b.apply()
	r, err := b.Pass(t.Context(), true)
	must(t, err)
	if len(r.Cases) != 1 || r.Cases[0].Kind != reconcile.OutcomeUnknown || r.Summary.Faults != 0 || r.Summary.ToKnow != 1 || r.Summary.LastFull.IsZero() {
		t.Fatalf("%+v", r)
	}
	again, err := b.Pass(t.Context(), false) // an ordinary pass has nothing new to say
	must(t, err)
	if len(again.Cases) != 1 || again.Cases[0].ID != r.Cases[0].ID || !again.Full {
		t.Errorf("%+v", again)
	}
}

// Every difference planted in the database gives its one case, which closes
// when the difference is healed.
func TestPlantedDifferences(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	event, ids := b.alarm(ok, ok)
	other, _ := b.alarm(ok, ok)
	copied, _ := b.alarm(ok, ok)
	centraltest.Alarm{At: time.Now(), Node: "roubaix", Event: decision.Event{Standard: "SIA-DCS"}}.Copy(b.Mesh, position(t, copied))
	b.apply()
	b.want(b.faults(), "")
	copyPlace := centraltest.Origin("roubaix").String() + ".1"
	for _, c := range []struct{ name, plant, heal, want string }{
		{"a notification's state altered", `UPDATE notifications SET state = 'pending' WHERE id = '` + ids[0] + `'`, `UPDATE notifications SET state = 'delivered' WHERE id = '` + ids[0] + `'`,
			"notification_differs " + ids[0] + ": want state delivered, found state pending"},
		{"attempts altered", `UPDATE notifications SET attempts = 3 WHERE id = '` + ids[0] + `'`, `UPDATE notifications SET attempts = 1 WHERE id = '` + ids[0] + `'`,
			"notification_differs " + ids[0] + ": want attempts 1, found attempts 3"},
		{"a notification's body swapped", `UPDATE notifications SET sealed_body = (SELECT sealed_body FROM notifications WHERE id = '` + ids[1] + `') WHERE id = '` + ids[0] + `'`, "",
			"notification_differs " + ids[0] + ": want plan as decided, found plan another"},
		{"a notification deleted", `DELETE FROM notifications WHERE id = '` + ids[0] + `'`, "", "notification_missing " + ids[0] + ": want a notification, found nothing"},
		{"an event deleted", `DELETE FROM events WHERE id = '` + event + `.0'`, "", "event_missing " + event + ".0: want an event, found nothing"},
		{"an event's time altered", `UPDATE events SET received_ms = received_ms + 1 WHERE id = '` + event + `.0'`, `UPDATE events SET received_ms = received_ms - 1 WHERE id = '` + event + `.0'`,
			"event_differs " + event + ".0: want as decided, found other received time"},
		{"a double event", `INSERT INTO events(id, customer_id, entry_origin, entry_number, account_index, received_ms, copies, sealed_body)
			SELECT id || '7', customer_id, entry_origin, entry_number, account_index, received_ms, copies, sealed_body FROM events WHERE id = '` + other + `.0'`, `DELETE FROM events WHERE id = '` + other + `.07'`,
			"event_undecided " + other + ".07: want no such event, found an event"},
		{"a double notification", `INSERT INTO notifications(id, customer_id, event_id, planned_ms, state, attempts, sealed_body)
			SELECT id || 'x', customer_id, event_id, planned_ms, state, attempts, sealed_body FROM notifications WHERE id = '` + ids[0] + `'`, `DELETE FROM notifications WHERE id = '` + ids[0] + `x'`,
			"notification_unplanned " + ids[0] + "x: want no such step in the plan, found a notification"},
		{"an event of no entry", `INSERT INTO events(id, customer_id, entry_origin, entry_number, account_index, received_ms, copies, sealed_body)
			SELECT 'stray', customer_id, entry_origin, 4711, account_index, received_ms, copies, sealed_body FROM events WHERE id = '` + other + `.0'`, `DELETE FROM events WHERE id = 'stray'`,
			"event_undecided stray: want no decision about its entry, found an event"},
		{"copies miscounted", `UPDATE events SET copies = 5 WHERE id = '` + copied + `.0'`, `UPDATE events SET copies = 2 WHERE id = '` + copied + `.0'`,
			"copies_miscounted " + copied + ".0: want 2, found 5"},
		{"a ruling altered", `UPDATE entries SET ruling = 'held' WHERE origin || '.' || number = '` + other + `'`, `UPDATE entries SET ruling = 'events' WHERE origin || '.' || number = '` + other + `'`,
			"ruling_differs " + other + ": want events, found held"},
		{"a copy of another", `UPDATE entries SET copy_number = 1 WHERE origin || '.' || number = '` + copyPlace + `'`, `UPDATE entries SET copy_number = 3 WHERE origin || '.' || number = '` + copyPlace + `'`,
			"ruling_differs " + copyPlace + ": want copy of " + copied + ", found copy of " + event},
		{"an entry dropped", `DELETE FROM entries WHERE origin || '.' || number = '` + other + `'`, "", "entry_missing " + other + ": want stored, found nothing"},
		{"the last entry dropped", `DELETE FROM entries WHERE origin || '.' || number = '` + copyPlace + `'`, "", "entry_missing " + copyPlace + ": want stored, found nothing"},
		{"an entry's bytes altered", `UPDATE entries SET record = substr(record, 1, 60) || x'00' || substr(record, 62) WHERE origin || '.' || number = '` + other + `'`, "",
			"entry_damaged " + other + ": want the bytes that the running hash names, found other bytes"},
		{"a decision dropped", `DELETE FROM decisions WHERE number = 2`, "", "decision_missing agreement.1.2: want stored, found nothing"},
		{"a decision's bytes altered", `UPDATE decisions SET record = substr(record, 1, 60) || x'00' || substr(record, 62) WHERE number = 2`, "",
			"decision_damaged agreement.1.2: want the bytes that the running hash names, found other bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			restore := b.keep()
			b.write(c.plant)
			got := b.faults()
			if c.heal != "" {
				b.write(c.heal)
			} else {
				restore()
			}
			healed := b.faults()
			b.want(strings.TrimPrefix(strings.TrimPrefix(got, "open "), "reopened "), c.want)
			b.want(healed, "")
		})
	}
}

// What is back after it was gone is the same case again.
func TestACaseReopens(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	event, _ := b.alarm(ok, ok)
	b.apply()
	alter := func(n int) { b.write(`UPDATE events SET copies = ?1 WHERE id = ?2`, n, event+".0") }
	alter(2)
	b.want(b.faults(), "open copies_miscounted "+event+".0: want 1, found 2")
	alter(1)
	b.want(b.faults(), "")
	alter(3)
	b.want(b.faults(), "reopened copies_miscounted "+event+".0: want 1, found 3")
	list, next, err := b.OfCustomer(t.Context(), centraltest.Customer, "", 10)
	must(t, err)
	if len(list) != 1 || next != "" || fmt.Sprint(states(list[0].History)) != "[open closed reopened]" {
		t.Fatalf("%+v %q", list, next)
	}
	must(t, b.Explain(t.Context(), time.Now(), list[0].ID, "a test by Anna Rossi"))
	b.want(b.faults(), "explained copies_miscounted "+event+".0: want 1, found 3")
	if s := b.Summary(); s.Faults != 0 {
		t.Errorf("%+v: what is explained is no open fault", s)
	}
	var note []byte
	must(t, b.DB.Read().QueryRowContext(t.Context(), `SELECT sealed_note FROM cases`).Scan(&note))
	if len(note) == 0 || string(note) == "a test by Anna Rossi" {
		t.Error("the note is not sealed")
	}
	alter(1)
	b.want(b.faults(), "")
	if err := b.Explain(t.Context(), time.Now(), list[0].ID, "late"); err != reconcile.ErrNoCase {
		t.Errorf("explaining a closed case: %v", err)
	}
}

func states(notes []reconcile.Note) (out []reconcile.State) {
	for _, n := range notes {
		out = append(out, n.State)
	}
	return out
}

// Decisions that are at fault by themselves.
func TestFaultyDecisions(t *testing.T) {
	b := newBench(t, reconcile.Config{OverdueSeconds: 60, UndecidedSeconds: 60})
	_, ids := b.alarm(ok)
	decide := func(r decision.Record) { r.Customer = centraltest.Customer; b.Mesh.Decision(1, time.Now(), r) }
	holder := centraltest.Origin("roubaix")
	decide(decision.Record{Claimed: &decision.Claimed{Notification: ids[1], Attempt: 2, Holder: holder, Epoch: 4}})
	decide(decision.Record{Claimed: &decision.Claimed{Notification: ids[1], Attempt: 2, Holder: holder, Epoch: 5}})
	decide(decision.Record{Settled: &decision.Settled{Outcome: decision.Outcome{Notification: ids[0], Attempt: 2, By: holder, State: ok}, Double: true}})
	decide(decision.Record{Settled: &decision.Settled{Outcome: decision.Outcome{Notification: ids[1], Attempt: 2, By: holder, State: ok}}})
	past := time.Now().Add(-2 * time.Minute)
	late := centraltest.Alarm{At: past, Plan: []string{"email"}, Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new"}}
	overdue := late.Verdict(b.Mesh, late.Message(b.Mesh))
	undecided := late.Message(b.Mesh)
	b.apply()
	b.want(b.faults(), fmt.Sprintf(`open claimed_twice %s: want one holder, found two claims of attempt 2
open entry_undecided %s: want a decision within 1m0s, found none
open outcome_overdue %s: want an outcome within 1m0s, found none after 1 attempts
open outcome_unclaimed %s: want a claim before the outcome, found an outcome of attempt 2 without a claim`, ids[1], undecided, overdue[0], ids[0]))
	// Both attempts of the mail arrived: that is to know, and shown as unknown.
	if got, want := b.Summary().ToKnow, 2; got != want {
		t.Errorf("%d to know, want %d: double and unknown", got, want)
	}
	centraltest.Settle(b.Mesh, time.Now(), overdue[0], 1, ok, "")
	late.Plan = nil
	late.Verdict(b.Mesh, undecided)
	b.apply()
	b.want(b.faults(), fmt.Sprintf(`open claimed_twice %s: want one holder, found two claims of attempt 2
open outcome_unclaimed %s: want a claim before the outcome, found an outcome of attempt 2 without a claim`, ids[1], ids[0]))
}

// Events that stand in a further part of a long verdict are decided like the first.
func TestEventsInParts(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	place, _ := b.alarm(ok, ok)
	b.Mesh.Decision(1, time.Now(), decision.Record{Customer: centraltest.Customer, Part: 1, Verdict: &decision.Verdict{Entry: position(t, place), Customer: centraltest.Customer,
		Panel: centraltest.House, Ruling: decision.RulingEvents, Events: []decision.Event{{Index: 1, Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new", Zone: "4"}}}})
	b.apply()
	b.want(b.faults(), "")
	b.write(`DELETE FROM events WHERE id = ?1`, place+".1")
	b.want(b.faults(), "open event_missing "+place+".1: want an event, found nothing")
}

// A decision about an entry that never came is found.
func TestDecidedWithoutAnEntry(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	b.alarm(ok, ok)
	p := position(t, centraltest.Origin("limburg").String()+".9")
	a := centraltest.Alarm{At: time.Now(), Plan: []string{"email"}, Event: decision.Event{Standard: "SIA-DCS", Code: "FA", Category: "fire", Qualifier: "new"}}
	a.Verdict(b.Mesh, p)
	b.apply()
	b.want(b.faults(), "")
	if s := b.Summary(); s.Watched != 1 {
		t.Fatalf("%+v, want it watched", s)
	}
	b.write(`UPDATE cases SET since_ms = since_ms - 60000`) // a minute passes
	b.want(b.faults(), "open decision_stuck agreement.1.4: want applied, found waits for entry "+p.String())
}

// What a destroyed key had sealed isn't judged.
func TestErasedCustomerIsNotJudged(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	event, _ := b.alarm(ok, ok)
	b.apply()
	b.want(b.faults(), "")
	b.write(`UPDATE events SET copies = 4 WHERE id = ?1`, event+".0")
	b.want(b.faults(), "open copies_miscounted "+event+".0: want 1, found 4")
	b.Mesh.Decision(1, time.Now(), decision.Record{Destroyed: &decision.Destroyed{Customer: centraltest.Customer}})
	b.apply()
	b.want(b.faults(), "")
}
