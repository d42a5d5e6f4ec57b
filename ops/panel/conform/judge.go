package conform

import (
	"fmt"
	"strings"
	"time"

	"vedetta/wire/dc09"
)

// framing are deviations that no answer may have.
const framing = dc09.QuirkMissingLF | dc09.QuirkTrailingNUL | dc09.QuirkLengthBad | dc09.QuirkLengthDecimal | dc09.QuirkHeaderText | dc09.QuirkTrailingText

// judge holds an acknowledgement against the frame that it answers.
func (l *line) judge(sent, got []byte, c *dc09.Cipher) bool {
	f, err := dc09.ParseFrame(sent)
	if err != nil {
		panic("conform: a frame of our own making: " + err.Error())
	}
	a, fault := l.parse(got)
	switch {
	case fault != "":
	case a.Token == dc09.TokenNAK:
		fault = "a NAK, want an ACK (do the clocks agree?)"
	case a.Token == dc09.TokenDUH && l.level == May:
		l.observe("a DUH, want an ACK: a panel doesn't repeat then")
		return false
	case a.Token == dc09.TokenDUH && l.keyedUnheard != "" && f.Encrypted:
		fault = duhToKey + ", in the same form (hex or text)?"
	case a.Token != dc09.TokenACK && a.Token != dc09.TokenRSP:
		fault = fmt.Sprintf("a %s, want an ACK", a.Token)
	default:
		fault = echo(f, a)
	}
	switch {
	case fault != "":
	case f.Encrypted && !a.Encrypted:
		fault = "a plain ACK to an encrypted message, want *ACK under the same key"
	case !f.Encrypted && a.Encrypted:
		fault = "an encrypted ACK to a plain message"
	case (f.Form == dc09.Binary) != (a.Form == dc09.Binary):
		fault = fmt.Sprintf("its CRC is %s, want the form of the message, %s", a.Form, f.Form)
	default:
		fault = l.content(a, c)
	}
	if fault != "" {
		l.wrong("%s", fault)
		return false
	}
	return true
}

// parse reads an answer; what is wrong with its framing is a fault.
func (l *line) parse(got []byte) (dc09.Frame, string) {
	i, err := dc09.Inspect(got, nil)
	switch {
	case err != nil:
		return dc09.Frame{}, "no DC-09 answer: " + strings.TrimPrefix(err.Error(), "dc09: ")
	case i.Refused == dc09.ReasonIncomplete:
		return dc09.Frame{}, "the answer has no CR at its end"
	case !i.CRCGood:
		return dc09.Frame{}, fmt.Sprintf("the answer's CRC is bad, want %04X", i.CRC)
	case !i.LengthGood:
		return dc09.Frame{}, fmt.Sprintf("the answer's length is bad, want 0%03X", i.Length)
	}
	if w := (i.Frame.Quirks & framing).Words(); len(w) > 0 {
		return dc09.Frame{}, "the answer's framing: " + strings.Join(w, ", ")
	}
	return i.Frame, ""
}

// echo compares what an answer has to repeat, byte for byte.
func echo(f, a dc09.Frame) string {
	said := func(s *string) string {
		if s == nil {
			return "absent"
		}
		return fmt.Sprintf("%q", *s)
	}
	header := func(f dc09.Frame) string { // the account of the header, not of the block
		before, _, _ := strings.Cut(f.Raw[strings.IndexByte(f.Raw, '"'):], "[")
		_, account, _ := strings.Cut(before, "#")
		return account
	}
	switch {
	case a.Sequence != f.Sequence:
		return fmt.Sprintf("sequence %s, want %s", a.Sequence, f.Sequence)
	case said(a.Receiver) != said(f.Receiver):
		return fmt.Sprintf("receiver R is %s, want %s as in the message", said(a.Receiver), said(f.Receiver))
	case said(a.Prefix) != said(f.Prefix):
		return fmt.Sprintf("prefix L is %s, want %s as in the message", said(a.Prefix), said(f.Prefix))
	case header(a) != header(f):
		return fmt.Sprintf("account %q, want %q as in the message", header(a), header(f))
	}
	return ""
}

// content opens an answer and notes the receiver's clock.
func (l *line) content(a dc09.Frame, c *dc09.Cipher) string {
	content, err := a.Open(nil, c)
	if err != nil {
		return "the ACK can't be decrypted with the account's key, or has no timestamp inside"
	}
	if len(content.Data) > 0 {
		return fmt.Sprintf("%d bytes of data in the ACK, want none", len(content.Data))
	}
	switch content.Stamp {
	case dc09.StampBad:
		return "the ACK's timestamp is no date"
	case dc09.StampGood:
		l.clock(content.Time)
	}
	return ""
}

// clock notes the receiver's time; it has whole seconds.
func (s *suite) clock(theirs time.Time) {
	d := theirs.Sub(s.Now().Truncate(time.Second))
	if s.offset == nil || d.Abs() < s.offset.Abs() {
		s.offset = &d
	}
}

// theirs is the receiver's time, as far as it is known.
func (s *suite) theirs() time.Time {
	now := s.Now().UTC()
	if s.offset != nil {
		now = now.Add(*s.offset)
	}
	return now
}

// refused sends a frame that must not be acknowledged and then a good one, whose
// ACK proves that nothing came to the first. allowed are the tokens that may come.
func (l *line) refused(bad []byte, why string, good []byte, c *dc09.Cipher, allowed ...string) {
	if l == nil {
		return
	}
	began := time.Now()
	expected := "silence"
	if len(allowed) > 0 {
		expected = strings.Join(allowed, " or ") + " or silence"
	}
	if err := l.send(0, bad, good); err != nil {
		l.step(bad, expected, nil, err.Error(), began)
		l.wrong("not sent: %v", err)
		return
	}
	got, note := l.await(l.Timeout)
	a, fault := l.parse(got)
	switch {
	case got == nil && strings.Contains(note, "closed") || got == nil && strings.Contains(note, "reset"):
		l.step(bad, expected, nil, note, began)
		l.observe("the receiver closes the connection after %s", why)
		if l := l.dial(); l != nil {
			l.ack(good, c)
		}
		return
	case got == nil:
		l.step(bad, expected, nil, note, began)
		l.wrong("neither to %s nor to the good message behind it came anything", why)
		return
	case fault != "":
		l.step(bad, expected, got, "", began)
		l.wrong("%s", fault)
		return
	}
	f, _ := dc09.ParseFrame(good)
	if echo(f, a) == "" && a.Token == dc09.TokenACK {
		l.step(bad, expected, nil, "silence, the next message was answered first", began)
		l.step(good, wanted(good), got, "", began)
		l.judge(good, got, c)
		return
	}
	l.step(bad, expected, got, "", began)
	switch permitted := strings.Contains(expected, a.Token); {
	case a.Token == dc09.TokenACK:
		l.wrong("an ACK to %s", why)
	case a.Token == dc09.TokenNAK && !permitted:
		l.observe("a NAK to %s; the standard keeps it for a wrong time", why)
	case !permitted:
		l.wrong("a %s to %s", a.Token, why)
	}
	l.acked(good, c, wanted(good), began)
}
