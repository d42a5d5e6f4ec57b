package node

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"vedetta/cluster/env"
	"vedetta/node/agreement"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// lone is the agreement of one voter: the real state machine without Raft.
type lone struct {
	t     *testing.T
	fsm   *agreement.FSM
	index uint64
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

var (
	meshKey = seal.MeshKey([]byte("a mesh key that only this test h"))
	arezzo  = mesh.Origin{Node: "arezzo", Incarnation: 3, Random: 7}
	roubaix = mesh.Origin{Node: "roubaix", Incarnation: 1, Random: 9}
)

// founded has arezzo on disk d1 and roubaix on d2, and the keys of today and
// tomorrow.
func founded(t *testing.T) *lone {
	t.Helper()
	fsm, err := agreement.NewFSM(agreement.Config{}, meshKey, &flushed{}, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	l := &lone{t: t, fsm: fsm}
	l.do(decision.Found{Generation: 1, Sites: []string{"arezzo", "roubaix"},
		Members: []decision.Member{{Node: "arezzo", Disk: "d1", Site: "arezzo"}, {Node: "roubaix", Disk: "d2", Site: "roubaix"}}})
	today := mesh.DayOf(time.Now())
	for _, day := range []mesh.Day{today, today + 1} {
		k := seal.NewKey()
		l.do(decision.PutDayKey{Day: day, KeyID: k.ID[:], Wrapped: l.wrap(k, agreement.DayOwner(day))})
	}
	return l
}

func (l *lone) wrap(k seal.Key, owner string) []byte {
	l.t.Helper()
	b, err := meshKey.Wrap(k, owner)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

// do applies what must be accepted.
func (l *lone) do(body decision.Body) {
	l.t.Helper()
	l.index++
	var id decision.ProposalID
	copy(id[:], fmt.Sprintf("%016d", l.index))
	b, err := decision.EncodeCommand(id, time.Now().UnixMilli(), body)
	if err != nil {
		l.t.Fatal(err)
	}
	r, ok := l.fsm.Apply(&raft.Log{Index: l.index, Type: raft.LogCommand, Data: b}).(agreement.Result)
	if !ok || r.Refusal != nil {
		l.t.Fatalf("%T: %+v", body, r.Refusal)
	}
}

// assign gives shards 3 and 4 to a holder.
func (l *lone) assign(to mesh.Origin) {
	l.t.Helper()
	l.do(decision.Assign{Shards: []decision.Assignment{{Shard: 3, Holder: to}, {Shard: 4, Holder: to}}})
}
