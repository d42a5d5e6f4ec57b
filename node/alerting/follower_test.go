package alerting

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vedetta/node/identity"
	"vedetta/wire/dc09"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

const burglary = "#1234|Nri1/BA001"

func everything(steps ...roster.Step) roster.Rule {
	return roster.Rule{ID: "r1", Enabled: true, Steps: steps}
}

func (w *world) wantSent(want ...string) {
	w.t.Helper()
	var got []string
	for _, i := range w.hand.sent() {
		got = append(got, fmt.Sprintf("%s %s %s %d", i.Notification.Contact, i.Notification.Channel, i.Event.Code, i.Attempt))
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		w.t.Errorf("sent %q, want %q", got, want)
	}
}

func (w *world) wantRulings(want ...decision.Ruling) {
	w.t.Helper()
	var got []decision.Ruling
	for _, v := range w.verdicts() {
		got = append(got, v.Ruling)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("rulings %v, want %v", got, want)
	}
}

func bubble(t *testing.T, rules []roster.Rule, fn func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, rules...)
		defer func() { w.stop(); time.Sleep(time.Second) }() // what was settled last
		fn(t, w)
	})
}

var mail = []roster.Rule{everything(step("ann", "email", 0, 0))}

func TestAlarmIsAlertedOnce(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		time.Sleep(100 * time.Millisecond)
		began := time.Now()
		w.sends(w.self, 1, burglary)
		time.Sleep(100 * time.Millisecond)
		w.wantSent("ann email BA 1")
		t.Logf("handed over within %v", time.Since(began))
		w.sends(w.self, 1, burglary) // a lost ACK, to the same node
		time.Sleep(20 * time.Second)
		w.sends(origin("roubaix", 1), 1, burglary, func(m *entry.Message) { now := time.Now(); m.Timestamp = &now })
		time.Sleep(time.Second)
		w.wantSent("ann email BA 1")
		w.wantRulings(decision.RulingEvents, decision.RulingCopy, decision.RulingCopy)
		i := w.hand.sent()[0]
		if i.Event.ZoneName != "Ingresso" || i.PanelName != "Villa" || i.Event.Category != "burglary" || i.Customer != "c1" {
			t.Errorf("item %+v", i)
		}
		if n, _ := w.view.Oldest(); n != 0 {
			t.Errorf("%d notifications open, want none", n)
		}
	})
}

func TestRule06_only_up_to_the_durable_mark(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.journal.setDurable(w.self, 0)
		w.assign(w.self)
		w.sends(w.self, 1, burglary)
		w.sends(w.self, 2, burglary)
		time.Sleep(time.Second)
		w.wantSent()
		w.journal.setDurable(w.self, 1)
		time.Sleep(time.Second)
		w.wantSent("ann email BA 1")
		if at := w.view.Cursor(identity.Shard(panelID), w.self); at != 1 {
			t.Errorf("cursor at %d, want 1", at)
		}
	})
}

func TestRule11_the_agreement_is_the_second_guard(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		w.sends(w.self, 1, burglary)
		time.Sleep(time.Second)
		w.follower.copies.Forget(time.Now().Add(time.Hour)) // as if the index had a fault
		w.sends(origin("roubaix", 1), 1, burglary)
		time.Sleep(2 * time.Millisecond)
		w.sends(w.self, 2, burglary)
		time.Sleep(2 * time.Second)
		w.wantRulings(decision.RulingEvents, decision.RulingCopy, decision.RulingEvents)
		w.wantSent("ann email BA 1", "ann email BA 1")
	})
}

func TestRule12_panic_restore_panic(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		for _, code := range []string{"PA", "PR", "PA"} {
			w.sends(w.self, 0, "#1234|Nri1/"+code+"001")
			time.Sleep(time.Minute)
		}
		w.wantRulings(decision.RulingEvents, decision.RulingEvents, decision.RulingEvents)
		w.wantSent("ann email PA 1", "ann email PA 1")
	})
}

func TestRule14_escalation_survives_a_new_leader(t *testing.T) {
	bubble(t, []roster.Rule{everything(step("ann", "email", 0, 0), step("bob", "email", 120, 0))}, func(t *testing.T, w *world) {
		w.assign(w.self)
		w.sends(w.self, 1, burglary)
		time.Sleep(time.Minute)
		w.wantSent("ann email BA 1")
		next := origin("roubaix", 1)
		w.restart(next)
		w.assign(next)
		time.Sleep(55 * time.Second)
		w.wantSent("ann email BA 1")
		time.Sleep(10 * time.Second)
		w.wantSent("ann email BA 1", "bob email BA 1")
	})
}

func TestRule14_no_free_slot(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.hand.free = 0
		w.assign(w.self)
		w.sends(w.self, 1, burglary)
		w.sends(w.self, 2, "#1234|Nri1/FA001")
		time.Sleep(11 * time.Second)
		w.wantSent()
		if _, due := w.follower.Ages(time.Now()); due < 9*time.Second || due > 12*time.Second {
			t.Errorf("oldest due step %v, want about 10 s (rule 25)", due)
		}
		w.hand.Release("email")
		time.Sleep(2 * time.Second)
		w.wantSent("ann email FA 1", "ann email BA 1") // life safety first
		if _, due := w.follower.Ages(time.Now()); due != 0 {
			t.Errorf("oldest due step %v, want none", due)
		}
	})
}

func TestRule15_newer_roster_is_waited_for(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		time.Sleep(time.Second)
		w.document(2, everything(step("bob", "email", 0, 0)))
		index := w.view.Index()
		w.sends(w.self, 1, burglary, func(m *entry.Message) { m.RosterIndex = index })
		time.Sleep(time.Second)
		w.wantSent("bob email BA 1")
	})
}

func TestRule15_changed_roster_is_planned_again(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		time.Sleep(time.Second)
		changed := false
		w.fails(func(b decision.Body) (error, error) {
			if len(entriesOf(b)) > 0 && !changed {
				changed = true
				_, err := w.raft.apply(w.documented(2, everything(step("bob", "email", 0, 0))))
				return err, nil
			}
			return nil, nil
		})
		// The document is put while the first plan is on its way.
		w.sends(w.self, 1, burglary)
		time.Sleep(time.Second)
		w.wantSent("bob email BA 1")
	})
}

func TestRule16_decides_nothing_before_its_decisions_are_whole(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		w.sends(w.self, 1, burglary)
		time.Sleep(time.Second)
		// A new leader; its copy of the agreement's origin is not there yet.
		w.stop()
		o, n := w.view.Decided()
		w.journal.mu.Lock()
		held := w.journal.records[o]
		w.journal.records[o] = nil
		w.journal.mu.Unlock()
		next := origin("roubaix", 1)
		w.dead.Store(true)
		w.stop = nil
		w.restart(next)
		w.assign(next)
		w.sends(next, 1, burglary)
		time.Sleep(2 * time.Second)
		if at := w.view.Cursor(identity.Shard(panelID), next); at != 0 {
			t.Fatalf("decided up to %d before its copy of %d decisions was whole", at, n)
		}
		w.journal.mu.Lock()
		w.journal.records[o] = held
		w.journal.rise()
		w.journal.mu.Unlock()
		time.Sleep(2 * time.Second)
		w.wantRulings(decision.RulingEvents, decision.RulingCopy)
		w.wantSent("ann email BA 1")
	})
}

func TestRule17_same_node_restarts_and_inherits_nothing(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.hand.keep = true
		w.assign(w.self)
		w.sends(w.self, 1, burglary)
		time.Sleep(time.Second)
		w.wantSent("ann email BA 1")
		again := origin("arezzo", 2)
		w.restart(again)
		w.sends(again, 2, burglary)
		time.Sleep(time.Second)
		if led := w.follower.Leads(); len(led) != 0 {
			t.Errorf("leads %v without a new epoch", led)
		}
		w.assign(again)
		time.Sleep(time.Second)
		w.wantSent("ann email BA 1", "ann email BA 1") // only the new one
		time.Sleep(10 * time.Second)
		if n := len(w.hand.handed()); n != 0 {
			t.Errorf("%d claims resolved within 11 s of the epoch", n)
		}
		time.Sleep(3 * time.Second)
		if r := w.hand.handed(); len(r) == 0 || r[0].Holder != origin("arezzo", 1) {
			t.Errorf("resolved %+v, want the former process's claim 12 s after the epoch (rule 24)", r)
		}
	})
}

func TestRule18_old_epoch_is_refused(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		time.Sleep(time.Second)
		w.fails(func(b decision.Body) (error, error) {
			if len(entriesOf(b)) > 0 {
				w.raft.fail = nil
				_, err := w.raft.apply(decision.Assign{Shards: []decision.Assignment{{Shard: identity.Shard(panelID), Holder: origin("roubaix", 1)}}})
				return err, nil // the shard has gone just before
			}
			return nil, nil
		})
		w.sends(w.self, 1, burglary)
		time.Sleep(5 * time.Second)
		w.wantSent()
		w.wantRulings()
	})
}

func TestRule19_proposals_of_unknown_end(t *testing.T) {
	for name, applied := range map[string]bool{"applied": true, "not applied": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, mail, func(t *testing.T, w *world) {
				w.assign(w.self)
				time.Sleep(time.Second)
				times := 0
				w.fails(func(b decision.Body) (before, after error) {
					_, claims := b.(decision.Claim)
					if (len(entriesOf(b)) > 0 || claims) && times < 4 {
						times++
						if applied {
							return nil, errors.New("answer lost")
						}
						return errors.New("lost"), nil
					}
					return nil, nil
				})
				w.sends(w.self, 1, burglary)
				time.Sleep(10 * time.Second)
				sent := w.hand.sent()
				if len(sent) != 1 {
					t.Fatalf("%d sent, want 1", len(sent))
				}
				if n, _ := w.view.Oldest(); n != 0 {
					t.Errorf("%d notifications open, want none", n)
				}
				w.wantRulings(decision.RulingEvents)
				w.follower.mu.Lock()
				defer w.follower.mu.Unlock()
				if n := len(w.follower.abandoned); n != 0 && applied {
					t.Errorf("%d abandoned claims remembered", n)
				}
			})
		})
	}
}

// What a newer program wrote is left to a newer node: deciding it undecidable
// would lose the alarm for good.
func TestRule04_an_entry_of_a_newer_form_is_not_decided(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		w.sends(w.self, 1, burglary)
		last, hash := w.journal.MarkAndHash(w.self)
		h := mesh.Header{Kind: mesh.KindMessage, Origin: w.self, Number: last + 1, Day: mesh.DayOf(time.Now()), Shard: identity.Shard(panelID), Identity: mesh.Identity{9}}
		r, err := mesh.Encode(h, seal.Seal(w.key, h, []byte(`{"v":2,"seq":"of another type"}`)), hash)
		if err == nil {
			err = w.journal.AcceptAsync([]mesh.Record{r})
		}
		if err != nil {
			t.Fatal(err)
		}
		w.sends(w.self, 2, "#1234|Nri1/FA001")
		time.Sleep(time.Hour)
		w.wantRulings(decision.RulingEvents)
		if at := w.view.Cursor(identity.Shard(panelID), w.self); at != last {
			t.Errorf("cursor at %d, want it before %d", at, last+1)
		}
		if undecided, _ := w.follower.Ages(time.Now()); undecided < 10*time.Second {
			t.Errorf("oldest undecided entry %v old, want so much that the shard goes to another node (rule 25)", undecided)
		}
	})
}

func TestRule22_no_cursor_stands_still(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.stop()
		w.stop, w.decode = nil, func(m entry.Message) ([]decision.Event, error) {
			switch m.Sequence {
			case 2:
				panic("a decoder's fault")
			case 3:
				return nil, errors.New("makes no sense")
			}
			return Events(m)
		}
		w.restart(w.self)
		w.assign(w.self)
		for seq := range 5 {
			w.sends(w.self, seq+1, burglary)
		}
		bad := w.append(w.self, w.day, identity.Shard(panelID), mesh.Identity{9}, entry.Message{})
		time.Sleep(2 * time.Second)
		w.wantRulings(decision.RulingEvents, decision.RulingUndecidable, decision.RulingUndecidable, decision.RulingEvents, decision.RulingEvents, decision.RulingHeld)
		if at := w.view.Cursor(identity.Shard(panelID), w.self); at != bad.Number {
			t.Errorf("cursor at %d, want %d", at, bad.Number)
		}
		if n := len(w.hand.sent()); n != 3 {
			t.Errorf("%d sent, want 3", n)
		}
	})
}

func TestRule22_destroyed_key(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.sends(w.self, 1, burglary)
		w.do(decision.Destroy{Customer: "c1"})
		w.assign(w.self)
		time.Sleep(time.Second)
		w.wantRulings(decision.RulingErased)
		w.wantSent()
	})
}

func TestUnknownAccountIsHeld(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		unknown := func(m *entry.Message) { m.Customer, m.Panel, m.Account, m.Reason = "", "", "FFFF", "unknown_account" }
		shard := identity.Sender{Account: "FFFF"}.Shard()
		w.do(decision.Assign{Shards: []decision.Assignment{{Shard: shard, Holder: w.self}}})
		w.sends(w.self, 1, burglary, unknown)
		time.Sleep(time.Second)
		w.wantRulings(decision.RulingHeld)
		w.wantSent()
	})
}

// TestRule06_adopted_later gives held messages to a panel: what is an hour old
// is shown as late and told to nobody, a fire too, unless whoever adopts wants
// it; what came a moment ago is told as ever, with its escalation.
func TestRule06_adopted_later(t *testing.T) {
	const fire = "#1234|Nri1/FA7"
	for _, c := range []struct {
		name string
		ago  time.Duration
		data string
		tell entry.Tell
		want []string
	}{
		{"two minutes ago", 2 * time.Minute, fire, entry.TellRecent, []string{"ann email FA 1", "bob email FA 1"}},
		{"two minutes ago, a burglary", 2 * time.Minute, burglary, entry.TellRecent, []string{"ann email BA 1", "bob email BA 1"}},
		{"yesterday", 26 * time.Hour, burglary, entry.TellRecent, nil},
		{"yesterday, a fire", 26 * time.Hour, fire, entry.TellRecent, nil},
		{"yesterday, all is told", 26 * time.Hour, burglary, entry.TellAll, []string{"ann email BA 1"}},
		{"yesterday, a fire, all is told", 26 * time.Hour, fire, entry.TellAll, []string{"ann email FA 1", "bob email FA 1"}},
		{"a moment ago, none is told", time.Second, fire, entry.TellNone, nil},
	} {
		bubble(t, []roster.Rule{everything(step("ann", "email", 0, 0), step("bob", "email", 120, 0))}, func(t *testing.T, w *world) {
			w.assign(w.self)
			w.sends(w.self, 1, c.data, func(m *entry.Message) {
				m.Received = time.Now().UTC().Add(-c.ago)
				m.Reason, m.Adopted = "adopted", &entry.Adopted{Held: mesh.Position{Origin: w.self, Number: 99}, Tell: c.tell}
			})
			time.Sleep(5 * time.Minute)
			t.Log(c.name)
			w.wantSent(c.want...)
			for _, v := range w.verdicts() {
				if v.Ruling != decision.RulingEvents || len(v.Events) != 1 || v.Late != (c.ago > LateAfter) {
					t.Errorf("%s: verdict %+v, want an event, late when it is", c.name, v)
				}
			}
		})
	}
}

func TestPlainRefusedIsASecurityEvent(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		w.sends(w.self, 1, burglary, func(m *entry.Message) { m.Reason, m.Answer = string(dc09.ReasonPlain), entry.AnswerSilence })
		time.Sleep(time.Second)
		w.wantSent("ann email " + CodePlainRefused + " 1")
	})
}

// Cursors of shards without entries move too, so that a new leader doesn't read
// the whole retention.
func TestCursorsMoveWithoutEntries(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		other := (identity.Shard(panelID) + 1) % identity.Shards
		w.do(decision.Assign{Shards: []decision.Assignment{{Shard: other, Holder: w.self}}})
		w.sends(w.self, 1, burglary)
		time.Sleep(3 * time.Second)
		if at := w.view.Cursor(other, w.self); at != 1 {
			t.Errorf("cursor at %d, want 1", at)
		}
		before := w.view.Index()
		w.dead.Store(true)
		time.Sleep(time.Minute)
		if after := w.view.Index(); after > before+2 {
			t.Errorf("%d commands while nothing happened", after-before)
		}
	})
}

func TestManyEntries(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.hand.free = 10_000
		w.assign(w.self)
		for n := range 2000 {
			w.sends(origin([]string{"arezzo", "roubaix"}[n%2], 1), n+1, burglary)
		}
		time.Sleep(5 * time.Second)
		if n := len(w.hand.sent()); n != 2000 {
			t.Errorf("%d sent, want 2000", n)
		}
		if entries, age := w.follower.Lag(time.Now()); entries != 0 || age != 0 {
			t.Errorf("lag %d entries, %v, want none", entries, age)
		}
	})
}

// A backlog goes at the channel's pace: 400 steps through 4 slots, each free
// again after one commit, take 3 s of commits and pauses, not 20 s of ticks.
func TestRule14_freed_slots_are_filled_at_once(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.hand.free = 4
		w.assign(w.self)
		for n := range 400 {
			w.sends(w.self, n+1, burglary)
		}
		time.Sleep(6 * time.Second)
		if n := len(w.hand.sent()); n != 400 {
			t.Errorf("%d sent within 6 s, want 400", n)
		}
	})
}

// A claim whose shard has gone meanwhile is withdrawn by the process that holds
// it: its own word needs no epoch.
func TestRule18_an_abandoned_claim_is_withdrawn_without_the_shard(t *testing.T) {
	bubble(t, mail, func(t *testing.T, w *world) {
		w.assign(w.self)
		time.Sleep(time.Second)
		w.fails(func(b decision.Body) (before, after error) {
			if len(entriesOf(b)) > 0 {
				w.raft.fail = nil
				return nil, errors.New("answer lost")
			}
			return nil, nil
		})
		w.sends(w.self, 1, burglary)
		time.Sleep(20 * time.Millisecond)
		w.assign(origin("roubaix", 1))
		time.Sleep(2 * time.Second)
		open := w.view.Open(identity.Shard(panelID))
		if len(open) != 1 {
			t.Fatalf("%d notifications open, want 1", len(open))
		}
		if _, n := open[0].Claim(); n != 0 {
			t.Errorf("claim %d stands, want it withdrawn", n)
		}
	})
}
