package vouch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"vedetta/cluster/env"
	"vedetta/node/strangers"
)

var names = []string{"arezzo", "roubaix", "limburg"}

// town is the nodes with their real loops and cores, in a bubble's time.
type town struct {
	t     testing.TB
	mu    sync.Mutex // guards what is below
	nodes map[string]*process
	cut   map[[2]string]bool // from, to

	bytes atomic.Int64
}

type process struct {
	core *strangers.Core
	v    *Vouch
	stop func()
}

type line struct {
	w    *town
	from string
}

func (l line) Call(ctx context.Context, peer, method string, req []byte) ([]byte, error) {
	time.Sleep(12 * time.Millisecond)
	l.w.mu.Lock()
	to, away := l.w.nodes[peer], l.w.cut[[2]string{l.from, peer}]
	l.w.mu.Unlock()
	l.w.bytes.Add(int64(len(req)))
	if to == nil || away {
		return nil, errors.New("not connected")
	}
	if method != Method {
		return nil, fmt.Errorf("call %q", method)
	}
	return to.v.Answer(ctx, l.from, req)
}

func newTown(t testing.TB) *town {
	w := &town{t: t, nodes: map[string]*process{}, cut: map[[2]string]bool{}}
	for _, n := range names {
		w.start(n)
	}
	return w
}

func (w *town) start(name string) {
	var peers []string
	for _, n := range names {
		if n != name {
			peers = append(peers, n)
		}
	}
	core := strangers.New(strangers.Config{})
	core.Start(time.Now())
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{core: core, v: New(peers, core, line{w, name}, env.Quiet(1))}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := p.v.Run(ctx); !errors.Is(err, context.Canceled) {
			w.t.Errorf("%s: %v", name, err)
		}
	}()
	p.stop = func() { cancel(); <-done }
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes[name] = p
}

func (w *town) kill(name string) {
	w.mu.Lock()
	p := w.nodes[name]
	delete(w.nodes, name)
	w.mu.Unlock()
	p.stop()
}

func (w *town) end() {
	for _, n := range names {
		w.kill(n)
	}
}

func (w *town) part(a, b string, apart bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[[2]string{a, b}], w.cut[[2]string{b, a}] = apart, apart
}

type nobody struct{}

func (nobody) Close() error { return nil }

var _ io.Closer = nobody{}

// scanned is four scans there; true when the next connection is refused.
func (w *town) scanned(name, from string) bool {
	c := w.nodes[name].core
	for range 5 {
		g, _, why := c.Enter(netip.MustParseAddr(from), nobody{}, time.Now())
		if g == nil {
			return why == strangers.Banned
		}
		c.Offend(g, strangers.Foreign, time.Now())
		c.Leave(g, time.Now())
	}
	return false
}

func (w *town) acknowledged(name, from string) {
	w.nodes[name].core.Acknowledged(netip.MustParseAddr(from), true, time.Now())
}

const carrier, other = "192.0.2.1", "198.51.100.7"

// A panel is acknowledged at one node: a scanner behind the same address is banned at
// no other, and who was before is no longer.
func TestKnownAtOneNodeIsKnownAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		defer w.end()
		time.Sleep(10 * time.Minute)
		if !w.scanned("roubaix", carrier) {
			t.Fatal("four scans of an address that nobody knows: no ban")
		}
		w.acknowledged("arezzo", carrier)
		time.Sleep(2 * Every)
		for _, n := range names {
			if w.scanned(n, carrier) {
				t.Errorf("%s bans a known panel's address", n)
			}
			if !w.scanned(n, other) {
				t.Errorf("%s doesn't ban an address that nobody knows", n)
			}
		}
		before := w.bytes.Load()
		time.Sleep(time.Minute)
		if got := w.bytes.Load() - before; got > 6*31*32 {
			t.Errorf("%d bytes in a minute without news", got)
		}
	})
}

// A node that starts again is told within seconds, and is no longer lenient then.
func TestRestartForgetsNoKnownAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		defer w.end()
		time.Sleep(10 * time.Minute)
		w.acknowledged("arezzo", carrier)
		time.Sleep(2 * Every)
		w.kill("arezzo")
		time.Sleep(3 * time.Hour)
		w.start("arezzo")
		if w.scanned("arezzo", carrier) || w.scanned("arezzo", other) {
			t.Error("a ban before anybody told it what is known")
		}
		time.Sleep(2 * Every)
		if w.scanned("arezzo", carrier) || !w.scanned("arezzo", other) {
			t.Error("want a ban of the address that nobody knows, and only of it")
		}
	})
}

// After a start of all nodes, or alone, panels have ten minutes.
func TestNobodyKnowsAfterAStartOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		defer w.end()
		time.Sleep(9 * time.Minute)
		for _, n := range names {
			if w.scanned(n, carrier) {
				t.Errorf("%s bans though no node knows anything", n)
			}
		}
		w.acknowledged("limburg", carrier)
		time.Sleep(time.Minute)
		for _, n := range names {
			if w.scanned(n, carrier) || !w.scanned(n, other) {
				t.Errorf("%s: want a ban of the address that nobody knows, and only of it", n)
			}
		}
	})
}

// What two nodes can't tell each other a third passes on; what was missed comes when
// they can again.
func TestPartedNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTown(t)
		defer w.end()
		time.Sleep(10 * time.Minute)
		w.part("arezzo", "roubaix", true)
		w.acknowledged("arezzo", carrier)
		time.Sleep(3 * Every)
		if w.scanned("roubaix", carrier) {
			t.Error("the third node didn't pass it on")
		}
		w.part("arezzo", "limburg", true)
		for i := range 200 {
			w.acknowledged("arezzo", fmt.Sprint("203.0.113.", i))
		}
		time.Sleep(time.Hour)
		w.part("arezzo", "limburg", false)
		time.Sleep(3 * Every)
		for i := range 200 {
			if w.scanned("roubaix", fmt.Sprint("203.0.113.", i)) {
				t.Fatalf("address %d was missed", i)
			}
		}
	})
}

// TestLawOfKnownAddresses: whatever is acknowledged, told, missed and restarted, (1)
// nobody is known for longer than a day after its last acknowledgement, and (2) what
// was within 23 hours, and then told, is known at every node.
func TestLawOfKnownAddresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type node struct {
			c     *strangers.Core
			taken map[int]uint64
		}
		now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
		nodes := make([]*node, 3)
		for i := range nodes {
			nodes[i] = &node{strangers.New(strangers.Config{}), map[int]uint64{}}
		}
		tell := func(i, k int) {
			list, upto, _ := nodes[i].c.News(nodes[i].taken[k], now)
			got, err := decode(encode(telling{list: list}))
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(time.Duration(rapid.IntRange(0, int(within/time.Second)).Draw(t, "on its way")) * time.Second)
			nodes[k].c.Hear(got.list, false, now)
			nodes[i].taken[k] = upto
		}
		last := map[uint64]time.Time{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, 10 * time.Minute, 2 * time.Hour, 9 * time.Hour}).Draw(t, "later"))
			i, k := rapid.IntRange(0, 2).Draw(t, "node"), rapid.IntRange(1, 2).Draw(t, "other")
			switch rapid.IntRange(0, 4).Draw(t, "do") {
			case 0, 1:
				n := rapid.Uint64Range(1, 3).Draw(t, "network")
				nodes[i].c.Acknowledged(netip.AddrFrom4([4]byte{0, 0, 0, byte(n)}), true, now)
				last[n] = now
			case 2, 3:
				tell(i, (i+k)%3)
			case 4:
				for range 2 { // what it knows is passed on before it ends
					tell(i, (i+1)%3)
					tell(i, (i+2)%3)
				}
				nodes[i] = &node{strangers.New(strangers.Config{}), map[int]uint64{}}
				for other := range nodes {
					nodes[other].taken[i] = 0
				}
			}
		}
		for range 2 {
			for i := range nodes {
				tell(i, (i+1)%3)
				tell(i, (i+2)%3)
			}
		}
		for i, n := range nodes {
			list, _, _ := n.c.News(0, now)
			known := map[uint64]time.Duration{}
			for _, k := range list {
				known[k.Network] = k.Age
			}
			for network, at := range last {
				age, have := known[network]
				real := now.Sub(at)
				if have && age < real-time.Second {
					t.Fatalf("node %d: network %d acknowledged %v ago, want %v", i, network, age, real)
				}
				if !have && real < 23*time.Hour-10*time.Minute {
					t.Fatalf("node %d: network %d, acknowledged %v ago, is not known", i, network, real)
				}
			}
		}
	})
}
