package sim

import (
	"fmt"
	"time"

	"vedetta/wire/mesh"
)

// failpoint kills or holds a process between two steps of an alarm's life.
func (w *World) failpoint(p *process, where string) {
	if w.quiet || w.now.After(w.faultsEnd) || !w.chance(40) {
		return
	}
	w.rare["fault at: "+where]++
	if w.chance(5) {
		w.loseDisk(p.node)
		return
	}
	if w.chance(2) {
		w.crash(p.node)
		return
	}
	p.hold(w.between(100*time.Millisecond, 20*time.Second))
}

// crash kills a node's process and starts it again, at once or later.
func (w *World) crash(n *node) {
	if n.proc == nil {
		return
	}
	n.kill()
	back := w.between(0, 8*time.Second)
	if w.chance(3) {
		back = 0 // inside its lease
	}
	w.after(back, nil, func() { n.start(w) })
}

// misfortune makes one fault after the other.
func (w *World) misfortune() {
	if w.quiet || w.now.After(w.faultsEnd) {
		return
	}
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	switch w.rng.IntN(8) {
	case 0:
		w.crash(n)
	case 1:
		if l := w.log.leader; l != nil {
			w.rare["leader of the agreement killed"]++
			w.crash(l.node)
		}
	case 2:
		if n.proc != nil {
			n.proc.hold(w.between(100*time.Millisecond, 20*time.Second))
		}
	case 3: // alone
		for _, other := range w.nodes {
			if other != n {
				w.cut(n, other, true)
			}
		}
	case 4: // one pair
		if other := w.nodes[w.rng.IntN(len(w.nodes))]; other != n {
			w.cut(n, other, true)
		}
	case 5: // one way
		if other := w.nodes[w.rng.IntN(len(w.nodes))]; other != n {
			w.rare["cut one way"]++
			w.cut(n, other, false)
		}
	case 7:
		w.loseDisk(n)
	case 6:
		pr := w.providers[[]string{"email", "webhook"}[w.rng.IntN(2)]]
		pr.mode = mode(1 + w.rng.IntN(3))
		w.after(w.between(time.Second, 10*time.Second), nil, func() { pr.mode = modeGood })
	}
	w.after(w.between(500*time.Millisecond, 6*time.Second), nil, w.misfortune)
}

// loseDisk takes a node's disk away and lets it come back with an empty one. No
// mesh bears a second loss before the first was made good, so none is made.
func (w *World) loseDisk(n *node) {
	if !w.madeGood || n.proc == nil {
		return
	}
	w.madeGood = false
	w.rare["disk lost"]++
	n.kill()
	w.disks++
	n.lost = append(n.lost, n.disk)
	n.disk = &disk{id: fmt.Sprintf("%s-%d", n.name, w.disks+1), records: map[mesh.Origin][]mesh.Record{}}
	w.note("disk of %s lost\n", n.name)
	w.after(w.between(0, 8*time.Second), nil, func() { n.start(w) })
}

// makeGood looks whether every disk counts and holds what the others hold.
func (w *World) makeGood() {
	level := true
	for _, n := range w.nodes {
		level = level && n.proc != nil && w.log.counts(n)
		for o := range union(w.nodes[0].disk.records, n.disk.records) {
			level = level && len(w.nodes[0].disk.records[o]) == len(n.disk.records[o])
		}
	}
	w.madeGood = w.madeGood || level
	w.after(100*time.Millisecond, nil, w.makeGood)
}

func (w *World) cut(a, b *node, both bool) {
	w.note("cut %s %s %v\n", a.name, b.name, both)
	w.net.cut[pair{a, b}] = true
	if both {
		w.net.cut[pair{b, a}] = true
	}
	w.after(w.between(time.Second, 20*time.Second), nil, func() {
		delete(w.net.cut, pair{a, b})
		delete(w.net.cut, pair{b, a})
	})
}

// heal ends every fault.
func (w *World) heal() {
	clear(w.net.cut)
	for _, pr := range w.providers {
		pr.mode = modeGood
	}
}
