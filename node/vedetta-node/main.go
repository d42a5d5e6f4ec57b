// Command vedetta-node is one receiver node. See `vedetta-node --help`.
package main

import (
	"os"
	_ "time/tzdata" // premises' time zones on machines without them

	"vedetta/cluster/daemon"
	"vedetta/node"
)

func main() {
	os.Exit(daemon.Process("vedetta-node", "One receiver node of Vedetta.", node.Commands()))
}
