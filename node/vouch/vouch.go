// Package vouch tells the other nodes at which addresses a known panel was
// acknowledged, so that none of them bans it there: a panel that turns to another node,
// or to one that was started again, is not refused for what a scanner did behind the
// same carrier's address.
//
// Every two seconds each node sends each other one what is new to it, and everything
// once the other's process is new, or was out of touch for too long. Nothing is
// promised of the last seconds before a node is killed. What is told is kept in memory
// only and never logged: addresses are personal data. What it means is package
// strangers' to say; this one knows who was told what, and its goroutines
// live in Run.
package vouch

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"vedetta/cluster/env"
	"vedetta/node/strangers"
)

// Method is the call that tellings are sent by.
const Method = "strangers.known"

// Every is how often a node tells.
const Every = 2 * time.Second

// within bounds one call, below what an age is rounded up by: what goes from node to
// node and back must not become younger.
const within = 20 * time.Second

// Core is what is known here.
type Core interface {
	News(after uint64, now time.Time) (list []strangers.Known, upto uint64, whole bool)
	Hear(list []strangers.Known, complete bool, now time.Time) (lifted int)
	Lenient(now time.Time) bool
}

// Caller calls another node.
type Caller interface {
	Call(ctx context.Context, peer, method string, req []byte) ([]byte, error)
}

// Vouch is this node's part. See New.
type Vouch struct {
	process uint64 // tells this process from others of the same node
	peers   []string
	core    Core
	caller  Caller
	log     *slog.Logger

	sent   *prometheus.CounterVec
	lifted prometheus.Counter
}

// New makes this node's part; it starts nothing.
func New(peers []string, core Core, caller Caller, e env.Env) *Vouch {
	v := &Vouch{
		process: rand.Uint64(), peers: peers, core: core, caller: caller, log: e.Log,
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_known_addresses_bytes_total", Help: "Bytes by which other nodes were told where known panels are."}, []string{"peer"}),
		lifted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "vedetta_bans_lifted_by_peers_total", Help: "Bans that ended because another node told of a known panel there."}),
	}
	e.Metrics.MustRegister(v.sent, v.lifted)
	return v
}

// Run tells the others until ctx ends.
func (v *Vouch) Run(ctx context.Context) error {
	var g errgroup.Group
	for _, peer := range v.peers {
		g.Go(func() error { return v.tell(ctx, peer) })
	}
	return g.Wait()
}

// taken is how far a process of a peer knows what is known here.
type taken struct{ process, upto uint64 }

func (v *Vouch) tell(ctx context.Context, peer string) error {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for has := (taken{}); ; {
		was := has
		if has = v.send(ctx, peer, was); was.upto > 0 && has.upto == 0 {
			has = v.send(ctx, peer, has)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// send tells a peer what it doesn't have; it returns what it has then, nothing when
// another process answers than the one that was told what came before.
func (v *Vouch) send(ctx context.Context, peer string, has taken) taken {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	now := time.Now()
	lenient := v.core.Lenient(now) // before it is read: what ends it fills the table
	list, upto, whole := v.core.News(has.upto, now)
	b := encode(telling{complete: whole && !lenient, list: list})
	answer, err := v.caller.Call(ctx, peer, Method, b)
	if err != nil || len(answer) != 8 {
		v.log.Debug("known addresses not taken", "peer", peer, "err", err)
		return has
	}
	v.sent.WithLabelValues(peer).Add(float64(len(b)))
	process := binary.BigEndian.Uint64(answer)
	if !whole && process != has.process {
		return taken{}
	}
	return taken{process, upto}
}

// Answer is the other side of Method; from is the node by its certificate. It answers
// with 8 bytes that tell this process from others.
func (v *Vouch) Answer(_ context.Context, from string, req []byte) ([]byte, error) {
	t, err := decode(req)
	if err != nil {
		return nil, err
	}
	if lifted := v.core.Hear(t.list, t.complete, time.Now()); lifted > 0 {
		v.lifted.Add(float64(lifted))
		v.log.Info("bans ended: another node knows a panel there", "bans", lifted, "peer", from)
	}
	return binary.BigEndian.AppendUint64(nil, v.process), nil
}
