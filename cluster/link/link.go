package link

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"vedetta/cluster/env"
)

// Link is a node's side of all its connections.
type Link struct{ e *endpoint }

// New reads the certificates; nothing is opened before Run.
func New(cfg Config, e env.Env) (*Link, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("link configuration: %w", err)
	}
	c, err := loadCerts(cfg.CertFile, cfg.KeyFile, cfg.CAFile)
	if err != nil {
		return nil, err
	}
	if c.self.Role != RoleNode || c.self.Name != cfg.Name {
		return nil, fmt.Errorf("link certificate %s is of %s, want node %s", cfg.CertFile, c.self, cfg.Name)
	}
	p, err := newEndpoint(e, c, cfg.Listen, cfg.Conn, cfg.Peers)
	if err != nil {
		return nil, err
	}
	return &Link{p}, nil
}

// Self is who this node is, from its certificate.
func (l *Link) Self() Identity { return l.e.self }

// Handle sets who serves streams of a purpose opened by peers of these roles.
// The stream ends cleanly when fn returns nil and is aborted otherwise; ctx
// ends with the connection. Call it before Run.
func (l *Link) Handle(purpose Purpose, roles []string, fn func(ctx context.Context, from Identity, s Stream) error) {
	if _, taken := l.e.handlers[purpose]; taken || purpose == PurposeControl {
		panic(fmt.Sprintf("link: purpose %d has a function already", purpose))
	}
	l.e.handlers[purpose] = handler{roles, fn}
}

// HandleCall sets who answers a method for callers of these roles. A *CallError
// keeps its kind on the way; ctx ends with the connection or when the caller
// has gone. Call it before Run.
func (l *Link) HandleCall(method string, roles []string, fn func(ctx context.Context, from Identity, req []byte) ([]byte, error)) {
	if _, taken := l.e.calls[method]; taken || method == "" || len(method) > 255 {
		panic(fmt.Sprintf("link: method %q has a function already, or no good name", method))
	}
	l.e.calls[method] = callHandler{roles, fn}
}

// OnConnect sets a function that runs for the life of every connection with a
// node, in a goroutine of its own; ctx ends with the connection. For one peer
// they never overlap. Call it before Run.
func (l *Link) OnConnect(fn func(ctx context.Context, peer Identity)) {
	l.e.hooks = append(l.e.hooks, fn)
}

// Run opens the socket and holds the connections until ctx ends. It returns
// when all goroutines, those of handlers and hooks too, have ended.
func (l *Link) Run(ctx context.Context) error { return l.e.run(ctx) }

// Open opens a stream to a node that is connected now; it doesn't wait for one.
// ctx is for the opening only.
func (l *Link) Open(ctx context.Context, peer string, purpose Purpose) (Stream, error) {
	return l.e.openTo(ctx, peer, purpose)
}

// Call sends one request to a node, this one included, and waits for the
// answer. A failure is a *CallError of the other side or an *Error of this
// one; NothingDone tells which may be repeated.
func (l *Link) Call(ctx context.Context, peer, method string, req []byte) ([]byte, error) {
	return l.e.call(ctx, peer, method, req)
}

// Status tells how each configured peer stands, by name.
func (l *Link) Status() []PeerStatus { return l.e.status() }

// Wait returns when the peer is connected or ctx has ended.
func (l *Link) Wait(ctx context.Context, peer string) error { return l.e.wait(ctx, peer) }

// Reload reads certificate, key and CA again: new connections use them, old
// ones stay. On an error what was there stays.
func (l *Link) Reload() error { return l.e.certs.reload() }

// PeerStatus is how one peer stands.
type PeerStatus struct {
	Name       string
	Site       string        // from its certificate; empty before the first connection
	Connected  bool          //
	RTT        time.Duration // latest round trip of a ping
	Offset     time.Duration // its wall clock minus ours
	LastAnswer time.Time     // of a ping, with monotonic reading; zero: never
	Problem    string        // why it is not connected, if known

	CertificateExpires time.Time // of the last certificate seen; zero before the first connection
}

func (e *endpoint) status() []PeerStatus {
	out := make([]PeerStatus, 0, len(e.peers))
	for _, name := range slices.Sorted(maps.Keys(e.peers)) {
		p := e.peers[name]
		p.mu.Lock()
		s := PeerStatus{Name: name, Site: p.site, Problem: p.problem, LastAnswer: p.last, CertificateExpires: p.expires}
		c := p.conn
		p.mu.Unlock()
		if c != nil {
			s.Connected, s.Problem, s.LastAnswer = true, "", c.pulse.lastAnswer()
			s.RTT, s.Offset = c.pulse.measured()
		}
		out = append(out, s)
	}
	return out
}

func (e *endpoint) openTo(ctx context.Context, name string, purpose Purpose) (Stream, error) {
	c, err := e.connected(name, "open stream")
	if err != nil {
		return nil, err
	}
	s, err := c.openStream(ctx, purpose)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (e *endpoint) wait(ctx context.Context, name string) error {
	p := e.peers[name]
	if p == nil {
		return errorf(KindUnreachable, name, "wait", "not a configured node")
	}
	for {
		c, changed := p.current()
		if c != nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if _, err := e.connected(name, "wait"); err != nil {
				return err
			}
			return nil
		}
	}
}
