package replica

import (
	"context"
	"testing"
	"testing/synctest"

	"vedetta/cluster/env"
	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/wire/mesh"
)

// recordsOf are the first records of an origin, each with so much content.
func recordsOf(t *testing.T, o mesh.Origin, count, bytes int) (list []mesh.Record) {
	t.Helper()
	var prev mesh.Hash
	for n := range count {
		r, err := mesh.Encode(mesh.Header{Kind: mesh.KindMessage, Origin: o, Number: uint64(n + 1), Day: 20000}, make([]byte, bytes), prev)
		if err != nil {
			t.Fatal(err)
		}
		prev, list = r.Hash, append(list, r)
	}
	return list
}

// A catch-up that overtakes live records on their way to the disk is refused
// there; what it brought must be taken when it comes again, also of an origin
// that says nothing more.
func TestRule05_CatchUpThatOvertookComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := journal.Create(dir); err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(journal.Config{Dir: dir}, env.Quiet(1))
		if err != nil {
			t.Fatal(err)
		}
		l := &fakeLink{handlers: map[link.Purpose]func(context.Context, link.Identity, link.Stream) error{}}
		r, err := New(Config{Node: "roubaix", Site: "roubaix"}, j, l, env.Quiet(1))
		if err != nil {
			t.Fatal(err)
		}
		busy := mesh.Origin{Node: "limburg", Incarnation: 1, Random: 1}
		r.offer(journal.LaneLive, busy, recordsOf(t, busy, 300, 1000), nil) // the first commit has no room for more
		list := recordsOf(t, origin, 20, 10)
		r.offer(journal.LaneLive, origin, list[:10], nil)
		r.offer(journal.LaneCatchUp, origin, list, nil)

		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- j.Run(ctx) }()
		synctest.Wait()
		if mark, _ := j.MarkAndHash(origin); mark != 10 {
			t.Fatalf("mark %d, want 10: the catch-up has not overtaken", mark)
		}
		r.offer(journal.LaneCatchUp, origin, list[10:], nil)
		synctest.Wait()
		if mark, _ := j.MarkAndHash(origin); mark != 20 {
			t.Errorf("mark %d after the catch-up came again, want 20", mark)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

// What this process writes is never fetched from a peer that was quicker to flush
// it; what a former process wrote is.
func TestOwnRecordsAreNotFetched(t *testing.T) {
	dir := t.TempDir()
	if err := journal.Create(dir); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Config{Dir: dir}, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	own, err := j.Begin("roubaix")
	if err != nil {
		t.Fatal(err)
	}
	l := &fakeLink{handlers: map[link.Purpose]func(context.Context, link.Identity, link.Stream) error{}}
	r, err := New(Config{Node: "roubaix", Site: "roubaix"}, j, l, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	former := mesh.Origin{Node: "roubaix", Incarnation: own.Incarnation, Random: own.Random + 1}
	p := r.peerOf(link.Identity{Name: "limburg", Site: "limburg"})
	p.connected = true
	for _, o := range []mesh.Origin{own, former} {
		p.marks[o], r.ahead[o] = 5, true
	}
	if all, _ := r.wants(); len(all) != 1 || all[0].origin != former {
		t.Errorf("wants %v, want %s alone", all, former)
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}
