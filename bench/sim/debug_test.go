package sim

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"vedetta/wire/mesh"
)

func TestDebug(t *testing.T) {
	seed, _ := strconv.ParseUint(os.Getenv("SIM_SEED"), 10, 64)
	id := os.Getenv("SIM_ID")
	debug = func(w *World) {
		p := w.nodes[0].proc
		for _, r := range w.nodes[0].disk.records[mesh.Agreement(1)] {
			d := w.decision(p, r)
			switch {
			case d.Verdict != nil:
				for _, n := range d.Verdict.Plan {
					if n.ID == id {
						fmt.Printf("%d planned %+v\n", d.ClockMs%1000000, n)
					}
				}
			case d.Claimed != nil && d.Claimed.Notification == id:
				fmt.Printf("%d claimed %+v\n", d.ClockMs%1000000, *d.Claimed)
			case d.Settled != nil && d.Settled.Notification == id:
				fmt.Printf("%d settled %+v fence %v\n", d.ClockMs%1000000, *d.Settled, d.Settled.Fence)
			}
		}
		for c, pr := range w.providers {
			for _, at := range pr.taken[id] {
				fmt.Println("taken", c, at.UnixMilli()%1000000)
			}
		}
	}
	r := Run(Options{Seed: seed})
	for _, f := range r.Faults {
		t.Error(f)
	}
}
