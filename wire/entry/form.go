package entry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"net/netip"
	"time"
)

// Numbers of the form's fields; none is ever used again. What a field says
// stands in Message. A value without a note is text or bytes as they are;
// numbers are uvarints, those that may be negative zigzag varints.
const (
	fReceived     = 1 // zigzag: Unix milliseconds, rounded down
	fReceivedRest = 2 // nanoseconds beyond them
	fOffset       = 3 // zigzag
	fListener     = 4
	fTransport    = 5
	fPeer         = 6 // address of 4 or 16 bytes, 2 bytes port
	fPeerText     = 7 // a peer that is spelt otherwise
	fCustomer     = 8
	fPanel        = 9
	fRoster       = 10
	fToken        = 11
	fEncrypted    = 12 // empty: true; so with every bool
	fSequence     = 13 // zigzag
	fReceiver     = 14
	fPrefix       = 15
	fAccount      = 16
	fRaw          = 17
	fRawHex       = 18 // where its hex digits begin, how many bytes they say, these, then the rest of the frame
	fData         = 19
	fDataInRaw    = 20 // where it stands in raw, its length
	fXData        = 21 // once for each
	fStamp        = 22 // as fReceived
	fStampRest    = 23
	fQuirk        = 24 // once for each
	fAnswer       = 25
	fReason       = 26
	fAck          = 27
	fKey          = 28
	fTaken        = 29
	fText         = 30
	fZone         = 31
	fWindow       = 32 // zigzag
	fAdopted      = 33 // 1 byte length of the place, the place as text, then whom to tell
)

// leastHex is how many bytes hex digits in a frame must say to be packed.
const leastHex = 16

// Holds tells whether an entry can hold a time: its year in UTC is 1 to 9999.
func Holds(t time.Time) bool { return t.UTC().Year() >= 1 && t.UTC().Year() <= 9999 }

// Marshal returns the form that is sealed: one for equal messages.
func Marshal(m Message) ([]byte, error) {
	if !Holds(m.Received) || m.Timestamp != nil && !Holds(*m.Timestamp) {
		return nil, errors.New("entry: a time outside the years 1 to 9999")
	}
	w := writer(append(make([]byte, 0, 160+len(m.Raw)+len(m.Data)), Version))
	w.time(fReceived, m.Received)
	w.signed(fOffset, m.OffsetMs)
	w.text(fListener, m.Listener)
	w.text(fTransport, m.Transport)
	w.peer(m.Peer)
	w.text(fCustomer, m.Customer)
	w.text(fPanel, m.Panel)
	w.number(fRoster, m.RosterIndex)
	w.text(fToken, m.Token)
	w.bool(fEncrypted, m.Encrypted)
	w.signed(fSequence, int64(m.Sequence))
	w.maybe(fReceiver, m.Receiver)
	w.maybe(fPrefix, m.Prefix)
	w.text(fAccount, m.Account)
	w.raw(m.Raw)
	w.data(m.Data, m.Raw)
	for _, x := range m.XData {
		w.field(fXData, x)
	}
	if m.Timestamp != nil {
		w.time(fStamp, *m.Timestamp)
	}
	for _, q := range m.Quirks {
		w.some(fQuirk, q)
	}
	w.text(fAnswer, string(m.Answer))
	w.text(fReason, m.Reason)
	w.text(fAck, m.Ack)
	w.text(fKey, m.Key)
	w.bool(fTaken, m.Taken)
	w.text(fText, m.Text)
	w.text(fZone, m.Zone)
	w.signed(fWindow, int64(m.Window))
	w.adopted(m.Adopted)
	return w, nil
}

// writer appends fields; none for a zero value.
type writer []byte

func (w *writer) field(number byte, value []byte) {
	*w = append(binary.AppendUvarint(append(*w, number), uint64(len(value))), value...)
}

func (w *writer) text(number byte, s string) {
	if s != "" {
		w.some(number, s)
	}
}

func (w *writer) maybe(number byte, s *string) {
	if s != nil {
		w.some(number, *s)
	}
}

func (w *writer) some(number byte, s string) {
	*w = append(binary.AppendUvarint(append(*w, number), uint64(len(s))), s...)
}

func (w *writer) bool(number byte, b bool) {
	if b {
		w.field(number, nil)
	}
}

func (w *writer) number(number byte, n uint64) {
	if n != 0 {
		w.end(binary.AppendUvarint(w.begin(number), n))
	}
}

func (w *writer) signed(number byte, n int64) {
	if n != 0 {
		w.end(binary.AppendVarint(w.begin(number), n))
	}
}

// begin is what a value of less than 128 bytes is appended to, then comes end.
func (w *writer) begin(number byte) []byte { return append(*w, number, 0) }

func (w *writer) end(b []byte) {
	at := len(*w)
	b[at+1] = byte(len(b) - at - 2)
	*w = b
}

func (w *writer) time(number byte, t time.Time) {
	w.end(binary.AppendVarint(w.begin(number), t.UnixMilli()))
	w.number(number+1, uint64(t.Nanosecond()%int(time.Millisecond)))
}

func (w *writer) peer(s string) {
	if at, err := netip.ParseAddrPort(s); err != nil || at.String() != s || at.Addr().Zone() != "" {
		w.text(fPeerText, s)
	} else {
		b := w.begin(fPeer)
		if ip := at.Addr(); ip.Is4() {
			four := ip.As4()
			b = append(b, four[:]...)
		} else {
			sixteen := ip.As16()
			b = append(b, sixteen[:]...)
		}
		w.end(binary.BigEndian.AppendUint16(b, at.Port()))
	}
}

func (w *writer) raw(raw []byte) {
	at, n := longestHex(raw)
	if n < leastHex {
		if raw != nil {
			w.field(fRaw, raw)
		}
		return
	}
	b := binary.AppendUvarint(append(*w, fRawHex), uint64(uvarintLen(at)+uvarintLen(n)+len(raw)-n))
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(at)), uint64(n))
	for i := at; i < at+2*n; i += 2 {
		b = append(b, nibble(raw[i])<<4|nibble(raw[i+1]))
	}
	*w = append(append(b, raw[:at]...), raw[at+2*n:]...)
}

func (w *writer) data(data, raw []byte) {
	if at := bytes.Index(raw, data); at >= 0 && len(data) > 4 {
		w.end(binary.AppendUvarint(binary.AppendUvarint(w.begin(fDataInRaw), uint64(at)), uint64(len(data))))
	} else if data != nil {
		w.field(fData, data)
	}
}

func (w *writer) adopted(a *Adopted) {
	if a != nil {
		var held string
		if !a.Held.IsZero() {
			held = a.Held.String()
		}
		w.field(fAdopted, append(append([]byte{byte(len(held))}, held...), a.Tell...))
	}
}

// longestHex finds the longest run of upper-case hex digits: where, and of how
// many bytes. What a panel encrypts stands in its frame in twice its size.
func longestHex(b []byte) (at, n int) {
	for i := 0; i < len(b); i++ {
		from := i
		for i < len(b) && nibble(b[i]) < 16 {
			i++
		}
		if (i-from)/2 > n {
			at, n = from, (i-from)/2
		}
	}
	return at, n
}

// nibble is what an upper-case hex digit says, 16 or more for any other byte.
func nibble(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}

func uvarintLen(n int) int { return max(1, (bits.Len(uint(n))+6)/7) }
