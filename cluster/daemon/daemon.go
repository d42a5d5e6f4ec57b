// Package daemon is what the programs that run for years share: how a command
// line is parsed, which signals mean what, the exit codes that supervisors rely
// on, and who counts as being on this machine. It promises nothing about what the program does.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes; a promise.
const (
	ExitStopped = 0
	ExitFault   = 1  // ran and found a fault
	ExitConfig  = 64 // bad configuration or usage: not to be restarted
	ExitStorage = 70 // fatal storage: to be restarted
)

// BadConfig is an error that ends the program with ExitConfig.
type BadConfig struct{ Err error }

func (b BadConfig) Error() string { return b.Err.Error() }
func (b BadConfig) Unwrap() error { return b.Err }

// BadStorage is an error that ends the program with ExitStorage.
type BadStorage struct{ Err error }

func (b BadStorage) Error() string { return b.Err.Error() }
func (b BadStorage) Unwrap() error { return b.Err }

// World is what a command gets of the outside.
type World struct {
	Ctx         context.Context  // ends at SIGINT or SIGTERM: drain and stop
	Environ     []string         // as os.Environ
	Reload      <-chan os.Signal // SIGHUP: read certificates again
	Out, ErrOut io.Writer
}

// Process runs the command line of this process: commands is a kong structure
// whose commands have a method Run(*World) error. It returns the exit code.
func Process(name, description string, commands any) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	return Main(&World{Ctx: ctx, Environ: os.Environ(), Reload: reload, Out: os.Stdout, ErrOut: os.Stderr}, name, description, commands, os.Args[1:])
}

// Main is Process without the process.
func Main(w *World, name, description string, commands any, args []string) int {
	exited := -1
	parser, err := kong.New(commands, kong.Name(name), kong.Description(description),
		kong.Writers(w.Out, w.ErrOut), kong.Exit(func(code int) { exited = code }))
	if err != nil {
		fmt.Fprintf(w.ErrOut, "%s: %v\n", name, err)
		return ExitConfig
	}
	k, err := parser.Parse(args)
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(w.ErrOut, "%s: %v (see --help)\n", name, err)
		return ExitConfig
	}
	err = k.Run(w)
	if err == nil {
		return ExitStopped
	}
	fmt.Fprintf(w.ErrOut, "%s: %v\n", name, err)
	if _, ok := errors.AsType[BadConfig](err); ok {
		return ExitConfig
	}
	if _, ok := errors.AsType[BadStorage](err); ok {
		return ExitStorage
	}
	return ExitFault
}
