package supervision

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Times of rule 30.
const (
	// LeaveOut is after how long without a report a node is left out: it closes
	// its listeners within 12 s of losing the majority.
	LeaveOut = 15 * time.Second
	// DigestEvery is between two digests.
	DigestEvery = time.Second
	// underWay is the longest that a digest may be on its way: what a node heard
	// this long before its report came is surely known.
	underWay = 2 * time.Second
	// keptCuts is how many digests of the past are kept for a node that missed
	// some; beyond it gets all.
	keptCuts = 10
)

// Core is what this node knows of all panels and nodes. It is safe for use by
// several goroutines; no call waits.
type Core struct {
	process uint64
	origin  time.Time // tick pastTicks
	started tick
	past    atomic.Bool // something of the past was noted, which only whole digests tell
	shards  [shards]shard

	mu    sync.Mutex // guards what is below; taken before a shard's
	nodes []*node    // by index; the first is this one
	sites []string   // configured
	cuts  []cut      // of the last digests, the oldest first
	seq   uint64     // of the newest cut
	floor [256]tick  // of each node, as the wheels were turned with
	mesh  tick       // and the mesh's

	unheard tick // how long a panel may be in the roster and never heard
	served  tick // the earliest that a node was in service which has told us of it; else our start
}

// node is what is known of one node.
type node struct {
	name, site string // site empty: no member
	process    uint64
	seq        uint64 // of its last digest that was taken; 0: none, want it whole
	reported   tick   // all that it heard up to here is known; 0: nothing yet
	serving    bool   // ready then
	since      tick   // began to be, or not to be, in service

	acked uint64          // our digest that it has taken last; 0: send it whole
	told  map[string]tick // of other nodes: up to when it has their reports, as it says
}

// cut is what was heard here between two digests.
type cut struct {
	seq      uint64
	from, to tick
	fresh    [shards][]uint32
}

// NewCore makes the core of a node; process is drawn at random at its start.
// neverHeard is how long a panel may stand in the roster until it is told that
// nobody has heard it yet; its interval and grace when they are longer.
func NewCore(now time.Time, self string, process uint64, neverHeard time.Duration) *Core {
	c := &Core{process: process, origin: now, started: pastTicks, served: pastTicks, unheard: span(neverHeard)}
	c.nodes = []*node{{name: self, process: process, reported: pastTicks, since: pastTicks}}
	for i := range c.shards {
		c.shards[i].index = map[uint64]uint32{}
		c.shards[i].from = pastTicks
	}
	return c
}

func (c *Core) tick(now time.Time) tick {
	return pastTicks + tick(now.Sub(c.origin)/(time.Second/time.Duration(second)))
}

// Member is a node that counts.
type Member struct{ Node, Site string }

// Configure says which nodes and sites count.
func (c *Core) Configure(members []Member, sites []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.nodes {
		n.site = ""
	}
	for _, m := range members {
		if i := c.node(m.Node); i != nobody {
			c.nodes[i].site = m.Site
		}
	}
	c.sites = slices.Clone(sites)
}

// node is the index of a node, which is made when it is new; nobody when there
// are too many. Needs mu.
func (c *Core) node(name string) uint8 {
	for i, n := range c.nodes {
		if n.name == name {
			return uint8(i)
		}
	}
	if len(c.nodes) == nobody {
		return nobody
	}
	c.nodes = append(c.nodes, &node{name: name, told: map[string]tick{}})
	return uint8(len(c.nodes) - 1)
}

// Serve says whether this node acknowledges now.
func (c *Core) Serve(now time.Time, ready bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	self := c.nodes[0]
	self.reported = c.tick(now)
	if self.serving != ready {
		self.serving, self.since = ready, self.reported
	}
}

// leftOut tells whether a node that counts is left out (rule 30). Needs mu.
func (c *Core) leftOut(n *node, now tick) bool {
	return now > max(n.reported, c.started)+span(LeaveOut)
}

// horizon is up to when everything is known that any node which isn't left out
// has heard. false: no majority of sites reports, or nobody is in service, or
// some node hasn't reported at all yet. Needs mu.
func (c *Core) horizon(now tick) (tick, bool) {
	at, serving := now, false
	var sites []string
	for i, n := range c.nodes {
		if n.site == "" || c.leftOut(n, now) {
			continue
		}
		switch {
		case i == 0:
		case n.reported == 0:
			at = 0
		default:
			at = min(at, n.reported.back(span(underWay)))
		}
		serving = serving || n.serving
		if !slices.Contains(sites, n.site) {
			sites = append(sites, n.site)
		}
	}
	known := 0
	for _, s := range c.sites {
		if slices.Contains(sites, s) {
			known++
		}
	}
	return at, serving && at > 0 && len(c.sites) > 0 && known > len(c.sites)/2
}

// floors are, for every node, the end of its service or the start of its present
// one, and the start of the mesh's. Needs mu.
func (c *Core) floors(now tick) (of [256]tick, mesh tick) {
	for i, n := range c.nodes {
		switch {
		case c.leftOut(n, now):
			of[i] = n.reported
		default:
			of[i] = n.since
			if n.site != "" && n.serving && (mesh == 0 || n.since < mesh) {
				mesh = n.since
			}
		}
	}
	return of, mesh
}
