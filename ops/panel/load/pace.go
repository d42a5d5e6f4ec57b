package load

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Sent is one acknowledged event of a paced run.
type Sent struct {
	Text         string
	Acknowledged time.Time
}

// Pace sends count events, one every interval by the clock whatever the answers
// do, over len(panels) connections in turn, and tells when each was
// acknowledged. The error says how many were not.
func Pace(ctx context.Context, to []string, panels []Panel, interval time.Duration, count int) ([]Sent, error) {
	work := make(chan struct{}, count)
	var mu sync.Mutex // guards sent and failed
	var sent []Sent
	var failed error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failed = err
	}
	r := &run{last: time.Now().Add(time.Duration(count)*interval + 10*time.Second)}
	var g sync.WaitGroup
	for i, p := range panels {
		w := &worker{run: r, to: to[i%len(to)], panel: p}
		g.Go(func() {
			defer w.close()
			for range work {
				if w.conn == nil {
					if err := w.dial(ctx); err != nil {
						fail(err)
						continue
					}
				}
				err := w.exchange(ctx, time.Now())
				at := time.Now()
				if err != nil {
					w.close()
					fail(err)
					continue
				}
				mu.Lock()
				sent = append(sent, Sent{w.panel.Text(), at})
				mu.Unlock()
			}
		})
	}
	tick := time.NewTicker(interval)
	for range count {
		select {
		case <-tick.C:
			work <- struct{}{}
		case <-ctx.Done():
		}
	}
	tick.Stop()
	close(work)
	g.Wait()
	if len(sent) < count {
		return sent, fmt.Errorf("%d of %d events were acknowledged: %w", len(sent), count, failed)
	}
	return sent, ctx.Err()
}
