package conform

import (
	"bytes"
	"context"
	"net"
	"strings"
	"time"

	"vedetta/wire/dc09"
)

// socket is a UDP socket that takes answers from anywhere, and knows from where.
type socket struct {
	*net.UDPConn
	to   *net.UDPAddr
	from *net.UDPAddr // of the last answer
}

func (s *socket) Write(b []byte) (int, error) { return s.WriteToUDP(b, s.to) }

func (s *socket) Read(b []byte) (n int, err error) {
	n, s.from, err = s.ReadFromUDP(b)
	return n, err
}

// elsewhere tells whether the last answer came from another address or port.
func (s *socket) elsewhere() bool {
	return s.from != nil && (s.from.Port != s.to.Port || !s.from.IP.Equal(s.to.IP))
}

// socket opens a line over UDP.
func (p *probe) socket() *line {
	fail := func(err error) *line {
		p.asked++
		p.wrong("no socket: %v", err)
		return nil
	}
	ctx, cancel := context.WithTimeout(p.ctx, p.Timeout)
	defer cancel()
	probe, err := (&net.Dialer{}).DialContext(ctx, "udp", p.To) // finds address and family; sends nothing
	if err != nil {
		return fail(err)
	}
	to := probe.RemoteAddr().(*net.UDPAddr)
	_ = probe.Close() // nothing was written
	c, err := net.ListenUDP("udp", nil)
	if err != nil {
		return fail(err)
	}
	l := &line{probe: p, conn: &socket{UDPConn: c, to: to}, udp: true}
	p.lines = append(p.lines, l)
	return l
}

// packetChecks are about UDP.
func packetChecks() []check {
	const udp = "DC-09-2013 draft, UDP"
	one := func(p *probe) (*Account, []byte) {
		a := p.main()
		return a, frame(p.event(a), a.Cipher)
	}
	return []check{
		{"udp", May, udp, "a message in one datagram is acknowledged in one datagram", packet, func(p *probe) {
			a, f := one(p)
			began := time.Now()
			l := p.socket()
			if l == nil {
				return
			}
			if err := l.send(0, f); err != nil {
				l.wrong("not sent: %v", err)
				return
			}
			got, note := l.await(l.Timeout)
			l.step(f, wanted(f), got, note, began)
			if got == nil {
				if p.noUDP = true; p.Via.UDP {
					p.wrong("%s, want an ACK", note)
				} else {
					p.skip("nobody answers over UDP there; the standard leaves UDP to the receiver")
				}
				return
			}
			if l.judge(f, got, a.Cipher) && !bytes.HasSuffix(got, []byte("\r")) {
				p.wrong("the datagram goes on behind the CR")
			}
		}},
		{"udp-source", Must, udp + ": the panel's router knows only the address it sent to", "the answer comes from the address and port that were asked", packet, func(p *probe) {
			a, f := one(p)
			l := p.socket()
			if l.ack(f, a.Cipher) && l.conn.(*socket).elsewhere() {
				p.wrong("it came from %s, asked was %s", l.conn.(*socket).from, l.conn.(*socket).to)
			}
		}},
		{"udp-null", Must, udp, "the link test is acknowledged over UDP", packet, func(p *probe) {
			a := p.main()
			p.socket().ack(frame(p.next(a, dc09.TokenNull, ""), a.Cipher), a.Cipher)
		}},
		{"udp-encrypted", Must, udp, "an encrypted message is answered by *ACK over UDP", packet | keyed, func(p *probe) {
			p.socket().ack(frame(p.event(p.Keyed), p.Keyed.Cipher), p.Keyed.Cipher)
		}},
		{"udp-repetition", Must, udp, "a datagram that comes again is acknowledged again", packet, func(p *probe) {
			a, f := one(p)
			l := p.socket()
			if l.ack(f, a.Cipher) {
				l.ack(f, a.Cipher)
			}
		}},
		{"udp-crc-bad", Must, "DC-09-2007 C.2.3.5", "a datagram with a bad CRC is not answered, and the next one is", packet, func(p *probe) {
			a, bad := one(p)
			bad[1] = "123456789ABCDEF0"[strings.IndexByte("0123456789ABCDEF", bad[1])]
			p.socket().refused(bad, "a bad CRC", frame(p.event(a), a.Cipher), a.Cipher)
		}},
	}
}
