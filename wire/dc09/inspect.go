package dc09

import (
	"bytes"
	"errors"
)

// Inspection is all that can be said of bytes that are meant to be one frame,
// also when a receiver would not take them: for people who look for a fault.
type Inspection struct {
	Frame      Frame  // as far as it can be read; Frame.Form is the best guess when the CRC is bad
	CRCGood    bool   // in the form that Frame.Form says
	CRC        uint16 // that the bytes have, in that form
	LengthGood bool
	Length     int     // that the bytes have, in that form
	Content    Content // zero unless Opened; Content.Quirks holds the frame's too
	Opened     bool    // the content could be read: it is plain, or the key fits
	Refused    Reason  // why a receiver stays silent, or answers DUH; empty when the frame is good
	Detail     string  // of Refused, may be empty
}

// Quirks are the frame's and, when it was opened, the content's.
func (i Inspection) Quirks() Quirk { return i.Frame.Quirks | i.Content.Quirks }

// Inspect reads the one frame that b holds, with a bad CRC or a wrong length too,
// and opens it with key, which may be nil. The error is a *BadFrame: then there is
// no frame in b, or no header that can be read.
func Inspect(b []byte, key *Cipher) (Inspection, error) {
	var i Inspection
	f, err := ParseFrame(b)
	var bad *BadFrame
	switch {
	case err == nil:
		i.CRCGood = true
	case errors.As(err, &bad) && (bad.Reason == ReasonCRC || bad.Reason == ReasonIncomplete || bad.Detail == aritechOH):
		i.Refused, i.Detail = bad.Reason, bad.Detail
		if f, i.CRCGood, err = parseBad(b); err != nil {
			return Inspection{}, bad
		}
	default:
		return Inspection{}, err
	}
	i.Frame = f
	i.LengthGood = f.Quirks&(QuirkLengthBad|QuirkLengthDecimal) == 0
	i.CRC, i.Length = f.sums()
	switch i.Content, err = f.Open(nil, key); {
	case err == nil:
		i.Opened = true
	case f.Quirks&QuirkStarButPlain != 0:
		clear := f
		clear.Encrypted = false
		i.Content, err = clear.Open(nil, nil)
		i.Opened = err == nil
	}
	if f.Encrypted && err != nil || f.Quirks&QuirkStarButPlain != 0 {
		if i.Refused == "" && (key != nil || f.Quirks&QuirkStarButPlain != 0) {
			i.Refused = ReasonUndecryptable
		}
	}
	return i, nil
}

// sums are the CRC and the length of f as its form counts them.
func (f Frame) sums() (crc uint16, length int) {
	body := f.Raw[bytes.IndexByte([]byte(f.Raw), '"'):]
	// The binary form's CRC may hold a quote.
	if f.Form == Binary {
		body = f.Raw[7:]
	}
	if n := len(body); n > 0 && body[n-1] == cr && f.Form != ASCIICR {
		body = body[:n-1]
	}
	return CRC([]byte(body)), len(body)
}

// parseBad reads a frame whose CRC is wrong or whose end is missing: up to where its
// length says, when there is a CR, else to the first one, else to the end.
func parseBad(b []byte) (f Frame, crcGood bool, err error) {
	at := 0
	h, v := readHead(b)
	for v != yes && at < len(b) && silent(b[at]) {
		at++
		h, v = readHead(b[at:])
	}
	if v != yes {
		return Frame{}, false, ErrMore
	}
	b = b[at:]
	s := newScan(h)
	s.pos = len(b)
	if claimed := h.body + h.length; h.length > 0 && claimed < len(b) && b[claimed] == cr {
		s.pos = claimed
	} else if i := bytes.IndexByte(b[h.body:], cr); i >= 0 {
		s.pos = h.body + i
	}
	form := ASCII
	if h.length == s.pos-h.body+1 && !h.binary {
		form = ASCIICR // the length counts the CR, as Eldes does
	}
	x := s.good(form)
	x.next = min(x.next, len(b))
	f, err = newFrame(b, x)
	if err != nil {
		return Frame{}, false, err
	}
	if s.pos == len(b) {
		f.Quirks |= QuirkMissingCR
	}
	crc, _ := f.sums()
	return f, h.crcOK && crc == h.crc, nil
}
