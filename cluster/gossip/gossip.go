package gossip

import (
	"context"
	"errors"
	"fmt"
	"log"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"vedetta/cluster/env"
	"vedetta/cluster/gossip/keyring"
	"vedetta/wire/mesh"
)

// Times of gossip. A node that was killed seems dead after about 6 s.
const (
	probeEvery    = time.Second
	probeTimeout  = 500 * time.Millisecond
	spreadEvery   = 500 * time.Millisecond
	exchangeEvery = 30 * time.Second // whole state, with one peer
	streamTimeout = 3 * time.Second
	joinEvery     = 10 * time.Second // who doesn't seem alive is looked for again
	leaveWithin   = time.Second
	againAfter    = 30 * time.Second // the sockets could not be opened
)

// label keeps other users of memberlist out; the keys authenticate it.
const label = "vedetta gossip 1"

// Config is what gossip is told.
type Config struct {
	Self        mesh.Origin       // this start of this node
	Listen      string            // host:port, TCP and UDP
	Peers       map[string]string // the other nodes: name -> host:port where they listen for gossip
	KeyringFile string            // made by `vedettactl pki gossip-keyring`
	About       About             // said to the others
}

// Validate says what is wrong, with the field's name.
func (c Config) Validate() error {
	var errs []error
	if !mesh.ValidNode(c.Self.Node) || c.Self.IsAgreement() {
		errs = append(errs, fmt.Errorf("gossip: self %q: want a node's origin", c.Self.String()))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		errs = append(errs, fmt.Errorf("gossip: listen %q: want host:port", c.Listen))
	}
	for name, address := range c.Peers {
		if _, _, err := net.SplitHostPort(address); err != nil || !mesh.ValidNode(name) || name == c.Self.Node {
			errs = append(errs, fmt.Errorf("gossip: peer %q at %q: want another node and host:port", name, address))
		}
	}
	if c.KeyringFile == "" {
		errs = append(errs, errors.New("gossip: keyring file: want a path"))
	}
	if !mesh.ValidNode(c.About.Site) {
		errs = append(errs, fmt.Errorf("gossip: site %q: want 1 to 32 of a-z, 0-9, dash", c.About.Site))
	}
	return errors.Join(errs...)
}

// Gossip is this node's side.
type Gossip struct {
	cfg     Config
	env     env.Env
	table   *table
	metrics metrics
	log     *lines
	reload  chan struct{}

	mu      sync.Mutex // guards the fields below
	ring    *memberlist.Keyring
	running bool
	problem string                    // why it doesn't run, or empty
	routes  map[string]netip.AddrPort // node -> resolved address
}

// New reads the keyring; without a good one gossip stays silent until Reload
// finds one. Its only errors are of the configuration.
func New(cfg Config, e env.Env) (*Gossip, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	g := &Gossip{
		cfg: cfg, env: e, table: newTable(append(slices.Collect(maps.Keys(cfg.Peers)), cfg.Self.Node)),
		reload: make(chan struct{}, 1), routes: map[string]netip.AddrPort{},
	}
	var err error
	if g.metrics, err = newMetrics(e.Metrics, g); err != nil {
		return nil, fmt.Errorf("gossip metrics: %w", err)
	}
	g.log = &lines{log: e.Log, dropped: g.metrics.dropped}
	if err := g.Reload(); err != nil {
		g.setState(false, err.Error())
		e.Log.Error("no gossip until its keyring can be read; the node works as ever without", "error", err)
	}
	return g, nil
}

// Reload reads the keyring again: what is sent from now on is encrypted with
// its first key, what comes is opened with any. On an error what was there stays.
func (g *Gossip) Reload() error {
	keys, err := keyring.Load(g.cfg.KeyringFile)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ring == nil {
		if g.ring, err = memberlist.NewKeyring(keys, keys[0]); err != nil {
			return fmt.Errorf("gossip keyring %s: %w", g.cfg.KeyringFile, err)
		}
		g.problem = ""
	} else if err := replace(g.ring, keys); err != nil {
		return fmt.Errorf("gossip keyring %s: %w", g.cfg.KeyringFile, err)
	}
	select {
	case g.reload <- struct{}{}:
	default:
	}
	return nil
}

// replace makes the ring hold exactly keys, the first to be used. memberlist
// removes a key by shifting the slice that readers hold, the last one excepted:
// so what is to go is moved to the end first.
func replace(ring *memberlist.Keyring, keys [][]byte) error {
	var errs []error
	for _, k := range slices.Backward(keys) {
		errs = append(errs, ring.AddKey(k), ring.UseKey(k))
	}
	have := slices.Clone(ring.GetKeys())
	for _, k := range slices.Backward(have[len(keys):]) {
		errs = append(errs, ring.RemoveKey(k))
	}
	return errors.Join(errs...)
}

// Status is what gossip believes, and whether it runs.
type Status struct {
	Running bool
	Problem string // why it doesn't run, or empty
	Hints   []Hint // of every configured node, this one among them, by name
}

// Status tells what gossip believes now.
func (g *Gossip) Status() Status {
	g.mu.Lock()
	st := Status{Running: g.running, Problem: g.problem}
	g.mu.Unlock()
	st.Hints = g.table.hints()
	return st
}

func (g *Gossip) setState(running bool, problem string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running, g.problem = running, problem
}

// Run gossips until ctx ends. It never fails: what hinders it is logged, shown
// by Status and tried again.
func (g *Gossip) Run(ctx context.Context) error {
	for {
		again := time.NewTimer(againAfter)
		if ring := g.keys(); ring == nil {
			again.Stop() // Reload will say
		} else if err := g.session(ctx, ring); err != nil && ctx.Err() == nil {
			g.setState(false, err.Error())
			g.env.Log.Warn("gossip doesn't run; it is tried again", "error", err, "after", againAfter.String())
		}
		g.table.clear()
		select {
		case <-ctx.Done():
			again.Stop()
			return nil
		case <-again.C:
		case <-g.reload:
			again.Stop()
		}
	}
}

func (g *Gossip) keys() *memberlist.Keyring {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ring
}

// session is one life of memberlist.
func (g *Gossip) session(ctx context.Context, ring *memberlist.Keyring) error {
	t, err := listen(ctx, g.env.Net, g.cfg.Listen, g.route)
	if err != nil {
		return err
	}
	g.resolve(ctx)
	m, err := memberlist.Create(g.settings(t, ring))
	if err != nil {
		return errors.Join(fmt.Errorf("gossip: %w", err), t.Shutdown())
	}
	g.setState(true, "")
	defer g.setState(false, "")
	tick := time.NewTicker(joinEvery)
	defer tick.Stop()
	for {
		if missing := g.missing(); len(missing) > 0 {
			// Who can't be reached is looked for again.
			_, _ = m.Join(missing)
		}
		select {
		case <-ctx.Done():
			// Without the good-bye the others find out by themselves.
			_ = m.Leave(leaveWithin)
			return m.Shutdown()
		case <-tick.C:
			g.resolve(ctx)
		}
	}
}

// settings of memberlist. It logs and counts through us, and compresses
// nothing: the words are short.
func (g *Gossip) settings(t *transport, ring *memberlist.Keyring) *memberlist.Config {
	c := memberlist.DefaultLANConfig()
	c.Name, c.Label, c.Transport, c.Keyring = g.cfg.Self.String(), label, t, ring
	c.ProbeInterval, c.ProbeTimeout = probeEvery, probeTimeout
	c.GossipInterval, c.PushPullInterval = spreadEvery, exchangeEvery
	c.TCPTimeout = streamTimeout
	c.EnableCompression = false
	c.HandoffQueueDepth = 256
	c.Logger = log.New(g.log, "", 0)
	d := delegate{g, g.cfg.About.encode()}
	c.Delegate, c.Events, c.Alive = d, d, d
	return c
}

// resolve looks the peers' names up; who isn't found keeps its last address.
func (g *Gossip) resolve(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	for node, address := range g.cfg.Peers {
		to, err := lookup(ctx, address)
		if err != nil {
			g.env.Log.Debug("gossip peer's name not resolved", "node", node, "error", err)
			continue
		}
		g.mu.Lock()
		g.routes[node] = to
		g.mu.Unlock()
	}
}

func lookup(ctx context.Context, address string) (netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "tcp", service)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(ips[0].Unmap(), uint16(port)), nil
}

// route finds the configured address of a node; one without a name must be a
// configured address itself.
func (g *Gossip) route(a memberlist.Address) (netip.AddrPort, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a.Name != "" {
		o, err := mesh.ParseOrigin(a.Name)
		to, ok := g.routes[o.Node]
		return to, err == nil && ok
	}
	for _, to := range g.routes {
		if to.String() == a.Addr {
			return to, true
		}
	}
	return netip.AddrPort{}, false
}

// missing are the addresses of who doesn't seem alive.
func (g *Gossip) missing() []string {
	hints := g.table.hints()
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for _, h := range hints {
		if to, ok := g.routes[h.Node]; ok && !h.Alive {
			out = append(out, to.String())
		}
	}
	return out
}
