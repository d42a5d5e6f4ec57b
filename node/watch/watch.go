// Package watch keeps what came over this node's listeners of late, for the
// installer who asks why a panel doesn't get through: the bytes, what became of
// them and what was answered.
//
// It promises: who receives is never held up by who watches (Attempted waits for
// no viewer and no disk); without a viewer, what was acknowledged costs one look
// at what is watched; what was refused is kept within bounds of bytes and of time,
// known panels' apart from strangers', so that a flood of these pushes out no
// panel's. A viewer sees the attempts of the panel that was asked for and, of
// those that name no known panel, what relate allows; never another customer's.
// What fell out before a slow viewer had read it is counted.
//
// Attempts hold what panels say: they are handled like the content of events,
// live in memory only and leave only to the role central. Run owns the only
// goroutine, which lets go of what is too old.
package watch

import (
	"bytes"
	"context"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/cluster/env"
	"vedetta/node/reception"
	"vedetta/node/roster"
	"vedetta/wire/mesh"
)

// Config of the watch.
type Config struct {
	Keep     time.Duration `koanf:"keep"`      // how long a refused attempt is kept for who looks later, in memory only; 15m
	MaxBytes int           `koanf:"max_bytes"` // of all kept attempts of known panels, and as much again of strangers'; 4194304
	PerPanel int           `koanf:"per_panel"` // attempts kept of one panel, and of one stranger's address; 20
	Viewers  int           `koanf:"viewers"`   // at once; 64
}

// Defaults of the watch.
func Defaults() Config {
	return Config{Keep: 15 * time.Minute, MaxBytes: 4 << 20, PerPanel: 20, Viewers: 64}
}

// Roster finds panels; it never waits.
type Roster interface {
	Snapshot() *roster.Snapshot
}

// Watch keeps attempts and shows them.
type Watch struct {
	cfg    Config
	self   mesh.Origin
	site   string
	roster Roster
	env    env.Env

	watched atomic.Pointer[watched] // of viewers; never nil

	mu        sync.Mutex           // guards what follows
	known     *shelf               // of known panels, by panel
	strangers *shelf               // of others, by address
	viewers   map[*viewer]struct{} // at most cfg.Viewers
}

// watched is what viewers look at now; it never changes, so that nobody who
// receives waits to learn that nobody looks.
type watched struct {
	all    bool
	panels map[string]bool
}

func (w *watched) has(panel string) bool { return w.all || w.panels[panel] }

// New starts nothing. self names the attempts; site is told to viewers.
func New(cfg Config, self mesh.Origin, site string, r Roster, e env.Env) *Watch {
	w := &Watch{cfg: cfg, self: self, site: site, roster: r, env: e, viewers: map[*viewer]struct{}{}}
	w.watched.Store(&watched{})
	w.known = newShelf(cfg, func(k *kept) { w.lost(k, func(v *viewer) uint64 { return v.known }) })
	w.strangers = newShelf(cfg, func(k *kept) { w.lost(k, func(v *viewer) uint64 { return v.strangers }) })
	e.Metrics.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "vedetta_watch_viewers", Help: "Streams by which attempts of panels are watched now."}, func() float64 {
			w.mu.Lock()
			defer w.mu.Unlock()
			return float64(len(w.viewers))
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "vedetta_watch_kept_bytes", Help: "Attempts kept in memory for who looks later."}, func() float64 {
			w.mu.Lock()
			defer w.mu.Unlock()
			return float64(w.known.held + w.strangers.held)
		}),
	)
	return w
}

// Attempted is reception.Observer.
func (w *Watch) Attempted(a reception.Attempt) {
	panel, taken := a.Verdict.Panel, a.Verdict.Word == reception.WordACK
	if taken && !w.watched.Load().has(panel) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	k := &kept{at: a.Received, took: time.Since(a.Received), from: a.From, verdict: a.Verdict, unsent: a.Lost != nil}
	raw := a.Frame.Raw
	if a.Bad != nil {
		raw, k.detail = string(a.Bad.Raw[:min(len(a.Bad.Raw), maxRaw)]), a.Bad.Detail
	}
	k.raw, k.verdict.Answer = strings.Clone(raw), bytes.Clone(a.Verdict.Answer)
	if panel == "" {
		k.group = place(a.From.Peer.Addr())
		w.strangers.put(k)
	} else {
		k.group = panel // polls that are acknowledged push out nothing that was refused
		if taken {
			k.group += " " + reception.WordACK
		}
		w.known.put(k)
	}
	for v := range w.viewers {
		if panel == "" || v.ask.All || v.ask.Panel == panel {
			v.wake()
		}
	}
}

// lost counts what a viewer has not read and can't read any more. Of a
// stranger's nobody knows whether it would have been shown, so it isn't counted.
func (w *Watch) lost(k *kept, read func(*viewer) uint64) {
	for v := range w.viewers {
		if k.seq > read(v) && (v.ask.All || k.verdict.Panel != "" && v.ask.Panel == k.verdict.Panel) {
			v.lost++
		}
	}
}

// place is an address as a household or firm has it: IPv4 whole, IPv6 its /64.
func place(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// expireEvery is how long a kept attempt may outlive its time.
const expireEvery = 10 * time.Second

// Run lets go of what is too old, and of what customers who are gone had sent,
// until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			w.expire(now)
		}
	}
}

func (w *Watch) expire(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known.expire(now)
	w.strangers.expire(now)
	snap, here := w.roster.Snapshot(), map[string]bool{}
	w.known.forget(func(k *kept) bool { // erased, or moved away
		c := k.verdict.Customer
		is, asked := here[c]
		if !asked {
			_, is = snap.Customer(c)
			here[c] = is
		}
		return !is
	})
}
