package flood

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"

	"vedetta/bench/stand"
)

// Options of `vedetta-bench flood`.
type Options struct {
	Rate      int           `default:"2000" help:"Strangers' connections per second."`
	Held      int           `default:"5000" help:"Half frames held at once."`
	Datagrams int           `default:"20000" help:"Strangers' datagrams per second."`
	Window    time.Duration `default:"2s" help:"Length of a turn."`
	Rounds    int           `default:"6" help:"Turns of quiet and flood for each kind."`
	Only      []string      `help:"Kinds to measure: connect garbage slow datagram all."`
}

// bound is the promise: p99 under a flood against the quiet beside it.
const bound = 2.0

// Run floods one of three nodes and times known panels that report to it, quiet and
// under each kind of flood in turns, so that what else the machine does falls on
// both. It prints the figures; the error says that it could not measure, never what
// it found.
func Run(ctx context.Context, o Options, bin string, out io.Writer) (err error) {
	if _, err := openFiles(30_000); err != nil {
		return err
	}
	m, err := started(ctx, bin, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Stop(), os.RemoveAll(m.Dir)) }()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	known(ctx, m.Nodes[0].DC09, m.Panels, 2*time.Second) // warm, and known from now on
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(out, "%d cores, load before %s", runtime.NumCPU(), load)
	fmt.Fprintf(out, "known panels: %d long connections, %d with a connection per message, %d by UDP, each an event every %s\n", panelsOfWay, panelsOfWay, panelsOfWay, every)
	fmt.Fprintf(out, "strangers: %d connections/s from 4,096 addresses, up to %d half frames held, %d datagrams/s from 64 addresses, all at one node\n", o.Rate, o.Held, o.Datagrams)
	fmt.Fprintf(out, "p99 in ms, quiet | flood, of all turns together: %d of %s each\n\n", o.Rounds, o.Window)
	for _, kind := range []string{KindConnect, KindGarbage, KindSlow, KindDatagram, KindAll} {
		if len(o.Only) > 0 && !slices.Contains(o.Only, kind) {
			continue
		}
		t := turns{quiet: map[string]*times{}, loud: map[string]*times{}}
		for range o.Rounds {
			if err := o.turn(ctx, m, self, kind, &t); err != nil {
				return err
			}
		}
		t.print(kind, out)
	}
	return nil
}

// turns are all turns of one kind of flood.
type turns struct {
	quiet, loud map[string]*times
	reached     Reached
	node, storm time.Duration // processor time while panels were timed
	took        time.Duration
}

// turn times known panels quietly, then under a flood.
func (o Options) turn(ctx context.Context, m *stand.Stand, self, kind string, t *turns) error {
	to := m.Nodes[0].DC09
	gather(t.quiet, known(ctx, to, m.Panels, o.Window))
	flood, err := stand.Start(ctx, nil, "", self, "strangers", "--to", to, "--kind", kind, "--rate", fmt.Sprint(o.Rate), "--held", fmt.Sprint(o.Held),
		"--datagrams", fmt.Sprint(o.Datagrams), "--account", m.Panels[1].Account)
	if err != nil {
		return err
	}
	pause(ctx, time.Second)
	node, err1 := stand.CPU(m.Nodes[0].PID)
	storm, err2 := stand.CPU(flood.PID())
	began := time.Now()
	gather(t.loud, known(ctx, to, m.Panels, o.Window))
	node2, err3 := stand.CPU(m.Nodes[0].PID)
	storm2, err4 := stand.CPU(flood.PID())
	t.took, t.node, t.storm = t.took+time.Since(began), t.node+node2-node, t.storm+storm2-storm
	if err := errors.Join(err1, err2, err3, err4, flood.Stop()); err != nil {
		return err
	}
	var got Reached
	if err := json.Unmarshal([]byte(flood.Rest()), &got); err != nil {
		return fmt.Errorf("the generator said %q: %w", flood.Rest(), err)
	}
	t.reached.add(got)
	return nil
}

func gather(into, from map[string]*times) {
	for way, t := range from {
		if into[way] == nil {
			into[way] = &times{}
		}
		into[way].Times = append(into[way].Times, t.Times...)
		into[way].Silent += t.Silent
	}
}

func (t turns) print(kind string, out io.Writer) {
	verdict := "holds"
	fmt.Fprintf(out, "%-9s", kind)
	for _, way := range ways() {
		q, l := t.quiet[way], t.loud[way]
		q.Sort()
		l.Sort()
		ratio := float64(l.At(.99)) / float64(max(q.At(.99), time.Microsecond))
		fmt.Fprintf(out, " %s %.1f | %.1f (%.2fx)", way, milli(q.At(.99)), milli(l.At(.99)), ratio)
		if n := q.Silent + l.Silent; n > 0 {
			fmt.Fprintf(out, " %d silent of %d", n, len(q.Times)+len(l.Times))
		}
		if ratio > bound || l.Silent > q.Silent {
			verdict = "FALLS SHORT"
		}
	}
	r := t.reached
	fmt.Fprintf(out, "  %s\n          reached %.0f conn/s, %.0f datagrams/s, %.1f%% were due and not sent; answered %.3f of the datagrams' bytes; cpu node %.0f%%, generator %.0f%% of a core\n",
		verdict, float64(r.Connections)/r.Seconds, float64(r.Datagrams)/r.Seconds, 100*float64(r.Behind)/float64(max(1, r.Behind+r.Connections+r.Datagrams)),
		float64(r.Answers)/float64(max(r.Sent, 1)), 100*t.node.Seconds()/t.took.Seconds(), 100*t.storm.Seconds()/t.took.Seconds())
}

func milli(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// started is the three nodes alone, which trust no address but the panels'.
func started(ctx context.Context, bin string, out io.Writer) (*stand.Stand, error) {
	dir, err := os.MkdirTemp("", "vedetta-flood-")
	if err != nil {
		return nil, err
	}
	m, _, err := stand.Whole(ctx, bin, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	m.Environ = []string{"VEDETTA_RECEPTION_NEVER_BAN=192.0.2.1"} // in the place of loopback
	if _, err := m.NodesAlone(ctx); err != nil {
		fmt.Fprintln(out, m.Logs(1500))
		return nil, errors.Join(err, m.Stop(), os.RemoveAll(dir))
	}
	return m, nil
}
