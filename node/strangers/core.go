package strangers

import (
	"io"
	"net/netip"
	"sync"
	"time"
)

// Refusal says why a connection is not taken; a metric's label.
type Refusal string

// Refusals of Enter.
const (
	Banned  Refusal = "banned"
	TooMany Refusal = "too_many_connections" // all places are taken by known panels
	Crowded Refusal = "too_many_here"        // its network has too many open that are unknown
)

// Core holds who is there. See New.
type Core struct {
	mu      sync.Mutex // guards all below
	cfg     Config
	open    int   // guests that are neither gone nor turned out
	unknown int   // of them, those that make room: without a known account so far, or one of too many of a panel
	oldest  Guest // ring of those that are unknown: oldest.next came first

	seen  map[network]record
	swept time.Time
	firm  map[string]int // by panel: its guests that keep their places

	known   [2]map[network]acquaintance // the second is of the time before
	since   time.Time                   // of known[0]
	news    []network                   // the last that became known, for other nodes
	told    uint64                      // how many became news, and 1
	started time.Time                   // zero: no longer lenient

	held, heldUDP, handshakes bucket

	heldOf  map[network]int // messages of unknown accounts kept since holding
	holding time.Time

	greeted  map[network]int // handshakes of known networks since greeting
	greeting time.Time
}

// Guest is one connection. It belongs to the connection's goroutine.
type Guest struct {
	addr    netip.Addr
	net     network
	conn    io.Closer
	entered time.Time
	noted   time.Time // last acknowledgement told to the core
	proven  bool
	firm    bool   // guarded by Core.mu: it keeps its place
	panel   string // whose place it is, of firm ones
	trusted bool   // of a network of the configuration

	counted    bool // guarded by Core.mu: in its network's record
	gone       bool // guarded by Core.mu: no longer in open
	prev, next *Guest
}

// record is what is held of a network that is not known.
type record struct {
	open    int32 // its guests that are unknown
	level   int32 // bans, less those forgiven
	points  float64
	at      time.Time // of points
	since   time.Time // of the last ban
	until   time.Time
	why     Offence
	refused int64 // connections during the ban
}

// New makes an empty core.
func New(cfg Config) *Core {
	c := &Core{cfg: cfg.withDefaults(), seen: map[network]record{}, firm: map[string]int{}, greeted: map[network]int{}, heldOf: map[network]int{}, told: 1}
	c.known[0], c.known[1] = map[network]acquaintance{}, map[network]acquaintance{}
	c.oldest.prev, c.oldest.next = &c.oldest, &c.oldest
	return c
}

// Enter asks for a place for a connection. With a refusal the guest is nil. When
// another has to go for it, its connection is returned: the caller closes it.
func (c *Core) Enter(addr netip.Addr, conn io.Closer, now time.Time) (g *Guest, out io.Closer, why Refusal) {
	addr = addr.Unmap()
	c.mu.Lock()
	defer c.mu.Unlock()
	g = &Guest{addr: addr, net: networkOf(addr), conn: conn, entered: now, trusted: c.exempt(addr)}
	if !g.trusted && !c.isKnown(g.net, now) {
		r, have := c.seen[g.net]
		switch {
		case now.Before(r.until):
			r.refused++
			c.seen[g.net] = r
			return nil, nil, Banned
		case int(r.open) >= c.cfg.PerNetwork:
			c.offend(g.net, Crowd, now)
			return nil, nil, Crowded
		}
		if have || c.room(now) {
			r.open++
			c.seen[g.net], g.counted = r, true
		}
	}
	if c.open >= c.cfg.Connections {
		first := c.oldest.next
		if first == &c.oldest {
			c.uncount(g, now)
			return nil, nil, TooMany
		}
		c.leave(first, now)
		out = first.conn
	}
	c.open++
	c.unknown++
	g.prev, g.next = c.oldest.prev, &c.oldest
	g.prev.next, c.oldest.prev = g, g
	return g, out, ""
}

// noteEvery is how often an acknowledgement of one connection is noted.
const noteEvery = time.Minute

// perPanel is how many connections of one panel keep their places. A panel has one
// or two, and some more that it has left without a word until they are idle for too
// long. Whoever knows one account that has no key could else take every place with it.
const perPanel = 16

// Prove says that the guest has shown the account of a known panel; from then on it
// keeps its place, unless that panel keeps perPanel others. acknowledged: its message
// was, too, so that its network is known.
func (c *Core) Prove(g *Guest, panel string, acknowledged bool, now time.Time) {
	if g.proven && (!acknowledged || now.Sub(g.noted) < noteEvery) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	g.proven = true
	if !g.firm && !g.gone && c.firm[panel] < perPanel {
		g.firm, g.panel = true, panel
		c.firm[panel]++
		c.unlink(g)
	}
	c.uncount(g, now)
	if acknowledged {
		g.noted = now
		c.note(g.net, true, now)
	}
}

// Proven tells whether the guest has shown a known account, or needs not to.
func (g *Guest) Proven() bool { return g.proven || g.trusted }

// Entered is when it came.
func (g *Guest) Entered() time.Time { return g.entered }

// Leave gives the place back; once per guest.
func (c *Core) Leave(g *Guest, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave(g, now)
}

func (c *Core) leave(g *Guest, now time.Time) {
	if g.gone {
		return
	}
	g.gone = true
	c.open--
	if g.firm {
		if c.firm[g.panel]--; c.firm[g.panel] == 0 {
			delete(c.firm, g.panel)
		}
	}
	c.unlink(g)
	c.uncount(g, now)
}

func (c *Core) unlink(g *Guest) {
	if g.next != nil {
		g.prev.next, g.next.prev = g.next, g.prev
		g.prev, g.next = nil, nil
		c.unknown--
	}
}

// uncount takes the guest out of its network's record, and the record away when
// nothing is left in it.
func (c *Core) uncount(g *Guest, now time.Time) {
	if !g.counted {
		return
	}
	g.counted = false
	r := c.seen[g.net]
	r.open--
	c.keep(g.net, r, now)
}

func (c *Core) exempt(a netip.Addr) bool {
	if !a.IsValid() {
		return true // no network at all: a pipe
	}
	for _, p := range c.cfg.NeverBan {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Counts is what metrics show.
type Counts struct {
	Places  int  // connections that may be open
	Open    int  // connections
	Unknown int  // of them, those that make room: without a known account so far, or one of too many of a panel
	Known   int  // networks with a panel acknowledged, two generations
	Banned  int  // networks now
	Lenient bool // nobody is banned yet
}

// Counts counts; it goes through all records.
func (c *Core) Counts(now time.Time) Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := Counts{Places: c.cfg.Connections, Open: c.open, Unknown: c.unknown, Known: len(c.known[0]) + len(c.known[1]), Lenient: c.lenient(now)}
	for _, r := range c.seen {
		if now.Before(r.until) {
			n.Banned++
		}
	}
	return n
}
