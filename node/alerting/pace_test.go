package alerting

import (
	"testing"
	"time"

	"vedetta/wire/decision"
)

// TestPace: an alarm that comes alone is decided at once; those that follow it
// closely are decided together, none later than the pace.
func TestPace(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		time.Sleep(2 * time.Second)
		var sizes []int
		w.fails(func(b decision.Body) (before, after error) { // fails nothing: it counts
			if n := len(entriesOf(b)); n > 0 {
				sizes = append(sizes, n)
			}
			return nil, nil
		})
		w.sends(w.self, 1, burglary)
		time.Sleep(4 * readPause)
		if n := len(w.verdicts()); n != 1 {
			t.Errorf("%d decided within %s, want the lone alarm", n, 4*readPause)
		}
		for n := range 8 {
			w.sends(w.self, 2+n, burglary)
			time.Sleep(readPause)
		}
		time.Sleep(100 * time.Millisecond)
		if n := len(w.verdicts()); n != 9 {
			t.Errorf("%d decided within the pace, want 9", n)
		}
		w.fails(nil)
		if len(sizes) > 3 {
			t.Errorf("proposals of %d entries, want the first alone and the others together", sizes)
		}
	})
}
