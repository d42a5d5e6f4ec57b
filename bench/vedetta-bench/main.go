// Command vedetta-bench measures the product, and judges it under chaos. See `vedetta-bench --help`.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"vedetta/bench/chaos"
	"vedetta/bench/compare"
	"vedetta/bench/echo"
	"vedetta/bench/million"
)

type cli struct {
	Run struct {
		Results string        `default:"bench/results" help:"Folder for the JSON of this run."`
		Commit  string        `default:"unknown" help:"What was built; stands in the results."`
		Rounds  int           `default:"5" help:"Turns of echo and product for each line."`
		Window  time.Duration `default:"2s" help:"Length of a turn."`
		Warm    time.Duration `default:"500ms" help:"Before each turn, not counted."`
		Only    string        `help:"Regular expression of the lines to measure: per-message long polls latency handover size."`
		Profile string        `help:"Folder for profiles of a node under load."`
	} `cmd:"" default:"withargs" help:"Measure, print, keep."`
	Chaos  chaos.Options   `cmd:"" help:"Kill and hold nodes under load, and judge what came of it."`
	Panels million.Options `cmd:"" help:"Measure what a million supervised panels cost a node, in this process."`
	Echo   struct{}        `cmd:"" help:"Be the echo server until stopped; prints its address."`
}

func main() {
	var c cli
	k := kong.Parse(&c, kong.Name("vedetta-bench"), kong.Description("Speed and size of the product beside a plain echo server."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, k.Command(), c); err != nil {
		fmt.Fprintln(os.Stderr, "vedetta-bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, command string, c cli) error {
	self, err := os.Executable()
	switch {
	case err != nil:
		return err
	case command == "echo":
		return echo.Serve(ctx, os.Stdout)
	case command == "panels":
		return million.Main(ctx, c.Panels, os.Stdout)
	case command == "chaos":
		return chaos.Main(ctx, c.Chaos, filepath.Dir(self), os.Stdout)
	}
	return compare.Run(ctx, compare.Options{Bin: filepath.Dir(self), Results: c.Run.Results, Commit: c.Run.Commit, Rounds: c.Run.Rounds, Window: c.Run.Window, Warm: c.Run.Warm, Only: c.Run.Only, Profile: c.Run.Profile}, os.Stdout)
}
