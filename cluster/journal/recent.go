package journal

import (
	"sort"

	"vedetta/wire/mesh"
)

// recentBytes bounds what is kept in memory of the last commits: whoever follows
// the journals reads there what is newest, and the disk's pages only for the rest.
const recentBytes = 8 << 20

// recent says which origins' records are kept, the oldest first.
type recent struct {
	limit int // recentBytes, less in tests
	order []kept
	bytes int
}

// kept is what one commit brought of one origin.
type kept struct {
	state *originState
	bytes int
}

// keep adds flushed records that continue the origin's; the oldest of all go.
// The records are shared from then on. The caller holds the journal's lock for
// writing.
func (r *recent) keep(s *originState, records []mesh.Record) {
	if n := len(s.recent); n > 0 {
		if last := s.recent[n-1]; last[len(last)-1].Number+1 != records[0].Number {
			return // never: marks rise without a gap
		}
	}
	k := kept{state: s}
	for i := range records {
		k.bytes += len(records[i].Bytes)
	}
	s.recent = append(s.recent, records)
	r.order = append(r.order, k)
	for r.bytes += k.bytes; r.bytes > r.limit; r.order = r.order[1:] {
		old := r.order[0]
		old.state.recent[0] = nil // what is appended to is one array
		old.state.recent = old.state.recent[1:]
		r.bytes -= old.bytes
		r.order[0] = kept{}
	}
}

// remembered returns records from a number on that are in memory, those of one
// commit, up to upTo and at most maxBytes of them, but the first when one is set;
// none when from is older. Nobody may change them.
func (j *Journal) remembered(o mesh.Origin, from, upTo uint64, maxBytes int, one bool) []mesh.Record {
	list := j.commitOf(o, from)
	n := 0
	for n < len(list) && list[n].Number <= upTo {
		if maxBytes -= len(list[n].Bytes); maxBytes < 0 && !(one && n == 0) {
			break
		}
		n++
	}
	return list[:n:n]
}

// commitOf is the rest of the commit in memory that brought a number.
func (j *Journal) commitOf(o mesh.Origin, from uint64) []mesh.Record {
	j.mu.RLock()
	defer j.mu.RUnlock()
	s := j.origins[o]
	if s == nil || len(s.recent) == 0 || from < s.recent[0][0].Number {
		return nil
	}
	i := sort.Search(len(s.recent), func(i int) bool { return s.recent[i][len(s.recent[i])-1].Number >= from })
	if i == len(s.recent) {
		return nil
	}
	return s.recent[i][from-s.recent[i][0].Number:]
}
