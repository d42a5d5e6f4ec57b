package alerting

import (
	"testing"
	"time"

	"vedetta/node/identity"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// What is told as it is applied and what stands in the day files join to one
// index without a hole: a gap between them is read, and only then is the copy of
// the decisions whole (rule 16).
func TestRule16_ToldAndReadBackJoin(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		for n := range 6 {
			w.sends(w.self, 1+n, burglary)
			time.Sleep(time.Second)
		}
		w.halt()
		all := w.verdicts()
		o, last := w.view.Decided()
		f := w.still(nil)
		at := func() uint64 { f.mu.Lock(); defer f.mu.Unlock(); return f.fed[o] }
		known := func(v decision.Verdict) bool {
			e := Entry{Position: mesh.Position{Origin: origin("roubaix", 1), Number: 1}, Panel: panelID, Sequence: v.Sequence, Received: time.UnixMilli(v.ReceivedMs)}
			copy(e.Identity[:], v.Identity)
			return f.copies.Judge(e, nil).CopyOf == v.Entry
		}
		// The last two are told as they are applied, while what came before isn't read yet.
		f.Decided(o, last-1, last-1, [][]decision.Verdict{all[4:5]})
		f.Decided(o, last, last, [][]decision.Verdict{all[5:]})
		if at() != 0 || f.whole(o, last) {
			t.Fatalf("whole up to %d though the beginning was not read", at())
		}
		if !known(all[5]) || known(all[0]) {
			t.Fatal("want the last in the index, and the first not yet")
		}
		if more, err := f.feedOrigin(o); more || err != nil || at() != last || !f.whole(o, last) {
			t.Fatalf("whole up to %d of %d after reading, more %v, %v", at(), last, more, err)
		}
		for _, v := range all {
			if !known(v) {
				t.Errorf("%s is not in the index", v.Entry)
			}
		}
		// One that is told after a gap waits for what lies between.
		f.Decided(o, last+3, last+4, nil)
		if at() != last {
			t.Fatalf("whole up to %d, want %d until the gap is read", at(), last)
		}
		// In the index, but not flushed here: not whole.
		f.Decided(o, last+1, last+1, nil)
		if at() != last+1 || f.whole(o, last+1) {
			t.Fatalf("whole up to %d before it is flushed", at())
		}
	})
}

// A snapshot that came in place of commands decides nothing by the index as it
// was: a copy of what lay between would not be known (rules 11, 12, 16).
func TestRule16_NothingIsDecidedBehindASnapshot(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		w.sends(w.self, 1, burglary)
		time.Sleep(time.Second)
		w.halt()
		o, last := w.view.Decided()
		f := w.still(nil)
		f.refresh()
		s := f.shards[identity.Shard(panelID)]
		s.number0 = 0 // led since before the snapshot
		s.queue = []queued{{since: time.Now()}}
		k := &worker{f: f, s: s}
		if again, wait := k.step(t.Context(), false); !again || wait == 0 || f.level() {
			t.Errorf("again %v after %s, level %v; want that it waits until %d of %s is read", again, wait, f.level(), last, o)
		}
		if more, err := f.feedOrigin(o); more || err != nil || !f.level() {
			t.Errorf("not level after reading: more %v, %v", more, err)
		}
	})
}

// An entry whose decision is of unknown end again and again grows old: else a node
// that applies nothing would keep its shards (rule 25).
func TestRule25_ARestartMakesNoEntryYounger(t *testing.T) {
	s := &shard{signal: make(chan struct{}, 1)}
	fence := decision.Fence{Epoch: 1, Holder: origin("arezzo", 1)}
	s.lead(fence, true, mesh.Origin{}, 0)
	from, began := origin("roubaix", 1), time.Now()
	cursor := uint64(0)
	read := func(now time.Time) {
		list := []mesh.Record{{Header: mesh.Header{Kind: mesh.KindMessage, Origin: from, Number: 1}}, {Header: mesh.Header{Kind: mesh.KindMessage, Origin: from, Number: 2}}}
		of := chained(list)
		s.position(from, func() uint64 { return cursor })
		s.add(from, list, &of, 2, now)
	}
	want := func(after time.Duration, want time.Time) {
		t.Helper()
		if got := s.oldest(func(mesh.Origin) uint64 { return cursor }); !got.Equal(want) {
			t.Errorf("after %s: waits since %s, want %s", after, got, want)
		}
	}
	read(began)
	for after := 8 * time.Second; after < time.Minute; after += 8 * time.Second {
		s.restart(fence)
		want(after, began)
		read(began.Add(after))
		want(after, began)
	}
	cursor = 1 // the first was decided after all
	want(time.Minute, began.Add(56*time.Second))
	s.restart(fence)
	cursor = 2
	want(time.Minute, time.Time{})
	s.restart(fence)
	s.lead(decision.Fence{Epoch: 2, Holder: fence.Holder}, true, mesh.Origin{}, 0)
	want(time.Minute, time.Time{})
}
