package roster

import (
	"testing"
	"time"
)

// Interval and grace together are the reporting time of EN 50136-1, as the
// reference has it (dc09.md, 8.1).
func TestProfilesAreTheReportingTimes(t *testing.T) {
	const d = 24 * time.Hour
	want := map[string][2]time.Duration{
		"SP1": {32 * d}, "SP2": {25 * time.Hour}, "SP3": {30 * time.Minute}, "SP4": {3 * time.Minute}, "SP5": {90 * time.Second}, "SP6": {20 * time.Second},
		"DP1": {25 * time.Hour, 50 * time.Hour}, "DP2": {30 * time.Minute, 25 * time.Hour}, "DP3": {3 * time.Minute, 25 * time.Hour}, "DP4": {90 * time.Second, 5 * time.Hour},
	}
	for _, p := range Profiles() {
		got := [2]time.Duration{time.Duration(p.Poll+p.Grace) * time.Second, time.Duration(p.AlternativePoll+p.AltGrace) * time.Second}
		if got != want[p.Name] {
			t.Errorf("%s: %v, want %v", p.Name, got, want[p.Name])
		}
		if found, ok := ProfileOf(p.Name); !ok || found != p {
			t.Errorf("%s is not found by its name", p.Name)
		}
		delete(want, p.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	if _, ok := ProfileOf("SP7"); ok {
		t.Error("SP7 is a profile")
	}
}
