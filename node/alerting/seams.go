package alerting

import (
	"context"
	"time"

	"vedetta/node/identity"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Journal is where entries and decisions are read. What it returns is shared
// and never changed.
type Journal interface {
	// Origins are all ever seen above the floor, the agreement's among them.
	Origins() []mesh.Origin
	// Durable is the number up to which an origin is flushed at a majority of
	// sites; it never falls (rule 5).
	Durable(mesh.Origin) uint64
	// Mark is the number up to which an origin is flushed here without a gap.
	Mark(mesh.Origin) uint64
	// Changed is closed at the next rise of a mark, DurableChanged at that of a
	// durable mark. Take them before looking.
	Changed() <-chan struct{}
	DurableChanged() <-chan struct{}
	// Read returns records from..upTo, at least one unless there is none, and
	// about maxBytes at most. A damaged file is an error.
	Read(o mesh.Origin, from, upTo uint64, maxBytes int) ([]mesh.Record, error)
}

// KeyState says what became of a key.
type KeyState int

// States of a key.
const (
	KeyUnknown   KeyState = iota // never heard of: this node's state may be behind
	KeyPresent                   // usable
	KeyDestroyed                 // erased (rule 22)
)

// Agreement is what this node has applied of the agreement, and the way to
// propose. All readings are cheap and consistent one by one.
type Agreement interface {
	// Clock is the agreement's clock (rule 20).
	Clock() time.Time
	// Leads says who leads each shard.
	Leads() [identity.Shards]Lead
	// Cursor is how far a shard's decisions have passed an origin.
	Cursor(shard byte, o mesh.Origin) uint64
	// Decided is the agreement's present origin and the last number it gave.
	Decided() (mesh.Origin, uint64)
	// Key finds the key that something was sealed with; customer is empty for a day's.
	Key(id seal.KeyID) (k seal.Key, customer string, state KeyState)
	// DayKey is the key of a day.
	DayKey(mesh.Day) (seal.Key, bool)
	// Steps calls fn for the open notifications of a shard until it returns false.
	Steps(shard byte, fn func(Step) bool)
	// Index is that of the last command applied here.
	Index() uint64
	// Changed is closed at the next change.
	Changed() <-chan struct{}
	// Propose returns when the command is applied here, or an error when that
	// is unknown: then it may still be applied later.
	Propose(ctx context.Context, body decision.Body) (Result, error)
}

// Lead is who leads a shard, under which epoch, and since when by the
// agreement's clock; the zero Holder: nobody.
type Lead struct {
	decision.Fence
	Since time.Time
}

// Step is a notification that has no final state yet.
type Step struct {
	decision.Notification
	Customer string
	Verdict  uint64      // number of the record that holds its event, in the agreement's origin
	Attempt  int         // of the present or the last claim, 0: none yet
	Holder   mesh.Origin // of the present claim, zero: free
	Ended    time.Time   // of another's claim: the agreement's clock of the epoch that followed its own
}

// Refusal says why a command was not accepted.
type Refusal string

// Refusals that this package tells apart.
const (
	Accepted      Refusal = ""
	RefusedEpoch  Refusal = "old_epoch"
	RefusedCursor Refusal = "cursor"
	RefusedRoster Refusal = "roster"
	RefusedCopy   Refusal = "copy"
	RefusedDayKey Refusal = "day_key" // the leader of the agreement will put it
	RefusedStale  Refusal = "stale"   // proposed too long ago: propose again

	RefusedSettled Refusal = "settled"              // of an outcome: this attempt has one
	RefusedUnknown Refusal = "unknown_notification" // of an outcome: nothing of that id, or forgotten
	RefusedAttempt Refusal = "attempt"              // of an outcome: no such attempt of this process
	// Any other refusal is about Entry, or about the whole command.
)

// Result of a proposal that was applied.
type Result struct {
	Refused  Refusal
	Entry    mesh.Position // the entry that was refused
	CopyOf   mesh.Position // RefusedCopy: the event it repeats
	Claims   []int         // attempts, in the order of the claims proposed; 0: not claimed
	Outcomes []Refusal     // in the order of the outcomes proposed; Accepted: recorded
	Shards   []Result      // of a DecideShards: in the order of its decisions
}

// Sender is package notify.
type Sender interface {
	// Reserve takes a free slot of a channel, false when there is none.
	Reserve(channel string, urgent bool) bool
	// Release gives back a slot that Begin will not use.
	Release(channel string)
	// Freed gets a signal, of capacity 1, when a slot was given back.
	Freed() <-chan struct{}
	// Begin sends what was claimed for this process; each item uses a slot that
	// was reserved. It doesn't wait. The age of the claims counts from ageFrom,
	// which lies before their proposal (rule 23).
	Begin(items []Item, ageFrom time.Time)
	// Holds tells whether Begin took this attempt and its outcome isn't settled yet.
	Holds(notification string, attempt int) bool
	// Resolve finds out what became of claims of other processes and settles
	// them under the fence (rule 24). It doesn't wait and may be called again.
	Resolve(fence decision.Fence, items []Item)
}

// Item is one attempt with all that a channel needs to know but the address.
type Item struct {
	Customer     string
	Panel        string // roster id
	PanelName    string
	Language     string // of the customer
	TimeZone     string // of the premises
	Notification decision.Notification
	Attempt      int
	Holder       mesh.Origin // of the claim: self, but in Resolve
	Event        decision.Event
	Received     time.Time // corrected
	Late         bool
	Account      string // as the roster has it
}

// Decode reads the events of a message (see Events); replaced in tests.
type Decode func(m entry.Message) ([]decision.Event, error)
