package sim

import (
	"time"

	"vedetta/cluster/replica"
	"vedetta/wire/mesh"
)

// tableEvery is how often whole tables of marks are told.
const tableEvery = 10 * time.Second

// outgoing sends own records to the peers before they are flushed here.
func (p *process) outgoing(records []mesh.Record) {
	for _, to := range p.w.nodes {
		if to != p.node && to.proc != nil {
			q := to.proc
			p.w.net.send(p, to, func() { q.offer(records) })
		}
	}
}

// offer takes records of one origin, live or by catch-up.
func (p *process) offer(records []mesh.Record) {
	o := records[0].Origin
	r := p.reorder[o]
	if r == nil {
		r = &replica.Reorder{}
		p.reorder[o] = r
	}
	if mark, _ := p.disk.mark(o); mark > r.Base() {
		r.Set(mark)
	}
	r.Hold(records)
	ready := r.Take()
	if len(ready) == 0 {
		return
	}
	p.under[o]++
	p.journal.submit(ready, func(err error) {
		p.under[o]--
		if err != nil {
			if p.under[o] == 0 {
				mark, _ := p.disk.mark(o)
				r.Set(mark)
			}
			p.w.broken("%s refuses records of %s: %v", p, o, err)
		}
	})
}

// flushed tells the peers and the quorum what has moved.
func (p *process) flushed(moved []mesh.Origin) {
	if len(moved) == 0 {
		return
	}
	marks := make([]mark, 0, len(moved))
	for _, o := range moved {
		n, h := p.disk.mark(o)
		marks = append(marks, mark{o, n, h})
		p.counted(p.quorum.Note(p.node.name, p.disk.id, o, n))
	}
	p.tell(marks)
	if p.w.chance(20) { // there are many
		p.w.failpoint(p, "flushed and told, perhaps nowhere else")
	}
}

type mark struct {
	origin mesh.Origin
	number uint64
	hash   mesh.Hash
}

func (p *process) tell(marks []mark) {
	for _, to := range p.w.nodes {
		if to != p.node {
			p.tellOne(to, marks)
		}
	}
}

func (p *process) tellOne(to *node, marks []mark) {
	if q := to.proc; q != nil && len(marks) > 0 {
		p.w.net.send(p, to, func() { q.heard(p.node, p.disk.id, marks) })
	}
}

func (p *process) table() []mark {
	var all []mark
	for _, o := range sortedOrigins(p.disk.records) {
		n, h := p.disk.mark(o)
		all = append(all, mark{o, n, h})
	}
	return all
}

func (p *process) tables() {
	p.tell(p.table())
	p.w.after(tableEvery, p, p.tables)
}

// connected begins a connection with the whole table.
func (p *process) connected(to *node) {
	p.marks[to] = map[mesh.Origin]uint64{}
	p.tellOne(to, p.table())
}

// heard takes a peer's marks, and compares histories where both have the number.
func (p *process) heard(from *node, disk string, marks []mark) {
	if p.disks[from] != disk {
		if p.disks[from] != "" {
			p.quorum.Lost(from.name, p.disks[from])
		}
		p.disks[from], p.marks[from] = disk, nil
	}
	if p.marks[from] == nil {
		p.marks[from] = map[mesh.Origin]uint64{}
	}
	for _, m := range marks {
		if ours := p.disk.records[m.origin]; m.number > 0 && m.number <= uint64(len(ours)) && ours[m.number-1].Hash != m.hash {
			p.w.broken("%s and %s have different histories of %s at %d", p, from.name, m.origin, m.number)
		}
		p.marks[from][m.origin] = m.number
		moved, fell := p.quorum.Note(from.name, disk, m.origin, m.number)
		if fell && from.proc != nil && p.w.net.connected(p, from) != nil {
			p.w.rare["mark told out of order"]++
		}
		p.counted(moved, fell)
		p.pull(m.origin)
	}
}

// counted checks a durable mark against the disks, and releases who waits.
func (p *process) counted(moved []mesh.Origin, _ bool) {
	for _, o := range moved {
		n := p.quorum.Durable(o)
		if have := p.w.holding(p, mesh.Position{Origin: o, Number: n}); have <= len(p.w.nodes)/2 {
			p.w.broken("%s calls %s durable up to %d, which %d of %d disks hold", p, o, n, have, len(p.w.nodes))
		}
	}
	if len(moved) > 0 {
		p.release()
		p.wake()
	}
}

// release acknowledges what has become durable.
func (p *process) release() {
	durable := p.quorum.Durable(p.self)
	for n := p.released + 1; n <= durable; n++ {
		p.released = n
		pos := mesh.Position{Origin: p.self, Number: n}
		if ack := p.waiting[pos]; ack != nil {
			delete(p.waiting, pos)
			ack()
		}
	}
}

// pull fetches an origin from the connected peer that has most of it, after
// some grace for live records.
func (p *process) pull(o mesh.Origin) {
	if p.pulling[o] {
		return
	}
	ours, _ := p.disk.mark(o)
	best, most := (*node)(nil), ours
	for _, n := range p.w.nodes {
		if at := p.marks[n][o]; at > most && p.w.net.connected(p, n) != nil {
			best, most = n, at
		}
	}
	if best == nil {
		return
	}
	p.pulling[o] = true
	p.w.after(p.w.between(100*time.Millisecond, 300*time.Millisecond), p, func() {
		p.pulling[o] = false
		now, hash := p.disk.mark(o)
		q := best.proc
		if now >= most || q == nil || q.dead {
			return
		}
		if o.Node != best.name && !o.IsAgreement() {
			p.w.rare["fetched from a third node"]++
		}
		p.w.net.send(p, best, func() { q.serve(p, o, now+1, hash) })
		p.w.after(500*time.Millisecond, p, func() { p.pull(o) }) // as long as somebody is ahead
	})
}

// serve gives an origin's records to a peer that has the same history before.
func (p *process) serve(to *process, o mesh.Origin, from uint64, before mesh.Hash) {
	all := p.disk.records[o]
	if from > uint64(len(all)) {
		return
	}
	if from > 1 && all[from-2].Hash != before {
		p.w.broken("%s and %s have different histories of %s at %d", p, to, o, from-1)
		return
	}
	some := all[from-1 : min(uint64(len(all)), from+255)]
	p.w.net.send(p, to.node, func() { to.offer(some) })
}
