package reconcile_test

import (
	"testing"
	"time"

	"vedetta/central/centraltest"
	shown "vedetta/central/history"
	"vedetta/central/reconcile"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// A panel's silence is a decision about its own place: central shows it as an
// event of that panel with its plan, and nothing is wrong with it; taken away
// it is missed.
func TestRule30_SilenceIsShownAsDecided(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	at := mesh.Position{Origin: mesh.Agreement(1), Number: 1}
	n := decision.Notification{Event: decision.EventID(at, 0), Contact: centraltest.Contact, Channel: "email", Address: "a-email", Rule: "r-all", DueMs: time.Now().UnixMilli()}
	n.ID = decision.NotificationID(n)
	r := b.Mesh.Decision(1, time.Now(), decision.Record{Customer: centraltest.Customer, Verdict: &decision.Verdict{Entry: at, Customer: centraltest.Customer,
		Panel: centraltest.House, ReceivedMs: time.Now().UnixMilli(), Ruling: decision.RulingEvents,
		Events: []decision.Event{{Standard: "VEDETTA", Code: "350", Qualifier: "new", Category: "communication", Text: "last heard yesterday"}}, Plan: []decision.Notification{n}}})
	if r.Position() != at {
		t.Fatalf("decided at %s, want %s", r.Position(), at)
	}
	b.apply()
	b.want(b.faults(), "")
	page, err := b.History.Events(t.Context(), centraltest.Customer, shown.Query{Limit: 10, Account: "AB12CD34"})
	must(t, err)
	if len(page.Items) != 1 {
		t.Fatalf("%d events of the account, want 1", len(page.Items))
	}
	e := page.Items[0]
	if e.ID != "agreement.1.1.0" || e.Origin != "agreement.1.1" || e.Standard != "VEDETTA" || e.Code != "350" || e.Meaning == nil || *e.Meaning != "Panel is not heard any more" ||
		*e.MeaningIt != "La centrale non comunica più" || e.Panel != centraltest.House || e.Copies != 1 {
		t.Errorf("%+v", e)
	}
	list, err := b.History.Deliveries(t.Context(), centraltest.Customer, e.ID)
	must(t, err)
	if len(list) != 1 || list[0].ID != n.ID || list[0].State != "pending" {
		t.Errorf("%+v, want the planned step", list)
	}
	b.write(`DELETE FROM events WHERE id = ?1`, e.ID)
	if got := b.faults(); got == "" {
		t.Error("a silence that is not shown is no fault")
	}
}
