package consensus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestThreeNodes(t *testing.T) {
	m := newMesh(t, "arezzo", "limburg", "roubaix")
	m.startAll()
	lead := m.leader()
	if lead.Started() != StartFound {
		t.Errorf("started as %v, want founding", lead.Started())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 1000 {
		wg.Go(func() {
			index, result, err := lead.Propose(ctx, fmt.Appendf(nil, "command %d", i))
			if err != nil || index == 0 || result.(int) < 1 {
				t.Errorf("command %d: index %d, result %v, %v", i, index, result, err)
			}
		})
	}
	wg.Wait()
	m.same(1000)

	if _, _, err := lead.Propose(ctx, make([]byte, MaxCommand+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("propose above the limit: %v, want ErrTooLarge", err)
	}
	for _, n := range m.nodes {
		if n == lead {
			continue
		}
		_, _, err := n.Propose(ctx, []byte("x"))
		var nl *NotLeader
		if !errors.Is(err, ErrNotLeader) || !errors.As(err, &nl) || nl.Leader != lead.cfg.Self.Node {
			t.Errorf("propose at %s: %v, want that %s leads", n.cfg.Self.Node, err, lead.cfg.Self.Node)
		}
		if name, self, since, seen := n.Leader(); name != lead.cfg.Self.Node || self || since.IsZero() || time.Since(seen) > time.Second {
			t.Errorf("leader at %s: %q %v %v %v", n.cfg.Self.Node, name, self, since, seen)
		}
	}

	// the leader falls silent, as when its process is killed
	name := lead.cfg.Self
	start := time.Now()
	gone := lead.kill()
	m.leader()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("a new leader after %v, want at most 3 s", took)
	} else {
		t.Logf("a new leader after %v", took)
	}
	m.propose("while one is away")
	m.same(1001)
	<-gone
	again := m.start(name.Node, name.Disk)
	m.same(1001)
	if again.Started() != StartMember {
		t.Errorf("came back as %v, want member", again.Started())
	}
	for _, n := range m.nodes {
		if got := n.Servers(); len(got) != 3 || !got[0].Voter || !got[1].Voter || !got[2].Voter {
			t.Errorf("servers at %s: %v, want three voters", n.cfg.Self.Node, got)
		}
	}
	if term, index := again.TermIndex(); term == 0 || index < 1001 {
		t.Errorf("announces term %d, index %d", term, index)
	}
}

// A leader whose connections end abruptly: the others elect, it steps down.
func TestCutLeader(t *testing.T) {
	m := newMesh(t, "arezzo", "limburg", "roubaix")
	m.startAll()
	lead := m.leader()
	m.propose("one")
	m.same(1)
	// a leader that is shut off can only say that it doesn't know
	others := []*node{}
	for _, n := range m.nodes {
		if n != lead {
			others = append(others, n)
		}
	}
	for _, n := range others {
		n.mustStop(t)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, _, err := lead.Propose(ctx, []byte("two"))
	if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNotLeader) {
		t.Errorf("propose without a majority: %v, want unknown or not leader", err)
	}
	eventually(t, 5*time.Second, "the leader steps down", func() bool { _, self, _, _ := lead.Leader(); return !self })
	for _, n := range others {
		m.start(n.cfg.Self.Node, n.cfg.Self.Disk)
	}
	m.propose("three")
	eventually(t, 10*time.Second, "all have applied", func() bool {
		for _, n := range m.nodes {
			if n.fsm.len() < 2 {
				return false
			}
		}
		return true
	})
}

func TestHandOver(t *testing.T) {
	m := newMesh(t, "arezzo", "limburg", "roubaix")
	m.startAll()
	lead := m.leader()
	m.propose("one")
	changed := lead.LeaderChanged()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := lead.TransferLeadership(ctx); err != nil {
		t.Fatal(err)
	}
	<-changed
	eventually(t, 5*time.Second, "another leads", func() bool {
		name, self, _, _ := lead.Leader()
		return !self && name != "" && name != lead.cfg.Self.Node
	})
	if err := m.leader().Barrier(ctx); err != nil {
		t.Error(err)
	}
	m.propose("two")
	m.same(2)
}
