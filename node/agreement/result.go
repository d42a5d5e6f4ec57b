package agreement

import (
	"encoding/json"
	"fmt"
	"slices"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// Reason is the word for a refusal; closed list, only appended to.
type Reason string

// Reasons of refused commands, and of refused parts of a Claim or Settle.
const (
	ReasonBad        Reason = "bad"         // the command contradicts itself: a fault of its proposer
	ReasonNotFounded Reason = "not_founded" // Found comes first
	ReasonFounded    Reason = "founded"     // and only once
	ReasonStale      Reason = "stale"       // first tried too long ago to know whether it was applied
	ReasonOldEpoch   Reason = "old_epoch"   // fence: not the present holder with the present epoch
	ReasonCursor     Reason = "cursor"      // a move doesn't begin at the present cursor
	ReasonRoster     Reason = "roster"      // a customer's document is newer than the plan
	ReasonCopy       Reason = "copy"        // CopyOf is an event of the same identity within its window
	ReasonTooLarge   Reason = "too_large"   // one event doesn't fit into a record
	ReasonDayKey     Reason = "day_key"     // the key of the agreement's day must be put first
	ReasonNoKeys     Reason = "no_keys"     // the customer has no keys
	ReasonKey        Reason = "key"         // the key offered can't be unwrapped
	ReasonMeshKey    Reason = "mesh_key"    // wrapped by another mesh key than those that stand
	ReasonDestroyed  Reason = "destroyed"   // keys of this customer or day were destroyed
	ReasonRevision   Reason = "revision"    // a document of this or a higher revision stands
	ReasonDayOpen    Reason = "day_open"    // a day's key is destroyed only when the day is over
	ReasonMember     Reason = "member"      // not a member, or not of a configured site
	ReasonExists     Reason = "exists"      // a notification of this id was planned before

	ReasonUnknown  Reason = "unknown_notification" // never planned, or forgotten
	ReasonClosed   Reason = "closed"               // its state is final
	ReasonClaimed  Reason = "claimed"              // an attempt is under way
	ReasonAttempt  Reason = "attempt"              // no such attempt, or not of this holder
	ReasonSettled  Reason = "settled"              // this attempt has its outcome
	ReasonTooEarly Reason = "too_early"            // another's claim is resolved ResolveMs after the epoch that followed its own
)

// Refusal says why a whole command changed nothing.
type Refusal struct {
	Reason   Reason        `json:"reason"`
	Entry    mesh.Position `json:"entry,omitzero"`   // the verdict concerned
	CopyOf   mesh.Position `json:"copy_of,omitzero"` // ReasonCopy: first entry of that event
	Customer string        `json:"customer,omitempty"`
	Cursor   decision.Mark `json:"cursor,omitzero"` // ReasonCursor: what stands
}

// Error makes a Refusal an error for callers that want one.
func (r *Refusal) Error() string { return "agreement refused: " + string(r.Reason) }

// Result is the answer to one command. It holds no personal data and no keys:
// it is remembered in every snapshot for ProposalMs (rules 19, 32).
type Result struct {
	Index    uint64    `json:"index"` // where the command was first applied
	Refusal  *Refusal  `json:"refusal,omitempty"`
	Claims   []Claimed `json:"claims,omitempty"`   // Decide: per plan item with Claimed, in order; Claim: per id, in order
	Outcomes []Settled `json:"outcomes,omitempty"` // Settle: per outcome, in order
	Epochs   []uint64  `json:"epochs,omitempty"`   // Assign: per shard, in order
	Taken    []bool    `json:"taken,omitempty"`    // Supervise: per panel, in order, whether it was recorded

	Shards []ShardResult `json:"shards,omitempty"` // DecideShards: of those that were refused or have claims; all others were accepted
}

// ShardResult is the answer to one Decide of a DecideShards.
type ShardResult struct {
	At      int       `json:"at"` // which, from 0
	Refusal *Refusal  `json:"refusal,omitempty"`
	Claims  []Claimed `json:"claims,omitempty"`
}

// Claimed is the answer for one notification. Send only when Attempt is not 0.
type Claimed struct {
	Attempt int    `json:"attempt"`
	Reason  Reason `json:"reason,omitempty"`
}

// Settled is the answer for one outcome; Reason is empty when it was recorded.
type Settled struct {
	State  decision.State `json:"state,omitempty"` // the notification's, after it
	Double bool           `json:"double,omitempty"`
	Reason Reason         `json:"reason,omitempty"`
}

// Marshal is the form in which a leader answers a proposal of another node.
func (r Result) Marshal() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("agreement: result: %v", err)) // plain fields
	}
	return b
}

// ParseResult reads what Marshal wrote.
func ParseResult(b []byte) (Result, error) {
	var r Result
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("result of a proposal: %w", err)
	}
	return r, nil
}

func (r Result) clone() Result {
	if r.Refusal != nil {
		why := *r.Refusal
		r.Refusal = &why
	}
	r.Claims, r.Outcomes, r.Epochs = slices.Clone(r.Claims), slices.Clone(r.Outcomes), slices.Clone(r.Epochs)
	r.Taken = slices.Clone(r.Taken)
	r.Shards = slices.Clone(r.Shards)
	return r
}

// Err is the refusal, or nil.
func (r Result) Err() error {
	if r.Refusal == nil {
		return nil
	}
	return r.Refusal
}

func (r Result) is(reason Reason) bool { return r.Refusal != nil && r.Refusal.Reason == reason }

func refuse(reason Reason) Result { return Result{Refusal: &Refusal{Reason: reason}} }
