// Command vedetta-node is one receiver node. See `vedetta-node --help`.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"vedetta/node"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := node.Main(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
