package chaos

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
)

//go:embed page.html
var pageHTML string

// Drawing of the timeline, in SVG units.
const (
	chartWidth  = 1000
	chartHeight = 90
	laneHeight  = 18
)

// page is what page.html shows.
type page struct {
	Report
	Kills, Pauses int
	Width, Height int
	Charts        []chart
	Lanes         []lane
	LaneHeight    int
	LanesHeight   int
	Axis          []tick
	Rows          []row
}

type chart struct {
	Title string
	Peak  string
	Lines []line
}

type line struct {
	Name   string
	Class  string
	Points string // of an SVG polyline
}

// lane is one node: when it was held, and when it was killed.
type lane struct {
	Node  string
	Y     int
	Held  []span
	Kills []span
}

type span struct {
	X, Width float64
	Title    string
}

type tick struct {
	X    float64
	Text string
}

type row struct {
	Name string
	Spread
}

// WritePage writes the report as one HTML page that needs nothing else.
func (r Report) WritePage(w io.Writer, t Timeline) error {
	n := t.Seconds()
	x := func(second float64) float64 { return second / float64(n) * chartWidth }
	p := page{Report: r, Width: chartWidth, Height: chartHeight, LaneHeight: laneHeight}
	for second := 0; second <= n; second += 30 {
		p.Axis = append(p.Axis, tick{x(float64(second)), fmt.Sprintf("%d s", second)})
	}
	ints := func(list []int) (out []float64) {
		for _, v := range list {
			out = append(out, float64(v))
		}
		return out
	}
	draw := func(title, unit string, series map[string][]float64) {
		peak := 0.0
		for _, list := range series {
			peak = max(peak, slices.Max(append(list, 0)))
		}
		c := chart{Title: title, Peak: strings.TrimSpace(fmt.Sprintf("%.4g %s", peak, unit))}
		for i, name := range slices.Sorted(maps.Keys(series)) {
			var b strings.Builder
			for second, v := range series[name] {
				fmt.Fprintf(&b, "%.1f,%.1f ", x(float64(second)+0.5), chartHeight-v/max(peak, 1e-9)*(chartHeight-4))
			}
			c.Lines = append(c.Lines, line{name, fmt.Sprint("s", i), b.String()})
		}
		p.Charts = append(p.Charts, c)
	}
	draw("Alarms per second", "per second", map[string][]float64{"sent": ints(t.Sent), "acknowledged": ints(t.Acked)})
	draw("99th percentile of an acknowledgement", "s", map[string][]float64{"exchange": t.AckP99})
	arrived := map[string][]float64{}
	for channel, list := range t.Arrived {
		arrived[channel] = ints(list)
	}
	draw("Arrived at the catcher, per second", "per second", arrived)
	p.Lanes, p.Kills, p.Pauses = lanes(t, x)
	p.LanesHeight = len(p.Lanes)*laneHeight + 4
	p.Rows = append(p.Rows, row{"exchange that was acknowledged", r.ACK}, row{"alarm to its ACK, repeats included", r.Alarm})
	for _, channel := range slices.Sorted(maps.Keys(r.Handed)) {
		p.Rows = append(p.Rows, row{"ACK to " + channel, r.Handed[channel]})
	}
	parsed, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("page of the report: %w", err)
	}
	return parsed.Execute(w, p)
}

// lanes draws what was struck, a lane for each node.
func lanes(t Timeline, x func(float64) float64) (out []lane, kills, pauses int) {
	at := map[string]int{}
	var nodes []string
	for _, s := range t.Struck {
		if !slices.Contains(nodes, s.Node) {
			nodes = append(nodes, s.Node)
		}
	}
	slices.Sort(nodes)
	for i, n := range nodes {
		at[n] = i
		out = append(out, lane{Node: n, Y: i * laneHeight})
	}
	began := map[string]Struck{}
	for _, s := range t.Struck {
		l, second := &out[at[s.Node]], s.At.Sub(t.Began).Seconds()
		switch s.Do {
		case DoKill:
			kills++
			l.Kills = append(l.Kills, span{X: x(second), Title: fmt.Sprintf("%.1f s: %s killed, %s", second, s.Node, s.Why)})
		case DoStop:
			pauses++
			began[s.Node] = s
		default:
			if from, ok := began[s.Node]; ok {
				delete(began, s.Node)
				start := from.At.Sub(t.Began).Seconds()
				l.Held = append(l.Held, span{x(start), x(second) - x(start), fmt.Sprintf("%.1f s: %s held for %.1f s, %s", start, s.Node, second-start, from.Why)})
			}
		}
	}
	return out, kills, pauses
}
