package decision

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"

	"vedetta/wire/mesh"
)

// Record is what the agreement writes to its own origin, inside the seal of a
// mesh record of kind decision (rule 16). Exactly one of the pointers is set.
// One record holds one customer (rule 31).
type Record struct {
	Version   int        `json:"v"`
	ClockMs   int64      `json:"clock"` // agreement's clock when it was applied
	Customer  string     `json:"customer,omitempty"`
	Part      int        `json:"part,omitempty"`      // from 1: more of the events and the plan of the verdict before
	Verdict   *Verdict   `json:"verdict,omitempty"`   // about one entry, with events and plan
	Claimed   *Claimed   `json:"claimed,omitempty"`   // one attempt begun
	Settled   *Settled   `json:"settled,omitempty"`   // one attempt ended
	Destroyed *Destroyed `json:"destroyed,omitempty"` // keys of a customer or a day
}

// Claimed says that an attempt belongs to Holder.
type Claimed struct {
	Notification string      `json:"notification"`
	Attempt      int         `json:"attempt"`
	Holder       mesh.Origin `json:"holder"`
	Epoch        uint64      `json:"epoch"`
}

// Settled is an accepted outcome. Double means that another attempt of the
// same notification stands beside it (rule 18).
type Settled struct {
	Outcome
	Double bool `json:"double,omitempty"`
}

// Destroyed names whose keys are gone.
type Destroyed struct {
	Customer string   `json:"customer,omitempty"`
	Day      mesh.Day `json:"day,omitempty"`
}

// EventID is the place of an event: entry and index within the message (rule 10).
func EventID(entry mesh.Position, index int) string {
	return entry.String() + "." + strconv.Itoa(index)
}

// PlannedMs is when a verdict's notifications were planned: by the agreement's
// clock, which moves once a second, and never before the message was received.
func (r Record) PlannedMs() int64 {
	if r.Verdict == nil {
		return r.ClockMs
	}
	return max(r.ClockMs, r.Verdict.ReceivedMs)
}

// ShowsOnce tells whether a channel shows one for the same id, however often it
// was handed over: sending again needs no proof there (rule 24).
func ShowsOnce(channel string) bool { return channel == "webhook" || channel == "webpush" }

// MayHaveArrived tells whether nothing proves that the attempt was not handed over.
func (o Outcome) MayHaveArrived() bool {
	return o.State == StateDelivered || o.State == StateUnknown || o.State == StatePending && o.Doubt && !o.NeverBegun
}

// NotificationID derives the id from its place in the plan (rule 10): 32
// base64url characters, the first 24 bytes of SHA-256. Message-ID, Topic, tag,
// webhook id and provider reference are made from it.
func NotificationID(n Notification) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s\x00%d\x00%d", n.Event, n.Contact, n.Channel, n.Address, n.Step, n.Repetition))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}
