// Package frame is `vedettactl dc09`: it says everything of one DC-09 frame as one
// JSON object, and makes a frame of such an object. It knows no grammar of its own:
// frames are read and written by wire/dc09, events by wire/event, so that a tool and
// a receiver can't differ. Bytes come from the command line, a file or standard
// input; keys never stand in output or errors. No network, no goroutines.
//
// Laws, held by tests: what Encode writes, Decode reads as the same document, and
// the frame that Decode read in the standard's form, Encode writes byte for byte
// (but for the random pad of an encrypted one).
package frame

import (
	"errors"
	"slices"
	"time"

	"vedetta/wire/dc09"
	"vedetta/wire/event"
)

// Document is one frame as JSON. Unknown and absent are null, lists are never null.
// Texts are UTF-8; bytes that are none were read as Windows-1252.
type Document struct {
	CRCForm   *string  `json:"crc_form"`  // ascii, binary, ascii+cr
	CRC       *string  `json:"crc"`       // ok, bad
	Length    *string  `json:"length"`    // ok, bad
	Encrypted *bool    `json:"encrypted"` // the token has an asterisk
	Token     *string  `json:"token"`     // without it
	Seq       *string  `json:"seq"`       // four digits, as in the frame
	Receiver  *string  `json:"receiver"`  // behind the R, as in the frame
	Prefix    *string  `json:"prefix"`    // behind the L, as in the frame; empty for a bare L
	Account   *string  `json:"account"`   // the header's, else the block's
	Timestamp *string  `json:"timestamp"` // RFC 3339, UTC
	Data      *string  `json:"data"`      // between [ and ], "#acct|" included; null when it could not be opened
	XData     []string `json:"xdata"`     // each between [ and ]; further data blocks too, they begin with #
	Events    []Event  `json:"events"`
	Quirks    []string `json:"quirks"` // what deviates from the standard and is tolerated
	Error     string   `json:"error,omitempty"`
}

// Event is one thing that the frame reports.
type Event struct {
	Standard  string  `json:"standard"` // SIA-DCS, ADM-CID; VEDETTA when no grammar is known for the token
	Code      *string `json:"code"`
	Qualifier string  `json:"qualifier"` // new, restore, ongoing
	Meaning   string  `json:"meaning"`
	MeaningIT string  `json:"meaning_it"`
	Category  string  `json:"category"`
	Partition *string `json:"partition"`
	Zone      *string `json:"zone"`
	User      *string `json:"user"`
	Text      *string `json:"text"`
	Time      *string `json:"time"` // of the event, where it states one apart from the frame's timestamp
}

// Quirk words of this package, beside those of dc09.Quirk.
const (
	quirkWindows1252 = "windows-1252"       // a text that is not UTF-8
	quirkAritech     = "aritech-oh"         // looks like DC-09 and is none
	quirkBehind      = "bytes-behind-frame" // more than NUL, CR and LF follow
)

// document says what was found; raw is all that came.
func document(i dc09.Inspection, raw []byte) Document {
	f, c := i.Frame, i.Content
	d := Document{
		CRCForm: new(f.Form.String()), CRC: new(okOrBad(i.CRCGood)), Length: new(okOrBad(i.LengthGood)),
		Encrypted: &f.Encrypted, Token: show(f.Token), Seq: &f.Sequence, Receiver: showAt(f.Receiver), Prefix: showAt(f.Prefix),
		XData: []string{}, Events: []Event{}, Quirks: append([]string{}, i.Quirks().Words()...),
	}
	account := f.Account
	if i.Opened {
		if account == "" {
			account = c.BlockAccount()
		}
		d.Data = show(string(c.Data))
		old := event.Text(c.Data) != string(c.Data)
		for _, x := range c.XData {
			d.XData = append(d.XData, event.Text(x))
			old = old || event.Text(x) != string(x)
		}
		if old {
			d.Quirks = append(d.Quirks, quirkWindows1252)
		}
		if c.Stamp == dc09.StampGood {
			d.Timestamp = new(c.Time.Format(time.RFC3339))
		}
		d.Events = events(f.Token, c)
	}
	if account != "" {
		d.Account = show(account)
	}
	if i.Refused == dc09.ReasonMalformed {
		d.Quirks = append(d.Quirks, quirkAritech)
	}
	if behind(raw, f.Raw) {
		d.Quirks = append(d.Quirks, quirkBehind)
	}
	return d
}

func events(token string, c dc09.Content) []Event {
	out := []Event{}
	for _, e := range event.Parse(token, c.Data, c.XData, c.Time) {
		if e.Standard != event.SIA && e.Standard != event.CID {
			e.Standard = event.Vedetta
		}
		shown := Event{
			Standard: string(e.Standard), Code: orNull(e.Code), Qualifier: string(e.Qualifier), Meaning: e.Meaning, MeaningIT: e.MeaningIT,
			Category: string(e.Category), Partition: orNull(e.Partition), Zone: orNull(e.Zone), User: orNull(e.User), Text: orNull(e.Text),
		}
		if !e.Time.IsZero() {
			shown.Time = new(e.Time.Format(time.RFC3339))
		}
		out = append(out, shown)
	}
	return out
}

// behind tells whether raw goes on after the frame with more than silent bytes.
func behind(raw []byte, frame string) bool {
	for i := 0; i+len(frame) <= len(raw); i++ {
		if string(raw[i:i+len(frame)]) == frame {
			return slices.ContainsFunc(raw[i+len(frame):], func(c byte) bool { return c != 0 && c != '\r' && c != '\n' })
		}
	}
	return false
}

func okOrBad(good bool) string {
	if good {
		return "ok"
	}
	return "bad"
}

func show(s string) *string { return new(event.Text([]byte(s))) }

func showAt(s *string) *string {
	if s == nil {
		return nil
	}
	return show(*s)
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// nothing is the document of bytes that are no frame.
func nothing(why error) Document {
	return Document{XData: []string{}, Events: []Event{}, Quirks: []string{}, Error: why.Error()}
}

var errEmpty = errors.New("nothing to read: want one DC-09 frame, " + aFrame)

// aFrame is what a frame looks like, for errors.
const aFrame = `LF, CRC (4 hex digits, or 2 bytes), 0 and 3 hex digits of length, "ID", 4 digits of sequence, [Rrcvr] Lpref #acct, [data], CR`
