package consensus

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"vedetta/cluster/env"
	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/wire/mesh"
)

func TestRule28_HowANodeStarts(t *testing.T) {
	sites := []string{"arezzo", "limburg", "roubaix"}
	mine := mesh.Origin{Node: "arezzo", Incarnation: 1, Random: 7}
	other := mesh.Origin{Node: "roubaix", Incarnation: 1, Random: 9}
	self := Member{Node: "arezzo", Disk: "d1", Site: "arezzo"}
	nothing := seenAnswer{Site: "limburg"}
	saw := func(disk string, term, index uint64, marks map[string]uint64) seenAnswer {
		return seenAnswer{Site: "limburg", Seen: []seenDisk{{disk, term, index, marks}}}
	}
	fresh := own{Member: self, founding: true}
	used := own{Member: self, founding: true, term: 4, index: 100, marks: map[mesh.Origin]uint64{mine: 17}}
	stranger := own{Member: Member{Node: "arezzo", Disk: "d2", Site: "arezzo"}}
	listed := own{Member: Member{Node: "arezzo", Disk: "d2", Site: "arezzo"}, founding: true}
	for name, c := range map[string]struct {
		own     own
		answers map[string]seenAnswer
		want    Start
	}{
		"alone":                               {fresh, nil, StartWait},
		"alone with a folder":                 {used, nil, StartWait},
		"another node of the same site":       {fresh, map[string]seenAnswer{"arezzo2": {Site: "arezzo"}}, StartWait},
		"a site that isn't configured":        {fresh, map[string]seenAnswer{"x": {Site: "paris"}}, StartWait},
		"first start":                         {fresh, map[string]seenAnswer{"limburg": nothing}, StartFound},
		"goes on":                             {used, map[string]seenAnswer{"limburg": saw("d1", 4, 100, map[string]uint64{mine.String(): 17})}, StartMember},
		"goes on, more than was seen":         {used, map[string]seenAnswer{"limburg": saw("d1", 3, 90, nil)}, StartMember},
		"not listed":                          {stranger, map[string]seenAnswer{"limburg": nothing}, StartNew},
		"emptied, new disk":                   {stranger, map[string]seenAnswer{"limburg": saw("d1", 4, 100, nil)}, StartNew},
		"emptied, new disk put into the list": {listed, map[string]seenAnswer{"limburg": saw("d1", 4, 100, nil)}, StartNew},
		"emptied, same disk":                  {fresh, map[string]seenAnswer{"limburg": saw("d1", 4, 100, nil)}, StartRefused},
		"emptied, same disk, mark only":       {fresh, map[string]seenAnswer{"limburg": saw("d1", 0, 0, map[string]uint64{mine.String(): 3})}, StartRefused},
		"refused by one though many are fine": {used, map[string]seenAnswer{"limburg": nothing, "roubaix": saw("d1", 5, 1, nil)}, StartRefused},
		"lower index":                         {used, map[string]seenAnswer{"limburg": saw("d1", 4, 101, nil)}, StartRefused},
		"lower mark":                          {used, map[string]seenAnswer{"limburg": saw("d1", 4, 100, map[string]uint64{mine.String(): 18})}, StartRefused},
		"an origin whose days are over":       {used, map[string]seenAnswer{"limburg": saw("d1", 4, 100, map[string]uint64{other.String(): 500})}, StartMember},
	} {
		if got, why := judge(c.own, sites, c.answers); got != c.want {
			t.Errorf("%s: %v (%s), want %v", name, got, why, c.want)
		}
	}
}

func TestRule28_NoVoteWithoutConfiguration(t *testing.T) {
	member, none := func() bool { return true }, func() bool { return false }
	for _, req := range []any{&raft.RequestVoteRequest{Term: 9}, &raft.RequestPreVoteRequest{Term: 9}} {
		if got := refuseVote(raft.RPC{Command: req}, member); got != nil {
			t.Errorf("a member refuses %T", req)
		}
		switch got := refuseVote(raft.RPC{Command: req}, none).(type) {
		case *raft.RequestVoteResponse:
			if got.Granted {
				t.Error("granted")
			}
		case *raft.RequestPreVoteResponse:
			if got.Granted {
				t.Error("granted")
			}
		default:
			t.Errorf("%T passes without a configuration", req)
		}
	}
	if refuseVote(raft.RPC{Command: &raft.AppendEntriesRequest{}}, none) != nil {
		t.Error("entries are kept from a new node")
	}
}

// The guard stands between the network and raft.
func TestRule28_RequestsForVotesDontReachANewNode(t *testing.T) {
	quiet := newLogger(env.Quiet(1).Log, "raft")
	var ends [2]*raft.NetworkTransport
	for i := range ends {
		tr, err := raft.NewTCPTransportWithLogger("127.0.0.1:0", nil, 1, 5*time.Second, quiet)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tr.Close() })
		ends[i] = tr
	}
	g, done := newGuarded(ends[1]), make(chan struct{})
	defer close(done)
	var member atomic.Bool
	go g.pump(done, member.Load)
	go func() { // raft with an empty configuration grants what reaches it
		for {
			select {
			case rpc := <-g.Consumer():
				rpc.Respond(&raft.RequestVoteResponse{Granted: true}, nil)
			case <-done:
				return
			}
		}
	}()
	for _, is := range []bool{false, true} {
		member.Store(is)
		var got raft.RequestVoteResponse
		err := ends[0].RequestVote("b", ends[1].LocalAddr(), &raft.RequestVoteRequest{Term: 9, RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}}, &got)
		if err != nil || got.Granted != is {
			t.Errorf("member %v: granted %v, %v", is, got.Granted, err)
		}
	}
}

func TestRule28_StreamForAnotherDiskIsRefused(t *testing.T) {
	m := newMesh(t, "arezzo", "limburg", "roubaix")
	m.startAll()
	m.leader()
	from := m.nodes["arezzo"]
	for _, c := range []struct {
		target, source string
		refused        bool
	}{
		{"roubaix/disk-roubaix", "arezzo/disk-arezzo", false},
		{"roubaix/other", "arezzo/disk-arezzo", true},
		{"roubaix", "arezzo/disk-arezzo", true},
		{"roubaix/disk-roubaix", "limburg/disk-limburg", true}, // says to be another
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		s, err := from.link.Open(ctx, "roubaix", link.PurposeRaft)
		if err != nil {
			t.Fatal(err)
		}
		b := append([]byte{streamVersion, byte(len(c.target))}, c.target...)
		s.Write(append(append(b, byte(len(c.source))), c.source...))
		s.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		_, err = s.Read(make([]byte, 1))
		if refused := link.KindOf(err) == link.KindCancelled; refused != c.refused || err == io.EOF || !refused && !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("stream for %q from %q: %v, want refused %v", c.target, c.source, err, c.refused)
		}
		s.Abort()
	}
}

// witness makes a node's peers remember what it announces, as replica does.
func (m *testMesh) witness(n *node) {
	term, index := n.TermIndex()
	for _, peer := range m.nodes {
		if peer != n {
			peer.journal.note(n.cfg.Self.Node, journal.Seen{Node: n.cfg.Self.Node, Disk: n.cfg.Self.Disk, RaftTerm: term, RaftIndex: index})
		}
	}
}

func TestRule28_EmptiedNodeDoesNotVote(t *testing.T) {
	m := newMesh(t, "arezzo", "limburg", "roubaix")
	m.startAll()
	m.propose("one")
	m.same(1)
	lead := m.leader()
	var emptied, other *node
	for _, n := range m.nodes {
		switch {
		case n == lead:
		case emptied == nil:
			emptied = n
		default:
			other = n
		}
	}
	name, oldID := emptied.cfg.Self.Node, emptied.cfg.Self.ID()
	m.witness(emptied)
	emptied.mustStop(t)
	emptied = m.start(name, "second-disk") // an empty folder, so a new disk id
	<-emptied.Ready()
	if emptied.Started() != StartNew || len(emptied.Servers()) != 0 {
		t.Fatalf("emptied node starts as %v with %v", emptied.Started(), emptied.Servers())
	}

	// with one more gone there is no majority: an emptied node's vote would make one
	other.mustStop(t)
	eventually(t, 5*time.Second, "the leader steps down", func() bool { _, self, _, _ := lead.Leader(); return !self })
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-lead.LeaderChanged():
		case <-emptied.LeaderChanged():
		}
		if _, self, _, _ := lead.Leader(); self {
			t.Fatal("elected with the vote of an emptied node")
		}
		if _, self, _, _ := emptied.Leader(); self {
			t.Fatal("an emptied node leads")
		}
	}

	// when the third is back, a committed change lets it in again
	m.start(other.cfg.Self.Node, other.cfg.Self.Disk)
	newID := emptied.cfg.Self.ID()
	change := func(what string, f func(context.Context, *node) error) {
		t.Helper()
		var last error
		eventually(t, 15*time.Second, what, func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			last = f(ctx, m.leader())
			return last == nil
		})
	}
	change("replacing before it follows is refused", func(ctx context.Context, n *node) error {
		if err := n.ReplaceVoter(ctx, oldID, newID); err == nil || !strings.Contains(err.Error(), "AddNonvoter") {
			t.Errorf("replaced by a stranger: %v", err)
		}
		return nil
	})
	change("added as non-voter", func(ctx context.Context, n *node) error { return n.AddNonvoter(ctx, newID) })
	m.propose("two")
	m.same(2)
	change("promoted", func(ctx context.Context, n *node) error { return n.ReplaceVoter(ctx, oldID, newID) })
	voters := 0
	for _, s := range m.leader().Servers() {
		if s.Voter {
			voters++
		}
		if s.ID() == oldID {
			t.Error("the old disk is still a member")
		}
	}
	if voters != 3 {
		t.Errorf("%d voters, want 3", voters)
	}
	m.nodes[other.cfg.Self.Node].mustStop(t) // its vote counts now
	m.propose("three")
	m.same(3)
}

// A folder that is behind what was seen of its disk, as after an older copy was
// put in its place, doesn't take part.
func TestRule28_OlderFolderIsRefused(t *testing.T) {
	m := newMesh(t, "arezzo", "limburg", "roubaix")
	m.startAll()
	m.propose("one")
	m.same(1)
	self := m.nodes["limburg"].cfg.Self
	dir := m.nodes["limburg"].cfg.Dir
	m.nodes["limburg"].mustStop(t)
	older := t.TempDir()
	if err := os.CopyFS(older, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	m.start("limburg", self.Disk)
	m.propose("two")
	m.same(2)
	m.witness(m.nodes["limburg"])
	m.nodes["limburg"].mustStop(t)
	if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(older))); err != nil {
		t.Fatal(err)
	}
	behind := m.start("limburg", self.Disk)
	eventually(t, 10*time.Second, "refusal", func() bool { return !behind.alive() })
	var r *Regressed
	if err := behind.stop(); !errors.As(err, &r) || !strings.Contains(err.Error(), "want a new disk id") {
		t.Errorf("ended with %v, want a regressed folder", err)
	}
	if err := Discard(dir); err != nil {
		t.Fatal(err)
	}
	again := m.start("limburg", "second-disk")
	<-again.Ready()
	if again.Started() != StartNew {
		t.Errorf("started as %v, want new", again.Started())
	}
}

// What was seen of a disk is compared with what its process found at its start:
// a disk that lost entries is refused though its peers have filled it since.
func TestRule28_MarksAreThoseFoundAtTheStart(t *testing.T) {
	m := newMesh(t, "arezzo", "limburg", "roubaix")
	m.startAll()
	m.propose("one")
	m.same(1)
	self := m.nodes["limburg"].cfg.Self
	own := mesh.Origin{Node: "limburg", Incarnation: 1, Random: 7}
	for _, peer := range []string{"arezzo", "roubaix"} {
		m.nodes[peer].journal.note("limburg", journal.Seen{Node: "limburg", Disk: self.Disk, Marks: map[mesh.Origin]uint64{own: 5}})
	}
	files := m.nodes["limburg"].journal
	restart := func(found uint64) *node {
		m.nodes["limburg"].mustEnd()
		files.set(own, found)
		m.tune = func(_ *Config, c *Consensus) {
			if c != nil { // made, and not running yet
				files.set(own, 5)
			}
		}
		return m.start("limburg", self.Disk)
	}
	behind := restart(3)
	eventually(t, 10*time.Second, "refusal", func() bool {
		select {
		case <-behind.Ready():
			t.Fatalf("started as %v with mark 3, its peers have seen 5", behind.Started())
		default:
		}
		return !behind.alive()
	})
	var r *Regressed
	if err := behind.stop(); !errors.As(err, &r) || !strings.Contains(err.Error(), "mark 5") {
		t.Errorf("ended with %v, want a regressed folder", err)
	}
	whole := restart(5)
	<-whole.Ready()
	if whole.Started() != StartMember {
		t.Errorf("started as %v with all that was seen, want member", whole.Started())
	}
}
