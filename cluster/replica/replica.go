package replica

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/cluster/env"
	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/wire/mesh"
)

// Replica keeps one node's journal level with its peers'. Its methods may be
// used by many goroutines.
type Replica struct {
	cfg      Config
	env      env.Env
	journal  *journal.Journal
	link     Link
	metrics  metrics
	raft     func() (term, index uint64) // set before Run; may be nil
	announce <-chan struct{}             // set before Run; may be nil: at once
	waiters  sync.Pool                   // of *waiter

	mu             sync.Mutex // guards the group below; never held while waiting
	quorum         *Quorum
	sites          []string
	members        []Member
	waiting        lines // for a majority
	waitingAll     lines // for all configured sites
	durableChanged chan struct{}
	peers          map[string]*peer
	quarantined    map[mesh.Origin]string // why
	ahead          map[mesh.Origin]bool   // somebody may have more than we
	hurry          map[mesh.Origin]bool   // begin its catch-up without grace

	intakeMu sync.Mutex
	intakes  map[mesh.Origin]*intake

	look chan struct{} // one token: the puller should look
}

// peer is what is known of another node. Guarded by Replica.mu.
type peer struct {
	name, site string
	disk       string // as it says itself; empty before its first message
	connected  bool
	marks      map[mesh.Origin]uint64
	verified   map[mesh.Origin]journal.Move // last mark whose running hash was compared
	session    int                          // of its stream of marks: the newest counts

	live      []mesh.Record // wait to be sent
	liveBytes int
	liveWake  chan struct{}
	moved     map[mesh.Origin]journal.Move // wait to be told
	marksWake chan struct{}
}

// New ties the replica to journal and link, before either runs, and starts nothing.
func New(cfg Config, j *journal.Journal, l Link, e env.Env) (*Replica, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Replica{
		cfg: cfg.withDefaults(), env: e, journal: j, link: l,
		quorum: NewQuorum(), waiting: lines{}, waitingAll: lines{}, waiters: sync.Pool{New: newWaiter}, durableChanged: make(chan struct{}),
		peers: map[string]*peer{}, quarantined: map[mesh.Origin]string{},
		ahead: map[mesh.Origin]bool{}, hurry: map[mesh.Origin]bool{},
		intakes: map[mesh.Origin]*intake{}, look: make(chan struct{}, 1),
	}
	var err error
	if r.metrics, err = newMetrics(e.Metrics, r); err != nil {
		return nil, err
	}
	for o, mark := range j.Marks() {
		r.quorum.Note(cfg.Node, j.DiskID(), o, mark)
	}
	j.Outgoing(r.outgoing)
	j.Flushed(r.flushed)
	nodes := []string{link.RoleNode}
	l.Handle(link.PurposeLive, nodes, r.serveLive)
	l.Handle(link.PurposeMarks, nodes, r.serveMarks)
	l.Handle(link.PurposeCatchUp, nodes, r.serveCatchUp)
	l.OnConnect(r.connected)
	return r, nil
}

// SetRaft sets where the Raft term and index come from that the peers are told
// (rule 28). Before Run only.
func (r *Replica) SetRaft(fn func() (term, index uint64)) { r.raft = fn }

// AnnounceAfter has this node tell nobody its marks before ch is closed: peers
// are asked what they have seen of the last process, and what this one has
// caught up meanwhile must not stand in their answers (rule 28). Before Run only.
func (r *Replica) AnnounceAfter(ch <-chan struct{}) { r.announce = ch }

// SetMembers takes the committed configuration: the sites, and the nodes whose
// marks count. Without it nothing becomes durable.
func (r *Replica) SetMembers(members []Member, sites []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members, r.sites = append([]Member(nil), members...), append([]string(nil), sites...)
	r.settled(r.quorum.Configure(sites, members))
	for o := range r.waitingAll {
		r.noted(o)
	}
}

// Run fetches what peers have and this node lacks, until ctx ends.
func (r *Replica) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.pull(ctx, g) })
	return g.Wait()
}

// peerOf returns what is known of a node. Needs mu.
func (r *Replica) peerOf(id link.Identity) *peer {
	p := r.peers[id.Name]
	if p == nil {
		p = &peer{
			name: id.Name, marks: map[mesh.Origin]uint64{}, verified: map[mesh.Origin]journal.Move{},
			liveWake: make(chan struct{}, 1), marksWake: make(chan struct{}, 1),
		}
		r.peers[id.Name] = p
	}
	p.site = id.Site
	return p
}

// connected serves one connection: it tells our marks and sends our records.
func (r *Replica) connected(ctx context.Context, id link.Identity) {
	r.mu.Lock()
	p := r.peerOf(id)
	p.connected, p.live, p.liveBytes, p.moved = true, nil, 0, map[mesh.Origin]journal.Move{}
	r.mu.Unlock()
	r.wakePull()
	defer func() {
		r.mu.Lock()
		p.connected, p.live, p.liveBytes, p.moved = false, nil, 0, nil
		r.mu.Unlock()
		r.wakePull()
	}()
	if r.announce != nil {
		select {
		case <-ctx.Done():
			return
		case <-r.announce:
		}
	}
	for ctx.Err() == nil {
		g, gctx := errgroup.WithContext(ctx)
		g.Go(func() error { return r.sendMarks(gctx, p) })
		g.Go(func() error { return r.sendLive(gctx, p) })
		if err := g.Wait(); err != nil && ctx.Err() == nil {
			r.env.Log.Warn("replication to a peer broke; trying again", "node", id.Name, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter): // the whole table goes out again
		}
	}
}

func (r *Replica) wakePull() { wake(r.look) }

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// quarantine takes an origin out of replication and readiness: two nodes hold
// different histories of it. Only an operator ends it.
func (r *Replica) quarantine(o mesh.Origin, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.quarantined[o] != "" {
		return
	}
	r.quarantined[o] = reason
	r.quorum.Freeze(o)
	r.env.Log.Error("an origin is quarantined: histories differ", "origin", o.String(), "reason", reason)
}

func (r *Replica) isQuarantined(o mesh.Origin) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.quarantined[o] != ""
}
