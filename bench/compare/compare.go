// Package compare measures what the product promises about speed and size, each
// line beside the echo server in the same run on the same machine: the two are
// measured in turns, several times, and what counts is the median of the turns'
// ratios. It prints a table and keeps everything as JSON; it says of each line
// whether it holds, and ends well when it has measured, whatever it found.
//
// Absolute figures are of this machine in these minutes; ratios travel.
package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"vedetta/bench/stand"
)

// Options of a run.
type Options struct {
	Bin     string        // folder of the programs
	Results string        // folder for the JSON
	Commit  string        // what was built
	Rounds  int           // turns of echo and product
	Window  time.Duration // of one turn
	Warm    time.Duration // before it
	Only    string        // regular expression of lines' names; empty: all
	Profile string        // folder for profiles of the nodes under load; empty: none
}

// bench is one run.
type bench struct {
	Options
	only   *regexp.Regexp
	out    io.Writer
	mesh   *stand.Stand
	echo   *stand.Process
	report Report
}

// Run measures all lines.
func Run(ctx context.Context, o Options, out io.Writer) (err error) {
	b := &bench{Options: o, out: out}
	if b.only, err = regexp.Compile(o.Only); err != nil {
		return fmt.Errorf("--only: %w", err)
	}
	if o.Rounds < 1 || o.Window < 200*time.Millisecond {
		return fmt.Errorf("--rounds %d --window %s: want at least 1 and 200ms", o.Rounds, o.Window)
	}
	dir, err := os.MkdirTemp("", "vedetta-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b.report = newReport(o)
	fmt.Fprintf(out, "%s\n", b.report.Machine)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if b.echo, err = stand.Start(ctx, nil, "", self, "echo"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.echo.Stop()) }()
	if err := b.whole(ctx, filepath.Join(dir, "mesh")); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			fmt.Fprintln(out, b.mesh.Logs(1500))
		}
		err = errors.Join(err, b.mesh.Stop())
	}()
	if err := b.nodes(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out)
	b.report.print(out)
	return b.report.keep(o.Results, out)
}

// whole measures the product as `local up` runs it, central and all.
func (b *bench) whole(ctx context.Context, dir string) error {
	m, took, err := stand.Whole(ctx, b.Bin, dir)
	if err != nil {
		return err
	}
	b.mesh = m
	b.add(Line{Name: "up", What: "`local up` from nothing, keys and certificates made, to all ready", Unit: "s"}.of(took.Seconds()))
	if b.only.MatchString("handover") {
		return b.handover(ctx)
	}
	return nil
}

// nodes measures the three nodes alone.
func (b *bench) nodes(ctx context.Context) error {
	b.mesh.Profile = b.Profile != ""
	took, err := b.mesh.NodesAlone(ctx)
	if err != nil {
		return err
	}
	b.add(Line{Name: "start", What: "three nodes, from the first one's start to all ready", Unit: "s", Bound: "< 3"}.of(took.Seconds()).judge(took < 3*time.Second))
	if b.only.MatchString("size") {
		if err := b.size(ctx); err != nil {
			return err
		}
	}
	return b.turns(ctx)
}

// size waits for a quiet node and weighs each.
func (b *bench) size(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(10 * time.Second):
	}
	var all []float64
	most := 0.0
	for _, n := range b.mesh.Nodes {
		rss, err := stand.RSS(n.PID)
		if err != nil {
			return err
		}
		mib := float64(rss) / (1 << 20)
		all, most = append(all, mib), max(most, mib)
	}
	b.add(Line{Name: "size", What: "resident memory of an idle node, 1,002 panels, 10 s after its start", Unit: "MiB", Bound: "< 60"}.of(all...).judge(most < 60))
	return nil
}

// add takes a line into the report and says it at once.
func (b *bench) add(l Line) {
	b.report.Lines = append(b.report.Lines, l)
	fmt.Fprintf(b.out, "  %s\n", l)
}
