package verdict

import (
	"strings"
	"testing"
)

// whole is a run without fault.
func whole() Record {
	return Record{
		Alarms: []Alarm{{Text: "~1~", Acknowledged: true}},
		Mails:  []Mail{{MessageID: "m", Body: "Burglary ~1~ kitchen"}},
		Hooks:  []Hook{{ID: "h", Body: `{"text":"~1~"}`}},
		Events: []Event{{ID: "e", Text: "~1~", Copies: 1}},
		Notifications: []Notification{
			{ID: "a", EventID: "e", Channel: "email", State: "delivered"},
			{ID: "b", EventID: "e", Channel: "webhook", State: "delivered"},
		},
	}
}

// TestJudgeSeesEveryBreach plants each fault in a good record: the judge must
// not be blind.
func TestJudgeSeesEveryBreach(t *testing.T) {
	if rep := Judge(whole()); len(rep.Breaches) != 0 || rep.Acknowledged != 1 || rep.Delivered != 2 {
		t.Fatalf("a good run is judged %+v", rep)
	}
	tests := []struct {
		name   string
		plant  func(*Record)
		breach string // empty: no breach
	}{
		{"acknowledged and lost", func(r *Record) { r.Events = nil }, "is no event at central"},
		{"lost but never acknowledged", func(r *Record) { r.Events, r.Alarms[0].Acknowledged = nil, false }, ""},
		{"twice an event", func(r *Record) { r.Events = append(r.Events, Event{ID: "f", Text: "~1~"}) }, "is 2 events"},
		{"no mail", func(r *Record) { r.Mails = nil }, "no mail arrived"},
		{"no mail, known as unknown", func(r *Record) { r.Mails, r.Notifications[0].State = nil, "unknown" }, ""},
		{"two mails said to be one", func(r *Record) { r.Mails = append(r.Mails, r.Mails[0]) }, "2 mails arrived"},
		{"two mails, unknown", func(r *Record) {
			r.Mails, r.Notifications[0].State = append(r.Mails, r.Mails[0]), "unknown"
		}, ""},
		{"two mails with different ids", func(r *Record) {
			r.Mails = append(r.Mails, Mail{MessageID: "x", Body: "~1~"})
			r.Notifications[0].State = "unknown"
		}, "different Message-IDs"},
		{"webhook repeated under its id", func(r *Record) { r.Hooks = append(r.Hooks, r.Hooks[0]) }, ""},
		{"webhook under two ids", func(r *Record) { r.Hooks = append(r.Hooks, Hook{ID: "x", Body: "~1~"}) }, "two ids"},
		{"no webhook", func(r *Record) { r.Hooks = nil }, "no webhook call"},
		{"never settled", func(r *Record) { r.Notifications[1].State = "pending" }, "never got an outcome"},
		{"not planned", func(r *Record) { r.Notifications = r.Notifications[:1] }, "no notification by webhook"},
		{"planned twice", func(r *Record) { r.Notifications = append(r.Notifications, r.Notifications[0]) }, "two notifications"},
	}
	for _, tt := range tests {
		r := whole()
		tt.plant(&r)
		got := strings.Join(Judge(r).Breaches, "; ")
		if tt.breach == "" && got != "" || !strings.Contains(got, tt.breach) {
			t.Errorf("%s: breaches %q, want %q", tt.name, got, tt.breach)
		}
	}
}
