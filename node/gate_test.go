package node

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"vedetta/cluster/link"
	"vedetta/node/readiness"
)

// door is a gate with everything well around it.
type door struct {
	*gate
	*lone
	opened     []bool // what the listeners were told, repetitions left out
	handedOver int
	able       map[string]func(context.Context) ([]byte, error) // what peers answer
}

func newDoor(t *testing.T, change func(*factSources)) *door {
	t.Helper()
	d := &door{lone: founded(t), able: map[string]func(context.Context) ([]byte, error){}}
	facts := factSources{
		sites: func(time.Time) (reachable, configured []string) {
			return []string{"arezzo", "roubaix"}, []string{"arezzo", "roubaix"}
		},
		quarantined: func() int { return 0 },
		diskFree:    func() (uint64, uint64, error) { return 50, 100, nil },
		leaderSeen:  time.Now,
		view:        d.fsm.View(),
		peers: func() []link.PeerStatus {
			return []link.PeerStatus{{Name: "limburg"}, {Name: "roubaix", Connected: true}}
		},
		call: func(ctx context.Context, peer, method string, _ []byte) ([]byte, error) {
			if answer := d.able[peer]; answer != nil && method == methodAble {
				return answer(ctx)
			}
			return nil, errors.New("not reached")
		},
	}
	if change != nil {
		change(&facts)
	}
	d.gate = newGate("arezzo", "d1", arezzo, 0.1, facts)
	d.open = func(open bool) {
		if len(d.opened) == 0 || d.opened[len(d.opened)-1] != open {
			d.opened = append(d.opened, open)
		}
	}
	d.handOver = func(context.Context) error { d.handedOver++; return nil }
	return d
}

func yes(context.Context) ([]byte, error) { return []byte{1}, nil }

func TestRule09_GateGathersTheFacts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*factSources)
		want   []readiness.Reason
	}{
		"all well": {nil, []readiness.Reason{}},
		"cut off": {func(f *factSources) {
			f.sites = func(time.Time) (r, c []string) { return []string{"arezzo"}, []string{"arezzo", "roubaix"} }
		}, []readiness.Reason{readiness.NoMajority}},
		"no leader for 31 s": {func(f *factSources) { f.leaderSeen = func() time.Time { return time.Now().Add(-31 * time.Second) } }, []readiness.Reason{readiness.NoMajority}},
		"disk full":          {func(f *factSources) { f.diskFree = func() (uint64, uint64, error) { return 9, 100, nil } }, []readiness.Reason{readiness.DiskFull}},
		"disk doesn't tell":  {func(f *factSources) { f.diskFree = func() (uint64, uint64, error) { return 0, 0, errors.New("gone") } }, []readiness.Reason{readiness.DiskFull}},
		"quarantined":        {func(f *factSources) { f.quarantined = func() int { return 1 } }, []readiness.Reason{readiness.Recovering}},
		"clock 3 s behind": {func(f *factSources) {
			f.peers = func() []link.PeerStatus {
				return []link.PeerStatus{{Connected: true, Offset: 3 * time.Second}, {Connected: true, Offset: 3 * time.Second}}
			}
		}, []readiness.Reason{readiness.Clock}},
	} {
		d := newDoor(t, c.change)
		if d.Ready() || !slices.Equal(d.Verdict().Reasons, []readiness.Reason{readiness.Recovering}) {
			t.Errorf("%s: ready before its first step", name)
		}
		d.step(time.Now())
		if v := d.Verdict(); !slices.Equal(v.Reasons, c.want) || d.Ready() != (len(c.want) == 0) {
			t.Errorf("%s: ready %v, reasons %v, want %v", name, v.Ready, v.Reasons, c.want)
		}
	}
}

// A disk that is not the committed one acknowledges nothing.
func TestRule28_AnotherDiskIsNotReady(t *testing.T) {
	d := newDoor(t, nil)
	d.disk = "new"
	d.step(time.Now())
	if v := d.Verdict(); v.Ready || v.Open || !slices.Equal(v.Reasons, []readiness.Reason{readiness.Recovering}) {
		t.Errorf("verdict %+v, want recovering", v)
	}
}

func TestOffsetIsOursAgainstTheMedian(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		peers []link.PeerStatus // their clocks minus ours
		want  time.Duration
	}{
		"alone":                    {nil, 0},
		"both ahead of us":         {[]link.PeerStatus{{Connected: true, Offset: 3 * s}, {Connected: true, Offset: s}}, -s},
		"both behind us":           {[]link.PeerStatus{{Connected: true, Offset: -3 * s}, {Connected: true, Offset: -s}}, s},
		"we are in the middle":     {[]link.PeerStatus{{Connected: true, Offset: -9 * s}, {Connected: true, Offset: 9 * s}}, 0},
		"who isn't connected":      {[]link.PeerStatus{{Offset: 9 * s}, {Offset: 9 * s}}, 0},
		"one of four has gone mad": {[]link.PeerStatus{{Connected: true, Offset: 9 * time.Hour}, {Connected: true}, {Connected: true, Offset: s}, {Connected: true, Offset: s}}, -s},
	} {
		d := newDoor(t, func(f *factSources) { f.peers = func() []link.PeerStatus { return c.peers } })
		if got := d.Offset(); got != c.want {
			t.Errorf("%s: offset %s, want %s", name, got, c.want)
		}
	}
}

func TestDrainWaitsForItsShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, nil)
		d.able["roubaix"] = yes
		d.assign(arezzo)
		d.step(time.Now())
		if !d.Ready() || !slices.Equal(d.opened, []bool{true}) || !slices.Equal(d.leads(), []int{3, 4}) {
			t.Fatalf("ready %v, opened %v, leads %v", d.Ready(), d.opened, d.leads())
		}
		if b, err := d.Able(t.Context(), link.Identity{}, nil); err != nil || !slices.Equal(b, []byte{1}) {
			t.Errorf("a ready node says %v, %v, want that it would take over", b, err)
		}
		began := time.Now()
		done := make(chan time.Duration, 1)
		go func() { d.Drain(t.Context()); done <- time.Since(began) }()
		synctest.Wait()
		if v := d.Verdict(); v.Ready || !slices.Equal(v.Reasons, []readiness.Reason{readiness.Draining}) || !slices.Equal(d.opened, []bool{true, false}) {
			t.Errorf("while it drains: %+v, listeners %v", v, d.opened)
		}
		if b, err := d.Able(t.Context(), link.Identity{}, nil); err != nil || !slices.Equal(b, []byte{0}) {
			t.Errorf("a node that drains says %v, %v, want that it takes nothing over", b, err)
		}
		time.Sleep(3 * time.Second)
		if len(done) != 0 || d.handedOver != 0 {
			t.Fatal("ended while it held shards")
		}
		d.assign(roubaix)
		if took := <-done; took > 3*time.Second+gateStep || d.handedOver != 1 {
			t.Errorf("took %s, leadership handed over %d times, want at once and once", took, d.handedOver)
		}
	})
}

func TestDrainIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		able       func(context.Context) ([]byte, error)
		within     time.Duration
		handedOver int
	}{
		"nobody takes the shards":       {yes, drainWithin, 0},
		"the others are stopped too":    {func(context.Context) ([]byte, error) { return []byte{0}, nil }, 0, 0},
		"the others don't answer":       {func(ctx context.Context) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }, 2 * time.Second, 0},
		"an older version has no such":  {func(context.Context) ([]byte, error) { return nil, errors.New("unknown method") }, 0, 0},
		"the answer is empty, not read": {func(context.Context) ([]byte, error) { return nil, nil }, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDoor(t, nil)
			d.able["roubaix"] = c.able
			d.assign(arezzo)
			began := time.Now()
			d.Drain(t.Context())
			if took := time.Since(began); took > c.within || c.within == drainWithin && took != drainWithin || d.handedOver != c.handedOver {
				t.Errorf("%s: took %s, handed over %d times; want within %s and %d", name, took, d.handedOver, c.within, c.handedOver)
			}
		})
	}
}

func TestDrainWithoutShardsHandsOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, nil)
		d.able["roubaix"] = yes
		d.assign(roubaix)
		began := time.Now()
		d.Drain(t.Context())
		if took := time.Since(began); took != 0 || d.handedOver != 1 {
			t.Errorf("took %s, handed over %d times, want at once and once", took, d.handedOver)
		}
	})
}
