package conform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"vedetta/wire/dc09"
)

var errNobody = errors.New("nobody answered")

// probe is one check under way.
type probe struct {
	*suite
	ctx     context.Context
	level   Level
	verdict Verdict
	why     string
	steps   []Step
	lines   []*line
}

// line is one connection, or one UDP socket.
type line struct {
	*probe
	conn net.Conn
	udp  bool
	in   dc09.Cutter
}

func (p *probe) close() {
	for _, l := range p.lines {
		_ = l.conn.Close() // the check is over
	}
}

func (p *probe) skip(why string) { p.verdict, p.why = Skip, why }

// wrong: something came that must not come, whatever the level.
func (p *probe) wrong(format string, args ...any) {
	if p.verdict != Fail {
		p.verdict, p.why = Fail, fmt.Sprintf(format, args...)
	}
}

// missing: what should come didn't; a fault only where it must.
func (p *probe) missing(format string, args ...any) {
	if p.level == Must {
		p.wrong(format, args...)
		return
	}
	p.observe(format, args...)
}

func (p *probe) observe(format string, args ...any) {
	if p.verdict == Pass {
		p.verdict, p.why = Observation, fmt.Sprintf(format, args...)
	}
}

// dial opens a line; nil when it can't, which is said.
func (p *probe) dial() *line {
	if p.Via.UDP {
		return p.socket()
	}
	conn, err := p.Via.Dial(p.ctx, p.To, p.Secure, p.Timeout, nil)
	if err != nil {
		p.asked++
		p.wrong("no connection: %v", err)
		return nil
	}
	l := &line{probe: p, conn: conn}
	p.lines = append(p.lines, l)
	return l
}

// main is the account of checks that care for none; nil when none is answered.
func (s *suite) main() *Account {
	switch {
	case s.Plain != nil && s.plainUnheard == "":
		return s.Plain
	case s.Keyed != nil && s.keyedUnheard == "":
		return s.Keyed
	}
	return nil
}

// next makes a message of the account with the next sequence.
func (s *suite) next(a *Account, token, blocks string) dc09.Message {
	if s.seq++; s.seq > 9999 {
		s.seq = 1
	}
	m := dc09.Message{Token: token, Sequence: s.seq, Prefix: a.Prefix, Receiver: a.Receiver, Account: a.Number, Blocks: blocks}
	if a.Cipher != nil {
		m.Time = s.theirs()
	}
	return m
}

// test is the block of a test event whose text is its own.
func (s *suite) test(a *Account) string {
	s.number++
	return fmt.Sprintf("[#%s|Nri0/RP0000^conform %s-%d^]", a.Number, s.mark, s.number)
}

// event is a whole message: a test event of the account.
func (s *suite) event(a *Account) dc09.Message { return s.next(a, dc09.TokenSIA, s.test(a)) }

// frame encodes m, which is of our own making.
func frame(m dc09.Message, c *dc09.Cipher) []byte {
	b, err := m.AppendFrame(nil, c)
	if err != nil {
		panic("conform: a message of our own making: " + err.Error())
	}
	return b
}

// framed puts LF, CRC, length and CR around a body, in the standard's form.
func framed(body string) []byte {
	return fmt.Appendf(nil, "\n%04X0%03X%s\r", dc09.CRC([]byte(body)), len(body), body)
}

// body is what the CRC of a frame in an ASCII form covers.
func body(f []byte) string { return string(f[9 : len(f)-1]) }

// send writes parts, with a pause between them.
func (l *line) send(pause time.Duration, parts ...[]byte) error {
	l.asked++
	for i, b := range parts {
		if i > 0 {
			select {
			case <-time.After(pause):
			case <-l.ctx.Done():
				return l.ctx.Err()
			}
		}
		if err := l.conn.SetWriteDeadline(time.Now().Add(l.Timeout)); err != nil {
			return err
		}
		if _, err := l.conn.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// await is the next answer's bytes; the note says why there is none.
func (l *line) await(within time.Duration) (got []byte, note string) {
	if err := l.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, err.Error()
	}
	for {
		if l.udp {
			b := make([]byte, 64<<10)
			n, err := l.conn.Read(b)
			if err == nil {
				l.answers++
				return b[:n], ""
			}
			return nil, absent(err, within)
		}
		f, err := l.in.Next()
		var bad *dc09.BadFrame
		switch {
		case err == nil:
			l.answers++
			return []byte(f.Raw), ""
		case errors.As(err, &bad) && len(bad.Raw) > 0:
			l.answers++
			return append([]byte(nil), bad.Raw...), ""
		case err != dc09.ErrMore:
			return nil, err.Error()
		}
		space := l.in.Space()
		n, err := l.conn.Read(space)
		l.in.Advance(n)
		if n == 0 && err != nil {
			return nil, absent(err, within)
		}
	}
}

// absent says in a word or two why nothing came.
func absent(err error, within time.Duration) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Sprintf("silence for %s", within)
	case errors.Is(err, io.EOF):
		return "the receiver closed the connection"
	}
	return err.Error()
}

// step records; sent may be nil.
func (p *probe) step(sent []byte, expected string, got []byte, note string, began time.Time) {
	p.steps = append(p.steps, Step{Sent: fmt.Sprintf("%X", sent), Expected: expected, Came: fmt.Sprintf("%X", got), Note: note,
		Seconds: time.Since(began).Round(100 * time.Microsecond).Seconds()})
}

// ack sends a frame and wants its acknowledgement.
func (l *line) ack(sent []byte, c *dc09.Cipher) bool { return l.ackOf(sent, c, 0, sent) }

// ackOf sends a frame in parts and wants its acknowledgement; false says that it
// didn't come, which the probe knows.
func (l *line) ackOf(sent []byte, c *dc09.Cipher, pause time.Duration, parts ...[]byte) bool {
	if l == nil {
		return false
	}
	began := time.Now()
	want := wanted(sent)
	if err := l.send(pause, parts...); err != nil {
		l.step(sent, want, nil, err.Error(), began)
		l.missing("not sent: %v", err)
		return false
	}
	return l.acked(sent, c, want, began)
}

// acked awaits the acknowledgement of a frame that was sent.
func (l *line) acked(sent []byte, c *dc09.Cipher, want string, began time.Time) bool {
	got, note := l.await(l.Timeout)
	l.step(sent, want, got, note, began)
	if got == nil {
		l.missing("%s, want an ACK", note)
		return false
	}
	return l.judge(sent, got, c)
}

// wanted is the acknowledgement of a frame in words.
func wanted(sent []byte) string {
	f, err := dc09.ParseFrame(sent)
	if err != nil {
		return "ACK"
	}
	var b strings.Builder
	star := ""
	if f.Encrypted {
		star = "*"
	}
	fmt.Fprintf(&b, `"%sACK"%s`, star, f.Sequence)
	if f.Receiver != nil {
		b.WriteString("R" + *f.Receiver)
	}
	if f.Prefix != nil {
		b.WriteString("L" + *f.Prefix)
	}
	if i := strings.IndexByte(f.Raw, '#'); i >= 0 && i < strings.IndexByte(f.Raw, '[') {
		b.WriteString("#" + f.Account)
	}
	if f.Encrypted {
		return b.String() + "[ and, under the same key, ]_ and the time"
	}
	return b.String() + "[]"
}
