package agreement

import (
	"slices"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// maxPlan bounds the notifications of one entry.
const maxPlan = 4096

// tentative is one shard's decision that was found good and not taken yet.
type tentative struct {
	decide  decision.Decide
	entries []decision.Verdict // scrubbed
	numbers []uint64           // of each entry's first record; only for those with a plan
	parts   []map[string]int   // of addVerdict
}

// decide moves one shard's cursors and records every entry passed, with its
// whole plan and the first claims; all of it or nothing (rule 14). It is the form
// of an earlier program: each entry has a record of its own.
func (s *State) decide(d decision.Decide, b *batch) (Result, error) {
	defer s.windows.done()
	t, r := s.check(d, map[string]bool{})
	if r != nil {
		s.windows.takeBack(0)
		return Result{Refusal: r}, nil
	}
	result := Result{Claims: s.draft(t, b, false)}
	if reason, err := b.commit(); err != nil || reason != "" {
		s.windows.takeBack(0)
		r := &Refusal{Reason: reason}
		if v := b.drafts[b.failed].record.Verdict; v != nil {
			r.Entry, r.Customer = v.Entry, v.Customer
		}
		return Result{Refusal: r}, err
	}
	s.take(t)
	s.verdicts = [][]decision.Verdict{t.entries}
	return result, nil
}

// check looks whether a decision can be accepted, and makes the windows what they
// are then; who refuses it takes that back.
func (s *State) check(d decision.Decide, planned map[string]bool) (*tentative, *Refusal) {
	if !s.holds(d.Fence) {
		return nil, &Refusal{Reason: ReasonOldEpoch}
	}
	if r := s.checkMoves(d); r != nil {
		return nil, r
	}
	t := &tentative{decide: d, entries: d.Entries}
	seen := make(map[mesh.Position]bool, len(d.Entries))
	for i := range d.Entries {
		v := &d.Entries[i]
		if r := s.checkVerdict(&d, v, planned); r != nil {
			return nil, r
		}
		if seen[v.Entry] {
			return nil, &Refusal{Reason: ReasonBad, Entry: v.Entry}
		}
		seen[v.Entry] = true
		if s.erased(v) {
			if &t.entries[0] == &d.Entries[0] {
				t.entries = slices.Clone(d.Entries) // the command's claims are answered all the same
			}
			t.entries[i] = scrubbed(v)
		}
		if r := s.see(&t.entries[i]); r != nil {
			return nil, r
		}
	}
	return t, nil
}

// draft drafts the records of a decision, plain ones as runs when asked to, and
// returns the answers to its claims.
func (s *State) draft(t *tentative, b *batch, runs bool) (claims []Claimed) {
	t.numbers, t.parts = make([]uint64, len(t.entries)), make([]map[string]int, len(t.entries))
	b.drafts = slices.Grow(b.drafts, len(t.entries))
	d := &t.decide
	for i := range t.entries {
		v := &t.entries[i]
		if runs && v.Plain() && b.addPlain(v) {
			continue
		}
		t.numbers[i] = s.tail.Number + uint64(len(b.drafts)) + 1
		t.parts[i] = addVerdict(b, d.Shard, v)
		for j, n := range d.Entries[i].Plan {
			switch {
			case !n.Claimed:
			case len(v.Plan) == 0: // scrubbed
				claims = append(claims, Claimed{Reason: ReasonDestroyed})
			default:
				b.add(draft{shard: d.Shard, record: decision.Record{Customer: v.Customer, Claimed: &decision.Claimed{
					Notification: v.Plan[j].ID, Attempt: 1, Holder: d.Holder, Epoch: d.Epoch}}})
				claims = append(claims, Claimed{Attempt: 1})
			}
		}
	}
	return claims
}

// take makes a decision the state's, once its records are committed.
func (s *State) take(t *tentative) {
	for _, m := range t.decide.Moves {
		s.cursors[cursor{t.decide.Shard, m.Origin}] = m.To
	}
	for i := range t.entries {
		for _, n := range t.entries[i].Plan {
			s.plan(t.decide.Fence, t.entries[i], t.numbers[i]+uint64(t.parts[i][n.Event]), n)
		}
	}
}

func (s *State) checkMoves(d decision.Decide) *Refusal {
	if len(d.Moves) == 0 {
		return &Refusal{Reason: ReasonBad}
	}
	seen := map[mesh.Origin]bool{}
	for _, m := range d.Moves {
		if seen[m.Origin] || m.Origin.IsZero() || m.To <= m.From {
			return &Refusal{Reason: ReasonBad}
		}
		seen[m.Origin] = true
		if at := s.cursors[cursor{d.Shard, m.Origin}]; at != m.From {
			return &Refusal{Reason: ReasonCursor, Cursor: decision.Mark{Origin: m.Origin, Number: at}}
		}
	}
	return nil
}

// checkVerdict looks at one verdict alone; planned collects the ids of the command.
func (s *State) checkVerdict(d *decision.Decide, v *decision.Verdict, planned map[string]bool) *Refusal {
	refusal := func(r Reason) *Refusal { return &Refusal{Reason: r, Entry: v.Entry, Customer: v.Customer} }
	passed := false
	for i := range d.Moves {
		m := &d.Moves[i]
		if passed = v.Entry.Number > m.From && v.Entry.Number <= m.To && v.Entry.Origin == m.Origin; passed {
			break
		}
	}
	if !passed || len(v.Identity) != 0 && len(v.Identity) != mesh.IdentitySize || len(v.Plan) > maxPlan {
		return refusal(ReasonBad)
	}
	switch v.Ruling {
	case decision.RulingEvents:
	case decision.RulingCopy, decision.RulingHeld, decision.RulingUndecidable, decision.RulingErased:
		if len(v.Events) > 0 || len(v.Plan) > 0 {
			return refusal(ReasonBad)
		}
	default:
		return refusal(ReasonBad)
	}
	if (v.Ruling == decision.RulingCopy) == v.CopyOf.IsZero() || v.CopyOf == v.Entry {
		return refusal(ReasonBad)
	}
	_, gone := s.gone[v.Customer]
	if _, ok := s.keys[v.Customer]; v.Customer != "" && !ok && !gone {
		return refusal(ReasonNoKeys)
	}
	if v.Customer != "" && s.rosters[v.Customer] > d.RosterIndex { // rule 15
		return refusal(ReasonRoster)
	}
	return s.checkPlan(*v, planned, refusal)
}

func (s *State) checkPlan(v decision.Verdict, planned map[string]bool, refusal func(Reason) *Refusal) *Refusal {
	for i, e := range v.Events {
		if e.Index < 0 || i > 0 && e.Index <= v.Events[i-1].Index {
			return refusal(ReasonBad)
		}
	}
	if len(v.Plan) == 0 {
		return nil
	}
	events := make(map[string]bool, len(v.Events))
	for _, e := range v.Events {
		events[decision.EventID(v.Entry, e.Index)] = true
	}
	if len(v.Plan) > 0 && v.Customer == "" {
		return refusal(ReasonBad)
	}
	for _, n := range v.Plan {
		if !events[n.Event] || n.ID != decision.NotificationID(n) || planned[n.ID] { // rule 10
			return refusal(ReasonBad)
		}
		if s.open[n.ID] != nil || s.closed[n.ID] != nil {
			return refusal(ReasonExists)
		}
		planned[n.ID] = true
	}
	return nil
}

// erased tells whether an entry's customer is destroyed.
func (s *State) erased(v *decision.Verdict) bool {
	_, gone := s.gone[v.Customer]
	return gone || v.Ruling == decision.RulingErased
}

// scrubbed is the verdict about a destroyed customer's entry: it says nothing
// but that.
func scrubbed(v *decision.Verdict) decision.Verdict {
	return decision.Verdict{Entry: v.Entry, ReceivedMs: v.ReceivedMs, Ruling: decision.RulingErased, Late: v.Late}
}

// see is the second guard against copies (rule 11).
func (s *State) see(v *decision.Verdict) *Refusal {
	if len(v.Identity) == 0 {
		return nil
	}
	id := mesh.Identity(v.Identity)
	switch v.Ruling {
	case decision.RulingEvents:
		if first, ok := s.windows.within(id, v.ReceivedMs); ok && !v.Fresh && first != v.Entry {
			return &Refusal{Reason: ReasonCopy, Entry: v.Entry, CopyOf: first, Customer: v.Customer}
		}
		s.windows.event(id, v.Entry, v.ReceivedMs, s.clock)
	case decision.RulingCopy:
		s.windows.copy(id, v.CopyOf, v.ReceivedMs, s.clock)
	}
	return nil
}

// partBytes is how much of a verdict's events, and of its plan, go into one record.
const partBytes = maxPlain / 2

// addVerdict drafts a verdict's record, and further parts for one that is too
// long for it: first the rest of its events, then that of its plan. It tells by
// event id in which part an event stands, when that isn't the first.
func addVerdict(b *batch, shard byte, v *decision.Verdict) (parts map[string]int) {
	var id mesh.Identity
	copy(id[:], v.Identity)
	if len(v.Plan) == 0 && fitting(v.Events, eventBytes) >= len(v.Events) {
		b.add(draft{shard: shard, identity: id, record: decision.Record{Customer: v.Customer, Verdict: v}})
		return nil
	}
	events, plan := v.Events, v.Plan
	for part := 0; part == 0 || len(events)+len(plan) > 0; part++ {
		piece := *v
		n := fitting(events, eventBytes)
		piece.Events, events = events[:n:n], events[n:]
		for i := range piece.Events {
			if part > 0 {
				if parts == nil {
					parts = map[string]int{}
				}
				parts[decision.EventID(v.Entry, piece.Events[i].Index)] = part
			}
		}
		n = 0
		if len(events) == 0 {
			n = fitting(plan, planBytes)
		}
		piece.Plan, plan = plan[:n:n], plan[n:]
		b.add(draft{shard: shard, identity: id, record: decision.Record{Customer: v.Customer, Part: part, Verdict: &piece}})
	}
	return parts
}

// fitting is how many of list go into one record; at least one.
func fitting[T any](list []T, bytes func(*T) int) int {
	n, size := 0, 0
	for n < len(list) && (n == 0 || size < partBytes) {
		size += bytes(&list[n])
		n++
	}
	return n
}

func planBytes(n *decision.Notification) int {
	return 256 + len(n.Event) + len(n.Contact) + len(n.Address) + len(n.Rule)
}

func eventBytes(e *decision.Event) int {
	n := 256 + len(e.Standard) + len(e.Code) + len(e.Qualifier) + len(e.Category)
	n += 3 * len(e.Extended)
	for _, s := range append([]string{e.Partition, e.Zone, e.ZoneName, e.User, e.Text}, e.Extended...) {
		n += len(s)
		for i := range len(s) {
			if s[i] < ' ' { // spelled \u00xx
				n += 5
			} else if s[i] == '"' || s[i] == '\\' || s[i] >= 0x80 { // the last may be no UTF-8
				n += 2
			}
		}
	}
	return n
}
