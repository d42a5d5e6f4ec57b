package journal

import (
	"bytes"
	"fmt"

	"vedetta/wire/mesh"
)

// stage decides, record by record, what a commit will hold. It does no I/O but
// for looking up stored records, which is handed in.
type stage struct {
	current func(mesh.Origin) (mark uint64, hash mesh.Hash, day mesh.Day, beyond bool)
	stored  func(r mesh.Record, above bool) ([]byte, error) // nil when it isn't there
	origins map[mesh.Origin]*staged
	order   []*staged
	bytes   int
	count   int
}

// staged is one origin's part of a commit.
type staged struct {
	origin  mesh.Origin
	from    uint64    // mark before
	before  mesh.Hash // running hash at from
	mark    uint64
	hash    mesh.Hash
	day     mesh.Day
	beyond  bool
	records []mesh.Record
}

func (s *stage) of(o mesh.Origin) *staged {
	st := s.origins[o]
	if st == nil {
		st = &staged{origin: o}
		st.from, st.before, st.day, st.beyond = s.current(o)
		st.mark, st.hash = st.from, st.before
		s.origins[o] = st
		s.order = append(s.order, st)
	}
	return st
}

// encode makes the next own record.
func (s *stage) encode(h mesh.Header, sealed []byte) error {
	st := s.of(h.Origin)
	if h.Number != st.mark+1 || h.Day < st.day {
		return fmt.Errorf("own record %s of %s, want number %d and no day before %s", h.Position(), h.Day, st.mark+1, st.day)
	}
	r, err := mesh.Encode(h, sealed, st.hash)
	if err != nil {
		return err
	}
	s.push(st, r)
	return nil
}

// add takes a record made elsewhere, or says why not: ErrGap or Diverged.
func (s *stage) add(r mesh.Record) error {
	st := s.of(r.Origin)
	switch {
	case r.Number <= st.mark:
		return s.compare(st, r)
	case r.Number > st.mark+1:
		return fmt.Errorf("record %s, mark is %d: %w", r.Position(), st.mark, ErrGap)
	case !r.Follows(st.hash):
		return &Diverged{r.Origin, r.Number, "its running hash does not continue ours"}
	case r.Day < st.day || r.Day > lastDay:
		return &Diverged{r.Origin, r.Number, fmt.Sprintf("day %d after day %d", r.Day, st.day)}
	}
	if st.beyond {
		have, err := s.stored(r, true)
		if err != nil {
			return err
		}
		if have != nil && !bytes.Equal(have, r.Bytes) {
			return &Diverged{r.Origin, r.Number, "other bytes are stored above the mark"}
		}
	}
	s.push(st, r)
	return nil
}

func (s *stage) compare(st *staged, r mesh.Record) error {
	var have []byte
	if r.Number > st.from {
		have = st.records[r.Number-st.from-1].Bytes
	} else {
		var err error
		if have, err = s.stored(r, false); err != nil {
			return err
		}
	}
	if !bytes.Equal(have, r.Bytes) {
		return &Diverged{r.Origin, r.Number, "other bytes are stored"}
	}
	return nil
}

func (s *stage) push(st *staged, r mesh.Record) {
	st.records = append(st.records, r)
	st.mark, st.hash, st.day = r.Number, r.Hash, r.Day
	s.bytes += len(r.Bytes)
	s.count++
}

// part is a run of one origin inside one day.
type part struct {
	day     mesh.Day
	origin  *staged
	before  mesh.Hash
	records []mesh.Record
}

// parts cuts the origin's records by day.
func (st *staged) parts() (all []part) {
	before := st.before
	for from := 0; from < len(st.records); {
		to := from + 1
		for to < len(st.records) && st.records[to].Day == st.records[from].Day {
			to++
		}
		all = append(all, part{st.records[from].Day, st, before, st.records[from:to]})
		before, from = st.records[to-1].Hash, to
	}
	return all
}
