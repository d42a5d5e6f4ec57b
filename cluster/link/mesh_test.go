package link_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vedetta/cluster/env"
	"vedetta/cluster/link"
	"vedetta/ops/pki"
)

// authority issues certificates for one test.
type authority struct {
	t   *testing.T
	dir string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	a := authority{t, t.TempDir()}
	if err := pki.MakeCA(filepath.Join(a.dir, "ca")); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue gives the folder of id's certificate, made at the first time.
func (a authority) issue(id link.Identity) string {
	a.t.Helper()
	out := filepath.Join(a.dir, id.Role+"-"+id.Name)
	if _, err := os.Stat(out); err == nil {
		return out
	}
	return a.renew(id)
}

func (a authority) renew(id link.Identity) string {
	a.t.Helper()
	out := filepath.Join(a.dir, id.Role+"-"+id.Name)
	if err := pki.Issue(filepath.Join(a.dir, "ca"), id, nil, out); err != nil {
		a.t.Fatal(err)
	}
	return out
}

func node(name string) link.Identity {
	return link.Identity{Name: name, Site: name, Role: link.RoleNode}
}

func (a authority) config(name string, conn net.PacketConn, peers map[string]string) link.Config {
	dir := a.issue(node(name))
	return link.Config{
		Name: name, Conn: conn, Peers: peers,
		CertFile: filepath.Join(dir, pki.CertFile), KeyFile: filepath.Join(dir, pki.KeyFile), CAFile: filepath.Join(dir, pki.CAFile),
	}
}

func (a authority) client(id link.Identity, nodes map[string]string) *link.Client {
	a.t.Helper()
	dir := a.issue(id)
	c, err := link.NewClient(link.ClientConfig{
		Nodes: nodes, CertFile: filepath.Join(dir, pki.CertFile), KeyFile: filepath.Join(dir, pki.KeyFile), CAFile: filepath.Join(dir, pki.CAFile),
	}, quiet())
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

func quiet() env.Env { return env.Quiet(1) }

// logged is a world whose log can be read by the test.
func logged() (env.Env, func() string) {
	var mu sync.Mutex
	var b bytes.Buffer
	e := env.Quiet(1)
	e.Log = slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	}), nil))
	return e, func() string {
		mu.Lock()
		defer mu.Unlock()
		return b.String()
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func newLink(t *testing.T, cfg link.Config, e env.Env) *link.Link {
	t.Helper()
	l, err := link.New(cfg, e)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// runs starts a Run and returns its stop, which waits for the end.
func runs(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run ended with %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("Run didn't end within 10 s")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func mustWait(t *testing.T, l interface {
	Wait(context.Context, string) error
}, peer string) {
	t.Helper()
	if err := l.Wait(within(t, 10*time.Second), peer); err != nil {
		t.Fatal(err)
	}
}

// socket is a UDP socket that can fall silent, as that of a killed process.
type socket struct {
	net.PacketConn
	mute atomic.Bool
}

func listen(t *testing.T, address string) *socket {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &socket{PacketConn: c}
}

func (s *socket) WriteTo(p []byte, to net.Addr) (int, error) {
	if s.mute.Load() {
		return len(p), nil
	}
	return s.PacketConn.WriteTo(p, to)
}

func (s *socket) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := s.PacketConn.ReadFrom(p)
		if err != nil || !s.mute.Load() {
			return n, from, err
		}
	}
}

func (s *socket) address() string { return s.LocalAddr().String() }

// SetReadBuffer and SetWriteBuffer keep quic-go from warning about the wrapper.
func (s *socket) SetReadBuffer(n int) error  { return s.PacketConn.(*net.UDPConn).SetReadBuffer(n) }
func (s *socket) SetWriteBuffer(n int) error { return s.PacketConn.(*net.UDPConn).SetWriteBuffer(n) }
