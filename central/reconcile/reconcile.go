package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/cluster/env"
	"vedetta/wire/mesh"
)

// Reconcile runs passes, one at a time; its other methods are safe for several
// goroutines.
type Reconcile struct {
	cfg   Config
	db    *store.DB
	ring  *keys.Ring
	owned *premises.Premises
	mesh  Mesh
	log   *slog.Logger

	turn    chan struct{} // holds one token; who has it runs a pass and owns the fields below
	target  target
	until   time.Time
	summary atomic.Pointer[Summary]

	cases    *prometheus.GaugeVec
	examined prometheus.Counter
}

// target is what must be stored here before all that was durable at a time is.
type target struct {
	at      time.Time
	durable map[mesh.Origin]uint64
}

// Summary is how things stood after the last pass; zero times: never yet.
type Summary struct {
	Faults   int // open or reopened
	ToKnow   int // facts that nobody can change, not explained yet
	Watched  int // differences that have not stood long enough
	LastPass time.Time
	LastFull time.Time // when the slow round last came to its end
}

// New starts nothing.
func New(cfg Config, db *store.DB, ring *keys.Ring, owned *premises.Premises, m Mesh, e env.Env) *Reconcile {
	r := &Reconcile{cfg: cfg.WithDefaults(), db: db, ring: ring, owned: owned, mesh: m, log: e.Log, turn: make(chan struct{}, 1),
		cases: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "vedetta_reconcile_cases", Help: "Differences between what the mesh did and what stands, by kind and state."}, []string{"kind", "state"}),
		examined: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vedetta_reconcile_examined_total", Help: "Entries, decisions, origins and rosters looked at."}),
	}
	r.turn <- struct{}{}
	r.summary.Store(&Summary{})
	started := time.Now()
	e.Metrics.MustRegister(r.cases, r.examined, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "vedetta_reconcile_full_pass_age_seconds", Help: "Time since everything stored had been looked at; since the start if never yet."},
		func() float64 {
			last := r.summary.Load().LastFull
			if last.IsZero() {
				last = started
			}
			return time.Since(last).Seconds()
		}))
	return r
}

// Summary is as of the last pass.
func (r *Reconcile) Summary() Summary { return *r.summary.Load() }

// Run makes a pass every now and then until ctx ends. It returns only ctx's
// error, or a fatal one of the disk below.
func (r *Reconcile) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Duration(r.cfg.EverySeconds) * time.Second)
	defer tick.Stop()
	said := ""
	for {
		if r.ring.Ready() {
			_, err := r.Pass(ctx, false)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case store.Fatal(err):
				return err
			case err == nil:
				said = ""
			case err.Error() != said: // the same trouble is said once
				said = err.Error()
				r.log.Warn("reconcile could not finish its pass, the next goes on", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Report is what a pass has seen.
type Report struct {
	Started  time.Time
	Finished time.Time
	Full     bool // everything stored was looked at
	Whole    bool // central held all that was durable when the pass began
	Nodes    int
	Answered int
	Silent   []string // names of the nodes that did not answer, sorted
	Examined int
	Summary  Summary
	Cases    []Case // that stand: open faults first, then what is to know, then what is explained
	More     int    // cases left off
}

// maxShown cases stand in a report.
const maxShown = 1000

// Pass looks at what came since the last, at all that waits and at every live
// case; then at a part of the rest, or, when full, at all of it.
//
// The error is keys.ErrMissing while no node has been reached since the start:
// without keys nothing can be read.
func (r *Reconcile) Pass(ctx context.Context, full bool) (Report, error) {
	if !r.ring.Ready() {
		return Report{}, fmt.Errorf("reconcile: %w", keys.ErrMissing)
	}
	select {
	case <-r.turn:
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
	defer func() { r.turn <- struct{}{} }()
	p := &pass{ctx: ctx, r: r, seen: map[Unit]bool{}, report: Report{Started: time.Now()}}
	err := p.run(full)
	p.report.Finished = time.Now()
	r.examined.Add(float64(p.report.Examined))
	if sum, sumErr := r.count(ctx, p.report.Finished); sumErr == nil {
		if err != nil {
			sum.LastPass = r.Summary().LastPass
		}
		r.summary.Store(&sum)
		p.report.Summary = sum
	} else {
		err = errors.Join(err, sumErr)
	}
	if err != nil {
		return p.report, err
	}
	p.report.Cases, p.report.More, err = r.standing(ctx, maxShown)
	return p.report, err
}

// count reads how many cases there are and sets the metrics.
func (r *Reconcile) count(ctx context.Context, now time.Time) (Summary, error) {
	s := Summary{LastPass: now}
	states := []State{Watched, Open, Explained, Reopened, Closed}
	n := map[Kind]map[State]int{}
	for _, k := range Kinds() {
		n[k] = map[State]int{}
	}
	err := each(ctx, r.db.Read(), `SELECT kind, state, count(*) FROM cases GROUP BY kind, state`, nil, func(row row) error {
		var k Kind
		var st State
		var count int
		if err := row.Scan(&k, &st, &count); err != nil {
			return err
		}
		if n[k] != nil {
			n[k][st] = count
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	for k, by := range n {
		for _, st := range states {
			r.cases.WithLabelValues(string(k), string(st)).Set(float64(by[st]))
		}
		s.Watched += by[Watched]
		if k.Severity() == Fault {
			s.Faults += by[Open] + by[Reopened]
		} else {
			s.ToKnow += by[Open] + by[Reopened]
		}
	}
	var full int64
	err = r.db.Read().QueryRowContext(ctx, `SELECT coalesce(max(number), 0) FROM walks WHERE walk = 'full'`).Scan(&full)
	s.LastFull = timeOf(full)
	return s, err
}

// sortForPeople puts open faults first, then what is to know, then what is
// explained; in each the oldest first.
func sortForPeople(list []Case) {
	rank := func(c Case) int {
		switch {
		case c.State == Explained:
			return 2
		case c.Kind.Severity() == Fault:
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(a, b Case) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Since.Compare(b.Since), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Place, b.Place))
	})
}
