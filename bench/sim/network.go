package sim

import "time"

// network carries messages between nodes. Between two nodes there is at most
// one connection; what is sent on it arrives once and in order, or the
// connection breaks and all that was under way is lost.
type network struct {
	w     *World
	cut   map[pair]bool // directions that carry nothing
	conns map[pair]*conn
}

// pair is an ordered pair of nodes.
type pair struct{ from, to *node }

// conn is one direction of a connection, between two processes.
type conn struct {
	from, to *process
	last     time.Time // nothing overtakes
	broken   bool
}

// breakAfter is how long a silent direction is borne before the connection is
// given up.
const breakAfter = 4 * time.Second

// connected is the direction from p to n, nil when there is none.
func (n *network) connected(p *process, to *node) *conn {
	c := n.conns[pair{p.node, to}]
	if c == nil || c.broken || c.from != p || to.proc != c.to {
		return nil
	}
	return c
}

// send has fn happen at the other side, as that process's code.
func (n *network) send(p *process, to *node, fn func()) bool {
	c := n.connected(p, to)
	if c == nil {
		return false
	}
	n.deliver(c, n.w.between(300*time.Microsecond, 3*time.Millisecond), fn)
	if n.cut[pair{p.node, to}] {
		n.w.rare["message held up by a cut"]++
	}
	return true
}

func (n *network) deliver(c *conn, d time.Duration, fn func()) {
	at := n.w.now.Add(d)
	if at.Before(c.last) {
		at = c.last
	}
	c.last = at
	n.w.after(at.Sub(n.w.now), nil, func() {
		switch {
		case c.broken || c.to.dead:
		case n.cut[pair{c.from.node, c.to.node}]: // retransmitted until it arrives or the connection breaks
			n.deliver(c, 100*time.Millisecond, fn)
		default:
			n.w.after(0, c.to, fn)
		}
	})
}

// dial connects every two processes that can reach one another and aren't
// connected, and breaks what has been silent for too long.
func (n *network) dial() {
	for i, a := range n.w.nodes {
		for _, b := range n.w.nodes[i+1:] {
			ab, ba := pair{a, b}, pair{b, a}
			whole := !n.cut[ab] && !n.cut[ba]
			alive := a.proc != nil && b.proc != nil && !a.proc.held && !b.proc.held
			c := n.conns[ab]
			up := c != nil && !c.broken && c.from == a.proc && c.to == b.proc
			switch {
			case up && (!whole || !alive):
				n.w.after(breakAfter, nil, func() {
					if n.cut[ab] || n.cut[ba] || a.proc == nil || b.proc == nil || a.proc.held || b.proc.held {
						n.hangUp(a, b, c)
					}
				})
			case !up && whole && alive:
				n.hangUp(a, b, c)
				pa, pb := a.proc, b.proc
				n.conns[ab] = &conn{from: pa, to: pb}
				n.conns[ba] = &conn{from: pb, to: pa}
				n.w.after(0, pa, func() { pa.connected(b) })
				n.w.after(0, pb, func() { pb.connected(a) })
			}
		}
	}
	n.w.after(500*time.Millisecond, nil, n.dial)
}

// hangUp ends a connection when it still is this one.
func (n *network) hangUp(a, b *node, c *conn) {
	if c == nil || n.conns[pair{a, b}] != c {
		return
	}
	c.broken = true
	if back := n.conns[pair{b, a}]; back != nil {
		back.broken = true
	}
	delete(n.conns, pair{a, b})
	delete(n.conns, pair{b, a})
}

// reaches tells whether a process has a majority of the nodes whose disk counts,
// itself among them.
func (n *network) reaches(p *process) bool {
	count := 0
	if !n.w.log.counts(p.node) {
		return false
	}
	for _, to := range n.w.nodes {
		if !n.w.log.counts(to) {
			continue
		}
		if to == p.node || n.connected(p, to) != nil && !n.cut[pair{p.node, to}] && !n.cut[pair{to, p.node}] && !to.proc.held {
			count++
		}
	}
	return count > len(n.w.nodes)/2
}
