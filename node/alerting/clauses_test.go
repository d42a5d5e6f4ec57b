package alerting

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vedetta/cluster/consensus"
	"vedetta/node/agreement"
	"vedetta/node/identity"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// proposes is a Proposer that a test makes of a function.
type proposes func(ctx context.Context, body decision.Body) (agreement.Result, error)

func (p proposes) Propose(ctx context.Context, body decision.Body) (agreement.Result, error) {
	return p(ctx, body)
}

// What a former process journaled and nobody decided becomes an event.
func TestRule06_every_origin_ever_seen(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		former := w.self
		w.restart(origin("arezzo", 2))
		w.sends(former, 1, burglary)
		w.assign(w.self)
		time.Sleep(time.Second)
		w.wantSent("ann email BA 1")
	})
}

// What only a dead node held becomes an event when it returns, marked late.
func TestRule06_late_is_said(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		for n, age := range []time.Duration{LateAfter - time.Second, LateAfter + 2*time.Second, 2 * time.Hour} {
			w.sends(origin("roubaix", 1), n+1, burglary, func(m *entry.Message) { m.Received = m.Received.Add(-age) })
		}
		time.Sleep(2 * time.Second)
		sent, verdicts := w.hand.sent(), w.verdicts()
		if len(sent) != 3 || len(verdicts) != 3 {
			t.Fatalf("%d sent of %d decided, want 3", len(sent), len(verdicts))
		}
		for n, want := range []bool{false, true, true} {
			if verdicts[n].Late != want || sent[n].Late != want {
				t.Errorf("entry %d late: decided %v, sent %v, want %v", n, verdicts[n].Late, sent[n].Late, want)
			}
		}
	})
}

// A copy whose origin's clock is 20 minutes ahead, decided when the agreement
// has dropped its own windows, by a process that has read the decisions anew.
func TestRule11_corrected_times_and_a_new_process(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		began := time.Now()
		w.sends(w.self, 1, burglary)
		time.Sleep(20 * time.Minute)
		w.restart(origin("roubaix", 1))
		w.assign(w.self)
		const off = 20 * time.Minute
		w.sends(origin("limburg", 1), 1, burglary, func(m *entry.Message) {
			m.Received, m.OffsetMs = began.Add(5*time.Second+off).UTC(), off.Milliseconds()
		})
		time.Sleep(time.Second)
		w.wantRulings(decision.RulingEvents, decision.RulingCopy)
		w.wantSent("ann email BA 1")
		if v := w.verdicts(); v[1].ReceivedMs != began.Add(5*time.Second).UnixMilli() {
			t.Errorf("received %d by the decision, want the corrected time %d", v[1].ReceivedMs, began.Add(5*time.Second).UnixMilli())
		}
	})
}

// later is an agreement whose clock is ahead of what is applied.
type later struct {
	Agreement
	ahead atomic.Int64
}

func (l *later) Clock() time.Time { return l.Agreement.Clock().Add(time.Duration(l.ahead.Load())) }

// The index holds for the whole retention, and no longer.
func TestRule11_the_index_holds_for_the_whole_retention(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		first := w.sends(w.self, 1, burglary)
		time.Sleep(time.Second)
		decided := w.verdicts()[0]
		w.halt()
		l := &later{Agreement: Applied{View: w.view, Proposer: w.raft}}
		f := w.still(l)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.feed(ctx) }()
		e := Entry{Position: mesh.Position{Origin: origin("roubaix", 1), Number: 1}, Panel: panelID, Sequence: 1, Received: time.UnixMilli(decided.ReceivedMs + 1000)}
		copy(e.Identity[:], decided.Identity)
		l.ahead.Store(int64(8*24*time.Hour - 2*time.Hour))
		time.Sleep(time.Hour + 2*time.Second)
		if j := f.copies.Judge(e, nil); j.CopyOf != first {
			t.Errorf("after nearly 8 days: %+v, want a copy of %s", j, first)
		}
		l.ahead.Store(int64(8*24*time.Hour + time.Hour))
		time.Sleep(time.Hour + 2*time.Second)
		cancel()
		<-done
		if n := len(f.copies.windows) + len(f.copies.once); n != 0 {
			t.Errorf("%d identities remembered after the retention", n)
		}
	})
}

// A message that reports nothing lies between no two others: in one batch, and
// as a decision that is read back.
func TestRule12_polls_in_a_batch_and_in_decisions(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		const empty = "#1234|"
		w.sends(w.self, 0, "#1234|Nri1/PA001")
		time.Sleep(time.Second)
		w.sends(w.self, 0, empty)
		time.Sleep(time.Second)
		w.sends(w.self, 0, "#1234|Nri1/PA001")
		w.assign(w.self) // all three in one batch
		time.Sleep(time.Second)
		time.Sleep(2 * time.Minute)
		w.sends(w.self, 0, "#1234|Nri1/HA001")
		time.Sleep(time.Second)
		w.sends(w.self, 0, empty)
		time.Sleep(time.Second)
		w.restart(origin("roubaix", 1)) // knows them by their decisions alone
		w.assign(w.self)
		w.sends(w.self, 0, "#1234|Nri1/HA001")
		time.Sleep(time.Second)
		e, c := decision.RulingEvents, decision.RulingCopy
		w.wantRulings(e, e, c, e, e, c)
		w.wantSent("ann email PA 1", "ann email HA 1")
	})
}

// The node that is behind the entry's roster decides nothing until it isn't.
func TestRule15_an_older_roster_plans_nothing(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		w.sends(w.self, 1, burglary, func(m *entry.Message) { m.RosterIndex = w.view.Index() + 30 })
		time.Sleep(5 * time.Second)
		w.wantRulings()
		time.Sleep(time.Minute)
		w.wantSent("ann email BA 1")
	})
}

// A plan names the roster it was made with, not what the agreement has by then.
func TestRule15_a_plan_names_its_own_roster(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		time.Sleep(time.Second)
		w.halt()
		f := w.still(nil)
		w.document(2, everything(step("bob", "email", 0, 0))) // applied, and the roster has not followed yet
		w.sends(w.self, 1, burglary)
		f.scan(f.refresh())
		for o := range w.view.Cursors(0) {
			_, _ = f.feedOrigin(o)
		}
		o, _ := w.view.Decided()
		if _, err := f.feedOrigin(o); err != nil {
			t.Fatal(err)
		}
		k := &worker{f: f, s: f.shards[identity.Shard(panelID)]}
		if again, wait := k.step(t.Context(), false); !again || wait == 0 {
			t.Errorf("again %v after %v, want that the plan is made again", again, wait)
		}
		w.wantSent()
		w.roster.Sync()
		k.step(t.Context(), false)
		w.wantSent("bob email BA 1")
	})
}

// The agreement's clock goes at half the pace: what is due is judged by it alone.
func TestRule20_due_by_the_agreements_clock(t *testing.T) {
	bubble(t, []roster.Rule{everything(step("ann", "email", 0, 0), step("bob", "email", 60, 0))}, func(t *testing.T, w *world) {
		w.pace.Store(2)
		w.assign(w.self)
		time.Sleep(100 * time.Second)
		w.sends(w.self, 1, burglary)
		time.Sleep(time.Second)
		w.wantSent("ann email BA 1")
		time.Sleep(115 * time.Second)
		w.wantSent("ann email BA 1")
		time.Sleep(10 * time.Second)
		w.wantSent("ann email BA 1", "bob email BA 1")
	})
}

// A step that is due by our own clock and not by the agreement's isn't claimed
// with its plan.
func TestRule20_nothing_is_claimed_early(t *testing.T) {
	w := &world{t: t, hand: &hand{free: 9}, self: origin("arezzo", 1)}
	now := time.Now()
	f := &Follower{agreement: fixed{at: now.Add(-time.Hour)}, sender: w.hand}
	v := []decision.Verdict{{Plan: []decision.Notification{{ID: "now", DueMs: now.Add(-time.Hour).UnixMilli()}, {ID: "later", DueMs: now.Add(-time.Minute).UnixMilli()}}}}
	if got := f.claimNow(v); len(got) != 1 || !v[0].Plan[0].Claimed || v[0].Plan[1].Claimed {
		t.Errorf("claimed %+v, want only what is due by the agreement's clock", v[0].Plan)
	}
}

// fixed is an agreement of which only the clock is asked.
type fixed struct {
	Agreement
	at time.Time
}

func (f fixed) Clock() time.Time { return f.at }

func TestRule20_resolving_waits_by_the_agreements_clock(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.pace.Store(2)
		w.hand.keep = true
		w.assign(w.self)
		w.sends(w.self, 1, burglary)
		time.Sleep(time.Minute)
		w.restart(origin("roubaix", 1))
		w.raft.early.Store(true) // the epoch's proposer has the agreement's time
		w.assign(w.self)
		time.Sleep(22 * time.Second)
		if n := len(w.hand.handed()); n != 0 {
			t.Errorf("%d claims resolved 11 s after the epoch", n)
		}
		time.Sleep(6 * time.Second)
		if n := len(w.hand.handed()); n == 0 {
			t.Error("no claim resolved 14 s after the epoch")
		}
	})
}

// Whichever way a claim is made, its age counts from before its proposal.
func TestRule23_age_from_before_the_proposal(t *testing.T) {
	bubble(t, []roster.Rule{everything(step("ann", "email", 0, 0), step("bob", "email", 60, 0))}, func(t *testing.T, w *world) {
		w.proposer = proposes(func(ctx context.Context, body decision.Body) (agreement.Result, error) {
			r, err := w.raft.Propose(ctx, body)
			time.Sleep(3 * time.Second) // the answer takes its time
			return r, err
		})
		w.restart(w.self)
		w.assign(w.self)
		time.Sleep(4 * time.Second)
		w.sends(w.self, 1, burglary)
		for range 20 {
			time.Sleep(5 * time.Second)
		}
		w.wantSent("ann email BA 1", "bob email BA 1")
		for i, claimed := range w.claims() {
			if age := w.hand.ages[i]; age.After(claimed) {
				t.Errorf("claim %d: age counts from %v, want at most its commit %v", i, age, claimed)
			}
		}
	})
}

// The first cursor moves hang: entries pass them by, also in a shard that waits
// for a move of its own.
func TestRule25_lazy_moves_stand_in_nobodys_way(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		ours := identity.Shard(panelID)
		w.proposer = proposes(func(ctx context.Context, body decision.Body) (agreement.Result, error) {
			if all := decides(body); len(all) > 0 && len(entriesOf(body)) == 0 && !slices.ContainsFunc(all, func(d decision.Decide) bool { return d.Shard == ours }) {
				<-ctx.Done()
				return agreement.Result{}, ctx.Err()
			}
			return w.raft.Propose(ctx, body)
		})
		w.restart(w.self)
		var all decision.Assign
		for n := range byte(identity.Shards) {
			if n != ours {
				all.Shards = append(all.Shards, decision.Assignment{Shard: n, Holder: w.self})
			}
		}
		w.do(all)
		unknown := func(m *entry.Message) { m.Customer, m.Panel, m.Account = "", "", "FFFF" }
		w.sends(origin("limburg", 1), 1, burglary, unknown)
		time.Sleep(3 * time.Second) // as many moves hang as may
		w.assign(w.self)
		time.Sleep(2 * time.Second) // now our shard's move waits too
		w.sends(w.self, 1, burglary)
		time.Sleep(500 * time.Millisecond)
		w.wantSent("ann email BA 1")
	})
}

// An unknown key proves nothing while nothing is applied here.
func TestRule22_unknown_key_while_nothing_is_applied(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		time.Sleep(2 * time.Second)
		w.dead.Store(true)
		time.Sleep(2 * time.Second)
		w.append(w.self, seal.NewKey(), identity.Shard(panelID), mesh.Identity{9}, entry.Message{Received: time.Now()})
		time.Sleep(10 * time.Minute)
		w.wantRulings()
		w.dead.Store(false)
		time.Sleep(5 * time.Second)
		w.wantRulings(decision.RulingUndecidable)
	})
}

// A batch ends before its command grows beyond what the log takes.
func TestRule14_a_batch_is_bounded(t *testing.T) {
	bubble(t, nil, func(t *testing.T, w *world) {
		var largest atomic.Int64
		w.decode = func(entry.Message) (out []decision.Event, err error) {
			for range 300 {
				out = append(out, decision.Event{Standard: "SIA-DCS", Code: "BA", Qualifier: "new", Category: "burglary", Text: strings.Repeat("x", 90)})
			}
			return out, nil
		}
		w.proposer = proposes(func(ctx context.Context, body decision.Body) (agreement.Result, error) {
			if b, err := decision.EncodeCommand(decision.ProposalID{1}, 0, body); err == nil {
				largest.Store(max(largest.Load(), int64(len(b))))
			}
			return w.raft.Propose(ctx, body)
		})
		w.restart(w.self)
		for n := range 40 {
			w.sends(w.self, n+1, burglary)
		}
		w.assign(w.self)
		time.Sleep(3 * time.Second)
		if n := len(w.verdicts()); n != 40 {
			t.Errorf("%d decided, want 40", n)
		}
		if n := largest.Load(); n > maxDrafted || n < maxDrafted/3 {
			t.Errorf("the largest command has %d bytes, want at most 512 KiB and more than a third of it", n)
		}
	})
}

// led is a world whose panel has one notification: claimed and kept by a process
// of arezzo, or open when there was no slot. roubaix leads now, and is stepped.
func led(t *testing.T, w *world, slots int) *Follower {
	t.Helper()
	w.hand.keep, w.hand.free = true, slots
	w.assign(w.self)
	w.sends(w.self, 1, burglary)
	time.Sleep(time.Second)
	w.halt()
	w.self = origin("roubaix", 1)
	w.assign(w.self)
	w.follower = w.still(nil)
	w.follower.refresh()
	return w.follower
}

func (f *Follower) readDecisions(t *testing.T) {
	t.Helper()
	o, _ := f.agreement.Decided()
	if _, err := f.feedOrigin(o); err != nil {
		t.Fatal(err)
	}
}

// Who has lost a shard and got it back asks nobody under the former epoch.
func TestRule24_the_fence_is_looked_at_once_more(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		f := led(t, w, 1)
		f.readDecisions(t)
		former := f.shards[identity.Shard(panelID)].fence
		w.assign(origin("arezzo", 2))
		w.assign(w.self)
		time.Sleep(20 * time.Second)
		w.tick()
		l := looker{doubtful: map[string]time.Time{}}
		if err := f.look(t.Context(), &l); err != nil {
			t.Fatal(err)
		}
		if n := len(w.hand.handed()); n != 0 {
			t.Errorf("%d claims resolved under the epoch %d, which is over", n, former.Epoch)
		}
		f.refresh()
		f.readDecisions(t)
		if err := f.look(t.Context(), &l); err != nil {
			t.Fatal(err)
		}
		if n := w.hand.fences; len(n) != 1 || n[0].Epoch != former.Epoch+2 {
			t.Errorf("resolved under %+v, want epoch %d", n, former.Epoch+2)
		}
	})
}

// A leader whose copy of the decisions stays incomplete shows the age of what
// is due, so that it costs it the shard.
func TestRule25_age_is_counted_while_decisions_are_missing(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		f := led(t, w, 0)
		time.Sleep(15 * time.Second)
		w.tick()
		if err := f.look(t.Context(), &looker{doubtful: map[string]time.Time{}}); err != nil {
			t.Fatal(err)
		}
		if _, due := f.Ages(time.Now()); due < 14*time.Second {
			t.Errorf("oldest due step %v, want about 15 s", due)
		}
		w.wantSent()
	})
}

// between lets something happen after the first of the two readings that
// refresh makes.
type between struct {
	Agreement
	then func()
}

func (b *between) Decided() (mesh.Origin, uint64) {
	o, n := b.Agreement.Decided()
	b.once()
	return o, n
}

func (b *between) Leads() [identity.Shards]Lead {
	l := b.Agreement.Leads()
	b.once()
	return l
}

func (b *between) once() {
	if then := b.then; then != nil {
		b.then = nil
		then()
	}
}

// What a former leader decided last is read before anything is decided.
func TestRule16_leads_are_read_before_the_decisions(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		time.Sleep(time.Second)
		b := &between{Agreement: Applied{View: w.view, Proposer: w.raft}}
		b.then = func() {
			w.sends(w.self, 1, burglary) // the former leader decides once more
			time.Sleep(time.Second)
			w.halt()
			w.self = origin("roubaix", 1)
			w.assign(w.self)
		}
		former := w.self
		w.self = origin("roubaix", 1)
		f := w.still(b)
		w.self = former
		f.refresh()
		f.refresh()
		_, last := w.view.Decided()
		if _, _, number, ok := f.shards[identity.Shard(panelID)].led(); !ok || number < last {
			t.Errorf("leads %v and decides after reading up to %d, want %d", ok, number, last)
		}
	})
}

// A shard that changes hands every five seconds resolves its old claims.
func TestRule24_resolved_while_the_shard_wanders(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.hand.keep = true
		w.assign(w.self)
		w.sends(w.self, 1, burglary)
		time.Sleep(time.Second)
		w.restart(origin("roubaix", 1))
		for range 4 {
			w.assign(w.self)
			time.Sleep(2500 * time.Millisecond)
			if n := len(w.hand.handed()); n != 0 {
				t.Fatalf("%d claims resolved within 10 s", n)
			}
			w.assign(origin("arezzo", 2))
			time.Sleep(500 * time.Millisecond)
		}
		w.assign(w.self)
		time.Sleep(2500 * time.Millisecond)
		if n := len(w.hand.handed()); n == 0 {
			t.Error("the claim waits anew for each epoch")
		}
	})
}

// After a restart a durable mark is not known for a moment: nothing is decided
// again, and what comes is decided when it is.
func TestRule05_a_mark_below_the_cursor(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		w.sends(w.self, 1, burglary)
		time.Sleep(time.Second)
		w.restart(origin("roubaix", 1))
		w.journal.setDurable(origin("arezzo", 1), 0)
		w.assign(w.self)
		w.sends(origin("arezzo", 1), 2, burglary)
		time.Sleep(5 * time.Second)
		w.wantRulings(decision.RulingEvents)
		if undecided, _ := w.follower.Ages(time.Now()); undecided != 0 {
			t.Errorf("oldest undecided entry %v old, want none: nothing is known to be durable", undecided)
		}
		w.journal.setDurable(origin("arezzo", 1), 2)
		time.Sleep(time.Second)
		w.wantSent("ann email BA 1", "ann email BA 1")
	})
}

// A frame may report more than a thousand events: all are decided, and what is
// planned beyond the bound is said, life safety first.
func TestRule22_nothing_is_left_out_without_a_word(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.hand.free = 5000
		w.assign(w.self)
		w.sends(w.self, 1, "#1234|Nri1"+strings.Repeat("/BA", 1200)+"/FA")
		time.Sleep(5 * time.Second)
		o, n := w.view.Decided()
		records, err := w.journal.Read(o, 1, n, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		codes := map[string]int{}
		for _, r := range records {
			list, _, err := w.follower.openDecision(r)
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range list {
				if rec.Verdict == nil {
					continue
				}
				for _, e := range rec.Verdict.Events {
					codes[e.Code]++
				}
			}
		}
		if codes["BA"] != 1200 || codes["FA"] != 1 || codes[CodeCut] != 1 {
			t.Errorf("decided events %v, want 1200 BA, FA and %s", codes, CodeCut)
		}
		sent := map[string]int{}
		for _, i := range w.hand.sent() {
			sent[i.Event.Code]++
		}
		if sent["BA"] != MaxPlan-1 || sent["FA"] != 1 || sent[CodeCut] != 1 {
			t.Errorf("sent %v, want FA, %s and the rest of %d", sent, CodeCut, MaxPlan)
		}
	})
}

// A command that the log never takes is made smaller, and what is too large
// alone goes to the operator; nothing stands still.
func TestRule22_a_command_too_large_is_halved(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		tries := 0
		w.proposer = proposes(func(ctx context.Context, body decision.Body) (agreement.Result, error) {
			for _, d := range decides(body) {
				for _, v := range d.Entries {
					if tries++; len(d.Entries) > 3 || v.Sequence == 7 && v.Ruling == decision.RulingEvents {
						return agreement.Result{}, fmt.Errorf("proposal: %w", consensus.ErrTooLarge)
					}
				}
			}
			return w.raft.Propose(ctx, body)
		})
		w.restart(w.self)
		for n := range 20 {
			w.sends(w.self, n+1, burglary)
		}
		w.assign(w.self)
		time.Sleep(2 * time.Second)
		verdicts := w.verdicts()
		if len(verdicts) != 20 || tries > 200 {
			t.Fatalf("%d decided after %d tries, want 20", len(verdicts), tries)
		}
		for _, v := range verdicts {
			if want := v.Entry.Number == 7; (v.Ruling == decision.RulingUndecidable) != want {
				t.Errorf("entry %d: %s", v.Entry.Number, v.Ruling)
			}
		}
	})
}

// A shard that has thousands of origins to pass does so in several commands.
func TestRule22_moves_are_bounded(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		largest := 0
		w.proposer = proposes(func(ctx context.Context, body decision.Body) (agreement.Result, error) {
			for _, d := range decides(body) {
				largest = max(largest, len(d.Moves))
			}
			return w.raft.Propose(ctx, body)
		})
		w.restart(w.self)
		unknown := func(m *entry.Message) { m.Customer, m.Panel, m.Account = "", "", "FFFF" }
		for n := range uint64(3 * maxMoves) {
			w.sends(origin("roubaix", n+1), 1, burglary, unknown)
		}
		w.assign(w.self)
		time.Sleep(10 * time.Second)
		if at := len(w.view.Cursors(identity.Shard(panelID))); at != 3*maxMoves || largest != maxMoves {
			t.Errorf("%d origins passed, at most %d at once; want %d and %d", at, largest, 3*maxMoves, maxMoves)
		}
	})
}
