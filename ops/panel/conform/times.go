package conform

import (
	"strings"
	"time"

	"vedetta/wire/dc09"
)

// timeChecks are about the timestamp and its window of -40 and +20 seconds.
func timeChecks() []check {
	const window = "DC-09-2013 draft, timestamp: 40 s behind to 20 s ahead"
	return []check{
		{"without-timestamp", Must, "DC-09-2013 draft, timestamp: optional in plain messages", "a plain message without a timestamp is acknowledged", plain, func(p *probe) {
			m := p.event(p.Plain)
			m.Time = time.Time{}
			p.dial().ack(frame(m, nil), nil)
		}},
		{"with-timestamp", Must, "DC-09-2013 draft, timestamp: optional in plain messages", "a plain message with the present time is acknowledged", plain, func(p *probe) {
			m := p.event(p.Plain)
			m.Time = p.theirs()
			p.dial().ack(frame(m, nil), nil)
		}},
		{"within-window", Must, window, "messages of 30 s ago and of 10 s ahead are acknowledged", keyed, func(p *probe) {
			l := p.dial()
			for _, off := range []time.Duration{-30 * time.Second, 10 * time.Second} {
				m := p.event(p.Keyed)
				m.Time = p.theirs().Add(off)
				if !l.ack(frame(m, p.Keyed.Cipher), p.Keyed.Cipher) {
					return
				}
			}
		}},
		{"too-old", Must, window + "; NAK", "a message of 55 s ago is answered by a NAK with the receiver's time", keyed, func(p *probe) { p.nak(p.Keyed, -55*time.Second) }},
		{"too-new", Must, window + "; NAK", "a message of 35 s ahead is answered by a NAK with the receiver's time", keyed, func(p *probe) { p.nak(p.Keyed, 35*time.Second) }},
		{"wrong-year", Must, window + "; field: panels whose clock waits for the NAK", "a panel whose clock is years off gets a NAK, takes its time, and its message is acknowledged", keyed, func(p *probe) {
			if at := p.nak(p.Keyed, -12*365*24*time.Hour); !at.IsZero() {
				m := p.event(p.Keyed)
				m.Time = at
				p.dial().ack(frame(m, p.Keyed.Cipher), p.Keyed.Cipher)
			}
		}},
		{"plain-too-old", May, window, "a plain message of an hour ago is answered by a NAK", plain, func(p *probe) { p.nak(p.Plain, -time.Hour) }},
	}
}

// duhToKey says what a DUH to the first encrypted message means.
const duhToKey = "a DUH to an encrypted message: is the key here the one that the receiver has"

// askClock learns the receiver's time from its encrypted ACK, or from its NAK; what
// is asked afterwards is stamped by it.
func (p *probe) askClock() {
	f := frame(p.next(p.Keyed, dc09.TokenNull, ""), p.Keyed.Cipher)
	l := p.dial()
	if l == nil {
		return
	}
	began := time.Now()
	if err := l.send(0, f); err != nil {
		l.wrong("not sent: %v", err)
		return
	}
	got, note := l.await(l.Timeout)
	l.step(f, "an answer with the receiver's time", got, note, began)
	if a, err := dc09.ParseFrame(got); err == nil {
		if a.Token == dc09.TokenDUH {
			p.skip(duhToKey + " (hex or text?)")
			return
		}
		if c, err := a.Open(nil, p.Keyed.Cipher); err == nil && c.Stamp == dc09.StampGood {
			p.clock(c.Time)
		}
	}
	switch {
	case p.offset == nil:
		p.skip("the answer told no time")
	case p.offset.Abs() > 5*time.Second:
		p.observe("it is %s off; all that follows is stamped by the receiver's clock", p.offset)
	}
}

// nak sends a message that is off and wants the NAK; its time is returned, zero
// when there was none.
func (p *probe) nak(a *Account, off time.Duration) time.Time {
	m := p.event(a)
	m.Time = p.theirs().Add(off)
	f := frame(m, a.Cipher)
	l := p.dial()
	if l == nil {
		return time.Time{}
	}
	began := time.Now()
	if err := l.send(0, f); err != nil {
		l.wrong("not sent: %v", err)
		return time.Time{}
	}
	got, note := l.await(l.Timeout)
	l.step(f, `"NAK"0000R0L0A0[]_ and the receiver's UTC`, got, note, began)
	if got == nil {
		l.missing("%s, want a NAK: without it the panel can't set its clock", note)
		return time.Time{}
	}
	n, fault := l.parse(got)
	switch {
	case fault != "":
		l.wrong("%s", fault)
		return time.Time{}
	case n.Token == dc09.TokenACK && l.level == May:
		l.observe("it is acknowledged")
		return time.Time{}
	case n.Token != dc09.TokenNAK:
		l.missing("a %s, want a NAK (is the window off for this account?)", n.Token)
		return time.Time{}
	case n.Encrypted:
		l.wrong("an encrypted NAK, want a plain one")
		return time.Time{}
	}
	c, err := n.Open(nil, nil)
	if err != nil || c.Stamp != dc09.StampGood {
		l.wrong("the NAK has no timestamp: the panel can't set its clock (pysiaalarm 14)")
		return time.Time{}
	}
	before, _, _ := strings.Cut(n.Raw[strings.IndexByte(n.Raw, '"'):], "_")
	if want := `"NAK"0000R0L0A0[]`; before != want {
		l.wrong("the NAK begins with %s, want %s", before, want)
	}
	l.clock(c.Time)
	if d := c.Time.Sub(p.theirs()).Abs(); d > 5*time.Second {
		l.wrong("the NAK's time is %s off the receiver's own", d.Round(time.Second))
	}
	return c.Time
}
