package event

import (
	"strings"
	"time"

	"vedetta/wire/dc09"
)

// Standard names the grammar and the table that an event was read by.
type Standard string

// Standards, as in the API.
const (
	SIA     Standard = "SIA-DCS"
	CID     Standard = "ADM-CID"
	Vedetta Standard = "VEDETTA" // our own events, made by the mesh
)

// Qualifier tells begin, end and going-on of a condition apart.
type Qualifier string

// Qualifiers.
const (
	New     Qualifier = "new"
	Restore Qualifier = "restore"
	Ongoing Qualifier = "ongoing"
)

// Event is one thing that a message reports. Numbers are kept as the panel wrote
// them, with their zeros; compare them by SameNumber. Absent is empty.
type Event struct {
	Standard  Standard
	Code      string // two letters or three digits; empty when the message could not be read
	Qualifier Qualifier
	Category  Category
	Meaning   string // English
	MeaningIT string

	Partition     string
	PartitionName string // as the panel calls it (Jablotron)
	Zone          string
	User          string
	Address       string    // the number behind the code, whatever it names
	AddressKind   string    // what it names: zone, user, area, door, line ...; "none" by the table, empty when unknown
	Text          string    // the panel's own words, as UTF-8; never trimmed
	Time          time.Time // of the event, when the block states one; as the panel's clock says it, taken for UTC
	Old           bool      // the panel marks it as not new (O or R in front of the block)

	Modifiers []Modifier // all that stood before the code, in order
}

// Modifier is a DC-03 modifier, such as ri1 or ti10:15.
type Modifier struct{ Name, Value string }

// Reader says how a panel's messages are to be read. The zero value reads texts as
// Auto and times as UTC.
type Reader struct {
	Encoding Encoding
	Zone     *time.Location // of the times in the panel's blocks; nil: UTC
}

// Parse is Parse of the zero Reader.
func Parse(token string, data []byte, xdata [][]byte, base time.Time) []Event {
	return Reader{}.Parse(token, data, xdata, base)
}

// Parse reads the events of a message: token without asterisk, data and extended
// data as dc09.Content has them. base is the panel's timestamp, else the receive
// time: the day for blocks that state only a time of day.
//
// Polls and empty blocks have no events. For a token that no grammar is known for
// there is one event that holds the data as text.
func (r Reader) Parse(token string, data []byte, xdata [][]byte, base time.Time) []Event {
	var events []Event
	switch dc09.KindOf(token) {
	case dc09.KindPoll, dc09.KindAnswer:
		return nil
	case dc09.KindSIA:
		p := siaParser{Reader: r, base: base}
		p.block(data)
		for _, x := range xdata {
			if len(x) > 0 && x[0] == '#' {
				p.block(x)
			}
		}
		events = p.events
	case dc09.KindCID:
		events = r.parseCID(data)
		for _, x := range xdata {
			if len(x) > 0 && x[0] == '#' {
				events = append(events, r.parseCID(x)...)
			}
		}
	default:
		if rest := withoutAccount(data); len(rest) > 0 {
			e := r.unreadable(Standard(token), rest)
			if name := dc09.FormatOf(token); name != "" {
				e.Meaning, e.MeaningIT = "Message in the format "+name+", not decoded", "Messaggio nel formato "+name+", non decodificato"
			}
			events = []Event{e}
		}
	}
	r.applyExtended(events, xdata)
	return events
}

// utc is a time that stands in a panel's block.
func (r Reader) utc(t time.Time) time.Time {
	if r.Zone == nil || t.IsZero() {
		return t
	}
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return time.Date(year, month, day, hour, minute, second, 0, r.Zone).UTC()
}

// unreadable is the event of a block that no grammar fits.
func (r Reader) unreadable(s Standard, data []byte) Event {
	return Event{
		Standard: s, Qualifier: New, Category: Other, Text: r.Encoding.Text(data),
		Meaning: "Message that could not be read", MeaningIT: "Messaggio non leggibile",
	}
}

// applyExtended gives the events what the extended data says of all of them: I is the
// alarm's text, H its time.
func (r Reader) applyExtended(events []Event, xdata [][]byte) {
	for _, x := range xdata {
		if len(x) < 2 {
			continue
		}
		for i := range events {
			e := &events[i]
			switch x[0] {
			case 'I':
				if e.Text == "" {
					e.Text = r.Encoding.Text(x[1:])
				}
			case 'H':
				if e.Time.IsZero() {
					e.Time = r.utc(eventTime(x[1:]))
				}
			}
		}
	}
}

// eventTime reads extended data H: a DC-09 timestamp, with or without its sign.
func eventTime(b []byte) time.Time {
	if len(b) > 0 && b[0] == '_' {
		b = b[1:]
	}
	clock, date, _ := strings.Cut(string(b), ",")
	// With a space: package time would take the comma for that of a fraction.
	t, err := time.Parse("15:04:05 01-02-2006", clock+" "+date)
	if err != nil {
		return time.Time{}
	}
	return t
}

// withoutAccount cuts "#acct|" or "|" off the front of a block.
func withoutAccount(data []byte) []byte {
	if len(data) == 0 {
		return data
	}
	if data[0] == '#' || data[0] == '|' {
		for i, c := range data {
			if c == '|' {
				return data[i+1:]
			}
		}
		return nil
	}
	return data
}

// SameNumber tells whether two zone, user or partition numbers are the same but for
// leading zeros and the case of hex letters.
func SameNumber(a, b string) bool { return bareNumber(a) == bareNumber(b) }

func bareNumber(s string) string {
	for len(s) > 1 && s[0] == '0' {
		s = s[1:]
	}
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
