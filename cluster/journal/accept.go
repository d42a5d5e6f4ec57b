package journal

import (
	"context"
	"fmt"

	"vedetta/wire/mesh"
)

// Accept stores records made elsewhere, each origin's in ascending order, and
// returns once they are flushed. Numbers up to the mark are compared and
// skipped; a record above mark + 1 gives ErrGap, different bytes at a known
// number or a broken running hash give a Diverged error; what came before the
// refused record is stored.
func (j *Journal) Accept(ctx context.Context, lane Lane, records []mesh.Record) error {
	reply := make(chan error, 1)
	if err := j.Submit(lane, records, func(err error) { reply <- err }); err != nil {
		return err
	}
	select {
	case err := <-reply:
		return err
	case <-j.dead:
		return fmt.Errorf("accept: %w", j.deadErr)
	case <-ctx.Done():
		return fmt.Errorf("accept: %w", context.Cause(ctx))
	}
}

// Submit is Accept without waiting: done is called once, on the writer's
// goroutine, and must not block. When the journal dies in a hanging flush it is
// not called. What one goroutine submits to one lane is stored in that order.
func (j *Journal) Submit(lane Lane, records []mesh.Record, done func(error)) error {
	if len(records) == 0 {
		if done != nil {
			done(nil)
		}
		return nil
	}
	if err := j.queue.add(lane, &item{records: records, done: done}); err != nil {
		return fmt.Errorf("accept: %w", j.orDead(err))
	}
	j.queue.signal()
	return nil
}

// AcceptAsync queues decisions that this node's own state machine has made
// (rule 16), in the alarms' lane, and returns at once. Numbers that are already
// there are compared and skipped; what lies above a gap waits for the catch-up,
// within Config.PendingBytes. Use WaitMark to learn that they are flushed. A
// divergence halts the origin: it is returned by this and by WaitMark from then on.
func (j *Journal) AcceptAsync(records []mesh.Record) error {
	if len(records) == 0 {
		return nil
	}
	o := records[0].Origin
	if err := j.Halted(o); err != nil {
		return err
	}
	it := &item{records: records, parks: true, done: func(err error) {
		if err != nil {
			j.halt(o, err)
		}
	}}
	if err := j.queue.add(LaneLive, it); err != nil {
		return fmt.Errorf("accept decisions: %w", j.orDead(err))
	}
	j.queue.signal()
	return nil
}

// Halted returns the divergence that stopped an origin of decisions, or nil.
func (j *Journal) Halted(o mesh.Origin) error {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.halted[o]
}

func (j *Journal) halt(o mesh.Origin, err error) {
	select {
	case <-j.dead:
		return // the end of the journal is no divergence
	default:
	}
	j.env.Log.Error("the agreement's decisions differ from what is stored", "origin", o.String(), "error", err)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.halted[o] == nil {
		j.halted[o] = err
		j.announce()
	}
}

// announce wakes everybody who waits for a mark. Needs mu.
func (j *Journal) announce() {
	close(j.changed)
	j.changed = make(chan struct{})
}

// parking holds decisions that came above a gap, each origin's in ascending
// order. The writer owns it.
type parking struct {
	records map[mesh.Origin][]mesh.Record
	bytes   int
	limit   int
}

func (p *parking) add(r mesh.Record) {
	waiting := p.records[r.Origin]
	if p.bytes+len(r.Bytes) > p.limit || len(waiting) > 0 && r.Number <= waiting[len(waiting)-1].Number {
		return // the catch-up brings it
	}
	if p.records == nil {
		p.records = map[mesh.Origin][]mesh.Record{}
	}
	p.records[r.Origin] = append(waiting, r)
	p.bytes += len(r.Bytes)
}

// next removes and returns the first parked record of o that is not above
// mark + 1; one at or below the mark is to be compared with what came meanwhile.
func (p *parking) next(o mesh.Origin, mark uint64) (mesh.Record, bool) {
	waiting := p.records[o]
	if len(waiting) == 0 || waiting[0].Number > mark+1 {
		return mesh.Record{}, false
	}
	r := waiting[0]
	if p.bytes -= len(r.Bytes); len(waiting) == 1 {
		delete(p.records, o)
	} else {
		p.records[o] = waiting[1:]
	}
	return r, true
}
