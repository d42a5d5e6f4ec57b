package dc09

import (
	"strings"
)

// Frame is one frame with a good CRC, as far as it can be read without a key.
// Its strings are its own: it may be kept.
type Frame struct {
	Raw    string // as received, LF to CR
	Form   Form   // as received
	Answer Form   // of answers to it; set by ParseFrame, may be changed by a setting
	Quirks Quirk

	Token     string  // without the asterisk
	Encrypted bool    // came with the asterisk
	Sequence  string  // four digits
	Receiver  *string // R as received, nil when absent
	Prefix    *string // L as received, nil when absent, empty for a bare L
	Account   string  // the header's, else the block's, else empty
	Body      string  // behind the first bracket: clear content, or hex when Encrypted

	echo string // sequence to the last byte before the first bracket, as received
}

// Number is the sequence as a number, 0 to 9999.
func (f Frame) Number() int {
	n := 0
	for i := range len(f.Sequence) {
		n = n*10 + int(f.Sequence[i]-'0')
	}
	return n
}

// Kind tells what the frame's token is good for.
func (f Frame) Kind() Kind { return KindOf(f.Token) }

// ParseFrame reads the one frame that b holds: a datagram, or a line of a file.
// NUL, CR and LF around it are passed over. The error is a *BadFrame.
func ParseFrame(b []byte) (Frame, error) {
	at := 0
	for {
		h, v := readHead(b[at:])
		if v == yes {
			s := newScan(h)
			x, v, reason := s.run(b[at:], true)
			if v != yes {
				return Frame{}, refuse(b[at:], x, reason)
			}
			return newFrame(b[at:], x)
		}
		if at < len(b) && silent(b[at]) && at < MaxGarbage {
			at++
			continue
		}
		if v == more {
			return Frame{}, &BadFrame{Reason: ReasonIncomplete, Raw: b}
		}
		return Frame{}, &BadFrame{Reason: ReasonForeign, Detail: Foreign(b[at:]), Raw: b}
	}
}

// silent bytes may stand between frames without a word.
func silent(c byte) bool { return c == 0 || c == cr || c == lf }

func refuse(b []byte, x found, reason Reason) *BadFrame {
	e := &BadFrame{Reason: reason, Raw: b[:x.next]}
	if reason != ReasonCRC {
		return e
	}
	e.Want = CRC(b[x.body:x.end])
	if len(b) > 8 && string(b[:5]) == "\n0101" {
		// Aritech OH and XSIA put 0101 where the CRC belongs (pysiaalarm issue 49).
		e.Reason, e.Detail = ReasonMalformed, aritechOH
	}
	return e
}

// newFrame reads the header of b, whose extent is x.
func newFrame(b []byte, x found) (Frame, error) {
	raw := string(b[:x.next])
	f := Frame{Raw: raw, Form: x.form, Answer: x.form, Quirks: x.quirks}
	if f.Form == ASCIICR {
		// What Eldes wants back isn't known; the standard's form first.
		f.Answer = ASCII
	}
	if x.next < len(b) && b[x.next] == 0 {
		f.Quirks |= QuirkTrailingNUL
	}
	if what := f.readHeader(raw[x.body:x.end]); what != "" {
		return Frame{}, &BadFrame{Reason: ReasonMalformed, Detail: what, Raw: b[:x.next]}
	}
	return f, nil
}

// readHeader fills f from s, the bytes that the CRC covers, and returns what was
// expected and not found.
func (f *Frame) readHeader(s string) string {
	s = s[1:] // the quote that readHead saw
	i := strings.IndexByte(s, '"')
	if i < 1 || i > MaxToken {
		return "want a token of 1 to 32 bytes in quotes"
	}
	f.Token, s = s[:i], s[i+1:]
	if f.Token[0] == '*' {
		f.Encrypted, f.Token = true, f.Token[1:]
	}
	if f.Token == "" {
		return "want a token behind the asterisk"
	}
	i = strings.IndexByte(s, '[')
	if i < 0 {
		return "want a data block in brackets"
	}
	f.echo, f.Body = s[:i], s[i+1:]
	if !digits(f.echo, 4) {
		return "want a sequence of 4 digits"
	}
	f.Sequence = f.echo[:4]
	f.readFields(f.echo[4:])
	switch clear := strings.IndexByte(f.Body, ']') >= 0; {
	case f.Encrypted && clear:
		f.Quirks |= QuirkStarButPlain
	case !f.Encrypted && !clear:
		return "want a data block that ends with a bracket"
	}
	if f.Account == "" && !f.Encrypted {
		f.Account = blockAccount(f.Body)
	}
	return ""
}

// readFields reads [Rrcvr] [Lpref] [#acct]. Whatever else stands there is echoed
// and otherwise ignored.
func (f *Frame) readFields(s string) {
	if i := strings.IndexByte(s, '#'); i >= 0 {
		f.Account, s = s[i+1:], s[:i]
		if !hexText(f.Account) || len(f.Account) < 3 || len(f.Account) > 16 {
			f.Quirks |= QuirkAccountNotHex
		}
	}
	if f.Token == TokenNAK {
		// A NAK always ends with A0, an account without its sign.
		if i := strings.LastIndexByte(s, 'A'); i >= 0 {
			s = s[:i]
		}
	} else if f.Account == "" {
		f.Quirks |= QuirkNoAccount
	}
	l := strings.LastIndexByte(s, 'L')
	r := -1
	if s != "" && s[0] == 'R' {
		r = 0
	}
	if l < 0 {
		f.Quirks |= QuirkNoPrefix
	}
	if l > 0 && r < 0 || l < 0 && r < 0 && s != "" {
		f.Quirks |= QuirkHeaderText
	}
	if l < 0 && r < 0 {
		return
	}
	fields := new([2]string) // one allocation for both
	if l >= 0 {
		fields[1] = s[l+1:]
		f.Prefix = &fields[1]
		if fields[1] == "" {
			f.Quirks |= QuirkEmptyPrefix
		}
		s = s[:l]
	}
	if r == 0 {
		fields[0] = s[1:]
		f.Receiver = &fields[0]
		if !hexText(fields[0]) {
			f.Quirks |= QuirkReceiverNotHex
		}
	}
}

// blockAccount is the account in front of a data block, empty when there is none.
func blockAccount(data string) string {
	if data == "" || data[0] != '#' {
		return ""
	}
	for i := 1; i < len(data); i++ {
		switch data[i] {
		case '|':
			return data[1:i]
		case ']', '[':
			return ""
		}
	}
	return ""
}

func hexText(s string) bool {
	for i := range len(s) {
		if unhex(s[i]) > 15 {
			return false
		}
	}
	return true
}

// digits tells whether s begins with n decimal digits.
func digits(s string, n int) bool {
	if len(s) < n {
		return false
	}
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
