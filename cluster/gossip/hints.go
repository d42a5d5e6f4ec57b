package gossip

import (
	"slices"
	"sync"
	"time"

	"vedetta/wire/mesh"
)

// Hint is what gossip believes of one configured node. It may be wrong.
type Hint struct {
	Node        string
	Heard       bool        // something was ever heard of it; the rest is empty otherwise
	Alive       bool        // seems alive
	Since       time.Time   // this node began to believe so
	Incarnation mesh.Origin // newest start heard of
	About       About       // as it says itself
}

// table is the core: what was heard, newest start first. now is an argument.
type table struct {
	nodes []string // configured, this node among them, sorted

	mu   sync.Mutex      // guards rows; held only for a moment: memberlist calls with its own locks held
	rows map[string]Hint // by node
}

func newTable(nodes []string) *table {
	slices.Sort(nodes)
	return &table{nodes: nodes, rows: map[string]Hint{}}
}

func (t *table) configured(node string) bool {
	_, ok := slices.BinarySearch(t.nodes, node)
	return ok
}

// alive notes that a start of a node seems alive.
func (t *table) alive(now time.Time, o mesh.Origin, about About) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.rows[o.Node]
	if o.Incarnation < old.Incarnation.Incarnation {
		return // late word of an earlier start
	}
	h := Hint{Node: o.Node, Heard: true, Alive: true, Since: now, Incarnation: o, About: about}
	if old.Alive && old.Incarnation == o {
		h.Since = old.Since
	}
	t.rows[o.Node] = h
}

// gone notes that a start of a node seems dead, or has said good-bye.
func (t *table) gone(now time.Time, o mesh.Origin) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.rows[o.Node]
	if h.Incarnation != o || !h.Alive {
		return
	}
	h.Alive, h.Since = false, now
	t.rows[o.Node] = h
}

// hints are those of all configured nodes, by name.
func (t *table) hints() []Hint {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Hint, 0, len(t.nodes))
	for _, node := range t.nodes {
		h := t.rows[node]
		h.Node = node
		out = append(out, h)
	}
	return out
}

// clear forgets everything: nobody listens any more.
func (t *table) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = map[string]Hint{}
}
