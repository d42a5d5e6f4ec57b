package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"vedetta/wire/mesh"
)

// Run is the writer. It takes what is waiting, commits it, releases those who
// wait, and so on until ctx ends; then it commits what is left and returns nil.
// A failed commit, or one that lasts more than 3 s, is returned as a fatal
// error at once: the process has to end and come back by recovery.
func (j *Journal) Run(ctx context.Context) error {
	if !j.running.CompareAndSwap(false, true) {
		return errors.New("run journal: it is running")
	}
	ended := make(chan error, 1)
	go func() {
		err := j.write(ctx)
		j.running.Store(false)
		ended <- err
	}()
	watch := time.NewTicker(maxFlush / 12)
	defer watch.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-watch.C:
			if start := j.commitStart.Load(); start != 0 && j.since(start) > maxFlush {
				err := fmt.Errorf("journal: a flush has lasted %s, want at most %s", j.since(start).Round(time.Millisecond), maxFlush)
				j.die(err)
				return err
			}
		}
	}
}

func (j *Journal) since(start int64) time.Duration { return time.Since(j.base) - time.Duration(start) }

type writer struct {
	*Journal
	parking parking
	batch   []*item
	turn    Lane // the lane that goes first
}

func (j *Journal) write(ctx context.Context) error {
	w := &writer{Journal: j, parking: parking{limit: j.cfg.PendingBytes}}
	for {
		for w.collect() {
			if err := w.commit(); err != nil {
				err = fmt.Errorf("journal: commit failed, this incarnation ends: %w", err)
				j.die(err)
				return err
			}
		}
		select {
		case <-j.queue.wake:
		case <-j.dead:
			return j.deadErr
		case <-ctx.Done():
			return w.finish()
		}
	}
}

// finish commits what is still waiting, and what was seen of the peers.
func (w *writer) finish() error {
	for more := true; more; {
		more = w.collect()
		if !more && !w.seen.dirty() {
			break
		}
		if err := w.commit(); err != nil {
			err = fmt.Errorf("journal: last commit failed: %w", err)
			w.die(err)
			return err
		}
	}
	w.die(ErrStopped)
	return nil
}

// collect takes the next batch without waiting: alarms first, but every second
// commit may be one of catch-up, so that neither lane stands still.
func (w *writer) collect() bool {
	clear(w.batch)
	w.batch = w.batch[:0]
	for range 2 {
		if w.turn == LaneLive {
			w.batch = w.queue.take(LaneLive, maxBatchItems, maxBatchBytes, w.batch)
		} else {
			w.batch = w.queue.take(LaneCatchUp, maxCatchUpItems, maxBatchBytes, w.batch)
		}
		w.turn = 1 - w.turn
		if len(w.batch) > 0 {
			return true
		}
	}
	w.turn = LaneLive
	return false
}

func (w *writer) newStage() *stage {
	return &stage{origins: map[mesh.Origin]*staged{}, current: w.current, stored: w.stored}
}

func (j *Journal) current(o mesh.Origin) (uint64, mesh.Hash, mesh.Day, bool) {
	if s := j.origins[o]; s != nil { // only the writer changes it
		return s.mark, s.hash, s.day, s.beyond
	}
	return 0, mesh.Hash{}, 0, false
}

// stored looks up what the disk holds at a record's place.
func (j *Journal) stored(r mesh.Record, above bool) ([]byte, error) {
	if above {
		f := j.files[r.Day]
		if f == nil {
			return nil, nil
		}
		return f.get(r.Origin, r.Number)
	}
	f := j.fileOf(r.Origin, r.Number)
	if f == nil {
		return nil, nil
	}
	return f.get(r.Origin, r.Number)
}

// commit makes the batch durable. Errors are final; refusals of single items
// are answered to those items alone.
func (w *writer) commit() error {
	start := time.Now()
	w.commitStart.Store(int64(start.Sub(w.base)))
	defer w.commitStart.Store(0)

	st := w.newStage()
	answers := make([]error, len(w.batch))
	for i, it := range w.batch {
		if err := w.stageItem(st, it, &answers[i]); err != nil {
			for _, it := range w.batch {
				it.finish(err)
			}
			return err
		}
	}
	if own := st.origins[w.queue.ownOrigin()]; own != nil && w.outgoing != nil && len(own.records) > 0 {
		w.outgoing(own.records)
	}
	err := w.flush(st)
	if took := time.Since(start); err == nil && took > maxFlush {
		err = fmt.Errorf("the flush lasted %s, want at most %s", took.Round(time.Millisecond), maxFlush)
	}
	if err != nil {
		for _, it := range w.batch {
			it.finish(err)
		}
		return err
	}
	select {
	case <-w.dead: // the watchdog was quicker: nobody may hear of a success
		return w.deadErr
	default:
	}
	if st.count > 0 {
		w.metrics.flush.Observe(time.Since(start).Seconds())
		w.metrics.batch.Observe(float64(st.count))
	}
	w.report(st)
	for i, it := range w.batch {
		it.finish(answers[i])
	}
	return nil
}

// stageItem returns an error only when the incarnation has to end.
func (w *writer) stageItem(st *stage, it *item, answer *error) error {
	if it.own() {
		if it.state.Load() == stateFailed {
			return fmt.Errorf("record %s could not be sealed: %w", it.header.Position(), it.err)
		}
		return st.encode(it.header, it.sealed)
	}
	for _, r := range it.records {
		err := st.add(r)
		if it.parks && errors.Is(err, ErrGap) {
			w.parking.add(r)
			continue
		}
		if d := (*Damaged)(nil); errors.As(err, &d) {
			return err // a node with a damaged file accepts nothing
		}
		if err != nil {
			*answer = err
			return nil
		}
	}
	return w.unpark(st)
}

// unpark stages the decisions whose gap has closed.
func (w *writer) unpark(st *stage) error {
	if w.parking.bytes == 0 {
		return nil
	}
	for _, s := range st.order {
		for r, ok := w.parking.next(s.origin, s.mark); ok; r, ok = w.parking.next(s.origin, s.mark) {
			err := st.add(r)
			if d := (*Damaged)(nil); errors.As(err, &d) {
				return err
			}
			if err != nil {
				w.halt(r.Origin, err)
			}
		}
	}
	return nil
}

// flush commits the older day first (rule 2).
func (w *writer) flush(st *stage) error {
	var parts []part
	for _, s := range st.order {
		parts = append(parts, s.parts()...)
	}
	slices.SortStableFunc(parts, func(a, b part) int { return int(a.day) - int(b.day) })
	if len(parts) == 0 {
		if !w.seen.dirty() || len(w.batch) > 0 {
			return nil
		}
		return w.flushSeen()
	}
	for from := 0; from < len(parts); {
		to := from + 1
		for to < len(parts) && parts[to].day == parts[from].day {
			to++
		}
		f, err := w.fileFor(parts[from].day)
		if err != nil {
			return err
		}
		if w.stall != nil {
			w.stall()
		}
		last := to == len(parts)
		err = guard(f.path, func() error {
			return f.db.Update(func(tx *bbolt.Tx) error {
				for _, p := range parts[from:to] {
					if err := f.put(tx, p.before, p.records); err != nil {
						return err
					}
				}
				if last {
					return w.seen.write(tx, f.day)
				}
				return nil
			})
		})
		if err != nil {
			return fmt.Errorf("day file %s: %w", f.path, err)
		}
		from = to
	}
	w.seen.written()
	return nil
}

// fileFor returns the file of day and makes it when it isn't there.
func (w *writer) fileFor(day mesh.Day) (*dayFile, error) {
	if f := w.files[day]; f != nil {
		return f, nil
	}
	f, err := createDayFile(w.cfg.Dir, day)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[day] = f
	return f, nil
}

// report moves the marks, after all files are flushed.
func (w *writer) report(st *stage) {
	var moves []Move
	w.mu.Lock()
	for _, s := range st.order {
		if s.mark == s.from {
			continue
		}
		state := w.origins[s.origin]
		if state == nil {
			state = &originState{}
			w.origins[s.origin] = state
		}
		for _, p := range s.parts() {
			last := p.records[len(p.records)-1]
			state.advance(p.day, p.records[0].Number, last.Number, last.Hash)
			w.recent.keep(state, p.records)
		}
		moves = append(moves, Move{s.origin, s.mark, s.hash})
	}
	if len(moves) > 0 {
		w.announce()
	}
	w.mu.Unlock()
	if len(moves) > 0 && w.flushed != nil {
		w.flushed(moves)
	}
}
