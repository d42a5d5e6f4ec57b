// Command vedettactl runs the product on this machine, makes certificates, and
// is a panel. See `vedettactl --help`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"vedetta/ops"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := ops.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
