// Package reception takes frames from panels and gives back answers: over TCP, UDP
// and TLS, on named listeners. It cuts streams into frames, counts what is none, and
// calls its Handler once per frame, in order within a connection; it knows neither
// accounts nor keys. A panel that keeps its connection keeps it, one that sends half
// a frame is let go after the frame's time limit, and a stranger whose first bytes
// are no DC-09 is closed without a word. Who may stay and who is banned it asks
// package strangers.
//
// Its goroutines live in Run. SetOpen(false) closes the listeners, so that panels are
// refused at once and turn to their next address, and opens them again with true.
package reception

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/cluster/env"
	"vedetta/node/strangers"
	"vedetta/wire/dc09"
)

// Handler decides what a frame is answered.
type Handler interface {
	// Handle returns the whole answer, or silence. It may wait (for the
	// message to be durable), and may be called by many goroutines; a connection's
	// frames come one after the other. ctx ends when waiting has no more sense: some
	// seconds after the listeners were closed. The answer is written before the next
	// call for the same connection, and not kept.
	Handle(ctx context.Context, f dc09.Frame, from Source) Verdict
}

// Transports of a Source.
const (
	TCP          = "tcp"
	UDP          = "udp"
	TLSTransport = "tls"
)

// Source is where a frame came from.
type Source struct {
	Transport string
	Listener  string
	Peer      netip.AddrPort
}

// Reception is the receiver's front. See New.
type Reception struct {
	cfg     Config
	handler Handler
	env     env.Env
	metrics metrics
	guests  *strangers.Core
	certs   certificates
	foreign foreignLog

	observer Observer // nil: nobody looks

	mu      sync.Mutex
	open    bool                     // guarded by mu
	changed chan struct{}            // guarded by mu; closed when open changes
	bound   map[place]netip.AddrPort // guarded by mu; of the first time that it was bound
	opened  bool                     // guarded by mu; the sockets are bound now
}

// New starts nothing, and is closed until SetOpen(true). It refuses a configuration
// that is wrong, with the key and what was expected, and certificates that can't be
// read.
func New(cfg Config, handler Handler, guests *strangers.Core, e env.Env) (*Reception, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	r := &Reception{
		cfg: cfg, handler: handler, env: e, guests: guests, certs: certificates{cfg: cfg.TLS},
		changed: make(chan struct{}), bound: make(map[place]netip.AddrPort), metrics: newMetrics(),
	}
	if err := r.certs.reload(); err != nil {
		return nil, err
	}
	e.Metrics.MustRegister(append(r.metrics.all(), collector{r})...)
	return r, nil
}

// SetOpen opens or closes the listeners; it returns at once, and may be called
// before Run and any number of times.
func (r *Reception) SetOpen(open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == open {
		return
	}
	r.open = open
	close(r.changed)
	r.changed = make(chan struct{})
}

// Opened tells whether the listeners are bound now.
func (r *Reception) Opened() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opened
}

// AddressOf is where a listener was bound, also while it is closed; not valid
// before it was bound for the first time.
func (r *Reception) AddressOf(listener, transport string) netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bound[place{listener, transport}]
}

// Address is one listener's port of one transport.
type Address struct {
	Listener, Transport string
	At                  netip.AddrPort // not valid before it was bound for the first time
}

// Addresses are all that are listened on while the reception is open.
func (r *Reception) Addresses() []Address {
	var all []Address
	for _, l := range r.cfg.Listeners {
		for _, a := range l.addresses() {
			if a.address != "" {
				all = append(all, Address{l.Name, a.transport, r.AddressOf(l.Name, a.transport)})
			}
		}
	}
	return all
}

func (r *Reception) wanted() (open bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open, r.changed
}

// Run serves until ctx ends; then it waits for the answers that are on their way,
// for cfg.Drain at most. It fails when a listener can't be bound the first time;
// when one can't be bound again after a closure, it says so and tries on.
func (r *Reception) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.followCertificates(ctx) })
	g.Go(func() error { return r.run(ctx) })
	return g.Wait()
}

func (r *Reception) run(ctx context.Context) error {
	for bound := false; ; {
		open, changed := r.wanted()
		if !open {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
				continue
			}
		}
		sockets, err := r.bind(ctx)
		switch {
		case ctx.Err() != nil:
			sockets.close()
			return nil
		case err != nil && !bound:
			return err
		case err != nil:
			r.env.Log.Error("cannot listen again", "error", err)
			select {
			case <-ctx.Done():
			case <-changed:
			case <-time.After(r.cfg.BindRetry):
			}
			continue
		}
		bound = true
		r.env.Log.Info("listening", "listeners", sockets.names())
		err = r.serve(ctx, sockets, changed)
		r.env.Log.Info("no longer listening")
		if err != nil {
			return err
		}
	}
}
