// Package load is many panels at once: it sends real DC-09 frames (CRC,
// sequence, account, time; plain and encrypted) over TCP or UDP and times every
// answer.
//
// It does the same work whoever answers, the product or the echo server: the
// frame is made, sent, the answer read to its end and recognised. One answer in
// 64 is taken apart in full (CRC, account, sequence, decryption); the rest are
// recognised by their bytes, so that the generator takes little of the cores it
// shares. Every connection has one message in flight. Goroutines end with Run.
package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Plan is one run.
type Plan struct {
	To         []string      // host:port; worker i reports to To[i % len(To)]
	Panels     []Panel       // worker i is Panels[i % len(Panels)], never two workers one panel
	Workers    int           // messages in flight
	PerMessage bool          // a connection per message; else each worker keeps its own
	UDP        bool          // datagrams from a socket for each worker; one that isn't answered within a second is lost
	Poll       bool          // NULL instead of an event
	Echo       bool          // the answer is the frame itself
	Warm       time.Duration // before Window, not counted
	Window     time.Duration // counted
	Patience   time.Duration // for an answer after the window; 4 s when zero
}

// Result is what came of it. Times are of the window only.
type Result struct {
	Exchanges int     // acknowledged within the window
	Rate      float64 // of them per second
	Silent    int     // no answer, or the connection broke
	Wrong     int     // an answer that is no acknowledgement of the message
	Checked   int     // answers taken apart in full, all of them good
	FirstWhy  string  // of the first that was silent or wrong
	Times     Times
}

type run struct {
	plan       Plan
	begin, end time.Time
	last       time.Time // nobody waits longer
	checked    atomic.Int64
	silent     atomic.Int64
	wrong      atomic.Int64
	why        sync.Once
	firstWhy   string
}

func (r *run) say(why string) { r.why.Do(func() { r.firstWhy = why }) }

// Run carries out a plan. Its errors are of the plan and of connections that
// can't be made; what happens to messages is in the result.
func Run(ctx context.Context, p Plan) (Result, error) {
	if len(p.To) == 0 || p.Workers < 1 || len(p.Panels) < p.Workers {
		return Result{}, fmt.Errorf("load: %d addresses, %d workers, %d panels; want an address, a worker, and a panel for each", len(p.To), p.Workers, len(p.Panels))
	}
	if p.Patience == 0 {
		p.Patience = 4 * time.Second
	}
	r := &run{plan: p}
	workers := make([]*worker, p.Workers)
	defer func() {
		for _, w := range workers {
			if w != nil {
				w.close()
			}
		}
	}()
	for i := range workers {
		w := &worker{run: r, to: p.To[i%len(p.To)], panel: p.Panels[i]}
		if p.PerMessage {
			// Ports of one source address would run out: they rest after use.
			w.from = &net.TCPAddr{IP: netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i%16)}).AsSlice()}
		} else if err := w.dial(ctx); err != nil {
			return Result{}, fmt.Errorf("load: connection %d of %d: %w", i+1, p.Workers, err)
		}
		workers[i] = w
	}
	r.begin = time.Now().Add(p.Warm)
	r.end = r.begin.Add(p.Window)
	r.last = r.end.Add(p.Patience)
	var g sync.WaitGroup
	for _, w := range workers {
		g.Go(func() { w.work(ctx) })
	}
	g.Wait()
	if ctx.Err() != nil {
		return Result{}, errors.Join(errors.New("load: ended early"), context.Cause(ctx))
	}
	res := Result{Silent: int(r.silent.Load()), Wrong: int(r.wrong.Load()), Checked: int(r.checked.Load()), FirstWhy: r.firstWhy}
	for _, w := range workers {
		res.Times = append(res.Times, w.times...)
	}
	res.Times.Sort()
	res.Exchanges = len(res.Times)
	res.Rate = float64(res.Exchanges) / p.Window.Seconds()
	return res, nil
}
