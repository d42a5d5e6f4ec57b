package supervision

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"vedetta/cluster/env"
	"vedetta/node/agreement"
	"vedetta/node/alerting"
	rosters "vedetta/node/roster"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/roster"
)

// Method is the call that digests are sent by.
const Method = "supervision.digest"

// Bounds of one proposal, and how often readiness is looked at.
const (
	changesAtOnce = 256
	stepsAtOnce   = 2000
	serveEvery    = 200 * time.Millisecond
	proposeWithin = 8 * time.Second
)

// Config of this node's part.
type Config struct {
	Self  mesh.Origin // this process; required
	Peers []string    // the other nodes

	NeverHeardAfter time.Duration // how long a new panel may be unheard; its interval and grace when they are longer
}

// View is what this node has applied.
type View interface {
	Members() []decision.Member
	Sites() []string
	Clock() time.Time
	Lead(shard byte) (decision.Fence, bool)
	Silent(shard byte) map[string]agreement.Silence
	SilentPanel(panel string) (agreement.Silence, bool)
}

// Caller calls another node.
type Caller interface {
	Call(ctx context.Context, peer, method string, req []byte) ([]byte, error)
}

// Proposer puts a command before the agreement; an error means that it may
// still be applied.
type Proposer interface {
	Propose(ctx context.Context, body decision.Body) (agreement.Result, error)
}

// Parts are what supervision talks to; all are required.
type Parts struct {
	View     View
	Caller   Caller
	Proposer Proposer
	Roster   interface{ Snapshot() *rosters.Snapshot }
	Held     func() uint64        // agreement index that this node held when it started
	Ready    func() bool          // this node acknowledges now
	Offset   func() time.Duration // this node's clock minus the median of the nodes'
}

// Supervision is this node's part.
type Supervision struct {
	cfg   Config
	parts Parts
	log   *slog.Logger
	core  *Core

	led     [shards]bool // of Run's judging goroutine
	judging atomic.Bool  // enough was known at the last look

	verdicts *prometheus.CounterVec
	sent     *prometheus.CounterVec
	heard    prometheus.Counter
}

// New makes this node's part; it starts nothing.
func New(cfg Config, parts Parts, e env.Env) (*Supervision, error) {
	if cfg.Self.IsZero() {
		return nil, fmt.Errorf("supervision: self is empty, want this process's origin")
	}
	s := &Supervision{cfg: cfg, parts: parts, log: e.Log, core: NewCore(time.Now(), cfg.Self.Node, rand.Uint64(), cfg.NeverHeardAfter),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_supervision_verdicts_total", Help: "Panels that this node judged silent, or heard again, by what was told."}, []string{"verdict"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_supervision_digest_bytes_total", Help: "Bytes of digests sent to other nodes."}, []string{"peer"}),
		heard: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vedetta_supervision_digests_total", Help: "Digests taken from other nodes."}),
	}
	e.Metrics.MustRegister(s.verdicts, s.sent, s.heard)
	return s, nil
}

// Heard notes a good message of a panel: polls too, before they are answered.
// prefix and receiver are the digits after L and R, nil: absent.
func (s *Supervision) Heard(now time.Time, p *roster.Panel, transport string, prefix, receiver *string) {
	s.core.Heard(now, p.ID, pathOf(p, transport, prefix, receiver))
}

// pathOf tells which path a message came by.
func pathOf(p *roster.Panel, transport string, prefix, receiver *string) Path {
	a := p.Alternative
	if a == nil || a.Transport != "" && a.Transport != transport {
		return Primary
	}
	if a.Prefix != "" && !sameNumber(a.Prefix, prefix) || a.Receiver != "" && !sameNumber(a.Receiver, receiver) {
		return Primary
	}
	return Alternative
}

func sameNumber(want string, got *string) bool {
	return got != nil && strings.EqualFold(rosters.TrimZeros(want), rosters.TrimZeros(*got))
}

// RosterChanged takes over the panels of one document of a customer's roster:
// those before and those that are now, by the document of an agreement index.
func (s *Supervision) RosterChanged(customer string, index uint64, was, is []roster.Panel) {
	now := time.Now()
	l, known := s.parts.Roster.Snapshot().Customer(customer)
	for i := range was {
		if _, ok := panelOf(l, known, was[i].ID); !ok {
			s.core.Drop(was[i].ID)
		}
	}
	before := index <= s.parts.Held()
	for i := range is {
		p := &is[i]
		out := Panel{ID: p.ID, Customer: customer, Before: before}
		if p.PollSeconds > 0 {
			out.Within = seconds(p.PollSeconds + p.GraceSeconds)
			if p.Alternative != nil {
				out.Alternative = seconds(p.Alternative.PollSeconds + p.Alternative.GraceSeconds)
			}
		}
		if !s.core.Put(now, out) {
			s.log.Error("panel can't be supervised: its key is another panel's", "panel", p.ID)
		}
	}
}

func panelOf(l *rosters.Loaded, known bool, panel string) (*roster.Panel, bool) {
	if !known {
		return nil, false
	}
	return l.Panel(panel)
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// Run tells the others, and judges, until ctx ends.
func (s *Supervision) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return every(ctx, serveEvery, func(context.Context) { s.core.Serve(time.Now(), s.parts.Ready()) })
	})
	tell := make(map[string]chan struct{}, len(s.cfg.Peers))
	for _, peer := range s.cfg.Peers {
		now := make(chan struct{}, 1)
		tell[peer] = now
		g.Go(func() error { return s.tell(ctx, peer, now) })
	}
	g.Go(func() error {
		return every(ctx, DigestEvery, func(ctx context.Context) {
			s.configure()
			s.core.Cut(time.Now())
			for _, c := range tell {
				select {
				case c <- struct{}{}:
				default: // it is still being told of the second before
				}
			}
			s.judge(ctx)
		})
	})
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

func (s *Supervision) configure() {
	var members []Member
	for _, m := range s.parts.View.Members() {
		members = append(members, Member{m.Node, m.Site})
	}
	s.core.Configure(members, s.parts.View.Sites())
}

// tell sends a peer what it is to know, each time it is asked to.
func (s *Supervision) tell(ctx context.Context, peer string, now <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-now:
		}
		for again := true; again; {
			again = s.send(ctx, peer)
		}
	}
}

// send sends one digest; true: the peer wants it whole.
func (s *Supervision) send(ctx context.Context, peer string) (whole bool) {
	ctx, cancel := context.WithTimeout(ctx, underWay)
	defer cancel()
	b, seq := s.core.Digest(time.Now(), peer)
	if b == nil {
		return false
	}
	answer, err := s.parts.Caller.Call(ctx, peer, Method, b)
	if err != nil || len(answer) != 1 {
		s.log.Debug("digest not taken", "peer", peer, "err", err)
		return false
	}
	s.sent.WithLabelValues(peer).Add(float64(len(b)))
	s.core.Answered(peer, seq, answer[0] == 0)
	return answer[0] != 0
}

// Answer is the other side of Method; from is the node by its certificate.
func (s *Supervision) Answer(_ context.Context, from string, req []byte) ([]byte, error) {
	whole, err := s.core.Take(time.Now(), from, req)
	if err != nil {
		return nil, err
	}
	if whole {
		return []byte{1}, nil
	}
	s.heard.Inc()
	return []byte{0}, nil
}

// judge looks at the led shards and has decided what there is to decide.
func (s *Supervision) judge(ctx context.Context) {
	look := s.core.Judge(time.Now())
	s.judging.Store(look.Judges())
	clock := s.parts.View.Clock()
	var g errgroup.Group
	g.SetLimit(8)
	for shard := range byte(shards) {
		fence, ok := s.parts.View.Lead(shard)
		if ok = ok && fence.Holder == s.cfg.Self; !ok {
			if s.led[shard] {
				look.Leave(shard)
			}
			s.led[shard] = false
			continue
		}
		s.led[shard] = true
		known := Known{}
		for panel, v := range s.parts.View.Silent(shard) {
			r := Raised{Customer: v.Customer, Silent: v.Silent}
			if v.PrimaryMs > 0 {
				r.Primary = max(0, clock.Sub(time.UnixMilli(v.PrimaryMs)))
			}
			known[panel] = r
		}
		if changes := look.Shard(shard, known, changesAtOnce); len(changes) > 0 {
			g.Go(func() error { s.decide(ctx, fence, changes); return nil })
		}
	}
	_ = g.Wait() // what was not decided is looked at again
}

// decide proposes changes. What the agreement doesn't take is judged anew.
func (s *Supervision) decide(ctx context.Context, fence decision.Fence, changes []Change) {
	ctx, cancel := context.WithTimeout(ctx, proposeWithin)
	defer cancel()
	snapshot := s.parts.Roster.Snapshot()
	cmd := decision.Supervise{Fence: fence, RosterIndex: snapshot.Index()}
	steps := 0
	for _, c := range changes {
		p := s.draft(snapshot, c)
		if steps += len(p.Plan); steps > stepsAtOnce && len(cmd.Panels) > 0 {
			break // the rest comes with the next look
		}
		cmd.Panels = append(cmd.Panels, p)
	}
	r, err := s.parts.Proposer.Propose(ctx, cmd)
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		if ctx.Err() == nil {
			s.log.Warn("silence not decided yet", "shard", fence.Shard, "panels", len(cmd.Panels), "err", err)
		}
		return
	}
	for i, p := range cmd.Panels {
		if i < len(r.Taken) && r.Taken[i] {
			for _, e := range p.Events {
				s.verdicts.WithLabelValues(e.Code + " " + e.Qualifier).Inc()
			}
		}
	}
}

// draft makes the decision about one change, with its whole plan.
func (s *Supervision) draft(snapshot *rosters.Snapshot, c Change) decision.Silence {
	out := decision.Silence{Customer: c.Customer, Panel: c.Panel, From: c.From, To: c.To}
	customer, ok := snapshot.Customer(c.Customer)
	if !ok {
		return out
	}
	panel, ok := customer.Panel(c.Panel)
	if !ok {
		return out // it was removed since: nothing is told
	}
	now := time.Now().Add(-s.parts.Offset())
	out.Events = c.Events(now, zoneOf(panel), customer.Doc.Language)
	for i, e := range out.Events {
		for _, n := range alerting.Plan(alerting.Planned{ID: strconv.Itoa(i), Event: e, Received: now}, customer, panel, s.parts.View.Clock()) {
			n.ID, n.Event, n.Claimed = "", strconv.Itoa(i), false
			out.Plan = append(out.Plan, n)
		}
	}
	if left := len(out.Plan) - alerting.MaxPlan; left > 0 { // what is due last goes
		s.log.Error("plan cut", "panel", c.Panel, "notifications", len(out.Plan), "want", alerting.MaxPlan)
		slices.SortStableFunc(out.Plan, func(a, b decision.Notification) int { return cmp.Compare(a.DueMs, b.DueMs) })
		out.Plan = out.Plan[:alerting.MaxPlan]
	}
	return out
}

func zoneOf(p *roster.Panel) *time.Location {
	name := p.TimeZone
	if name == "" {
		name = "Europe/Rome"
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC // central refuses names that don't exist
	}
	return z
}

// Panels counts those of the roster, supervised or not.
func (s *Supervision) Panels() int { return s.core.Panels() }

// Judging tells whether enough was known at the last look to judge.
func (s *Supervision) Judging() bool { return s.judging.Load() }
