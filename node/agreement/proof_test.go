package agreement

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"vedetta/cluster/env"
	"vedetta/cluster/journal"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// The proof that the agreement can be an origin (rules 16, 28, 31, 32): three
// replicas, each with a real journal and the real FSM, apply one log; the folder
// that stands for Raft's holds a snapshot and the entries above it, each made
// durable before it is applied, as Raft does. Replicas are killed at every
// boundary of every step. ops/decisions/2026-11-24-agreement-is-an-origin.md
// says what follows from it.

// gate stands between FSM and journal: what is handed over while it is lost is
// what a killed process had queued but not flushed.
type gate struct {
	*journal.Journal
	lost bool
}

func (g *gate) AcceptAsync(records []mesh.Record) error {
	if g.lost {
		return nil
	}
	return g.Journal.AcceptAsync(records)
}

// replica is one node's disk and, while it runs, its process.
type replica struct {
	t    *testing.T
	keys KeyOpener
	dir  string // data folder: journal, disk id, raft/

	j       *journal.Journal
	gate    *gate
	fsm     *FSM
	applied uint64
	end     func()
}

func newReplica(t *testing.T, keys KeyOpener) *replica {
	r := &replica{t: t, keys: keys, dir: t.TempDir()}
	r.make()
	r.start()
	t.Cleanup(func() {
		if r.end != nil {
			r.end()
		}
	})
	return r
}

func (r *replica) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// make makes an empty data folder: a new disk (rule 28).
func (r *replica) make() {
	r.t.Helper()
	r.check(journal.Create(r.dir))
	r.check(os.MkdirAll(filepath.Join(r.dir, "raft", "log-0"), 0o700))
	r.check(os.WriteFile(filepath.Join(r.dir, "raft", "current"), []byte("log-0"), 0o600))
}

// start is a process start: recovery from snapshot, log and day files.
func (r *replica) start() {
	r.t.Helper()
	var err error
	r.j, err = journal.Open(journal.Config{Dir: r.dir}, env.Quiet(1))
	r.check(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.j.Run(ctx) }()
	r.gate = &gate{Journal: r.j}
	r.fsm, err = NewFSM(Config{SnapshotWait: 5 * time.Second}, r.keys, r.gate, env.Quiet(1))
	r.check(err)
	r.end = func() {
		cancel()
		err := <-ended
		if err := errors.Join(err, r.j.Close()); err != nil {
			r.t.Errorf("journal: %v", err)
		}
		r.end = nil
	}
	r.applied = 0
	if b, err := os.ReadFile(r.snapshotFile()); err == nil {
		r.restore(b)
	}
	for _, i := range r.entries() {
		r.apply(i)
	}
}

func (r *replica) snapshotFile() string { return filepath.Join(r.dir, "raft", "snapshot") }

// restore takes a file of 8 bytes index and the snapshot.
func (r *replica) restore(b []byte) {
	r.t.Helper()
	r.check(r.fsm.Restore(io.NopCloser(bytes.NewReader(b[8:]))))
	r.applied = binary.BigEndian.Uint64(b)
}

// kill ends the process; what the gate lost was never flushed.
func (r *replica) kill() { r.end() }

func (r *replica) logFolder() string {
	r.t.Helper()
	name, err := os.ReadFile(filepath.Join(r.dir, "raft", "current"))
	r.check(err)
	return filepath.Join(r.dir, "raft", string(name))
}

// entries are the indices in the log above the last applied one.
func (r *replica) entries() (all []uint64) {
	r.t.Helper()
	names, err := os.ReadDir(r.logFolder())
	r.check(err)
	for _, n := range names {
		i, err := strconv.ParseUint(n.Name(), 10, 64)
		r.check(err)
		if i > r.applied {
			all = append(all, i)
		}
	}
	slices.Sort(all)
	return all
}

func (r *replica) write(index uint64, b []byte) {
	r.t.Helper()
	r.check(os.WriteFile(filepath.Join(r.logFolder(), fmt.Sprintf("%08d", index)), b, 0o600))
}

func (r *replica) apply(index uint64) {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.logFolder(), fmt.Sprintf("%08d", index)))
	r.check(err)
	if err, ok := r.fsm.Apply(&raft.Log{Index: index, Type: raft.LogCommand, Data: b}).(error); ok {
		r.t.Fatalf("apply %d: %v", index, err)
	}
	r.applied = index
}

func (r *replica) flushed() {
	r.t.Helper()
	o, n := r.fsm.View().Decided()
	ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
	defer cancel()
	if n > 0 {
		r.check(r.j.WaitMark(ctx, o, n))
	}
}

// sink is a raft.SnapshotSink in memory.
type sink struct {
	bytes.Buffer
	cancelled bool
}

func (s *sink) Close() error  { return nil }
func (s *sink) ID() string    { return "test" }
func (s *sink) Cancel() error { s.cancelled = true; return nil }

var _ raft.SnapshotSink = (*sink)(nil)

// snapshot writes the only snapshot (rule 32), under its name when it is whole.
func (r *replica) snapshot() {
	r.t.Helper()
	snap, err := r.fsm.Snapshot()
	r.check(err)
	s := &sink{}
	s.Write(binary.BigEndian.AppendUint64(nil, r.applied))
	r.check(snap.Persist(s))
	r.check(os.WriteFile(r.snapshotFile()+".new", s.Bytes(), 0o600))
	r.check(os.Rename(r.snapshotFile()+".new", r.snapshotFile()))
}

// truncate copies the entries above the snapshot into a new log folder,
// switches and unlinks the old one (rule 32).
func (r *replica) truncate() {
	r.t.Helper()
	b, err := os.ReadFile(r.snapshotFile())
	r.check(err)
	upTo := binary.BigEndian.Uint64(b)
	old := r.logFolder()
	name := fmt.Sprintf("log-%d", upTo)
	r.check(os.MkdirAll(filepath.Join(r.dir, "raft", name), 0o700))
	names, err := os.ReadDir(old)
	r.check(err)
	for _, n := range names {
		if i, _ := strconv.ParseUint(n.Name(), 10, 64); i > upTo {
			b, err := os.ReadFile(filepath.Join(old, n.Name()))
			r.check(err)
			r.check(os.WriteFile(filepath.Join(r.dir, "raft", name, n.Name()), b, 0o600))
		}
	}
	r.check(os.WriteFile(filepath.Join(r.dir, "raft", "current.new"), []byte(name), 0o600))
	r.check(os.Rename(filepath.Join(r.dir, "raft", "current.new"), filepath.Join(r.dir, "raft", "current")))
	if filepath.Base(old) != name {
		r.check(os.RemoveAll(old))
	}
}

// install takes another's snapshot and the entries above it, as Raft does for
// a node whose log no longer reaches: its own log is of no use then.
func (r *replica) install(from *replica) {
	r.t.Helper()
	b, err := os.ReadFile(from.snapshotFile())
	r.check(err)
	r.check(os.WriteFile(r.snapshotFile(), b, 0o600))
	r.restore(b)
	r.truncate()
	for _, i := range from.entriesAbove(binary.BigEndian.Uint64(b)) {
		e, err := os.ReadFile(filepath.Join(from.logFolder(), fmt.Sprintf("%08d", i)))
		r.check(err)
		r.write(i, e)
		r.apply(i)
	}
}

func (r *replica) entriesAbove(index uint64) []uint64 {
	r.t.Helper()
	c := *r
	c.applied = index
	return c.entries()
}

// catchUp fetches the agreement's origin from another's day files.
func (r *replica) catchUp(from *replica) {
	r.t.Helper()
	o, n := from.fsm.View().Decided()
	for {
		mark, _ := r.j.MarkAndHash(o)
		if mark >= n {
			return
		}
		records, err := from.j.Read(o, mark+1, min(mark+3, n), 1<<20) // a few at a time, so that live ones come between
		r.check(err)
		r.check(r.j.Accept(r.t.Context(), journal.LaneCatchUp, records))
	}
}

// compare is the judge: same records, same running hashes, same states, whole
// files. It gives the first difference.
func compare(rs []*replica) error {
	var records, state []byte
	for i, r := range rs {
		o, n := r.fsm.View().Decided()
		mark, hash := r.j.MarkAndHash(o)
		if mark != n || hash != r.fsm.View().Tail().Hash {
			return fmt.Errorf("replica %d: day files end at %d, state at %d, or hashes differ", i, mark, n)
		}
		all, err := r.j.Read(o, 1, n, 64<<20)
		if err != nil {
			return err
		}
		if uint64(len(all)) != n {
			return fmt.Errorf("replica %d: %d records, want %d", i, len(all), n)
		}
		var b []byte
		for _, rec := range all {
			b = append(b, rec.Bytes...)
		}
		report, err := r.j.Verify(context.Background())
		if err != nil || len(report.Faults) > 0 {
			return fmt.Errorf("replica %d: verify: %w, faults %q", i, err, report.Faults)
		}
		st, err := r.fsm.state.Snapshot()
		if err != nil {
			return err
		}
		if i == 0 {
			records, state = b, st
		}
		if !bytes.Equal(b, records) {
			return fmt.Errorf("replica %d: record bytes differ from replica 0's", i)
		}
		if !bytes.Equal(st, state) {
			return fmt.Errorf("replica %d: state differs from replica 0's", i)
		}
	}
	return nil
}

// holds searches every file of a folder for bytes, as they are, in base64 and in hex.
func holds(t *testing.T, dir string, want []byte) (where []string) {
	t.Helper()
	forms := [][]byte{want, fmt.Appendf(nil, "%x", want), []byte(strings.Trim(string(mustJSON(t, want)), `"`))}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, f := range forms {
			if bytes.Contains(b, f) {
				where = append(where, path)
				break
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return where
}

// step is one entry of the script; after it, compact says that every replica
// snapshots and truncates.
type step struct {
	command []byte
	compact bool
}

// script is the life that the proof runs through. wrapped is the destroyed
// customer's wrapped key.
func script(t *testing.T) (steps []step, wrapped []byte, m *machine) {
	return life(t, false)
}

// life is script, or what of it an earlier program did, in its forms.
func life(t *testing.T, earlier bool) (steps []step, wrapped []byte, m *machine) {
	m = newMachine(t)
	add := func(body decision.Body) {
		if d, ok := body.(decision.Decide); ok && earlier {
			m.earlier(d)
		} else {
			m.ok(body)
		}
		steps = append(steps, step{command: m.log[len(m.log)-1]})
	}
	compact := func() { steps[len(steps)-1].compact = true }
	add(foundBody)
	add(m.putDayKey(t, today()))
	add(m.putDayKey(t, today()+1))
	c1 := m.putKeys(t, "c1")
	add(c1)
	add(m.putKeys(t, "c2"))
	add(decision.PutDocument{Customer: "c1", Revision: 1, Sealed: []byte("one")})
	add(decision.PutDocument{Customer: "c2", Revision: 1, Sealed: []byte("two")})
	add(decision.Assign{Shards: []decision.Assignment{{Shard: 5, Holder: arezzo}, {Shard: 9, Holder: arezzo}}})
	one, two := events(at(arezzo, 1), "c1", "one", 3, true), events(at(arezzo, 2), "c2", "two", 2, true)
	add(m.decide(5, one))
	add(m.decide(9, two, decision.Verdict{Entry: at(arezzo, 3), Ruling: decision.RulingHeld, Identity: identity("held"), ReceivedMs: start}))
	if !earlier {
		add(decision.Assign{Shards: []decision.Assignment{{Shard: 7, Holder: arezzo}, {Shard: 8, Holder: arezzo}}})
		steps = append(steps, step{command: m.earlier(m.decide(7, events(at(arezzo, 1), "c2", "earlier", 0, false)))})
	}
	compact() // an ordinary snapshot, so that some restarts replay from it
	if !earlier {
		add(m.shards(m.decide(7, events(at(arezzo, 7), "c1", "seven", 0, false), events(at(arezzo, 8), "c2", "eight", 0, false)),
			m.decide(8, events(at(roubaix, 7), "c1", "nine", 0, false), events(at(roubaix, 8), "c2", "ten", 1, false))))
	}
	add(settle(outcome(one.Plan[0].ID, 1, arezzo, decision.StateDelivered), outcome(two.Plan[0].ID, 1, arezzo, decision.StateRefused)))
	add(decision.Claim{Fence: m.fence(5), Notifications: []string{one.Plan[1].ID}})
	m.pass(3 * time.Minute) // into the new day
	for _, b := range m.log[len(steps):] {
		steps = append(steps, step{command: b})
	}
	add(m.decide(5, decision.Verdict{Entry: at(arezzo, 4), Customer: "c1", Panel: "p-c1", Identity: identity("one"), ReceivedMs: start + 5*second, Ruling: decision.RulingCopy, CopyOf: at(arezzo, 1)}))
	add(decision.Destroy{Customer: "c1"})
	compact()
	add(settle(outcome(one.Plan[1].ID, 1, arezzo, decision.StateDelivered))) // late, of an erased one
	add(m.decide(5, events(at(arezzo, 5), "c1", "three", 2, true)))          // becomes erased
	if !earlier {                                                            // half of it erased
		add(m.shards(m.decide(7, events(at(arezzo, 9), "c1", "eleven", 0, false)), m.decide(8, events(at(arezzo, 9), "c2", "twelve", 0, false))))
	}
	add(m.decide(9, events(at(roubaix, 1), "c2", "four", 2, true)))
	add(decision.Assign{Shards: []decision.Assignment{{Shard: 9, Holder: roubaix}}})
	m.pass(13 * time.Second)
	steps = append(steps, step{command: m.log[len(m.log)-1]})
	f := m.fence(9)
	resolved := outcome(events(at(roubaix, 1), "c2", "four", 1, true).Plan[0].ID, 1, roubaix, decision.StateUnknown)
	resolved.Fence = &f
	add(settle(resolved))
	add(decision.Confirm{Cursors: []decision.Mark{{Origin: arezzo, Number: 5}}})
	return steps, c1.Wrapped, m
}

// Boundaries of a step at which a replica is killed.
const (
	beforeApply = iota
	beforeFlush
	afterFlush
	betweenSnapshotAndTruncation
	afterTruncation
	boundaries
)

// play runs one step on one replica, which is killed and restarted at a
// boundary; boundaries that the step doesn't have kill nothing.
func (r *replica) play(index uint64, s step, kill int) {
	r.t.Helper()
	die := func(at int) {
		if kill == at {
			r.kill()
			r.start()
		}
	}
	r.write(index, s.command)
	die(beforeApply)
	if kill == beforeFlush && r.applied < index {
		r.gate.lost = true
		r.apply(index)
		die(beforeFlush)
	}
	if r.applied < index {
		r.apply(index)
	}
	if kill == afterFlush {
		r.flushed()
		die(afterFlush)
	}
	if s.compact {
		r.snapshot() // waits for the flush by itself
		die(betweenSnapshotAndTruncation)
		r.truncate()
		die(afterTruncation)
	}
}

// prove judges a finished run: nothing differs, and the key is nowhere.
func prove(t *testing.T, rs []*replica, wrapped []byte) {
	t.Helper()
	for _, r := range rs {
		r.flushed()
	}
	if err := compare(rs); err != nil {
		t.Fatal(err)
	}
	for i, r := range rs {
		if where := holds(t, r.dir, wrapped); len(where) > 0 {
			t.Fatalf("replica %d still holds the destroyed key: %q", i, where)
		}
	}
}

func TestRule16_28_31_32_AgreementIsAnOriginThroughKills(t *testing.T) {
	steps, wrapped, m := script(t)
	for shift := range boundaries {
		t.Run(fmt.Sprintf("shift %d", shift), func(t *testing.T) {
			rs := []*replica{newReplica(t, m.mesh), newReplica(t, m.mesh), newReplica(t, m.mesh)}
			for i, s := range steps {
				rs[0].flushed()
				if c, err := decision.DecodeCommand(s.command); err == nil && c.Body.Kind() == decision.KindDestroy && len(holds(t, rs[0].dir, wrapped)) == 0 {
					t.Fatal("the wrapped key can't be found while it stands: the search shows nothing")
				}
				for j, r := range rs {
					// Each replica dies in each step, each at another boundary;
					// over the shifts every replica dies at every boundary.
					r.play(uint64(i+1), s, (j+shift)%boundaries)
				}
			}
			prove(t, rs, wrapped)
			if got := readable(t, m, rs[0]); got == 0 {
				t.Fatal("no record of the other customer can be read")
			}
		})
	}
}

// readable opens all records with the keys that the replica still has and
// makes sure that none of them is the destroyed customer's.
func readable(t *testing.T, m *machine, r *replica) (n int) {
	t.Helper()
	o, last := r.fsm.View().Decided()
	all, err := r.j.Read(o, 1, last, 64<<20)
	r.check(err)
	left := maps.Clone(m.keysOf(m.log))
	maps.DeleteFunc(left, func(id keyID, _ key) bool { _, _, state := r.fsm.View().Key(id); return state != KeyPresent })
	for _, rec := range all {
		d, err := m.read(rec, left)
		if err != nil {
			continue
		}
		for _, d := range d {
			n++
			if d.Customer == "c1" || strings.Contains(string(decision.EncodeRecord(d)), `"p-c1"`) {
				t.Fatalf("record %s of the destroyed customer can be read", rec.Position())
			}
		}
	}
	return n
}

// A node that was away while the key was destroyed and the log truncated can't
// make the decisions again: it takes another's snapshot, its applied decisions
// wait above the gap, the catch-up brings the others. So does a node whose
// folder was emptied (another disk id), even when it is killed in between.
func TestRule16_28_31_32_GapIsClosedByCatchUp(t *testing.T) {
	steps, wrapped, m := script(t)
	compacts := 0
	away := len(steps) // step before the second compaction: from here on replica 1 is down
	for i, s := range steps {
		if s.compact {
			if compacts++; compacts == 2 {
				away = i - 3
			}
		}
	}
	rs := []*replica{newReplica(t, m.mesh), newReplica(t, m.mesh), newReplica(t, m.mesh)}
	oldDisk := rs[2].j.DiskID()
	for i, s := range steps {
		for j, r := range rs {
			if j == 0 || i < away {
				r.play(uint64(i+1), s, -1)
			}
		}
		switch {
		case i == away-1: // one loses its last decisions in the kill, one all it had
			rs[1].flushed()
			rs[1].kill()
			rs[2].kill()
			rs[2].check(os.RemoveAll(rs[2].dir))
			rs[2].check(os.MkdirAll(rs[2].dir, 0o700))
			rs[2].make()
		case i == len(steps)-1:
			for _, r := range rs[1:] {
				r.start()
				r.install(rs[0])
				if r.fsm.View().Unflushed() == 0 {
					t.Fatal("there is no gap: the test shows nothing")
				}
				r.fsm.cfg.SnapshotWait = 20 * time.Millisecond
				snap, err := r.fsm.Snapshot()
				r.check(err)
				if err := snap.Persist(&sink{}); err == nil {
					t.Fatal("a snapshot was made before its decisions were flushed")
				}
			}
			rs[2].kill() // above the gap all is lost again; recovery from its own snapshot
			rs[2].start()
			rs[1].catchUp(rs[0])
			rs[2].catchUp(rs[1]) // any node serves any origin
		}
	}
	if rs[2].j.DiskID() == oldDisk {
		t.Fatal("an emptied folder has its former disk id (rule 28)")
	}
	prove(t, rs, wrapped)
}

// The judge must see a state machine that differs: one whose clock is its own.
func TestRule16_JudgeSeesAPlantedFault(t *testing.T) {
	steps, _, m := script(t)
	rs := []*replica{newReplica(t, m.mesh), newReplica(t, m.mesh)}
	for i, s := range steps {
		for j, r := range rs {
			if c, err := decision.DecodeCommand(s.command); err == nil && j == 1 {
				if tick, ok := c.Body.(decision.Tick); ok {
					tick.Now += 7 // as if it had looked at its own watch
					s.command = encode(t, c.ID, c.FirstMs, tick)
				}
			}
			r.play(uint64(i+1), s, -1)
		}
	}
	for _, r := range rs {
		r.flushed()
	}
	err := compare(rs)
	if err == nil {
		t.Fatal("a node-local clock was not seen")
	}
	// And the differing node itself sees it, as soon as it meets the others' bytes.
	o, n := rs[0].fsm.View().Decided()
	all, err := rs[0].j.Read(o, 1, n, 64<<20)
	rs[0].check(err)
	var diverged *journal.Diverged
	if err := rs[1].j.Accept(t.Context(), journal.LaneCatchUp, all); !errors.As(err, &diverged) {
		t.Fatalf("other bytes were taken: %v", err)
	}
}
