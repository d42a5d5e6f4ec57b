package supervision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
	"testing"
	"time"
)

// two are cores that know the same panels.
func two(panels int) (a, b *Core, ids []string) {
	a, b = NewCore(begin, "arezzo", 1, patience), NewCore(begin, "roubaix", 2, patience)
	for i := range panels {
		id := fmt.Sprint("panel ", i)
		for _, c := range []*Core{a, b} {
			c.Put(begin, Panel{ID: id, Customer: "c", Within: time.Minute, Alternative: time.Hour})
		}
		ids = append(ids, id)
	}
	return a, b, ids
}

// give sends a digest; whole: it is wanted whole next.
func give(t *testing.T, from, to *Core, now time.Time) (size int, whole bool) {
	t.Helper()
	from.Cut(now)
	b, seq := from.Digest(now, to.nodes[0].name)
	whole, err := to.Take(now, from.nodes[0].name, b)
	if err != nil {
		t.Error(err)
	}
	from.Answered(to.nodes[0].name, seq, !whole)
	return len(b), whole
}

// What one heard the other knows, to a second, on the right path; then only
// what is new is told.
func TestDigestTellsWhatWasHeard(t *testing.T) {
	a, b, ids := two(500)
	now := begin.Add(time.Minute)
	for i, id := range ids {
		a.Heard(now.Add(-time.Duration(i)*100*time.Millisecond), id, Path(i%2))
	}
	first, whole := give(t, a, b, now)
	if whole {
		t.Fatal("a first digest is not whole")
	}
	for i, id := range ids {
		seen, _ := b.Look(now, id)
		if got, want := seen.Heard[i%2], time.Duration(i)*100*time.Millisecond; got > want || want-got > 2*time.Second || seen.Heard[1-i%2] >= 0 {
			t.Fatalf("panel %d heard %v, want %v ago on path %d", i, seen.Heard, want, i%2)
		}
	}
	a.Heard(now.Add(500*time.Millisecond), ids[3], Primary)
	again, whole := give(t, a, b, now.Add(time.Second))
	if whole || again > 100 || first < 20*again {
		t.Errorf("%d bytes, then %d, want only what is new", first, again)
	}
	if seen, _ := b.Look(now.Add(time.Second), ids[3]); seen.Heard[Primary] > time.Second {
		t.Errorf("heard %v ago, want within the second", seen.Heard)
	}
}

// A process that starts anew, or missed too much, is told all.
func TestDigestIsWholeWhereItDoesNotGoOn(t *testing.T) {
	a, b, ids := two(20)
	now := begin.Add(time.Second)
	a.Heard(now, ids[0], Primary)
	give(t, a, b, now)
	b = NewCore(now, "roubaix", 3, patience) // it knows nothing
	b.Put(now, Panel{ID: ids[0], Customer: "c", Within: time.Minute})
	if _, whole := give(t, a, b, now.Add(time.Second)); !whole {
		t.Fatal("a new process took what goes on from what it never got")
	}
	if _, whole := give(t, a, b, now.Add(2*time.Second)); whole {
		t.Fatal("what was sent whole was not taken")
	}
	if seen, _ := b.Look(now.Add(2*time.Second), ids[0]); seen.Heard[Primary] < 0 {
		t.Error("the new process doesn't know what the old one did")
	}
	for i := range 2 * keptCuts { // they are out of touch
		a.Cut(now.Add(time.Duration(3+i) * time.Second))
	}
	a.Heard(now.Add(30*time.Second), ids[0], Primary)
	if _, whole := give(t, a, b, now.Add(30*time.Second)); whole {
		t.Error("what was missed was not sent whole")
	}
	if seen, _ := b.Look(now.Add(30*time.Second), ids[0]); seen.Heard[Primary] > 2*time.Second {
		t.Errorf("heard %v ago after they were out of touch", seen.Heard)
	}
}

// A time that goes from node to node and back stays what it was.
func TestDigestTimesDoNotCreep(t *testing.T) {
	a, b, ids := two(1)
	a.Heard(begin, ids[0], Primary)
	now := begin
	for i := range 200 {
		now = now.Add(7 * time.Second)
		a.Answered("roubaix", 0, false) // all is told, each time
		b.Answered("arezzo", 0, false)
		give(t, a, b, now)
		give(t, b, a, now.Add(time.Duration(i%9)*100*time.Millisecond))
	}
	for name, c := range map[string]*Core{"arezzo": a, "roubaix": b} {
		seen, _ := c.Look(now, ids[0])
		if real := now.Sub(begin); real-seen.Heard[Primary] > real/50+5*time.Second {
			t.Errorf("%s: heard %v ago, want %v", name, seen.Heard[Primary], real)
		}
	}
}

func TestDigestsThatAreNoneAreRefused(t *testing.T) {
	a, b, ids := two(5)
	for _, id := range ids {
		a.Heard(begin, id, Primary)
	}
	a.Cut(begin)
	good, _ := a.Digest(begin, "roubaix")
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x41
		if _, err := b.Take(begin, "arezzo", bad); !errors.Is(err, ErrDigest) {
			t.Fatalf("byte %d changed: %v, want %v", i, err, ErrDigest)
		}
		if _, err := b.Take(begin, "arezzo", good[:i]); !errors.Is(err, ErrDigest) {
			t.Fatalf("cut at %d: %v, want %v", i, err, ErrDigest)
		}
	}
	if _, err := b.Take(begin, "limburg", good); !errors.Is(err, ErrDigest) {
		t.Errorf("another node's digest: %v", err)
	}
	if seen, _ := b.Look(begin, ids[0]); seen.Heard[Primary] >= 0 {
		t.Error("a refused digest was taken over")
	}
}

// Messages, digests, roster and judge at once: for the race detector.
func TestAllAtOnce(t *testing.T) {
	a, b, ids := two(200)
	for _, c := range []*Core{a, b} {
		c.Configure([]Member{{"arezzo", "a"}, {"roubaix", "b"}}, []string{"a", "b"})
	}
	var wg sync.WaitGroup
	each := func(fn func(now time.Time, i int)) {
		wg.Go(func() {
			for i := range 300 {
				fn(begin.Add(time.Duration(i)*100*time.Millisecond), i)
			}
		})
	}
	for _, c := range []*Core{a, b} {
		each(func(now time.Time, i int) { c.Heard(now, ids[i%len(ids)], Path(i%2)) })
		each(func(now time.Time, i int) {
			c.Serve(now, true)
			c.Put(now, Panel{ID: ids[i%7], Customer: "c", Within: time.Duration(1+i) * time.Second})
			c.Drop(ids[7+i%3])
			c.Look(now, ids[i%len(ids)])
		})
		each(func(now time.Time, _ int) {
			look := c.Judge(now)
			for shard := range byte(shards) {
				look.Shard(shard, nil, 10)
			}
		})
	}
	each(func(now time.Time, _ int) { give(t, a, b, now) })
	each(func(now time.Time, _ int) { give(t, b, a, now) })
	wg.Wait()
}

// What parses harms nothing: it is refused or taken, and the core goes on.
func FuzzDigest(f *testing.F) {
	a, _, ids := two(5)
	for i, id := range ids {
		a.Heard(begin, id, Path(i%2))
	}
	a.Cut(begin)
	good, _ := a.Digest(begin, "roubaix")
	f.Add(good[:len(good)-4])
	f.Add([]byte{1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 6, 'a', 'r', 'e', 'z', 'z', 'o', 3, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, to, ids := two(5)
		b = binary.BigEndian.AppendUint32(bytes.Clone(b), crc32.Checksum(b, castagnoli)) // past the checksum
		if _, err := to.Take(begin, "arezzo", b); err != nil && !errors.Is(err, ErrDigest) {
			t.Fatal(err)
		}
		to.Configure([]Member{{"arezzo", "a"}, {"roubaix", "b"}}, []string{"a", "b"})
		to.Serve(begin, true)
		for shard := range byte(shards) {
			to.Judge(begin).Shard(shard, nil, 10)
		}
		for _, id := range ids {
			if seen, ok := to.Look(begin, id); !ok || seen.Heard[Primary] > 400*24*time.Hour {
				t.Fatalf("%v %v", seen, ok)
			}
		}
	})
}
