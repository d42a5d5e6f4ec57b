package reconcile

import (
	"slices"
	"time"

	"vedetta/central/history"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
)

// Dossier is one entry with all that was decided about it and all that central
// shows of it, of one committed state.
type Dossier struct {
	Entry  mesh.Position
	Passed bool // central's cursor has passed the entry
	Floor  bool // it came before decisions were kept: only its being here is judged
	Row    *EntryRow

	Decided []Decided // applied decisions about it, in their order; not those that still wait
	Hidden  bool      // something could not be opened: its key is destroyed or not here; what is shown isn't judged
	Copies  int       // entries that were decided to repeat it, however deep

	Events        []EventRow
	Notifications []NotificationRow
}

// EntryRow is the stored entry.
type EntryRow struct {
	Whole    bool // it decodes and continues the running hash of the one before, if that is here
	Ruling   decision.Ruling
	CopyOf   mesh.Position
	Message  *entry.Message // nil: could not be opened
	Received time.Time      // as far as it is known, else the start of its day
}

// Decided is one decision with its place.
type Decided struct {
	At mesh.Position
	decision.Record
}

// EventRow is an event as shown. Found is false when the row would not be found by
// its account.
type EventRow struct {
	ID, Customer string
	ReceivedMs   int64
	Copies       int
	Found        bool
	Body         history.EventBody
}

// NotificationRow is a notification as shown.
type NotificationRow struct {
	ID, Customer, Event string
	PlannedMs           int64
	State               decision.State
	Attempts            int
	Body                history.NotificationBody
}

// Record is one stored decision, by itself.
type Record struct {
	At     mesh.Position
	Passed bool
	Floor  bool
	Here   bool
	Whole  bool
	Awaits string // what it waits for to be applied, empty: it was applied
}

// Judge finds what is wrong with a record of the agreement.
func (r Record) Judge() []Finding {
	f := Finding{Unit: decisionUnit(r.At), Place: r.At.String()}
	var out []Finding
	add := func(kind Kind, expected, found string) {
		f := f
		f.Kind, f.Expected, f.Found = kind, expected, found
		out = append(out, f)
	}
	switch {
	case r.Here && !r.Whole:
		add(DecisionDamaged, "the bytes that the running hash names", "other bytes")
	case !r.Here && r.Passed && !r.Floor:
		add(DecisionMissing, "stored", "nothing")
	}
	if r.Awaits != "" {
		add(DecisionStuck, "applied", "waits for "+r.Awaits)
	}
	return out
}

// Whole says what may be judged of a dossier: up to when central is known to
// hold all that was durable (zero: never yet), and whether any decision that
// it held is missing, so that nothing follows from a decision's absence.
type Whole struct {
	Until     time.Time
	Decisions bool
	Bounds    Bounds
}

// past tells whether something that began at a time should have come by now:
// all that was durable a bound later is here, and no decision is missing.
func (w Whole) past(at time.Time, bound time.Duration) bool {
	return w.Decisions && !w.Until.IsZero() && w.Until.Sub(at) >= bound
}

// Judge finds every difference between what was decided about the entry, what
// became of it, and what is shown.
func (d Dossier) Judge(w Whole) []Finding {
	j := &judge{d: d, w: w}
	switch {
	case d.Row == nil && d.Passed && !d.Entry.Origin.IsAgreement():
		j.add(EntryMissing, d.Entry.String(), "", "stored", "nothing")
		return j.found // what is decided and shown stands in its events, judged again when it is back
	case d.Row != nil && !d.Row.Whole:
		j.add(EntryDamaged, d.Entry.String(), "", "the bytes that the running hash names", "other bytes")
		return j.found
	case d.Floor || d.Hidden:
		return j.found
	}
	verdict := j.verdict()
	switch {
	case verdict == nil:
		j.undecided()
	default:
		j.ruling(verdict)
		j.events(verdict)
		j.notifications()
	}
	return j.found
}

type judge struct {
	d     Dossier
	w     Whole
	found []Finding
}

func (j *judge) add(kind Kind, place, customer, expected, found string) {
	j.found = append(j.found, Finding{Kind: kind, Unit: entryUnit(j.d.Entry), Place: place, Customer: customer, Expected: expected, Found: found})
}

// absence is add for what only a missing decision would explain too.
func (j *judge) absence(kind Kind, place, customer, expected, found string) {
	if j.w.Decisions {
		j.add(kind, place, customer, expected, found)
	}
}

// verdict is the first one about the entry, for it is decided once, with the
// events of its further parts.
func (j *judge) verdict() *decision.Verdict {
	var whole *decision.Verdict
	for _, d := range j.d.Decided {
		switch {
		case d.Verdict == nil:
		case d.Part == 0 && whole == nil:
			v := *d.Verdict
			v.Events = slices.Clone(v.Events)
			whole = &v
		case d.Part > 0 && whole != nil:
			whole.Events = append(whole.Events, d.Verdict.Events...)
		}
	}
	return whole
}

// undecided: nothing was decided, so nothing may be shown, and not for long.
func (j *judge) undecided() {
	for _, e := range j.d.Events {
		j.absence(EventExtra, e.ID, e.Customer, "no decision about its entry", "an event")
	}
	if j.d.Row == nil {
		return
	}
	if j.d.Row.Ruling != "" {
		if len(j.d.Events) == 0 {
			j.absence(RulingDiffers, j.d.Entry.String(), "", "no ruling", string(j.d.Row.Ruling))
		}
		return
	}
	if at := j.d.Row.Received; j.w.past(at, j.w.Bounds.Undecided) {
		j.add(EntryUndecided, j.d.Entry.String(), "", "a decision within "+j.w.Bounds.Undecided.String(), "none")
		j.found[len(j.found)-1].Since = at
	}
}

func (j *judge) ruling(v *decision.Verdict) {
	if j.d.Row == nil { // the agreement's own events have no message
		return
	}
	switch {
	case j.d.Row.Ruling != v.Ruling:
		found := string(j.d.Row.Ruling)
		if found == "" {
			found = "none"
		}
		j.add(RulingDiffers, j.d.Entry.String(), v.Customer, string(v.Ruling), found)
	case v.Ruling == decision.RulingCopy && j.d.Row.CopyOf != v.CopyOf:
		j.add(RulingDiffers, j.d.Entry.String(), v.Customer, "copy of "+v.CopyOf.String(), "copy of "+j.d.Row.CopyOf.String())
	}
}
