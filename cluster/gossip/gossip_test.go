package gossip

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"vedetta/cluster/env"
	"vedetta/cluster/gossip/keyring"
	"vedetta/wire/mesh"
)

// bench is some nodes on loopback that may gossip.
type bench struct {
	t         *testing.T
	addresses map[string]string
}

func newBench(t *testing.T, nodes ...string) *bench {
	b := &bench{t, map[string]string{}}
	for _, n := range nodes {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		b.addresses[n] = l.Addr().String()
	}
	return b
}

// run starts a node; stop ends it and waits.
func (b *bench) run(o mesh.Origin, ring, version string) (g *Gossip, stop func()) {
	b.t.Helper()
	peers := map[string]string{}
	for n, a := range b.addresses {
		if n != o.Node {
			peers[n] = a
		}
	}
	g, err := New(Config{
		Self: o, Listen: b.addresses[o.Node], Peers: peers, KeyringFile: ring,
		About: About{Site: o.Node, Version: version, Forms: Forms{1, 3}, Started: at(0)},
	}, env.Quiet(o.Incarnation))
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	}
	b.t.Cleanup(stop)
	return g, stop
}

func (b *bench) await(what string, check func() error) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			b.t.Fatalf("%s: %v", what, err)
		}
	}
}

// believes asks whether g believes that exactly this start of the node seems alive, or not.
func believes(g *Gossip, o mesh.Origin, alive bool) func() error {
	return func() error {
		for _, h := range g.Status().Hints {
			if h.Node == o.Node && h.Incarnation == o && h.Alive == alive {
				return nil
			}
		}
		return fmt.Errorf("hints %+v, want %s alive %t", g.Status().Hints, o, alive)
	}
}

func ringFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gossip")
	if _, err := keyring.Change(path, keyring.New); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNodesHearOfEachOther over real sockets: arrival, good-bye, a new start
// with another version.
func TestNodesHearOfEachOther(t *testing.T) {
	b, ring := newBench(t, "arezzo", "limburg", "roubaix"), ringFile(t)
	a, _ := b.run(start("arezzo", 1), ring, "one")
	r, _ := b.run(start("roubaix", 1), ring, "one")
	_, stop := b.run(start("limburg", 4), ring, "one")
	b.await("three hear of each other", believes(a, start("limburg", 4), true))
	b.await("three hear of each other", believes(r, start("limburg", 4), true))
	stop()
	b.await("good-bye", believes(a, start("limburg", 4), false))
	b.run(start("limburg", 5), ring, "two")
	b.await("new start", believes(a, start("limburg", 5), true))
	b.await("new start", believes(r, start("limburg", 5), true))
	for _, h := range a.Status().Hints {
		want := map[string]string{"arezzo": "one", "roubaix": "one", "limburg": "two"}[h.Node]
		if h.About.Version != want || h.About.Site != h.Node || h.About.Forms != (Forms{1, 3}) || !h.About.Started.Equal(at(0)) {
			t.Errorf("%+v, want version %q, forms 1 to 3", h, want)
		}
	}
}

// TestKeysRotateWhileRunning takes each step at one node after the other: at no
// moment does one lose the other.
func TestKeysRotateWhileRunning(t *testing.T) {
	b := newBench(t, "arezzo", "roubaix")
	ra, rr := ringFile(t), filepath.Join(t.TempDir(), "gossip")
	give := func() {
		t.Helper()
		text, err := os.ReadFile(ra)
		if err == nil {
			err = os.WriteFile(rr, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	give()
	a, _ := b.run(start("arezzo", 1), ra, "one")
	_, stop := b.run(start("roubaix", 1), rr, "one")
	b.await("before", believes(a, start("roubaix", 1), true))
	for i, step := range []keyring.Step{keyring.Add, keyring.Use, keyring.Drop} {
		if _, err := keyring.Change(ra, step); err != nil {
			t.Fatal(err)
		}
		if err := a.Reload(); err != nil {
			t.Fatal(err)
		}
		// A newcomer with the older file is heard of, and hears.
		stop()
		next := start("roubaix", uint64(2+2*i))
		r, stopNext := b.run(next, rr, "one")
		stop = stopNext
		b.await(string(step)+" at one", believes(a, next, true))
		b.await(string(step)+" at one", believes(r, start("arezzo", 1), true))
		give()
		if err := r.Reload(); err != nil {
			t.Fatal(err)
		}
		b.await(string(step)+" at both", believes(a, next, true))
		b.await(string(step)+" at both", believes(r, start("arezzo", 1), true))
		if want := map[keyring.Step]int{keyring.Add: 2, keyring.Use: 2, keyring.Drop: 1}[step]; len(a.ring.GetKeys()) != want {
			t.Errorf("after %s the ring holds %d keys, want %d", step, len(a.ring.GetKeys()), want)
		}
	}
}

// TestBadKeyringIsOnlySilence: without a good file nothing is said, nothing
// fails, and a reload begins.
func TestBadKeyringIsOnlySilence(t *testing.T) {
	b := newBench(t, "arezzo", "roubaix")
	missing := filepath.Join(t.TempDir(), "gossip")
	a, _ := b.run(start("arezzo", 1), missing, "one")
	if st := a.Status(); st.Running || st.Problem == "" {
		t.Errorf("status %+v, want the problem", st)
	}
	if err := a.Reload(); err == nil {
		t.Error("a missing file was read")
	}
	ring := ringFile(t)
	b.run(start("roubaix", 1), ring, "one")
	text, err := os.ReadFile(ring)
	if err == nil {
		err = os.WriteFile(missing, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	b.await("after the reload", believes(a, start("roubaix", 1), true))
	if st := a.Status(); !st.Running || st.Problem != "" {
		t.Errorf("status %+v, want it running", st)
	}
}

// TestStrangersAreNotHeard: another key, and words about a node that isn't configured.
func TestStrangersAreNotHeard(t *testing.T) {
	b, ring := newBench(t, "arezzo", "limburg", "roubaix", "ghost"), ringFile(t)
	ghost := b.addresses["ghost"]
	delete(b.addresses, "ghost")
	a, _ := b.run(start("arezzo", 1), ring, "one")
	b.run(start("limburg", 1), ringFile(t), "one") // other keys
	b.addresses["ghost"] = ghost                   // roubaix has it configured, arezzo has not
	b.run(start("roubaix", 1), ring, "one")
	b.run(start("ghost", 1), ring, "one")
	b.await("roubaix", believes(a, start("roubaix", 1), true))
	b.await("words about the ghost are refused", func() error {
		if n := testutil.ToFloat64(a.metrics.refused); n == 0 {
			return fmt.Errorf("refused %v", n)
		}
		return nil
	})
	st := a.Status()
	if len(st.Hints) != 3 {
		t.Errorf("hints %+v, want of the three configured", st.Hints)
	}
	for _, h := range st.Hints {
		if h.Node == "limburg" && h.Heard {
			t.Errorf("limburg has other keys, but was heard: %+v", h)
		}
	}
}
