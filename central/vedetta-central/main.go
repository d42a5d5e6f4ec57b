// Command vedetta-central is the central service. See `vedetta-central --help`.
package main

import (
	"os"
	_ "time/tzdata" // premises' time zones on machines without them

	"vedetta/central"
	"vedetta/cluster/daemon"
)

func main() {
	os.Exit(daemon.Process("vedetta-central", "The central service of Vedetta.", central.Commands()))
}
