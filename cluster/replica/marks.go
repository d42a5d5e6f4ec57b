package replica

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/wire/mesh"
)

// flushed gets every move of our marks, on the journal's goroutine.
func (r *Replica) flushed(moves []journal.Move) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range moves {
		moved, _ := r.quorum.Note(r.cfg.Node, r.journal.DiskID(), m.Origin, m.Mark)
		r.settled(moved)
		r.noted(m.Origin)
	}
	for _, p := range r.peers {
		if !p.connected {
			continue
		}
		for _, m := range moves {
			p.moved[m.Origin] = m
		}
		wake(p.marksWake)
	}
}

// sendMarks tells a peer our marks: the whole table at once and every
// TableInterval, what moved as soon as it is flushed.
func (r *Replica) sendMarks(ctx context.Context, p *peer) error {
	s, err := r.openStream(ctx, p.name, link.PurposeMarks)
	if err != nil {
		return err
	}
	defer s.Abort()
	defer context.AfterFunc(ctx, s.Abort)()
	tick := time.NewTicker(r.cfg.TableInterval)
	defer tick.Stop()
	var b []byte
	for table := true; ; {
		m := message{table: table, disk: r.journal.DiskID()}
		if r.raft != nil {
			m.term, m.index = r.raft()
		}
		r.mu.Lock()
		for _, k := range p.moved {
			m.marks = append(m.marks, k)
		}
		clear(p.moved)
		r.mu.Unlock()
		if table {
			m.marks = r.journal.Table() // at least as new as what moved
		}
		if table || len(m.marks) > 0 {
			b = m.append(b[:0])
			if _, err := s.Write(b); err != nil {
				return err
			}
		}
		select {
		case <-p.marksWake:
			table = false
		case <-tick.C:
			table = true
		case <-ctx.Done():
			return nil
		}
	}
}

// serveMarks takes a peer's marks.
func (r *Replica) serveMarks(ctx context.Context, from link.Identity, s link.Stream) error {
	defer context.AfterFunc(ctx, s.Abort)()
	r.mu.Lock()
	p := r.peerOf(from)
	p.session++
	session := p.session
	r.mu.Unlock()
	in := bufio.NewReaderSize(s, 16<<10)
	for first := true; ; first = false {
		m, err := readMessage(in)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("from %s: %w", from.Name, err)
		}
		r.compare(p, m) // before it counts
		if !r.note(p, session, m, first) {
			return nil // a newer stream of the same peer has taken over
		}
	}
}

// note takes one message into the quorum and the puller's view.
func (r *Replica) note(p *peer, session int, m message, first bool) bool {
	announced := make(map[mesh.Origin]uint64, len(m.marks))
	for _, k := range m.marks {
		announced[k.Origin] = k.Mark
	}
	var before []journal.Seen
	if first {
		before = r.journal.Seen(p.name)
	}
	ours := make(map[mesh.Origin]uint64, len(m.marks))
	for o := range announced {
		ours[o], _ = r.journal.MarkAndHash(o)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if session != p.session {
		return false
	}
	if p.disk != m.disk {
		if p.disk != "" {
			r.quorum.Lost(p.name, p.disk)
		}
		p.disk, p.marks = m.disk, map[mesh.Origin]uint64{}
	}
	if m.table {
		for o := range p.marks { // what it has no more at all
			if _, ok := announced[o]; !ok {
				announced[o], ours[o] = 0, 0
			}
		}
	}
	lagging := false
	for o, mark := range announced {
		p.marks[o] = mark
		moved, fell := r.quorum.Note(p.name, m.disk, o, mark)
		r.settled(moved)
		r.noted(o)
		if fell {
			r.regressed(p.name, m.disk, o, mark)
		}
		if mark > ours[o] {
			lagging = true
			r.ahead[o] = true
			if first {
				r.hurry[o] = true
			}
		}
	}
	for _, seen := range before {
		if seen.Disk != m.disk {
			continue
		}
		for o, mark := range seen.Marks {
			if r.quorum.Owe(p.name, m.disk, o, mark) {
				r.regressed(p.name, m.disk, o, announced[o])
			}
		}
	}
	if lagging {
		r.wakePull()
	}
	r.journal.NoteSeen(p.name, m.disk, announced, m.term, m.index)
	return true
}

// regressed says that a node holds less than it once announced: its disk lied.
func (r *Replica) regressed(node, disk string, o mesh.Origin, mark uint64) {
	r.metrics.regressions.Inc()
	r.env.Log.Error("durability regression: a node holds less than it acknowledged; it is not counted until it has caught up",
		"node", node, "disk", disk, "origin", o.String(), "mark", mark)
}

// compare looks whether equal numbers have equal running hashes (equal means
// equal prefix). Moves are compared when both stand at the same number, whole
// tables at every number that we have too.
func (r *Replica) compare(p *peer, m message) {
	for _, k := range m.marks {
		mark, hash := r.journal.MarkAndHash(k.Origin)
		if k.Mark == 0 || k.Mark > mark || k.Mark < mark && !m.table {
			continue
		}
		r.mu.Lock()
		known := p.verified[k.Origin] == k
		r.mu.Unlock()
		if known {
			continue
		}
		if k.Mark < mark {
			records, err := r.journal.Read(k.Origin, k.Mark, k.Mark, 1)
			if err != nil || len(records) != 1 {
				r.env.Log.Error("a record could not be compared", "origin", k.Origin.String(), "number", k.Mark, "error", err)
				continue
			}
			hash = records[0].Hash
		}
		if hash != k.Hash {
			r.quarantine(k.Origin, fmt.Sprintf("running hash at number %d differs from that of node %s", k.Mark, p.name))
			continue
		}
		r.mu.Lock()
		p.verified[k.Origin] = k
		r.mu.Unlock()
	}
}
