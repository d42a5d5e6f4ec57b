package replica

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"vedetta/cluster/env"
	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/wire/mesh"
)

// fakeNet connects fake links by pipes, so that a test can cut them.
type fakeNet struct {
	mu     sync.Mutex
	links  map[string]*fakeLink
	conns  map[[2]string]*fakeConn
	wg     sync.WaitGroup
	silent time.Duration // since the last answer on every connection that stands
}

type fakeConn struct {
	ctx    context.Context
	cancel context.CancelFunc
}

type fakeLink struct {
	net      *fakeNet
	id       link.Identity
	handlers map[link.Purpose]func(context.Context, link.Identity, link.Stream) error
	hook     func(context.Context, link.Identity)
}

type fakeStream struct {
	net.Conn
	id link.Identity
}

func (s fakeStream) CloseWrite() error       { return s.Close() }
func (s fakeStream) CancelWrite()            { s.Close() }
func (s fakeStream) CancelRead()             { s.Close() }
func (s fakeStream) Abort()                  { s.Close() }
func (s fakeStream) Identity() link.Identity { return s.id }

func (l *fakeLink) Handle(p link.Purpose, _ []string, fn func(context.Context, link.Identity, link.Stream) error) {
	l.handlers[p] = fn
}
func (l *fakeLink) OnConnect(fn func(context.Context, link.Identity)) { l.hook = fn }

func (l *fakeLink) Open(_ context.Context, peer string, p link.Purpose) (link.Stream, error) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	c, other := l.net.conns[pair(l.id.Name, peer)], l.net.links[peer]
	if c == nil || c.ctx.Err() != nil {
		return nil, fmt.Errorf("%s is not connected", peer)
	}
	near, far := net.Pipe()
	context.AfterFunc(c.ctx, func() { near.Close(); far.Close() })
	fn := other.handlers[p]
	l.net.wg.Go(func() {
		defer far.Close()
		_ = fn(c.ctx, l.id, fakeStream{far, l.id})
	})
	return fakeStream{near, other.id}, nil
}

func (l *fakeLink) Status() (all []link.PeerStatus) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	for name := range l.net.links {
		c := l.net.conns[pair(l.id.Name, name)]
		if up := c != nil && c.ctx.Err() == nil; name != l.id.Name {
			all = append(all, link.PeerStatus{Name: name, Connected: up, LastAnswer: time.Now().Add(-l.net.silent)})
		}
	}
	return all
}

func pair(a, b string) [2]string {
	if a > b {
		a, b = b, a
	}
	return [2]string{a, b}
}

func (n *fakeNet) connect(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	n.conns[pair(a, b)] = &fakeConn{ctx, cancel}
	la, lb := n.links[a], n.links[b]
	n.wg.Go(func() { la.hook(ctx, lb.id) })
	n.wg.Go(func() { lb.hook(ctx, la.id) })
}

func (n *fakeNet) cut(a, b string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.conns[pair(a, b)]; c != nil {
		c.cancel()
		delete(n.conns, pair(a, b))
	}
}

// node is one running node of a test.
type node struct {
	t       *testing.T
	name    string
	dir     string
	net     *fakeNet
	origin  mesh.Origin
	journal *journal.Journal
	replica *Replica
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

func start(t *testing.T, n *fakeNet, name, dir string) *node {
	t.Helper()
	e := env.Quiet(1)
	if !journal.Exists(dir) {
		if err := journal.Create(dir); err != nil {
			t.Fatal(err)
		}
	}
	j, err := journal.Open(journal.Config{Dir: dir}, e)
	if err != nil {
		t.Fatal(err)
	}
	o, err := j.Begin(name)
	if err != nil {
		t.Fatal(err)
	}
	l := &fakeLink{net: n, id: link.Identity{Name: name, Site: name, Role: link.RoleNode}, handlers: map[link.Purpose]func(context.Context, link.Identity, link.Stream) error{}}
	r, err := New(Config{Node: name, Site: name}, j, l, e)
	if err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	n.links[name] = l
	n.mu.Unlock()
	x := &node{t: t, name: name, dir: dir, net: n, origin: o, journal: j, replica: r}
	ctx, cancel := context.WithCancel(context.Background())
	x.cancel = cancel
	x.done.Go(func() {
		if err := j.Run(ctx); err != nil {
			t.Errorf("journal of %s: %v", name, err)
		}
	})
	x.done.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Errorf("replica of %s: %v", name, err)
		}
	})
	return x
}

// stop cuts the node off and ends it.
func (x *node) stop() {
	for name := range x.net.links {
		x.net.cut(x.name, name)
	}
	x.cancel()
	x.done.Wait()
	if err := x.journal.Close(); err != nil {
		x.t.Error(err)
	}
}

func (x *node) append(ctx context.Context, text string) mesh.Position {
	x.t.Helper()
	pos, err := x.journal.Append(ctx, mesh.KindMessage, 0, mesh.Identity{}, func(mesh.Header) ([]byte, error) { return []byte(text), nil })
	if err != nil {
		x.t.Fatal(err)
	}
	return pos
}

// three starts arezzo, limburg and roubaix, connects them and makes them members.
func three(t *testing.T) (n *fakeNet, a, b, c *node) {
	t.Helper()
	n = &fakeNet{links: map[string]*fakeLink{}, conns: map[[2]string]*fakeConn{}}
	a, b, c = start(t, n, "arezzo", t.TempDir()), start(t, n, "limburg", t.TempDir()), start(t, n, "roubaix", t.TempDir())
	members(a, b, c)
	return n, a, b, c
}

func members(nodes ...*node) {
	var all []Member
	for _, x := range nodes {
		all = append(all, Member{x.name, x.journal.DiskID(), x.name})
	}
	for _, x := range nodes {
		x.replica.SetMembers(all, []string{"arezzo", "limburg", "roubaix"})
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
