package alerting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"vedetta/cluster/env"
	"vedetta/node/identity"
	rosters "vedetta/node/roster"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// Config of the follower; the zero value of a field is its default.
type Config struct {
	Self         mesh.Origin   // this process: node and incarnation; required
	Retention    time.Duration // how long copies are remembered; 8 days: journal.retention_days and one
	BatchEntries int           // of one proposal; 256
	InFlight     int           // proposals at once, each of all shards that wait; 4
	Pace         time.Duration // between proposals of one shard while entries keep coming: one that rests is decided at once; 100 ms
	LazyMove     time.Duration // after which cursors without entries are moved; 1 s
	DueEvery     time.Duration // between looks at what is due; 200 ms
	ResolveAfter time.Duration // after a claim's epoch ended, before it is resolved; 12 s (rule 24)
	KeyPatience  time.Duration // waiting for a key that isn't applied here yet; 30 s
	MaxQueued    int           // entries read ahead; 20 000
}

// lazyInFlight is how many proposals that only move cursors are under way at
// once; they never stand in the way of entries.
const lazyInFlight = 2

func (c *Config) defaults() error {
	if c.Self.IsZero() {
		return errors.New("alerting: self is empty, want this process's origin")
	}
	setDefault(&c.Retention, 8*24*time.Hour)
	setDefault(&c.BatchEntries, 256)
	setDefault(&c.InFlight, 4)
	setDefault(&c.Pace, 100*time.Millisecond)
	setDefault(&c.LazyMove, time.Second)
	setDefault(&c.DueEvery, 200*time.Millisecond)
	setDefault(&c.ResolveAfter, 12*time.Second)
	setDefault(&c.KeyPatience, 30*time.Second)
	setDefault(&c.MaxQueued, 20_000)
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Follower decides for the shards that this process leads.
type Follower struct {
	cfg       Config
	log       *slog.Logger
	journal   Journal
	agreement Agreement
	roster    *rosters.Roster
	sender    Sender
	decode    Decode

	copies   *Copies
	records  recordKeys
	shards   [identity.Shards]*shard
	inFlight chan struct{} // semaphore of proposals with entries
	lazily   chan struct{} // semaphore of those that only move cursors

	together, lazyTogether *together
	space                  chan struct{} // capacity 1: a worker took entries from its queue

	mu        sync.Mutex
	fed       map[mesh.Origin]uint64 // decisions taken into copies without a gap, by agreement origin
	told      told                   // the newest that came as they were applied
	abandoned map[string]struct{}    // notifications claimed in proposals of unknown end: never begun here
	behind    time.Time              // since when durable entries wait to be read; zero: none
	oldestDue time.Time              // of the steps that are due and free

	decisions *prometheus.CounterVec
	refusals  *prometheus.CounterVec
	led       prometheus.Gauge
	openAge   prometheus.Gauge
}

// New makes a follower; it starts nothing. decode nil means Events.
func New(cfg Config, j Journal, a Agreement, r *rosters.Roster, s Sender, decode Decode, e env.Env) (*Follower, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	if decode == nil {
		decode = Events
	}
	f := &Follower{cfg: cfg, log: e.Log, journal: j, agreement: a, roster: r, sender: s, decode: decode,
		copies:   NewCopies(),
		inFlight: make(chan struct{}, cfg.InFlight),
		lazily:   make(chan struct{}, lazyInFlight),
		together: newTogether(), lazyTogether: newTogether(),
		space:     make(chan struct{}, 1),
		fed:       make(map[mesh.Origin]uint64),
		abandoned: make(map[string]struct{}),
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_decisions_total", Help: "Entries decided by this node, by ruling."}, []string{"ruling"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_decisions_refused_total", Help: "Proposals that the agreement refused, by reason."}, []string{"reason"}),
		led: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vedetta_shards_led", Help: "Shards that this node leads."}),
		openAge: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vedetta_oldest_due_step_seconds", Help: "How long the oldest free step of a led shard has been due."}),
	}
	e.Metrics.MustRegister(f.decisions, f.refusals, f.led, f.openAge)
	for i := range f.shards {
		f.shards[i] = &shard{number: byte(i), signal: make(chan struct{}, 1)}
	}
	return f, nil
}

// Run follows until ctx ends; any other end is an error.
func (f *Follower) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.feed(ctx) })
	g.Go(func() error { return f.read(ctx) })
	g.Go(func() error { return f.due(ctx) })
	for _, s := range f.shards {
		g.Go(func() error { return f.work(ctx, s) })
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("alerting: %w", err)
	}
	return nil
}

// Copies is the index of what was decided; intake may ask it for statistics.
func (f *Follower) Copies() *Copies { return f.copies }

// Leads are the shards that this process leads and follows now.
func (f *Follower) Leads() []byte {
	var out []byte
	for _, s := range f.shards {
		if s.leads() {
			out = append(out, s.number)
		}
	}
	return out
}

// Ages are what a renewal carries (rule 25): for how long the oldest durable
// entry of a led shard waits for its decision, and for how long the oldest
// free step has been due.
func (f *Follower) Ages(now time.Time) (undecided, due time.Duration) {
	f.mu.Lock()
	oldest, step := f.behind, f.oldestDue
	f.mu.Unlock()
	for _, s := range f.shards {
		if at := s.oldest(func(o mesh.Origin) uint64 { return f.agreement.Cursor(s.number, o) }); !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	if !oldest.IsZero() {
		undecided = max(0, now.Sub(oldest))
	}
	if !step.IsZero() {
		due = max(0, f.agreement.Clock().Sub(step))
	}
	return undecided, due
}

// Lag is what /status says of this follower: entries read and not decided, and
// the age of the oldest.
func (f *Follower) Lag(now time.Time) (entries int, age time.Duration) {
	for _, s := range f.shards {
		entries += s.queued()
	}
	age, _ = f.Ages(now)
	return entries, age
}

func (f *Follower) abandon(v []decision.Verdict) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range v {
		for _, n := range v[i].Plan {
			if n.Claimed {
				f.abandoned[n.ID] = struct{}{}
			}
		}
	}
}
