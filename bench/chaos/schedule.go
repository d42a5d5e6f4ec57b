package chaos

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind of a fault.
type Kind string

// Kinds. A killed node is started again at once, by who supervises it.
const (
	Kill  Kind = "kill"  // SIGKILL
	Pause Kind = "pause" // SIGSTOP, and SIGCONT after For
)

// Role says whom a fault strikes; who that is shows only when it strikes.
type Role string

// Roles.
const (
	AgreementLeader Role = "agreement leader"
	ShardLeader     Role = "leader of most shards"
	Any             Role = "any node"
)

// Fault is one planned fault.
type Fault struct {
	At   time.Duration // since the beginning
	Kind Kind
	Role Role
	Pick int           // which node, of those the role leaves open
	For  time.Duration // of a pause
}

// LongestPause is the longest that a node is held.
const LongestPause = 20 * time.Second

// Plan draws the faults of a run from its seed: the same seed gives the same
// faults, whatever the product does. Every kind strikes every role at least
// once, one pause has the full LongestPause, some are shorter than a lease and
// some about as long; the rest is chance. All end before span.
func Plan(seed uint64, span time.Duration) []Fault {
	r := rand.New(rand.NewPCG(seed, 0x636861_6f73))
	// Pauses around the limits that the product lives by: 2 s lease, 3 s answer,
	// 10 s hand-over, 12 s resolving.
	pauses := []time.Duration{LongestPause, 12500 * time.Millisecond, 10 * time.Second, 6 * time.Second, 3 * time.Second, 2 * time.Second, time.Second}
	deck := []Fault{
		{Kind: Kill, Role: AgreementLeader}, {Kind: Kill, Role: ShardLeader}, {Kind: Kill, Role: Any},
		{Kind: Pause, Role: AgreementLeader, For: pauses[r.IntN(3)]}, {Kind: Pause, Role: ShardLeader, For: LongestPause}, {Kind: Pause, Role: Any, For: pauses[3+r.IntN(4)]},
	}
	for len(deck) < max(6, int(span/(6*time.Second))) {
		f := Fault{Kind: Kill, Role: []Role{AgreementLeader, ShardLeader, Any, Any}[r.IntN(4)]}
		if r.IntN(3) == 0 {
			f.Kind, f.For = Pause, pauses[2+r.IntN(len(pauses)-2)]
		}
		deck = append(deck, f)
	}
	r.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	// One slot each, at a random place in it: faults may overlap.
	slot := span / time.Duration(len(deck)+1)
	for i := range deck {
		f := &deck[i]
		f.Pick = r.IntN(1 << 16)
		f.At = slot*time.Duration(i) + slot/2 + time.Duration(r.Int64N(int64(slot)))
		f.At = max(0, min(f.At, span-f.For))
	}
	slices.SortStableFunc(deck, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	return deck
}

// View is what the nodes say of themselves when a fault is due.
type View struct {
	Leader int   // index of the agreement's leader, -1: nobody knows
	Shards []int // how many each node leads
}

// Action is what has to be done now.
type Action struct {
	Do   Doing
	Node int
	Why  string
}

// Doing is one signal.
type Doing string

// Doings.
const (
	DoKill Doing = "SIGKILL"
	DoStop Doing = "SIGSTOP"
	DoCont Doing = "SIGCONT"
)

// Core steps through a plan. At most a minority is held at a time: a fault that
// would hold one more strikes the node that is held already, or waits. It has
// no clock and does nothing itself.
type Core struct {
	nodes int
	plan  []Fault
	next  int
	holds map[int]hold // by node
}

// hold is one pause under way.
type hold struct{ since, until time.Duration }

// NewCore takes the plan of a mesh of that many nodes.
func NewCore(plan []Fault, nodes int) *Core {
	return &Core{nodes: nodes, plan: plan, holds: map[int]hold{}}
}

// Done tells whether nothing is left to do.
func (c *Core) Done() bool { return c.next == len(c.plan) && len(c.holds) == 0 }

// Wake is when Step has something to do next.
func (c *Core) Wake() time.Duration {
	at := time.Duration(-1)
	if c.next < len(c.plan) {
		at = c.plan[c.next].At
	}
	for _, h := range c.holds {
		if at < 0 || h.until < at {
			at = h.until
		}
	}
	return at
}

// Step returns what is to be done at now, in this order.
func (c *Core) Step(now time.Duration, v View) []Action {
	var out []Action
	for i := range c.nodes {
		if h, held := c.holds[i]; held && h.until <= now {
			delete(c.holds, i)
			out = append(out, Action{DoCont, i, "pause is over"})
		}
	}
	for c.next < len(c.plan) && c.plan[c.next].At <= now {
		f := c.plan[c.next]
		c.next++
		node := c.target(f, v)
		switch {
		case f.Kind == Kill:
			// The new process is not held.
			delete(c.holds, node)
			out = append(out, Action{DoKill, node, string(f.Role)})
		case c.held(node):
			h := c.holds[node]
			h.until = max(h.until, min(now+f.For, h.since+LongestPause))
			c.holds[node] = h
			out = append(out, Action{DoStop, node, fmt.Sprintf("%s, %s more", f.Role, f.For)})
		default:
			c.holds[node] = hold{now, now + f.For}
			out = append(out, Action{DoStop, node, fmt.Sprintf("%s, for %s", f.Role, f.For)})
		}
	}
	return out
}

func (c *Core) held(node int) bool { _, ok := c.holds[node]; return ok }

// target finds the node of a fault. A pause beside another would leave no
// majority for its whole length: it strikes the node that is held.
func (c *Core) target(f Fault, v View) int {
	if f.Kind == Pause && 2*(len(c.holds)+1) >= c.nodes {
		for i := range c.nodes {
			if c.held(i) {
				return i
			}
		}
	}
	switch {
	case f.Role == AgreementLeader && v.Leader >= 0:
		return v.Leader
	case f.Role == ShardLeader && len(v.Shards) == c.nodes && slices.Max(v.Shards) > 0:
		return slices.Index(v.Shards, slices.Max(v.Shards))
	}
	return f.Pick % c.nodes
}
