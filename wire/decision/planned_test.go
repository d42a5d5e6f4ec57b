package decision

import "testing"

// A notification never lies before its event, though the agreement's clock
// moves only once a second.
func TestPlannedNeverBeforeReceived(t *testing.T) {
	for name, one := range map[string]struct {
		r    Record
		want int64
	}{
		"the clock is behind by a tick": {Record{ClockMs: 1000, Verdict: &Verdict{ReceivedMs: 1800}}, 1800},
		"decided later":                 {Record{ClockMs: 5000, Verdict: &Verdict{ReceivedMs: 1800}}, 5000},
		"no verdict":                    {Record{ClockMs: 5000}, 5000},
	} {
		if got := one.r.PlannedMs(); got != one.want {
			t.Errorf("%s: %d, want %d", name, got, one.want)
		}
	}
}
