package million

import (
	"io"
	"testing"
	"time"
)

// An idle panel takes 512 bytes of a node at most, its roster entry included
// (design, section 9); a twentieth of a million shows it as well.
func TestAnIdlePanelTakesAtMost512Bytes(t *testing.T) {
	r, err := Run(t.Context(), Options{Panels: 50_000, PerCustomer: 1000, Interval: time.Minute, Seconds: 3}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if sum := r.RosterBytes + r.SuperBytes; sum > 512 {
		t.Errorf("%.0f bytes of roster and %.0f of supervision, want 512 together", r.RosterBytes, r.SuperBytes)
	}
	if perPanel := r.DigestBytes / (50_000. / 60); perPanel > 10 {
		t.Errorf("%.1f bytes of digest for a panel heard, want 10 at most", perPanel)
	}
	if r.FalselyRaise != 0 {
		t.Errorf("%d panels raised though all poll", r.FalselyRaise)
	}
}
