package watch_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"vedetta/bench/watchtest"
	"vedetta/central/centraltest"
	"vedetta/central/watch"
	"vedetta/cluster/env"
	"vedetta/wire/dc09"
	"vedetta/wire/decision"
)

const key = "panel-key-secret"

var house = watch.View{Customer: centraltest.Customer, Panel: centraltest.House}

func refused(t *testing.T, seq int) watchtest.Come {
	t.Helper()
	return watchtest.Come{Raw: watchtest.Frame(t, "AB12CD34", "Nri1/BA003", key, seq, time.Now()), Word: watchtest.Silence, Reason: dc09.ReasonNotDurable}
}

// following collects what a viewer is told.
type following struct {
	updates chan watch.Update
	done    chan error
}

func follow(ctx context.Context, w *watch.Watch, v watch.View) following {
	f := following{make(chan watch.Update, 1000), make(chan error, 1)}
	go func() {
		f.done <- w.Follow(ctx, v, func(u watch.Update) error {
			f.updates <- u
			return nil
		})
	}()
	return f
}

func (f following) until(t *testing.T, what string, is func(watch.Update) bool) watch.Update {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case u := <-f.updates:
			if is(u) {
				return u
			}
		case <-late:
			t.Fatalf("%s: not told within 10 s", what)
		}
	}
}

func all(watching bool) func(watch.Update) bool {
	return func(u watch.Update) bool {
		return len(u.Nodes) == 3 && !slices.ContainsFunc(u.Nodes, func(n watch.Node) bool { return n.Watching != watching })
	}
}

// Nodes that go are told of and watched again when they are back; what they
// still keep is not told twice.
func TestNodesGoAndComeBack(t *testing.T) {
	s := centraltest.NewService(t, time.Now())
	nodes := watchtest.New(t, s, time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	f := follow(ctx, s.Watch, house)
	f.until(t, "all watched", all(true))
	nodes.Came(refused(t, 1))
	f.until(t, "the first", func(u watch.Update) bool { return u.Attempt != nil && u.Attempt.Decoded.Seq == "0001" })
	s.Mesh.SetDown(true)
	f.until(t, "none watched", all(false))
	nodes.Came(refused(t, 2)) // nobody looks, it is kept
	s.Mesh.SetDown(false)
	seen := map[string]int{}
	f.until(t, "the second", func(u watch.Update) bool {
		if u.Attempt != nil {
			seen[u.Attempt.Decoded.Seq]++
		}
		return u.Attempt != nil && u.Attempt.Decoded.Seq == "0002"
	})
	f.until(t, "all watched again", all(true))
	if seen["0001"] != 0 {
		t.Error("what a node still kept was told twice")
	}
	cancel()
	if err := <-f.done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}

// A viewer who doesn't read holds up neither the nodes nor other viewers.
func TestSlowViewer(t *testing.T) {
	s := centraltest.NewService(t, time.Now())
	nodes := watchtest.New(t, s, time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	stuck := make(chan struct{})
	slow := make(chan error, 1)
	go func() {
		slow <- s.Watch.Follow(ctx, house, func(watch.Update) error {
			<-stuck
			return ctx.Err()
		})
	}()
	good := follow(ctx, s.Watch, house)
	good.until(t, "all watched", all(true))
	for i := range 300 {
		began := time.Now()
		nodes.Came(refused(t, i))
		if took := time.Since(began); took > time.Second {
			t.Fatalf("a node's reception waited %s", took)
		}
	}
	good.until(t, "the last", func(u watch.Update) bool { return u.Attempt != nil && u.Attempt.Decoded.Seq == "0299" })
	cancel()
	close(stuck)
	<-slow
	<-good.done
}

func TestViewersOfACustomerAreBounded(t *testing.T) {
	s := centraltest.NewService(t, time.Now())
	watchtest.New(t, s, time.Now())
	ctx, cancel := context.WithCancel(t.Context())
	var list []following
	for range 8 {
		f := follow(ctx, s.Watch, house)
		f.until(t, "the begin", func(watch.Update) bool { return true })
		list = append(list, f)
	}
	if _, _, err := s.Watch.Recent(t.Context(), house); !errors.Is(err, watch.ErrBusy) {
		t.Errorf("a ninth viewer: %v", err)
	}
	cancel()
	for _, f := range list {
		<-f.done
	}
	if _, _, err := s.Watch.Recent(t.Context(), house); err != nil {
		t.Errorf("after they went: %v", err)
	}
}

// What proves an address: the viewer's own, and where the panel was acknowledged
// over a connection within a day; no address that many networks have.
func TestAddresses(t *testing.T) {
	now := time.Now()
	s := centraltest.NewService(t, now)
	story := func(ago time.Duration) {
		a := centraltest.Alarm{At: now.Add(-ago), Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new"}}
		a.Verdict(s.Mesh, a.Message(s.Mesh))
	}
	ask := func(w *watch.Watch, panel, account, viewer string) []string {
		t.Helper()
		if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
			t.Fatal(err)
		}
		list, err := w.Addresses(t.Context(), now, centraltest.Customer, panel, account, netip.MustParseAddr(viewer))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	story(25 * time.Hour)
	if got := ask(s.Watch, centraltest.House, "AB12CD34", "198.51.100.7"); !slices.Equal(got, []string{"198.51.100.7"}) {
		t.Errorf("the panel was last heard a day ago: %v", got)
	}
	story(time.Hour)
	if got := ask(s.Watch, centraltest.House, "AB12CD34", "198.51.100.7"); !slices.Equal(got, []string{"198.51.100.7", "192.0.2.77"}) {
		t.Errorf("the panel was heard an hour ago: %v", got)
	}
	if got := ask(s.Watch, centraltest.Shop, "5544", "198.51.100.7"); !slices.Equal(got, []string{"198.51.100.7"}) {
		t.Errorf("another panel: %v", got)
	}
	public := watch.New(watch.Config{}, s.Mesh, s.History, env.Quiet(1))
	for viewer, want := range map[string]int{"8.8.8.8": 1, "2a00:1450::1": 1, "10.1.2.3": 0, "127.0.0.1": 0, "100.64.0.9": 0, "192.168.1.5": 0, "fe80::1": 0, "::1": 0} {
		if got := ask(public, centraltest.Shop, "5544", viewer); len(got) != want {
			t.Errorf("%s proves %v", viewer, got)
		}
	}
}
