package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"vedetta/cluster/env"
	"vedetta/wire/mesh"
)

func TestCreateAndOpenAreDifferentCalls(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := Open(Config{Dir: dir}, env.Quiet(1)); !errors.Is(err, ErrMissing) {
		t.Fatalf("open of nothing: %v, want ErrMissing", err)
	}
	if err := Create(dir); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir)
	disk := j.DiskID()
	if err := Create(dir); !errors.Is(err, ErrExists) {
		t.Fatalf("second create: %v, want ErrExists", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if again := open(t, dir); again.DiskID() != disk || len(disk) != 32 {
		t.Fatalf("disk id %q became %q", disk, again.DiskID())
	}
	if err := Create(t.TempDir()); err != nil {
		t.Fatalf("create in an empty folder: %v", err)
	}
	if _, err := Open(Config{}, env.Quiet(1)); err == nil {
		t.Fatal("open without a folder was accepted")
	}
}

func TestCreateKeepsDayFilesWithoutDiskFile(t *testing.T) {
	dir := create(t)
	if err := os.WriteFile(filepath.Join(dir, dayFolder, "2026-11-24.db"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, diskFile)); err != nil {
		t.Fatal(err)
	}
	if err := Create(dir); !errors.Is(err, ErrExists) {
		t.Fatalf("create over day files: %v, want ErrExists", err)
	}
}

func TestAppendReadAndReopen(t *testing.T) {
	dir := create(t)
	j := open(t, dir)
	var left []string
	j.Outgoing(func(r []mesh.Record) {
		for i := range r {
			left = append(left, string(r[i].Sealed))
		}
	})
	var moves []Move
	j.Flushed(func(m []Move) { moves = append(moves, m...) })
	o := begin(t, j, "arezzo")
	stop := run(t, j)
	for i := range 5 {
		if pos := appendText(t, j, fmt.Sprint("text ", i)); pos != (mesh.Position{Origin: o, Number: uint64(i + 1)}) {
			t.Fatalf("place %s, want number %d of %s", pos, i+1, o)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(left) != 5 || left[4] != "text 4" || moves[len(moves)-1].Mark != 5 {
		t.Fatalf("hooks saw %q, %v", left, moves)
	}
	if _, err := j.Append(t.Context(), mesh.KindMessage, 0, mesh.Identity{}, sealed("x")); !errors.Is(err, ErrStopped) {
		t.Fatalf("append after the end: %v, want ErrStopped", err)
	}
	mark, hash := j.MarkAndHash(o)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	if m, h := j.MarkAndHash(o); m != mark || h != hash || m != 5 {
		t.Fatalf("after reopening mark %d, want %d with the same running hash", m, mark)
	}
	got, err := j.Read(o, 2, 4, 1<<20)
	if err != nil || len(got) != 3 || string(got[0].Sealed) != "text 1" || !got[1].Follows(got[0].Hash) {
		t.Fatalf("read: %d records, %v", len(got), err)
	}
	if got, err := j.Read(o, 1, 99, 1); err != nil || len(got) != 1 {
		t.Fatalf("read of 1 byte: %d records, %v, want one", len(got), err)
	}
	if got, err := j.Read(o, 6, 99, 1<<20); err != nil || len(got) != 0 {
		t.Fatalf("read above the mark: %d records, %v", len(got), err)
	}
	wantVerified(t, j)
}

func TestSecondProcessIsToldThatTheFolderIsInUse(t *testing.T) {
	dir := create(t)
	open(t, dir)
	if _, err := Open(Config{Dir: dir, LockWait: time.Millisecond}, env.Quiet(1)); !errors.Is(err, ErrInUse) {
		t.Fatalf("second open: %v, want ErrInUse", err)
	}
}

func TestAcceptTakesOnlyWhatFollows(t *testing.T) {
	j := open(t, create(t))
	run(t, j)
	o := mesh.Origin{Node: "roubaix", Incarnation: 2, Random: 9}
	all := chain(t, o, 1, mesh.Hash{}, 10, 20000)
	accept := func(lane Lane, r ...mesh.Record) error { return j.Accept(t.Context(), lane, r) }
	if err := accept(LaneLive, all[1]); !errors.Is(err, ErrGap) {
		t.Fatalf("number 2 first: %v, want ErrGap", err)
	}
	if err := accept(LaneCatchUp, all[:4]...); err != nil {
		t.Fatal(err)
	}
	if err := accept(LaneLive, append(slices.Clone(all[2:5]), all[7])...); !errors.Is(err, ErrGap) {
		t.Fatalf("known, next and a gap: %v, want ErrGap", err)
	}
	wantMark(t, j, o, 5)
	other := chain(t, o, 1, mesh.Hash{1}, 10, 20000)
	var d *Diverged
	if err := accept(LaneLive, other[2]); !errors.As(err, &d) || d.Origin != o || d.Number != 3 {
		t.Fatalf("other bytes for number 3: %v, want Diverged", err)
	}
	if err := accept(LaneLive, other[5]); !errors.As(err, &d) || d.Number != 6 {
		t.Fatalf("number 6 of another history: %v, want Diverged", err)
	}
	if err := accept(LaneLive, all[5:]...); err != nil {
		t.Fatalf("the right ones after the refusals: %v", err)
	}
	wantMark(t, j, o, 10)
}

func TestCatchUpDoesNotHoldBackAlarms(t *testing.T) {
	j := open(t, create(t))
	o := mesh.Origin{Node: "roubaix", Incarnation: 1}
	all := chain(t, o, 1, mesh.Hash{}, 2000, 20000)
	for i := range all {
		if err := j.Submit(LaneCatchUp, all[i:i+1], nil); err != nil {
			t.Fatal(err)
		}
	}
	own := begin(t, j, "arezzo")
	var order []Move
	j.Flushed(func(m []Move) { order = append(order, m...) })
	done := make(chan error, 1)
	go func() {
		_, err := j.Append(context.Background(), mesh.KindMessage, 0, mesh.Identity{}, sealed("alarm"))
		done <- err
	}()
	for len(j.queue.wake) == 0 || !j.queue.waiting(LaneLive) {
		runtime.Gosched() // until the goroutine above has queued its alarm
	}
	stop := run(t, j)
	if err := errors.Join(<-done, j.WaitMark(t.Context(), o, 2000), stop()); err != nil {
		t.Fatal(err)
	}
	if order[0].Origin != own {
		t.Fatalf("first commit moved %s, want the alarm's %s", order[0].Origin, own)
	}
	for i, last := 1, uint64(0); i < len(order); i++ {
		if order[i].Mark-last > maxCatchUpItems {
			t.Fatalf("a catch-up commit moved the mark by %d, want at most %d", order[i].Mark-last, maxCatchUpItems)
		}
		last = order[i].Mark
	}
}

// waiting tells whether a lane has something ready.
func (q *queue) waiting(lane Lane) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.lanes[lane]) > 0 && q.lanes[lane][0].ready()
}

func TestDecisionsAboveAGapWait(t *testing.T) {
	j := open(t, create(t))
	run(t, j)
	o := mesh.Agreement(1)
	all := chain(t, o, 1, mesh.Hash{}, 30, 20000)
	for _, r := range [][]mesh.Record{all[10:15], all[15:30]} {
		if err := j.AcceptAsync(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Accept(t.Context(), LaneCatchUp, all[:5]); err != nil {
		t.Fatal(err)
	}
	wantMark(t, j, o, 5)
	if err := j.Accept(t.Context(), LaneCatchUp, all[5:12]); err != nil { // overlaps with what waits
		t.Fatal(err)
	}
	if err := j.WaitMark(t.Context(), o, 30); err != nil {
		t.Fatal(err)
	}
	if err := j.AcceptAsync(all[3:20]); err != nil { // replayed after a restart
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := j.WaitMark(ctx, o, 31); !errors.Is(err, context.DeadlineExceeded) || j.Halted(o) != nil {
		t.Fatalf("wait for 31: %v, halted %v", err, j.Halted(o))
	}
	wantVerified(t, j)
}

func TestDivergedDecisionsHaltTheirOrigin(t *testing.T) {
	j := open(t, create(t))
	run(t, j)
	o := mesh.Agreement(1)
	if err := j.Accept(t.Context(), LaneCatchUp, chain(t, o, 1, mesh.Hash{}, 5, 20000)); err != nil {
		t.Fatal(err)
	}
	if err := j.AcceptAsync(chain(t, o, 3, mesh.Hash{5}, 9, 20000)); err != nil {
		t.Fatal(err)
	}
	var d *Diverged
	if err := j.WaitMark(t.Context(), o, 9); !errors.As(err, &d) || d.Origin != o || d.Number != 3 {
		t.Fatalf("wait: %v, want Diverged at 3", err)
	}
	if err := j.AcceptAsync(chain(t, o, 6, mesh.Hash{5}, 1, 20000)); !errors.As(err, &d) {
		t.Fatalf("more of a halted origin: %v, want Diverged", err)
	}
	wantMark(t, j, o, 5)
}

func TestSeenIsStoredWithTheNextCommitAndNeverFalls(t *testing.T) {
	dir := create(t)
	j := open(t, dir)
	begin(t, j, "arezzo")
	stop := run(t, j)
	o := mesh.Origin{Node: "limburg", Incarnation: 4, Random: 1}
	j.NoteSeen("roubaix", "d1", map[mesh.Origin]uint64{o: 7, mesh.Agreement(1): 3}, 2, 10)
	j.NoteSeen("roubaix", "d1", map[mesh.Origin]uint64{o: 5}, 1, 99)
	j.NoteSeen("roubaix", "d2", map[mesh.Origin]uint64{o: 1}, 0, 0)
	appendText(t, j, "x")
	j.NoteSeen("roubaix", "d1", map[mesh.Origin]uint64{o: 8}, 2, 11) // stored at the end
	if err := errors.Join(stop(), j.Close()); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	seen := j.Seen("roubaix")
	if len(seen) != 2 || seen[0].Disk != "d1" || seen[0].Marks[o] != 8 || seen[0].Marks[mesh.Agreement(1)] != 3 || seen[0].RaftTerm != 2 || seen[0].RaftIndex != 11 || seen[1].Marks[o] != 1 {
		t.Fatalf("seen of roubaix: %+v", seen)
	}
	if j.Seen("limburg") != nil {
		t.Fatal("limburg was never seen")
	}
	// A new day's file holds the whole table, so that the old one can go.
	run(t, j)
	if err := j.Accept(t.Context(), LaneLive, chain(t, o, 1, mesh.Hash{}, 1, mesh.DayOf(time.Now())+1)); err != nil {
		t.Fatal(err)
	}
	f := j.files[mesh.DayOf(time.Now())+1]
	var rows int
	_ = f.db.View(func(tx *boltTx) error { rows = tx.Bucket(bucketSeen).Stats().KeyN; return nil })
	if rows != 4 {
		t.Fatalf("the new day's file holds %d rows of what was seen, want 4", rows)
	}
}

func TestDamagedFilesAreNamedAndKept(t *testing.T) {
	o := mesh.Origin{Node: "roubaix", Incarnation: 1, Random: 1}
	day := mesh.DayOf(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
	damages := map[string]func(b []byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"truncated": func(b []byte) []byte { return b[:8192] },
		"noise":     func(b []byte) []byte { return append([]byte(strings.Repeat("noise", 4000)), b[20000:]...) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			dir := create(t)
			j := open(t, dir)
			stop := run(t, j)
			if err := errors.Join(j.Accept(t.Context(), LaneLive, chain(t, o, 1, mesh.Hash{}, 500, day)), stop(), j.Close()); err != nil {
				t.Fatal(err)
			}
			path := dayPath(dir, day)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			damaged := damage(b)
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = Open(Config{Dir: dir}, env.Quiet(1))
			var d *Damaged
			if !errors.As(err, &d) || d.File != path {
				t.Fatalf("open: %v, want Damaged naming %s", err, path)
			}
			if info, err := os.Stat(path); err != nil || info.Size() != int64(len(damaged)) {
				t.Fatalf("the damaged file was touched: %v", err)
			}
		})
	}
}

func TestFlippedBitIsFoundOnReading(t *testing.T) {
	dir := create(t)
	j := open(t, dir)
	stop := run(t, j)
	o := mesh.Origin{Node: "roubaix", Incarnation: 1, Random: 1}
	all := chain(t, o, 1, mesh.Hash{}, 20, 20000)
	if err := errors.Join(j.Accept(t.Context(), LaneLive, all), stop(), j.Close()); err != nil {
		t.Fatal(err)
	}
	path := dayPath(dir, 20000)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(b), string(all[9].Bytes))
	b[at+60] ^= 4
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	got, err := j.Read(o, 1, 20, 1<<20)
	var d *Damaged
	if !errors.As(err, &d) || d.File != path || d.Origin != o || d.Number != 10 || len(got) != 9 {
		t.Fatalf("read: %d records, %v, want 9 and Damaged at number 10 of %s", len(got), err, path)
	}
	r, err := j.Verify(t.Context())
	if err != nil || len(r.Faults) == 0 || !strings.Contains(r.Faults[0], "number 10") {
		t.Fatalf("verify: %v, %q", err, r.Faults)
	}
}

// What is posted is flushed in its order among what is appended, and the place is
// known before.
func TestPostedIsFlushed(t *testing.T) {
	j := open(t, create(t))
	o := begin(t, j, "arezzo")
	for want := uint64(1); want <= 3; want++ {
		pos, err := j.Post(mesh.KindMessage, 5, mesh.Identity{1}, sealed("posted"))
		if err != nil || pos != (mesh.Position{Origin: o, Number: want}) {
			t.Fatalf("posted at %s, %v, want number %d", pos, err, want)
		}
	}
	wantMark(t, j, o, 0)
	stop := run(t, j)
	if pos := appendText(t, j, "appended"); pos.Number != 4 {
		t.Fatalf("appended at %s, want number 4", pos)
	}
	wantMark(t, j, o, 4)
	records, err := j.Read(o, 1, 4, 1<<20)
	if err != nil || len(records) != 4 || string(records[2].Sealed) != "posted" || records[2].Shard != 5 || string(records[3].Sealed) != "appended" {
		t.Fatalf("read %d records, %v", len(records), err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Post(mesh.KindMessage, 0, mesh.Identity{}, sealed("x")); !errors.Is(err, ErrStopped) {
		t.Fatalf("posted to a stopped journal: %v, want %v", err, ErrStopped)
	}
}

// A posted record that can't be sealed ends the incarnation as an appended one does.
func TestRule01_FailedSealOfAPostEndsTheIncarnation(t *testing.T) {
	j := open(t, create(t))
	o := begin(t, j, "arezzo")
	stop := run(t, j)
	appendText(t, j, "good")
	if pos, err := j.Post(mesh.KindMessage, 0, mesh.Identity{}, func(mesh.Header) ([]byte, error) { return nil, errors.New("no key") }); err != nil || pos.Number != 2 {
		t.Fatalf("posted at %s, %v, want number 2", pos, err)
	}
	<-j.dead
	if err := stop(); err == nil {
		t.Fatal("Run returned nil, want a fatal error")
	}
	wantMark(t, j, o, 1)
}
