// Package heard is what central asks a node of silent panels, and what it is
// told: when each was last heard on each path, as ages, and what the agreement
// says of its silence. JSON, version 1; every node knows it of all panels, two
// seconds late at most. No I/O.
package heard

// Method is the call, for the role central.
const Method = "central.heard"

// MaxPanels is how many one request may name.
const MaxPanels = 1000

// Request names panels by their roster ids.
type Request struct {
	Panels []string `json:"panels"`
}

// Answer is about the panels of the request, in its order.
type Answer struct {
	// Judging is false while the node can't tell silence from an outage of ours:
	// then what it says of last messages may be old.
	Judging bool    `json:"judging"`
	Panels  []Panel `json:"panels"`
}

// Panel is what the node knows of one.
type Panel struct {
	Supervised    bool     `json:"supervised"`
	Dual          bool     `json:"dual"`           // it has an alternative path
	PrimaryMs     *int64   `json:"primary_ms"`     // age of the last message, null: none known
	AlternativeMs *int64   `json:"alternative_ms"` // null without such a path, too
	CountedMs     *int64   `json:"counted_ms"`     // age of the moment before which it may have been heard, since forgotten; null: what is said is all
	Silent        []string `json:"silent"`         // of primary alternative all never; empty: nothing is
	SilentSinceMs int64    `json:"silent_since"`   // agreement's clock, Unix milliseconds; 0 while nothing is
}
