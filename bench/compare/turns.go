package compare

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"vedetta/bench/stand"
	"vedetta/ops/panel/load"
)

// settleWithin is how long the nodes may take to decide what a turn left.
const settleWithin = 30 * time.Second

// scenario is one line that is measured beside the echo server.
type scenario struct {
	name, what string
	plan       load.Plan
	least      float64 // of the echo's rate; 0: the line is about latency
	free       bool    // the rate is told, and nothing promised of it
}

func scenarios() []scenario {
	return []scenario{
		{"per-message", "events acknowledged at a majority, a connection per message, 256 in flight", load.Plan{Workers: 256, PerMessage: true}, 0.30, false},
		{"long", "events acknowledged at a majority, 1,000 long connections", load.Plan{Workers: 1000}, 0.35, false},
		{"polls", "polls answered, 1,000 long connections", load.Plan{Workers: 1000, Poll: true}, 0.60, false},
		{"latency", "p99 of an acknowledgement, 256 long connections", load.Plan{Workers: 256}, 0, false},
		{"udp", "events acknowledged at a majority, datagrams, 256 in flight", load.Plan{Workers: 256, UDP: true}, 0, true},
	}
}

// Turn is one turn of echo and product, one right after the other.
type Turn struct {
	Echo    Figure  `json:"echo"`
	Product Figure  `json:"product"`
	Ratio   float64 `json:"ratio"`          // of rates, product to echo
	Left    uint64  `json:"left"`           // entries still undecided when the product's turn ended
	Drained float64 `json:"drain_seconds"`  // until they were decided
	CPU     float64 `json:"product_cpu_us"` // processor time of the three nodes per exchange, warming included
	Flush   float64 `json:"flush_ms"`       // mean of a journal's commit
	Batch   float64 `json:"batch_records"`  // mean of records in one, decisions included
	Written float64 `json:"written_bytes"`  // to the disk by the three nodes per exchange
}

// Figure is what one side did.
type Figure struct {
	Rate    float64 `json:"per_second"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Count   int     `json:"exchanges"`
	Checked int     `json:"checked"`
	Silent  int     `json:"silent"`
	Wrong   int     `json:"wrong"`
	Why     string  `json:"why,omitempty"`
}

func figure(r load.Result) Figure {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return Figure{Rate: r.Rate, P50: ms(r.Times.At(.5)), P99: ms(r.Times.At(.99)), Count: r.Exchanges,
		Checked: r.Checked, Silent: r.Silent, Wrong: r.Wrong, Why: r.FirstWhy}
}

// turns measures every scenario in every round.
func (b *bench) turns(ctx context.Context) error {
	all := map[string][]Turn{}
	for round := range b.Rounds {
		for _, s := range scenarios() {
			if !b.only.MatchString(s.name) {
				continue
			}
			t, err := b.turn(ctx, s, round)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			all[s.name] = append(all[s.name], t)
			fmt.Fprintf(b.out, "  round %d %-11s echo %8.0f/s p99 %5.1f ms   product %8.0f/s p99 %5.1f ms   ratio %.3f   cpu %3.0f us   flush %.1f ms of %.0f   written %.0f   left %d, drained in %.1f s%s\n",
				round+1, s.name, t.Echo.Rate, t.Echo.P99, t.Product.Rate, t.Product.P99, t.Ratio, t.CPU, t.Flush, t.Batch, t.Written, t.Left, t.Drained, t.Product.trouble())
		}
	}
	for _, s := range scenarios() {
		if turns := all[s.name]; len(turns) > 0 {
			b.add(s.line(turns))
		}
	}
	return nil
}

func (f Figure) trouble() string {
	if f.Silent+f.Wrong == 0 {
		return ""
	}
	return fmt.Sprintf("   %d silent, %d wrong: %s", f.Silent, f.Wrong, f.Why)
}

// line judges a scenario by the median of its turns.
func (s scenario) line(turns []Turn) Line {
	var values []float64
	l := Line{Name: s.name, What: s.what, Turns: turns}
	if s.least > 0 || s.free {
		for _, t := range turns {
			values = append(values, t.Ratio)
		}
		l.Unit = "of echo"
		l = l.of(values...)
		if s.free {
			return l
		}
		l.Bound = fmt.Sprintf(">= %.2f", s.least)
		return l.judge(l.Median >= s.least)
	}
	held := 0
	for _, t := range turns {
		values = append(values, t.Product.P99)
		if t.Product.P99 <= max(15, 3*t.Echo.P99) {
			held++
		}
	}
	l.Unit, l.Bound = "ms", "<= 15, or <= 3x echo's p99"
	return l.of(values...).judge(2*held > len(turns))
}

// turn measures both sides; who begins alternates.
func (b *bench) turn(ctx context.Context, s scenario, round int) (t Turn, err error) {
	side := []func() error{
		func() error {
			p := b.fill(s.plan)
			p.To, p.Echo = []string{b.echo.Line}, true
			r, err := load.Run(ctx, p)
			t.Echo = figure(r)
			return err
		},
		func() error {
			p := b.fill(s.plan)
			p.To = b.mesh.Addresses()
			before, err := b.spent()
			if err != nil {
				return err
			}
			stop := b.profile(ctx, s.name, round)
			r, err := load.Run(ctx, p)
			if err != nil {
				return err
			}
			t.Product = figure(r)
			after, err := b.spent()
			if err != nil {
				return err
			}
			t.account(before, after, r.Rate*(p.Window+p.Warm).Seconds())
			left, took, err := b.mesh.Settle(ctx, settleWithin)
			t.Left, t.Drained = left, took.Seconds()
			stop()
			return err
		},
	}
	for i := range side {
		if err := side[(i+round)%2](); err != nil {
			return t, err
		}
	}
	if t.Echo.Rate > 0 {
		t.Ratio = t.Product.Rate / t.Echo.Rate
	}
	return t, nil
}

func (b *bench) fill(p load.Plan) load.Plan {
	p.Panels, p.Window, p.Warm = b.mesh.Panels, b.Window, b.Warm
	return p
}

// spent is what the three nodes have used up so far.
type spent struct {
	cpu                            time.Duration
	flushes, flushSeconds, records float64
	written                        int64
}

func (b *bench) spent() (s spent, err error) {
	for i, n := range b.mesh.Nodes {
		cpu, err := stand.CPU(n.PID)
		if err != nil {
			return s, err
		}
		written, err := stand.Written(n.PID)
		if err != nil {
			return s, err
		}
		s.cpu, s.written = s.cpu+cpu, s.written+written
		for name, to := range map[string]*float64{"vedetta_journal_flush_seconds_count": &s.flushes,
			"vedetta_journal_flush_seconds_sum": &s.flushSeconds, "vedetta_journal_batch_records_sum": &s.records} {
			v, err := b.mesh.Metric(i, name)
			if err != nil {
				return s, err
			}
			*to += v
		}
	}
	return s, nil
}

func (t *Turn) account(before, after spent, exchanges float64) {
	t.CPU = float64((after.cpu - before.cpu).Microseconds()) / exchanges
	t.Written = float64(after.written-before.written) / exchanges
	if n := after.flushes - before.flushes; n > 0 {
		t.Flush = 1000 * (after.flushSeconds - before.flushSeconds) / n
		t.Batch = (after.records - before.records) / n
	}
}

// profile keeps the nodes' profiles of a turn; stop waits for it.
func (b *bench) profile(ctx context.Context, name string, round int) (stop func()) {
	if b.Profile == "" || round > 0 {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		seconds := max(1, int((b.Window + b.Warm).Seconds()))
		kinds := map[string]string{"cpu": fmt.Sprintf("profile?seconds=%d", seconds), "allocs": fmt.Sprintf("allocs?seconds=%d", seconds),
			"mutex": fmt.Sprintf("mutex?seconds=%d", seconds), "block": fmt.Sprintf("block?seconds=%d", seconds)}
		var g sync.WaitGroup
		for i, n := range b.mesh.Nodes {
			for kind, url := range kinds {
				g.Go(func() {
					path := filepath.Join(b.Profile, fmt.Sprintf("%s-%d-%s.pprof", name, i, kind))
					if err := b.mesh.Keep(ctx, n.Status+"/debug/pprof/"+url, path); err != nil {
						fmt.Fprintln(os.Stderr, "profile:", err)
					}
				})
			}
		}
		g.Wait()
	}()
	return func() { <-done }
}
