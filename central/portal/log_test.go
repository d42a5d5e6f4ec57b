package portal_test

import (
	"strings"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/history"
	"vedetta/wire/decision"
)

// A webhook has no provider: the log says that the customer's server refused,
// and how; and offers only what can occur.
func TestLogSaysWhoRefused(t *testing.T) {
	v := newVisitor(t)
	events, err := v.s.History.Events(t.Context(), centraltest.Customer, history.Query{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	settled := false
	for _, e := range events.Items {
		list, err := v.s.History.OfEvent(t.Context(), centraltest.Customer, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			if n.Channel != "webhook" || n.State != "pending" {
				continue
			}
			v.s.Mesh.Decision(1, time.Now(), decision.Record{Customer: centraltest.Customer, Settled: &decision.Settled{Outcome: decision.Outcome{Notification: n.ID, Attempt: 9,
				By: centraltest.Origin("arezzo"), State: decision.StateRefused, Reason: "provider_refused", ProviderRef: "http 404"}}})
			settled = true
			v.apply()
			v.get("/notifications", 200, "il server ha risposto con un errore (http 404)")
			v.get("/events/"+e.ID, 200, "il server ha risposto con un errore (http 404)")
		}
	}
	if !settled {
		t.Fatal("no call under way in the story")
	}
	body := v.get("/notifications", 200, `<option value="webhook">`)
	for _, none := range []string{"sms", "whatsapp", "voice", "automation", "erased"} {
		if strings.Contains(body, `<option value="`+none+`"`) {
			t.Errorf("%s is offered and can't occur", none)
		}
	}
}
