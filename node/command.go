package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/alecthomas/kong"

	"vedetta/cluster/config"
	"vedetta/cluster/env"
	"vedetta/cluster/journal"
)

// Exit codes of the daemon; a promise.
const (
	exitStopped = 0
	exitFault   = 1  // ran and found a fault
	exitConfig  = 64 // bad configuration or usage: not to be restarted
	exitStorage = 70 // fatal storage: to be restarted
)

// cli is every command of vedetta-node.
type cli struct {
	Run     runCommand  `cmd:"" help:"Run the node until SIGINT or SIGTERM."`
	Init    initCommand `cmd:"" help:"Make a new data folder and print its disk id, for the founding list."`
	Journal struct {
		Verify verifyCommand `cmd:"" help:"Check every file of a stopped node's journal and print a report as JSON."`
	} `cmd:"" help:"The journal of a stopped node."`
}

type world struct {
	ctx         context.Context
	environ     []string
	out, errOut io.Writer
}

// usage is an error that exits with exitConfig.
type usage struct{ err error }

func (u usage) Error() string { return u.err.Error() }
func (u usage) Unwrap() error { return u.err }

// Main parses and runs one command line and returns the exit code.
func Main(ctx context.Context, args, environ []string, out, errOut io.Writer) int {
	exited := -1
	parser, err := kong.New(&cli{}, kong.Name("vedetta-node"), kong.Description("One receiver node of Vedetta."),
		kong.Writers(out, errOut), kong.Exit(func(code int) { exited = code }))
	if err != nil {
		fmt.Fprintln(errOut, "vedetta-node:", err)
		return exitConfig
	}
	k, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintln(errOut, "vedetta-node:", err, "(see --help)")
		return exitConfig
	}
	err = k.Run(&world{ctx: ctx, environ: environ, out: out, errOut: errOut})
	if err == nil {
		return exitStopped
	}
	fmt.Fprintln(errOut, "vedetta-node:", err)
	if _, bad := errors.AsType[usage](err); bad {
		return exitConfig
	}
	if _, fatal := errors.AsType[storage](err); fatal {
		return exitStorage
	}
	return exitFault
}

type runCommand struct {
	Config      string `required:"" help:"YAML file; VEDETTA_ variables stand above it."`
	CheckConfig bool   `help:"Check the configuration and stop."`
	PrintConfig bool   `help:"Print the configuration in force, secrets hidden, and stop."`
}

func (c *runCommand) Run(w *world) error {
	cfg, err := Load(c.Config, w.environ)
	if err != nil {
		return usage{err}
	}
	if c.PrintConfig {
		return config.Print(w.out, cfg)
	}
	if c.CheckConfig {
		_, err := fmt.Fprintf(w.out, "%s: good\n", c.Config)
		return err
	}
	return Run(w.ctx, cfg, w.errOut)
}

type initCommand struct {
	Data   string `required:"" help:"New folder."`
	OrShow bool   `help:"Print the disk id of a folder that exists instead of refusing it."`
}

func (c *initCommand) Run(w *world) error {
	if !journal.Exists(c.Data) {
		if err := journal.Create(c.Data); err != nil {
			return err
		}
	} else if !c.OrShow {
		return usage{fmt.Errorf("%s is a data folder already; want a new one, or --or-show", c.Data)}
	}
	j, err := journal.Open(journal.Config{Dir: c.Data}, env.Quiet(1))
	if err != nil {
		return storage{err}
	}
	_, err = fmt.Fprintln(w.out, j.DiskID())
	return errors.Join(err, j.Close())
}

type verifyCommand struct {
	Data string `required:"" help:"Data folder of a stopped node."`
}

func (c *verifyCommand) Run(w *world) error {
	e := env.Quiet(1)
	e.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	j, err := journal.Open(journal.Config{Dir: c.Data}, e)
	if err != nil {
		return storage{err}
	}
	defer j.Close()
	report, err := j.Verify(w.ctx)
	if err != nil {
		return storage{err}
	}
	enc := json.NewEncoder(w.out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(report); err != nil {
		return err
	}
	if len(report.Faults) > 0 {
		return errors.New("the journal has faults; nothing was changed")
	}
	return nil
}

// storage is an error that exits with exitStorage.
type storage struct{ err error }

func (s storage) Error() string { return s.err.Error() }
func (s storage) Unwrap() error { return s.err }
