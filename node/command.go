package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"vedetta/cluster/config"
	"vedetta/cluster/daemon"
	"vedetta/cluster/env"
	"vedetta/cluster/journal"
)

// cli is every command of vedetta-node.
type cli struct {
	Run     runCommand  `cmd:"" help:"Run the node until SIGINT or SIGTERM."`
	Init    initCommand `cmd:"" help:"Make a new data folder and print its disk id, for the founding list."`
	Journal struct {
		Verify verifyCommand `cmd:"" help:"Check every file of a stopped node's journal and print a report as JSON."`
	} `cmd:"" help:"The journal of a stopped node."`
}

// Commands is the command line of vedetta-node, for daemon.Process.
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
	return Run(w.Ctx, cfg, w.Reload, func() (Config, error) { return Load(c.Config, w.Environ) }, w.ErrOut)
}

type initCommand struct {
	Data   string `required:"" help:"New folder."`
	OrShow bool   `help:"Print the disk id of a folder that exists instead of refusing it."`
}

func (c *initCommand) Run(w *daemon.World) error {
	if !journal.Exists(c.Data) {
		if err := journal.Create(c.Data); err != nil {
			return err
		}
	} else if !c.OrShow {
		return daemon.BadConfig{Err: fmt.Errorf("%s is a data folder already; want a new one, or --or-show", c.Data)}
	}
	disk, err := journal.DiskID(c.Data)
	if err != nil {
		return daemon.BadStorage{Err: err}
	}
	_, err = fmt.Fprintln(w.Out, disk)
	return err
}

type verifyCommand struct {
	Data string `required:"" help:"Data folder of a stopped node."`
}

func (c *verifyCommand) Run(w *daemon.World) error {
	e := env.Quiet(1)
	e.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	j, err := journal.Open(journal.Config{Dir: c.Data}, e)
	if err != nil {
		return daemon.BadStorage{Err: err}
	}
	defer j.Close()
	report, err := j.Verify(w.Ctx)
	if err != nil {
		return daemon.BadStorage{Err: err}
	}
	enc := json.NewEncoder(w.Out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(report); err != nil {
		return err
	}
	if len(report.Faults) > 0 {
		return errors.New("the journal has faults; nothing was changed")
	}
	return nil
}
