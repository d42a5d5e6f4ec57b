// Package entry is what a journal record of kind message carries inside its
// seal: one frame as it came, what it was read as, and where it came from.
//
// # The form, version 2
//
//	1 byte   version, 2
//	fields   in ascending order of their numbers (form.go), each
//	         1 byte number, uvarint length of the value, the value
//
// A field that would say nothing (zero, empty, false, nil) is left out; of equal
// messages there is one form. Three disks keep it and three nodes hash it: the
// frame's hex digits are packed, and what stands in the frame is not repeated.
// A reader keeps what it does not know by passing on the sealed bytes (rule 4),
// never by writing an entry again.
package entry

import (
	"errors"
	"time"
)

// Version of the form that Marshal writes.
const Version = 2

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
	Version     int
	Received    time.Time // receiver's clock, UTC
	OffsetMs    int64     // receiver's clock minus the median of its peers, as measured then
	Listener    string
	Transport   string // tcp, udp or tls
	Peer        string // panel's address:port; personal data, 7 days (journal.retention_days)
	Customer    string // roster ids; both empty while the account is unknown
	Panel       string
	RosterIndex uint64 // agreement index of the roster it was accepted with (rule 15)

	Token     string  // without the asterisk
	Encrypted bool    // came with the asterisk
	Sequence  int     // 0 to 9999
	Receiver  *string // R as received, nil when absent
	Prefix    *string // L as received, nil when absent
	Account   string  // of the header, else of the block
	Data      []byte  // between [ and ], "#acct|" included, decrypted
	XData     [][]byte
	Timestamp *time.Time // panel's, UTC
	Raw       []byte     // frame from LF to CR: the evidence
	Quirks    []string

	Answer Answer
	Reason string // why not ACK, or what else is to be said: a dc09.Reason

	// How the panel's settings had it judged; empty is the usual.
	Ack    string // local, all: what the ACK promised; empty: a majority
	Key    string // KeyNext, KeyPrevious: what opened it; empty: the current key, or none
	Taken  bool   // first message under the next key that this process saw
	Text   string // windows-1252, utf-8: of all texts in it; empty: detected
	Zone   string // IANA: the times in its blocks are of it; empty: UTC
	Window int    // seconds within which it is a copy; 0: the usual ten minutes

	Adopted *Adopted // set when an operator gave a held message to this panel
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
