// Command vedetta-bench measures the product beside a plain echo server and
// keeps what it found, and judges it under chaos and among strangers. See
// `vedetta-bench --help`.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"vedetta/bench/chaos"
	"vedetta/bench/flood"
	"vedetta/bench/million"
)

type cli struct {
	Run struct {
		Results string        `default:"bench/results" help:"Folder for the JSON of this run."`
		Commit  string        `default:"unknown" help:"What was built; stands in the results."`
		Rounds  int           `default:"5" help:"Turns of echo and product for each line."`
		Window  time.Duration `default:"2s" help:"Length of a turn."`
		Warm    time.Duration `default:"500ms" help:"Before each turn, not counted."`
		Only    string        `help:"Regular expression of the lines to measure: per-message long polls latency udp handover size."`
		Profile string        `help:"Folder for profiles of a node under load."`
	} `cmd:"" default:"withargs" help:"Measure, print, keep."`
	Chaos     chaos.Options     `cmd:"" help:"Kill and hold nodes under load, and judge what came of it."`
	Flood     flood.Options     `cmd:"" help:"Time known panels while strangers flood their node."`
	Hold      flood.HoldOptions `cmd:"" help:"Hold 40,000 connections on one node, and weigh it."`
	Panels    million.Options   `cmd:"" help:"Measure what a million supervised panels cost a node, in this process."`
	Strangers flood.Generator   `cmd:"" help:"Be the strangers of a flood until stopped."`
	Echo      struct{}          `cmd:"" help:"Be the echo server until stopped; prints its address."`
}

func main() {
	var c cli
	k := kong.Parse(&c, kong.Name("vedetta-bench"), kong.Description("Speed, size and bearing of the product."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, k.Command(), c); err != nil {
		fmt.Fprintln(os.Stderr, "vedetta-bench:", err)
		os.Exit(1)
	}
}
