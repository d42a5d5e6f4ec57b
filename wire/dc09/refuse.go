package dc09

import (
	"bytes"
	"errors"
	"fmt"
)

// Reason says in one word why a frame was not acknowledged. It is a metric's label,
// and the word that journal, tools and the installer's page show.
type Reason string

// Reasons of a BadFrame. All are answered by silence.
const (
	ReasonCRC        Reason = "bad_crc"
	ReasonMalformed  Reason = "malformed"  // good CRC, but no header that can be read
	ReasonIncomplete Reason = "incomplete" // a datagram that ends before its CR
	ReasonOversize   Reason = "oversize"   // no end within MaxFrame
	ReasonForeign    Reason = "not_dc09"   // another protocol
	ReasonGarbage    Reason = "garbage"    // more than MaxGarbage bytes between two frames
)

// Reasons of a receiver that could read the frame.
const (
	ReasonNotAMessage   Reason = "not_a_message"   // ACK, NAK, DUH or RSP came from outside: silence
	ReasonNotReady      Reason = "not_ready"       // an alarm would not be acknowledged now: silence
	ReasonUnknown       Reason = "unknown_account" // no panel has this account: silence, held for the operator
	ReasonAmbiguous     Reason = "ambiguous_panel" // two panels fit: silence, held for the operator
	ReasonUnknownFlood  Reason = "unknown_flood"   // too many of unknown accounts at once: silence, dropped
	ReasonNoKey         Reason = "no_key"          // encrypted, and the panel has no key here: DUH
	ReasonUndecryptable Reason = "undecryptable"   // no key of the panel opens it: DUH
	ReasonPlain         Reason = "plain_refused"   // plain, though the panel has a key: silence
	ReasonStrict        Reason = "strict_account"  // the account is written in a way that this panel's must not be: silence
	ReasonTime          Reason = "time"            // the panel's clock is outside its window: NAK with ours
	ReasonUnknownToken  Reason = "unknown_token"   // no grammar is known: stored, DUH or ACK by setting
	ReasonNotDurable    Reason = "not_durable"     // not stored at enough sites in time: silence
)

// BadFrame is what came instead of a frame. Bytes of it are never in the text of
// the error, for they may be personal data.
type BadFrame struct {
	Reason Reason
	Detail string // protocol's name (ReasonForeign), or what was expected (ReasonMalformed)
	Raw    []byte // in the caller's buffer, may be empty
	Want   uint16 // the CRC that the bytes have (ReasonCRC)
}

func (e *BadFrame) Error() string {
	switch {
	case e.Reason == ReasonCRC:
		return fmt.Sprintf("dc09: bad CRC, want %04X", e.Want)
	case e.Detail != "":
		return fmt.Sprintf("dc09: %s: %s", e.Reason, e.Detail)
	}
	return "dc09: " + string(e.Reason)
}

// Hopeless tells that nothing that follows in the same stream can be a frame.
func (e *BadFrame) Hopeless() bool { return e.Reason == ReasonForeign || e.Reason == ReasonGarbage }

// aritechOH is the Detail of a frame that only looks like DC-09.
const aritechOH = "aritech-oh"

// ErrMore says that a Cutter has no whole frame yet.
var ErrMore = errors.New("dc09: more bytes needed")

// ErrUndecryptable says that a key doesn't open a frame, or that its content is
// not encrypted as the token says. It never tells more: there is no other proof
// of the key than the shape of what was decrypted.
var ErrUndecryptable = errors.New("dc09: content cannot be decrypted with this key")

// Foreign names the protocol that these first bytes belong to, "unknown" when they
// are no known one's. It is for logs; nothing is decided by it.
func Foreign(b []byte) string {
	for _, p := range foreignStarts {
		if len(b) >= len(p.start) && string(b[:len(p.start)]) == p.start {
			return p.name
		}
	}
	// Behind what is left of a NetBIOS length, whose zeros were passed over.
	if i := bytes.Index(b[:min(len(b), 8)], []byte("SMB")); i > 0 && b[i-1] >= 0xFE {
		return "smb"
	}
	return "unknown"
}

var foreignStarts = []struct{ start, name string }{
	{"GET ", "http"}, {"POST ", "http"}, {"HEAD ", "http"}, {"OPTIONS ", "http"}, {"PUT ", "http"}, {"CONNECT ", "http"},
	{"PRI * HTTP", "http"}, {"\x16\x03", "tls"}, {"SSH-", "ssh"}, {"INVITE ", "sip"}, {"REGISTER ", "sip"},
	{"\x03\x00", "rdp"}, {"ZBXD", "zabbix"},
	{"\x05\x01", "galaxy-sia"}, {"F#", "galaxy-sia"}, {"SR0", "aritech-oh"}, {"EHLO ", "smtp"}, {"HELO ", "smtp"},
	{"USER ", "ftp"}, {"RTSP", "rtsp"}, {"MGLNDD", "scanner"}, {"\x80", "tls"}, {"\xff\xfb", "telnet"}, {"\xff\xfd", "telnet"},
}
