package sim

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"vedetta/wire/mesh"
)

// panel sends one message after the other, each until it is acknowledged.
type panel struct {
	name     string
	customer string
	shard    byte
	sequence int
	home     int // index of the node it prefers
	silent   bool
}

// message is one thing that a panel says, and the truth about it.
type message struct {
	id       int
	panel    *panel
	content  content
	identity mesh.Identity
	sent     time.Time
	acked    bool // a node has sent the acknowledgement
	heard    bool // the panel has got it
	tries    int
}

func (w *World) speak(pn *panel) {
	if w.now.After(w.faultsEnd) {
		return
	}
	pn.sequence = pn.sequence%9999 + 1
	m := &message{id: len(w.messages), panel: pn, sent: w.now}
	m.content = content{Message: m.id, Customer: pn.customer, Panel: pn.name, Sequence: pn.sequence, Urgent: w.chance(2), Silent: pn.silent}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", pn.name, pn.sequence))
	copy(m.identity[:], sum[:])
	w.messages = append(w.messages, m)
	w.send(m)
}

// send tries one address after the other; a dual-path panel uses two at once.
func (w *World) send(m *message) {
	if m.heard {
		w.after(w.between(500*time.Millisecond, 6*time.Second), nil, func() { w.speak(m.panel) })
		return
	}
	w.reach(m, w.nodes[(m.panel.home+m.tries)%len(w.nodes)])
	if w.chance(12) {
		w.reach(m, w.nodes[(m.panel.home+m.tries+1)%len(w.nodes)])
	}
	m.tries++
	w.after(w.between(4*time.Second, 6*time.Second), nil, func() { w.send(m) })
}

func (w *World) reach(m *message, n *node) {
	if p := n.proc; p != nil {
		w.after(w.between(time.Millisecond, 30*time.Millisecond), p, func() { p.receive(m) })
	}
}

// receive journals a message and acknowledges it when it is durable.
func (p *process) receive(m *message) {
	if !p.w.net.reaches(p) {
		return // not ready: silence
	}
	c := m.content
	c.Received = p.w.now.UnixMilli()
	b, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("sim: %v", err))
	}
	began := p.w.now
	var pos mesh.Position
	acknowledge := func() {
		if p.w.now.Sub(began) > 3*time.Second {
			p.w.rare["durable too late for its acknowledgement"]++
			return // rule 8
		}
		p.w.acknowledged(p, m, pos)
	}
	pos = p.journal.append(m.panel.shard, m.identity, b, func(err error) {
		if err == nil && p.w.plant == PlantAckBeforeQuorum {
			acknowledge()
		}
	})
	if p.w.plant != PlantAckBeforeQuorum {
		p.waiting[pos] = acknowledge
	}
}

// acknowledged is an acknowledgement leaving for the panel; it may get lost.
func (w *World) acknowledged(p *process, m *message, pos mesh.Position) {
	if have := w.holding(p, pos); have <= len(w.nodes)/2 {
		w.broken("message %d was acknowledged as %s, which %d of %d disks hold", m.id, pos, have, len(w.nodes))
	}
	m.acked = true
	if w.chance(25) {
		w.rare["acknowledgement lost"]++
		return
	}
	w.after(w.between(time.Millisecond, 30*time.Millisecond), nil, func() { m.heard = true })
}
