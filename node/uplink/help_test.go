package uplink

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"vedetta/cluster/env"
	"vedetta/node/agreement"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// journals is what a node holds, with durable marks set by the test.
type journals struct {
	mu      sync.Mutex
	records map[mesh.Origin][]mesh.Record
	durable map[mesh.Origin]uint64
	changed chan struct{}
	flushed chan struct{}
	broken  error
}

func newJournals() *journals {
	return &journals{records: map[mesh.Origin][]mesh.Record{}, durable: map[mesh.Origin]uint64{}, changed: make(chan struct{}), flushed: make(chan struct{})}
}

// write adds n records of an origin; none of them is durable yet.
func (j *journals) write(t *testing.T, o mesh.Origin, n int) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	for range n {
		var prev mesh.Hash
		all := j.records[o]
		if len(all) > 0 {
			prev = all[len(all)-1].Hash
		}
		kind := mesh.KindMessage
		if o.IsAgreement() {
			kind = mesh.KindDecision
		}
		r, err := mesh.Encode(mesh.Header{Kind: kind, Origin: o, Number: uint64(len(all) + 1), Day: 20000}, fmt.Append(nil, "sealed ", len(all)), prev)
		if err != nil {
			t.Fatal(err)
		}
		j.records[o] = append(all, r)
	}
	close(j.flushed)
	j.flushed = make(chan struct{})
}

func (j *journals) rise(o mesh.Origin, to uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.durable[o] = to
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *journals) Origins() (out []mesh.Origin) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for o := range j.records {
		out = append(out, o)
	}
	return out
}

func (j *journals) Durable(o mesh.Origin) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable[o]
}

func (j *journals) MarkAndHash(o mesh.Origin) (uint64, mesh.Hash) {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := j.records[o]
	if len(all) == 0 {
		return 0, mesh.Hash{}
	}
	return all[len(all)-1].Number, all[len(all)-1].Hash
}

func (j *journals) DurableChanged() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

func (j *journals) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.flushed
}

// Read gives two records at a time, whatever maxBytes.
func (j *journals) Read(o mesh.Origin, from, upTo uint64, _ int) (out []mesh.Record, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.records[o] {
		if r.Number >= from && r.Number <= upTo && len(out) < 2 {
			out = append(out, r)
		}
	}
	return out, j.broken
}

// flushed is the state machine's journal: all is flushed at once.
type flushed struct {
	mark uint64
	hash mesh.Hash
}

func (f *flushed) AcceptAsync(rs []mesh.Record) error {
	for _, r := range rs {
		f.mark, f.hash = r.Number, r.Hash
	}
	return nil
}
func (f *flushed) WaitMark(context.Context, mesh.Origin, uint64) error { return nil }
func (f *flushed) MarkAndHash(mesh.Origin) (uint64, mesh.Hash)         { return f.mark, f.hash }

// lone is an agreement of one voter: the real state machine without Raft.
type lone struct {
	fsm    *agreement.FSM
	index  uint64
	bodies []decision.Body
	hold   bool // commits and doesn't apply yet
	held   []*raft.Log
	fail   error
	mu     sync.Mutex // guards all but fsm
}

func (l *lone) fails(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = err
}

func (l *lone) proposed() []decision.Body {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.bodies)
}

func (l *lone) Propose(_ context.Context, body decision.Body) (agreement.Result, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return agreement.Result{}, l.fail
	}
	l.bodies = append(l.bodies, body)
	l.index++
	var id decision.ProposalID
	copy(id[:], fmt.Sprintf("%016d", l.index))
	b, err := decision.EncodeCommand(id, time.Now().UnixMilli(), body)
	if err != nil {
		return agreement.Result{}, err
	}
	log := &raft.Log{Index: l.index, Type: raft.LogCommand, Data: b}
	if l.hold {
		l.held = append(l.held, log)
		return agreement.Result{Index: l.index}, nil
	}
	r, ok := l.fsm.Apply(log).(agreement.Result)
	if !ok {
		return r, fmt.Errorf("command %T not applied", body)
	}
	return r, nil
}

var meshKey = seal.MeshKey([]byte("a mesh key that only this test h"))

// newUplink is an uplink over a founded agreement.
func newUplink(t *testing.T) (*Uplink, *lone, *journals) {
	t.Helper()
	fsm, err := agreement.NewFSM(agreement.Config{}, meshKey, &flushed{}, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	l, j := &lone{fsm: fsm}, newJournals()
	found := decision.Found{Generation: 1, Sites: []string{"arezzo"}, Members: []decision.Member{{Node: "arezzo", Disk: "d", Site: "arezzo"}}}
	if r, err := l.Propose(t.Context(), found); err != nil || r.Refusal != nil {
		t.Fatal(r.Refusal, err)
	}
	return New(fsm.View(), l, j, meshKey, func() string { return "roubaix" }, nil, func() uint64 { return 0 }, env.Quiet(2)), l, j
}
