package alerting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"vedetta/cluster/env"
	"vedetta/node/agreement"
	"vedetta/node/identity"
	rosters "vedetta/node/roster"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// memory is a journal of one node; everything is flushed at once, durable marks
// are set by the test.
type memory struct {
	mu      sync.Mutex
	records map[mesh.Origin][]mesh.Record
	durable map[mesh.Origin]uint64 // missing: all
	changed chan struct{}
}

func newMemory() *memory {
	return &memory{records: map[mesh.Origin][]mesh.Record{}, durable: map[mesh.Origin]uint64{}, changed: make(chan struct{})}
}

func (m *memory) AcceptAsync(records []mesh.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range records {
		if uint64(len(m.records[r.Origin]))+1 != r.Number {
			return fmt.Errorf("record %s after %d", r.Position(), len(m.records[r.Origin]))
		}
		m.records[r.Origin] = append(m.records[r.Origin], r)
	}
	m.rise()
	return nil
}

func (m *memory) rise() { close(m.changed); m.changed = make(chan struct{}) }

func (m *memory) setDurable(o mesh.Origin, n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.durable[o] = n
	m.rise()
}

func (m *memory) WaitMark(context.Context, mesh.Origin, uint64) error { return nil }
func (m *memory) MarkAndHash(o mesh.Origin) (uint64, mesh.Hash) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rs := m.records[o]
	if len(rs) == 0 {
		return 0, mesh.Hash{}
	}
	return rs[len(rs)-1].Number, rs[len(rs)-1].Hash
}
func (m *memory) Mark(o mesh.Origin) uint64 { n, _ := m.MarkAndHash(o); return n }
func (m *memory) Durable(o mesh.Origin) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n, ok := m.durable[o]; ok {
		return n
	}
	return uint64(len(m.records[o]))
}
func (m *memory) Origins() (out []mesh.Origin) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for o := range m.records {
		out = append(out, o)
	}
	return out
}
func (m *memory) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}
func (m *memory) DurableChanged() <-chan struct{} { return m.Changed() }
func (m *memory) Read(o mesh.Origin, from, upTo uint64, maxBytes int) (out []mesh.Record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records[o] {
		if r.Number >= from && r.Number <= upTo && (maxBytes > 0 || len(out) == 0) {
			out = append(out, r)
			maxBytes -= len(r.Bytes)
		}
	}
	return out, nil
}

// lone is an agreement of one voter: the real state machine without Raft.
type lone struct {
	mu      sync.Mutex
	fsm     *agreement.FSM
	index   uint64
	fail    func(decision.Body) (before, after error) // what goes wrong with a proposal
	claimed []time.Time                               // when claims were taken
	early   atomic.Bool                               // proposals are first tried at the agreement's time
}

func (l *lone) Propose(ctx context.Context, body decision.Body) (agreement.Result, error) {
	time.Sleep(5 * time.Millisecond) // a commit
	l.mu.Lock()
	defer l.mu.Unlock()
	var after error
	if l.fail != nil {
		var before error
		if before, after = l.fail(body); before != nil {
			return agreement.Result{}, before
		}
	}
	r, err := l.apply(body)
	if err != nil {
		return r, err
	}
	return r, after
}

// apply is called with mu locked.
func (l *lone) apply(body decision.Body) (agreement.Result, error) {
	var id decision.ProposalID
	l.index++
	copy(id[:], fmt.Sprintf("%016d", l.index))
	first := time.Now()
	if l.early.Load() {
		first = l.fsm.View().Clock()
	}
	b, err := decision.EncodeCommand(id, first.UnixMilli(), body)
	if err != nil {
		return agreement.Result{}, err
	}
	switch r := l.fsm.Apply(&raft.Log{Index: l.index, Type: raft.LogCommand, Data: b}).(type) {
	case agreement.Result:
		claims := r.Claims
		for _, s := range r.Shards {
			claims = append(claims, s.Claims...)
		}
		for _, c := range claims {
			if c.Attempt > 0 {
				l.claimed = append(l.claimed, time.Now())
			}
		}
		return r, nil
	case error:
		return agreement.Result{}, r
	default:
		return agreement.Result{}, fmt.Errorf("result of type %T", r)
	}
}

// hand is package notify: it settles what it gets as delivered.
type hand struct {
	mu       sync.Mutex
	free     int
	keep     bool // settles nothing
	begun    []Item
	holds    map[string]bool
	ages     []time.Time // of the claims in begun
	resolved []Item
	fences   []decision.Fence // under which resolved was asked
	propose  func(decision.Body)
	freed    chan struct{}
}

// give takes slots back; h.mu is held.
func (h *hand) give(n int) {
	h.free += n
	select {
	case h.freed <- struct{}{}:
	default:
	}
}
func (h *hand) Freed() <-chan struct{} { return h.freed }

func (h *hand) Reserve(string, bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.free == 0 {
		return false
	}
	h.free--
	return true
}
func (h *hand) Release(string) { h.mu.Lock(); h.give(1); h.mu.Unlock() }
func (h *hand) Holds(id string, attempt int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.holds[fmt.Sprint(id, attempt)]
}
func (h *hand) Begin(items []Item, ageFrom time.Time) {
	h.mu.Lock()
	h.ages = append(h.ages, slices.Repeat([]time.Time{ageFrom}, len(items))...)
	h.begun = append(h.begun, items...)
	for _, i := range items {
		h.holds[fmt.Sprint(i.Notification.ID, i.Attempt)] = true
	}
	keep := h.keep
	h.mu.Unlock()
	if keep {
		return
	}
	var s decision.Settle
	for _, i := range items {
		s.Outcomes = append(s.Outcomes, decision.Outcome{Notification: i.Notification.ID, Attempt: i.Attempt, By: i.Holder, State: decision.StateDelivered})
	}
	go func() {
		h.propose(s)
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, i := range items {
			delete(h.holds, fmt.Sprint(i.Notification.ID, i.Attempt))
		}
		h.give(len(items))
	}()
}
func (h *hand) Resolve(fence decision.Fence, items []Item) {
	h.mu.Lock()
	h.fences = append(h.fences, slices.Repeat([]decision.Fence{fence}, len(items))...)
	h.resolved = append(h.resolved, items...)
	h.mu.Unlock()
}
func (h *hand) sent() []Item {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.begun)
}

func (h *hand) handed() []Item {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.resolved)
}

// world is one node with everything around the follower, in a bubble.
type world struct {
	t        *testing.T
	journal  *memory
	raft     *lone
	view     *agreement.View
	roster   *rosters.Roster
	hand     *hand
	key, day seal.Key
	self     mesh.Origin
	follower *Follower
	decode   Decode   // nil: Events
	proposer Proposer // nil: raft
	began    time.Time
	pace     atomic.Int64 // the agreement's clock goes slower by this factor; 0: right
	stop     func()
	dead     atomic.Bool // the clock stands
}

const panelID = "pan_1"

var members = []decision.Member{{Node: "arezzo", Disk: "d1", Site: "arezzo"}, {Node: "roubaix", Disk: "d2", Site: "roubaix"}}

func origin(node string, incarnation uint64) mesh.Origin {
	return mesh.Origin{Node: node, Incarnation: incarnation, Random: 7}
}

// newWorld founds a mesh with one customer; nobody leads yet.
func newWorld(t *testing.T, rules ...roster.Rule) *world {
	t.Helper()
	w := &world{t: t, journal: newMemory(), self: origin("arezzo", 1), key: seal.NewKey(), day: seal.NewKey(),
		hand: &hand{free: 100, holds: map[string]bool{}, freed: make(chan struct{}, 1)}}
	var mk seal.MeshKey
	copy(mk[:], "a mesh key that only this test has")
	fsm, err := agreement.NewFSM(agreement.Config{}, mk, w.journal, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	w.raft, w.view, w.began = &lone{fsm: fsm}, fsm.View(), time.Now()
	w.hand.propose = func(b decision.Body) { w.do(b) }
	w.do(decision.Found{Generation: 1, Sites: []string{"arezzo", "roubaix"}, Members: members})
	wrap := func(k seal.Key, owner string) []byte {
		b, err := mk.Wrap(k, owner)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	w.do(decision.PutKeys{Customer: "c1", KeyID: w.key.ID[:], Wrapped: wrap(w.key, "c1")})
	for d := range mesh.Day(3) {
		day := mesh.DayOf(time.Now()) + d
		k := seal.NewKey()
		if d == 0 {
			k = w.day
		}
		w.do(decision.PutDayKey{Day: day, KeyID: k.ID[:], Wrapped: wrap(k, agreement.DayOwner(day))})
	}
	w.document(1, rules...)
	w.roster = rosters.New(rosters.FromView{View: w.view}, env.Quiet(2))
	w.restart(w.self)
	return w
}

func (w *world) document(revision uint64, rules ...roster.Rule) {
	w.t.Helper()
	w.do(w.documented(revision, rules...))
}

func (w *world) documented(revision uint64, rules ...roster.Rule) decision.PutDocument {
	w.t.Helper()
	b, err := roster.Marshal(roster.Customer{ID: "c1", Contacts: contacts(), Rules: rules,
		Panels: []roster.Panel{{ID: panelID, Name: "Villa", Account: "1234", Zones: []roster.Zone{{Number: "1", Name: "Ingresso"}}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return decision.PutDocument{Customer: "c1", Revision: revision, Sealed: seal.SealColumn(w.key, rosters.Purpose, b)}
}

// do proposes what must be accepted.
func (w *world) do(b decision.Body) agreement.Result {
	w.t.Helper()
	r, err := w.raft.Propose(context.Background(), b)
	if err != nil || r.Refusal != nil {
		w.t.Errorf("%T: %v %v", b, r.Refusal, err)
	}
	return r
}

// fails sets what goes wrong with proposals from now on.
func (w *world) fails(fn func(decision.Body) (before, after error)) {
	w.raft.mu.Lock()
	defer w.raft.mu.Unlock()
	w.raft.fail = fn
}

// assign gives the panel's shard to a holder.
func (w *world) assign(o mesh.Origin) {
	w.do(decision.Assign{Shards: []decision.Assignment{{Shard: identity.Shard(panelID), Holder: o}}})
}

// restart starts the follower as a new process.
func (w *world) restart(self mesh.Origin) {
	w.t.Helper()
	if w.stop != nil {
		w.stop()
	}
	w.self = self
	w.hand.mu.Lock()
	w.hand.holds = map[string]bool{}
	w.hand.mu.Unlock()
	f := w.still(nil)
	w.follower = f
	w.raft.fsm.Decided(f.Decided)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	run := func(fn func(context.Context) error) {
		wg.Go(func() {
			if err := fn(ctx); !errors.Is(err, context.Canceled) {
				w.t.Errorf("ended with %v", err)
			}
		})
	}
	run(f.Run)
	run(w.roster.Run)
	wg.Go(func() {
		for ctx.Err() == nil {
			if !w.dead.Load() {
				_, _ = w.raft.Propose(ctx, decision.Tick{Now: w.began.Add(time.Since(w.began) / time.Duration(max(1, w.pace.Load()))).UnixMilli()})
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
	w.stop = func() { cancel(); wg.Wait() }
}

// still is a follower of this process that nobody runs: it is stepped. a nil
// means what is applied.
func (w *world) still(a Agreement) *Follower {
	w.t.Helper()
	if a == nil {
		p := w.proposer
		if p == nil {
			p = w.raft
		}
		a = Applied{View: w.view, Proposer: p}
	}
	f, err := New(Config{Self: w.self}, w.journal, a, w.roster, w.hand, w.decode, env.Quiet(3))
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// halt stops the follower, the roster and the clock.
func (w *world) halt() {
	w.stop()
	w.stop = func() {}
}

// tick moves the agreement's clock to now.
func (w *world) tick() { w.do(decision.Tick{Now: time.Now().UnixMilli()}) }

// sends journals a message of the known panel.
func (w *world) sends(o mesh.Origin, seq int, data string, change ...func(*entry.Message)) mesh.Position {
	w.t.Helper()
	m := entry.Message{Received: time.Now().UTC(), Listener: "main", Customer: "c1", Panel: panelID, RosterIndex: w.roster.Index(),
		Token: "SIA-DCS", Sequence: seq, Account: "1234", Data: []byte(data), Answer: entry.AnswerACK}
	for _, c := range change {
		c(&m)
	}
	k := w.key
	from := identity.Sender{Listener: m.Listener, Panel: m.Panel, Prefix: m.Prefix, Account: m.Account}
	if m.Customer == "" {
		k = w.day
	}
	return w.append(o, k, from.Shard(), from.Of(k, m.Token, seq, m.Data), m)
}

func (w *world) append(o mesh.Origin, k seal.Key, shard byte, id mesh.Identity, m entry.Message) mesh.Position {
	w.t.Helper()
	last, hash := w.journal.MarkAndHash(o)
	h := mesh.Header{Kind: mesh.KindMessage, Origin: o, Number: last + 1, Day: mesh.DayOf(time.Now()), Shard: shard, Identity: id}
	b, err := entry.Marshal(m)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := mesh.Encode(h, seal.Seal(k, h, b), hash)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.journal.AcceptAsync([]mesh.Record{r}); err != nil {
		w.t.Fatal(err)
	}
	return h.Position()
}

// verdicts are all decisions about entries, in order.
func (w *world) verdicts() (out []decision.Verdict) {
	w.t.Helper()
	o, n := w.view.Decided()
	records, err := w.journal.Read(o, 1, n, 1<<30)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range records {
		list, done, err := w.follower.openDecision(r)
		if err != nil || !done {
			w.t.Fatalf("decision %s: %v %v", r.Position(), done, err)
		}
		for _, rec := range list {
			if rec.Verdict != nil && rec.Part == 0 {
				out = append(out, *rec.Verdict)
			}
		}
	}
	return out
}

// decides are what a command decides for shards.
func decides(b decision.Body) []decision.Decide {
	all, _ := b.(decision.DecideShards)
	return all.Decides
}

// entriesOf are all entries that a command decides.
func entriesOf(b decision.Body) (out []decision.Verdict) {
	for _, d := range decides(b) {
		out = append(out, d.Entries...)
	}
	return out
}

// claims are the times at which the agreement took claims, in order, by our clock.
func (w *world) claims() (out []time.Time) {
	w.raft.mu.Lock()
	defer w.raft.mu.Unlock()
	return slices.Clone(w.raft.claimed)
}
