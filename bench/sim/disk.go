package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"vedetta/cluster/journal"
	"vedetta/wire/mesh"
)

// disk is what a node keeps when its process dies: only what was flushed.
type disk struct {
	id           string
	incarnations uint64
	random       uint64                        // bits of the last incarnation
	records      map[mesh.Origin][]mesh.Record // flushed, without a gap, from number 1
	snapshot     []byte                        // of the agreement, nil before the first
	index        uint64                        // of the log, up to which the snapshot goes
}

func (d *disk) mark(o mesh.Origin) (uint64, mesh.Hash) {
	rs := d.records[o]
	if len(rs) == 0 {
		return 0, mesh.Hash{}
	}
	return uint64(len(rs)), rs[len(rs)-1].Hash
}

// journalOf is a process's journal: one writer, group commit, all or nothing.
// Its errors are those of cluster/journal.
type journalOf struct {
	p       *process
	own     mesh.Origin
	number  uint64 // last one given
	queue   []batchItem
	running bool
	parked  map[mesh.Origin]map[uint64]mesh.Record // decisions above a gap
	tail    mesh.Hash                              // running hash after the last own record that was encoded
}

type batchItem struct {
	header  mesh.Header // own record
	sealed  []byte
	records []mesh.Record // made elsewhere
	parks   bool
	done    func(error)
}

// append gives an own record its number; done is called when it is flushed.
func (j *journalOf) append(shard byte, id mesh.Identity, sealed []byte, done func(error)) mesh.Position {
	j.number++
	h := mesh.Header{Kind: mesh.KindMessage, Origin: j.own, Number: j.number, Day: mesh.DayOf(j.p.w.now), Shard: shard, Identity: id}
	j.queue = append(j.queue, batchItem{header: h, sealed: sealed, done: done})
	j.write()
	return h.Position()
}

func (j *journalOf) submit(records []mesh.Record, done func(error)) {
	j.queue = append(j.queue, batchItem{records: records, done: done})
	j.write()
}

// AcceptAsync is agreement.Journal.
func (j *journalOf) AcceptAsync(records []mesh.Record) error {
	if len(records) > 0 {
		j.queue = append(j.queue, batchItem{records: records, parks: true, done: func(err error) {
			if err != nil {
				j.p.w.broken("decisions of %s can't be written: %v", j.p, err)
			}
		}})
		j.write()
	}
	return nil
}

// WaitMark is agreement.Journal; snapshots are taken here only when it holds.
func (j *journalOf) WaitMark(_ context.Context, o mesh.Origin, number uint64) error {
	if n, _ := j.p.disk.mark(o); n < number {
		return errors.New("not flushed yet")
	}
	return nil
}

// MarkAndHash is agreement.Journal.
func (j *journalOf) MarkAndHash(o mesh.Origin) (uint64, mesh.Hash) { return j.p.disk.mark(o) }

// write begins a commit unless one is running. Own records leave before it.
func (j *journalOf) write() {
	if j.running || len(j.queue) == 0 {
		return
	}
	j.running = true
	batch := j.queue
	j.queue = nil
	var own []mesh.Record
	for i := range batch {
		if batch[i].records != nil {
			continue
		}
		r, err := mesh.Encode(batch[i].header, batch[i].sealed, j.tail)
		if err != nil {
			panic(fmt.Sprintf("sim: encode: %v", err)) // a fault of the simulation
		}
		j.tail = r.Hash
		batch[i].records = []mesh.Record{r}
		own = append(own, r)
	}
	if len(own) > 0 {
		j.p.outgoing(own)
	}
	d := j.p.w.between(200*time.Microsecond, 2*time.Millisecond)
	if j.p.w.chance(60) {
		d = j.p.w.between(20*time.Millisecond, 900*time.Millisecond) // a slow disk
	}
	j.p.w.after(d, j.p, func() { j.commit(batch) })
}

func (j *journalOf) commit(batch []batchItem) {
	before := make(map[mesh.Origin]bool)
	var moved []mesh.Origin
	errs := make([]error, len(batch))
	for i, it := range batch {
		for _, r := range it.records {
			n, _ := j.p.disk.mark(r.Origin)
			if it.parks && r.Number > n+1 {
				if j.parked[r.Origin] == nil {
					j.parked[r.Origin] = make(map[uint64]mesh.Record)
				}
				j.parked[r.Origin][r.Number] = r
				j.p.w.rare["decision parked above a gap"]++
				continue
			}
			if errs[i] = j.store(r); errs[i] != nil {
				break
			}
			if !before[r.Origin] {
				before[r.Origin] = true
				moved = append(moved, r.Origin)
			}
		}
	}
	for _, o := range moved { // what was parked and now fits
		for {
			n, _ := j.p.disk.mark(o)
			r, ok := j.parked[o][n+1]
			if !ok {
				break
			}
			delete(j.parked[o], n+1)
			if err := j.store(r); err != nil {
				j.p.w.broken("parked decision of %s: %v", j.p, err)
				break
			}
		}
	}
	j.running = false
	j.p.flushed(moved)
	for i, it := range batch {
		if it.done != nil {
			it.done(errs[i])
		}
	}
	j.write()
}

// store puts one record behind the others, or compares it with what is there.
func (j *journalOf) store(r mesh.Record) error {
	n, hash := j.p.disk.mark(r.Origin)
	switch {
	case r.Number > n+1:
		return fmt.Errorf("%s: %w", r.Position(), journal.ErrGap)
	case r.Number <= n:
		if have := j.p.disk.records[r.Origin][r.Number-1]; !bytes.Equal(have.Bytes, r.Bytes) {
			return &journal.Diverged{Origin: r.Origin, Number: r.Number, Reason: "other bytes"}
		}
		return nil
	case !r.Follows(hash):
		return &journal.Diverged{Origin: r.Origin, Number: r.Number, Reason: "running hash"}
	}
	j.p.disk.records[r.Origin] = append(j.p.disk.records[r.Origin], r)
	return nil
}
