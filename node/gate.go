package node

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vedetta/cluster/link"
	"vedetta/node/agreement"
	"vedetta/node/readiness"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

const (
	gateStep     = 100 * time.Millisecond
	drainWithin  = 12 * time.Second
	finishWithin = 5 * time.Second
	clockBound   = 2 * time.Second
)

// gate gathers the facts of readiness, steps its core, and opens and closes the
// panel listeners as it says.
type gate struct {
	node, disk string
	self       mesh.Origin
	floor      float64
	facts      factSources
	open       func(bool)                  // reception's; set in the wiring
	finish     func(context.Context) error // waits for what is being sent; set in the wiring
	handOver   func(context.Context) error // Raft's leadership, to another voter; set in the wiring

	draining atomic.Bool
	measured atomic.Int64             // Offset at the last step
	damaged  atomic.Pointer[[]string] // files of the journal that failed their check, with what was found
	verdict  atomic.Pointer[readiness.Verdict]
	mu       sync.Mutex // guards core
	core     readiness.Core
}

// factSources is where the facts come from.
type factSources struct {
	sites       func(now time.Time) (reachable, configured []string)
	quarantined func() int
	diskFree    func() (free, total uint64, err error)
	leaderSeen  func() time.Time
	view        *agreement.View
	peers       func() []link.PeerStatus
	call        func(ctx context.Context, peer, method string, req []byte) ([]byte, error)
}

func newGate(node, disk string, self mesh.Origin, floor float64, facts factSources) *gate {
	g := &gate{node: node, disk: disk, self: self, floor: floor, facts: facts, open: func(bool) {}, finish: nothing, handOver: nothing}
	g.verdict.Store(&readiness.Verdict{Reasons: []readiness.Reason{readiness.Recovering}})
	return g
}

func nothing(context.Context) error { return nil }

// Ready tells whether an alarm would be acknowledged now.
func (g *gate) Ready() bool { return g.verdict.Load().Ready }

// Verdict is the last one.
func (g *gate) Verdict() readiness.Verdict { return *g.verdict.Load() }

// Run steps until ctx ends.
func (g *gate) Run(ctx context.Context) error {
	tick := time.NewTicker(gateStep)
	defer tick.Stop()
	for {
		g.step(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (g *gate) step(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.core.Step(now, g.gather(now))
	g.verdict.Store(&v)
	g.measured.Store(int64(g.Offset()))
	g.open(v.Open)
}

func (g *gate) gather(now time.Time) readiness.Facts {
	reachable, configured := g.facts.sites(now)
	free, total, err := g.facts.diskFree()
	share := 0.0 // unknown counts as full
	if err == nil && total > 0 {
		share = float64(free) / float64(total)
	}
	_, key := g.facts.view.DayKey(mesh.DayOf(now))
	return readiness.Facts{
		Sites: len(configured), Answering: len(reachable), LeaderSeen: g.facts.leaderSeen(),
		Member: slices.ContainsFunc(g.facts.view.Members(), func(m decision.Member) bool { return m.Node == g.node && m.Disk == g.disk }),
		Caught: g.facts.view.Generation() > 0, Quarantine: g.facts.quarantined() > 0 || g.damaged.Load() != nil,
		DiskFree: share, DiskFloor: g.floor, Keys: key || g.facts.view.Generation() == 0,
		ClockOff: g.Offset(), ClockBound: clockBound, Draining: g.draining.Load(),
	}
}

// Offset is our clock minus the median of all that answer, ours among them.
func (g *gate) Offset() time.Duration {
	offsets := []time.Duration{0}
	for _, p := range g.facts.peers() {
		if p.Connected {
			offsets = append(offsets, p.Offset)
		}
	}
	slices.Sort(offsets)
	return -offsets[(len(offsets)-1)/2]
}

// Measured is Offset as of the last step, for who asks with every message.
func (g *gate) Measured() time.Duration { return time.Duration(g.measured.Load()) }

// leads counts the shards that this process leads.
func (g *gate) leads() []int {
	shards := []int{}
	for i, s := range g.facts.view.Shards() {
		if s.Holder == g.self {
			shards = append(shards, i)
		}
	}
	return shards
}

// Drain closes the listeners, finishes what is being sent, waits until the
// shards were taken over and hands over Raft's leadership; bounded, and short when nobody is there to take over.
func (g *gate) Drain(ctx context.Context) {
	g.draining.Store(true)
	g.step(time.Now())
	ctx, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	// What can't be finished in time is resolved by who leads next (rule 24).
	sending, done := context.WithTimeout(ctx, finishWithin)
	_ = g.finish(sending)
	done()
	for len(g.leads()) > 0 && g.ableElsewhere(ctx) {
		select {
		case <-ctx.Done():
			return
		case <-g.facts.view.Changed():
		case <-time.After(gateStep):
		}
	}
	if g.ableElsewhere(ctx) {
		// What isn't handed over is taken over after an election.
		_ = g.handOver(ctx)
	}
}

// methodAble is the call by which a node that drains asks whether another one
// would take over.
const methodAble = "node.able"

// Able answers methodAble: one byte, 1 when this node is ready and stays.
func (g *gate) Able(context.Context, link.Identity, []byte) ([]byte, error) {
	if g.Ready() {
		return []byte{1}, nil
	}
	return []byte{0}, nil
}

// ableElsewhere tells whether another node is there to take over: when all of
// them are being stopped, nobody waits for anybody.
func (g *gate) ableElsewhere(ctx context.Context) bool {
	for _, p := range g.facts.peers() {
		if !p.Connected {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		answer, err := g.facts.call(ctx, p.Name, methodAble, nil)
		cancel()
		if err == nil && len(answer) == 1 && answer[0] == 1 {
			return true
		}
	}
	return false
}
