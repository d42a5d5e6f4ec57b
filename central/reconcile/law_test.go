package reconcile_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vedetta/central/centraltest"
	"vedetta/central/reconcile"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// history is what a random mesh has done, and where.
type history struct {
	b             *bench
	at            time.Time
	entries       []mesh.Position // with events
	copies        map[mesh.Position]int
	notifications []string
}

// alarm lets one come, with copies, at any node, and each of its notifications
// take any course that the agreement allows.
func (h *history) alarm(t *rapid.T) {
	h.at = h.at.Add(time.Second)
	a := centraltest.Alarm{At: h.at, Node: rapid.SampledFrom([]string{"arezzo", "roubaix", "limburg"}).Draw(t, "node"),
		Plan:  rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"email", "webhook", "sms"}), 0, 3, func(s string) string { return s }).Draw(t, "plan"),
		Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new", Zone: "3", Text: "Finestra"}}
	p := a.Message(h.b.Mesh)
	ids := a.Verdict(h.b.Mesh, p)
	h.entries, h.notifications = append(h.entries, p), append(h.notifications, ids...)
	of := p
	for range rapid.IntRange(0, 2).Draw(t, "copies") {
		c := a.Copy(h.b.Mesh, of)
		h.copies[p]++
		if rapid.Bool().Draw(t, "copy of the copy") {
			of = c
		}
	}
	for _, id := range ids {
		h.course(t, id)
	}
}

// quiet lets some come of which nobody is told; what is decided about them
// stands in one record.
func (h *history) quiet(t *rapid.T) {
	h.at = h.at.Add(time.Second)
	var run []*decision.Verdict
	for range rapid.IntRange(1, 4).Draw(t, "quiet") {
		a := centraltest.Alarm{At: h.at, Node: rapid.SampledFrom([]string{"arezzo", "roubaix", "limburg"}).Draw(t, "node"),
			Event: decision.Event{Standard: "SIA-DCS", Code: "OP", Category: "openclose", Qualifier: "new", User: "4"}}
		p := a.Message(h.b.Mesh)
		run, h.entries = append(run, a.Decision(p)), append(h.entries, p)
	}
	h.b.Mesh.Run(1, h.at.Add(time.Second), centraltest.Customer, run...)
}

// course of a notification whose first attempt is claimed with its plan.
func (h *history) course(t *rapid.T, id string) {
	settle := func(attempt int, by mesh.Origin, state decision.State, double bool) {
		h.b.Mesh.Decision(1, h.at, decision.Record{Customer: centraltest.Customer, Settled: &decision.Settled{Double: double, Outcome: decision.Outcome{
			Notification: id, Attempt: attempt, By: by, State: state, HandedOverMs: h.at.UnixMilli()}}})
	}
	first, second := centraltest.Origin("arezzo"), centraltest.Origin("roubaix")
	final := rapid.SampledFrom([]decision.State{decision.StateDelivered, decision.StateRefused, decision.StateUnknown, decision.StateCancelled})
	n := rapid.IntRange(1, 3).Draw(t, "attempts")
	for attempt := 1; attempt <= n; attempt++ {
		if attempt > 1 {
			h.b.Mesh.Decision(1, h.at, decision.Record{Customer: centraltest.Customer, Claimed: &decision.Claimed{Notification: id, Attempt: attempt, Holder: second, Epoch: uint64(attempt)}})
		}
		if attempt < n {
			settle(attempt, rapid.SampledFrom([]mesh.Origin{first, second}).Draw(t, "by"), decision.StatePending, false)
		}
	}
	if rapid.Bool().Draw(t, "still open") {
		return
	}
	if rapid.IntRange(0, 4).Draw(t, "expires") == 0 {
		settle(n, mesh.Origin{}, decision.StateExpired, false)
		return
	}
	settle(n, second, final.Draw(t, "outcome"), false)
	if n > 1 && rapid.Bool().Draw(t, "a late word") {
		settle(1, first, final.Draw(t, "late outcome"), true)
	}
}

// plant draws one difference and returns the case that must come of it, and
// what heals it.
func (h *history) plant(t *rapid.T) (want string, heal func()) {
	b := h.b
	p := rapid.SampledFrom(h.entries).Draw(t, "entry")
	event := decision.EventID(p, 0)
	kinds := []string{"event", "copies", "time", "entry", "ruling", "decision", "double"}
	if len(h.notifications) > 0 {
		kinds = append(kinds, "state", "attempts", "notification", "second notification")
	}
	id := ""
	if len(h.notifications) > 0 {
		id = rapid.SampledFrom(h.notifications).Draw(t, "notification")
	}
	restore := b.keep()
	const again = `INSERT INTO events(id, customer_id, entry_origin, entry_number, account_index, received_ms, copies, sealed_body)
		SELECT id || '9', customer_id, entry_origin, entry_number, account_index, received_ms, copies, sealed_body FROM events WHERE id = ?1`
	switch kind := rapid.SampledFrom(kinds).Draw(t, "planted"); kind {
	case "event":
		b.write(`DELETE FROM events WHERE id = ?1`, event)
		want = "event_missing " + event
	case "copies":
		b.write(`UPDATE events SET copies = copies + ?2 WHERE id = ?1`, event, rapid.SampledFrom([]int{-1, 1, 5}).Draw(t, "miscounted by"))
		want = "copies_miscounted " + event
	case "time":
		b.write(`UPDATE events SET received_ms = 0 WHERE id = ?1`, event)
		want = "event_differs " + event
	case "entry":
		b.write(`DELETE FROM entries WHERE origin = ?1 AND number = ?2`, p.Origin.String(), p.Number)
		want = "entry_missing " + p.String()
	case "ruling":
		b.write(`UPDATE entries SET ruling = ?3 WHERE origin = ?1 AND number = ?2`, p.Origin.String(), p.Number, rapid.SampledFrom([]any{nil, "held", "erased"}).Draw(t, "ruling"))
		want = "ruling_differs " + p.String()
	case "decision":
		var most int
		must(b.t, b.DB.Read().QueryRowContext(b.t.Context(), `SELECT max(number) FROM decisions`).Scan(&most))
		n := rapid.IntRange(1, most).Draw(t, "number")
		b.write(`DELETE FROM decisions WHERE number = ?1`, n)
		want = fmt.Sprintf("decision_missing agreement.1.%d", n)
	case "double":
		b.write(again, event)
		want = "event_undecided " + event + "9"
	case "state":
		b.write(`UPDATE notifications SET state = 'erased' WHERE id = ?1`, id)
		want = "notification_differs " + id
	case "attempts":
		b.write(`UPDATE notifications SET attempts = attempts + 1 WHERE id = ?1`, id)
		want = "notification_differs " + id
	case "notification":
		b.write(`DELETE FROM notifications WHERE id = ?1`, id)
		want = "notification_missing " + id
	case "second notification":
		b.write(`INSERT INTO notifications(id, customer_id, event_id, planned_ms, state, attempts, sealed_body)
			SELECT id || 'x', customer_id, event_id, planned_ms, state, attempts, sealed_body FROM notifications WHERE id = ?1`, id)
		want = "notification_unplanned " + id + "x"
	}
	return want, restore
}

// What any valid history left in central is no fault; each planted single
// difference is its one case, and closes when healed.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t, reconcile.Config{})
		h := &history{b: b, at: time.Now().Add(-20 * time.Second), copies: map[mesh.Position]int{}}
		for range rapid.IntRange(1, 4).Draw(rt, "alarms") {
			h.alarm(rt)
			if rapid.Bool().Draw(rt, "and quiet ones") {
				h.quiet(rt)
			}
		}
		records := b.Mesh.Records()
		for len(records) > 0 { // a pass may come between any two batches
			n := rapid.IntRange(1, len(records)).Draw(rt, "batch")
			must(t, b.Ingest.Apply(t.Context(), records[:n]))
			records = records[n:]
			r, err := b.Pass(t.Context(), false)
			must(t, err)
			if r.Summary.Faults != 0 {
				rt.Fatalf("faults of a history that is valid: %+v", r.Cases)
			}
		}
		if got := b.faults(); got != "" {
			rt.Fatalf("faults of a history that is valid:\n%s", got)
		}
		want, heal := h.plant(rt)
		if got := b.faults(); !strings.HasPrefix(got, "open "+want+": ") || strings.Contains(got, "\n") {
			rt.Fatalf("got\n%s\nwant open %s", got, want)
		}
		heal()
		if got := b.faults(); got != "" {
			rt.Fatalf("healed, and still\n%s", got)
		}
		b.DB.Close()
	})
}
