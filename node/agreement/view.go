package agreement

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// View reads what this node has applied. Every call is consistent in itself;
// two calls may lie on either side of a change. What is returned is the
// caller's, but for byte slices, which nobody may change.
type View struct{ f *FSM }

// read runs fn under the lock; fn must not wait.
func read[T any](v *View, fn func(s *State) T) T {
	v.f.mu.RLock()
	defer v.f.mu.RUnlock()
	return fn(v.f.state)
}

// Changed is closed at the next change. Take it before looking.
func (v *View) Changed() <-chan struct{} {
	v.f.mu.RLock()
	defer v.f.mu.RUnlock()
	return v.f.changed
}

// Clock is the agreement's clock (rule 20); zero before Found. Due times are
// compared with this clock, no other.
func (v *View) Clock() time.Time {
	return read(v, func(s *State) time.Time {
		if s.generation == 0 {
			return time.Time{}
		}
		return time.UnixMilli(s.clock).UTC()
	})
}

// Index is the log index of the last command applied: the roster index of a
// plan that is made with what View gives now (rule 15).
func (v *View) Index() uint64 { return read(v, func(s *State) uint64 { return s.index }) }

// Generation is 0 before Found.
func (v *View) Generation() uint64 { return read(v, func(s *State) uint64 { return s.generation }) }

// Sites are the configured sites.
func (v *View) Sites() []string {
	return read(v, func(s *State) []string { return slices.Clone(s.sites) })
}

// Members are the nodes whose disks count (rule 28), by name.
func (v *View) Members() []decision.Member {
	return read(v, func(s *State) []decision.Member { return slices.Clone(s.members) })
}

// Shards are all shards.
func (v *View) Shards() [Shards]Shard {
	return read(v, func(s *State) [Shards]Shard { return s.shards })
}

// Lead is who leads a shard, and under which epoch; false: nobody.
func (v *View) Lead(shard byte) (decision.Fence, bool) {
	if shard >= Shards {
		return decision.Fence{}, false
	}
	sh := read(v, func(s *State) Shard { return s.shards[shard] })
	return decision.Fence{Shard: shard, Epoch: sh.Epoch, Holder: sh.Holder}, !sh.Holder.IsZero()
}

// Cursor is how far a shard's decisions have passed an origin.
func (v *View) Cursor(shard byte, o mesh.Origin) uint64 {
	return read(v, func(s *State) uint64 { return s.cursors[cursor{shard, o}] })
}

// Cursors are those of one shard.
func (v *View) Cursors(shard byte) map[mesh.Origin]uint64 {
	return read(v, func(s *State) map[mesh.Origin]uint64 {
		m := map[mesh.Origin]uint64{}
		for c, n := range s.cursors {
			if c.Shard == shard {
				m[c.Origin] = n
			}
		}
		return m
	})
}

// Tail is where the agreement's own origin stands.
func (v *View) Tail() Tail { return read(v, func(s *State) Tail { return s.tail }) }

// Decided is the agreement's present origin and the last number it gave.
func (v *View) Decided() (mesh.Origin, uint64) { t := v.Tail(); return t.Origin, t.Number }

// Unflushed counts the decisions that are applied but not flushed here without
// a gap. A leader decides nothing before it was 0 once after its own epoch (rule 16).
func (v *View) Unflushed() uint64 {
	t := v.Tail()
	if mark, _ := v.f.journal.MarkAndHash(t.Origin); mark < t.Number {
		return t.Number - mark
	}
	return 0
}

// KeyState says what became of a key.
type KeyState int

// States of a key.
const (
	KeyUnknown   KeyState = iota // never heard of: this node's state may be behind
	KeyPresent                   // usable
	KeyDestroyed                 // erased (rule 22)
)

type keyAnswer struct {
	key      seal.Key
	customer string
	state    KeyState
}

// Key finds the key that something was sealed with; customer is empty for a day's.
func (v *View) Key(id seal.KeyID) (k seal.Key, customer string, state KeyState) {
	a := read(v, func(s *State) keyAnswer {
		if _, ok := s.goneKeys[id]; ok {
			return keyAnswer{state: KeyDestroyed}
		}
		o, ok := s.owners[id]
		switch {
		case !ok:
			return keyAnswer{}
		case o.customer != "":
			return s.answer(s.keys[o.customer], o.customer, o.customer)
		}
		return s.answer(s.dayKeys[o.day], DayOwner(o.day), "")
	})
	return a.key, a.customer, a.state
}

// answer unwraps without filling the cache: readers hold no write lock.
func (s *State) answer(w Wrapped, owner, customer string) keyAnswer {
	k, ok := s.opened[w.ID]
	if !ok {
		var err error
		if k, err = s.opener.Unwrap(w.ID, owner, w.Bytes); err != nil {
			return keyAnswer{customer: customer} // another mesh key: Apply stops this node
		}
	}
	return keyAnswer{k, customer, KeyPresent}
}

// CustomerKey is the key of a customer.
func (v *View) CustomerKey(customer string) (seal.Key, KeyState) {
	a := read(v, func(s *State) keyAnswer {
		if _, gone := s.gone[customer]; gone {
			return keyAnswer{state: KeyDestroyed}
		}
		if w, ok := s.keys[customer]; ok {
			return s.answer(w, customer, customer)
		}
		return keyAnswer{}
	})
	return a.key, a.state
}

// DayKey is the key of a day.
func (v *View) DayKey(d mesh.Day) (seal.Key, bool) {
	a := read(v, func(s *State) keyAnswer {
		if w, ok := s.dayKeys[d]; ok {
			return s.answer(w, DayOwner(d), "")
		}
		return keyAnswer{}
	})
	return a.key, a.state == KeyPresent
}

// LastErasure is the log index of the last command that destroyed a key, 0 for
// none. While Raft's last snapshot lies below it, this node still has to compact
// its log (rule 32), after a restart too.
func (v *View) LastErasure() uint64 { return read(v, func(s *State) uint64 { return s.erasure }) }

// Customers are all that have keys, sorted.
func (v *View) Customers() []string {
	return read(v, func(s *State) []string { return slices.Sorted(maps.Keys(s.keys)) })
}

// Days are all that have a key, in order.
func (v *View) Days() []mesh.Day {
	return read(v, func(s *State) []mesh.Day { return slices.Sorted(maps.Keys(s.dayKeys)) })
}

// Document is one part of a customer's roster.
func (v *View) Document(customer string, part int) (Document, bool) {
	d := read(v, func(s *State) Document { return s.documents[customer][part] })
	return d, d.Index != 0
}

// PartOf names a document.
type PartOf struct {
	Customer string
	Part     int
}

// Roster are all parts of a customer's roster, nil when it has none.
func (v *View) Roster(customer string) map[int]Document {
	return read(v, func(s *State) map[int]Document { return maps.Clone(s.documents[customer]) })
}

// Documents are all roster documents.
func (v *View) Documents() map[PartOf]Document {
	docs, _, _ := v.DocumentsAfter(0)
	return docs
}

// DocumentsAfter are the roster documents put after an index, how many there
// are in all, and the index of the last command they reflect. It costs nothing
// when none was put.
func (v *View) DocumentsAfter(after uint64) (changed map[PartOf]Document, count int, index uint64) {
	v.f.mu.RLock()
	defer v.f.mu.RUnlock()
	s := v.f.state
	if s.changedAt > after {
		changed = map[PartOf]Document{}
		for c, list := range s.documents {
			if s.rosters[c] <= after {
				continue
			}
			for part, d := range list {
				if d.Index > after {
					changed[PartOf{c, part}] = d
				}
			}
		}
	}
	return changed, s.partCount, s.index
}

// Open are the open notifications of a shard, by due time and id.
func (v *View) Open(shard byte) []Open {
	if shard >= Shards {
		return nil
	}
	all := read(v, func(s *State) []Open {
		l := make([]Open, 0, len(s.byShard[shard]))
		for _, o := range s.byShard[shard] {
			l = append(l, o.clone())
		}
		return l
	})
	slices.SortFunc(all, func(a, b Open) int { return cmp.Or(cmp.Compare(a.DueMs, b.DueMs), cmp.Compare(a.ID, b.ID)) })
	return all
}

// Notification is one open notification.
func (v *View) Notification(id string) (Open, bool) {
	o := read(v, func(s *State) *Open {
		if o := s.open[id]; o != nil {
			c := o.clone()
			return &c
		}
		return nil
	})
	if o == nil {
		return Open{}, false
	}
	return *o, true
}

// Doubtful tells whether an earlier attempt of an open notification was, or may
// have been, handed over (rule 24).
func (v *View) Doubtful(id string) bool {
	return read(v, func(s *State) bool { o := s.open[id]; return o != nil && o.doubtful() })
}

// Arrived tells whether an earlier attempt of an open notification is known to
// have been delivered: its holder said so late, when another was claimed.
func (v *View) Arrived(id string) bool {
	return read(v, func(s *State) bool { o := s.open[id]; return o != nil && o.arrived() })
}

// Final is the state of a notification that is not open, for ClosedMs.
func (v *View) Final(id string) (decision.State, bool) {
	st := read(v, func(s *State) decision.State {
		if c := s.closed[id]; c != nil {
			return c.State
		}
		return ""
	})
	return st, st != ""
}

// Windows are the last two events of an identity, the older first (rule 11).
func (v *View) Windows(id mesh.Identity) []Window {
	return read(v, func(s *State) []Window { return s.windows.of(id) })
}

// Confirmed is how far central holds each origin (rule 3).
func (v *View) Confirmed() map[mesh.Origin]uint64 {
	return read(v, func(s *State) map[mesh.Origin]uint64 { return maps.Clone(s.confirmed) })
}

// Oldest counts the open notifications and gives the age of the oldest (rule 14).
func (v *View) Oldest() (n int, age time.Duration) {
	v.f.mu.RLock()
	defer v.f.mu.RUnlock()
	s := v.f.state
	oldest := s.clock
	for _, o := range s.open {
		oldest = min(oldest, o.OpenedMs)
	}
	return len(s.open), time.Duration(s.clock-oldest) * time.Millisecond
}
