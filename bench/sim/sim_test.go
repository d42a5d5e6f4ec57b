package sim

import (
	"maps"
	"slices"
	"testing"
)

func TestManySeeds(t *testing.T) {
	rare := map[string]int{}
	m, n := 0, 0
	for seed := range uint64(300) {
		r := Run(Options{Seed: seed})
		for _, f := range r.Faults {
			t.Errorf("seed %d: %s", seed, f)
		}
		for k, v := range r.Rare {
			rare[k] += v
		}
		m, n = m+r.Messages, n+r.Notifications
	}
	t.Log(m, n)
	for _, k := range slices.Sorted(maps.Keys(rare)) {
		t.Logf("%6d %s", rare[k], k)
	}
}
