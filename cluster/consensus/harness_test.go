package consensus

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"vedetta/cluster/env"
	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/ops/pki"
	"vedetta/wire/mesh"
)

// machine is a state machine that keeps every command, or forgets one: "forget X"
// drops all that contain X.
type machine struct {
	mu       sync.Mutex
	commands [][]byte
}

func (m *machine) apply(data []byte) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	if what, ok := bytes.CutPrefix(data, []byte("forget ")); ok {
		m.commands = slices.DeleteFunc(m.commands, func(c []byte) bool { return bytes.Contains(c, what) })
		return "forgotten"
	}
	m.commands = append(m.commands, bytes.Clone(data))
	return len(m.commands)
}

func (m *machine) Apply(l *raft.Log) any { return m.apply(l.Data) }

func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	for i, l := range logs {
		if l.Type == raft.LogCommand {
			out[i] = m.apply(l.Data)
		}
	}
	return out
}

func (m *machine) bytes() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Join(m.commands, []byte("\n")) // as it is, so that a test can search a snapshot
}

func (m *machine) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.commands)
}

type image []byte

func (m *machine) Snapshot() (raft.FSMSnapshot, error) { return image(m.bytes()), nil }

func (i image) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(i); err != nil {
		sink.Cancel()
		return err
	}
	return sink.Close()
}

func (image) Release() {}

func (m *machine) Restore(r io.ReadCloser) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, err := io.ReadAll(r)
	m.commands = bytes.Split(b, []byte("\n"))
	return err
}

// memory is a Journal that tests fill.
type memory struct {
	mu    sync.Mutex
	seen  map[string][]journal.Seen
	marks map[mesh.Origin]uint64
}

func (m *memory) Seen(node string) []journal.Seen {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen[node]
}

func (m *memory) note(node string, s journal.Seen) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen == nil {
		m.seen = map[string][]journal.Seen{}
	}
	m.seen[node] = append(m.seen[node], s)
}

func (m *memory) Marks() map[mesh.Origin]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.marks)
}

func (m *memory) set(o mesh.Origin, mark uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marks = map[mesh.Origin]uint64{o: mark}
}

// node is one of a test's mesh; it is started and stopped as a process would be.
type node struct {
	*Consensus
	fsm     *machine
	journal *memory
	link    *link.Link
	cfg     Config
	stop    func() error // ends agreement and link, and gives Run's error
	wire    *socket
	running bool
	over    atomic.Bool // Run has returned
}

func (n *node) alive() bool { return !n.over.Load() }

type testMesh struct {
	t       *testing.T
	dir     string
	names   []string
	address map[string]string
	nodes   map[string]*node
	found   []Member
	tune    func(*Config, *Consensus)
}

func newMesh(t *testing.T, names ...string) *testMesh {
	t.Helper()
	m := &testMesh{t: t, dir: t.TempDir(), names: names, address: map[string]string{}, nodes: map[string]*node{}}
	if err := pki.MakeCA(m.path("ca")); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m.address[name] = c.LocalAddr().String()
		c.Close()
		m.found = append(m.found, Member{Node: name, Disk: "disk-" + name, Site: name})
		if err := pki.Issue(m.path("ca"), link.Identity{Name: name, Site: name, Role: link.RoleNode}, nil, m.path(name)); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *testMesh) path(name string) string { return filepath.Join(m.dir, name) }

func (m *testMesh) raftDir(name, disk string) string {
	return filepath.Join(m.path(name), "raft-"+disk)
}

// start starts a node on its disk; what it kept in memory is lost.
func (m *testMesh) start(name, disk string) *node {
	m.t.Helper()
	peers := maps.Clone(m.address)
	delete(peers, name)
	dir := m.path(name)
	packets, err := net.ListenPacket("udp", m.address[name])
	if err != nil {
		m.t.Fatal(err)
	}
	wire := &socket{UDPConn: packets.(*net.UDPConn)}
	l, err := link.New(link.Config{
		Name: name, Conn: wire, Peers: peers,
		CertFile: filepath.Join(dir, pki.CertFile), KeyFile: filepath.Join(dir, pki.KeyFile), CAFile: filepath.Join(dir, pki.CAFile),
	}, env.Quiet(1))
	if err != nil {
		m.t.Fatal(err)
	}
	n := &node{fsm: &machine{}, journal: &memory{}, link: l, wire: wire, running: true}
	if old := m.nodes[name]; old != nil {
		n.journal = old.journal
	}
	n.cfg = Config{
		Dir: m.raftDir(name, disk), Self: Member{Node: name, Disk: disk, Site: name},
		Peers: slices.Sorted(maps.Keys(peers)), Sites: m.names, Founding: m.found,
	}
	if m.tune != nil {
		m.tune(&n.cfg, nil)
	}
	e := env.Quiet(1)
	if testing.Verbose() {
		e.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("at", name)
	}
	n.Consensus, err = New(n.cfg, l, n.fsm, n.journal, e)
	if err != nil {
		m.t.Fatal(err)
	}
	if m.tune != nil {
		m.tune(&n.cfg, n.Consensus)
	}
	ctx, cancel := context.WithCancel(context.Background())
	lctx, lcancel := context.WithCancel(context.Background())
	linked, agreed := make(chan error, 1), make(chan error, 1)
	go func() { linked <- l.Run(lctx) }()
	go func() {
		err := n.Run(ctx)
		if err != nil {
			e.Log.Error("agreement ended", "error", err)
		}
		n.over.Store(true)
		agreed <- err
	}()
	n.stop = sync.OnceValue(func() error {
		cancel()
		defer lcancel()
		select {
		case err := <-agreed:
			lcancel()
			if lerr := <-linked; lerr != nil {
				return lerr
			}
			return err
		case <-time.After(20 * time.Second):
			return fmt.Errorf("%s: Run didn't end within 20 s", name)
		}
	})
	m.t.Cleanup(func() { n.mustEnd() })
	m.nodes[name] = n
	return n
}

func (m *testMesh) startAll() {
	m.t.Helper()
	for _, f := range m.found {
		m.start(f.Node, f.Disk)
	}
}

// socket is a UDP socket that can fall silent, as that of a killed process.
type socket struct {
	*net.UDPConn
	mute atomic.Bool
}

func (s *socket) WriteTo(p []byte, to net.Addr) (int, error) {
	if s.mute.Load() {
		return len(p), nil
	}
	return s.UDPConn.WriteTo(p, to)
}

func (s *socket) WriteMsgUDP(p, oob []byte, to *net.UDPAddr) (int, int, error) {
	if s.mute.Load() {
		return len(p), len(oob), nil
	}
	return s.UDPConn.WriteMsgUDP(p, oob, to)
}

// kill ends a node without a word to anybody: no goodbye, no handing over.
// Its folder and port are free when the returned channel is closed.
func (n *node) kill() <-chan struct{} {
	n.wire.mute.Store(true)
	n.running = false
	gone := make(chan struct{})
	go func() { n.stop(); close(gone) }()
	return gone
}

// mustEnd stops a node that may have ended with an error.
func (n *node) mustEnd() { n.running = false; n.stop() }

func (n *node) mustStop(t *testing.T) {
	t.Helper()
	n.running = false
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition on real sockets.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(limit)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// leader waits until one of the running nodes leads.
func (m *testMesh) leader() *node {
	m.t.Helper()
	var found *node
	eventually(m.t, 10*time.Second, "a leader", func() bool {
		for _, n := range m.nodes {
			if _, self, _, _ := n.Leader(); n.running && self {
				found = n
				return true
			}
		}
		return false
	})
	return found
}

// propose puts a command in, whoever leads.
func (m *testMesh) propose(data string) {
	m.t.Helper()
	var last error
	eventually(m.t, 10*time.Second, "a commit of "+data, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, _, last = m.leader().Propose(ctx, []byte(data))
		return last == nil
	})
}

// same waits until all running machines hold the same n commands.
func (m *testMesh) same(n int) {
	m.t.Helper()
	eventually(m.t, 15*time.Second, fmt.Sprintf("%d commands everywhere", n), func() bool {
		for _, x := range m.nodes {
			if x.running && x.fsm.len() != n {
				return false
			}
		}
		return true
	})
	var first []byte
	for _, x := range m.nodes {
		if b := x.fsm.bytes(); x.running {
			if first == nil {
				first = b
			}
			if !bytes.Equal(first, b) {
				m.t.Errorf("%s holds other commands than the others", x.cfg.Self.Node)
			}
		}
	}
}
