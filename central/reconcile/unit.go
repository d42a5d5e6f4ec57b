package reconcile

import (
	"strings"

	"vedetta/wire/mesh"
)

// Unit names what is looked at as a whole: all its differences are found
// together, so that a case of it which is not found again is over.
type Unit string

// Prefixes of units.
const (
	entryPrefix    = "entry "    // an entry and all that was decided about it
	decisionPrefix = "decision " // one record of the agreement
	originPrefix   = "origin "   // an origin at all nodes
	nodePrefix     = "node "     // a node
	rosterPrefix   = "roster "   // a customer's roster at all nodes
)

func entryUnit(p mesh.Position) Unit    { return Unit(entryPrefix + p.String()) }
func decisionUnit(p mesh.Position) Unit { return Unit(decisionPrefix + p.String()) }
func originUnit(o mesh.Origin) Unit     { return Unit(originPrefix + o.String()) }
func nodeUnit(name string) Unit         { return Unit(nodePrefix + name) }
func rosterUnit(customer string) Unit   { return Unit(rosterPrefix + customer) }

// position of an entry's or decision's unit.
func (u Unit) position(prefix string) (mesh.Position, bool) {
	text, ok := strings.CutPrefix(string(u), prefix)
	if !ok {
		return mesh.Position{}, false
	}
	p, err := mesh.ParsePosition(text)
	return p, err == nil
}
