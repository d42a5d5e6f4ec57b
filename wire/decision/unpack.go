package decision

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"vedetta/wire/mesh"
)

// The least bytes of what stands in lists: a number of elements that can't be
// there is refused before memory is taken for it.
const (
	leastVerdict      = 7
	leastEvent        = 11
	leastNotification = 10
	leastMove         = 3
	leastDecide       = 6
)

// unpacker reads what packer wrote. Once bad it stays so, and gives zero values.
// Identities share the text's memory; strings don't.
type unpacker struct {
	b       []byte
	bad     string // what was wrong first
	words   []string
	origins []mesh.Origin
	at      int64
	events  []Event // room for events to come, so that they are one piece of memory
}

func (u *unpacker) fail(what string) {
	if u.bad == "" {
		u.bad = what
	}
	u.b = nil
}

// end is nil when all was read and as expected.
func (u *unpacker) end() error {
	if u.bad == "" && len(u.b) > 0 {
		u.bad = fmt.Sprintf("%d bytes behind the end", len(u.b))
	}
	if u.bad != "" {
		return fmt.Errorf("%s: %w", u.bad, ErrForm)
	}
	return nil
}

func (u *unpacker) uint() uint64 {
	n, size := binary.Uvarint(u.b)
	if size <= 0 || size > 1 && u.b[size-1] == 0 { // the shortest form only
		u.fail("number")
		return 0
	}
	u.b = u.b[size:]
	return n
}

func (u *unpacker) int() int64 {
	n := u.uint()
	return int64(n>>1) ^ -int64(n&1) // zigzag, as binary.Varint
}

func (u *unpacker) small() int {
	n := u.int()
	if n < math.MinInt32 || n > math.MaxInt32 {
		u.fail("number out of range")
		return 0
	}
	return int(n)
}

func (u *unpacker) take(n uint64, what string) []byte {
	if n > uint64(len(u.b)) {
		u.fail(what)
		return nil
	}
	b := u.b[:n:n]
	u.b = u.b[n:]
	return b
}

func (u *unpacker) bits(known byte) byte {
	b := u.take(1, "bits")
	if len(b) == 0 || b[0]&^known != 0 {
		u.fail("bits")
		return 0
	}
	return b[0]
}

// count is the length of a list whose elements take at least so many bytes.
func (u *unpacker) count(least int) int {
	n := u.uint()
	if n > uint64(len(u.b)/least) {
		u.fail("length of a list")
		return 0
	}
	return int(n)
}

func (u *unpacker) text() string {
	b := u.take(u.uint(), "text")
	if !utf8.Valid(b) {
		u.fail("text is no UTF-8")
		return ""
	}
	return string(b)
}

func (u *unpacker) word() string {
	switch n := u.uint(); {
	case n == newWord:
		s := u.text()
		if u.bad == "" {
			u.words = append(u.words, s)
		}
		return s
	case n == emptyWord:
		return ""
	case n < ownWords:
		return knownWords[n-firstWord]
	case n-ownWords < uint64(len(u.words)):
		return u.words[n-ownWords]
	}
	u.fail("word that was not named before")
	return ""
}

func (u *unpacker) origin() mesh.Origin {
	switch n := u.uint(); {
	case n == 0:
		return mesh.Origin{}
	case n == 1:
		o, rest, err := mesh.ReadOrigin(u.b)
		if err != nil || u.bad != "" || o.IsAgreement() && o.Random != 0 {
			u.fail("origin")
			return mesh.Origin{}
		}
		u.b = rest
		u.origins = append(u.origins, o)
		return o
	case n-2 < uint64(len(u.origins)):
		return u.origins[n-2]
	}
	u.fail("origin that was not named before")
	return mesh.Origin{}
}

func (u *unpacker) position() mesh.Position {
	p := mesh.Position{Origin: u.origin(), Number: u.uint()}
	if p.Origin.IsZero() != (p.Number == 0) {
		u.fail("position")
	}
	return p
}

// verdict reads one; customer is false where the text as a whole names it.
func (u *unpacker) verdict(v *Verdict, customer bool) {
	bits := u.bits(verdictBits)
	v.Entry = u.position()
	if customer {
		v.Customer = u.word()
	}
	v.Panel = u.word()
	if bits&hasIdentity != 0 {
		if v.Identity = u.take(u.uint(), "identity"); len(v.Identity) == 0 {
			u.fail("identity")
		}
	}
	v.ReceivedMs = u.at + u.int()
	u.at = v.ReceivedMs
	v.Sequence = u.small()
	v.Ruling = Ruling(u.word())
	if bits&hasCopyOf != 0 {
		if v.CopyOf = u.position(); v.CopyOf.IsZero() {
			u.fail("copy")
		}
	}
	v.Fresh, v.Late = bits&isFresh != 0, bits&isLate != 0
	if bits&hasEvents != 0 {
		n := u.count(leastEvent)
		if n == 0 {
			u.fail("events")
			return
		}
		if len(u.events) < n {
			u.events = make([]Event, max(n, min(64, len(u.b)/leastEvent)))
		}
		v.Events, u.events = u.events[:n:n], u.events[n:]
		for i := range v.Events {
			u.event(&v.Events[i])
		}
	}
	if bits&hasPlan != 0 {
		n := u.count(leastNotification)
		if n == 0 {
			u.fail("plan")
			return
		}
		v.Plan = make([]Notification, n)
		for i := range v.Plan {
			u.notification(&v.Plan[i])
		}
	}
}

func (u *unpacker) event(e *Event) {
	bits := u.bits(hasPanelTime | hasExtended)
	e.Index = u.small()
	e.Standard = u.word()
	e.Code = u.word()
	e.Qualifier = u.word()
	e.Category = u.word()
	e.Partition = u.word()
	e.Zone = u.word()
	e.ZoneName = u.word()
	e.User = u.word()
	e.Text = u.text()
	if bits&hasPanelTime != 0 {
		if e.PanelMs = u.at + u.int(); e.PanelMs == 0 {
			u.fail("panel time")
		}
	}
	if bits&hasExtended != 0 {
		if e.Extended = make([]string, u.count(1)); len(e.Extended) == 0 {
			u.fail("extended data")
		}
		for i := range e.Extended {
			e.Extended[i] = u.text()
		}
	}
}

func (u *unpacker) notification(n *Notification) {
	bits := u.bits(isUrgent | isClaimed)
	n.Urgent, n.Claimed = bits&isUrgent != 0, bits&isClaimed != 0
	n.ID = u.text()
	n.Event = u.word()
	n.Contact = u.word()
	n.Channel = u.word()
	n.Address = u.word()
	n.Rule = u.word()
	n.Step = u.small()
	n.Repetition = u.small()
	n.DueMs = u.at + u.int()
}
