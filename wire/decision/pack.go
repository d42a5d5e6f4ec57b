package decision

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"vedetta/wire/mesh"
)

// The binary form of verdicts, drawn in doc.go: what is decided by the thousand
// is written and read in it.

// knownWords have a number of their own, from firstWord on. The list is part of
// the form: it is only appended to, with a new version.
var knownWords = [...]string{
	"events", "copy", "held", "undecidable", "erased",
	"SIA-DCS", "ADM-CID", "VEDETTA",
	"new", "restore", "ongoing",
	"fire", "medical", "panic", "holdup", "duress", "gas", "water", "burglary", "tamper", "technical", "trouble",
	"power", "communication", "openclose", "bypass", "access", "test", "system", "other",
	"email", "webpush", "sms", "whatsapp", "voice", "webhook", "automation",
}

// Numbers of words; those of a text's own follow after the known ones.
const (
	newWord   = 0 // its text follows, and gets the next number
	emptyWord = 1
	firstWord = 2
	ownWords  = firstWord + uint64(len(knownWords))
)

var knownNumbers = func() map[string]uint64 {
	m := make(map[string]uint64, len(knownWords))
	for i, w := range knownWords {
		m[w] = firstWord + uint64(i)
	}
	return m
}()

// Bits of a verdict's and an event's first byte.
const (
	hasIdentity = 1 << iota
	hasCopyOf
	isFresh
	isLate
	hasEvents
	hasPlan
	verdictBits = 1<<iota - 1

	hasPanelTime = 1
	hasExtended  = 2

	isUrgent  = 1
	isClaimed = 2
)

// packer writes one text.
type packer struct {
	b       []byte
	words   map[string]uint64
	origins []mesh.Origin
	at      int64 // receive time of the verdict before
}

func pack(size int) *packer {
	return &packer{b: make([]byte, 0, size), words: make(map[string]uint64, 32)}
}

func (p *packer) uint(n uint64) { p.b = binary.AppendUvarint(p.b, n) }
func (p *packer) int(n int64)   { p.b = binary.AppendVarint(p.b, n) }

// text is UTF-8; what isn't comes as U+FFFD, as in JSON.
func (p *packer) text(s string) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	p.uint(uint64(len(s)))
	p.b = append(p.b, s...)
}

// word is a text that comes again.
func (p *packer) word(s string) {
	if s == "" {
		p.b = append(p.b, emptyWord)
		return
	}
	if n, ok := p.words[s]; ok {
		p.uint(n)
		return
	}
	p.words[s] = ownWords + uint64(len(p.words))
	p.b = append(p.b, newWord)
	p.text(s)
}

// known is a word that is mostly one of knownWords.
func (p *packer) known(s string) {
	if n, ok := knownNumbers[s]; ok {
		p.b = append(p.b, byte(n)) // they are fewer than 128
		return
	}
	p.word(s)
}

// origin is 0 for none, 1 for one that follows and gets the next number from 2.
func (p *packer) origin(o mesh.Origin) {
	if o.IsZero() {
		p.b = append(p.b, 0)
		return
	}
	for i := range p.origins {
		if p.origins[i] == o {
			p.uint(uint64(i) + 2)
			return
		}
	}
	p.origins = append(p.origins, o)
	p.b = o.Append(append(p.b, 1))
}

func (p *packer) position(at mesh.Position) {
	p.origin(at.Origin)
	p.uint(at.Number)
}

// verdict writes v; customer is false where the text as a whole names it.
func (p *packer) verdict(v *Verdict, customer bool) {
	bits := byte(0)
	for i, has := range [...]bool{len(v.Identity) > 0, !v.CopyOf.IsZero(), v.Fresh, v.Late, len(v.Events) > 0, len(v.Plan) > 0} {
		if has {
			bits |= 1 << i
		}
	}
	p.b = append(p.b, bits)
	p.position(v.Entry)
	if customer {
		p.word(v.Customer)
	}
	p.word(v.Panel)
	if bits&hasIdentity != 0 {
		p.uint(uint64(len(v.Identity)))
		p.b = append(p.b, v.Identity...)
	}
	p.int(v.ReceivedMs - p.at)
	p.at = v.ReceivedMs
	p.int(int64(v.Sequence))
	p.known(string(v.Ruling))
	if bits&hasCopyOf != 0 {
		p.position(v.CopyOf)
	}
	if bits&hasEvents != 0 {
		p.uint(uint64(len(v.Events)))
		for i := range v.Events {
			p.event(&v.Events[i])
		}
	}
	if bits&hasPlan != 0 {
		p.uint(uint64(len(v.Plan)))
		for i := range v.Plan {
			p.notification(&v.Plan[i])
		}
	}
}

func (p *packer) event(e *Event) {
	bits := byte(0)
	if e.PanelMs != 0 {
		bits = hasPanelTime
	}
	if len(e.Extended) > 0 {
		bits |= hasExtended
	}
	p.b = append(p.b, bits)
	p.int(int64(e.Index))
	p.known(e.Standard)
	p.word(e.Code)
	p.known(e.Qualifier)
	p.known(e.Category)
	p.word(e.Partition)
	p.word(e.Zone)
	p.word(e.ZoneName)
	p.word(e.User)
	p.text(e.Text)
	if bits&hasPanelTime != 0 {
		p.int(e.PanelMs - p.at)
	}
	if bits&hasExtended != 0 {
		p.uint(uint64(len(e.Extended)))
		for _, x := range e.Extended {
			p.text(x)
		}
	}
}

func (p *packer) notification(n *Notification) {
	bits := byte(0)
	if n.Urgent {
		bits |= isUrgent
	}
	if n.Claimed {
		bits |= isClaimed
	}
	p.b = append(p.b, bits)
	p.text(n.ID)
	p.word(n.Event)
	p.word(n.Contact)
	p.known(n.Channel)
	p.word(n.Address)
	p.word(n.Rule)
	p.int(int64(n.Step))
	p.int(int64(n.Repetition))
	p.int(n.DueMs - p.at)
}
