package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"vedetta/cluster/env"
	"vedetta/wire/mesh"
)

type boltTx = bbolt.Tx

func TestRule01_NewIncarnationAtEveryStart(t *testing.T) {
	dir := create(t)
	seen := map[mesh.Origin]bool{}
	for start := range 5 {
		j := open(t, dir)
		if _, err := j.Append(t.Context(), mesh.KindMessage, 0, mesh.Identity{}, sealed("x")); err == nil {
			t.Fatal("append before the incarnation was accepted")
		}
		o := begin(t, j, "arezzo")
		// It is on disk before the first entry can be.
		var doc incarnationDocument
		if err := readDocument(filepath.Join(dir, incarnationFile), &doc); err != nil || doc.Incarnation != o.Incarnation {
			t.Fatalf("on disk: %+v, %v, want incarnation %d", doc, err, o.Incarnation)
		}
		if seen[o] || o.Incarnation != uint64(start+1) || o.Random == 0 {
			t.Fatalf("start %d got %s", start, o)
		}
		seen[o] = true
		if _, err := j.Begin("arezzo"); err == nil {
			t.Fatal("a second incarnation in one process")
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := open(t, dir).Begin("roubaix"); err == nil {
		t.Fatal("another node began on arezzo's folder")
	}
}

func TestRule01_FailedSealEndsTheIncarnation(t *testing.T) {
	for name, seal := range map[string]func(mesh.Header) ([]byte, error){
		"error":    func(mesh.Header) ([]byte, error) { return nil, errors.New("no key") },
		"too long": func(mesh.Header) ([]byte, error) { return make([]byte, mesh.MaxSealedBytes+1), nil },
	} {
		t.Run(name, func(t *testing.T) {
			j := open(t, create(t))
			o := begin(t, j, "arezzo")
			stop := run(t, j)
			appendText(t, j, "good")
			if pos, err := j.Append(t.Context(), mesh.KindMessage, 0, mesh.Identity{}, seal); err == nil || pos.Number != 2 {
				t.Fatalf("append: %s, %v, want number 2 and an error", pos, err)
			}
			if _, err := j.Append(t.Context(), mesh.KindMessage, 0, mesh.Identity{}, sealed("x")); err == nil {
				t.Fatal("the incarnation went on after a number was lost")
			}
			if err := stop(); err == nil {
				t.Fatal("Run returned nil, want a fatal error")
			}
			wantMark(t, j, o, 1)
		})
	}
}

func TestRule01_FailedCommitIsFinal(t *testing.T) {
	dir := create(t)
	j := open(t, dir)
	o := begin(t, j, "arezzo")
	stop := run(t, j)
	appendText(t, j, "good")
	_ = j.files[mesh.DayOf(time.Now())].db.Close() // the next commit fails
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := j.Append(context.Background(), mesh.KindMessage, 0, mesh.Identity{}, sealed("x")); err == nil {
				t.Error("append after a failed commit was acknowledged")
			}
		})
	}
	wg.Wait()
	if err := j.Accept(t.Context(), LaneLive, chain(t, mesh.Agreement(1), 1, mesh.Hash{}, 1, 20000)); err == nil {
		t.Fatal("accept after a failed commit was acknowledged")
	}
	if err := j.WaitMark(t.Context(), o, 2); err == nil {
		t.Fatal("wait after a failed commit gave no error")
	}
	if err := stop(); err == nil {
		t.Fatal("Run returned nil, want a fatal error")
	}
	_ = j.Close()
	j = open(t, dir)
	if again := begin(t, j, "arezzo"); again == o {
		t.Fatal("the incarnation was used again")
	}
	wantMark(t, j, o, 1)
}

func TestRule01_HangingFlushIsFinal(t *testing.T) {
	dir := create(t)
	synctest.Test(t, func(t *testing.T) {
		j, err := Open(Config{Dir: dir}, env.Quiet(1))
		if err != nil {
			t.Fatal(err)
		}
		o := begin(t, j, "arezzo")
		release := make(chan struct{})
		j.stall = func() { <-release }
		ended := make(chan error, 1)
		go func() { ended <- j.Run(context.Background()) }()
		start := time.Now()
		if _, err := j.Append(t.Context(), mesh.KindMessage, 0, mesh.Identity{}, sealed("x")); err == nil {
			t.Error("append into a hanging flush was acknowledged")
		}
		if err := <-ended; err == nil || time.Since(start) > 4*time.Second {
			t.Errorf("Run: %v after %s, want an error within 4 s", err, time.Since(start))
		}
		close(release) // it comes back too late
		synctest.Wait()
		wantMark(t, j, o, 0)
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRule01_SlowFlushIsFinal(t *testing.T) {
	dir := create(t)
	synctest.Test(t, func(t *testing.T) {
		j, err := Open(Config{Dir: dir}, env.Quiet(1))
		if err != nil {
			t.Fatal(err)
		}
		o := begin(t, j, "arezzo")
		j.stall = func() { time.Sleep(maxFlush + time.Millisecond) } // back before the watchdog looks
		ended := make(chan error, 1)
		go func() { ended <- j.Run(context.Background()) }()
		if _, err := j.Append(t.Context(), mesh.KindMessage, 0, mesh.Identity{}, sealed("x")); err == nil {
			t.Error("append with a flush of more than 3 s was acknowledged")
		}
		if err := <-ended; err == nil {
			t.Error("Run returned nil, want a fatal error")
		}
		synctest.Wait()
		wantMark(t, j, o, 0)
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRule01_ManyProducersLeaveNoGapAndNoDouble(t *testing.T) {
	j := open(t, create(t))
	o := begin(t, j, "arezzo")
	var next atomic.Uint64
	var sent []mesh.Record
	j.Outgoing(func(r []mesh.Record) { sent = append(sent, r...) })
	stop := run(t, j)
	var mu sync.Mutex
	places := map[uint64]string{}
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 50 {
				text := fmt.Sprint(next.Add(1))
				pos, err := j.Append(context.Background(), mesh.KindMessage, 0, mesh.Identity{}, sealed(text))
				if err != nil {
					t.Error(err)
					return
				}
				if mark, _ := j.MarkAndHash(o); mark < pos.Number {
					t.Errorf("acknowledged %d above the mark %d", pos.Number, mark)
				}
				mu.Lock()
				places[pos.Number] = text
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	got, err := j.Read(o, 1, 3200, 1<<30)
	if err != nil || len(got) != 3200 || len(places) != 3200 || len(sent) != 3200 {
		t.Fatalf("%d read, %d places, %d sent, %v, want 3200", len(got), len(places), len(sent), err)
	}
	for i, r := range got {
		if places[r.Number] != string(r.Sealed) || string(sent[i].Bytes) != string(r.Bytes) {
			t.Fatalf("number %d holds %q, acknowledged as %q", r.Number, r.Sealed, places[r.Number])
		}
	}
	wantVerified(t, j)
}

func TestRule02_DayNeverGoesBack(t *testing.T) {
	var q queue
	q.begin(mesh.Origin{Node: "arezzo", Incarnation: 1})
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	var days []string
	for _, hours := range []int{0, 10, 13, 2, -72, 37} { // a clock that jumps
		it := &item{reply: make(chan error, 1)}
		if err := q.numberOwn(it, noon.Add(time.Duration(hours)*time.Hour)); err != nil {
			t.Fatal(err)
		}
		days = append(days, fmt.Sprint(it.header.Number, " ", it.header.Day))
	}
	want := []string{"1 2026-11-24", "2 2026-11-24", "3 2026-11-25", "4 2026-11-25", "5 2026-11-25", "6 2026-11-26"}
	if !slices.Equal(days, want) {
		t.Fatalf("numbers and days %q, want %q", days, want)
	}
	j := open(t, create(t))
	run(t, j)
	var d *Diverged
	back := chain(t, mesh.Agreement(1), 1, mesh.Hash{}, 2, 20001, 20000)
	if err := j.Accept(t.Context(), LaneLive, back); !errors.As(err, &d) || d.Number != 2 {
		t.Fatalf("a day that goes back: %v, want Diverged at 2", err)
	}
}

func TestRule02_OlderFileFirstAndMarkAfterAll(t *testing.T) {
	dir := create(t)
	j := open(t, dir)
	a, b := mesh.Agreement(1), mesh.Origin{Node: "roubaix", Incarnation: 1}
	var flushes int
	j.stall = func() { // before each file's commit
		flushes++
		if flushes == 2 {
			if f := j.files[20000]; f == nil {
				t.Error("the older file was not committed first")
			} else if got, err := f.get(a, 2); err != nil || got == nil {
				t.Errorf("the older file holds nothing when the newer is committed: %v", err)
			}
		}
		if m, _ := j.MarkAndHash(a); m != 0 {
			t.Errorf("mark %d was reported before all files were flushed", m)
		}
	}
	records := append(chain(t, b, 1, mesh.Hash{}, 3, 20001), chain(t, a, 1, mesh.Hash{}, 4, 20000, 20000, 20001, 20002)...)
	stop := run(t, j)
	if err := j.Accept(t.Context(), LaneLive, records); err != nil {
		t.Fatal(err)
	}
	if flushes != 3 {
		t.Fatalf("%d flushes, want one for each of three days", flushes)
	}
	if got, err := j.Read(a, 1, 4, 1<<20); err != nil || len(got) != 4 {
		t.Fatalf("read over three files: %d records, %v", len(got), err)
	}
	wantVerified(t, j)
	if err := errors.Join(stop(), j.Close()); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	wantMark(t, j, a, 4)
	wantMark(t, j, b, 3)
}

// The last commit of an older file is lost by the disk: the newest file alone
// must not make the mark.
func TestRule02_MarkIsTheEndOfTheUnbrokenRun(t *testing.T) {
	dir := create(t)
	j := open(t, dir)
	o := mesh.Origin{Node: "roubaix", Incarnation: 1}
	all := chain(t, o, 1, mesh.Hash{}, 30, slices.Concat(slices.Repeat([]mesh.Day{20000}, 10), slices.Repeat([]mesh.Day{20001}, 10), slices.Repeat([]mesh.Day{20002}, 10))...)
	stop := run(t, j)
	if err := errors.Join(j.Accept(t.Context(), LaneLive, all), stop(), j.Close()); err != nil {
		t.Fatal(err)
	}
	lose := func(day mesh.Day, numbers ...uint64) {
		f, err := openDayFile(dir, day)
		if err != nil {
			t.Fatal(err)
		}
		err = f.db.Update(func(tx *bbolt.Tx) error {
			for _, n := range numbers {
				if err := tx.Bucket(recordBucket(o)).Delete(numberKey(n)); err != nil {
					return err
				}
			}
			return nil
		})
		if err := errors.Join(err, f.db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	lose(20000, 9, 10)
	if err := os.Rename(dayPath(dir, 20001), dayPath(dir, 20001)+".aside"); err != nil { // an operator's doing
		t.Fatal(err)
	}
	j = open(t, dir)
	wantMark(t, j, o, 8)
	if got, err := j.Read(o, 1, 30, 1<<20); err != nil || len(got) != 8 {
		t.Fatalf("read: %d records, %v, want 8", len(got), err)
	}
	stop = run(t, j)
	if err := j.Accept(t.Context(), LaneCatchUp, all[8:15]); err != nil {
		t.Fatal(err)
	}
	var d *Diverged
	forged, err := mesh.Encode(mesh.Header{Kind: mesh.KindDecision, Origin: o, Number: 21, Day: 20002}, []byte("forged"), all[19].Hash)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Accept(t.Context(), LaneCatchUp, append(slices.Clone(all[15:20]), forged)); !errors.As(err, &d) || d.Number != 21 {
		t.Fatalf("other bytes than those of an island: %v, want Diverged at 21", err)
	}
	_ = errors.Join(stop(), j.Close())
	j = open(t, dir) // the gap is closed: the island counts
	wantMark(t, j, o, 30)
	wantVerified(t, j)
}

func TestRule02_HolesInsideAFileAreWalked(t *testing.T) {
	dir := create(t)
	o := mesh.Origin{Node: "roubaix", Incarnation: 1}
	all := chain(t, o, 1, mesh.Hash{}, 20, slices.Concat(slices.Repeat([]mesh.Day{20000}, 5), []mesh.Day{20001})...)
	// An island: the file of 20001 holds 12 to 20, the rest is gone.
	f, err := createDayFile(dir, 20001)
	if err != nil {
		t.Fatal(err)
	}
	err = f.db.Update(func(tx *bbolt.Tx) error { return f.put(tx, all[10].Hash, all[11:]) })
	if err := errors.Join(err, f.db.Close()); err != nil {
		t.Fatal(err)
	}
	for _, step := range []uint64{0, 3, 8, 10, 15, 20} {
		j := open(t, dir)
		if mark, _ := j.MarkAndHash(o); mark < step && !(step == 15 && mark == 20) {
			t.Fatalf("mark %d after opening, want at least %d", mark, step)
		} else if step <= 10 && mark != step {
			t.Fatalf("mark %d after opening, want %d", mark, step)
		}
		stop := run(t, j)
		mark, _ := j.MarkAndHash(o)
		next := map[uint64]uint64{0: 3, 3: 8, 8: 10, 10: 15, 15: 20, 20: 20}[step]
		if mark < next {
			if err := j.Accept(t.Context(), LaneCatchUp, all[mark:next]); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(stop(), j.Close()); err != nil {
			t.Fatal(err)
		}
	}
	j := open(t, dir)
	wantMark(t, j, o, 20)
	wantVerified(t, j)
}

func TestRule02_NewFileHasItsNameBeforeItsFirstRecord(t *testing.T) {
	dir := create(t)
	if _, err := openDayFile(dir, 20000); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("opening a file that isn't there: %v, want that it is not created", err)
	}
	// Left over from a process that died while making the file.
	if err := os.WriteFile(dayPath(dir, 20000)+".tmp", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, dir)
	run(t, j)
	if err := j.Accept(t.Context(), LaneLive, chain(t, mesh.Agreement(1), 1, mesh.Hash{}, 1, 20000)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dayPath(dir, 20000) + ".tmp"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the temporary file is still there: %v", err)
	}
}

func TestRule04_BytesAreKeptAndNewerVersionsStop(t *testing.T) {
	dir := create(t)
	j := open(t, dir)
	stop := run(t, j)
	all := chain(t, mesh.Agreement(1), 1, mesh.Hash{}, 3, 20000)
	if err := j.Accept(t.Context(), LaneLive, all); err != nil {
		t.Fatal(err)
	}
	got, err := j.Read(mesh.Agreement(1), 1, 3, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if string(got[i].Bytes) != string(all[i].Bytes) {
			t.Fatalf("record %d is not stored as received", i+1)
		}
	}
	if err := errors.Join(stop(), j.Close()); err != nil {
		t.Fatal(err)
	}
	set := func(bucket, key, value []byte) {
		f, err := bbolt.Open(dayPath(dir, 20000), 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = f.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) })
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	above := slices.Clone(all[1].Bytes)
	above[0] = mesh.RecordVersion + 1
	set(recordBucket(mesh.Agreement(1)), numberKey(2), above)
	j = open(t, dir)
	if _, err := j.Read(mesh.Agreement(1), 1, 3, 1<<20); !errors.Is(err, mesh.ErrVersion) {
		t.Fatalf("a record above our version: %v, want ErrVersion", err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	set(bucketMeta, keyVersion, []byte{fileVersion + 1})
	if _, err := Open(Config{Dir: dir}, env.Quiet(1)); !errors.Is(err, mesh.ErrVersion) {
		t.Fatalf("a file above our version: %v, want ErrVersion", err)
	}
}
