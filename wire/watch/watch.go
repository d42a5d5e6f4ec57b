// Package watch is one attempt of a panel to get through as it travels from a
// node to central, to the API and to vedettactl, with what it means in words:
// why it was refused and what to do, in Italian and English.
//
// The reasons are dc09's, the words of vedetta_messages_total and of the
// journal; one without a sentence gets the general one. It knows no key and
// decides nothing: who may see what is the node's to say (node/watch).
package watch

import (
	"encoding/json"
	"time"
)

// Version of the lines that a node sends.
const Version = 1

// Relations of an attempt to the panel that is watched.
const (
	Own     = "panel"   // it names this panel
	Near    = "near"    // no known panel's, and it resembles this one and comes from the same address
	Opened  = "key"     // no known panel's, and this panel's key opens it
	Address = "address" // nothing but its address is known to be ours: what it says is withheld
	Other   = "other"   // somebody else's; shown to operators only
)

// Ways in which a panel may take the characters of its key otherwise than they
// were taken here.
const (
	KeyText = "text" // as characters, not as hex digits
	KeyHex  = "hex"  // as hex digits, not as characters
	Key128  = "128"  // the first 16 bytes of them: AES-128
	Key192  = "192"  // the first 24 bytes of them: AES-192
)

// Time is written as RFC 3339 in UTC with milliseconds.
type Time time.Time

const timeForm = "2006-01-02T15:04:05.000Z"

// MarshalJSON is the form of design.md section 7.
func (t Time) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Time(t).UTC().Format(timeForm))
}

// UnmarshalJSON reads any RFC 3339.
func (t *Time) UnmarshalJSON(b []byte) error { return (*time.Time)(t).UnmarshalJSON(b) }

// Attempt is what came over a listener of a node, what it says and what it was
// answered. Absent is null and never left out.
type Attempt struct {
	ID        string   `json:"id"` // unique in the mesh
	Time      Time     `json:"time"`
	Node      string   `json:"node"`
	Site      string   `json:"site"`
	Listener  string   `json:"listener"`
	Transport string   `json:"transport"` // tcp, udp, tls
	Source    string   `json:"source"`    // address:port of the panel, or of what stands before it
	Relation  string   `json:"relation"`
	Withheld  bool     `json:"withheld"` // what it says is not shown: it isn't proven to be this panel's
	Answer    string   `json:"answer"`   // ack, nak, duh, rsp, silence
	Reason    string   `json:"reason"`
	Took      float64  `json:"took_seconds"`
	Unsent    bool     `json:"unsent"` // the answer could not be written: the panel had gone
	Frame     Bytes    `json:"frame"`
	Answered  *Bytes   `json:"answered"` // null: nothing was answered
	Decoded   *Decoded `json:"decoded"`  // null: can't be read as a frame
	Evidence  Evidence `json:"evidence"`
	Entry     *string  `json:"entry"`    // place in the journal as origin.number; null: not stored
	EventID   *string  `json:"event_id"` // the event that came of it, when there is one yet
	Copy      *bool    `json:"copy"`     // true: it repeats that event; null: not known (yet)

	What   string `json:"what"` // one sentence: what became of it
	WhatIt string `json:"what_it"`
	Do     string `json:"do"` // what to do; empty: nothing
	DoIt   string `json:"do_it"`
}

// Bytes are bytes as people and tools read them.
type Bytes struct {
	Length int    `json:"length"`
	Hex    string `json:"hex"`  // may be of the beginning only
	Text   string `json:"text"` // the same bytes, what can't be printed as \xNN
}

// Decoded is a frame as it can be read.
type Decoded struct {
	CRCForm   string   `json:"crc_form"` // ascii, binary, ascii+cr
	CRC       string   `json:"crc"`      // ok, bad
	Length    string   `json:"length"`   // ok, bad
	Encrypted bool     `json:"encrypted"`
	Token     string   `json:"token"`
	Seq       string   `json:"seq"`
	Receiver  *string  `json:"receiver"`
	Prefix    *string  `json:"prefix"`
	Account   *string  `json:"account"`
	Timestamp *Time    `json:"timestamp"`
	Data      *string  `json:"data"` // null: encrypted and not opened, or withheld
	XData     []string `json:"xdata"`
	Quirks    []string `json:"quirks"`
}

// Evidence is what a reason stands on, as far as it applies.
type Evidence struct {
	Protocol     *string  `json:"protocol"`             // that the bytes look like, or what was expected
	CRCReceived  *string  `json:"crc_received"`         // four hex digits
	CRCComputed  *string  `json:"crc_computed"`         // of the bytes as they came
	CRCTried     []string `json:"crc_tried"`            // forms that were tried
	CRCOther     *string  `json:"crc_other"`            // another checksum, or order, that fits
	ClockSeconds *float64 `json:"clock_offset_seconds"` // the panel's clock minus ours
	KeyBits      *int     `json:"key_bits"`             // of the key entered here: 128, 192, 256; null: none
	KeyCheck     *string  `json:"key_check"`            // four hex digits that change with the key and tell nothing of it
	KeyOpens     *bool    `json:"key_opens"`            // the key entered here, as it is now, opens the message
	KeyAs        *string  `json:"key_as"`               // the panel takes the key's characters otherwise: text, hex, 128, 192 (the first bits only)
	Expected     *string  `json:"expected_account"`     // the watched panel's, when the message names another
	Differs      []string `json:"differs"`              // in what: account, prefix, receiver, listener
}

// Line is one line of a node's stream.
type Line struct {
	Version int      `json:"version"`
	Attempt *Attempt `json:"attempt,omitempty"`
	Lost    int      `json:"lost,omitempty"`  // attempts that fell out before this viewer had read them
	Ready   *Ready   `json:"ready,omitempty"` // once, behind what was kept: what follows is new
}

// Ready tells what is kept.
type Ready struct {
	Node        string `json:"node"`
	Site        string `json:"site"`
	KeepSeconds int    `json:"keep_seconds"`
}

// Ask is the one line that central sends.
type Ask struct {
	Version   int      `json:"version"`
	Customer  string   `json:"customer"`
	Panel     string   `json:"panel"`     // roster id
	Addresses []string `json:"addresses"` // proven to be the viewer's or the panel's
	All       bool     `json:"all"`       // an operator: everything
	Account   string   `json:"account"`   // with All: only what names it or resembles it
	Follow    bool     `json:"follow"`    // go on with what comes
}
