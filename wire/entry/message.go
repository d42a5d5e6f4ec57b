// Package entry is what a journal record of kind message carries inside its
// seal: one frame as it came, what it was read as, and where it came from.
//
// The form is JSON with short keys, version 1. A reader keeps what it does not
// know by passing on the sealed bytes (rule 4), never by writing an entry again.
package entry

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Version of the form that Marshal writes.
const Version = 1

// ErrVersion: the form is above what this program reads; it stops and says so
// (rule 4), for what it would overlook another version acts upon.
var ErrVersion = errors.New("entry version is above what this program reads")

// Answer is what the panel was to be answered once the entry was durable.
type Answer string

// Answers; a NAK is never journaled, for its message was not accepted.
const (
	AnswerACK     Answer = "ack"
	AnswerDUH     Answer = "duh"
	AnswerSilence Answer = "silence"
)

// Message is one accepted frame.
type Message struct {
	Version     int       `json:"v"`
	Received    time.Time `json:"received"`            // receiver's clock, UTC
	OffsetMs    int64     `json:"offset_ms,omitempty"` // receiver's clock minus the median of its peers, as measured then
	Listener    string    `json:"listener"`
	Transport   string    `json:"transport"`          // tcp, udp or tls
	Peer        string    `json:"peer"`               // panel's address:port; personal data, 7 days (journal.retention_days)
	Customer    string    `json:"customer,omitempty"` // roster ids; both empty while the account is unknown
	Panel       string    `json:"panel,omitempty"`
	RosterIndex uint64    `json:"roster"` // agreement index of the roster it was accepted with (rule 15)

	Token     string     `json:"token"`     // without the asterisk
	Encrypted bool       `json:"encrypted"` // came with the asterisk
	Sequence  int        `json:"seq"`       // 0 to 9999
	Receiver  *string    `json:"receiver"`  // R as received, nil when absent
	Prefix    *string    `json:"prefix"`    // L as received, nil when absent
	Account   string     `json:"account"`   // of the header, else of the block
	Data      []byte     `json:"data"`      // between [ and ], "#acct|" included, decrypted
	XData     [][]byte   `json:"xdata,omitempty"`
	Timestamp *time.Time `json:"timestamp,omitempty"` // panel's, UTC
	Raw       []byte     `json:"raw"`                 // frame from LF to CR: the evidence
	Quirks    []string   `json:"quirks,omitempty"`

	Answer Answer `json:"answer"`
	Reason string `json:"reason,omitempty"` // why not ACK, or what else is to be said: a dc09.Reason

	// How the panel's settings had it judged; empty is the usual.
	Ack    string `json:"ack,omitempty"`    // local, all: what the ACK promised; empty: a majority
	Key    string `json:"key,omitempty"`    // KeyNext, KeyPrevious: what opened it; empty: the current key, or none
	Taken  bool   `json:"taken,omitempty"`  // first message under the next key that this process saw
	Text   string `json:"text,omitempty"`   // windows-1252, utf-8: of all texts in it; empty: detected
	Zone   string `json:"zone,omitempty"`   // IANA: the times in its blocks are of it; empty: UTC
	Window int    `json:"window,omitempty"` // seconds within which it is a copy; 0: the usual ten minutes

	Adopted *Adopted `json:"adopted,omitempty"` // set when an operator gave a held message to this panel
}

// Keys of the ring beside the current one.
const (
	KeyNext     = "next"
	KeyPrevious = "previous"
)

// Corrected is the receive time with the origin's measured offset taken out:
// what windows are judged by (rule 11).
func (m Message) Corrected() time.Time {
	return m.Received.Add(-time.Duration(m.OffsetMs) * time.Millisecond)
}

// Marshal returns the form that is sealed.
func Marshal(m Message) ([]byte, error) {
	m.Version = Version
	if b, ok := appendQuick(make([]byte, 0, 512+2*len(m.Raw)+2*len(m.Data)), &m); ok {
		return b, nil
	}
	return json.Marshal(m)
}

// Unmarshal reads what Marshal wrote.
func Unmarshal(b []byte) (Message, error) {
	if m, ok := readQuick(b); ok {
		return m, nil
	}
	var form struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(b, &form); err != nil {
		return Message{}, fmt.Errorf("entry: %w", err)
	}
	if form.Version > Version { // before the rest, whose types may be others
		return Message{}, fmt.Errorf("entry: version %d, want at most %d: %w", form.Version, Version, ErrVersion)
	}
	if form.Version != Version {
		return Message{}, fmt.Errorf("entry: version %d, want %d", form.Version, Version)
	}
	var m Message
	if err := json.Unmarshal(b, &m); err != nil {
		return Message{}, fmt.Errorf("entry: %w", err)
	}
	return m, nil
}
