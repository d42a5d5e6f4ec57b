package leadership

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"vedetta/cluster/env"
	"vedetta/node/agreement"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// alone is one node that leads Raft, and what stands there.
type alone struct {
	clock  time.Time
	shards [agreement.Shards]agreement.Shard
	slow   time.Duration // a Barrier takes

	said   []decision.Command
	handed int
}

func (a *alone) Leader() (string, bool)                                       { return "arezzo", true }
func (a *alone) Barrier(context.Context) error                                { time.Sleep(a.slow); return nil }
func (a *alone) Call(context.Context, string, string, []byte) ([]byte, error) { return nil, nil }
func (a *alone) Generation() uint64                                           { return 1 }
func (a *alone) Clock() time.Time                                             { return a.clock }
func (a *alone) Shards() [agreement.Shards]agreement.Shard                    { return a.shards }
func (a *alone) DayKey(mesh.Day) (seal.Key, bool)                             { return seal.Key{}, true }
func (a *alone) Members() (all []decision.Member) {
	for _, m := range members {
		all = append(all, decision.Member{Node: m})
	}
	return all
}

func (a *alone) Propose(_ context.Context, command []byte) (agreement.Result, error) {
	c, err := decision.DecodeCommand(command)
	if err != nil {
		return agreement.Result{}, err
	}
	a.said = append(a.said, c)
	if tick, ok := c.Body.(decision.Tick); ok {
		a.clock = time.UnixMilli(min(tick.Now, a.clock.UnixMilli()+agreement.MaxTickMs))
	}
	return agreement.Result{}, nil
}

func (a *alone) leadership(t *testing.T, off *time.Duration) *Leadership {
	l, err := New(Config{Self: process("arezzo", 1)}, Parts{
		Raft: a, Caller: a, View: a,
		Ready:    func() bool { return true },
		Ages:     func(time.Time) (x, y time.Duration) { return 0, 0 },
		Offset:   func() time.Duration { return *off },
		HandOver: func(context.Context) error { a.handed++; return nil },
	}, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// One wrong clock at the leader moves nobody's time, and the leader gives up.
func TestRule20_TheMedianTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, off := range []time.Duration{-24 * time.Hour, 0, time.Second, 24 * time.Hour} {
			right := time.Now().Add(-off).Truncate(time.Millisecond)
			a := &alone{clock: right.Add(-time.Second)}
			l := a.leadership(t, &off)
			l.tick(t.Context())
			if !a.clock.Equal(right) {
				t.Errorf("own clock %v off: the agreement's is %v, want the median %v", off, a.clock, right)
			}
			if first := a.said[0].FirstMs; first != right.UnixMilli() {
				t.Errorf("own clock %v off: first try at %v, want the median %v", off, time.UnixMilli(first), right)
			}
			want := 0
			if off.Abs() > 2*time.Second {
				want = 1
			}
			for range 30 {
				time.Sleep(time.Second)
				l.tick(t.Context())
			}
			if a.handed != want {
				t.Errorf("own clock %v off: handed over %d times in 30 s, want %d", off, a.handed, want)
			}
			if got := testutil.ToFloat64(l.alarm); int(got) != want {
				t.Errorf("own clock %v off: alarm %v, want %d", off, got, want)
			}
			l.parts.HandOver = nil
			l.tick(t.Context())
		}
	})
}

// A clock that was led ahead goes on at half the pace, and what is proposed
// meanwhile is not stale.
func TestRule20_AClockAheadNeverStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off := time.Duration(0)
		a := &alone{clock: time.Now().Add(time.Minute).Truncate(time.Millisecond)}
		l := a.leadership(t, &off)
		for range 300 {
			before := a.clock
			l.tick(t.Context())
			if !a.clock.After(before) {
				t.Fatalf("the clock stands at %v", before)
			}
			if c := a.said[len(a.said)-1]; c.FirstMs < before.UnixMilli() {
				t.Fatalf("first try %v before the agreement's clock %v", time.UnixMilli(c.FirstMs), before)
			}
			time.Sleep(time.Second)
		}
		if ahead := time.Until(a.clock); ahead.Abs() > time.Second {
			t.Errorf("after 300 s the clock is still %v ahead", ahead)
		}
	})
}

// While a new leader waits for its Barrier it takes no renewals: nobody was
// silent.
func TestRule25_ASlowBarrierMovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		off := time.Duration(0)
		a := &alone{slow: 4500 * time.Millisecond, clock: time.Now()}
		for i := range a.shards {
			a.shards[i].Holder = process(members[i%len(members)], 1)
		}
		l := a.leadership(t, &off)
		for look := range 40 {
			l.lead(t.Context())
			l.heard(well("arezzo", 1))
			if look >= 2 { // the others' renewals come half a second later
				l.heard(well("limburg", 1))
				l.heard(well("roubaix", 1))
			}
			time.Sleep(250 * time.Millisecond)
		}
		if len(a.said) != 0 {
			t.Errorf("%d assignments though all were there, want none: %+v", len(a.said), a.said[0].Body)
		}
	})
}
