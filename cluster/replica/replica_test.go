package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"vedetta/cluster/journal"
	"vedetta/wire/mesh"
)

// A new mesh has no record anywhere, and yet its sites are reachable.
func TestSitesOfANewMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		n.connect("arezzo", "limburg")
		time.Sleep(time.Second)
		if reachable, configured := a.replica.Sites(time.Now()); len(reachable) != 2 || len(configured) != 3 || !a.replica.Majority(time.Now()) {
			t.Errorf("reachable %v of %v, want two of three", reachable, configured)
		}
		if c.replica.Majority(time.Now()) {
			t.Error("roubaix is alone and has a majority")
		}
		a.stop()
		b.stop()
		c.stop()
		n.wg.Wait()
	})
}

// With `all` an acknowledgement waits for every configured site, also for one
// that is away.
func TestRule08_AllMeansAllConfiguredSites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		defer func() { a.stop(); b.stop(); c.stop(); n.wg.Wait() }()
		n.connect("arezzo", "limburg")
		pos := a.append(t.Context(), "two sites have it")
		if err := a.replica.WaitDurable(within(t, time.Second), pos, 0); err != nil {
			t.Fatal(err)
		}
		if err := a.replica.WaitAll(within(t, 5*time.Second), pos, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("wait for all with one site away: %v, want that it is cut", err)
		}
		done := make(chan error, 1)
		go func() { done <- a.replica.WaitAll(within(t, 10*time.Second), pos, 0) }()
		synctest.Wait()
		n.connect("arezzo", "roubaix")
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if err := a.replica.WaitAll(within(t, time.Second), a.append(t.Context(), fmt.Sprint(i)), 0); err != nil {
				t.Fatal(err)
			}
		}
		away := a.append(t.Context(), "a site leaves the configuration")
		a.replica.SetMembers(nil, nil)
		go func() { done <- a.replica.WaitAll(within(t, 5*time.Second), away, 0) }()
		synctest.Wait()
		if d := a.replica.quorum.Whole(a.origin); d != 0 {
			t.Errorf("without sites everything to %d is at all of them, want nothing", d)
		}
		if err := <-done; err == nil {
			t.Error("all of no sites have it")
		}
		if len(a.replica.waitingAll) != 0 {
			t.Errorf("%d still wait", len(a.replica.waitingAll))
		}
	})
}

func TestRule05_MarksOfAllAndDurableAtAMajority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		defer func() { a.stop(); b.stop(); c.stop(); n.wg.Wait() }()
		pos := a.append(t.Context(), "alone")
		if err := a.replica.WaitDurable(within(t, 5*time.Second), pos, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("wait without peers: %v, want that it is cut", err)
		}
		if a.replica.Majority(time.Now()) {
			t.Fatal("a majority is reachable without peers")
		}
		n.connect("arezzo", "limburg")
		if err := a.replica.WaitDurable(within(t, time.Second), pos, 0); err != nil {
			t.Fatal(err)
		}
		if !a.replica.Majority(time.Now()) {
			t.Fatal("no majority with two of three sites")
		}
		begun := time.Now()
		for i := range 20 { // live delivery: one round trip, no waiting
			if err := a.replica.WaitDurable(within(t, time.Second), a.append(t.Context(), fmt.Sprint(i)), 0); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took > 20*time.Millisecond {
			t.Fatalf("20 acknowledgements took %s without any distance", took)
		}
		n.connect("limburg", "roubaix")
		n.connect("arezzo", "roubaix")
		time.Sleep(2 * time.Second)
		for _, x := range []*node{a, b, c} { // anybody computes it
			if d := x.replica.Durable(a.origin); d != 21 {
				t.Fatalf("durable mark at %s is %d, want 21", x.name, d)
			}
			if mark, _ := x.journal.MarkAndHash(a.origin); mark != 21 {
				t.Fatalf("mark at %s is %d, want 21", x.name, mark)
			}
		}
		for _, p := range a.replica.Status().Peers {
			if !p.Connected || !p.Counted || p.Ahead+p.Behind != 0 {
				t.Fatalf("status of a level peer: %+v", p)
			}
		}
	})
}

// A-C cut, A-B and B-C good: C gets A's live entries through B.
func TestRule05_EntriesGoRoundACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		defer func() { a.stop(); b.stop(); c.stop(); n.wg.Wait() }()
		n.connect("arezzo", "limburg")
		n.connect("limburg", "roubaix")
		for i := range 50 {
			a.append(t.Context(), fmt.Sprint(i))
			time.Sleep(3 * time.Millisecond)
		}
		if err := c.journal.WaitMark(within(t, 2*time.Second), a.origin, 50); err != nil {
			t.Fatal(err)
		}
	})
}

// What a dead node had told one peer reaches all and is durable.
func TestRule05_DeadOriginReachesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		defer func() { b.stop(); c.stop(); n.wg.Wait() }()
		n.connect("arezzo", "limburg")
		var last mesh.Position
		for i := range 700 {
			last = a.append(t.Context(), fmt.Sprint(i))
		}
		if err := a.replica.WaitDurable(within(t, 5*time.Second), last, 0); err != nil {
			t.Fatal(err)
		}
		a.stop()
		n.connect("limburg", "roubaix")
		for _, x := range []*node{b, c} {
			if err := x.replica.WaitDurable(within(t, 5*time.Second), last, 0); err != nil {
				t.Fatalf("%s: %v", x.name, err)
			}
		}
		if err := c.journal.WaitMark(within(t, 5*time.Second), last.Origin, last.Number); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRule05_DurableIsComputedAgainAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		n.connect("arezzo", "limburg")
		n.connect("arezzo", "roubaix")
		n.connect("limburg", "roubaix")
		last := a.append(t.Context(), "x")
		if err := b.replica.WaitDurable(within(t, time.Second), last, 0); err != nil {
			t.Fatal(err)
		}
		a.stop()
		b.stop()
		b = start(t, n, "limburg", b.dir)
		members(a, b, c)
		if d := b.replica.Durable(last.Origin); d != 0 {
			t.Fatalf("durable mark %d is known before any peer spoke", d)
		}
		n.connect("limburg", "roubaix")
		if err := b.replica.WaitDurable(within(t, time.Second), last, 0); err != nil {
			t.Fatal(err)
		}
		b.stop()
		c.stop()
		n.wg.Wait()
	})
}

// A node with an emptied disk is not counted, however its name is called, and
// what was seen of it is remembered by its disk.
func TestRule28_EmptiedNodeIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		n.connect("arezzo", "limburg")
		first := a.append(t.Context(), "x")
		if err := a.replica.WaitDurable(within(t, time.Second), first, 0); err != nil {
			t.Fatal(err)
		}
		disk := b.journal.DiskID()
		b.stop()
		b = start(t, n, "limburg", t.TempDir())
		n.connect("arezzo", "limburg")
		time.Sleep(time.Second)
		second := a.append(t.Context(), "y")
		if err := a.replica.WaitDurable(within(t, time.Second), second, 0); err == nil {
			t.Fatal("an emptied node's disk was counted for the majority")
		}
		if err := b.journal.WaitMark(within(t, time.Second), a.origin, 2); err != nil {
			t.Fatalf("the emptied node is not filled: %v", err)
		}
		if a.replica.Majority(time.Now()) {
			t.Fatal("the emptied node makes its site reachable")
		}
		seen := map[string]uint64{}
		for _, s := range a.journal.Seen("limburg") {
			seen[s.Disk] = s.Marks[a.origin]
		}
		if seen[disk] != 1 {
			t.Fatalf("seen of the old disk: %v, want mark 1", seen)
		}
		members(a, b, c) // promoted by a committed change
		if err := a.replica.WaitDurable(within(t, time.Second), second, 0); err != nil {
			t.Fatal(err)
		}
		a.stop()
		b.stop()
		c.stop()
		n.wg.Wait()
	})
}

// What a new process has caught up must not stand in its peers' answers before
// they were asked what they had seen of the last one.
func TestRule28_NoMarksAreToldBeforeTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		asked := make(chan struct{})
		b.replica.AnnounceAfter(asked)
		last := a.append(t.Context(), "x")
		n.connect("arezzo", "limburg")
		if err := b.journal.WaitMark(within(t, 2*time.Second), a.origin, 1); err != nil {
			t.Fatalf("it is not filled while it waits: %v", err)
		}
		time.Sleep(time.Minute) // more than one interval of the table
		if seen := a.journal.Seen("limburg"); len(seen) != 0 {
			t.Fatalf("arezzo has seen %+v, want nothing", seen)
		}
		if a.replica.Durable(a.origin) != 0 {
			t.Fatal("its mark counted before it was told")
		}
		n.cut("arezzo", "limburg") // a connection that ends meanwhile
		n.connect("arezzo", "limburg")
		time.Sleep(time.Second)
		close(asked)
		if err := a.replica.WaitDurable(within(t, time.Second), last, 0); err != nil {
			t.Fatalf("after the question: %v", err)
		}
		if seen := a.journal.Seen("limburg"); len(seen) != 1 || seen[0].Marks[a.origin] != 1 {
			t.Fatalf("arezzo has seen %+v, want mark 1", seen)
		}
		a.stop()
		b.stop()
		c.stop()
		n.wg.Wait()
	})
}

// A disk that lied: the same disk id, but less than was announced.
func TestRule05_RegressedDiskIsNotCountedUntilItHasCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		n.connect("arezzo", "limburg")
		last := a.append(t.Context(), "x")
		if err := a.replica.WaitDurable(within(t, time.Second), last, 0); err != nil {
			t.Fatal(err)
		}
		a.append(t.Context(), "y") // stores what was seen of limburg
		time.Sleep(time.Second)
		b.stop()
		files, _ := filepath.Glob(filepath.Join(b.dir, "journal", "*.db"))
		for _, f := range files {
			if err := os.Remove(f); err != nil {
				t.Fatal(err)
			}
		}
		a.stop() // it only knows from its own journal
		a2 := start(t, n, "arezzo", a.dir)
		b = start(t, n, "limburg", b.dir)
		members(a2, b, c)
		n.connect("arezzo", "limburg")
		if err := a2.replica.WaitDurable(within(t, 2*time.Second), last, 0); err != nil {
			t.Fatalf("refilled: %v", err)
		}
		if n := testutil.ToFloat64(a2.replica.metrics.regressions); n == 0 {
			t.Fatal("nobody noticed that limburg's disk has lost what it had announced")
		}
		a2.stop()
		b.stop()
		c.stop()
		n.wg.Wait()
	})
}

func TestDifferentHistoriesAreQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		o := mesh.Agreement(1)
		for i, x := range []*node{a, b} {
			var prev mesh.Hash
			for k := range 3 {
				text := fmt.Sprint(k)
				if k == 1 {
					text = fmt.Sprint("decided by ", i)
				}
				r, err := mesh.Encode(mesh.Header{Kind: mesh.KindDecision, Origin: o, Number: uint64(k + 1), Day: 20000}, []byte(text), prev)
				if err != nil {
					t.Fatal(err)
				}
				if prev = r.Hash; k == 2 && i == 1 {
					break // limburg has less: compared at number 2
				}
				if err := x.journal.Accept(t.Context(), journal.LaneLive, []mesh.Record{r}); err != nil {
					t.Fatal(err)
				}
			}
		}
		n.connect("arezzo", "limburg")
		time.Sleep(2 * time.Second)
		if len(a.replica.Quarantined()) != 1 || len(b.replica.Quarantined()) != 1 {
			t.Fatalf("quarantined: %v, %v, want the agreement at both", a.replica.Quarantined(), b.replica.Quarantined())
		}
		if mark, _ := b.journal.MarkAndHash(o); mark != 2 {
			t.Fatalf("limburg's mark is %d, want that it stays at 2", mark)
		}
		last := a.append(t.Context(), "alarms go on")
		if err := a.replica.WaitDurable(within(t, time.Second), last, 0); err != nil {
			t.Fatal(err)
		}
		a.stop()
		b.stop()
		c.stop()
		n.wg.Wait()
	})
}

// Equal numbers with different running hashes show in the tables.
func TestDifferentHistoriesOfEqualLengthAreQuarantined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		for i, x := range []*node{a, b} {
			r, err := mesh.Encode(mesh.Header{Kind: mesh.KindDecision, Origin: mesh.Agreement(1), Number: 1, Day: 20000}, fmt.Append(nil, i), mesh.Hash{})
			if err != nil {
				t.Fatal(err)
			}
			if err := x.journal.Accept(t.Context(), journal.LaneLive, []mesh.Record{r}); err != nil {
				t.Fatal(err)
			}
		}
		n.connect("arezzo", "limburg")
		time.Sleep(time.Second)
		if len(a.replica.Quarantined()) != 1 || len(b.replica.Quarantined()) != 1 {
			t.Errorf("quarantined: %v, %v, want the agreement at both", a.replica.Quarantined(), b.replica.Quarantined())
		}
		if d := a.replica.Durable(mesh.Agreement(1)); d != 0 {
			t.Errorf("durable mark %d of different records", d)
		}
		a.stop()
		b.stop()
		c.stop()
		n.wg.Wait()
	})
}

// Links that come and go while all write: everything reaches everybody.
func TestLinksThatComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		nodes := []*node{a, b, c}
		var writers sync.WaitGroup
		for _, x := range nodes {
			for w := range 4 {
				writers.Go(func() {
					for i := range 100 {
						x.append(context.Background(), fmt.Sprintf("%d/%d", w, i))
						time.Sleep(time.Duration(1+i%7) * time.Millisecond)
					}
				})
			}
		}
		pairs := [][2]string{{"arezzo", "limburg"}, {"arezzo", "roubaix"}, {"limburg", "roubaix"}}
		for i := range 40 {
			p := pairs[i%3]
			n.cut(p[0], p[1])
			time.Sleep(time.Duration(5+i%11) * time.Millisecond)
			n.connect(p[0], p[1])
			time.Sleep(5 * time.Millisecond)
		}
		writers.Wait()
		for _, p := range pairs {
			n.cut(p[0], p[1])
			time.Sleep(time.Millisecond)
			n.connect(p[0], p[1])
		}
		for _, x := range nodes {
			for _, y := range nodes {
				if err := x.replica.WaitDurable(within(t, 10*time.Second), mesh.Position{Origin: y.origin, Number: 400}, 0); err != nil {
					t.Errorf("%s: %v; %+v", x.name, err, x.replica.Status())
				}
				if err := x.journal.WaitMark(within(t, 10*time.Second), y.origin, 400); err != nil {
					t.Errorf("%s: %v; %+v", x.name, err, x.replica.Status())
				}
			}
			if len(x.replica.Quarantined()) > 0 {
				t.Errorf("%s quarantined %v", x.name, x.replica.Quarantined())
			}
			if r, err := x.journal.Verify(t.Context()); err != nil || len(r.Faults) > 0 {
				t.Errorf("%s: %v %q", x.name, err, r.Faults)
			}
		}
		for _, x := range nodes {
			x.stop()
		}
		n.wg.Wait()
	})
}

func TestThousandsWaitForTheirOwnNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		var released sync.WaitGroup
		for i := range 3000 {
			released.Go(func() {
				pos := mesh.Position{Origin: a.origin, Number: uint64(1 + i)}
				if i%10 == 0 { // gives up
					if err := a.replica.WaitDurable(within(t, time.Millisecond), pos, 0); err == nil {
						t.Errorf("%s is durable before it was written", pos)
					}
					return
				}
				if err := a.replica.WaitDurable(context.Background(), pos, 0); err != nil {
					t.Error(err)
				} else if a.replica.Durable(a.origin) < pos.Number {
					t.Errorf("%s was released too early", pos)
				}
			})
		}
		time.Sleep(10 * time.Millisecond)
		n.connect("arezzo", "roubaix")
		for i := range 3000 {
			a.append(t.Context(), fmt.Sprint(i))
		}
		released.Wait()
		if len(a.replica.waiting) != 0 {
			t.Errorf("%d lines of waiters are left", len(a.replica.waiting))
		}
		a.stop()
		b.stop()
		c.stop()
		n.wg.Wait()
	})
}

// A connection that stands proves nothing: a site is there when it answered
// within the last 2 s.
func TestRule09_ASiteAnsweredWithinTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, a, b, c := three(t)
		n.connect("arezzo", "limburg")
		time.Sleep(time.Second)
		for _, one := range []struct {
			silent time.Duration
			want   bool
		}{{0, true}, {2 * time.Second, true}, {2*time.Second + time.Millisecond, false}, {time.Minute, false}} {
			n.mu.Lock()
			n.silent = one.silent
			n.mu.Unlock()
			if got := a.replica.Majority(time.Now()); got != one.want {
				t.Errorf("last answer %s ago: majority %v, want %v", one.silent, got, one.want)
			}
		}
		a.stop()
		b.stop()
		c.stop()
		n.wg.Wait()
	})
}
