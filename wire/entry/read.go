package entry

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"
)

// Unmarshal reads what Marshal wrote. The message shares no memory with b.
func Unmarshal(b []byte) (Message, error) {
	if len(b) > 0 && b[0] > Version {
		return Message{}, fmt.Errorf("entry: version %d, want at most %d: %w", b[0], Version, ErrVersion)
	}
	if len(b) == 0 || b[0] != Version {
		return Message{}, fmt.Errorf("entry: %d bytes, want version %d", len(b), Version)
	}
	r := reader{all: string(b), at: 1}
	m := Message{Version: Version}
	for last := byte(0); r.at < len(b) && !r.bad; {
		number, value := r.next()
		r.fail(number < last || number == last && number != fXData && number != fQuirk)
		last = number
		r.take(&m, number, value)
	}
	if r.bad {
		return Message{}, fmt.Errorf("entry: it is damaged near byte %d of %d", r.at, len(b))
	}
	return m, nil
}

// reader goes through the fields. Once bad it stays so.
type reader struct {
	all string // the fields' texts are parts of it
	at  int
	bad bool
}

func (r *reader) fail(when bool) { r.bad = r.bad || when }

// next gives a field's number and value.
func (r *reader) next() (number byte, value string) {
	number = r.all[r.at]
	rest := r.all[r.at+1:]
	n := uvarint(&rest, &r.bad)
	r.at = len(r.all) - len(rest)
	if r.fail(n > uint64(len(rest))); r.bad {
		return number, ""
	}
	r.at += int(n)
	return number, rest[:n]
}

// uvarint takes a number from the front of s, which must be in its shortest form.
func uvarint(s *string, bad *bool) (n uint64) {
	for i, shift := 0, 0; i < len(*s) && i < binary.MaxVarintLen64; i, shift = i+1, shift+7 {
		c := (*s)[i]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			*bad = *bad || c == 0 && i > 0 || i == binary.MaxVarintLen64-1 && c > 1
			*s = (*s)[i+1:]
			return n
		}
	}
	*bad = true
	return 0
}

// number is a whole value; it is never zero.
func (r *reader) number(s string) uint64 {
	n := uvarint(&s, &r.bad)
	r.fail(len(s) > 0 || n == 0)
	return n
}

func (r *reader) signed(s string) int64 {
	n := r.number(s)
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) text(s string) string {
	r.fail(s == "")
	return s
}

func (r *reader) bool(s string) bool {
	r.fail(s != "")
	return true
}

// instant is a time of milliseconds; zero of them is written too.
func (r *reader) instant(s string) time.Time {
	n := uvarint(&s, &r.bad)
	t := time.UnixMilli(int64(n>>1) ^ -int64(n&1)).UTC()
	r.fail(len(s) > 0 || t.Year() < 1 || t.Year() > 9999)
	return t
}

func (r *reader) rest(s string) time.Duration {
	n := r.number(s)
	r.fail(n >= uint64(time.Millisecond))
	return time.Duration(n)
}

func (r *reader) take(m *Message, number byte, s string) {
	switch number {
	case fReceived:
		m.Received = r.instant(s)
	case fReceivedRest:
		m.Received = m.Received.Add(r.rest(s))
	case fOffset:
		m.OffsetMs = r.signed(s)
	case fListener:
		m.Listener = r.text(s)
	case fTransport:
		m.Transport = r.text(s)
	case fPeer:
		m.Peer = r.peer(s)
	case fPeerText:
		m.Peer = r.text(s)
	case fCustomer:
		m.Customer = r.text(s)
	case fPanel:
		m.Panel = r.text(s)
	case fRoster:
		m.RosterIndex = r.number(s)
	case fToken:
		m.Token = r.text(s)
	case fEncrypted:
		m.Encrypted = r.bool(s)
	case fSequence:
		m.Sequence = int(r.signed(s))
	case fReceiver:
		m.Receiver = pointer(s)
	case fPrefix:
		m.Prefix = pointer(s)
	case fAccount:
		m.Account = r.text(s)
	case fRaw:
		m.Raw = []byte(s)
	case fRawHex:
		m.Raw = r.rawHex(s)
	case fData:
		m.Data = []byte(s)
	case fDataInRaw:
		m.Data = r.dataIn(m.Raw, s)
	default:
		r.takeMore(m, number, s)
	}
}

func pointer(s string) *string { return &s }

func (r *reader) takeMore(m *Message, number byte, s string) {
	switch number {
	case fXData:
		m.XData = append(m.XData, []byte(s))
	case fStamp:
		at := r.instant(s)
		m.Timestamp = &at
	case fStampRest:
		if r.fail(m.Timestamp == nil); !r.bad {
			*m.Timestamp = m.Timestamp.Add(r.rest(s))
		}
	case fQuirk:
		m.Quirks = append(m.Quirks, s)
	case fAnswer:
		m.Answer = Answer(r.text(s))
	case fReason:
		m.Reason = r.text(s)
	case fAck:
		m.Ack = r.text(s)
	case fKey:
		m.Key = r.text(s)
	case fTaken:
		m.Taken = r.bool(s)
	case fText:
		m.Text = r.text(s)
	case fZone:
		m.Zone = r.text(s)
	case fWindow:
		m.Window = int(r.signed(s))
	case fAdopted:
		m.Adopted = r.adopted(s)
	default:
		r.bad = true
	}
}

func (r *reader) peer(s string) string {
	n := len(s) - 2
	if r.fail(n != 4 && n != 16); r.bad {
		return ""
	}
	ip, _ := netip.AddrFromSlice([]byte(s[:n])) // of a good length
	return netip.AddrPortFrom(ip, uint16(s[n])<<8|uint16(s[n+1])).String()
}

func (r *reader) rawHex(s string) []byte {
	at, n := uvarint(&s, &r.bad), uvarint(&s, &r.bad)
	if r.fail(n < leastHex || n > uint64(len(s)) || at > uint64(len(s))-n); r.bad {
		return nil
	}
	packed, frame := s[:n], s[n:]
	raw := append(make([]byte, 0, len(frame)+2*len(packed)), frame[:at]...)
	raw = hex.AppendEncode(raw, []byte(packed))
	for i, c := range raw[at:] {
		if c >= 'a' {
			raw[int(at)+i] = c - 'a' + 'A'
		}
	}
	return append(raw, frame[at:]...)
}

func (r *reader) dataIn(raw []byte, s string) []byte {
	at, n := uvarint(&s, &r.bad), uvarint(&s, &r.bad)
	if r.fail(len(s) > 0 || n > uint64(len(raw)) || at > uint64(len(raw))-n); r.bad {
		return nil
	}
	return bytes.Clone(raw[at : at+n])
}

func (r *reader) adopted(s string) *Adopted {
	if r.fail(s == "" || len(s) < 1+int(s[0])); r.bad {
		return nil
	}
	a := &Adopted{Tell: Tell(s[1+s[0]:])}
	r.fail(a.Held.UnmarshalText([]byte(s[1:1+s[0]])) != nil)
	return a
}
