package consensus

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"vedetta/cluster/env"
	"vedetta/cluster/link"
	"vedetta/wire/mesh"
)

// Timing of Raft between cities (rule 25).
const (
	heartbeat       = 500 * time.Millisecond
	requestTimeout  = 5 * time.Second // of one message between servers
	transferTimeout = 2 * time.Second // for handing leadership over at the end
	cachedEntries   = 512
	maxAppend       = 512
)

// Consensus is one node's part in the agreement.
type Consensus struct {
	cfg     Config
	link    *link.Link
	fsm     raft.BatchingFSM
	journal Journal
	env     env.Env
	streams *streams
	ready   chan struct{} // closed when Raft runs
	held    atomic.Uint64 // index at the start

	mu     sync.Mutex             // guards the fields below
	raft   *raft.Raft             // nil before and after Run
	marks  map[mesh.Origin]uint64 // as the process found them: what peers saw of the last one is compared with these
	store  *store
	snaps  raft.SnapshotStore
	start  Start
	leader leadership
	moved  chan struct{} // closed when leader changes
	step   func(string)  // for tests: given to the store
}

// leadership is who leads, as far as this node knows.
type leadership struct {
	id    string
	self  bool
	since time.Time
}

// New registers with the link; call it before the link's Run.
func New(cfg Config, l *link.Link, fsm raft.BatchingFSM, j Journal, e env.Env) (*Consensus, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("agreement configuration: %w", err)
	}
	refused := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "vedetta_raft_streams_refused_total", Help: "Raft streams that were meant for another disk id.",
	})
	if err := e.Metrics.Register(refused); err != nil {
		return nil, fmt.Errorf("agreement metrics: %w", err)
	}
	c := &Consensus{
		cfg: cfg, link: l, fsm: fsm, journal: j, env: e, ready: make(chan struct{}), moved: make(chan struct{}),
		streams: newStreams(cfg.Self.ID(), l, refused), marks: j.Marks(),
	}
	votes := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "vedetta_raft_voter", Help: "1 when this node's disk has a vote by the latest configuration here, 0 while it only follows.",
	}, c.votes)
	if err := e.Metrics.Register(votes); err != nil {
		return nil, fmt.Errorf("agreement metrics: %w", err)
	}
	l.Handle(link.PurposeRaft, []string{link.RoleNode}, c.streams.serve)
	l.HandleCall(MethodSeen, []string{link.RoleNode}, c.answerSeen)
	return c, nil
}

// Run asks the peers (rule 28), starts Raft and holds it until ctx ends; a
// leader then hands over first. An error means that the process must end: a
// *Regressed folder, or a log that can't be written.
func (c *Consensus) Run(ctx context.Context) (err error) {
	log := newLogger(c.env.Log, "raft")
	st, err := openStore(c.cfg.Dir, log)
	if err != nil {
		return err
	}
	st.step = c.step
	dead := false // the disk is broken or hangs: nothing is closed, since that might hang too
	defer func() {
		if !dead {
			err = errors.Join(err, st.Close())
		}
	}()
	snaps, err := raft.NewFileSnapshotStoreWithLogger(c.cfg.Dir, 1, log)
	if err != nil {
		return fmt.Errorf("raft snapshots: %w", err)
	}
	o, err := c.own(st, snaps)
	if err != nil {
		return err
	}
	c.held.Store(o.index)
	start, why, err := c.ask(ctx, o)
	if err != nil {
		return nil // ended before it began
	}
	c.env.Log.Info("agreement starts", "id", c.cfg.Self.ID(), "as", start.String(), "reason", why)
	if start == StartRefused {
		return &Regressed{Reason: why}
	}

	conf := c.raftConfig()
	conf.Logger = log
	cache, err := raft.NewLogCache(cachedEntries, st)
	if err != nil {
		return fmt.Errorf("raft log cache: %w", err)
	}
	network := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: c.streams, MaxPool: 3, Timeout: requestTimeout, Logger: log,
	})
	defer network.Close()
	trans := newGuarded(network)
	if start == StartFound {
		err := raft.BootstrapCluster(conf, cache, st, snaps, trans, c.cfg.founding())
		if err != nil {
			return fmt.Errorf("found the agreement: %w", err)
		}
	}
	r, err := raft.NewRaft(conf, c.fsm, cache, st, snaps, trans)
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	c.begin(r, st, snaps, start)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { trans.pump(done, func() bool { return len(r.GetConfiguration().Configuration().Servers) > 0 }) })
	wg.Go(func() { c.follow(done, r) })

	err = c.watch(ctx, st)
	if dead = err != nil; dead {
		r.Shutdown() // not waited for
		network.Close()
		close(done)
		c.end()
		return err
	}
	c.handOver(r)
	err = r.Shutdown().Error()
	close(done)
	wg.Wait()
	c.end()
	if err != nil {
		return fmt.Errorf("stop raft: %w", err)
	}
	return nil
}

// own reads what this node holds.
func (c *Consensus) own(st *store, snaps raft.SnapshotStore) (own, error) {
	o := own{Member: c.cfg.Self, marks: c.marks}
	o.founding = slices.Contains(c.cfg.Founding, c.cfg.Self)
	var err error
	if o.term, err = st.GetUint64([]byte("CurrentTerm")); err != nil {
		return o, fmt.Errorf("raft log: current term: %w", err)
	}
	if o.index, err = st.LastIndex(); err != nil {
		return o, fmt.Errorf("raft log: last index: %w", err)
	}
	list, err := snaps.List()
	if err != nil {
		return o, fmt.Errorf("raft snapshots: %w", err)
	}
	for _, s := range list {
		o.index = max(o.index, s.Index)
	}
	return o, nil
}

func (c *Consensus) raftConfig() *raft.Config {
	conf := raft.DefaultConfig()
	conf.LocalID = raft.ServerID(c.cfg.Self.ID())
	conf.HeartbeatTimeout, conf.ElectionTimeout, conf.LeaderLeaseTimeout = heartbeat, heartbeat, heartbeat
	conf.MaxAppendEntries = maxAppend
	conf.BatchApplyCh = true
	conf.ShutdownOnRemove = false // a removed node goes on as one that waits to be added
	conf.NoLegacyTelemetry = true
	if c.cfg.SnapshotThreshold > 0 {
		conf.SnapshotThreshold = c.cfg.SnapshotThreshold
	}
	if c.cfg.TrailingLogs > 0 {
		conf.TrailingLogs = c.cfg.TrailingLogs
	}
	return conf
}

// watch returns nil when ctx ends, and an error when the log can't be written.
func (c *Consensus) watch(ctx context.Context, st *store) error {
	tick := time.NewTicker(maxFlush / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-st.failed:
			return err
		case <-tick.C:
			if took := st.hanging(); took > maxFlush {
				return fmt.Errorf("raft log %s: a write has not returned for %v, want at most %v", filepath.Join(c.cfg.Dir), took.Round(time.Millisecond), maxFlush)
			}
		}
	}
}

// handOver gives leadership to another before the end, if this node has it.
func (c *Consensus) handOver(r *raft.Raft) {
	if r.State() != raft.Leader {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), transferTimeout)
	defer cancel()
	if err := wait(ctx, r.LeadershipTransfer()); err != nil {
		c.env.Log.Warn("leadership not handed over", "error", err)
	}
}

func (c *Consensus) begin(r *raft.Raft, st *store, snaps raft.SnapshotStore, start Start) {
	c.mu.Lock()
	c.raft, c.store, c.snaps, c.start = r, st, snaps, start
	c.mu.Unlock()
	close(c.ready)
}

func (c *Consensus) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raft, c.store, c.snaps = nil, nil, nil
	c.lead(leadership{})
}

// running gives Raft, or ErrNotRunning.
func (c *Consensus) running() (*raft.Raft, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.raft == nil {
		return nil, ErrNotRunning
	}
	return c.raft, nil
}

// Ready is closed when Raft has started.
func (c *Consensus) Ready() <-chan struct{} { return c.ready }

// Held is the index up to which this node held the agreement when it started,
// committed or not; 0 before Run.
func (c *Consensus) Held() uint64 { return c.held.Load() }

// Started tells how rule 28 made this node start; StartWait before that.
func (c *Consensus) Started() Start {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start
}

// wait waits for a future of raft's, or for ctx: then what it does goes on.
func wait(ctx context.Context, f raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
