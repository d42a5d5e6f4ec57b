// Command vedetta-central is the central service. See `vedetta-central --help`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // premises' time zones on machines without them

	"vedetta/central"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP)
	code := central.Main(ctx, os.Args[1:], os.Environ(), reload, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
