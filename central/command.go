package central

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"vedetta/cluster/config"
)

// Exit codes of the daemon; a promise.
const (
	exitStopped = 0
	exitFault   = 1  // ran and found a fault
	exitConfig  = 64 // bad configuration or usage: not to be restarted
	exitStorage = 70 // fatal storage: to be restarted
)

type cli struct {
	Run runCommand `cmd:"" default:"withargs" help:"Run central until SIGINT or SIGTERM."`
}

type world struct {
	ctx         context.Context
	environ     []string
	reload      <-chan os.Signal
	out, errOut io.Writer
}

// usage is an error that exits with exitConfig, fatal one with exitStorage.
type (
	usage struct{ err error }
	fatal struct{ err error }
)

func (u usage) Error() string { return u.err.Error() }
func (u usage) Unwrap() error { return u.err }
func (f fatal) Error() string { return f.err.Error() }
func (f fatal) Unwrap() error { return f.err }

// Main parses and runs one command line and returns the exit code.
func Main(ctx context.Context, args, environ []string, reload <-chan os.Signal, out, errOut io.Writer) int {
	exited := -1
	parser, err := kong.New(&cli{}, kong.Name("vedetta-central"), kong.Description("The central service of Vedetta."),
		kong.Writers(out, errOut), kong.Exit(func(code int) { exited = code }))
	if err != nil {
		fmt.Fprintln(errOut, "vedetta-central:", err)
		return exitConfig
	}
	k, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintln(errOut, "vedetta-central:", err, "(see --help)")
		return exitConfig
	}
	err = k.Run(&world{ctx, environ, reload, out, errOut})
	if err == nil {
		return exitStopped
	}
	fmt.Fprintln(errOut, "vedetta-central:", err)
	if _, bad := errors.AsType[usage](err); bad {
		return exitConfig
	}
	if _, bad := errors.AsType[fatal](err); bad {
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
	return Run(w.ctx, cfg, w.reload, w.errOut)
}
