package readiness

import (
	"slices"
	"testing"
	"time"
)

func good(at time.Time) Facts {
	return Facts{Sites: 3, Answering: 3, LeaderSeen: at, Member: true, Caught: true, DiskFree: 0.5, DiskFloor: 0.1, Keys: true}
}

func TestRule09_ReadyNeedsMajorityAndLeader(t *testing.T) {
	start := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name   string
		change func(*Facts)
		want   []Reason
	}{
		{"all well", func(*Facts) {}, []Reason{}},
		{"one site away", func(f *Facts) { f.Answering = 2 }, []Reason{}},
		{"two sites away", func(f *Facts) { f.Answering = 1 }, []Reason{NoMajority}},
		{"five sites, two answer", func(f *Facts) { f.Sites, f.Answering = 5, 2 }, []Reason{NoMajority}},
		{"an election of 29 s closes nothing", func(f *Facts) { f.LeaderSeen = start.Add(-29 * time.Second) }, []Reason{}},
		{"no leader for 31 s", func(f *Facts) { f.LeaderSeen = start.Add(-31 * time.Second) }, []Reason{NoMajority}},
		{"leader never seen", func(f *Facts) { f.LeaderSeen = time.Time{} }, []Reason{NoMajority}},
		{"disk id not admitted", func(f *Facts) { f.Member = false }, []Reason{Recovering}},
		{"disk nearly full", func(f *Facts) { f.DiskFree = 0.09 }, []Reason{DiskFull}},
		{"clock two seconds behind", func(f *Facts) { f.ClockOff, f.ClockBound = -3*time.Second, 2*time.Second }, []Reason{Clock}},
		{"keys missing", func(f *Facts) { f.Keys = false }, []Reason{KeysMissing}},
		{"draining", func(f *Facts) { f.Draining = true }, []Reason{Draining}},
	}
	for _, tt := range tests {
		f := good(start)
		tt.change(&f)
		v := new(Core).Step(start, f)
		if !slices.Equal(v.Reasons, tt.want) || v.Ready != (len(tt.want) == 0) || v.Reasons == nil {
			t.Errorf("%s: ready %v, reasons %v, want %v", tt.name, v.Ready, v.Reasons, tt.want)
		}
	}
}

// An election, however long, closes no listener before there was no leader for
// 30 s and ten more.
func TestRule09_AnElectionAloneClosesNothing(t *testing.T) {
	var c Core
	start := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for s := range 60 {
		now := start.Add(time.Duration(s) * time.Second)
		f := good(now)
		if s > 5 {
			f.LeaderSeen = start.Add(5 * time.Second)
		}
		v := c.Step(now, f)
		if ready, open := s <= 35, s <= 45; v.Ready != ready || v.Open != open {
			t.Errorf("%d s without a leader: ready %v open %v, want %v %v", s-5, v.Ready, v.Open, ready, open)
		}
	}
}

func TestListenersCloseAfterTenSecondsAndReopenAfterFive(t *testing.T) {
	var c Core
	start := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	steps := []struct {
		at          float64 // seconds
		answering   int
		ready, open bool
	}{
		{0, 1, false, false}, // not yet up
		{1, 2, true, true},   // the first opening waits for nothing
		{2, 1, false, true},  // cut off: not ready at once, still open
		{11.9, 1, false, true},
		{12, 1, false, false}, // ten seconds: closed
		{13, 2, true, false},  // back, not yet stable
		{14, 1, false, false}, // not stable
		{15, 2, true, false},
		{19.9, 2, true, false},
		{20, 2, true, true}, // five seconds stable: open
	}
	for _, s := range steps {
		now := start.Add(time.Duration(s.at * float64(time.Second)))
		f := good(now)
		f.Answering = s.answering
		if v := c.Step(now, f); v.Ready != s.ready || v.Open != s.open {
			t.Errorf("at %v s: ready %v open %v, want %v %v", s.at, v.Ready, v.Open, s.ready, s.open)
		}
	}
}
