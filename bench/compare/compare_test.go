package compare

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestLinesAreJudgedByTheMedian: one good or bad turn decides nothing.
func TestLinesAreJudgedByTheMedian(t *testing.T) {
	ratios := func(r ...float64) (turns []Turn) {
		for _, x := range r {
			turns = append(turns, Turn{Ratio: x})
		}
		return turns
	}
	p99 := func(ms ...float64) (turns []Turn) {
		for i := 0; i < len(ms); i += 2 {
			turns = append(turns, Turn{Echo: Figure{P99: ms[i]}, Product: Figure{P99: ms[i+1]}})
		}
		return turns
	}
	for _, c := range []struct {
		name   string
		s      scenario
		turns  []Turn
		median float64
		holds  bool
	}{
		{"one bad", scenario{least: .3}, ratios(.31, .1, .4), .31, true},
		{"one good", scenario{least: .3}, ratios(.29, .9, .2), .29, false},
		{"even", scenario{least: .3}, ratios(.2, .5), .35, true},
		{"fast enough", scenario{}, p99(1, 14, 1, 15, 1, 99), 15, true},
		{"echo was slow", scenario{}, p99(20, 59, 20, 61, 20, 60), 60, true},
		{"too slow", scenario{}, p99(5, 16, 5, 17, 5, 9), 16, false},
	} {
		l := c.s.line(c.turns)
		if l.Median != c.median || l.Holds == nil || *l.Holds != c.holds {
			t.Errorf("%s: %s, want median %v, holds %v", c.name, l, c.median, c.holds)
		}
	}
}

func TestReportIsKept(t *testing.T) {
	dir := t.TempDir()
	r := newReport(Options{Commit: "abc"})
	r.Lines = []Line{Line{Name: "x", Unit: "s"}.of(3, 1, 2).judge(true)}
	if err := r.keep(dir, io.Discard); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*-abc.json"))
	if err != nil || len(paths) != 1 {
		t.Fatalf("%v, %v", paths, err)
	}
	b, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(b, &got); err != nil || got.Version != 1 || got.Machine.Cores == 0 || got.Machine.CPU == "unknown" || got.Lines[0].Median != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}
