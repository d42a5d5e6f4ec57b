package decision

import (
	"strconv"

	"vedetta/wire/mesh"
)

// Kind names a command. Numbers are never used again.
type Kind byte

// Commands, of version 1 but for the last.
const (
	KindFound       Kind = 1  // Found
	KindTick        Kind = 2  // Tick
	KindAssign      Kind = 3  // Assign
	KindDecide      Kind = 4  // Decide
	KindClaim       Kind = 5  // Claim
	KindSettle      Kind = 6  // Settle
	KindPutKeys     Kind = 7  // PutKeys
	KindPutDayKey   Kind = 8  // PutDayKey
	KindPutDocument Kind = 9  // PutDocument
	KindDestroy     Kind = 10 // Destroy
	KindConfirm     Kind = 11 // Confirm
	KindAdmit       Kind = 12 // Admit
	KindSupervise   Kind = 14 // Supervise

	KindDecideShards Kind = 15 // DecideShards, version 2
)

// Body is one of the command structs below.
type Body interface{ Kind() Kind }

// Found is the first command of a generation: who belongs to the mesh.
type Found struct {
	Generation uint64   `json:"generation"`
	Sites      []string `json:"sites"`
	Members    []Member `json:"members"`
}

// Member is a node that counts: its disk id was admitted (rule 28).
type Member struct {
	Node string `json:"node"`
	Disk string `json:"disk"`
	Site string `json:"site"`
}

// Tick moves the agreement's clock (rule 20); Unix milliseconds.
type Tick struct {
	Now int64 `json:"now"`
}

// Assign gives shards to holders; each gets the shard's next epoch (rules 17, 25).
type Assign struct {
	Shards []Assignment `json:"shards"`
}

// Assignment is one shard's new holder; a zero holder takes the shard from all.
type Assignment struct {
	Shard  byte        `json:"shard"`
	Holder mesh.Origin `json:"holder"`
}

// Fence is what claims and cursor moves are refused by (rule 18).
type Fence struct {
	Shard  byte        `json:"shard"`
	Epoch  uint64      `json:"epoch"`
	Holder mesh.Origin `json:"holder"`
}

// Decide moves one shard's cursors and records the whole plan of every entry
// passed (rule 14). It is accepted or refused as a whole. As a command by itself
// it is read where an earlier program wrote it, and gives that program's records.
type Decide struct {
	Fence
	RosterIndex uint64    `json:"roster"` // agreement index of the roster the plans were made with (rule 15)
	Moves       []Move    `json:"moves"`
	Entries     []Verdict `json:"entries"`
}

// Move takes the shard's cursor of one origin from a number to a later one.
// Numbers between that belong to other shards need no verdict.
type Move struct {
	Origin mesh.Origin `json:"origin"`
	From   uint64      `json:"from"`
	To     uint64      `json:"to"`
}

// Outcome of looking at an entry.
type Ruling string

// Rulings (rule 22 for the last two).
const (
	RulingEvents      Ruling = "events"      // a message of its own, Events has what it reports (none for an empty block)
	RulingCopy        Ruling = "copy"        // repeats CopyOf
	RulingHeld        Ruling = "held"        // unknown or ambiguous account: held for the operator
	RulingUndecidable Ruling = "undecidable" // could not be decoded or planned
	RulingErased      Ruling = "erased"      // its key is destroyed
)

// Verdict is what was decided about one entry.
type Verdict struct {
	Entry      mesh.Position  `json:"entry"`
	Customer   string         `json:"customer,omitempty"` // empty: nobody's, its decision is sealed with the key of the agreement clock's day
	Panel      string         `json:"panel,omitempty"`
	Identity   []byte         `json:"identity,omitempty"` // of the record, for the window (rule 11)
	ReceivedMs int64          `json:"received"`           // corrected receive time, Unix milliseconds
	Sequence   int            `json:"seq"`                // of the message, 0 to 9999: what rule 12 compares
	Ruling     Ruling         `json:"ruling"`
	CopyOf     mesh.Position  `json:"copy_of,omitzero"`
	Fresh      bool           `json:"fresh,omitempty"` // a standing sequence made it an event though its identity lies within a window (rule 12)
	Late       bool           `json:"late,omitempty"`
	Events     []Event        `json:"events,omitempty"`
	Plan       []Notification `json:"plan,omitempty"` // the whole plan, all steps and repetitions (rule 14)
}

// Event is one thing that a message reports. Its id is the entry's position
// and the index within the message (rule 10): EventID.
type Event struct {
	Index     int    `json:"index"`
	Standard  string `json:"standard"` // SIA-DCS, ADM-CID, VEDETTA
	Code      string `json:"code"`
	Qualifier string `json:"qualifier"` // new, restore, ongoing
	Category  string `json:"category"`
	Partition string `json:"partition,omitempty"`
	Zone      string `json:"zone,omitempty"`
	ZoneName  string `json:"zone_name,omitempty"` // as the roster named it when it was decided
	User      string `json:"user,omitempty"`
	Text      string `json:"text,omitempty"`
	PanelMs   int64  `json:"panel_time,omitempty"` // Unix milliseconds, 0 unknown

	// Extended is what the message says besides, as UTF-8: a letter of DC-09 and its
	// text. Keys are never in it.
	Extended []string `json:"extended,omitempty"`
}

// Notification is one event to one address of one contact by one channel, at
// one step and repetition of the plan. Its id is made by NotificationID.
type Notification struct {
	ID         string `json:"id"`
	Event      string `json:"event"`
	Contact    string `json:"contact"`
	Channel    string `json:"channel"`
	Address    string `json:"address"` // id of the contact's address in the roster
	Rule       string `json:"rule"`
	Step       int    `json:"step"`
	Repetition int    `json:"repetition"`
	DueMs      int64  `json:"due"`               // agreement clock
	Urgent     bool   `json:"urgent"`            // life safety
	Claimed    bool   `json:"claimed,omitempty"` // claimed by the proposer in this very command, as attempt 1
}

// Supervise records which panels of a shard fell silent or were heard again,
// each with its events and whole plan (rules 14, 30). A panel whose silence is
// not From any more, or whose customer's document is newer than RosterIndex, is
// left out without harm to the others: it is judged anew.
type Supervise struct {
	Fence
	RosterIndex uint64    `json:"roster"`
	Panels      []Silence `json:"panels"`
}

// Silence is one panel's change. Its events' ids are places in the agreement's
// origin, which only the agreement gives: a notification of Plan has no id, and
// as Event the index of its event in decimal digits.
type Silence struct {
	Customer string         `json:"customer"`
	Panel    string         `json:"panel"`
	From     Silent         `json:"from"`
	To       Silent         `json:"to"`
	Events   []Event        `json:"events,omitempty"`
	Plan     []Notification `json:"plan,omitempty"`
}

// WellFormed tells whether a change says something, and its plan names its own
// events only by their index.
func (p Silence) WellFormed() bool {
	if p.Panel == "" || p.Customer == "" || p.From == p.To || (p.From|p.To)&^SilentKnown != 0 {
		return false
	}
	for _, n := range p.Plan {
		if n.ID != "" || n.Claimed {
			return false
		}
		if i, err := strconv.Atoi(n.Event); err != nil || strconv.Itoa(i) != n.Event {
			return false
		}
	}
	return true
}

// Silent is what of a panel is silent: a set of the bits below.
type Silent byte

// Bits of Silent, with the Contact ID code of the event that tells of each.
const (
	SilentPrimary     Silent = 1 << iota // 351: the primary path, of a panel with two
	SilentAlternative                    // 352: the alternative path
	SilentAll                            // 350: every path that the panel has
	SilentNever                          // 354: every path, and nobody has heard it since it was entered

	SilentKnown Silent = 1<<iota - 1 // all bits that have a meaning
)

// Claim takes open steps for sending (rules 14, 17, 18).
type Claim struct {
	Fence
	Notifications []string `json:"notifications"`
}

// State of a notification, as the outside reads it.
type State string

// States; all but pending are final.
const (
	StatePending   State = "pending"
	StateDelivered State = "delivered"
	StateRefused   State = "refused"
	StateUnknown   State = "unknown"
	StateCancelled State = "cancelled"
	StateExpired   State = "expired"
	StateErased    State = "erased"
)

// Settle records outcomes of attempts. An outcome is accepted from the
// attempt's own holder at any time, or from the shard's present holder, named
// by Fence, when it resolves another's (rules 18, 24); once per attempt.
type Settle struct {
	Outcomes []Outcome `json:"outcomes"`
}

// Outcome is what became of one attempt. State pending closes the attempt and
// leaves the notification open for another at DueMs: NeverBegun (withdrawn), or
// a refusal that is worth a retry.
type Outcome struct {
	Notification string      `json:"notification"`
	Attempt      int         `json:"attempt"`         // from 1
	By           mesh.Origin `json:"by,omitzero"`     // zero: nobody, the agreement itself (expired, erased)
	Fence        *Fence      `json:"fence,omitempty"` // set when another's claim is resolved
	State        State       `json:"state"`
	Reason       string      `json:"reason,omitempty"`
	NeverBegun   bool        `json:"never_begun,omitempty"`
	Doubt        bool        `json:"doubt,omitempty"` // nothing proves that this attempt was not handed over: what is delivered later is unknown, unless the channel is idempotent (rule 24)
	ProviderRef  string      `json:"ref,omitempty"`
	HandedOverMs int64       `json:"handed_over,omitempty"` // Unix milliseconds by the sender's clock
	DueMs        int64       `json:"due,omitempty"`
}

// PutKeys gives a customer its keys, wrapped by the mesh's key. A customer
// that has keys keeps them: the answer is what stands.
type PutKeys struct {
	Customer string `json:"customer"`
	KeyID    []byte `json:"key_id"`  // 8 random bytes
	Wrapped  []byte `json:"wrapped"` // seal.WrapKeys: data key and identity key
}

// PutDayKey gives a day the key that seals unknown accounts and decisions that
// are no customer's (rule 31).
type PutDayKey struct {
	Day     mesh.Day `json:"day"`
	KeyID   []byte   `json:"key_id"`
	Wrapped []byte   `json:"wrapped"`
}

// PutDocument replaces one part of a customer's roster when its revision is higher.
type PutDocument struct {
	Customer string `json:"customer"`
	Part     int    `json:"part,omitempty"`
	Revision uint64 `json:"revision"` // central's, rises with every change
	Sealed   []byte `json:"sealed"`   // seal.Column of a roster.Customer
}

// Destroy destroys a customer's keys and document (rule 32), or a day's key.
type Destroy struct {
	Customer string   `json:"customer,omitempty"`
	Day      mesh.Day `json:"day,omitempty"`
}

// Confirm records how far central holds each origin (rule 3).
type Confirm struct {
	Cursors []Mark `json:"cursors"`
}

// Mark is a number within an origin.
type Mark struct {
	Origin mesh.Origin `json:"origin"`
	Number uint64      `json:"number"`
}

// Admit makes a node with a new disk id count, in place of its former one (rule 28).
type Admit struct {
	Member Member `json:"member"`
}

// Kind of each body.
func (Found) Kind() Kind       { return KindFound }
func (Tick) Kind() Kind        { return KindTick }
func (Assign) Kind() Kind      { return KindAssign }
func (Decide) Kind() Kind      { return KindDecide }
func (Claim) Kind() Kind       { return KindClaim }
func (Settle) Kind() Kind      { return KindSettle }
func (PutKeys) Kind() Kind     { return KindPutKeys }
func (PutDayKey) Kind() Kind   { return KindPutDayKey }
func (PutDocument) Kind() Kind { return KindPutDocument }
func (Destroy) Kind() Kind     { return KindDestroy }
func (Confirm) Kind() Kind     { return KindConfirm }
func (Admit) Kind() Kind       { return KindAdmit }
func (Supervise) Kind() Kind   { return KindSupervise }
