package supervision

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

// many is a core with so many panels that have all been heard.
func many(n int) (*Core, []string) {
	c := NewCore(begin, "arezzo", 1, patience)
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("pan_%020d", i)
		c.Put(begin, Panel{ID: ids[i], Customer: "cus_0001", Within: 90 * time.Second})
		c.Heard(begin, ids[i], Primary)
	}
	c.Cut(begin)
	return c, ids
}

// Noting a poll: under a microsecond, and no allocation but the list of the second.
func BenchmarkHeard(b *testing.B) {
	c, ids := many(1_000_000)
	b.ReportAllocs()
	i, now := 0, begin
	for b.Loop() {
		if i%20_000 == 0 { // a second's worth
			now = now.Add(time.Second)
			c.Cut(now)
		}
		c.Heard(now, ids[i*7919%len(ids)], Primary)
		i++
	}
}

func BenchmarkHeardInParallel(b *testing.B) {
	c, ids := many(1_000_000)
	var next atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		i := int(next.Add(1)) * 104_729
		for pb.Next() {
			c.Heard(begin.Add(time.Second), ids[i*7919%len(ids)], Primary)
			i++
		}
	})
}

func BenchmarkKeyOf(b *testing.B) {
	for b.Loop() {
		keyOf("pan_00000000000000000007")
	}
}
