package agreement

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// DayOwner is the owner that a day's key is wrapped for.
func DayOwner(d mesh.Day) string { return "day:" + d.String() }

// putKeys gives a customer its keys; those that stand remain (read them in View).
func (s *State) putKeys(p decision.PutKeys) (Result, error) {
	if p.Customer == "" || len(p.KeyID) != len(seal.KeyID{}) {
		return refuse(ReasonBad), nil
	}
	if _, ok := s.gone[p.Customer]; ok {
		return refuse(ReasonDestroyed), nil
	}
	if _, ok := s.keys[p.Customer]; ok {
		return Result{}, nil
	}
	w, reason, err := s.accept(p.KeyID, p.Customer, p.Wrapped)
	if err != nil || reason != "" {
		return refuse(reason), err
	}
	s.keys[p.Customer] = w
	s.owners[w.ID] = owner{customer: p.Customer}
	return Result{}, nil
}

// putDayKey gives a day its key; the one that stands remains.
func (s *State) putDayKey(p decision.PutDayKey) (Result, error) {
	if len(p.KeyID) != len(seal.KeyID{}) {
		return refuse(ReasonBad), nil
	}
	if p.Day <= s.daysGone {
		return refuse(ReasonDestroyed), nil
	}
	if _, ok := s.dayKeys[p.Day]; ok {
		return Result{}, nil
	}
	w, reason, err := s.accept(p.KeyID, DayOwner(p.Day), p.Wrapped)
	if err != nil || reason != "" {
		return refuse(reason), err
	}
	s.dayKeys[p.Day] = w
	s.owners[w.ID] = owner{day: p.Day}
	return Result{}, nil
}

// accept looks at a key before it stands: a key that can't be unwrapped when a
// decision needs it would stop every node. What it refuses depends on the
// command and the committed mesh key alone; a node whose own mesh key is
// another one gets an error and stops.
func (s *State) accept(id []byte, owner string, wrapped []byte) (Wrapped, Reason, error) {
	w := Wrapped{ID: seal.KeyID(id), Bytes: wrapped}
	by, err := seal.IDOf(wrapped)
	if errors.Is(err, seal.ErrVersion) {
		return w, "", fmt.Errorf("key of %s: %w", owner, err) // rule 4
	}
	_, known := s.owners[w.ID]
	_, gone := s.goneKeys[w.ID]
	switch {
	case err != nil || w.ID.IsZero() || known || gone:
		return w, ReasonKey, nil
	case !s.meshKey.IsZero() && by != s.meshKey:
		return w, ReasonMeshKey, nil
	}
	k, err := s.opener.Unwrap(w.ID, owner, wrapped)
	switch {
	case errors.Is(err, seal.ErrRefused) || errors.Is(err, seal.ErrForm):
		return w, ReasonKey, nil
	case err != nil:
		return w, "", fmt.Errorf("key of %s: %w", owner, err)
	}
	s.meshKey = by
	s.opened[w.ID] = k
	return w, "", nil
}

// unwrap opens a key that stands.
func (s *State) unwrap(w Wrapped, owner string) (seal.Key, error) {
	if k, ok := s.opened[w.ID]; ok {
		return k, nil
	}
	k, err := s.opener.Unwrap(w.ID, owner, w.Bytes)
	if err != nil {
		return k, err
	}
	s.opened[w.ID] = k
	return k, nil
}

// recordKey is what a key that stands seals the agreement's records with.
func (s *State) recordKey(w Wrapped, owner string) (*seal.RecordKey, error) {
	if r, ok := s.record[w.ID]; ok && r.Origin() == s.tail.Origin {
		return r, nil
	}
	k, err := s.unwrap(w, owner)
	if err != nil {
		return nil, err
	}
	r := k.For(s.tail.Origin)
	s.record[w.ID] = r
	return r, nil
}

// drop forgets a key but for its id.
func (s *State) drop(w Wrapped) {
	s.goneKeys[w.ID] = s.clock
	s.erasure = s.index
	delete(s.opened, w.ID)
	delete(s.record, w.ID)
	delete(s.owners, w.ID)
}

// putDocument replaces one part of a customer's roster by one of a higher
// revision. Part 0 comes first: without it nobody has the customer's rules.
func (s *State) putDocument(p decision.PutDocument) Result {
	if p.Customer == "" || len(p.Sealed) == 0 || p.Part < 0 || p.Part >= maxParts || p.Part > 0 && s.documents[p.Customer] == nil {
		return refuse(ReasonBad)
	}
	if _, ok := s.gone[p.Customer]; ok {
		return refuse(ReasonDestroyed)
	}
	if _, ok := s.keys[p.Customer]; !ok {
		return refuse(ReasonNoKeys)
	}
	if d, ok := s.documents[p.Customer][p.Part]; ok && p.Revision <= d.Revision {
		return refuse(ReasonRevision)
	}
	s.setDocument(p.Customer, p.Part, Document{Revision: p.Revision, Index: s.index, Sealed: p.Sealed})
	return Result{}
}

// setDocument also keeps what is derived.
func (s *State) setDocument(customer string, part int, d Document) {
	if s.documents[customer] == nil {
		s.documents[customer] = parts{}
	}
	if _, had := s.documents[customer][part]; !had {
		s.partCount++
	}
	s.documents[customer][part] = d
	s.rosters[customer] = max(s.rosters[customer], d.Index)
	s.changedAt = max(s.changedAt, d.Index)
}

// destroy destroys the keys of a customer or of a day, and with a customer its
// document and open notifications (rule 32). What it records is sealed by the
// day's key and names nothing but ids.
func (s *State) destroy(d decision.Destroy, b *batch) (Result, error) {
	switch {
	case (d.Customer == "") == (d.Day == 0):
		return refuse(ReasonBad), nil
	case d.Customer != "":
		return s.destroyCustomer(d.Customer, b)
	case d.Day >= s.today():
		return refuse(ReasonDayOpen), nil
	}
	w, ok := s.dayKeys[d.Day]
	if !ok {
		return Result{}, nil // no key, or destroyed before
	}
	b.add(draft{shard: mesh.NoShard, record: decision.Record{Destroyed: &decision.Destroyed{Day: d.Day}}})
	if reason, err := b.commit(); err != nil || reason != "" {
		return refuse(reason), err
	}
	delete(s.dayKeys, d.Day)
	s.daysGone = max(s.daysGone, d.Day)
	s.drop(w)
	return Result{}, nil
}

func (s *State) destroyCustomer(customer string, b *batch) (Result, error) {
	if _, ok := s.gone[customer]; ok {
		return Result{}, nil
	}
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(s.open)) {
		if o := s.open[id]; o.Customer == customer {
			ids = append(ids, id)
			b.add(draft{shard: o.Shard, record: decision.Record{Settled: &decision.Settled{Outcome: decision.Outcome{
				Notification: id, Attempt: len(o.Attempts), State: decision.StateErased}}}})
		}
	}
	b.add(draft{shard: mesh.NoShard, record: decision.Record{Destroyed: &decision.Destroyed{Customer: customer}}})
	if reason, err := b.commit(); err != nil || reason != "" {
		return refuse(reason), err
	}
	for _, id := range ids {
		s.close(s.open[id], decision.StateErased)
	}
	if w, ok := s.keys[customer]; ok {
		delete(s.keys, customer)
		s.drop(w)
	}
	s.partCount -= len(s.documents[customer])
	delete(s.documents, customer)
	delete(s.rosters, customer)
	s.forgetSilence(customer)
	s.gone[customer] = s.clock
	return Result{}, nil
}
