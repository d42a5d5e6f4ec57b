package central

import (
	"fmt"

	"vedetta/cluster/config"
	"vedetta/cluster/daemon"
)

type cli struct {
	Run runCommand `cmd:"" default:"withargs" help:"Run central until SIGINT or SIGTERM."`
}

// Commands is the command line of vedetta-central, for daemon.Process.
func Commands() any { return &cli{} }

type runCommand struct {
	Config      string `required:"" help:"YAML file; VEDETTA_ variables stand above it."`
	CheckConfig bool   `help:"Check the configuration and stop."`
	PrintConfig bool   `help:"Print the configuration in force, secrets hidden, and stop."`
}

func (c *runCommand) Run(w *daemon.World) error {
	cfg, err := Load(c.Config, w.Environ)
	if err != nil {
		return daemon.BadConfig{Err: err}
	}
	if c.PrintConfig {
		return config.Print(w.Out, cfg)
	}
	if c.CheckConfig {
		_, err := fmt.Fprintf(w.Out, "%s: good\n", c.Config)
		return err
	}
	return Run(w.Ctx, cfg, w.Reload, w.ErrOut)
}
