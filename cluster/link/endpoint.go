package link

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/quic-go/quic-go"

	"vedetta/cluster/env"
)

// endpoint is what a node's link and a client have in common: one socket, the
// peers it dials or accepts, and the functions that serve streams and calls.
type endpoint struct {
	env   env.Env
	certs *certs
	self  Identity

	listen string         // UDP address; "" for a client
	packet net.PacketConn // given by the configuration, or nil

	// Set before Run, read only afterwards.
	peers    map[string]*peer
	handlers map[Purpose]handler
	calls    map[string]callHandler
	hooks    []func(context.Context, Identity)

	refused *prometheus.CounterVec

	wg sync.WaitGroup // goroutines of run

	mu    sync.Mutex // guards the fields below
	began bool
	all   map[*connection]struct{}
}

// peer is one configured node.
type peer struct {
	name string
	addr string     // host:port
	rand *rand.Rand // of its dial loop

	mu      sync.Mutex // guards the fields below
	conn    *connection
	changed chan struct{} // closed when conn changes
	site    string        // of the last certificate seen
	expires time.Time     // of the same
	problem string        // why there is no connection
	last    time.Time     // last answer of the connection before
}

type handler struct {
	roles []string
	fn    func(context.Context, Identity, Stream) error
}

func newEndpoint(e env.Env, c *certs, listen string, conn net.PacketConn, peers map[string]string) (*endpoint, error) {
	p := &endpoint{
		env: e, certs: c, self: c.self, listen: listen, packet: conn,
		peers: map[string]*peer{}, handlers: map[Purpose]handler{}, calls: map[string]callHandler{},
		all: map[*connection]struct{}{},
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_link_refused_total", Help: "Connections, streams and calls that were refused, by what was refused.",
		}, []string{"what"}),
	}
	for _, name := range slices.Sorted(maps.Keys(peers)) {
		p.peers[name] = &peer{
			name: name, addr: peers[name], changed: make(chan struct{}),
			rand: rand.New(rand.NewPCG(e.Rand.Uint64(), e.Rand.Uint64())),
		}
	}
	p.handlers[PurposeCall] = handler{roles: []string{RoleNode, RoleCentral, RoleOperator}, fn: p.serveCall}
	for _, m := range []prometheus.Collector{p.refused, collector{p}} {
		if err := e.Metrics.Register(m); err != nil {
			return nil, fmt.Errorf("link metrics: %w", err)
		}
	}
	return p, nil
}

// quicConfig of both sides. The windows are wide, so that a stream which
// nobody reads for a while doesn't hold up the others, pings least of all.
func quicConfig() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:       2 * time.Second,
		MaxIdleTimeout:             10 * time.Second, // pings are quicker; this is for handshakes left half-way
		MaxIncomingStreams:         4096,
		MaxIncomingUniStreams:      -1,
		MaxStreamReceiveWindow:     4 << 20,
		MaxConnectionReceiveWindow: 256 << 20,
	}
}

// run opens the socket, serves and dials until ctx ends or the socket fails.
func (e *endpoint) run(ctx context.Context) error {
	e.mu.Lock()
	again := e.began
	e.began = true
	e.mu.Unlock()
	if again {
		return errors.New("link: Run was called twice, want once")
	}
	conn, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	tr := &quic.Transport{Conn: conn, ConnectionIDLength: 8, StatelessResetKey: e.certs.resetKey()}
	defer tr.Close()

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	if e.listen != "" || e.self.Role == RoleNode {
		ln, err := tr.Listen(e.certs.server(), quicConfig())
		if err != nil {
			return fmt.Errorf("link: listen on %s: %w", conn.LocalAddr(), err)
		}
		defer ln.Close()
		e.wg.Go(func() { failed <- e.acceptLoop(ctx, ln) })
	}
	for _, p := range e.peers {
		if e.self.Role != RoleNode || e.self.Name < p.name {
			e.wg.Go(func() { e.dialLoop(ctx, tr, p) })
		}
	}
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stop()
	e.closeAll()
	e.wg.Wait()
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("link: accept on %s: %w", conn.LocalAddr(), err)
	}
	return nil
}

func (e *endpoint) open(ctx context.Context) (net.PacketConn, error) {
	if e.packet != nil {
		return e.packet, nil
	}
	address := e.listen
	if address == "" {
		address = ":0"
	}
	conn, err := e.env.Net.ListenPacket(ctx, "udp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &Error{Kind: KindAddress, Doing: "listen on UDP " + address + ", which another program holds", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("link: listen on UDP %s: %w", address, err)
	}
	return conn, nil
}

func (e *endpoint) acceptLoop(ctx context.Context, ln *quic.Listener) error {
	for {
		qc, err := ln.Accept(ctx)
		if err != nil {
			return err
		}
		e.wg.Go(func() {
			if err := e.accept(ctx, qc); err != nil && ctx.Err() == nil {
				e.refused.WithLabelValues("connection").Inc()
				e.env.Log.Warn("link connection refused", "address", qc.RemoteAddr().String(), "error", err)
			}
		})
	}
}

// accept checks who it is, exchanges hellos and serves the connection to its end.
func (e *endpoint) accept(ctx context.Context, qc *quic.Conn) error {
	id, err := e.certs.peer(qc.ConnectionState().TLS, x509.ExtKeyUsageClientAuth)
	if err == nil && id.Role == RoleNode && e.peers[id.Name] == nil {
		err = fmt.Errorf("%s is no configured peer of %s", id, e.self)
	}
	if err != nil {
		qc.CloseWithError(codeRefused, err.Error())
		return err
	}
	c := newConnection(e, qc, id)
	if err := c.welcome(ctx); err != nil {
		return err
	}
	e.serve(ctx, c)
	return nil
}

// serve keeps the connection until it ends.
func (e *endpoint) serve(ctx context.Context, c *connection) {
	older := e.register(c)
	defer e.unregister(c)
	if older != nil {
		older.quic.CloseWithError(codeReplaced, "a newer connection of "+c.id.Name+" took over")
	}
	c.run(ctx, older)
}

// register makes c the connection of its peer and returns the one it replaces.
func (e *endpoint) register(c *connection) *connection {
	e.mu.Lock()
	e.all[c] = struct{}{}
	e.mu.Unlock()
	p := e.peers[c.id.Name]
	if c.id.Role != RoleNode || p == nil {
		return nil
	}
	p.mu.Lock()
	older := p.conn
	p.conn, p.site, p.expires, p.problem = c, c.id.Site, c.certificateExpires(), ""
	p.signal()
	p.mu.Unlock()
	e.env.Log.Info("link connected", "node", c.id.Name, "site", c.id.Site, "address", c.quic.RemoteAddr().String())
	return older
}

func (e *endpoint) unregister(c *connection) {
	e.mu.Lock()
	delete(e.all, c)
	e.mu.Unlock()
	p := e.peers[c.id.Name]
	if c.id.Role != RoleNode || p == nil {
		return
	}
	cause := context.Cause(c.quic.Context())
	p.mu.Lock()
	if p.conn == c {
		p.conn, p.problem, p.last = nil, fmt.Sprint(cause), c.pulse.lastAnswer()
		p.signal()
	}
	p.mu.Unlock()
	e.env.Log.Info("link disconnected", "node", c.id.Name, "reason", cause)
}

// signal wakes those who wait for a change; the caller holds mu.
func (p *peer) signal() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *peer) current() (*connection, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn, p.changed
}

func (e *endpoint) closeAll() {
	e.mu.Lock()
	all := slices.Collect(maps.Keys(e.all))
	e.mu.Unlock()
	for _, c := range all {
		c.quic.CloseWithError(codeClosing, e.self.String()+" is stopping")
	}
}

// connected gives the connection of a peer, or an error that nothing was sent.
func (e *endpoint) connected(name, doing string) (*connection, error) {
	p := e.peers[name]
	if p == nil {
		return nil, errorf(KindUnreachable, name, doing, "not a configured node")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		if p.problem != "" {
			return nil, errorf(KindUnreachable, name, doing, "no connection: %s", p.problem)
		}
		return nil, errorf(KindUnreachable, name, doing, "no connection yet")
	}
	return p.conn, nil
}
