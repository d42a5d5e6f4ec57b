package journal

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"vedetta/wire/mesh"
)

// BenchmarkAppend shows appends per second, flushed, at several numbers of
// producers, with 150 bytes of content.
func BenchmarkAppend(b *testing.B) {
	for _, producers := range []int{1, 64, 256, 1024} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			j := open(b, create(b))
			begin(b, j, "arezzo")
			run(b, j)
			content := make([]byte, 150)
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var wg sync.WaitGroup
			for range producers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						_, err := j.Append(b.Context(), mesh.KindMessage, 1, mesh.Identity{}, func(mesh.Header) ([]byte, error) { return content, nil })
						if err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
		})
	}
}
