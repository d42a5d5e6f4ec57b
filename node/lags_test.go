package node

import (
	"testing"
	"time"
)

func TestHistoryTellsSeconds(t *testing.T) {
	var h history
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	h.note(at(0), 10)
	h.note(at(5), 10)
	h.note(at(10), 12)
	h.note(at(20), 15)
	for _, tt := range []struct {
		held, lacks uint64
		want        time.Duration
	}{
		{15, 0, 0},
		{15, 1, 10 * time.Second},  // it has 14: the 15th came at 20
		{15, 3, 10 * time.Second},  // it has 12
		{15, 4, 20 * time.Second},  // it has 11: the 12th came at 10
		{15, 15, 30 * time.Second}, // it has nothing
		{16, 1, 0},                 // came since the last sample
		{15, 99, 30 * time.Second},
	} {
		if got := h.behind(at(30), tt.held, tt.lacks); got != tt.want {
			t.Errorf("of %d it lacks %d: %s, want %s", tt.held, tt.lacks, got, tt.want)
		}
	}
	for i := range 10 * lagSamples {
		h.note(at(100+i), uint64(100+i))
	}
	if len(h.held) > lagSamples {
		t.Errorf("%d samples, want at most %d", len(h.held), lagSamples)
	}
	end := 100 + 10*lagSamples - 1
	if got := h.behind(at(end), uint64(end), uint64(end)); got != time.Duration(end)*time.Second {
		t.Errorf("who has nothing is behind by %s, want since the first entry, %d s", got, end)
	}
}
