package alerting

import (
	"context"
	"errors"
	"slices"
	"time"

	"vedetta/cluster/consensus"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
)

// Bounds of one proposal, so that its command stays below 1 MiB: a greater one
// would hold up heartbeats. The last entry may go beyond by its own plan.
const (
	maxNotifications = 1000
	maxSealed        = 128 << 10 // bytes of the entries it decides
	maxDrafted       = 512 << 10 // bytes of its verdicts, as they are proposed; one may be greater
	maxVerdict       = 768 << 10 // bytes of one verdict: with its moves it still fits into a command
	maxMoves         = 500       // cursors moved besides those of its entries, some 160 bytes each
)

// worker is what one shard's goroutine remembers between proposals.
type worker struct {
	f       *Follower
	s       *shard
	copies  map[mesh.Position]mesh.Position // refused as copies: they are decided as such
	bad     map[mesh.Position]bool          // refused for other reasons: they go to the operator
	pending *Copies                         // of the batch that is drafted
	doubts  int                             // refusals in a row that name no entry
	most    int                             // entries of a batch, after one that was too large; 0: as configured
	waits   time.Time                       // since when the first entry can't be opened
	index   uint64                          // of the agreement, as applied here at that time
}

// work decides a shard's entries until ctx ends.
func (f *Follower) work(ctx context.Context, s *shard) error {
	w := &worker{f: f, s: s, copies: make(map[mesh.Position]mesh.Position), bad: make(map[mesh.Position]bool)}
	lazy := time.NewTicker(f.cfg.LazyMove)
	defer lazy.Stop()
	for {
		idle := false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.signal:
		case <-lazy.C:
			idle = true
		}
		for {
			changed := f.agreement.Changed()
			began := time.Now()
			again, wait := w.step(ctx, idle)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if again && wait == 0 && s.queued() < f.cfg.BatchEntries {
				// Entries that come one by one are decided together: a proposal
				// costs every node much more than an entry does.
				if !rest(ctx, f.cfg.Pace-time.Since(began)) {
					return ctx.Err()
				}
			}
			if !again {
				break
			}
			if wait > 0 && !pause(ctx, wait, changed) {
				return ctx.Err()
			}
		}
	}
}

// rest waits for d; false when ctx has ended.
func rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// pause waits until something changed, at least 5 ms and at most d.
func pause(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	least := time.NewTimer(5 * time.Millisecond)
	defer least.Stop()
	most := time.NewTimer(d)
	defer most.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-least.C:
	}
	select {
	case <-ctx.Done():
		return false
	case <-changed:
	case <-most.C:
	}
	return true
}

// step makes one proposal; again means that there is more to do, after waiting
// for a change for at most wait.
func (w *worker) step(ctx context.Context, moveOnly bool) (again bool, wait time.Duration) {
	most := w.f.cfg.BatchEntries
	if w.most > 0 {
		most = min(most, w.most)
	}
	if w.doubts >= 3 {
		most = 1 // find the entry that makes the whole batch refused
	}
	b, ok := w.s.peek(most)
	if !ok || len(b.entries) == 0 && !moveOnly {
		return false, 0
	}
	if !w.f.whole(b.origin, b.number0) || !w.f.level() {
		return true, 100 * time.Millisecond // rule 16: its copy of the decisions is not whole yet
	}
	w.f.together.draft()
	cmd, done, err := w.draft(b)
	if len(cmd.Entries) == 0 || len(cmd.Moves) == 0 {
		w.f.together.drafted()
	}
	if len(cmd.Moves) == 0 {
		if err != nil {
			return true, 100 * time.Millisecond
		}
		if done > 0 {
			w.s.take(b.fence, done) // decided before
			return true, 0
		}
		return false, 0
	}
	return w.propose(ctx, b, cmd, done)
}

// judged is an empty index for the entries of one batch.
func (w *worker) judged() *Copies {
	if w.pending == nil {
		w.pending = NewCopies()
	} else {
		w.pending.clear()
	}
	return w.pending
}

// draft makes the command for as many entries of b as can be decided now.
func (w *worker) draft(b batch) (cmd decision.Decide, done int, err error) {
	f := w.f
	d := drafter{f: f, snapshot: f.roster.Snapshot(), now: f.agreement.Clock(), pending: w.judged(), copies: w.copies, bad: w.bad}
	cmd = decision.Decide{Fence: b.fence, RosterIndex: d.snapshot.Index()}
	cursors := make(map[mesh.Origin]uint64, len(b.reach))
	for o := range b.reach {
		cursors[o] = f.agreement.Cursor(b.fence.Shard, o)
	}
	if n := len(b.entries); n > 0 {
		cmd.Entries = make([]decision.Verdict, 0, n)
	}
	notifications, sealed, drafted := 0, 0, 0
	for _, q := range b.entries {
		if q.record.Number > cursors[q.record.Origin] {
			var v decision.Verdict
			v, err = w.verdict(&d, q.record)
			if err != nil {
				break
			}
			size := f.cut(&v)
			if drafted += size; drafted > maxDrafted && len(cmd.Entries) > 0 {
				break // it begins the next proposal
			}
			cmd.Entries = append(cmd.Entries, v)
			notifications += len(v.Plan)
		}
		done++
		sealed += len(q.record.Sealed)
		if notifications >= maxNotifications || sealed >= maxSealed {
			break
		}
	}
	for _, q := range b.entries[done:] {
		if r := q.record; r.Number-1 < b.reach[r.Origin] {
			b.reach[r.Origin] = r.Number - 1
		}
	}
	needed := make(map[mesh.Origin]bool)
	for i := range cmd.Entries {
		needed[cmd.Entries[i].Entry.Origin] = true
	}
	others := 0
	for o, to := range b.reach {
		if to <= cursors[o] {
			continue
		}
		if !needed[o] {
			if others++; others > maxMoves {
				continue // they come with the next
			}
		}
		cmd.Moves = append(cmd.Moves, decision.Move{Origin: o, From: cursors[o], To: to})
	}
	slices.SortFunc(cmd.Moves, func(a, b decision.Move) int { return a.Origin.Compare(b.Origin) })
	// Between origins by receive time, within one by number (it is stable and
	// the merge below never overtakes).
	cmd.Entries = merge(cmd.Entries)
	return cmd, done, err
}

// verdict drafts one entry. One that can't be opened is given some time: its
// key may not be applied here yet. Then it is undecidable (rule 22). One of a
// newer form is left alone, and so is one of a newer roster, or of an unknown
// key while nothing is applied here: they only prove that this node is behind,
// and its lag hands the shard to another (rules 4, 25).
func (w *worker) verdict(d *drafter, r mesh.Record) (decision.Verdict, error) {
	v, err := d.draft(r)
	if err == nil {
		w.waits = time.Time{}
		return v, nil
	}
	newer := errors.Is(err, entry.ErrVersion)
	if w.waits.IsZero() {
		w.waits, w.index = time.Now(), w.f.agreement.Index()
		if newer {
			w.f.log.Error("entry of a newer form: this program must be updated, it decides nothing from here on", "entry", v.Entry.String(), "shard", r.Shard, "err", err)
		}
	}
	if !errors.Is(err, errNoKey) || time.Since(w.waits) < w.f.cfg.KeyPatience || w.f.agreement.Index() == w.index {
		return v, err
	}
	w.f.log.Error("entry can't be opened", "entry", v.Entry.String(), "err", err)
	v.Ruling = decision.RulingUndecidable
	return v, nil
}

// merge orders verdicts by receive time without changing the order within an
// origin.
func merge(in []decision.Verdict) []decision.Verdict {
	type list struct {
		origin mesh.Origin
		at     []int // of in, in their order
	}
	var lists []list
	for i := range in {
		k := slices.IndexFunc(lists, func(l list) bool { return l.origin == in[i].Entry.Origin })
		if k < 0 {
			k = len(lists)
			lists = append(lists, list{origin: in[i].Entry.Origin})
		}
		lists[k].at = append(lists[k].at, i)
	}
	if len(lists) < 2 {
		return in
	}
	out := make([]decision.Verdict, 0, len(in))
	for len(out) < len(in) {
		first := -1
		for k := range lists {
			if len(lists[k].at) > 0 && (first < 0 || in[lists[k].at[0]].ReceivedMs < in[lists[first].at[0]].ReceivedMs) {
				first = k
			}
		}
		out = append(out, in[lists[first].at[0]])
		lists[first].at = lists[first].at[1:]
	}
	return out
}

// propose asks the agreement, and carries out what it says.
func (w *worker) propose(ctx context.Context, b batch, cmd decision.Decide, done int) (again bool, wait time.Duration) {
	f := w.f
	with, slots, urgent := f.together, f.inFlight, (<-chan struct{})(nil)
	if len(cmd.Entries) == 0 {
		with, slots, urgent = f.lazyTogether, f.lazily, w.s.signal
		with.draft()
	}
	reserved := f.claimNow(cmd.Entries)
	ageFrom := time.Now() // before the proposal (rule 23)
	r, asked, err := with.propose(ctx, cmd, slots, urgent, func(ctx context.Context, all decision.DecideShards) (Result, error) {
		return f.agreement.Propose(ctx, all)
	})
	if !asked || err != nil || r.Refused != Accepted {
		for _, channel := range reserved {
			f.sender.Release(channel)
		}
	}
	if !asked {
		return err == nil, 0 // an entry came, or the lead changed: look anew
	}
	if errors.Is(err, consensus.ErrTooLarge) {
		return w.tooLarge(b, cmd, err)
	}
	if err != nil {
		// It may still be applied: what it claims will never be begun here, and
		// the cursor keeps a second decision out.
		f.abandon(cmd.Entries)
		f.log.Warn("decision of unknown end", "shard", b.fence.Shard, "entries", len(cmd.Entries), "err", err)
		w.s.restart(b.fence)
		w.s.wake() // what urgent told may be forgotten
		return false, 0
	}
	if r.Refused != Accepted {
		f.refusals.WithLabelValues(string(r.Refused)).Inc()
		return w.refused(b, cmd, r)
	}
	w.doubts, w.most = 0, 0
	clear(w.copies)
	clear(w.bad)
	for i := range cmd.Entries {
		f.decisions.WithLabelValues(string(cmd.Entries[i].Ruling)).Inc()
	}
	f.begin(cmd.Entries, r.Claims, ageFrom)
	w.s.take(b.fence, done)
	select {
	case f.space <- struct{}{}:
	default:
	}
	return true, 0
}

// tooLarge says how to go on when nothing was done and never will be: with half
// of the entries; one that is too large alone goes to the operator (rule 22).
func (w *worker) tooLarge(b batch, cmd decision.Decide, err error) (again bool, wait time.Duration) {
	w.f.log.Error("decision is too large", "shard", b.fence.Shard, "entries", len(cmd.Entries), "moves", len(cmd.Moves), "err", err)
	w.most = max(1, len(cmd.Entries)/2)
	if len(cmd.Entries) == 1 {
		w.bad[cmd.Entries[0].Entry] = true
	}
	return len(cmd.Entries) > 0, 5 * time.Millisecond
}

// refused says how to go on after a refusal.
func (w *worker) refused(b batch, cmd decision.Decide, r Result) (again bool, wait time.Duration) {
	named := slices.ContainsFunc(cmd.Entries, func(v decision.Verdict) bool { return v.Entry == r.Entry })
	switch {
	case r.Refused == RefusedEpoch: // the reader takes the shard away, or gives it anew
		return true, time.Second
	case r.Refused == RefusedCursor:
		w.s.restart(b.fence)
		w.f.nudge()
		return false, 0
	case r.Refused == RefusedRoster || r.Refused == RefusedDayKey || r.Refused == RefusedStale:
		return true, 200 * time.Millisecond // drafted again with what is applied by then
	case r.Refused == RefusedCopy && named && !r.CopyOf.IsZero():
		w.copies[r.Entry] = r.CopyOf
		return true, 0
	case named && !w.bad[r.Entry]:
		w.bad[r.Entry] = true
	default:
		w.doubts++
		if w.doubts >= 6 && len(cmd.Entries) == 1 {
			w.bad[cmd.Entries[0].Entry] = true
		}
	}
	w.f.log.Error("decision refused, not expected", "shard", b.fence.Shard, "reason", string(r.Refused), "entry", r.Entry.String())
	return true, 200 * time.Millisecond
}

// nudge makes the reader look again.
func (f *Follower) nudge() {
	select {
	case f.space <- struct{}{}:
	default:
	}
}
