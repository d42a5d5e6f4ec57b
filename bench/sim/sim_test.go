package sim

import (
	"flag"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"
)

var (
	oneSeed = flag.Uint64("seed", 0, "play this one seed, and print what it reached")
	seeds   = flag.Uint64("seeds", 300, "how many seeds to play, from first on")
	first   = flag.Uint64("first", 1, "the first of the seeds")
)

// reached are the states that the seeds of a run must come to: without them a
// promise that held proves little.
var reached = []string{
	"acknowledgement lost", "claim too old for its last byte", "claim withdrawn as never begun", "command of a lost leader committed",
	"copy at another node", "cut one way", "decision answered in another epoch", "decision refused: old_epoch", "disk lost", "emptied disk admitted", "durable too late for its acknowledgement",
	"event of which nobody is told", "fault at: allowed, last byte not out", "fault at: answered, not settled", "fault at: claimed, not connected", "fault at: taken, no answer yet",
	"fetched from a third node", "holder's answer: done", "holder's answer: none", "holder's answer: stranger", "killed with records not flushed",
	"leader elected", "leader of the agreement killed", "message held up by a cut", "outcome beside a second attempt",
	"outcome refused: old_epoch", "outcome refused: settled", "proposal of unknown end", "second mail", "shards decided together", "snapshot installed", "unknown",
}

// TestSeeds plays many seeds: every promise holds in each, and together they
// reach the rare states.
func TestSeeds(t *testing.T) {
	n := *seeds
	if *oneSeed != 0 {
		r := Run(Options{Seed: *oneSeed})
		for _, f := range r.Faults {
			t.Error(f)
		}
		t.Logf("seed %d: %d messages, %d notifications, trace %x", r.Seed, r.Messages, r.Notifications, r.Trace)
		for _, k := range slices.Sorted(maps.Keys(r.Rare)) {
			t.Logf("%6d %s", r.Rare[k], k)
		}
		return
	}
	if testing.Short() {
		n = min(n, 20)
	}
	rare, messages, notifications, broken := map[string]int{}, 0, 0, 0
	for r := range play(*first, n, PlantNone) {
		for _, f := range r.Faults {
			t.Errorf("seed %d: %s", r.Seed, f)
		}
		if len(r.Faults) > 0 {
			broken++
			t.Errorf("play it again: go test ./bench/sim -run TestSeeds -v -args -seed %d", r.Seed)
		}
		for k, v := range r.Rare {
			rare[k] += v
		}
		messages, notifications = messages+r.Messages, notifications+r.Notifications
	}
	t.Logf("%d seeds, %d messages, %d notifications, %d seeds broken", n, messages, notifications, broken)
	for _, k := range slices.Sorted(maps.Keys(rare)) {
		t.Logf("%7d %s", rare[k], k)
	}
	if n < 300 {
		return
	}
	for _, k := range reached {
		if rare[k] == 0 {
			t.Errorf("no seed has reached: %s", k)
		}
	}
}

// play runs seeds on all processors, each in one goroutine.
func play(from, n uint64, p Plant) func(func(Report) bool) {
	return func(yield func(Report) bool) {
		next, reports := make(chan uint64), make(chan Report)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for seed := range next {
					reports <- Run(Options{Seed: seed, Plant: p})
				}
			})
		}
		stop := make(chan struct{})
		go func() {
			defer func() { close(next); wg.Wait(); close(reports) }()
			for seed := from; seed < from+n; seed++ {
				select {
				case next <- seed:
				case <-stop:
					return
				}
			}
		}()
		more := true
		for r := range reports {
			if more && !yield(r) {
				more = false
				close(stop)
			}
		}
	}
}

// TestSeedRepeats: a failing seed is worth nothing unless it fails again.
func TestSeedRepeats(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		a, b := Run(Options{Seed: seed}), Run(Options{Seed: seed})
		if a.Trace != b.Trace || !maps.Equal(a.Rare, b.Rare) {
			t.Errorf("seed %d took another course the second time", seed)
		}
	}
	if a, b := Run(Options{Seed: 1}), Run(Options{Seed: 2}); a.Trace == b.Trace {
		t.Error("two seeds took the same course")
	}
}

// TestPlantedFaultsAreFound builds a fault into the loops: the judge must see it.
func TestPlantedFaultsAreFound(t *testing.T) {
	for _, p := range []Plant{PlantAckBeforeQuorum, PlantNotDurable, PlantAgeFromCommit, PlantSameIncarnation} {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			tried := 0
			for r := range play(1, 400, p) {
				if tried++; len(r.Faults) > 0 {
					t.Logf("found in seed %d, the %d. played: %s", r.Seed, tried, r.Faults[0])
					return
				}
			}
			t.Errorf("400 seeds were played, and nothing was found")
		})
	}
}

// TestQuiet: without faults everything is delivered once, soon.
func TestQuiet(t *testing.T) {
	r := Run(Options{Seed: 1, Quiet: true, Faults: 20 * time.Second, Heal: 40 * time.Second})
	for _, f := range r.Faults {
		t.Error(f)
	}
	if r.Rare["second mail"]+r.Rare["unknown"]+r.Rare["late event"] != 0 || r.Messages < 10 {
		t.Errorf("%d messages, reached %v", r.Messages, r.Rare)
	}
}
