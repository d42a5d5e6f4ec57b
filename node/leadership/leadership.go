// Package leadership gives the shards to the nodes: every node tells the Raft
// leader twice a second that it is there, and the Raft leader has the agreement
// assign the shards, evenly and stably, away from who is silent, not ready or
// behind (rules 17, 25). The Raft leader also founds the mesh, keeps the
// agreement's clock going (rule 20) and puts the day keys ahead of their day.
//
// Who leads is judged by Assigner, which is stepped. A lease only decides when
// to give up: what protects against two leaders is the epoch in the state
// machine. New starts nothing; Run's goroutines end with it.
package leadership

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"vedetta/cluster/env"
	"vedetta/node/agreement"
	"vedetta/node/proposal"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Method is the call that renewals are sent by.
const Method = "leadership.renew"

// Config of this node's part; the zero value of a duration is its default.
type Config struct {
	Self        mesh.Origin    // this process; required
	Founding    decision.Found // what the first leader founds; Generation 0: nothing
	RenewEvery  time.Duration  // between renewals; 500 ms
	AssignEvery time.Duration  // between looks of the Raft leader; 250 ms
	TickEvery   time.Duration  // of the agreement's clock; 1 s
	ClockBound  time.Duration  // from the nodes' median: beyond it is alarmed; 2 s
}

func (c *Config) defaults() error {
	if c.Self.IsZero() {
		return errors.New("leadership: self is empty, want this process's origin")
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&c.RenewEvery, 500 * time.Millisecond}, {&c.AssignEvery, 250 * time.Millisecond}, {&c.TickEvery, time.Second}, {&c.ClockBound, 2 * time.Second}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return nil
}

// Raft is the log of commands.
type Raft interface {
	// Leader names the node that leads, empty when none is known.
	Leader() (name string, self bool)
	// Propose has a command applied; an error when this node doesn't lead.
	Propose(ctx context.Context, command []byte) (agreement.Result, error)
	// Barrier returns when this leader has applied all that was committed before.
	Barrier(ctx context.Context) error
}

// Caller calls another node.
type Caller interface {
	Call(ctx context.Context, peer, method string, req []byte) ([]byte, error)
}

// View is what this node has applied.
type View interface {
	Generation() uint64
	Clock() time.Time
	Members() []decision.Member
	Shards() [agreement.Shards]agreement.Shard
	DayKey(mesh.Day) (seal.Key, bool)
}

// Parts are what leadership talks to; all but HandOver are required.
type Parts struct {
	Raft   Raft
	Caller Caller
	View   View
	Ready  func() bool                                                // of this node, false while it drains
	Ages   func(now time.Time) (undecided, due time.Duration)         // alerting.Follower.Ages
	Offset func() time.Duration                                       // this node's clock minus the nodes' median
	Wrap   func(k seal.Key, owner string) (wrapped []byte, err error) // seal.MeshKey.Wrap

	HandOver func(context.Context) error // gives Raft's leadership to another node; nil: this one keeps it
}

// Leadership is this node's part.
type Leadership struct {
	cfg   Config
	parts Parts
	log   *slog.Logger

	mu       sync.Mutex
	assigner *Assigner // nil: this node isn't the Raft leader

	handedOver time.Time // last try, by tick's goroutine alone

	assigned prometheus.Counter
	clockOff prometheus.Gauge
	alarm    prometheus.Gauge
}

// New makes this node's part.
func New(cfg Config, parts Parts, e env.Env) (*Leadership, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	l := &Leadership{cfg: cfg, parts: parts, log: e.Log,
		assigned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vedetta_shards_assigned_total", Help: "Shards that this node, as Raft leader, gave to a holder."}),
		clockOff: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vedetta_agreement_clock_offset_seconds", Help: "Agreement's clock minus the median of the nodes' clocks, at the Raft leader."}),
		alarm: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vedetta_agreement_clock_alarm", Help: "1: the Raft leader's clock has left the median of the nodes' clocks."}),
	}
	e.Metrics.MustRegister(l.assigned, l.clockOff, l.alarm)
	return l, nil
}

// Run renews, and leads while this node is the Raft leader, until ctx ends.
func (l *Leadership) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return every(ctx, l.cfg.RenewEvery, l.renew) })
	g.Go(func() error { return every(ctx, l.cfg.AssignEvery, l.lead) })
	g.Go(func() error { return every(ctx, l.cfg.TickEvery, l.tick) })
	return g.Wait()
}

func every(ctx context.Context, d time.Duration, fn func(context.Context)) error {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		fn(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// renewal on the wire.
type renewal struct {
	Holder      mesh.Origin `json:"holder"`
	Ready       bool        `json:"ready"`
	UndecidedMs int64       `json:"oldest_undecided_ms"`
	DueMs       int64       `json:"oldest_due_ms"`
}

// renew tells the Raft leader that this process is there.
func (l *Leadership) renew(ctx context.Context) {
	undecided, due := l.parts.Ages(time.Now())
	r := Renewal{Holder: l.cfg.Self, Ready: l.parts.Ready(), UndecidedMs: undecided.Milliseconds(), DueMs: due.Milliseconds()}
	name, self := l.parts.Raft.Leader()
	switch {
	case self:
		l.heard(r)
	case name != "":
		ctx, cancel := context.WithTimeout(ctx, l.cfg.RenewEvery)
		defer cancel()
		b, err := json.Marshal(renewal(r))
		if err == nil {
			_, err = l.parts.Caller.Call(ctx, name, Method, b)
		}
		if err != nil && ctx.Err() == nil {
			l.log.Debug("renewal not taken", "leader", name, "err", err)
		}
	}
}

// Answer is the Raft leader's side of Method; from is the node by its
// certificate.
func (l *Leadership) Answer(_ context.Context, from string, req []byte) ([]byte, error) {
	var r renewal
	if err := json.Unmarshal(req, &r); err != nil {
		return nil, fmt.Errorf("renewal: %w", err)
	}
	if r.Holder.Node != from {
		return nil, fmt.Errorf("renewal of %s from %s: want a node's own", r.Holder.Node, from)
	}
	if !l.heard(Renewal(r)) {
		return nil, errors.New("renewal: this node is not the Raft leader")
	}
	return nil, nil
}

func (l *Leadership) heard(r Renewal) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.assigner == nil {
		return false
	}
	l.assigner.Renew(time.Now(), r)
	return true
}

// lead does what the Raft leader does besides the clock.
func (l *Leadership) lead(ctx context.Context) {
	if !l.leads(ctx) {
		return
	}
	l.found(ctx)
	if l.parts.View.Generation() == 0 {
		return
	}
	l.putDayKeys(ctx)
	var members []string
	for _, m := range l.parts.View.Members() {
		members = append(members, m.Node)
	}
	shards := l.parts.View.Shards()
	holders := make([]mesh.Origin, len(shards))
	for i := range shards {
		holders[i] = shards[i].Holder
	}
	l.mu.Lock()
	var next []decision.Assignment
	if l.assigner != nil {
		next = l.assigner.Assign(time.Now(), members, holders)
	}
	l.mu.Unlock()
	if len(next) == 0 {
		return
	}
	if l.propose(ctx, decision.Assign{Shards: next}) {
		l.assigned.Add(float64(len(next)))
		l.log.Info("shards assigned", "shards", len(next))
	}
}

// leads tells whether this node is the Raft leader; a new one first applies
// all that was committed before it.
func (l *Leadership) leads(ctx context.Context) bool {
	_, self := l.parts.Raft.Leader()
	l.mu.Lock()
	had := l.assigner != nil
	if !self {
		l.assigner = nil
	}
	l.mu.Unlock()
	if !self || had {
		return self
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := l.parts.Raft.Barrier(ctx); err != nil {
		return false
	}
	l.mu.Lock()
	l.assigner = NewAssigner(time.Now()) // until now renewals were refused: nobody was silent
	l.mu.Unlock()
	return true
}

// found is the first command of the mesh's first leader.
func (l *Leadership) found(ctx context.Context) {
	if l.parts.View.Generation() == 0 && l.cfg.Founding.Generation != 0 {
		if l.propose(ctx, l.cfg.Founding) {
			l.log.Info("mesh founded", "generation", l.cfg.Founding.Generation, "members", len(l.cfg.Founding.Members))
		}
	}
}

// putDayKeys puts the keys of today and tomorrow, by the agreement's clock and
// by the nodes': without today's nothing can be decided.
func (l *Leadership) putDayKeys(ctx context.Context) {
	for _, now := range []time.Time{l.parts.View.Clock(), l.median()} {
		for ahead := range mesh.Day(2) {
			day := mesh.DayOf(now) + ahead
			if _, ok := l.parts.View.DayKey(day); ok {
				continue
			}
			k := seal.NewKey()
			wrapped, err := l.parts.Wrap(k, agreement.DayOwner(day))
			if err != nil {
				l.log.Error("day key not wrapped", "day", day.String(), "err", err)
				return
			}
			l.propose(ctx, decision.PutDayKey{Day: day, KeyID: k.ID[:], Wrapped: wrapped})
		}
	}
}

// median is the nodes' time: this node's own clock may be wrong.
func (l *Leadership) median() time.Time { return time.Now().Add(-l.parts.Offset()) }

// tick moves the agreement's clock to the median of the nodes' (rule 20): the
// state machine lets it go 60 s ahead at most, and never back. A clock that is
// ahead goes on at half the pace until the nodes have caught up: nothing would
// fall due while it stood. A leader with a wrong clock hands over, once a minute
// at most, for the next may see itself as wrong too.
func (l *Leadership) tick(ctx context.Context) {
	if _, self := l.parts.Raft.Leader(); !self || l.parts.View.Generation() == 0 {
		l.alarm.Set(0)
		return
	}
	now, clock := l.median(), l.parts.View.Clock()
	l.clockOff.Set(clock.Sub(now).Seconds())
	if !clock.Before(now) {
		now = clock.Add(l.cfg.TickEvery / 2)
	}
	l.propose(ctx, decision.Tick{Now: now.UnixMilli()})
	off := l.parts.Offset()
	if off.Abs() <= l.cfg.ClockBound {
		l.alarm.Set(0)
		return
	}
	l.alarm.Set(1)
	l.log.Error("the Raft leader's clock has left the median of the nodes' clocks", "offset", off.String())
	if l.parts.HandOver == nil || !l.handedOver.IsZero() && time.Since(l.handedOver) < time.Minute {
		return
	}
	l.handedOver = time.Now()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := l.parts.HandOver(ctx); err != nil && ctx.Err() == nil {
		l.log.Warn("leadership not handed over", "err", err)
	}
}

// propose puts a command into this leader's own log: one that has lost the
// election meanwhile must not reach its follower. What fails is judged anew at
// the next look.
func (l *Leadership) propose(ctx context.Context, body decision.Body) bool {
	first := l.median()
	if clock := l.parts.View.Clock(); clock.After(first) {
		first = clock // else it would be stale when the agreement's clock is far ahead
	}
	command, err := decision.EncodeCommand(proposal.NewID(), first.UnixMilli(), body)
	if err != nil {
		l.log.Error("command not encoded", "command", fmt.Sprintf("%T", body), "err", err)
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := l.parts.Raft.Propose(ctx, command)
	if err == nil {
		err = r.Err()
	}
	if err != nil && ctx.Err() == nil {
		l.log.Warn("command not accepted", "command", fmt.Sprintf("%T", body), "err", err)
	}
	return err == nil
}
