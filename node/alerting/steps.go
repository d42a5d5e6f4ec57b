package alerting

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/node/identity"
	"vedetta/wire/decision"
)

// proposalPatience is how long a proposal is waited for: a claim older than
// its hand-over deadline is of no use.
const proposalPatience = 8 * time.Second

// resolveEvery is how often open claims of others are handed over again.
const resolveEvery = 2 * time.Second

// claimsAtOnce bounds the steps of one Claim.
const claimsAtOnce = 128

// withdrawAtOnce bounds the claims that one look gives back: some 300 bytes each.
const withdrawAtOnce = 1000

// claimNow claims, in the command that plans them, the steps that are due at
// once and whose channel has a free slot (rule 14); it returns the channels of
// the slots taken.
func (f *Follower) claimNow(entries []decision.Verdict) (reserved []string) {
	now := f.agreement.Clock().UnixMilli()
	full := make(map[string]bool)
	f.mu.Lock()
	given := maps.Clone(f.abandoned) // those are claimed by the due loop alone, which withdraws them too
	f.mu.Unlock()
	for _, urgent := range []bool{true, false} {
		for i := range entries {
			for j := range entries[i].Plan {
				n := &entries[i].Plan[j]
				if _, ok := given[n.ID]; ok || n.Urgent != urgent || n.DueMs > now || full[n.Channel] {
					continue
				}
				if !f.sender.Reserve(n.Channel, n.Urgent) {
					full[n.Channel] = true
					continue
				}
				n.Claimed = true
				reserved = append(reserved, n.Channel)
			}
		}
	}
	return reserved
}

// begin hands over what a decision claimed; attempts are the agreement's
// answers in the order of the claims.
func (f *Follower) begin(entries []decision.Verdict, attempts []int, ageFrom time.Time) {
	var items []Item
	next := 0
	for i := range entries {
		for _, n := range entries[i].Plan {
			if !n.Claimed {
				continue
			}
			attempt := 0
			if next < len(attempts) {
				attempt = attempts[next]
			}
			next++
			if attempt == 0 {
				f.sender.Release(n.Channel)
				continue
			}
			item, err := f.item(entries[i], n, attempt)
			if err != nil {
				f.log.Error("claimed and not begun", "notification", n.ID, "err", err)
				f.sender.Release(n.Channel)
				f.giveUp(n.ID)
				continue
			}
			items = append(items, item)
		}
	}
	f.keep(items)
	if len(items) > 0 {
		f.sender.Begin(items, ageFrom)
	}
}

// keep takes notifications off the list of those that are never begun.
func (f *Follower) keep(items []Item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range items {
		delete(f.abandoned, items[i].Notification.ID)
	}
}

func (f *Follower) giveUp(notification string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.abandoned[notification] = struct{}{}
}

// item gathers what a channel needs to know.
func (f *Follower) item(v decision.Verdict, n decision.Notification, attempt int) (Item, error) {
	i := strings.LastIndexByte(n.Event, '.')
	index, err := strconv.Atoi(n.Event[i+1:])
	if err != nil {
		return Item{}, fmt.Errorf("event %q: want an index at its end", n.Event)
	}
	at := slices.IndexFunc(v.Events, func(e decision.Event) bool { return e.Index == index })
	if at < 0 {
		return Item{}, fmt.Errorf("event %q: not in its decision", n.Event)
	}
	item := Item{Customer: v.Customer, Panel: v.Panel, Notification: n, Attempt: attempt, Holder: f.cfg.Self,
		Event: v.Events[at], Received: time.UnixMilli(v.ReceivedMs).UTC(), Late: v.Late}
	if c, ok := f.roster.Snapshot().Customer(v.Customer); ok {
		item.Language = c.Doc.Language
		if p, ok := c.Panel(v.Panel); ok {
			item.PanelName, item.TimeZone, item.Account = p.Name, p.TimeZone, p.Account
		}
	}
	return item, nil
}

// freedPause is how long freed slots are gathered before steps that wait for
// one are claimed: a claim for each would be an entry of the agreement each.
const freedPause = 20 * time.Millisecond

// due claims what is due in the led shards, resolves others' claims, and
// withdraws own ones that can't be begun. While steps wait for a slot, it looks
// again when slots have become free: the channel's pace is the pace of the
// backlog, not the ticker's.
func (f *Follower) due(ctx context.Context) error {
	tick := time.NewTicker(f.cfg.DueEvery)
	defer tick.Stop()
	l := looker{doubtful: make(map[string]time.Time)}
	for {
		var freed <-chan struct{}
		if l.waiting {
			freed = f.sender.Freed()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-freed:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(freedPause):
			}
		}
		if err := f.look(ctx, &l); err != nil {
			return err
		}
	}
}

// looker is what the due loop remembers between two looks.
type looker struct {
	doubtful map[string]time.Time       // own claims that package notify doesn't hold, by id and attempt
	resolved [identity.Shards]time.Time // when others' claims were last handed over
	waiting  bool                       // steps are due whose channel had no free slot
}

// look goes once over the open steps.
func (f *Follower) look(ctx context.Context, l *looker) error {
	clock, now := f.agreement.Clock(), time.Now()
	var oldest time.Time
	var withdraw []Step
	full := make(map[string]bool)
	seen := make(map[string]bool)
	var g errgroup.Group
	g.SetLimit(8)
	leads := f.agreement.Leads()
	for i, s := range f.shards {
		fence, origin, number, ok := s.led()
		free, others, own := f.sort(s.number, clock)
		for _, st := range own { // whoever leads the shard: a holder's own word needs no fence (rule 18)
			key := st.ID + "/" + strconv.Itoa(st.Attempt)
			seen[key] = true
			if len(withdraw) < withdrawAtOnce && f.orphan(st, key, l.doubtful, now) {
				withdraw = append(withdraw, st)
			}
		}
		if !ok || leads[i].Fence != fence {
			continue // the times below must be those of this very epoch
		}
		since := leads[i].Since
		for _, st := range free { // also when nothing can be claimed: the age costs it the shard (rule 25)
			at := time.UnixMilli(st.DueMs)
			if at.Before(since) {
				at = since // what a former leader left behind isn't this one's age
			}
			if oldest.IsZero() || at.Before(oldest) {
				oldest = at
			}
		}
		if !f.whole(origin, number) {
			continue
		}
		others = slices.DeleteFunc(others, func(st Step) bool { return clock.Sub(st.Ended) < f.cfg.ResolveAfter })
		if len(others) > 0 && now.Sub(l.resolved[s.number]) >= resolveEvery {
			l.resolved[s.number] = now
			f.sender.Resolve(fence, f.items(others))
		}
		if chosen := f.choose(free, full); len(chosen) > 0 {
			g.Go(func() error { f.claim(ctx, fence, chosen); return nil })
		}
	}
	l.waiting = len(full) > 0
	if len(withdraw) > 0 {
		g.Go(func() error { f.withdraw(ctx, withdraw, clock); return nil })
	}
	f.mu.Lock()
	f.oldestDue = oldest // at once: claims may take long
	f.mu.Unlock()
	_ = g.Wait() // claims report for themselves
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for key := range l.doubtful {
		if !seen[key] {
			delete(l.doubtful, key)
		}
	}
	if oldest.IsZero() {
		f.openAge.Set(0)
	} else {
		f.openAge.Set(clock.Sub(oldest).Seconds())
	}
	return nil
}

// sort tells the open steps of a shard apart: free and due, urgent ones first;
// claimed by others; claimed by this process.
func (f *Follower) sort(shard byte, clock time.Time) (free, others, own []Step) {
	ms := clock.UnixMilli()
	f.agreement.Steps(shard, func(st Step) bool {
		switch {
		case st.Holder == f.cfg.Self:
			own = append(own, st)
		case !st.Holder.IsZero():
			others = append(others, st)
		case st.DueMs <= ms:
			free = append(free, st)
		}
		return true
	})
	slices.SortFunc(free, func(a, b Step) int {
		if a.Urgent != b.Urgent {
			if a.Urgent {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.DueMs, b.DueMs), cmp.Compare(a.ID, b.ID))
	})
	return free, others, own
}

type chosen struct {
	step Step
	item Item
}

// choose takes the steps whose channel has a free slot.
func (f *Follower) choose(free []Step, full map[string]bool) []chosen {
	var out []chosen
	for _, st := range free {
		if len(out) == claimsAtOnce {
			break
		}
		if full[st.Channel] {
			continue
		}
		if !f.sender.Reserve(st.Channel, st.Urgent) {
			full[st.Channel] = true
			continue
		}
		items := f.items([]Step{st})
		if len(items) == 0 {
			f.sender.Release(st.Channel)
			continue
		}
		items[0].Attempt, items[0].Holder = st.Attempt+1, f.cfg.Self
		out = append(out, chosen{st, items[0]})
	}
	return out
}

// items reads the decisions behind steps; those that can't be read are left
// out and looked at again.
func (f *Follower) items(steps []Step) []Item {
	out := make([]Item, 0, len(steps))
	for _, st := range steps {
		v, err := f.verdict(st.Verdict)
		if err == nil {
			var item Item
			if item, err = f.item(v, st.Notification, st.Attempt); err == nil {
				item.Holder = st.Holder
				out = append(out, item)
				continue
			}
		}
		f.log.Warn("step not read", "notification", st.ID, "err", err)
	}
	return out
}

// claim takes steps and hands over those that the agreement gave.
func (f *Follower) claim(ctx context.Context, fence decision.Fence, list []chosen) {
	cmd := decision.Claim{Fence: fence}
	for _, c := range list {
		cmd.Notifications = append(cmd.Notifications, c.step.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, proposalPatience)
	defer cancel()
	ageFrom := time.Now() // before the proposal (rule 23)
	r, err := f.agreement.Propose(ctx, cmd)
	if err != nil {
		f.log.Warn("claim of unknown end", "shard", fence.Shard, "steps", len(list), "err", err)
	} else if r.Refused != Accepted {
		f.refusals.WithLabelValues(string(r.Refused)).Inc()
	}
	var items []Item
	for i, c := range list {
		if err == nil && r.Refused == Accepted && i < len(r.Claims) && r.Claims[i] > 0 {
			c.item.Attempt = r.Claims[i]
			items = append(items, c.item)
			continue
		}
		f.sender.Release(c.step.Channel)
		if err != nil {
			f.giveUp(c.step.ID)
		}
	}
	f.keep(items)
	if len(items) > 0 {
		f.sender.Begin(items, ageFrom)
	}
}

// orphanAge is how long an own claim that nobody sends may stay: longer than
// its hand-over deadline, so that it is surely not on its way to be begun.
const orphanAge = 12 * time.Second

// orphan tells whether an own claim will never be begun: at once when its
// proposal was given up here, else after orphanAge.
func (f *Follower) orphan(st Step, key string, doubtful map[string]time.Time, now time.Time) bool {
	if f.sender.Holds(st.ID, st.Attempt) {
		delete(doubtful, key)
		return false
	}
	f.mu.Lock()
	_, abandoned := f.abandoned[st.ID]
	f.mu.Unlock()
	if abandoned {
		return true
	}
	at, ok := doubtful[key]
	if !ok {
		doubtful[key] = now
		return false
	}
	return now.Sub(at) >= orphanAge
}

// withdraw gives claims back as never begun: they are claimed anew (rule 14).
// What the agreement didn't take now is tried again at the next look.
func (f *Follower) withdraw(ctx context.Context, steps []Step, clock time.Time) {
	ctx, cancel := context.WithTimeout(ctx, proposalPatience)
	defer cancel()
	var cmd decision.Settle
	for _, st := range steps {
		cmd.Outcomes = append(cmd.Outcomes, decision.Outcome{Notification: st.ID, Attempt: st.Attempt, By: f.cfg.Self,
			State: decision.StatePending, NeverBegun: true, DueMs: clock.UnixMilli()})
	}
	r, err := f.agreement.Propose(ctx, cmd)
	if err != nil || r.Refused != Accepted || len(r.Outcomes) != len(steps) {
		f.log.Warn("claims not withdrawn yet", "steps", len(steps), "reason", string(r.Refused), "err", err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, st := range steps {
		switch r.Outcomes[i] {
		case Accepted, RefusedSettled, RefusedUnknown, RefusedAttempt: // it is no claim of this process any more
			delete(f.abandoned, st.ID)
		default:
			f.log.Warn("claim not withdrawn yet", "notification", st.ID, "reason", string(r.Outcomes[i]))
		}
	}
}
