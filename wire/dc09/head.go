package dc09

import "bytes"

// head is what stands before the body: form, CRC and length.
type head struct {
	body   int // offset of the first quote
	binary bool
	crc    uint16
	crcOK  bool // the CRC could be read: it is hex, or binary
	length int  // -1 when it is not hex ("003g" was seen)
	lf     bool
	digits [3]byte // of the length, as written
}

// verdict of a look at bytes that may not all have come yet.
type verdict uint8

const (
	no verdict = iota
	yes
	more
)

// readHead tells whether a frame begins at b[0]. The form is known by where the
// zero of the length and the first quote stand (idea of ioBroker.sia). A frame
// without LF is taken when its CRC is ASCII.
func readHead(b []byte) (head, verdict) {
	switch {
	case len(b) == 0:
		return head{}, more
	case b[0] == lf:
		if len(b) < 10 {
			return head{}, more
		}
		if b[5] == '0' && b[9] == '"' {
			h := asciiHead(b, 1)
			if !h.crcOK && (silent(b[1]) || silent(b[2])) {
				// A stray LF, and the frame, with a binary CRC, begins two bytes later.
				return head{}, no
			}
			return h, yes
		}
		if b[3] == '0' && b[7] == '"' {
			h := head{body: 7, binary: true, crc: uint16(b[1])<<8 | uint16(b[2]), crcOK: true, lf: true}
			h.setLength(b[4:7])
			return h, yes
		}
		return head{}, no
	}
	for i := range min(len(b), 9) {
		c := b[i]
		switch {
		case i < 4 && unhex(c) > 15, i == 4 && c != '0', i > 4 && i < 8 && unhex(c) > 15, i == 8 && c != '"':
			return head{}, no
		}
	}
	if len(b) < 9 {
		return head{}, more
	}
	return asciiHead(b, 0), yes
}

func asciiHead(b []byte, at int) head {
	h := head{body: at + 8, lf: at == 1, crcOK: true}
	for _, c := range b[at : at+4] {
		d := unhex(c)
		if d > 15 {
			h.crcOK = false
		}
		h.crc = h.crc<<4 | uint16(d&15)
	}
	h.setLength(b[at+5 : at+8])
	return h
}

func (h *head) setLength(digits []byte) {
	h.digits = [3]byte(digits)
	for _, c := range digits {
		d := unhex(c)
		if d > 15 {
			h.length = -1
			return
		}
		h.length = h.length<<4 | int(d)
	}
}

// decimal is the length read as a decimal number, -1 when it is none.
func (h *head) decimal() int {
	n := 0
	for _, c := range h.digits {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// scan looks for the end of a frame that begins at b[0]; it goes on where it
// stopped when more bytes have come, so that every byte is summed once.
type scan struct {
	head
	pos     int // bytes summed so far, as offset
	crc     uint16
	firstCR int // 0: none yet
}

func newScan(h head) scan { return scan{head: h, pos: h.body} }

// found is one frame's extent.
type found struct {
	body, end int // the bytes that the standard's CRC covers
	next      int // offset of the first byte behind the frame
	form      Form
	quirks    Quirk
}

// run answers yes with the extent, no when the frame is bad (next tells how far to
// skip, reason why), more when bytes are missing and whole is false. What comes out
// doesn't hang on how the bytes were split.
//
// The CRC decides: the first CR behind a body whose CRC is good ends the frame,
// whether the length agrees or not. A chance hit on a CR inside a text would need
// a CR there and one chance in 65,536.
func (s *scan) run(b []byte, whole bool) (found, verdict, Reason) {
	claimed := s.body + s.length // where the length says that the CR stands
	for {
		limit := min(len(b), MaxFrame)
		if s.firstCR > 0 {
			limit = min(limit, claimed+1)
		}
		i := bytes.IndexByte(b[s.pos:limit], cr)
		if i < 0 {
			s.crc = crcUpdate(s.crc, b[s.pos:limit])
			s.pos = limit
			break
		}
		s.crc = crcUpdate(s.crc, b[s.pos:s.pos+i])
		s.pos += i
		if s.crcOK && s.crc == s.head.crc {
			return s.good(ASCII), yes, ""
		}
		s.crc = crcUpdate(s.crc, b[s.pos:s.pos+1])
		if s.crcOK && s.crc == s.head.crc && !s.binary {
			return s.good(ASCIICR), yes, ""
		}
		if s.firstCR == 0 {
			s.firstCR = s.pos
		}
		if s.length < 0 || s.pos >= claimed-1 {
			return s.bad(), no, ReasonCRC
		}
		s.pos++
	}
	switch {
	case s.firstCR > 0 && (whole || s.pos > claimed):
		return s.bad(), no, ReasonCRC
	case s.pos >= MaxFrame:
		return found{body: s.body, end: s.body, next: 1}, no, ReasonOversize
	case whole:
		return found{body: s.body, end: len(b), next: len(b)}, no, ReasonIncomplete
	}
	return found{}, more, ""
}

// bad is the extent of a frame whose CRC is wrong: only to its first CR, so that a
// wrong length doesn't swallow the repetition behind it.
func (s *scan) bad() found { return found{body: s.body, end: s.firstCR, next: s.firstCR + 1} }

func (s *scan) good(form Form) found {
	f := found{body: s.body, end: s.pos, next: s.pos + 1, form: form}
	counted := f.end - f.body
	if form == ASCIICR {
		counted++
		f.quirks |= QuirkCRInCRC
	}
	if s.binary {
		f.form = Binary
		f.quirks |= QuirkBinaryCRC
	}
	if !s.lf {
		f.quirks |= QuirkMissingLF
	}
	if counted != s.length {
		if counted == s.decimal() {
			f.quirks |= QuirkLengthDecimal
		} else {
			f.quirks |= QuirkLengthBad
		}
	}
	return f
}

// unhex is the value of a hex digit of either case, 255 for anything else.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 255
}
