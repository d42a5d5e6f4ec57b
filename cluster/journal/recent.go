package journal

import "vedetta/wire/mesh"

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
	state        *originState
	count, bytes int
}

// keep adds flushed records that continue the origin's; the oldest of all go.
// The caller holds the journal's lock for writing.
func (r *recent) keep(s *originState, records []mesh.Record) {
	if n := len(s.recent); n > 0 && s.recent[n-1].Number+1 != records[0].Number {
		return // never: marks rise without a gap
	}
	k := kept{state: s, count: len(records)}
	for i := range records {
		k.bytes += len(records[i].Bytes)
	}
	s.recent = append(s.recent, records...)
	r.order = append(r.order, k)
	for r.bytes += k.bytes; r.bytes > r.limit; r.order = r.order[1:] {
		old := r.order[0]
		clear(old.state.recent[:old.count]) // what is appended to is one array: free what they hold
		old.state.recent = old.state.recent[old.count:]
		r.bytes -= old.bytes
		r.order[0] = kept{}
	}
}

// remembered returns the records from a number to upTo that are in memory, at
// most maxBytes of them after the first when one is set; none when from is older.
func (j *Journal) remembered(o mesh.Origin, from, upTo uint64, maxBytes int, one bool) []mesh.Record {
	j.mu.RLock()
	defer j.mu.RUnlock()
	s := j.origins[o]
	if s == nil || len(s.recent) == 0 || from < s.recent[0].Number || from-s.recent[0].Number >= uint64(len(s.recent)) {
		return nil
	}
	list := s.recent[from-s.recent[0].Number:]
	n := 0
	for n < len(list) && list[n].Number <= upTo {
		if maxBytes -= len(list[n].Bytes); maxBytes < 0 && !(one && n == 0) {
			break
		}
		n++
	}
	return append([]mesh.Record(nil), list[:n]...)
}
