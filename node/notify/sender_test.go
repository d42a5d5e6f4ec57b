package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"vedetta/cluster/env"
	"vedetta/node/agreement"
	"vedetta/node/alerting"
	"vedetta/node/attempt"
	"vedetta/node/channel"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

const (
	delivered = decision.StateDelivered
	refused   = decision.StateRefused
	unknown   = decision.StateUnknown
	pending   = decision.StatePending
	cancelled = decision.StateCancelled
)

var k = attempt.Key{Notification: "n1", Attempt: 1}

// fakes is the world around a Sender; everything in it is guarded by mu.
type fakes struct {
	mu       sync.Mutex
	settled  []decision.Outcome
	fail     int // proposals that fail before one succeeds
	send     func(ctx context.Context, m channel.Message, deadline func() bool) channel.Outcome
	sent     []channel.Message
	gone     bool          // the contact is no longer in the roster
	cut      int           // questions that fail before one is answered
	behind   time.Duration // agreement's clock
	doubtful bool
	arrived  bool // an earlier attempt was delivered after all
	peers    map[string]*Sender
}

func (f *fakes) Propose(_ context.Context, body decision.Body) (agreement.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail > 0 {
		f.fail--
		return agreement.Result{}, errors.New("no leader")
	}
	var r agreement.Result
	for _, o := range body.(decision.Settle).Outcomes {
		if slices.ContainsFunc(f.settled, func(was decision.Outcome) bool { // once an attempt, as the agreement has it
			return was.Notification == o.Notification && was.Attempt == o.Attempt && was.By == o.By
		}) {
			r.Outcomes = append(r.Outcomes, agreement.Settled{Reason: agreement.ReasonSettled})
			continue
		}
		f.settled = append(f.settled, o)
		r.Outcomes = append(r.Outcomes, agreement.Settled{State: o.State})
	}
	return r, nil
}

func (f *fakes) Lookup(_, contact, _ string) (string, string, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return contact + "@example.it", "it", !f.gone, nil
}
func (f *fakes) Place(_, _, _ string) Place { return Place{ZoneName: "Ingresso"} }

func (f *fakes) Call(_ context.Context, peer, method string, req []byte) ([]byte, error) {
	f.mu.Lock()
	f.cut--
	cut := f.cut >= 0
	f.mu.Unlock()
	s := f.peers[peer]
	if cut || s == nil || method != Method {
		return nil, errors.New("not connected")
	}
	return s.Answer(req)
}

type fakeChannel struct {
	f          *fakes
	idempotent bool
}

func (c fakeChannel) Traits() channel.Traits {
	return channel.Traits{Idempotent: c.idempotent, Slots: 4}
}
func (c fakeChannel) Send(ctx context.Context, m channel.Message, deadline func() bool) channel.Outcome {
	c.f.mu.Lock()
	c.f.sent = append(c.f.sent, m)
	send := c.f.send
	c.f.mu.Unlock()
	if send != nil {
		return send(ctx, m, deadline)
	}
	if !deadline() {
		return channel.NotBegun(channel.ReasonTooLate)
	}
	return channel.Delivered("ref", time.Now())
}

func (f *fakes) outcomes() []decision.Outcome {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]decision.Outcome{}, f.settled...)
}

func origin(node string) mesh.Origin { return mesh.Origin{Node: node, Incarnation: 1, Random: 7} }

// sender runs a Sender in the bubble until the test ends.
func sender(t *testing.T, f *fakes, node string) *Sender {
	t.Helper()
	e := env.Quiet(1)
	s, err := New(Config{Self: origin(node)}, Parts{
		Channels:  map[string]channel.Sender{"email": fakeChannel{f: f}, "webhook": fakeChannel{f, true}, "sms": channel.Missing{}},
		Addresses: f, Proposer: f, Caller: f, Clock: func() time.Time { return time.Now().Add(-f.behind) },
		Doubtful: func(string) bool { f.mu.Lock(); defer f.mu.Unlock(); return f.doubtful },
		Arrived:  func(string) bool { f.mu.Lock(); defer f.mu.Unlock(); return f.arrived },
	}, e)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func item(channel string, urgent bool) alerting.Item {
	return alerting.Item{
		Customer: "cu", Panel: "p1", PanelName: "Casa", Language: "it", TimeZone: "Europe/Rome", Attempt: 1, Account: "1234",
		Notification: decision.Notification{ID: "n1", Event: "arezzo.1-0000000000000007.5.0", Contact: "c1", Channel: channel, Address: "a1", Urgent: urgent},
		Event:        decision.Event{Standard: "SIA-DCS", Code: "BA", Qualifier: "new", Category: "burglary", Zone: "1", Text: "x"},
		Received:     time.Now(),
	}
}

func TestSendAndSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{fail: 3}
		s := sender(t, f, "arezzo")
		if !s.Reserve("email", false) {
			t.Fatal("no slot")
		}
		s.Begin([]alerting.Item{item("email", false)}, time.Now())
		if !s.Holds("n1", 1) {
			t.Error("not held after Begin")
		}
		time.Sleep(5 * time.Second) // rule 19: the agreement had no leader for a while
		got := f.outcomes()
		if len(got) != 1 || got[0].State != delivered || got[0].By != origin("arezzo") || got[0].Attempt != 1 || got[0].ProviderRef != "ref" || got[0].HandedOverMs == 0 {
			t.Fatalf("settled %+v", got)
		}
		if s.Holds("n1", 1) {
			t.Error("held after it was settled")
		}
		m := f.sent[0]
		if m.Event.Datacenter != "arezzo" || m.Event.Origin != "arezzo.1-0000000000000007.5" || m.Event.ZoneName != "Ingresso" || m.Event.MeaningIT == "" || m.Address != "c1@example.it" {
			t.Errorf("message %+v", m)
		}
		if n := testutil.ToFloat64(s.metrics.total.WithLabelValues("email", "delivered")); n != 1 {
			t.Errorf("counted %v", n)
		}
		for range 3 { // 4 slots, one kept for life safety, all free again
			if !s.Reserve("email", false) {
				t.Error("a slot was not given back")
			}
		}
	})
}

// A kill leaves in doubt what was handed over and not settled: of a channel
// whose repetitions show, never more than its slots.
func TestRule24_NoMoreInDoubtThanSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{fail: 1000} // the agreement has no leader
		s := sender(t, f, "arezzo")
		for i, c := range []string{"email", "email", "email", "webhook", "webhook", "webhook"} {
			if !s.Reserve(c, false) {
				t.Fatalf("no slot for %s", c)
			}
			one := item(c, false)
			one.Notification.ID = fmt.Sprint("n", i)
			s.Begin([]alerting.Item{one}, time.Now())
		}
		synctest.Wait()
		if len(f.sent) != 6 {
			t.Fatalf("%d sent, want all 6", len(f.sent))
		}
		if s.Reserve("email", false) {
			t.Error("a mail's slot was given back before its outcome was recorded")
		}
		if !s.Reserve("webhook", false) {
			t.Error("the slot of an idempotent channel was kept")
		}
		f.mu.Lock()
		f.fail = 0
		f.mu.Unlock()
		time.Sleep(5 * time.Second)
		got := f.outcomes()
		if len(got) != 6 || !s.Reserve("email", false) {
			t.Fatalf("settled %d, want 6, and the slots given back", len(got))
		}
	})
}

// The holder of an earlier attempt may say at last that it was delivered: right
// before the last byte is not too late to leave it at one.
func TestRule24_NothingIsSentAfterOneThatArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{arrived: true}
		s := sender(t, f, "arezzo")
		s.Begin([]alerting.Item{item("email", true)}, time.Now())
		synctest.Wait()
		if got := f.outcomes(); len(got) != 1 || !got[0].NeverBegun || got[0].State != pending || got[0].Reason != channel.ReasonArrived || len(f.sent) != 0 {
			t.Errorf("known before: settled %+v, sent %d", got, len(f.sent))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{}
		handedOver := true
		f.send = func(_ context.Context, _ channel.Message, deadline func() bool) channel.Outcome {
			f.mu.Lock()
			f.arrived = true // heard while the connection was made
			f.mu.Unlock()
			handedOver = deadline()
			return channel.NotBegun(channel.ReasonTooLate)
		}
		s := sender(t, f, "arezzo")
		s.Begin([]alerting.Item{item("email", true)}, time.Now())
		synctest.Wait()
		if got := f.outcomes(); handedOver || len(got) != 1 || !got[0].NeverBegun {
			t.Errorf("known before the last byte: handed over %v, settled %+v", handedOver, got)
		}
	})
}

// Where a repetition shows, the outcome is recorded before others.
func TestOutcomesOfMailsGoFirst(t *testing.T) {
	s := &Sender{outcomes: make([]settlement, settleAtOnce), outcomesFirst: []settlement{{channel: "email"}, {channel: "email"}}}
	batch, more := s.nextOutcomes()
	if len(batch) != settleAtOnce || batch[0].channel != "email" || batch[1].channel != "email" || batch[2].channel != "" || !more {
		t.Errorf("batch of %d begins with %q, more %v; want the mails first", len(batch), batch[0].channel, more)
	}
	if batch, more = s.nextOutcomes(); len(batch) != 2 || more {
		t.Errorf("then %d, more %v; want the last 2", len(batch), more)
	}
}

// What is planned for a channel that the node was not configured for ends at
// once, and says so.
func TestChannelThatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{}
		s := sender(t, f, "arezzo")
		if !s.Reserve("sms", false) {
			t.Fatal("no slot: it would stay open until it expires")
		}
		s.Begin([]alerting.Item{item("sms", false)}, time.Now())
		synctest.Wait()
		if got := f.outcomes(); len(got) != 1 || got[0].State != refused || got[0].Reason != channel.ReasonNoChannel || len(f.sent) != 0 {
			t.Errorf("settled %+v, sent %d", got, len(f.sent))
		}
	})
}

func TestRule23_AgeAtBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{}
		s := sender(t, f, "arezzo")
		s.Begin([]alerting.Item{item("email", true)}, time.Now().Add(-10*time.Second)) // proposed ten seconds ago, committed just now
		synctest.Wait()
		if got := f.outcomes(); len(got) != 1 || !got[0].NeverBegun || got[0].State != pending || len(f.sent) != 0 {
			t.Fatalf("settled %+v, sent %d", got, len(f.sent))
		}
		if at := f.outcomes()[0].DueMs; at != time.Now().Add(time.Second).UnixMilli() {
			t.Errorf("due at %d", at)
		}
	})
}

func TestRule23_ChannelIsCutAtTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{send: func(ctx context.Context, _ channel.Message, deadline func() bool) channel.Outcome {
			<-ctx.Done()
			if deadline() {
				t.Error("the last byte was allowed after ten seconds")
			}
			return channel.NotBegun(channel.ReasonTooLate)
		}}
		s := sender(t, f, "arezzo")
		start := time.Now()
		s.Begin([]alerting.Item{item("email", true)}, start.Add(-3*time.Second))
		time.Sleep(8 * time.Second)
		if got := f.outcomes(); len(got) != 1 || !got[0].NeverBegun {
			t.Fatalf("settled %+v", got)
		}
	})
}

func TestRule15_ContactIsLookedAtOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{gone: true}
		s := sender(t, f, "arezzo")
		s.Begin([]alerting.Item{item("email", false)}, time.Now())
		synctest.Wait()
		if got := f.outcomes(); len(got) != 1 || got[0].State != cancelled || got[0].Reason != channel.ReasonNoAddress || len(f.sent) != 0 {
			t.Errorf("settled %+v, sent %d", got, len(f.sent))
		}
	})
}

func TestChannelThatPanics(t *testing.T) {
	for _, after := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{send: func(_ context.Context, _ channel.Message, deadline func() bool) channel.Outcome {
				if after {
					deadline()
				}
				panic("fault")
			}}
			s := sender(t, f, "arezzo")
			s.Begin([]alerting.Item{item("email", false)}, time.Now())
			synctest.Wait()
			got := f.outcomes()
			if want := map[bool]decision.State{false: pending, true: unknown}[after]; len(got) != 1 || got[0].State != want {
				t.Errorf("last byte out %v: settled %+v, want %s", after, got, want)
			}
		})
	}
}

// Rule 24 with both sides: the holder at one node, the new leader at another.
func TestRule24_NewLeaderAsksTheHolder(t *testing.T) {
	fence := decision.Fence{Shard: 3, Epoch: 9, Holder: origin("roubaix")}
	for name, one := range map[string]struct {
		channel string
		urgent  bool
		holder  func(s *Sender, release chan struct{}) // nil: gone
		send    bool                                   // the holder's channel hands over, then waits for release
		restart bool
		want    *decision.Outcome
	}{
		"never begun":         {channel: "email", holder: func(*Sender, chan struct{}) {}, want: &decision.Outcome{State: pending, NeverBegun: true}},
		"gone, mail":          {channel: "email", want: &decision.Outcome{State: pending, Doubt: true, Reason: channel.ReasonPossiblyTwice}},
		"gone, life safety":   {channel: "email", urgent: true, want: &decision.Outcome{State: pending, Doubt: true, Reason: channel.ReasonPossiblyTwice}},
		"gone, webhook":       {channel: "webhook", want: &decision.Outcome{State: pending, Doubt: true, Reason: channel.ReasonNoAnswer}},
		"another incarnation": {channel: "email", holder: func(*Sender, chan struct{}) {}, restart: true, want: &decision.Outcome{State: pending, Doubt: true, Reason: channel.ReasonPossiblyTwice}},
		"under way":           {channel: "email", send: true, holder: func(s *Sender, _ chan struct{}) { s.Begin([]alerting.Item{item("email", false)}, time.Now()) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				old := &fakes{send: func(_ context.Context, _ channel.Message, deadline func() bool) channel.Outcome {
					deadline()
					<-release
					return channel.Delivered("r", time.Now())
				}}
				f := &fakes{peers: map[string]*Sender{}}
				if one.holder != nil {
					h := sender(t, old, "arezzo")
					if one.restart {
						h.cfg.Self.Incarnation++
					}
					one.holder(h, release)
					synctest.Wait()
					f.peers["arezzo"] = h
				}
				s := sender(t, f, "roubaix")
				it := item(one.channel, one.urgent)
				it.Holder = origin("arezzo")
				s.Resolve(fence, []alerting.Item{it})
				s.Resolve(fence, []alerting.Item{it}) // may be called again
				time.Sleep(5 * time.Second)
				got := f.outcomes()
				if one.want == nil {
					if len(got) != 0 {
						t.Errorf("settled %+v though the holder waits for its provider", got)
					}
					close(release)
					synctest.Wait()
					if own := old.outcomes(); len(own) != 1 || own[0].State != delivered || own[0].Fence != nil {
						t.Errorf("the holder settled %+v", own)
					}
					return
				}
				close(release)
				if len(got) != 1 {
					t.Fatalf("settled %+v", got)
				}
				g, w := got[0], *one.want
				if g.State != w.State || g.NeverBegun != w.NeverBegun || g.Doubt != w.Doubt || g.Reason != w.Reason || g.By != origin("roubaix") || g.Fence == nil || g.Fence.Epoch != 9 || g.DueMs == 0 {
					t.Errorf("settled %+v, want %+v", g, w)
				}
			})
		})
	}
}

func TestRule24_NeverBegunNeverBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{}
		h := sender(t, f, "arezzo")
		b := &fakes{peers: map[string]*Sender{"arezzo": h}}
		s := sender(t, b, "roubaix")
		it := item("email", true)
		it.Holder = origin("arezzo")
		s.Resolve(decision.Fence{Holder: origin("roubaix")}, []alerting.Item{it})
		synctest.Wait()
		h.Begin([]alerting.Item{item("email", true)}, time.Now()) // the commit came late to its own node
		synctest.Wait()
		if len(f.sent) != 0 || len(f.outcomes()) != 0 {
			t.Errorf("begun after all: sent %d, settled %+v", len(f.sent), f.outcomes())
		}
	})
}

func TestRule24_RepeatedWithoutProofIsUnknown(t *testing.T) {
	for name, want := range map[string]decision.State{"email": unknown, "webhook": delivered} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakes{doubtful: true}
			s := sender(t, f, "roubaix")
			it := item(name, true)
			it.Attempt = 2
			s.Begin([]alerting.Item{it}, time.Now())
			synctest.Wait()
			if got := f.outcomes(); len(got) != 1 || got[0].State != want {
				t.Errorf("%s: settled %+v, want %s", name, got, want)
			}
		})
	}
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakes{send: func(_ context.Context, _ channel.Message, deadline func() bool) channel.Outcome {
			deadline()
			time.Sleep(2 * time.Second)
			return channel.Delivered("r", time.Now())
		}}
		s := sender(t, f, "arezzo")
		s.Begin([]alerting.Item{item("email", false)}, time.Now())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Drain(ctx); err == nil {
			t.Error("drained with an attempt under way")
		}
		if err := s.Drain(t.Context()); err != nil || len(f.outcomes()) != 1 {
			t.Errorf("drain: %v, settled %+v", err, f.outcomes())
		}
		if s.Reserve("email", true) {
			t.Error("a slot while draining")
		}
	})
}

func TestQuestionsThatAreNone(t *testing.T) {
	s, err := New(Config{Self: origin("arezzo")}, Parts{Addresses: &fakes{}, Proposer: &fakes{}, Caller: &fakes{}, Clock: time.Now, Doubtful: func(string) bool { return false }, Arrived: func(string) bool { return false }}, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"", "{}", `{"v":2}`, "[]"} {
		if _, err := s.Answer([]byte(q)); err == nil {
			t.Errorf("%q was answered", q)
		}
	}
}
