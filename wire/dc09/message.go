package dc09

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Message is a frame to be encoded: what a panel sends, or a receiver that acts
// as one.
type Message struct {
	Form     Form
	Token    string    // without the asterisk
	Sequence int       // 0 to 9999
	Receiver *string   // nil: left out
	Prefix   *string   // nil: left out (the standard wants at least "0")
	Account  string    // empty: left out of the header
	Blocks   string    // "[data]" and extended data, brackets included; empty means "[]"
	Time     time.Time // zero: no timestamp
}

// Encrypted messages need a timestamp, and every frame an end.
var (
	errBlocks  = errors.New(`dc09: encode: blocks, want "[" at their begin and "]" at their end`)
	errTime    = errors.New("dc09: encode: an encrypted message needs a timestamp")
	errTooLong = fmt.Errorf("dc09: encode: longer than %d bytes", MaxBody)
)

// AppendFrame appends m's frame to dst, encrypted when key is not nil.
func (m Message) AppendFrame(dst []byte, key *Cipher) ([]byte, error) {
	blocks := m.Blocks
	if blocks == "" {
		blocks = "[]"
	}
	if blocks[0] != '[' || !strings.Contains(blocks, "]") {
		return dst, errBlocks
	}
	if m.Sequence < 0 || m.Sequence > 9999 {
		return dst, fmt.Errorf("dc09: encode: sequence %d, want 0 to 9999", m.Sequence)
	}
	if key != nil && m.Time.IsZero() {
		return dst, errTime
	}
	if m.Token == "" || len(m.Token) > MaxToken-1 || strings.ContainsAny(m.Token, "\"*\r\n") {
		return dst, fmt.Errorf("dc09: encode: token %q, want 1 to %d bytes without quotes", m.Token, MaxToken-1)
	}
	begun := len(dst)
	dst, start := beginFrame(dst, m.Form)
	dst = m.appendHeader(dst, key != nil)
	if key == nil {
		dst = append(dst, blocks...)
		if !m.Time.IsZero() {
			dst = appendStamp(dst, m.Time)
		}
	} else {
		dst = append(dst, '[')
		sealed := len(dst)
		dst = appendPad(dst, padLen(1+len(blocks)-1+stampLen))
		dst = append(dst, '|')
		dst = append(dst, blocks[1:]...)
		dst = appendStamp(dst, m.Time)
		dst = key.sealTail(dst, sealed)
	}
	if len(dst)-start > maxLength(m.Form) {
		return dst[:begun], errTooLong
	}
	return endFrame(dst, start, m.Form), nil
}

// maxLength is what may stand before the CR: the length that is written is MaxBody
// at most, and counts the CR in one form.
func maxLength(form Form) int {
	switch form {
	case Binary:
		return len("\n??0LLL") + MaxBody
	case ASCIICR:
		return len("\nCCCC0LLL") + MaxBody - 1
	}
	return len("\nCCCC0LLL") + MaxBody
}

func (m Message) appendHeader(dst []byte, encrypted bool) []byte {
	dst = append(dst, '"')
	if encrypted {
		dst = append(dst, '*')
	}
	dst = append(dst, m.Token...)
	dst = append2(append2(append(dst, '"'), m.Sequence/100), m.Sequence%100)
	if m.Receiver != nil {
		dst = append(append(dst, 'R'), *m.Receiver...)
	}
	if m.Prefix != nil {
		dst = append(append(dst, 'L'), *m.Prefix...)
	}
	if m.Account != "" {
		dst = append(append(dst, '#'), m.Account...)
	}
	return dst
}

// Encode appends f again, in its own form and with the right length and CRC: what
// parses, encodes, and parses to the same.
func (f Frame) Encode(dst []byte) []byte {
	dst, start := beginFrame(dst, f.Form)
	dst = append(dst, '"')
	if f.Encrypted {
		dst = append(dst, '*')
	}
	dst = append(append(dst, f.Token...), '"')
	dst = append(append(dst, f.echo...), '[')
	dst = append(dst, f.Body...)
	return endFrame(dst, start, f.Form)
}
