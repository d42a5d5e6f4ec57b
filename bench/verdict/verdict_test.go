package verdict

import (
	"strings"
	"testing"
)

// whole is a run without fault: two nodes, one alarm, three channels.
func whole() Record {
	return Record{
		Alarms: []Alarm{{Text: "~1~", Acknowledged: true}},
		Handed: []Handed{
			{Channel: "email", ID: "m", Body: "Burglary ~1~ kitchen"},
			{Channel: "webhook", ID: "h", Body: `{"text":"~1~"}`},
			{Channel: "webpush", ID: "c", Topic: topic("c"), Tag: topic("c"), Body: `{"text":"~1~"}`},
		},
		Events: []Event{{ID: "e", Text: "~1~", Position: "a.1-0.7", Copies: 1}},
		Notifications: []Notification{
			{ID: "a", EventID: "e", Channel: "email", State: "delivered"},
			{ID: "b", EventID: "e", Channel: "webhook", State: "delivered"},
			{ID: "c", EventID: "e", Channel: "webpush", State: "delivered"},
		},
		Channels: []string{"email", "webhook", "webpush"},
		Journals: map[string]Journal{"a": {"a.1-0.7": {1}}, "b": {"a.1-0.7": {1}, "a.1-0.8": {2}}},
	}
}

// TestJudgeSeesEveryBreach plants each fault in a good record, for each of the
// three invariants: the judge must not be blind.
func TestJudgeSeesEveryBreach(t *testing.T) {
	if rep := Judge(whole()); len(rep.Breaches) != 0 || rep.Acknowledged != 1 || rep.Notifications != 3 || rep.Delivered != 3 {
		t.Fatalf("a good run is judged %+v", rep)
	}
	again := func(r *Record, i int) { r.Handed = append(r.Handed, r.Handed[i]) }
	lost := func(r *Record, i int) { r.Handed = append(r.Handed[:i], r.Handed[i+1:]...) }
	tests := []struct {
		name   string
		plant  func(*Record)
		breach string // empty: no breach
	}{
		// Invariant 1: acknowledged, so present everywhere.
		{"acknowledged and lost", func(r *Record) { r.Events, r.Handed = nil, nil }, "is no event at central"},
		{"lost but never acknowledged", func(r *Record) { r.Events, r.Handed, r.Alarms[0].Acknowledged = nil, nil, false }, ""},
		{"acknowledged and not on every disk", func(r *Record) { delete(r.Journals["b"], "a.1-0.7") }, "is missing on b"},
		{"not acknowledged and not on every disk", func(r *Record) {
			r.Alarms[0].Acknowledged = false
			delete(r.Journals["b"], "a.1-0.7")
		}, ""},
		{"other bytes on another disk", func(r *Record) { r.Journals["b"]["a.1-0.7"] = Digest{3} }, "differs between a and b"},
		{"a node holds nothing", func(r *Record) { r.Journals["c"] = Journal{} }, "is missing on c"},

		// Invariant 2: handed over once per notification id.
		{"twice an event", func(r *Record) { r.Events = append(r.Events, Event{ID: "f", Text: "~1~"}) }, "is 2 events"},
		{"two mails said to be one", func(r *Record) { again(r, 0) }, "2 handed over by email, the outcome says delivered"},
		{"two mails, unknown", func(r *Record) { again(r, 0); r.Notifications[0].State = "unknown" }, ""},
		{"two mails with different ids", func(r *Record) {
			r.Handed = append(r.Handed, Handed{Channel: "email", ID: "x", Body: "~1~"})
			r.Notifications[0].State = "unknown"
		}, "under two ids"},
		{"webhook repeated under its id", func(r *Record) { again(r, 1) }, ""},
		{"webhook under two ids", func(r *Record) { again(r, 1); r.Handed[3].ID = "x" }, "by webhook under two ids"},
		{"push repeated under its topic", func(r *Record) { again(r, 2) }, ""},
		{"push under two ids", func(r *Record) { again(r, 2); r.Handed[3].ID = "x" }, "by webpush under two ids"},
		{"planned twice", func(r *Record) { r.Notifications = append(r.Notifications, r.Notifications[0]) }, "two notifications by email"},
		{"told of what nobody sent", func(r *Record) {
			r.Handed = append(r.Handed, Handed{Channel: "email", ID: "y", Body: "~2~"})
		}, "which nobody sent"},
		{"told of what is no event", func(r *Record) { r.Events, r.Alarms[0].Acknowledged = nil, false }, "handed over by email, and it is no event"},

		// Invariant 3: every planned notification has an outcome, and a true one.
		{"never settled", func(r *Record) { r.Notifications[1].State = "pending" }, "by webhook never got an outcome"},
		{"not planned", func(r *Record) { r.Notifications = r.Notifications[:2] }, "no notification by webpush"},
		{"no mail", func(r *Record) { lost(r, 0) }, "nothing arrived by email"},
		{"no mail, known as unknown", func(r *Record) { lost(r, 0); r.Notifications[0].State = "unknown" }, ""},
		{"no webhook", func(r *Record) { lost(r, 1) }, "nothing arrived by webhook"},
		{"no push", func(r *Record) { lost(r, 2) }, "nothing arrived by webpush"},
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

func TestSecondMailsAreRare(t *testing.T) {
	for second, breaches := range map[int]int{0: 0, 2: 0, 3: 1} {
		rep := Report{Notifications: 2000, SecondMails: second}
		if rep.RareSeconds(); len(rep.Breaches) != breaches {
			t.Errorf("%d second mails of 2,000: breaches %v, want %d", second, rep.Breaches, breaches)
		}
	}
}
