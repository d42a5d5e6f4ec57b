package replica

import "vedetta/wire/mesh"

// Bounds of one origin's Reorder.
const (
	reorderWindow = 16384   // numbers above the base that are kept at all
	reorderSure   = 2048    // numbers above the base that are kept whatever they weigh
	reorderBytes  = 8 << 20 // weight above which only the sure ones are kept
)

// Reorder joins live and catch-up: it holds one origin's records that came
// above a gap and gives them out in order of numbers. It is bounded: what it
// drops arrives by catch-up. The zero Reorder is ready; base is 0.
type Reorder struct {
	base  uint64 // everything up to here has been given out or is stored
	held  map[uint64]mesh.Record
	bytes int
}

// Base returns the highest number that was given out or is stored.
func (b *Reorder) Base() uint64 { return b.base }

// Held returns how many records wait above a gap.
func (b *Reorder) Held() int { return len(b.held) }

// Set moves the base to what is stored, forward or, after a failure, back.
func (b *Reorder) Set(base uint64) {
	if base > b.base {
		for n := range b.held {
			if n <= base {
				b.drop(n)
			}
		}
	}
	b.base = base
}

// Hold takes records; those that are known or beyond the bounds are dropped.
func (b *Reorder) Hold(records []mesh.Record) {
	for _, r := range records {
		above := r.Number - b.base
		if r.Number <= b.base || above > reorderWindow || above > reorderSure && b.bytes+len(r.Bytes) > reorderBytes {
			continue
		}
		if _, have := b.held[r.Number]; have {
			continue
		}
		if b.held == nil {
			b.held = map[uint64]mesh.Record{}
		}
		b.held[r.Number] = r
		b.bytes += len(r.Bytes)
	}
}

// Pass is Hold and Take of records that follow the base and one another while
// nothing is held, as live delivery brings them: they are given out as they are.
// False: it took nothing.
func (b *Reorder) Pass(records []mesh.Record) bool {
	if len(b.held) > 0 || len(records) == 0 {
		return false
	}
	for i := range records {
		if records[i].Number != b.base+1+uint64(i) {
			return false
		}
	}
	b.base += uint64(len(records))
	return true
}

// Take gives out the run that follows the base, and moves the base to its end.
func (b *Reorder) Take() (records []mesh.Record) {
	for {
		r, ok := b.held[b.base+1]
		if !ok {
			return records
		}
		b.base++
		b.drop(b.base)
		records = append(records, r)
	}
}

func (b *Reorder) drop(n uint64) {
	b.bytes -= len(b.held[n].Bytes)
	delete(b.held, n)
}
