package node

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How often the collector of garbage runs, by what it is asked to.
const (
	collectCalm  = 100         // percent: a quiet node stays small
	collectBusy  = 400         // percent: a loaded one takes memory for time
	busyCycles   = 4           // collections in a second that show load
	busyLooks    = 2           // in a row: a start is no load
	collectEvery = time.Second // between looks
	calmAfter    = time.Minute // without load: memory that was given back is dear to get again
)

// followLoad lets the collector of garbage run less often while it runs all the
// time, and gives the memory back when there was no load for as long as calm says.
// GOGC, when it is set, stands.
func followLoad(getenv func(string) string, calm time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		if getenv("GOGC") != "" {
			return nil
		}
		cycles := []metrics.Sample{{Name: "/gc/cycles/automatic:gc-cycles"}}
		tick := time.NewTicker(collectEvery)
		defer tick.Stop()
		busy, looks, last, seen := false, 0, uint64(0), time.Time{}
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			metrics.Read(cycles)
			now := cycles[0].Value.Uint64()
			least := uint64(busyCycles)
			if busy {
				least = 1 // it runs less often by our own doing
			}
			if looks++; now-last < least {
				looks = 0
			} else {
				seen = time.Now()
			}
			last = now
			switch {
			case !busy && looks >= busyLooks:
				busy = true
				debug.SetGCPercent(collectBusy)
			case busy && time.Since(seen) > calm:
				busy = false
				debug.SetGCPercent(collectCalm)
				debug.FreeOSMemory()
			}
		}
	}
}
