package fleet

import (
	"bytes"
	"context"
	"errors"
	"net"
	"time"

	"vedetta/ops/panel"
	"vedetta/wire/dc09"
)

// fault is one kind of trouble and what a receiver must make of it.
type fault struct {
	name, what, expected string
	stream, keyed        bool // only over TCP or TLS; only with a key
	send                 func(u *unit, token string, seq int, data string) string
}

// faults are all. send returns what was otherwise than it must be, empty for nothing.
var faults = []fault{
	{"drop", "the connection breaks before the answer (UDP: the datagram is lost)", "the repetition is acknowledged", false, false, (*unit).dropped},
	{"split", "two to six segments, milliseconds apart", "an ACK", true, false, (*unit).split},
	{"slow", "ten segments over a second and a half", "an ACK", true, false, (*unit).slowly},
	{"bad-crc", "a byte was altered", "silence, a NAK at most; the repetition is acknowledged", false, false, (*unit).altered},
	{"wrong-key", "encrypted with another key", "DUH or silence; the repetition is acknowledged", false, true, (*unit).wrongKey},
	{"old-clock", "a timestamp of an hour ago", "a NAK with the time (a plain message may be acknowledged); the repetition is acknowledged", false, false, (*unit).oldClock},
	{"duplicate", "the same message twice", "two ACKs", false, false, (*unit).twice},
}

// quiet is how long an answer that should not come is waited for.
const quiet = time.Second

var errDropped = errors.New("dropped on purpose")

// out sends the next frame by write, over the panel given, and then as always again.
func (u *unit) out(p *panel.Panel, within time.Duration, token string, seq int, data string, write func(net.Conn, []byte) error) panel.Exchange {
	ctx, cancel := context.WithTimeout(u.ctx, within)
	defer cancel()
	u.write = write
	x, err := p.Send(ctx, u.address(), token, seq, data)
	u.write = nil
	if err != nil {
		return panel.Exchange{Answer: panel.AnswerWrong, Why: err.Error()}
	}
	u.sent++
	return x
}

func (u *unit) dropped(token string, seq int, data string) string {
	u.out(u.right, u.Timeout, token, seq, data, func(c net.Conn, b []byte) error {
		if !u.Via.UDP {
			if _, err := c.Write(b); err != nil {
				return err
			}
		}
		return errDropped
	})
	return u.repeated(token, seq, data)
}

// repeated sends the message as it should be and wants its ACK.
func (u *unit) repeated(token string, seq int, data string) string {
	if !u.deliver(token, seq, data) {
		return "the repetition was not acknowledged: " + u.lastWhy
	}
	return ""
}

func (u *unit) split(token string, seq int, data string) string {
	return u.pieces(token, seq, data, 2+u.chance.IntN(5), func() time.Duration { return time.Duration(1+u.chance.IntN(20)) * time.Millisecond })
}

func (u *unit) slowly(token string, seq int, data string) string {
	return u.pieces(token, seq, data, 10, func() time.Duration { return 160 * time.Millisecond })
}

func (u *unit) pieces(token string, seq int, data string, n int, pause func() time.Duration) string {
	x := u.out(u.right, u.Timeout+2*time.Second, token, seq, data, func(c net.Conn, b []byte) error {
		if err := c.SetDeadline(time.Now().Add(u.Timeout + 2*time.Second)); err != nil {
			return err
		}
		for i := range n {
			if i > 0 {
				time.Sleep(pause())
			}
			if _, err := c.Write(b[i*len(b)/n : (i+1)*len(b)/n]); err != nil {
				return err
			}
		}
		return nil
	})
	u.count(x)
	if x.Answer == panel.AnswerACK {
		u.acknowledged++
		return ""
	}
	if u.deliver(token, seq, data) {
		return "answered by " + say(x) + ", acknowledged when it came whole"
	}
	return "answered by " + say(x)
}

func (u *unit) altered(token string, seq int, data string) string {
	x := u.out(u.right, quiet, token, seq, data, func(c net.Conn, b []byte) error {
		spoilt := bytes.Clone(b)
		spoilt[len(spoilt)-2] ^= 1
		_, err := c.Write(spoilt)
		return err
	})
	otherwise := u.repeated(token, seq, data)
	if t := token4(x); t == dc09.TokenACK || t == dc09.TokenDUH || t == "?" {
		return "answered by " + say(x)
	}
	return otherwise
}

func (u *unit) wrongKey(token string, seq int, data string) string {
	x := u.out(u.other, quiet, token, seq, data, nil)
	_ = u.other.Close() // it is another panel's now
	otherwise := u.repeated(token, seq, data)
	if t := token4(x); t != "" && t != dc09.TokenDUH {
		return "answered by " + say(x)
	}
	return otherwise
}

func (u *unit) oldClock(token string, seq int, data string) string {
	x := u.out(u.late, u.Timeout, token, seq, data, nil)
	_ = u.late.Close()
	otherwise := u.repeated(token, seq, data)
	t := token4(x)
	if t == dc09.TokenNAK {
		f, err := dc09.ParseFrame(x.Got)
		if err == nil {
			if c, err := f.Open(nil, nil); err != nil || c.Stamp != dc09.StampGood {
				return "a NAK without the time"
			}
		}
		return otherwise
	}
	if t == dc09.TokenACK && len(u.account.key) == 0 {
		return otherwise
	}
	return "answered by " + say(x)
}

func (u *unit) twice(token string, seq int, data string) string {
	for range 2 {
		x := u.out(u.right, u.Timeout, token, seq, data, nil)
		u.count(x)
		if x.Answer != panel.AnswerACK {
			return "answered by " + say(x)
		}
	}
	u.acknowledged++
	return ""
}

// token4 is the token of what came; empty for silence, ? for what is no frame.
func token4(x panel.Exchange) string {
	if len(x.Got) == 0 {
		return ""
	}
	f, err := dc09.ParseFrame(x.Got)
	if err != nil {
		return "?"
	}
	return f.Token
}

// say is an exchange's end for people.
func say(x panel.Exchange) string {
	if x.Answer == panel.AnswerWrong || x.Answer == panel.AnswerSilence {
		return string(x.Answer) + " (" + x.Why + ")"
	}
	return "a " + string(x.Answer)
}
