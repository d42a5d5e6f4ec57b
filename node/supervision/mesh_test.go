package supervision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"vedetta/cluster/env"
	"vedetta/node/agreement"
	rosters "vedetta/node/roster"
	"vedetta/wire/decision"
	"vedetta/wire/heard"
	"vedetta/wire/mesh"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// bubble is three nodes with the real loop, roster and state machine over one
// agreement without Raft, in fake time.
type bubble struct {
	t     *testing.T
	mu    sync.Mutex // guards what is below
	fsm   *agreement.FSM
	index uint64
	nodes map[string]*process
	cut   map[[2]string]bool
	key   seal.Key
	said  []mesh.Record
	wrap  func(seal.Key, string) []byte
}

// process is one node's.
type process struct {
	self mesh.Origin
	s    *Supervision
	stop func()
}

func (b *bubble) AcceptAsync(records []mesh.Record) error {
	b.said = append(b.said, records...)
	return nil
}
func (b *bubble) WaitMark(context.Context, mesh.Origin, uint64) error { return nil }
func (b *bubble) MarkAndHash(mesh.Origin) (uint64, mesh.Hash)         { return 0, mesh.Hash{} }

func (b *bubble) Propose(_ context.Context, body decision.Body) (agreement.Result, error) {
	time.Sleep(5 * time.Millisecond) // a commit
	b.mu.Lock()
	defer b.mu.Unlock()
	b.index++
	var id decision.ProposalID
	copy(id[:], fmt.Sprintf("%016d", b.index))
	c, err := decision.EncodeCommand(id, time.Now().UnixMilli(), body)
	if err != nil {
		return agreement.Result{}, err
	}
	switch r := b.fsm.Apply(&raft.Log{Index: b.index, Type: raft.LogCommand, Data: c}).(type) {
	case agreement.Result:
		return r, nil
	case error:
		return agreement.Result{}, r
	}
	return agreement.Result{}, errors.New("no result")
}

func (b *bubble) do(body decision.Body) {
	b.t.Helper()
	if r, err := b.Propose(b.t.Context(), body); err != nil || r.Refusal != nil {
		b.t.Fatalf("%T: %v %v", body, r.Refusal, err)
	}
}

// line is a node's way to the others.
type line struct {
	b    *bubble
	from string
}

func (l line) Call(ctx context.Context, peer, _ string, req []byte) ([]byte, error) {
	time.Sleep(12 * time.Millisecond)
	l.b.mu.Lock()
	to, dead := l.b.nodes[peer], l.b.nodes[l.from] == nil || l.b.nodes[peer] == nil || l.b.cut[link(l.from, peer)]
	l.b.mu.Unlock()
	if dead {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return to.s.Answer(ctx, l.from, req)
}

const bubblePanels = 30

func newBubble(t *testing.T) *bubble {
	t.Helper()
	b := &bubble{t: t, nodes: map[string]*process{}, cut: map[[2]string]bool{}, key: seal.NewKey()}
	var mk seal.MeshKey
	copy(mk[:], "a mesh key that only this test has")
	fsm, err := agreement.NewFSM(agreement.Config{}, mk, b, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	b.fsm = fsm
	b.wrap = func(k seal.Key, owner string) []byte {
		w, err := mk.Wrap(k, owner)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	found := decision.Found{Generation: 1, Sites: sites}
	for _, n := range sites {
		found.Members = append(found.Members, decision.Member{Node: n, Disk: "d-" + n, Site: n})
	}
	b.do(found)
	b.do(decision.PutKeys{Customer: "c1", KeyID: b.key.ID[:], Wrapped: b.wrap(b.key, "c1")})
	for d := range mesh.Day(2) {
		k, day := seal.NewKey(), mesh.DayOf(time.Now())+d
		b.do(decision.PutDayKey{Day: day, KeyID: k.ID[:], Wrapped: b.wrap(k, agreement.DayOwner(day))})
	}
	doc := roster.Customer{ID: "c1", Language: "en",
		Contacts: []roster.Contact{{ID: "k1", Addresses: []roster.Address{{ID: "a1", Channel: "email"}}}},
		Rules:    []roster.Rule{{ID: "r1", Enabled: true, Categories: []string{"communication"}, Qualifiers: []string{"new", "restore"}, Steps: []roster.Step{{Contacts: []string{"k1"}}}}}}
	for i := range bubblePanels {
		doc.Panels = append(doc.Panels, roster.Panel{ID: bubblePanel(i), Account: fmt.Sprintf("%04X", i), PollSeconds: 60, GraceSeconds: 30, TimeZone: "Europe/Rome"})
	}
	text, err := roster.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	b.do(decision.PutDocument{Customer: "c1", Revision: 1, Sealed: seal.SealColumn(b.key, rosters.Purpose, text)})
	for i, n := range sites {
		b.start(n, uint64(i+1))
	}
	return b
}

func bubblePanel(i int) string { return fmt.Sprintf("panel-%d", i) }

func (b *bubble) start(name string, incarnation uint64) {
	b.t.Helper()
	self := mesh.Origin{Node: name, Incarnation: incarnation, Random: incarnation}
	people := rosters.New(rosters.FromView{View: b.fsm.View()}, env.Quiet(incarnation))
	cfg := Config{Self: self}
	for _, n := range sites {
		if n != name {
			cfg.Peers = append(cfg.Peers, n)
		}
	}
	s, err := New(cfg, Parts{View: b.fsm.View(), Caller: line{b, name}, Proposer: b, Roster: people, Held: func() uint64 { return math.MaxUint64 }, Ready: func() bool { return true }, Offset: func() time.Duration { return 0 }}, env.Quiet(incarnation))
	if err != nil {
		b.t.Fatal(err)
	}
	people.Follow(s.RosterChanged)
	people.Sync()
	ctx, stop := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Run(ctx) }()
	p := &process{self: self, s: s, stop: func() { stop(); <-done }}
	b.mu.Lock()
	b.nodes[name] = p
	b.mu.Unlock()
}

// kill ends a node's process; restart begins another.
func (b *bubble) kill(name string) {
	b.mu.Lock()
	p := b.nodes[name]
	b.nodes[name] = nil
	b.mu.Unlock()
	if p != nil {
		p.stop()
	}
}

// assign gives all shards to one node.
func (b *bubble) assign(name string) {
	b.t.Helper()
	var a decision.Assign
	for i := range byte(shards) {
		a.Shards = append(a.Shards, decision.Assignment{Shard: i, Holder: b.nodes[name].self})
	}
	b.do(a)
}

// run lets a time pass in which the panels poll each minute that may.
func (b *bubble) run(d time.Duration, at func(panel int) string) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) {
		b.do(decision.Tick{Now: time.Now().UnixMilli()})
		second := int(time.Now().Unix() % 60)
		for i := range bubblePanels {
			if p := b.nodes[at(i)]; p != nil && i*2 == second {
				p.s.Heard(time.Now(), &roster.Panel{ID: bubblePanel(i)}, "tcp", nil, nil)
			}
		}
	}
}

// verdicts are what was decided, as the journal's records say it.
func (b *bubble) verdicts() (out []decision.Verdict) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.said {
		plain, err := seal.Open(b.key, r.Header, r.Sealed)
		if err != nil {
			continue // no customer's
		}
		list, err := decision.DecodeRecords(plain)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, rec := range list {
			if rec.Verdict != nil {
				out = append(out, *rec.Verdict)
			}
		}
	}
	return out
}

// Three nodes with loops and state machine: one datacenter is lost for good, the
// judge's shards move on, and of thirty panels only the one that is cut is told
// of, once, to the contact of the rule; it is restored once.
func TestRule30_ThreeNodesInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		defer func() {
			for _, n := range sites {
				b.kill(n)
			}
		}()
		b.assign("limburg")
		home := func(i int) string { return sites[i%3] }
		b.run(5*time.Minute, home)
		if v := b.verdicts(); len(v) != 0 {
			t.Fatalf("%+v, want none while all poll", v)
		}

		b.kill("roubaix") // for good
		const cut = 7
		quiet := true
		turned := func(i int) string {
			switch {
			case i == cut && quiet:
				return ""
			case home(i) == "roubaix":
				return "limburg"
			}
			return home(i)
		}
		lost := time.Now()
		b.run(40*time.Second, turned)
		b.assign("arezzo") // a fail-over in between
		b.run(interval+grace+interval, turned)
		v := b.verdicts()
		if len(v) != 1 || v[0].Panel != bubblePanel(cut) || len(v[0].Events) != 1 || v[0].Events[0].Code != "350" || v[0].Events[0].Qualifier != "new" || v[0].Events[0].Category != "communication" {
			t.Fatalf("%+v, want 350 of the panel that is cut", v)
		}
		if at := time.UnixMilli(v[0].ReceivedMs).Sub(lost); at > interval+grace+interval {
			t.Errorf("told %s after it was cut", at)
		}
		if !v[0].Entry.Origin.IsAgreement() || len(v[0].Plan) != 1 || v[0].Plan[0].Contact != "k1" || v[0].Plan[0].Event != decision.EventID(v[0].Entry, 0) {
			t.Errorf("%+v, want it planned for the rule's contact, under its own place", v[0])
		}
		if n := b.fsm.View().CountSilent(); n != 1 {
			t.Errorf("%d panels silent, want 1", n)
		}

		// What central is told of it, by any node.
		req, err := json.Marshal(heard.Request{Panels: []string{bubblePanel(cut), bubblePanel(1), "nobody's"}})
		if err != nil {
			t.Fatal(err)
		}
		answer, err := b.nodes["limburg"].s.Look(t.Context(), req)
		var a heard.Answer
		if err == nil {
			err = json.Unmarshal(answer, &a)
		}
		if err != nil || !a.Judging || len(a.Panels) != 3 || fmt.Sprint(a.Panels[0].Silent) != "[all]" || a.Panels[0].SilentSinceMs != v[0].ReceivedMs ||
			a.Panels[1].PrimaryMs == nil || *a.Panels[1].PrimaryMs > 61_000 || len(a.Panels[1].Silent) != 0 || a.Panels[2].Supervised {
			t.Errorf("%s, %v", answer, err)
		}

		quiet = false
		b.kill("limburg") // its process starts anew, and the majority is gone meanwhile
		b.run(2*time.Second, turned)
		b.start("limburg", 9)
		b.run(5*time.Minute, turned)
		v = b.verdicts()
		if len(v) != 2 || v[1].Panel != bubblePanel(cut) || len(v[1].Events) != 1 || v[1].Events[0].Code != "350" || v[1].Events[0].Qualifier != "restore" {
			t.Fatalf("%+v, want one restoral", v)
		}
		if n := b.fsm.View().CountSilent(); n != 0 {
			t.Errorf("%d panels silent, want none", n)
		}
	})
}
