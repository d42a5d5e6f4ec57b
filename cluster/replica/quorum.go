package replica

import (
	"maps"
	"slices"

	"vedetta/wire/mesh"
)

// Member is a node of the committed configuration, on the disk it was promoted
// with (rule 28).
type Member struct {
	Node, Disk, Site string
}

// Quorum computes durable marks: per origin the highest number that a majority
// of sites has flushed. A site's mark is the highest of its members'. A member
// that has fallen below what it once announced is not counted until it is back
// where it was. A durable mark never falls. Quorum is stepped and not safe for
// use by several goroutines.
type Quorum struct {
	sites   []string
	members []Member
	peers   map[nodeDisk]*peerMarks
	durable map[mesh.Origin]uint64
	frozen  map[mesh.Origin]bool
}

type nodeDisk struct{ node, disk string }

type peerMarks struct {
	marks map[mesh.Origin]uint64
	owed  map[mesh.Origin]uint64 // what it once had and has no more
}

// NewQuorum returns a Quorum without members: nothing becomes durable.
func NewQuorum() *Quorum {
	return &Quorum{peers: map[nodeDisk]*peerMarks{}, durable: map[mesh.Origin]uint64{}, frozen: map[mesh.Origin]bool{}}
}

// Configure sets the committed configuration and returns the origins whose
// durable mark has moved.
func (q *Quorum) Configure(sites []string, members []Member) []mesh.Origin {
	q.sites, q.members = slices.Clone(sites), slices.Clone(members)
	return q.all()
}

func (q *Quorum) peer(node, disk string) *peerMarks {
	p := q.peers[nodeDisk{node, disk}]
	if p == nil {
		p = &peerMarks{marks: map[mesh.Origin]uint64{}, owed: map[mesh.Origin]uint64{}}
		q.peers[nodeDisk{node, disk}] = p
	}
	return p
}

// Note takes a node's announced mark. It returns the origins whose durable mark
// has moved, and whether the node has fallen below an earlier mark.
func (q *Quorum) Note(node, disk string, o mesh.Origin, mark uint64) (moved []mesh.Origin, fell bool) {
	p := q.peer(node, disk)
	old, owing := p.marks[o], len(p.owed) > 0
	p.marks[o] = mark
	if mark < old {
		fell = true
		p.owed[o] = max(p.owed[o], old)
	} else if owed, ok := p.owed[o]; ok && mark >= owed {
		delete(p.owed, o)
	}
	switch {
	case owing && len(p.owed) == 0: // it counts again, for every origin
		return q.all(), fell
	case mark > old && q.settle(o):
		moved = append(moved, o)
	}
	return moved, fell
}

// Lost forgets the marks of a disk that another has come in place of: what it
// had flushed is gone, so it makes nothing durable from now on. What it has
// made durable before stays so. Should it come back, it announces its marks anew.
func (q *Quorum) Lost(node, disk string) { delete(q.peers, nodeDisk{node, disk}) }

// Owe says that a node's disk once announced mark, in an earlier process of
// ours; it reports whether the node has less now.
func (q *Quorum) Owe(node, disk string, o mesh.Origin, mark uint64) bool {
	p := q.peer(node, disk)
	if p.marks[o] >= mark {
		return false
	}
	p.owed[o] = max(p.owed[o], mark)
	return true
}

// Counted tells whether a node's marks count: it is a member, on that disk, and
// holds all it ever announced.
func (q *Quorum) Counted(node, disk string) bool {
	return slices.ContainsFunc(q.members, func(m Member) bool {
		return m.Node == node && m.Disk == disk && q.counts(m)
	})
}

func (q *Quorum) counts(m Member) bool {
	p := q.peers[nodeDisk{m.Node, m.Disk}]
	return p == nil || len(p.owed) == 0 // nil: it has announced no mark yet
}

// Freeze stops the durable mark of an origin whose histories differ.
func (q *Quorum) Freeze(o mesh.Origin) { q.frozen[o] = true }

// Durable returns an origin's durable mark.
func (q *Quorum) Durable(o mesh.Origin) uint64 { return q.durable[o] }

// Whole returns the highest number of an origin that every configured site has
// flushed, 0 when there is none. Unlike Durable it may fall.
func (q *Quorum) Whole(o mesh.Origin) uint64 {
	if len(q.sites) == 0 || q.frozen[o] {
		return 0
	}
	return slices.Min(q.siteMarks(o))
}

// Durables returns all durable marks.
func (q *Quorum) Durables() map[mesh.Origin]uint64 { return maps.Clone(q.durable) }

func (q *Quorum) all() (moved []mesh.Origin) {
	origins := map[mesh.Origin]bool{}
	for _, p := range q.peers {
		for o := range p.marks {
			origins[o] = true
		}
	}
	for o := range origins {
		if q.settle(o) {
			moved = append(moved, o)
		}
	}
	slices.SortFunc(moved, mesh.Origin.Compare)
	return moved
}

// settle recomputes one origin and tells whether its durable mark has moved.
func (q *Quorum) settle(o mesh.Origin) bool {
	if len(q.sites) == 0 || q.frozen[o] {
		return false
	}
	marks := q.siteMarks(o)
	slices.Sort(marks)
	at := marks[(len(marks)-1)/2] // as many sites as a majority have this or more
	if at <= q.durable[o] {
		return false
	}
	q.durable[o] = at
	return true
}

// siteMarks are an origin's marks of the configured sites, in their order.
func (q *Quorum) siteMarks(o mesh.Origin) []uint64 {
	marks := make([]uint64, len(q.sites))
	for i, site := range q.sites {
		for _, m := range q.members {
			if p := q.peers[nodeDisk{m.Node, m.Disk}]; p != nil && m.Site == site && q.counts(m) {
				marks[i] = max(marks[i], p.marks[o])
			}
		}
	}
	return marks
}
