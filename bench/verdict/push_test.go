package verdict

import (
	"strings"
	"testing"
)

// TestJudgeSeesEveryFaultOfPushes plants each in a good record.
func TestJudgeSeesEveryFaultOfPushes(t *testing.T) {
	pushed := func() Record {
		r := whole()
		r.Notifications = append(r.Notifications, Notification{ID: "n1", EventID: "e", Channel: "webpush", State: "delivered"})
		r.Pushes = []Push{{ID: "n1", Topic: "Z2uLuEznJn3VIN7KSBHI8QpT5jY1LwaY", Tag: "Z2uLuEznJn3VIN7KSBHI8QpT5jY1LwaY", Body: `{"text":"~1~"}`}}
		return r
	}
	if topic("n1") != pushed().Pushes[0].Topic {
		t.Fatalf("topic of n1 is %q", topic("n1"))
	}
	tests := []struct {
		name     string
		plant    func(*Record)
		breach   string // empty: no breach
		repeated int
	}{
		{"as it should be", func(*Record) {}, "", 0},
		{"lost", func(r *Record) { r.Pushes = nil }, "no push arrived", 0},
		{"lost, and the outcome says unknown", func(r *Record) { r.Pushes, r.Notifications[2].State = nil, "unknown" }, "", 0},
		{"refused", func(r *Record) { r.Pushes, r.Notifications[2].State = nil, "refused" }, "", 0},
		{"repeated under its topic", func(r *Record) { r.Pushes = append(r.Pushes, r.Pushes[0]) }, "", 1},
		{"repeated under another topic", func(r *Record) {
			p := r.Pushes[0]
			p.Topic, p.Tag = "x", "x"
			r.Pushes = append(r.Pushes, p)
		}, "has topic", 1},
		{"tag is another", func(r *Record) { r.Pushes[0].Tag = "x" }, "has tag", 0},
		{"for nobody", func(r *Record) { r.Pushes[0].ID = "n2" }, "was not planned", 0},
		{"never settled", func(r *Record) { r.Notifications[2].State = "pending" }, "never got an outcome", 0},
	}
	for _, tt := range tests {
		r := pushed()
		tt.plant(&r)
		rep := Judge(r)
		got := strings.Join(rep.Breaches, "; ")
		if tt.breach == "" && got != "" || !strings.Contains(got, tt.breach) || rep.RepeatedPushes != tt.repeated {
			t.Errorf("%s: breaches %q, want %q; repeated %d, want %d", tt.name, got, tt.breach, rep.RepeatedPushes, tt.repeated)
		}
	}
}
