package event

import (
	"bytes"
	"time"
)

// siaParser reads DC-03 blocks:
//
//	[#acct|] [N|O|R] ( [/] modifier | [/] code address [text] )...
//
// A modifier is two lower-case letters and a value and holds until it is changed; a
// code is two capital letters. Slashes are optional, so nothing is split by them.
type siaParser struct {
	Reader
	base   time.Time
	events []Event

	b    []byte // what is left of the block
	mods []Modifier
	area string // text behind ri
	old  bool
	last bool // the last element was a code of this block: a text belongs to it
}

func (p *siaParser) block(data []byte) {
	b := withoutAccount(data)
	if len(b) == 0 {
		return
	}
	before := len(p.events)
	if b[0] == 'A' && before > 0 && !startsCode(b) {
		// A block of text to the one before (Eaton i-on, level 3).
		p.events[before-1].Text += p.Encoding.Text(b[1:])
		return
	}
	p.b, p.mods, p.area, p.old, p.last = b, nil, "", false, false
	p.function()
	for len(p.b) > 0 {
		p.element()
	}
	if len(p.events) == before {
		p.events = append(p.events, p.unreadable(SIA, b))
	}
}

// function reads the letter in front: N new, O old, R an older report. A block
// without it begins with a code, such as OP001.
func (p *siaParser) function() {
	switch p.b[0] {
	case 'N', 'O', 'R':
	default:
		return
	}
	rest := p.b[1:]
	if len(rest) > 0 && !startsModifier(rest) && !isCode(rest) && rest[0] != '/' {
		return
	}
	p.old = p.b[0] != 'N'
	p.b = rest
}

func (p *siaParser) element() {
	switch b := p.b; {
	case b[0] == '/':
		p.b = b[1:]
		if len(p.b) > 1 && p.b[0] == 'A' && p.last && !startsCode(p.b) {
			p.addText(p.b[1:]) // /Atext (Eaton)
			p.b = nil
		}
	case b[0] == '|':
		p.b = b[1:]
		if p.last && len(p.b) > 0 && p.b[0] == 'A' {
			p.addText(p.b[1:]) // |Atext (fioletoven/dc09)
			p.b = nil
		} else if len(p.b) > 0 {
			p.function()
		}
	case b[0] == '^':
		p.b = p.quoted(b[1:], "^")
	case bytes.HasPrefix(b, []byte("*'")):
		p.b = p.quoted(b[2:], "'NM") // *'text'NM (Aritech, XSIA)
	case startsModifier(b):
		p.modifier()
	case bytes.HasPrefix(b, []byte("NM")) && p.last && !startsDigit(b[2:]):
		p.b = b[2:] // terminator behind a number (XSIA), not the code NM
	case isCode(b):
		p.code()
	default:
		p.unknown()
	}
}

// quoted takes the text up to end, or to the end of the block, and returns the rest.
// Behind ri the text names the area, behind a code the zone or device (Jablotron).
func (p *siaParser) quoted(b []byte, end string) []byte {
	var rest []byte
	i := bytes.Index(b, []byte(end))
	if i < 0 && end == "'NM" {
		end = "'"
		i = bytes.LastIndexByte(b, '\'')
	}
	if i >= 0 {
		b, rest = b[:i], b[i+len(end):]
	}
	if !p.last && len(p.mods) > 0 {
		if p.mods[len(p.mods)-1].Name == "ri" {
			p.area = p.Encoding.Text(b)
		}
		return rest
	}
	p.addText(b)
	return rest
}

func (p *siaParser) addText(b []byte) {
	if p.last {
		p.events[len(p.events)-1].Text += p.Encoding.Text(b)
	}
}

func (p *siaParser) modifier() {
	name, b := string(p.b[:2]), p.b[2:]
	n := 0
	for n < len(b) && (b[n] >= '0' && b[n] <= '9' || b[n] == ':' || b[n] == '-' || b[n] == '.') {
		n++
	}
	if n < len(b) && b[n] >= 'A' && b[n] <= 'F' && (n+1 == len(b) || b[n+1] == '/' || b[n+1] == '^') {
		n++ // the last digit of a hex number
	}
	m := Modifier{Name: name, Value: string(b[:n])}
	p.b, p.last = b[n:], false
	if name == "ri" {
		p.area = ""
	}
	for i := range p.mods {
		if p.mods[i].Name == name {
			p.mods = append(append([]Modifier(nil), p.mods[:i]...), p.mods[i+1:]...)
			break
		}
	}
	p.mods = append(p.mods[:len(p.mods):len(p.mods)], m)
}

func (p *siaParser) code() {
	code, b := string(p.b[:2]), p.b[2:]
	n := 0
	for n < len(b) && (b[n] >= '0' && b[n] <= '9' || hexInNumber(b, n)) {
		n++
	}
	e := Event{
		Standard: SIA, Code: code, Qualifier: New, Category: Other, Address: string(b[:n]), Old: p.old,
		Partition: p.modified("ri"), PartitionName: p.area, User: p.modified("id"), Modifiers: p.mods,
		Time: p.time(), Meaning: "Unknown SIA code " + code, MeaningIT: "Codice SIA sconosciuto " + code,
	}
	if r, ok := Lookup(SIA, code); ok {
		e.Meaning, e.MeaningIT, e.Category, e.Qualifier, e.AddressKind = r.Meaning, r.MeaningIT, r.Category, r.Qualifier, r.Names
	}
	switch e.AddressKind {
	case "zone", "": // of an unknown code it is most likely the zone
		e.Zone = e.Address
	case "user":
		if e.Address != "" {
			e.User = e.Address
		}
	case "area":
		if e.Partition == "" {
			e.Partition = e.Address
		}
	}
	p.events = append(p.events, e)
	p.b, p.last = b[n:], true
}

// hexInNumber tells whether the capital at b[n] is a hex digit of the address and
// not the begin of the next code.
func hexInNumber(b []byte, n int) bool {
	return n > 0 && n < 5 && b[n] >= 'A' && b[n] <= 'F' && (n+1 == len(b) || b[n+1] < 'A' || b[n+1] == '^' || b[n+1] == '|')
}

// unknown bytes behind a code are its text, up to the next slash; elsewhere they
// are passed over one by one.
func (p *siaParser) unknown() {
	if !p.last {
		p.b = p.b[1:]
		return
	}
	n := bytes.IndexByte(p.b, '/')
	if n <= 0 {
		n = len(p.b)
	}
	p.addText(p.b[:n])
	p.b = p.b[n:]
}

func (p *siaParser) modified(name string) string {
	for _, m := range p.mods {
		if m.Name == name {
			return m.Value
		}
	}
	return ""
}

// time is the event's own, of ti and da; a time without date is the last such time
// before base, half a day ahead at most.
func (p *siaParser) time() time.Time {
	clock, date := p.modified("ti"), p.modified("da")
	if clock == "" {
		return time.Time{}
	}
	var t time.Time
	err := error(nil)
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err = time.Parse(layout, clock); err == nil {
			break
		}
	}
	if err != nil {
		return time.Time{}
	}
	day := p.base.UTC()
	if p.Zone != nil {
		year, month, d := p.base.In(p.Zone).Date()
		hour, minute, second := p.base.In(p.Zone).Clock()
		day = time.Date(year, month, d, hour, minute, second, 0, time.UTC)
	}
	for _, layout := range []string{"01-02-06", "01-02-2006"} {
		if d, err := time.Parse(layout, date); err == nil {
			return p.utc(time.Date(d.Year(), d.Month(), d.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC))
		}
	}
	if p.base.IsZero() {
		return time.Time{}
	}
	at := time.Date(day.Year(), day.Month(), day.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	switch ahead := at.Sub(day); {
	case ahead > 12*time.Hour:
		return p.utc(at.AddDate(0, 0, -1))
	case ahead < -12*time.Hour:
		return p.utc(at.AddDate(0, 0, 1))
	}
	return p.utc(at)
}

func isCode(b []byte) bool { return len(b) >= 2 && isUpper(b[0]) && isUpper(b[1]) }

// startsCode is isCode for places where a text may stand instead: a code is followed
// by its number or by a sign.
func startsCode(b []byte) bool {
	return isCode(b) && (len(b) == 2 || startsDigit(b[2:]) || bytes.IndexByte([]byte("/^|*"), b[2]) >= 0)
}

func startsModifier(b []byte) bool {
	return len(b) >= 2 && isLower(b[0]) && isLower(b[1]) && (len(b) == 2 || !isLower(b[2]))
}

func startsDigit(b []byte) bool { return len(b) > 0 && b[0] >= '0' && b[0] <= '9' }
func isUpper(c byte) bool       { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool       { return c >= 'a' && c <= 'z' }
