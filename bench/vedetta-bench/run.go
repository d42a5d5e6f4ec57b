package main

import (
	"context"
	"os"
	"path/filepath"

	"vedetta/bench/chaos"
	"vedetta/bench/compare"
	"vedetta/bench/echo"
	"vedetta/bench/flood"
	"vedetta/bench/million"
)

// run carries out one command with the programs that stand beside this one.
func run(ctx context.Context, command string, c cli) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	bin := filepath.Dir(self)
	switch command {
	case "echo":
		return echo.Serve(ctx, os.Stdout)
	case "strangers":
		return c.Strangers.Run(ctx, os.Stdout)
	case "panels":
		return million.Main(ctx, c.Panels, os.Stdout)
	case "chaos":
		return chaos.Main(ctx, c.Chaos, bin, os.Stdout)
	case "flood":
		return flood.Run(ctx, c.Flood, bin, os.Stdout)
	case "hold":
		return flood.Hold(ctx, c.Hold, bin, os.Stdout)
	}
	return compare.Run(ctx, compare.Options{Bin: bin, Results: c.Run.Results, Commit: c.Run.Commit, Rounds: c.Run.Rounds,
		Window: c.Run.Window, Warm: c.Run.Warm, Only: c.Run.Only, Profile: c.Run.Profile}, os.Stdout)
}
