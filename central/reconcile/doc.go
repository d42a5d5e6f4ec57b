// Package reconcile compares what the mesh did with what central shows and
// with what was to be done: journals of all nodes, decisions, deliveries, read
// models, rosters. Every difference is a case, with its place, what was
// expected and found, since when, whose it is, and what became of it.
//
// It reads the decisions by itself and derives from them what must be shown,
// apart from ingest; it repairs nothing and sends nothing. What it cannot open,
// because a key is destroyed, it does not judge. A lag is a case only when it
// stands longer than its bound, an outcome unknown is one to know of, not a fault.
//
// The core is stepped: Dossier.Judge, Surroundings.Judge and Roster.Judge make
// findings of facts, Book makes cases of findings. A pass looks at what came
// since the last, at what waits and at every live case, then goes on with a
// slow round over everything by cursor; so its work is bounded however many
// rows there are. Run is the only goroutine.
//
// Who deletes entries and decisions by retention or erasure raises the walk
// "floor" of their origin with them; nothing below it is missed.
package reconcile
