package alerting

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"vedetta/node/identity"
	rosters "vedetta/node/roster"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// LateAfter is the age beyond which an event says that it is late.
const LateAfter = time.Minute

// MaxPlan bounds the notifications of one entry; beyond it an event says what
// was left out (CodeCut).
const MaxPlan = 1000

// errNotYet means: look again when this node has applied more.
var errNotYet = errors.New("not applied here yet")

// errNoKey is the errNotYet of an unknown key.
var errNoKey = fmt.Errorf("key unknown: %w", errNotYet)

// opened is an entry that was read, or the reason why it can't be.
type opened struct {
	message  entry.Message
	customer string
	key      seal.Key
	ruling   decision.Ruling // erased or undecidable; empty: readable
	why      string
}

// open unseals an entry. Its only errors are errNotYet and entry.ErrVersion.
func (f *Follower) open(r mesh.Record) (opened, error) {
	id, err := seal.IDOf(r.Sealed)
	if err != nil {
		return opened{ruling: decision.RulingUndecidable, why: err.Error()}, nil
	}
	k, customer, state := f.agreement.Key(id)
	switch state {
	case KeyUnknown:
		return opened{}, fmt.Errorf("key %s of entry %s: %w", id, r.Position(), errNoKey)
	case KeyDestroyed:
		return opened{ruling: decision.RulingErased, why: "key destroyed"}, nil
	}
	o := opened{customer: customer, key: k}
	plain, err := f.records.of(k, r.Origin).Open(r.Header, r.Sealed)
	if err == nil {
		o.message, err = entry.Unmarshal(plain)
	}
	if errors.Is(err, entry.ErrVersion) { // rule 4: not for this node to decide
		return opened{}, err
	}
	if err != nil {
		o.ruling, o.why = decision.RulingUndecidable, err.Error()
	}
	return o, nil
}

// drafter makes the verdicts of one batch.
type drafter struct {
	f        *Follower
	snapshot *rosters.Snapshot
	now      time.Time                       // agreement's clock
	pending  *Copies                         // judged in this batch
	copies   map[mesh.Position]mesh.Position // refused as copies
	bad      map[mesh.Position]bool          // refused for other reasons: undecidable
}

// draft decides one entry. Its only errors are errNotYet and entry.ErrVersion;
// a panic on the way makes the entry undecidable (rule 22).
func (d *drafter) draft(r mesh.Record) (v decision.Verdict, err error) {
	v = decision.Verdict{Entry: r.Position()}
	if r.Identity != (mesh.Identity{}) {
		v.Identity = r.Identity[:]
	}
	o, err := d.f.open(r)
	if err != nil {
		return v, err
	}
	v.Customer = o.customer
	if d.bad[v.Entry] {
		o.ruling, o.why = decision.RulingUndecidable, "the agreement refused its decision"
	}
	if o.ruling != "" {
		d.f.log.Warn("entry not read", "entry", v.Entry.String(), "ruling", string(o.ruling), "why", o.why)
		v.Ruling = o.ruling
		return v, nil
	}
	m := o.message
	if m.RosterIndex > d.snapshot.Index() {
		return v, fmt.Errorf("roster %d of entry %s, have %d: %w", m.RosterIndex, v.Entry, d.snapshot.Index(), errNotYet)
	}
	v.ReceivedMs = m.Corrected().UnixMilli()
	v.Sequence = m.Sequence
	if o.customer != "" {
		v.Panel = m.Panel
	}
	v.Late = d.now.Sub(m.Corrected()) > LateAfter

	e := Entry{Position: v.Entry, Identity: r.Identity, Panel: v.Panel, Sequence: m.Sequence, Received: m.Corrected(), Window: time.Duration(m.Window) * time.Second}
	if o.customer == "" {
		e.Before = d.yesterdays(r, m)
	}
	j := Judgement{CopyOf: d.copies[v.Entry]} // as the agreement said when it refused the last try
	if j.CopyOf.IsZero() {
		j = d.f.copies.Judge(e, d.pending)
	}
	switch {
	case !j.CopyOf.IsZero():
		v.Ruling, v.CopyOf = decision.RulingCopy, j.CopyOf
		d.pending.Note(e, j.CopyOf)
	default:
		v.Fresh = j.Fresh
		d.decide(&v, o)
		e.Poll = v.Ruling == decision.RulingEvents && len(v.Events) == 0
		d.pending.Note(e, v.Entry)
	}
	return v, nil
}

// decide fills in ruling, events and plan of an entry that is no copy.
func (d *drafter) decide(v *decision.Verdict, o opened) {
	defer func() {
		if p := recover(); p != nil {
			// The panic's value may hold the alarm's text: its type must do.
			d.f.log.Error("entry made its decoder or planner panic", "entry", v.Entry.String(), "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			v.Ruling, v.Events, v.Plan = decision.RulingUndecidable, nil, nil
		}
	}()
	if o.customer == "" || o.message.Panel == "" {
		v.Ruling = decision.RulingHeld
		return
	}
	events, err := d.f.decode(o.message)
	if err != nil {
		d.f.log.Warn("entry not decoded", "entry", v.Entry.String(), "err", err)
		v.Ruling = decision.RulingUndecidable
		return
	}
	v.Ruling, v.Events = decision.RulingEvents, events
	quiet := toldToNobody(o.message, d.now)
	customer, ok := d.snapshot.Customer(o.customer)
	if !ok {
		return // no document any more: nobody to tell
	}
	panel, ok := customer.Panel(o.message.Panel)
	if !ok {
		return // the panel was removed since
	}
	plan := func(i int) []decision.Notification {
		if quiet {
			return nil
		}
		p := Planned{ID: decision.EventID(v.Entry, i), Event: v.Events[i], Received: o.message.Corrected()}
		return Plan(p, customer, panel, d.now)
	}
	for i := range v.Events {
		v.Events[i].Index = i
		v.Events[i].ZoneName = rosters.ZoneName(panel, v.Events[i].Zone)
		v.Plan = append(v.Plan, plan(i)...)
	}
	if left := len(v.Plan) - MaxPlan; left > 0 { // life safety stays, and what is due first
		d.f.log.Error("plan cut", "entry", v.Entry.String(), "notifications", len(v.Plan), "want", MaxPlan)
		slices.SortStableFunc(v.Plan, func(a, b decision.Notification) int {
			if a.Urgent != b.Urgent {
				return map[bool]int{true: -1, false: 1}[a.Urgent]
			}
			return cmp.Compare(a.DueMs, b.DueMs)
		})
		v.Plan = v.Plan[:MaxPlan]
		v.Events = append(v.Events, cutEvent(len(v.Events), 0, left))
		v.Plan = append(v.Plan, plan(len(v.Events)-1)...)
	}
	slices.SortStableFunc(v.Plan, func(a, b decision.Notification) int { return cmp.Compare(a.DueMs, b.DueMs) })
}

// toldToNobody tells whether an adopted message becomes events that are shown
// and that nobody is told of: its panel was nobody's when it came, and what is
// over by now must not wake people.
func toldToNobody(m entry.Message, now time.Time) bool {
	switch {
	case m.Adopted == nil || m.Adopted.Tell == entry.TellAll:
		return false
	case m.Adopted.Tell == entry.TellRecent:
		return now.Sub(m.Corrected()) > LongLate
	}
	return true
}

// yesterdays is the identity under the key of the day before, for one window
// after midnight (rule 31); zero when there is none.
func (d *drafter) yesterdays(r mesh.Record, m entry.Message) mesh.Identity {
	if m.Corrected().Sub(r.Day.Time()) > Window || r.Day == 0 {
		return mesh.Identity{}
	}
	k, ok := d.f.agreement.DayKey(r.Day - 1)
	if !ok {
		return mesh.Identity{}
	}
	from := identity.Sender{Listener: m.Listener, Prefix: m.Prefix, Receiver: m.Receiver, Account: m.Account}
	return from.Of(k, m.Token, m.Sequence, m.Data)
}
