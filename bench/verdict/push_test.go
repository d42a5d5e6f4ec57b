package verdict

import (
	"strings"
	"testing"
)

// TestJudgeSeesEveryFaultOfPushes plants each in a good record.
func TestJudgeSeesEveryFaultOfPushes(t *testing.T) {
	pushed := func() Record {
		r := whole()
		r.Channels = []string{"email", "webhook"} // pushes are there, and need not arrive
		r.Notifications[2].ID = "n1"
		r.Handed[2] = Handed{Channel: "webpush", ID: "n1", Topic: "Z2uLuEznJn3VIN7KSBHI8QpT5jY1LwaY", Tag: "Z2uLuEznJn3VIN7KSBHI8QpT5jY1LwaY", Body: `{"text":"~1~"}`}
		return r
	}
	if topic("n1") != pushed().Handed[2].Topic {
		t.Fatalf("topic of n1 is %q", topic("n1"))
	}
	tests := []struct {
		name     string
		plant    func(*Record)
		breach   string // empty: no breach
		repeated int
	}{
		{"as it should be", func(*Record) {}, "", 0},
		{"lost", func(r *Record) { r.Handed = r.Handed[:2] }, "nothing arrived by webpush", 0},
		{"lost, and the outcome says unknown", func(r *Record) { r.Handed, r.Notifications[2].State = r.Handed[:2], "unknown" }, "", 0},
		{"refused", func(r *Record) { r.Handed, r.Notifications[2].State = r.Handed[:2], "refused" }, "", 0},
		{"refused though all should arrive", func(r *Record) {
			r.Handed, r.Notifications[2].State, r.Channels = r.Handed[:2], "refused", whole().Channels
		}, "nothing arrived by webpush", 0},
		{"repeated under its topic", func(r *Record) { r.Handed = append(r.Handed, r.Handed[2]) }, "", 1},
		{"repeated under another topic", func(r *Record) {
			p := r.Handed[2]
			p.Topic, p.Tag = "x", "x"
			r.Handed = append(r.Handed, p)
		}, "has topic", 1},
		{"tag is another", func(r *Record) { r.Handed[2].Tag = "x" }, "has tag", 0},
		{"for nobody", func(r *Record) { r.Handed[2].ID = "n2" }, "was not planned", 0},
		{"never settled", func(r *Record) { r.Notifications[2].State = "pending" }, "never got an outcome", 0},
	}
	for _, tt := range tests {
		r := pushed()
		tt.plant(&r)
		rep := Judge(r)
		got := strings.Join(rep.Breaches, "; ")
		if tt.breach == "" && got != "" || !strings.Contains(got, tt.breach) || rep.Repeated["webpush"] != tt.repeated {
			t.Errorf("%s: breaches %q, want %q; repeated %v, want %d", tt.name, got, tt.breach, rep.Repeated, tt.repeated)
		}
	}
}
