package leadership

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"vedetta/cluster/env"
	"vedetta/node/agreement"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// nowhere is a journal that forgets.
type nowhere struct{}

func (nowhere) AcceptAsync([]mesh.Record) error                     { return nil }
func (nowhere) WaitMark(context.Context, mesh.Origin, uint64) error { return nil }
func (nowhere) MarkAndHash(mesh.Origin) (uint64, mesh.Hash)         { return 0, mesh.Hash{} }

// parliament is the log of all nodes: one state machine, one leader at a time.
type parliament struct {
	mu     sync.Mutex
	leader string // empty: an election is under way
	index  uint64
	fsm    *agreement.FSM
	nodes  map[string]*Leadership
}

// seat is a node's view of it.
type seat struct {
	*parliament
	name string
}

func (s seat) Leader() (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leader, s.leader == s.name
}
func (s seat) Barrier(context.Context) error { return nil }
func (s seat) Propose(_ context.Context, command []byte) (agreement.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leader != s.name {
		return agreement.Result{}, errors.New("not the leader")
	}
	s.index++
	switch r := s.fsm.Apply(&raft.Log{Index: s.index, Type: raft.LogCommand, Data: command}).(type) {
	case agreement.Result:
		return r, nil
	case error:
		return agreement.Result{}, r
	default:
		return agreement.Result{}, fmt.Errorf("result of type %T", r)
	}
}
func (s seat) Call(ctx context.Context, peer, method string, req []byte) ([]byte, error) {
	s.mu.Lock()
	to := s.nodes[peer]
	s.mu.Unlock()
	if to == nil || method != Method {
		return nil, errors.New("nobody answers")
	}
	return to.Answer(ctx, s.name, req)
}

func TestRule20_and_25_in_a_bubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mk seal.MeshKey
		copy(mk[:], "a mesh key that only this test has")
		fsm, err := agreement.NewFSM(agreement.Config{}, mk, nowhere{}, env.Quiet(1))
		if err != nil {
			t.Fatal(err)
		}
		p := &parliament{leader: "arezzo", fsm: fsm, nodes: map[string]*Leadership{}}
		view := fsm.View()
		founding := decision.Found{Generation: 1, Sites: members}
		for _, m := range members {
			founding.Members = append(founding.Members, decision.Member{Node: m, Disk: "disk-" + m, Site: m})
		}
		stop := map[string]func(){}
		var wg sync.WaitGroup
		begin := func(name string, incarnation uint64) {
			l, err := New(Config{Self: process(name, incarnation), Founding: founding}, Parts{
				Raft: seat{p, name}, Caller: seat{p, name}, View: view, Wrap: mk.Wrap,
				Ready:  func() bool { return true },
				Ages:   func(time.Time) (a, b time.Duration) { return 0, 0 },
				Offset: func() time.Duration { return 0 },
			}, env.Quiet(1))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			p.mu.Lock()
			p.nodes[name] = l
			p.mu.Unlock()
			wg.Go(func() { defer close(done); _ = l.Run(ctx) })
			stop[name] = func() {
				p.mu.Lock()
				delete(p.nodes, name)
				p.mu.Unlock()
				cancel()
				<-done
			}
		}
		defer func() {
			for _, fn := range stop {
				fn()
			}
			wg.Wait()
		}()
		holders := func() map[mesh.Origin]int {
			n := map[mesh.Origin]int{}
			for _, s := range view.Shards() {
				n[s.Holder]++
			}
			return n
		}
		wantAll := func(after string, want ...mesh.Origin) {
			t.Helper()
			n, sum := holders(), 0
			for _, o := range want {
				sum += n[o]
				if n[o] == 0 || n[o] > 64/len(want)+1 {
					t.Errorf("%s: %s leads %d shards of %v", after, o, n[o], n)
				}
			}
			if sum != 64 {
				t.Errorf("%s: %v, want all shards at %v", after, n, want)
			}
		}

		for _, m := range members {
			begin(m, 1)
		}
		time.Sleep(time.Second)
		if view.Generation() != 1 {
			t.Fatal("the mesh is not founded")
		}
		for ahead := range mesh.Day(2) {
			if _, ok := view.DayKey(mesh.DayOf(time.Now()) + ahead); !ok {
				t.Errorf("no key for the day %d ahead", ahead)
			}
		}
		time.Sleep(9 * time.Second)
		wantAll("at first", process("arezzo", 1), process("limburg", 1), process("roubaix", 1))
		if lag := time.Since(view.Clock()); lag < 0 || lag > 1100*time.Millisecond {
			t.Errorf("the agreement's clock is %v behind", lag)
		}

		// The Raft leader, who leads shards as well, dies.
		died := time.Now()
		stop["arezzo"]()
		delete(stop, "arezzo")
		p.mu.Lock()
		p.leader = ""
		p.mu.Unlock()
		time.Sleep(time.Second)
		p.mu.Lock()
		p.leader = "limburg"
		p.mu.Unlock()
		for holders()[process("arezzo", 1)] > 0 && time.Since(died) < 10*time.Second {
			time.Sleep(50 * time.Millisecond)
		}
		took := time.Since(died)
		t.Logf("its shards were given to others after %v, 1 s of it the election", took)
		if took < 2900*time.Millisecond || took > 4*time.Second {
			t.Errorf("given to others after %v, want 2 s after the election", took)
		}
		wantAll("after a kill", process("limburg", 1), process("roubaix", 1))

		begin("arezzo", 2)
		time.Sleep(10 * time.Second)
		wantAll("after its return", process("arezzo", 2), process("limburg", 1), process("roubaix", 1))

		// After a day and a half of standstill there is a key for the next day,
		// and the agreement's clock comes up by 60 s a tick.
		for _, m := range members {
			stop[m]()
		}
		before := view.Clock()
		time.Sleep(36 * time.Hour)
		for _, m := range members {
			begin(m, 3)
		}
		time.Sleep(4500 * time.Millisecond)
		if moved := view.Clock().Sub(before); moved < 3*time.Minute || moved > 6*time.Minute {
			t.Errorf("the agreement's clock moved by %v in 4.5 s, want 60 s a tick", moved)
		}
		if _, ok := view.DayKey(mesh.DayOf(time.Now()) + 1); !ok {
			t.Error("no key for tomorrow")
		}
	})
}

func TestRenewalsOfOthersAreRefused(t *testing.T) {
	l := &Leadership{assigner: NewAssigner(start)}
	for name, req := range map[string]string{
		"another's":   `{"holder":"roubaix.1-0000000000000001","ready":true}`,
		"not JSON":    `x`,
		"no origin":   `{"holder":"x"}`,
		"no renewals": `{}`,
	} {
		if _, err := l.Answer(t.Context(), "arezzo", []byte(req)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := l.Answer(t.Context(), "arezzo", []byte(`{"holder":"arezzo.1-0000000000000001","ready":true,"oldest_due_ms":1,"unheard_of":2}`)); err != nil {
		t.Errorf("%v: a newer form must be taken", err)
	}
	l.assigner = nil
	if _, err := l.Answer(t.Context(), "arezzo", []byte(`{"holder":"arezzo.1-0000000000000001"}`)); err == nil {
		t.Error("taken by a node that is not the Raft leader")
	}
}
