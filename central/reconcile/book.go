package reconcile

import (
	"cmp"
	"slices"
	"time"
)

// State of a case.
type State string

// States. A watched one is no case yet: it must stand for its bound first.
const (
	Watched   State = "watched"
	Open      State = "open"
	Explained State = "explained" // an operator said why it is so; it stays until it is gone
	Reopened  State = "reopened"  // it had been closed and is back
	Closed    State = "closed"    // the difference is gone
)

// Case is one difference through time; kind and place name it.
type Case struct {
	ID       string
	Kind     Kind
	Unit     Unit
	Place    string
	Customer string
	State    State
	Expected string
	Found    string
	Goal     uint64
	Since    time.Time
	Seen     time.Time // last looked at
	Opened   time.Time // zero: never yet
	Closed   time.Time // zero: not closed
}

// Stands tells whether the case is there for people and not over.
func (c Case) Stands() bool { return c.State == Open || c.State == Reopened || c.State == Explained }

// OpenFault tells whether somebody has to act.
func (c Case) OpenFault() bool {
	return c.Kind.Severity() == Fault && (c.State == Open || c.State == Reopened)
}

type caseKey struct {
	kind  Kind
	place string
}

// Change is a case that a step has changed. Gone: it was only watched, nothing
// is kept of it. Noted: its state is another, its history grows by a line.
type Change struct {
	Case
	Gone, Noted bool
}

// Book keeps the live cases and steps them. It is not safe for use by several
// goroutines; what it holds is what the store holds after each step's changes.
type Book struct {
	bounds Bounds
	max    int
	live   map[caseKey]*Case
	byUnit map[Unit][]caseKey
}

// NewBook starts from the live cases of the store. At max live ones no new
// ones are taken: the first thousands say enough.
func NewBook(b Bounds, max int, live []Case) *Book {
	k := &Book{bounds: b, max: max, live: map[caseKey]*Case{}, byUnit: map[Unit][]caseKey{}}
	for _, c := range live {
		k.put(c)
	}
	return k
}

func (b *Book) put(c Case) *Case {
	key := caseKey{c.Kind, c.Place}
	if b.live[key] == nil {
		b.byUnit[c.Unit] = append(b.byUnit[c.Unit], key)
	}
	b.live[key] = &c
	return &c
}

func (b *Book) drop(c *Case) {
	key := caseKey{c.Kind, c.Place}
	delete(b.live, key)
	b.byUnit[c.Unit] = slices.DeleteFunc(b.byUnit[c.Unit], func(k caseKey) bool { return k == key })
	if len(b.byUnit[c.Unit]) == 0 {
		delete(b.byUnit, c.Unit)
	}
}

// Full tells whether new cases are no longer taken.
func (b *Book) Full() bool { return len(b.live) >= b.max }

// Live are all, those first that were not looked at for the longest time.
func (b *Book) Live() []Case {
	list := make([]Case, 0, len(b.live))
	for _, c := range b.live {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(x, y Case) int {
		return cmp.Or(x.Seen.Compare(y.Seen), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Place, y.Place))
	})
	return list
}

// Has tells whether a live case of the kind stands.
func (b *Book) Has(kind Kind) bool {
	for k := range b.live {
		if k.kind == kind {
			return true
		}
	}
	return false
}

// Unknown are the findings that no live case is of: a closed one may have been.
func (b *Book) Unknown(findings []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return b.live[caseKey{f.Kind, f.Place}] != nil })
}

// Step takes what examining some units has found: all their differences, so
// that a live case of theirs which is not found again is over. Former holds the
// closed cases of the same kind and place, newID makes ids.
func (b *Book) Step(now time.Time, examined []Unit, findings []Finding, former []Case, newID func() string) []Change {
	before := map[caseKey]Case{}
	for _, c := range former {
		before[caseKey{c.Kind, c.Place}] = c
	}
	var changes []Change
	found := map[caseKey]bool{}
	for _, f := range findings {
		key := caseKey{f.Kind, f.Place}
		if found[key] {
			continue
		}
		found[key] = true
		if c := b.live[key]; c != nil {
			if ch, changed := b.again(now, c, f); changed {
				changes = append(changes, ch)
			}
			continue
		}
		old, known := before[key]
		if b.Full() && !known {
			continue
		}
		changes = append(changes, b.first(now, f, old, newID))
	}
	for _, u := range examined {
		for _, key := range slices.Clone(b.byUnit[u]) {
			if !found[key] {
				changes = append(changes, b.over(now, b.live[key]))
			}
		}
	}
	return changes
}

// first takes up a difference that no live case is of.
func (b *Book) first(now time.Time, f Finding, old Case, newID func() string) Change {
	c := Case{ID: old.ID, Kind: f.Kind, Unit: f.Unit, Place: f.Place, Customer: f.Customer, State: Watched, Expected: f.Expected, Found: f.Found,
		Goal: f.Goal, Since: f.Since, Seen: now, Opened: old.Opened}
	if c.ID == "" {
		c.ID = newID()
	}
	if c.Since.IsZero() || c.Since.After(now) {
		c.Since = now
	}
	noted := b.mature(now, &c)
	return Change{Case: *b.put(c), Noted: noted}
}

// mature opens what has been watched for its bound.
func (b *Book) mature(now time.Time, c *Case) bool {
	if c.State != Watched || now.Sub(c.Since) < b.bounds.of(c.Kind) {
		return false
	}
	c.State = Reopened
	if c.Opened.IsZero() {
		c.State, c.Opened = Open, now
	}
	return true
}

// again takes a difference that a live case is of.
func (b *Book) again(now time.Time, c *Case, f Finding) (Change, bool) {
	if f.Goal > 0 && f.At >= c.Goal { // what was behind has come as far; it is behind something newer
		if c.State == Watched {
			c.Since, c.Goal, c.Expected, c.Found, c.Seen = now, f.Goal, f.Expected, f.Found, now
			return Change{Case: *c}, true
		}
		return b.over(now, c), true
	}
	c.Expected, c.Found, c.Seen = f.Expected, f.Found, now
	noted := b.mature(now, c)
	return Change{Case: *c, Noted: noted}, true
}

// over ends a case whose difference is gone.
func (b *Book) over(now time.Time, c *Case) Change {
	b.drop(c)
	if c.Opened.IsZero() {
		return Change{Case: *c, Gone: true}
	}
	noted := c.State != Watched // one that was closed and only watched again never came back
	c.State, c.Closed, c.Seen = Closed, now, now
	return Change{Case: *c, Noted: noted}
}
