package load

import (
	"math"
	"slices"
	"time"
)

// Times are durations in microseconds.
type Times []uint32

// Sort puts them in order, as At wants them.
func (t Times) Sort() { slices.Sort(t) }

// At is the smallest time that a share p of all does not exceed; zero of none.
func (t Times) At(p float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	i := int(math.Ceil(p*float64(len(t)))) - 1
	return time.Duration(t[min(max(i, 0), len(t)-1)]) * time.Microsecond
}
