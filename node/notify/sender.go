package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/cluster/env"
	"vedetta/node/agreement"
	"vedetta/node/alerting"
	"vedetta/node/attempt"
	"vedetta/node/channel"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// Config of a Sender.
type Config struct {
	Self mesh.Origin // this process
	// HandOver is how old a claim may be when its last byte leaves, counted
	// from before its proposal (rule 23); 10 s when zero.
	HandOver time.Duration
	// Ask bounds one question to a claim's holder; 700 ms when zero, twice.
	Ask time.Duration
}

// Addressbook is the roster, asked right before sending (rule 15).
type Addressbook interface {
	// Lookup opens an address; ok is false when nothing may be sent to it any more.
	Lookup(customer, contact, address string) (value, language string, ok bool, err error)
	// Place is what the roster knows of a panel's zone; empty when it knows nothing.
	Place(customer, panel, zone string) Place
}

// Place is a panel's names.
type Place struct {
	ZoneName string
	Prefix   *string // as the panel is entered, nil: any
	Receiver *string
}

// Proposer puts a command before the agreement, repeats it under one id until
// there is a result or ctx ends (rule 19).
type Proposer interface {
	Propose(ctx context.Context, body decision.Body) (agreement.Result, error)
}

// Caller asks another node.
type Caller interface {
	Call(ctx context.Context, peer, method string, req []byte) ([]byte, error)
}

// Parts are what a Sender talks to.
type Parts struct {
	Channels  map[string]channel.Sender // by name
	Addresses Addressbook
	Proposer  Proposer
	Caller    Caller
	Clock     func() time.Time // the agreement's (rule 20)
	// Doubtful tells whether an earlier attempt of the notification was, or may
	// have been, handed over, as this node has applied it. An attempt that follows
	// it in the agreement finds it there, since a claim is applied here before Begin.
	Doubtful func(notification string) bool
	// Arrived tells whether the holder of an earlier attempt has said, late, that
	// it was delivered: then this one is not handed over.
	Arrived func(notification string) bool
}

// Sender is what package alerting hands claims to.
type Sender struct {
	cfg     Config
	p       Parts
	log     *slog.Logger
	slots   *slots
	ledger  *attempt.Ledger
	metrics *metrics
	work    chan struct{} // told when queue has grown

	mu            sync.Mutex
	queue         []job                    // guarded by mu: taken by Begin and Resolve, not yet started
	resolving     map[attempt.Key]struct{} // guarded by mu
	underWay      int                      // guarded by mu: attempts begun and not settled
	outcomes      []settlement             // guarded by mu: to be proposed, after
	outcomesFirst []settlement             // guarded by mu: those of channels that aren't idempotent
	settle        chan struct{}            // told when outcomes has grown
	idle          chan struct{}            // closed and replaced when underWay falls to 0
}

type job struct {
	item    alerting.Item
	ageFrom time.Time
	fence   *decision.Fence // set: resolve it, it is another's
}

var _ alerting.Sender = (*Sender)(nil)

// New makes a Sender; it starts nothing.
func New(cfg Config, p Parts, e env.Env) (*Sender, error) {
	if cfg.HandOver == 0 {
		cfg.HandOver = 10 * time.Second
	}
	if cfg.Ask == 0 {
		cfg.Ask = 700 * time.Millisecond
	}
	if p.Addresses == nil || p.Proposer == nil || p.Caller == nil || p.Clock == nil || p.Doubtful == nil || p.Arrived == nil {
		return nil, errors.New("notify: want all parts")
	}
	limits := map[string]int{}
	for name, c := range p.Channels {
		limits[name] = c.Traits().Slots
		if limits[name] == 0 {
			limits[name] = defaultSlots
		}
	}
	m, err := newMetrics(e.Metrics, slices.Collect(maps.Keys(p.Channels)))
	if err != nil {
		return nil, fmt.Errorf("notify: metrics: %w", err)
	}
	return &Sender{
		cfg: cfg, p: p, log: e.Log, slots: newSlots(limits), ledger: attempt.NewLedger(), metrics: m,
		work: make(chan struct{}, 1), settle: make(chan struct{}, 1), idle: make(chan struct{}), resolving: map[attempt.Key]struct{}{},
	}, nil
}

// Reserve takes a free slot of a channel; false when there is none.
func (s *Sender) Reserve(name string, urgent bool) bool { return s.slots.take(name, urgent) }

// Release gives back a slot that Begin will not use.
func (s *Sender) Release(name string) { s.slots.give(name) }

// Freed gets a signal when a slot was given back.
func (s *Sender) Freed() <-chan struct{} { return s.slots.freed }

// Holds tells whether Begin took this attempt and its outcome isn't settled yet.
func (s *Sender) Holds(notification string, number int) bool {
	return s.ledger.Holds(attempt.Key{Notification: notification, Attempt: number})
}

// Begin sends what was claimed for this process, life safety first. It doesn't
// wait. ageFrom lies before the claims' proposal.
func (s *Sender) Begin(items []alerting.Item, ageFrom time.Time) {
	var jobs []job
	for _, urgent := range []bool{true, false} {
		for _, item := range items {
			if item.Notification.Urgent != urgent {
				continue
			}
			if !s.ledger.Begin(attempt.Key{Notification: item.Notification.ID, Attempt: item.Attempt}, ageFrom) {
				s.slots.give(item.Notification.Channel) // somebody was told that it never begins
				continue
			}
			jobs = append(jobs, job{item: item, ageFrom: ageFrom})
		}
	}
	s.mu.Lock()
	s.underWay += len(jobs)
	s.queue = append(s.queue, jobs...)
	s.mu.Unlock()
	wake(s.work)
}

// Resolve finds out what became of claims of other processes and settles them
// under the fence (rule 24). It doesn't wait and may be called again.
func (s *Sender) Resolve(fence decision.Fence, items []alerting.Item) {
	s.mu.Lock()
	for _, item := range items {
		k := attempt.Key{Notification: item.Notification.ID, Attempt: item.Attempt}
		if _, ok := s.resolving[k]; ok {
			continue
		}
		s.resolving[k] = struct{}{}
		s.queue = append(s.queue, job{item: item, fence: &fence})
	}
	s.mu.Unlock()
	wake(s.work)
}

// Drain gives no more slots and waits until every attempt has been settled, or ctx ends.
func (s *Sender) Drain(ctx context.Context) error {
	s.slots.close()
	for {
		s.mu.Lock()
		n, idle := s.underWay, s.idle
		s.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("%d attempts are not settled: %w", n, ctx.Err())
		}
	}
}

// Run sends, resolves and settles until ctx ends. Then what has not handed
// over is cut; who wants outcomes recorded calls Drain first.
func (s *Sender) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for range settlers {
		g.Go(func() error { return s.runSettler(ctx) })
	}
	g.Go(func() error { return s.watchClocks(ctx) })
	g.Go(func() error {
		for {
			s.mu.Lock()
			jobs := s.queue
			s.queue = nil
			s.mu.Unlock()
			for _, j := range jobs {
				g.Go(func() error { s.do(ctx, j); return nil })
			}
			select {
			case <-s.work:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (s *Sender) do(ctx context.Context, j job) {
	if j.fence != nil {
		s.resolveOne(ctx, *j.fence, j.item)
		return
	}
	s.send(ctx, j)
}

// send makes one attempt and hands its outcome to the settler.
func (s *Sender) send(ctx context.Context, j job) {
	n := j.item.Notification
	k := attempt.Key{Notification: n.ID, Attempt: j.item.Attempt}
	doubtful := s.p.Doubtful(n.ID) // asked while the notification is surely open
	out := s.attempt(ctx, j)
	// Where a repetition shows, the slot is held until the outcome is recorded:
	// so a kill leaves no more in doubt than the channel has slots.
	hold := !s.idempotent(n.Channel)
	if !hold {
		s.slots.give(n.Channel)
	}
	v := attempt.Judge(attempt.Facts{Number: j.item.Attempt, Urgent: n.Urgent, Idempotent: s.idempotent(n.Channel), Doubtful: doubtful}, out)
	o := decision.Outcome{
		Notification: n.ID, Attempt: j.item.Attempt, By: s.cfg.Self, State: v.State, Reason: v.Reason, NeverBegun: v.NeverBegun, Doubt: v.Doubt,
		ProviderRef: out.ProviderRef,
	}
	if !out.HandedOver.IsZero() {
		o.HandedOverMs = out.HandedOver.UnixMilli()
	}
	if v.State == decision.StatePending {
		o.DueMs = s.p.Clock().Add(v.After).UnixMilli()
	}
	s.log.Debug("attempt ended", "notification", n.ID, "contact", n.Contact, "channel", n.Channel, "attempt", j.item.Attempt, "state", string(o.State), "reason", o.Reason)
	if !s.ledger.Done(k, o) {
		if hold {
			s.slots.give(n.Channel)
		}
		s.ended() // whoever asked settles it
		return
	}
	s.enqueue(settlement{outcome: o, channel: n.Channel, received: j.item.Received, own: true, slot: hold})
}

// attempt looks the contact up once more and sends. A panic of a channel is an
// attempt in doubt once its last byte may be out.
func (s *Sender) attempt(ctx context.Context, j job) (out channel.Outcome) {
	n := j.item.Notification
	k := attempt.Key{Notification: n.ID, Attempt: j.item.Attempt}
	ch := s.p.Channels[n.Channel]
	if ch == nil {
		return channel.Refused(channel.ReasonNoChannel, "")
	}
	left := s.cfg.HandOver - attempt.Spent(j.ageFrom, time.Now())
	if left <= 0 {
		return channel.NotBegun(channel.ReasonTooLate)
	}
	if s.p.Arrived(n.ID) {
		return channel.NotBegun(channel.ReasonArrived)
	}
	value, language, ok, err := s.p.Addresses.Lookup(j.item.Customer, n.Contact, n.Address)
	switch {
	case err != nil:
		s.log.Error("address not opened", "contact", n.Contact, "err", err)
		return channel.NotBegun(channel.ReasonNoAddress)
	case !ok:
		return channel.Outcome{State: decision.StateCancelled, Reason: channel.ReasonNoAddress}
	}
	out = channel.NotBegun(channel.ReasonUnreachable)
	var handed time.Time
	defer func() {
		if p := recover(); p != nil {
			// The panic's value may hold the alarm's text: its type must do.
			s.log.Error("channel panicked", "channel", n.Channel, "notification", n.ID, "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			if !handed.IsZero() {
				out = channel.Unknown(handed, ch.Traits().Idempotent)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return ch.Send(ctx, message(j.item, value, language, s.p.Addresses.Place(j.item.Customer, j.item.Panel, j.item.Event.Zone)), func() bool {
		now := time.Now()
		if s.p.Arrived(n.ID) || !s.ledger.MayHandOver(k, now, s.cfg.HandOver) {
			return false
		}
		handed = now
		return true
	})
}

func (s *Sender) idempotent(name string) bool {
	ch := s.p.Channels[name]
	return ch != nil && ch.Traits().Idempotent
}

// ended counts one attempt less under way.
func (s *Sender) ended() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.underWay--; s.underWay == 0 {
		close(s.idle)
		s.idle = make(chan struct{})
	}
}

// watchClocks voids every claim when the two clocks part (rule 23), and forgets
// what is over.
func (s *Sender) watchClocks(ctx context.Context) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	last := time.Now()
	for forget := 0; ; forget++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		now := time.Now()
		s.compareClocks(last, now)
		last = now
		if forget%120 == 0 {
			s.ledger.Forget(now)
		}
	}
}

// compareClocks voids every claim held when the clocks have advanced differently
// since last.
func (s *Sender) compareClocks(last, now time.Time) {
	if attempt.Diverged(last, now) {
		s.ledger.VoidAll(now)
		s.log.Error("wall clock and monotonic clock have parted, claims are void", "monotonic", now.Sub(last), "wall", now.Round(0).Sub(last.Round(0)))
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
