package agreement

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"vedetta/cluster/env"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

var update = flag.Bool("update", false, "write the golden files; only for a new version of a form")

// slowJournal flushes when it is told to.
type slowJournal struct {
	mu      sync.Mutex
	queued  []mesh.Record
	mark    uint64
	hash    mesh.Hash
	flushed chan struct{}
	err     error
}

func (j *slowJournal) AcceptAsync(records []mesh.Record) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.queued = append(j.queued, records...)
	return j.err
}

func (j *slowJournal) flush() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.queued); n > 0 {
		j.mark, j.hash = j.queued[n-1].Number, j.queued[n-1].Hash
	}
	close(j.flushed)
	j.flushed = make(chan struct{})
}

func (j *slowJournal) WaitMark(ctx context.Context, _ mesh.Origin, number uint64) error {
	for {
		j.mu.Lock()
		mark, flushed := j.mark, j.flushed
		j.mu.Unlock()
		if mark >= number {
			return nil
		}
		select {
		case <-flushed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (j *slowJournal) MarkAndHash(mesh.Origin) (uint64, mesh.Hash) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.mark, j.hash
}

func shell(t *testing.T, m *machine) (*FSM, *slowJournal) {
	t.Helper()
	j := &slowJournal{flushed: make(chan struct{})}
	f, err := NewFSM(Config{}, m.mesh, j, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	return f, j
}

func logs(m *machine) (all []*raft.Log) {
	for i, b := range m.log {
		all = append(all, &raft.Log{Index: uint64(i + 1), Type: raft.LogCommand, Data: b})
	}
	return all
}

var _ raft.BatchingFSM = (*FSM)(nil)

func TestRule16_SnapshotWaitsForTheFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := founded(t)
		m.ok(m.decide(5, events(at(arezzo, 1), "c1", "x", 1, true)))
		f, j := shell(t, m)
		for _, r := range f.ApplyBatch(logs(m)) {
			if _, ok := r.(Result); !ok {
				t.Fatalf("result %v", r)
			}
		}
		equal(t, "unflushed", f.View().Unflushed(), 2)
		snap, err := f.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		s := &sink{}
		done := make(chan error, 1)
		go func() { done <- snap.Persist(s) }()
		synctest.Wait()
		equal(t, "bytes before the flush", s.Len(), 0)
		m.ok(decision.Tick{Now: start + 1000}) // what is applied meanwhile is not in it
		f.ApplyBatch(logs(m)[len(m.log)-1:])
		j.flush()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		g, _ := shell(t, m)
		if err := g.Restore(io.NopCloser(bytes.NewReader(s.Bytes()))); err != nil {
			t.Fatal(err)
		}
		equal(t, "clock", g.View().Clock().UnixMilli(), start)
		if err := snap.Persist(s); err != nil { // flushed by now
			t.Fatal(err)
		}
	})
}

func TestSnapshotGivesUpAndEndsWithTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := founded(t)
		m.ok(m.decide(5, events(at(arezzo, 1), "c1", "x", 1, true)))
		f, _ := shell(t, m)
		f.ApplyBatch(logs(m))
		snap, err := f.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		s, began := &sink{}, time.Now()
		if err := snap.Persist(s); err == nil || !s.cancelled || time.Since(began) != 30*time.Second {
			t.Fatalf("persist: %v after %s", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.Run(ctx) }()
		go func() { ended <- snap.Persist(&sink{}) }()
		synctest.Wait()
		cancel()
		first, second := <-ended, <-ended
		if (first == nil) == (second == nil) {
			t.Fatalf("Run and Persist ended with %v and %v", first, second)
		}
	})
}

func TestRule04_FSMStopsAtWhatItCannotRead(t *testing.T) {
	m := founded(t)
	f, _ := shell(t, m)
	bad := bytes.Clone(m.log[1])
	bad[0] = decision.CommandVersion + 1
	all := logs(m)[:4]
	all[1] = &raft.Log{Index: 2, Type: raft.LogCommand, Data: bad}
	all[2] = &raft.Log{Index: 3, Type: raft.LogConfiguration}
	out := f.ApplyBatch(all)
	if _, ok := out[0].(Result); !ok {
		t.Fatalf("first: %v", out[0])
	}
	if err, ok := out[3].(error); !ok || !errors.Is(err, decision.ErrVersion) {
		t.Fatalf("after the one that can't be read: %v", out[3])
	}
	equal(t, "index", f.View().Index(), 1)
	if _, err := f.Snapshot(); err == nil {
		t.Fatal("a stopped state was snapshot")
	}
	if err := f.Run(t.Context()); !errors.Is(err, decision.ErrVersion) {
		t.Fatalf("Run: %v", err)
	}
}

func TestRule16_FSMStopsWhenOtherBytesAreStored(t *testing.T) {
	m := founded(t)
	f, j := shell(t, m)
	j.err = errors.New("diverged")
	f.ApplyBatch(logs(m))
	if err := f.Run(t.Context()); !errors.Is(err, j.err) {
		t.Fatalf("Run: %v", err)
	}
}

func TestRule19_ViewGivesTheResultOfAProposal(t *testing.T) {
	m := founded(t)
	id := m.id()
	first := m.raw(encode(t, id, m.first, m.decide(5, events(at(arezzo, 1), "c1", "x", 2, true))))
	f, j := shell(t, m)
	if _, ok := f.View().Result(id); ok {
		t.Error("a result before the command was applied")
	}
	f.ApplyBatch(logs(m))
	j.flush()
	got, ok := f.View().Result(id)
	equal(t, "known", ok, true)
	equal(t, "result", string(got.Marshal()), string(first.Marshal()))
	got.Claims[0].Attempt = 99 // the caller's
	got, _ = f.View().Result(id)
	equal(t, "again", string(got.Marshal()), string(first.Marshal()))
}

func TestViewReadsAndTells(t *testing.T) {
	m := founded(t)
	v := events(at(arezzo, 1), "c1", "x", 2, true)
	m.ok(m.decide(5, v))
	m.ok(decision.Destroy{Customer: "c2"})
	f, j := shell(t, m)
	changed := f.View().Changed()
	gone := m.keysOf(m.log)
	f.ApplyBatch(logs(m))
	j.flush()
	select {
	case <-changed:
	default:
		t.Fatal("nobody was told")
	}
	w := f.View()
	equal(t, "unflushed", w.Unflushed(), 0)
	equal(t, "cursor", w.Cursor(5, arezzo), 1)
	lead, ok := w.Lead(5)
	equal(t, "led", ok, true)
	equal(t, "fence", lead, m.fence(5))
	equal(t, "open", len(w.Open(5)), 2)
	equal(t, "first due", w.Open(5)[0].ID, v.Plan[0].ID)
	equal(t, "windows", len(w.Windows(mesh.Identity(identity("x")))), 1)
	n, age := w.Oldest()
	equal(t, "count", n, 2)
	equal(t, "age", age, 0)
	states := map[KeyState]int{}
	for id := range gone {
		k, customer, state := w.Key(id)
		states[state]++
		if state == KeyPresent && (k.ID != id || customer == "c2") {
			t.Fatalf("key %s of %q", id, customer)
		}
	}
	equal(t, "present", states[KeyPresent], 3)
	equal(t, "destroyed", states[KeyDestroyed], 1)
	_, _, state := w.Key(keyID{1})
	equal(t, "never heard of", state, KeyUnknown)
	_, state = w.CustomerKey("c2")
	equal(t, "destroyed customer", state, KeyDestroyed)
	_, ok = w.DayKey(today())
	equal(t, "day key", ok, true)
	equal(t, "last erasure", w.LastErasure(), w.Index())
}

// The snapshot's form, and the records of a whole life: a change is a new
// version. What an earlier program left in its log gives that program's records.
func TestRule04_SnapshotAndRecordsKeepTheirForm(t *testing.T) {
	for _, earlier := range []bool{true, false} {
		cryptotest.SetGlobalRandom(t, 1)
		_, _, m := life(t, earlier)
		var records []byte
		for _, r := range m.records {
			records = append(records, r.Bytes...)
		}
		if !earlier {
			keeps(t, "testdata/records-2.golden", records)
			continue
		}
		snap, err := m.s.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		keeps(t, "testdata/snapshot.golden", snap)
		keeps(t, "testdata/records.golden", records)
	}
}

func keeps(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: %d bytes differ from the golden %d; a change is a new version (rule 4)", name, len(got), len(want))
	}
}
