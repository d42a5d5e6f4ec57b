package notify

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"vedetta/cluster/env"
	"vedetta/node/alerting"
	"vedetta/node/attempt"
	"vedetta/node/channel"
	"vedetta/wire/decision"
)

// stepped is t with its wall clock set on by d, and its monotonic clock as it
// was: what a clock that is set does. Package time has no way to make one; its
// first word holds the wall clock's nanoseconds below bit 30, its seconds above.
func stepped(tb testing.TB, t time.Time, d time.Duration) time.Time {
	tb.Helper()
	from := t
	*(*uint64)(unsafe.Pointer(&t)) += uint64(d/time.Second) << 30
	if t.Sub(from) != 0 || t.Round(0).Sub(from.Round(0)) != d {
		tb.Fatalf("the clocks are apart by %s and %s, want 0 and %s", t.Sub(from), t.Round(0).Sub(from.Round(0)), d)
	}
	return t
}

// The wall clock is set on while a claim is held: it is void, though it is young
// by either clock. Within a second the longer age counts.
func TestRule23_EachClaimLooksAtBothClocks(t *testing.T) {
	from := time.Now()
	for name, one := range map[string]struct {
		now  time.Time
		want bool
	}{
		"both went on":                     {from.Add(8 * time.Second), true},
		"wall clock set on by 2 s":         {stepped(t, from.Add(2*time.Second), 2*time.Second), false},
		"wall clock set on by 1 s, 8 s":    {stepped(t, from.Add(8*time.Second), time.Second), true},
		"wall clock set on by 1 s, 9.5 s":  {stepped(t, from.Add(9500*time.Millisecond), time.Second), false},
		"both went on for longer than 10s": {from.Add(10 * time.Second), false},
	} {
		l := attempt.NewLedger()
		l.Begin(k, from)
		if got := l.MayHandOver(k, one.now, 10*time.Second); got != one.want {
			t.Errorf("%s: may hand over %v, want %v", name, got, one.want)
		}
	}
}

// The watch over the clocks voids what is held, also when the clock is set back
// to right before the claim looks.
func TestRule23_TheWatchVoidsWhatIsHeld(t *testing.T) {
	s := &Sender{ledger: attempt.NewLedger(), log: env.Quiet(1).Log}
	from := time.Now()
	s.ledger.Begin(k, from)
	s.compareClocks(from, from.Add(time.Second))
	fresh := attempt.Key{Notification: "n2", Attempt: 1}
	s.ledger.Begin(fresh, from)
	if !s.ledger.MayHandOver(fresh, from.Add(time.Second), 10*time.Second) {
		t.Error("a claim is void though the clocks agree")
	}
	s.compareClocks(from, stepped(t, from.Add(time.Second), 3*time.Second))
	if s.ledger.MayHandOver(k, from.Add(2*time.Second), 10*time.Second) {
		t.Error("a claim outlived clocks that parted")
	}
}

// When the next attempt is due is said by the agreement's clock.
func TestRule20_DueByTheAgreementsClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{behind: time.Hour, peers: map[string]*Sender{}, send: func(context.Context, channel.Message, func() bool) channel.Outcome { return channel.NotNow("busy", "") }}
		s := sender(t, f, "arezzo")
		want := time.Now().Add(-time.Hour)
		s.Begin([]alerting.Item{item("email", false)}, time.Now())
		synctest.Wait()
		if got := f.outcomes(); len(got) != 1 || got[0].DueMs != want.Add(time.Second).UnixMilli() {
			t.Errorf("own attempt: settled %+v, want due at %d", got, want.Add(time.Second).UnixMilli())
		}
		other := item("email", false)
		other.Notification.ID, other.Holder = "n2", origin("roubaix")
		s.Resolve(decision.Fence{Holder: origin("arezzo")}, []alerting.Item{other})
		time.Sleep(5 * time.Second)
		if got := f.outcomes(); len(got) != 2 || time.UnixMilli(got[1].DueMs).After(time.Now().Add(-time.Hour)) {
			t.Errorf("another's: settled %+v, want due by the agreement's clock", got)
		}
	})
}

// What the holder knows and could not settle is settled in its words.
func TestRule24_TheHoldersOutcomeIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := &fakes{fail: 1 << 30} // cut off from the agreement
		h := sender(t, old, "arezzo")
		h.Begin([]alerting.Item{item("email", false)}, time.Now())
		synctest.Wait()
		f := &fakes{peers: map[string]*Sender{"arezzo": h}, cut: 1} // the first question is lost
		s := sender(t, f, "roubaix")
		it := item("email", false)
		it.Holder = origin("arezzo")
		fence := decision.Fence{Shard: 3, Epoch: 9, Holder: origin("roubaix")}
		s.Resolve(fence, []alerting.Item{it})
		time.Sleep(5 * time.Second)
		got := f.outcomes()
		if len(got) != 1 || got[0].State != delivered || got[0].ProviderRef != "ref" || got[0].HandedOverMs == 0 || got[0].By != origin("roubaix") || *got[0].Fence != fence {
			t.Errorf("settled %+v, want the holder's outcome", got)
		}
	})
}

// A process asks nobody about a claim of its own node's former process, least of
// all itself: it doesn't know, and says so.
func TestRule17_AFormerProcessIsAStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{}
		s := sender(t, f, "arezzo")
		it := item("email", false)
		it.Holder = origin("arezzo")
		it.Holder.Incarnation-- // before this one
		s.Resolve(decision.Fence{Holder: origin("arezzo")}, []alerting.Item{it})
		synctest.Wait()
		if got := f.outcomes(); len(got) != 1 || got[0].NeverBegun || !got[0].Doubt {
			t.Errorf("settled %+v, want it in doubt", got)
		}
	})
}

// Of its own claim a process gives its own word, and keeps it.
func TestRule24_OwnClaimIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{}
		s := sender(t, f, "arezzo")
		it := item("email", false)
		it.Holder = origin("arezzo")
		s.Resolve(decision.Fence{Holder: origin("arezzo")}, []alerting.Item{it})
		synctest.Wait()
		s.Begin([]alerting.Item{it}, time.Now())
		synctest.Wait()
		if got := f.outcomes(); len(got) != 1 || !got[0].NeverBegun || got[0].Doubt || len(f.sent) != 0 {
			t.Errorf("settled %+v, sent %d, want never begun", got, len(f.sent))
		}
	})
}

// The attempt is given away while the channel is at work: no last byte, no outcome.
func TestRule24_NeverBegunCutsTheAttemptUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan struct{})
		f := &fakes{send: func(_ context.Context, _ channel.Message, deadline func() bool) channel.Outcome {
			<-asked
			if deadline() {
				t.Error("the last byte was allowed after never begun was promised")
			}
			return channel.NotBegun(channel.ReasonTooLate)
		}}
		h := sender(t, f, "arezzo")
		h.Begin([]alerting.Item{item("email", false)}, time.Now())
		synctest.Wait()
		b := &fakes{peers: map[string]*Sender{"arezzo": h}}
		s := sender(t, b, "roubaix")
		it := item("email", false)
		it.Holder = origin("arezzo")
		s.Resolve(decision.Fence{Holder: origin("roubaix")}, []alerting.Item{it})
		synctest.Wait()
		close(asked)
		synctest.Wait()
		if got := b.outcomes(); len(got) != 1 || !got[0].NeverBegun || len(f.outcomes()) != 0 {
			t.Errorf("the new leader settled %+v, the holder %+v", got, f.outcomes())
		}
	})
}
