package alerting

import (
	"context"
	"fmt"
	"sort"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// feed takes the agreement's decisions from this node's own day files into the
// index of copies: at start those of the whole retention, then what Decided was
// not told (rules 11, 16).
func (f *Follower) feed(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	forget := time.Now()
	for {
		marks := f.journal.Changed()
		more := false
		for _, o := range f.journal.Origins() {
			if o.IsAgreement() {
				left, err := f.feedOrigin(o)
				if err != nil {
					f.log.Error("decisions not read", "origin", o.String(), "err", err)
				}
				more = more || left
			}
		}
		f.records.age(time.Now())
		if now := time.Now(); now.Sub(forget) > time.Hour {
			forget = now
			f.copies.Forget(f.agreement.Clock().Add(-f.cfg.Retention))
		}
		if more && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-marks:
		case <-tick.C:
		}
		if !rest(ctx, readPause) {
			return ctx.Err()
		}
	}
}

// feedOrigin reads what is new; more means that it may be called again at once.
func (f *Follower) feedOrigin(o mesh.Origin) (more bool, err error) {
	f.mu.Lock()
	from := f.fed[o] + 1
	f.mu.Unlock()
	mark := f.journal.Mark(o)
	if from > mark {
		return false, nil
	}
	records, err := f.journal.Read(o, from, mark, readBytes)
	if err == nil && len(records) == 0 { // below the floor: days that were deleted (rule 3)
		from = f.firstReadable(o, from, mark)
		records, err = f.journal.Read(o, from, mark, readBytes)
	}
	last := uint64(0)
	for _, r := range records {
		if done, takeErr := f.take(r); takeErr != nil {
			f.log.Warn("decision not taken into the index of copies", "decision", r.Position().String(), "err", takeErr)
		} else if !done {
			break
		}
		last = r.Number
	}
	if last == 0 {
		return false, err
	}
	f.mu.Lock()
	f.fed[o] = max(f.fed[o], last)
	f.meet(o)
	more = err == nil && f.fed[o] < mark
	f.mu.Unlock()
	return more, err
}

// told is a run of one origin's decisions that Decided brought.
type told struct {
	origin      mesh.Origin
	first, last uint64
}

// Decided takes over decisions as this node applies them, numbers first to last
// of the agreement's origin, and what they say about entries: so none is read
// back from the day files but at start and after a gap. It doesn't wait, and is
// called in the order of application.
func (f *Follower) Decided(o mesh.Origin, first, last uint64, verdicts [][]decision.Verdict) {
	for _, list := range verdicts {
		f.copies.NoteVerdicts(list)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.told.origin != o || f.told.last+1 != first {
		f.told = told{origin: o, first: first}
	}
	f.told.last = last
	f.meet(o)
}

// meet joins what was read with what was told, once there is no gap between.
// f.mu is held.
func (f *Follower) meet(o mesh.Origin) {
	if t := f.told; t.origin == o && f.fed[o]+1 >= t.first {
		f.fed[o] = max(f.fed[o], t.last)
	}
}

// firstReadable finds the first number from which there are records.
func (f *Follower) firstReadable(o mesh.Origin, from, mark uint64) uint64 {
	n := sort.Search(int(mark-from), func(i int) bool {
		r, err := f.journal.Read(o, from+uint64(i), from+uint64(i), 1)
		return err != nil || len(r) > 0
	})
	return from + uint64(n)
}

// take notes one record's decisions. false: its key isn't applied here yet.
func (f *Follower) take(r mesh.Record) (done bool, err error) {
	list, done, err := f.openDecision(r)
	for _, d := range list {
		if d.Verdict != nil && d.Part == 0 {
			f.copies.NoteVerdict(*d.Verdict)
		}
	}
	return done, err
}

// openDecision opens a record of the agreement's origin. done without any: its
// key is destroyed. Not done: the key isn't applied here yet.
func (f *Follower) openDecision(r mesh.Record) (list []decision.Record, done bool, err error) {
	id, err := seal.IDOf(r.Sealed)
	if err != nil {
		return nil, true, err
	}
	k, _, state := f.agreement.Key(id)
	switch state {
	case KeyDestroyed:
		return nil, true, nil
	case KeyUnknown:
		if o, number := f.agreement.Decided(); o == r.Origin && number < r.Number {
			return nil, false, nil // caught up ahead of what is applied
		}
		return nil, true, nil // this node has applied it: the key is gone since
	}
	plain, err := f.records.of(k, r.Origin).Open(r.Header, r.Sealed)
	if err != nil {
		return nil, true, err
	}
	if list, err = decision.DecodeRecords(plain); err != nil {
		return nil, true, err
	}
	return list, true, nil
}

// whole tells whether all decisions up to a number are in the index, and in
// this node's day files without a gap.
func (f *Follower) whole(o mesh.Origin, number uint64) bool {
	if o.IsZero() || number == 0 {
		return true
	}
	if f.journal.Mark(o) < number {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fed[o] >= number
}

// level tells whether the index has all that is applied here: it has not after a
// snapshot came in place of commands, until what those decided has been read.
func (f *Follower) level() bool {
	o, number := f.agreement.Decided()
	f.mu.Lock()
	defer f.mu.Unlock()
	return number == 0 || f.fed[o] >= number
}

// verdict reads the decision that planned a step.
func (f *Follower) verdict(number uint64) (decision.Verdict, error) {
	o, _ := f.agreement.Decided()
	records, err := f.journal.Read(o, number, number, 1)
	if err != nil {
		return decision.Verdict{}, err
	}
	if len(records) == 0 {
		return decision.Verdict{}, fmt.Errorf("decision %s.%d is not in this node's journal yet", o, number)
	}
	list, done, err := f.openDecision(records[0])
	switch {
	case err != nil:
		return decision.Verdict{}, err
	case !done || len(list) != 1 || list[0].Verdict == nil: // what is planned stands alone
		return decision.Verdict{}, fmt.Errorf("decision %s.%d: want a verdict that can be opened", o, number)
	}
	return *list[0].Verdict, nil
}
