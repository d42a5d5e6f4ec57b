// Package env is the outside world as it is handed to every part of a program,
// once, in its wiring: log, metrics, network, random. Time is not in it: loops
// use package time, and tests run them in a testing/synctest bubble.
package env

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"

	"github.com/prometheus/client_golang/prometheus"
)

// Env is the outside world. The zero value is not usable; see Real and Quiet.
type Env struct {
	Log     *slog.Logger          // never receives personal data
	Metrics prometheus.Registerer // one per program
	Net     Net
	Rand    *rand.Rand // jitter, timeouts, choices; never keys. Not safe for use by several goroutines: Split it
}

// Net opens sockets.
type Net interface {
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Real is the machine's own world, with the given log and metrics.
func Real(log *slog.Logger, metrics prometheus.Registerer) Env {
	return Env{Log: log, Metrics: metrics, Net: machineNet{}, Rand: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
}

// Quiet is the machine's world without log output, with metrics of its own and
// a fixed seed: for tests.
func Quiet(seed uint64) Env {
	return Env{
		Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
		Metrics: prometheus.NewRegistry(),
		Net:     machineNet{},
		Rand:    rand.New(rand.NewPCG(seed, seed)),
	}
}

// Split returns e for another part: the log names the part, and the random
// source is its own, drawn from e's.
func (e Env) Split(part string) Env {
	e.Log = e.Log.With("part", part)
	e.Rand = rand.New(rand.NewPCG(e.Rand.Uint64(), e.Rand.Uint64()))
	return e
}

type machineNet struct{}

func (machineNet) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	// No probes: each 15 s they would cost a panel on a mobile contract more than its
	// messages do. Who listens has a time limit of its own for connections that are gone.
	c := net.ListenConfig{KeepAlive: -1}
	return c.Listen(ctx, network, address)
}

func (machineNet) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	var c net.ListenConfig
	return c.ListenPacket(ctx, network, address)
}

func (machineNet) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}
