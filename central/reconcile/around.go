package reconcile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"vedetta/wire/mesh"
)

// Held is how far an origin is stored at central.
type Held struct {
	Number uint64
	Hash   mesh.Hash
	Recent bool // its last record here is younger than what nodes delete
}

// NodeOrigin is an origin at a node. AtHash is the running hash at central's
// number, nil when the node doesn't hold that number.
type NodeOrigin struct {
	Mark, Durable uint64
	AtHash        []byte
}

// NodeDocument is a roster document as a node has applied it. Digest is nil
// when the node couldn't open it.
type NodeDocument struct {
	Revision uint64
	Digest   []byte
}

// NodeFacts is what one node has answered.
type NodeFacts struct {
	Answered  bool
	Origins   map[mesh.Origin]NodeOrigin
	Documents map[string]NodeDocument
}

// Surroundings is central's cursors and all configured nodes, asked after the
// cursors were read.
type Surroundings struct {
	Held  map[mesh.Origin]Held
	Nodes map[string]NodeFacts
}

// Durable is the highest durable mark that any node knows, by origin.
func (s Surroundings) Durable() map[mesh.Origin]uint64 {
	out := map[mesh.Origin]uint64{}
	for _, n := range s.Nodes {
		for o, m := range n.Origins {
			out[o] = max(out[o], m.Durable)
		}
	}
	return out
}

// Silent names the nodes that have not answered, sorted.
func (s Surroundings) Silent() []string {
	silent := []string{}
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		if !s.Nodes[name].Answered {
			silent = append(silent, name)
		}
	}
	return silent
}

// Answered counts the nodes that have answered.
func (s Surroundings) Answered() (n int) {
	for _, node := range s.Nodes {
		if node.Answered {
			n++
		}
	}
	return n
}

// Judge compares origins between central and every node. Examined are all
// origins that could be compared and all nodes. While no node answers only that
// is said.
func (s Surroundings) Judge() (found []Finding, examined []Unit) {
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		examined = append(examined, nodeUnit(name))
		if !s.Nodes[name].Answered {
			found = append(found, Finding{Kind: NodeSilent, Unit: nodeUnit(name), Place: name, Expected: "an answer", Found: "none"})
		}
	}
	if s.Answered() == 0 {
		return found, examined
	}
	durable := s.Durable()
	origins := map[mesh.Origin]bool{}
	for o := range s.Held {
		origins[o] = true
	}
	for _, n := range s.Nodes {
		for o := range n.Origins {
			origins[o] = true
		}
	}
	for _, o := range slices.SortedFunc(maps.Keys(origins), mesh.Origin.Compare) {
		examined = append(examined, originUnit(o))
		found = append(found, s.origin(o, durable[o])...)
	}
	return found, examined
}

func (s Surroundings) origin(o mesh.Origin, durable uint64) (found []Finding) {
	add := func(kind Kind, node, expected, text string, at, goal uint64) {
		place := strings.TrimSpace(o.String() + " " + node)
		found = append(found, Finding{Kind: kind, Unit: originUnit(o), Place: place, Expected: expected, Found: text, At: at, Goal: goal})
	}
	held := s.Held[o]
	if held.Number < durable {
		add(IngestBehind, "", fmt.Sprint("number ", durable), fmt.Sprint("number ", held.Number), held.Number, durable)
	}
	highest, listed := uint64(0), false
	for _, name := range slices.Sorted(maps.Keys(s.Nodes)) {
		n := s.Nodes[name]
		m, ok := n.Origins[o]
		if !n.Answered {
			continue
		}
		listed = listed || ok
		highest = max(highest, m.Mark)
		switch {
		case m.Mark < durable:
			add(NodeBehind, name, fmt.Sprint("number ", durable), fmt.Sprint("number ", m.Mark), m.Mark, durable)
		case m.AtHash != nil && held.Number > 0 && !bytes.Equal(m.AtHash, held.Hash[:]):
			add(HashDiffers, name, fmt.Sprint("central's running hash at number ", held.Number), "another", 0, 0)
		}
	}
	if s.Answered() == len(s.Nodes) && highest < held.Number && (listed || held.Recent) {
		add(MeshBehind, "", fmt.Sprint("number ", held.Number), fmt.Sprint("number ", highest), 0, 0)
	}
	return found
}

// Roster is a customer's roster as central wants it. The digest is keyed with
// the customer's key; nil when central can't make it now.
type Roster struct {
	Customer string
	Revision uint64
	Digest   []byte
}

// Judge compares it with what every node that answered has applied; examined
// is false when none has.
func (r Roster) Judge(nodes map[string]NodeFacts) (found []Finding, examined bool) {
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		n := nodes[name]
		if !n.Answered {
			continue
		}
		examined = true
		d := n.Documents[r.Customer]
		f := Finding{Unit: rosterUnit(r.Customer), Place: r.Customer + " " + name, Customer: r.Customer}
		switch {
		case d.Revision < r.Revision:
			f.Kind, f.At, f.Goal = RosterBehind, d.Revision, r.Revision
			f.Expected, f.Found = fmt.Sprint("revision ", r.Revision), fmt.Sprint("revision ", d.Revision)
		case d.Revision > r.Revision:
			f.Kind, f.Expected, f.Found = RosterDiffers, fmt.Sprint("revision ", r.Revision), fmt.Sprint("revision ", d.Revision)
		case r.Digest != nil && d.Digest != nil && !bytes.Equal(d.Digest, r.Digest):
			f.Kind, f.Expected, f.Found = RosterDiffers, fmt.Sprint("central's document of revision ", r.Revision), "another under the same revision"
		default:
			continue
		}
		found = append(found, f)
	}
	return found, examined
}
