package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long answers are awaited after the last message was due.
const patience = 20 * time.Second

// run is one load under way.
type run struct {
	plan
	ctx     context.Context
	began   time.Time
	end     time.Time
	mark    string // of this run's texts, so that none is a copy of an earlier run's
	begun   atomic.Int64
	acked   atomic.Int64
	leftOut int // due while their panel still had too many waiting
}

var errTime = errors.New("the run has ended")

// load carries the plan out and tells on progress how it goes.
func (p plan) load(ctx context.Context, progress io.Writer) (Report, error) {
	if p.Seed == 0 {
		p.Seed = rand.Uint64()>>1 | 1
	}
	r := &run{plan: p, mark: fmt.Sprintf("%05X", time.Now().UnixMilli()>>4&0xFFFFF)}
	units := make([]*unit, p.Panels)
	for i := range units {
		u, err := r.unit(i)
		if err != nil {
			return Report{}, err
		}
		units[i] = u
	}
	r.began = time.Now()
	r.end = r.began.Add(p.Duration)
	work, stop := context.WithDeadlineCause(ctx, r.end.Add(patience), errTime)
	defer stop()
	r.ctx = work
	var g sync.WaitGroup
	for _, u := range units {
		g.Go(u.work)
	}
	if r.rate > 0 {
		r.schedule(ctx, units, progress)
	}
	for _, u := range units {
		close(u.jobs)
	}
	g.Wait()
	took := time.Since(r.began)
	var err error
	for _, u := range units {
		err = errors.Join(err, u.close())
	}
	return r.report(units, took), err
}

// schedule gives each unit what is due when it is due.
func (r *run) schedule(ctx context.Context, units []*unit, progress io.Writer) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	told, storms := r.began, 0
	for n := 0; ; {
		now := time.Now()
		if ctx.Err() != nil {
			return
		}
		for ; ; n++ {
			due := r.due(n)
			if due.After(now) || !due.Before(r.end) {
				break
			}
			u := units[r.whose(n)%len(units)]
			r.give(u, job{due, r.kind(n)})
		}
		if r.Profile == "storm" && storms < 3 && now.Sub(r.began) >= time.Duration(storms+1)*r.Duration/4 {
			storms++
			for _, u := range units {
				r.give(u, job{now, "alarm"})
			}
		}
		if !now.Before(r.end) {
			return
		}
		if now.Sub(told) >= 5*time.Second {
			told = now
			fmt.Fprintf(progress, "%4.0f s: %d messages, %d acknowledged\n", now.Sub(r.began).Seconds(), r.begun.Load(), r.acked.Load())
		}
		<-tick.C
	}
}

func (r *run) give(u *unit, j job) {
	select {
	case u.jobs <- j:
	default:
		r.leftOut++
	}
}

// inBurst is how many messages one panel of the profile burst sends at once.
const inBurst = 10

// due is when message n is due, whose it is, and what it is.
func (r *run) due(n int) time.Time {
	if r.Profile == "burst" {
		n -= n % inBurst
	}
	return r.began.Add(time.Duration(float64(n) / r.rate * float64(time.Second)))
}

func (r *run) whose(n int) int {
	if r.Profile == "burst" {
		return n / inBurst
	}
	return n
}

// kind is what message n is. A mixed hundred is 90 polls, 5 openings and closings,
// 3 tests and 2 alarms.
func (r *run) kind(n int) string {
	switch r.Profile {
	case "poll", "storm":
		return "poll"
	case "mixed":
		switch k := n * 37 % 100; {
		case k < 90:
			return "poll"
		case k < 95:
			return "opening"
		case k < 98:
			return "test"
		}
	}
	return "alarm"
}
