package compare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Report is what is kept of a run, version 1.
type Report struct {
	Version  int       `json:"v"`
	Time     time.Time `json:"time"`
	Commit   string    `json:"commit"`   // "-dirty" when the tree had changes
	Command  string    `json:"command"`  // that repeats it
	Topology string    `json:"topology"` // what ran where
	Machine  Machine   `json:"machine"`
	Lines    []Line    `json:"lines"`
}

// Machine is where it was measured.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Load   string `json:"load_average"` // before the run: what others did
}

func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s, Linux %s, %s, load %s", m.CPU, m.Cores, m.Memory, m.Kernel, m.Go, m.Load)
}

// Line is one promise and what was measured.
type Line struct {
	Name   string    `json:"name"`
	What   string    `json:"what"`
	Bound  string    `json:"bound,omitempty"`
	Unit   string    `json:"unit"`
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Values []float64 `json:"values"`
	Holds  *bool     `json:"holds"` // null: nothing is promised
	Note   string    `json:"note,omitempty"`
	Turns  []Turn    `json:"turns,omitempty"`
}

func (l Line) of(values ...float64) Line {
	sorted := slices.Sorted(slices.Values(values))
	l.Values, l.Min, l.Max = values, sorted[0], sorted[len(sorted)-1]
	l.Median = sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		l.Median = (sorted[len(sorted)/2-1] + l.Median) / 2
	}
	return l
}

func (l Line) judge(holds bool) Line {
	l.Holds = &holds
	return l
}

func (l Line) String() string {
	verdict := ""
	if l.Holds != nil {
		verdict = map[bool]string{true: "holds", false: "FALLS SHORT"}[*l.Holds]
	}
	note := ""
	if l.Note != "" {
		note = "  (" + l.Note + ")"
	}
	return fmt.Sprintf("%-17s %9.3f %-7s [%.3f..%.3f]  %-26s %-11s %s%s", l.Name, l.Median, l.Unit, l.Min, l.Max, l.Bound, verdict, l.What, note)
}

func newReport(o Options) Report {
	r := Report{Version: 1, Commit: o.Commit, Time: time.Now().UTC().Truncate(time.Second), Command: "make bench",
		Topology: "generator, echo server and three nodes on this machine, over loopback; central only for the lines up and handover"}
	if o.Only != "" {
		r.Command += " ONLY='" + o.Only + "'"
	}
	r.Machine = Machine{CPU: procLine("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Memory: procLine("/proc/meminfo", "MemTotal"),
		Kernel: word("/proc/sys/kernel/osrelease", 1), Go: runtime.Version(), Load: word("/proc/loadavg", 3)}
	return r
}

func procLine(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func word(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	f := strings.Fields(string(b))
	return strings.Join(f[:min(n, len(f))], " ")
}

func (r Report) print(out io.Writer) {
	short := 0
	for _, l := range r.Lines {
		fmt.Fprintln(out, l)
		if l.Holds != nil && !*l.Holds {
			short++
		}
	}
	fmt.Fprintf(out, "%d of %d lines fall short; %s\n", short, len(r.Lines), r.Topology)
}

// keep writes the report under its time and commit.
func (r Report) keep(dir string, out io.Writer) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(r); err != nil {
		return err
	}
	path := filepath.Join(dir, r.Time.Format("2006-01-02T150405Z")+"-"+r.Commit+".json")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "kept in", path)
	return err
}
