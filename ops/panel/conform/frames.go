package conform

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"vedetta/wire/dc09"
)

// frameChecks are about the bytes around a message, and the connection below.
func frameChecks() []check {
	const stream09 = "DC-09-2013 draft, TCP: messages and connections"
	return []check{
		{"crc-bad", Must, "DC-09-2007 C.2.3.5", "a message with a bad CRC is not answered, and the next one is", 0, func(p *probe) {
			a := p.main()
			bad := frame(p.event(a), a.Cipher)
			bad[1] = "123456789ABCDEF0"[strings.IndexByte("0123456789ABCDEF", bad[1])]
			p.dial().refused(bad, "a bad CRC", frame(p.event(a), a.Cipher), a.Cipher)
		}},
		{"byte-altered", Must, "DC-09-2007 C.2.3.5", "a message in which a byte was altered on the way is not answered, and the next one is", 0, func(p *probe) {
			a := p.main()
			bad := frame(p.event(a), a.Cipher)
			bad[len(bad)-4] ^= 1 // of the text, or of the ciphertext
			p.dial().refused(bad, "an altered message", frame(p.event(a), a.Cipher), a.Cipher)
		}},
		{"lower-case-head", May, "field: senders of lower-case hex", "CRC and length in lower case are read", 0, func(p *probe) {
			a := p.main()
			f := frame(p.event(a), a.Cipher)
			copy(f[1:9], bytes.ToLower(f[1:9]))
			p.dial().ack(f, a.Cipher)
		}},
		{"length-wrong", May, "field: lengths in decimal or made up (pysiaalarm)", "a message whose CRC is good is taken though its length is not", 0, func(p *probe) {
			a := p.main()
			for _, text := range []string{"%03d", "078"} {
				f := frame(p.event(a), a.Cipher)
				copy(f[6:9], text)
				if strings.HasPrefix(text, "%") {
					copy(f[6:9], fmt.Sprintf(text, len(f)-10))
				}
				if !p.dial().ack(f, a.Cipher) {
					return
				}
			}
		}},
		{"split-anywhere", Must, stream09, "one message in many segments: byte by byte", stream, func(p *probe) {
			a := p.main()
			f := frame(p.event(a), a.Cipher)
			p.dial().ackOf(f, a.Cipher, time.Millisecond, slices.Collect(slices.Chunk(f, 1))...)
		}},
		{"split-slowly", Must, stream09, "one message in eight segments over two seconds", stream, func(p *probe) {
			a := p.main()
			f := frame(p.event(a), a.Cipher)
			p.dial().ackOf(f, a.Cipher, p.slow, slices.Collect(slices.Chunk(f, len(f)/8+1))...)
		}},
		{"two-in-a-segment", Must, stream09, "two messages in one segment are both answered, in their order", stream, func(p *probe) { p.glued(2) }},
		{"ten-in-a-segment", Must, stream09 + "; field: Ajax in a burst", "ten messages in one segment are all answered, in their order", stream, func(p *probe) { p.glued(10) }},
		{"one-and-a-half", Must, stream09, "a message is answered before the rest of the next one has come, which is answered then", stream, func(p *probe) {
			a := p.main()
			one, two := frame(p.event(a), a.Cipher), frame(p.event(a), a.Cipher)
			half := len(two) / 2
			l := p.dial()
			began := time.Now()
			if l == nil || !l.ackOf(one, a.Cipher, 0, append(bytes.Clone(one), two[:half]...)) {
				return
			}
			if err := l.send(0, two[half:]); err != nil {
				l.wrong("not sent: %v", err)
				return
			}
			l.acked(two, a.Cipher, wanted(two), began)
		}},
		{"many-per-connection", Must, stream09 + "; closing is the panel's", "five messages, one after the other, on one connection", stream, func(p *probe) {
			a := p.main()
			l := p.dial()
			for i := range 5 {
				if !l.ack(frame(p.event(a), a.Cipher), a.Cipher) {
					if i > 0 && strings.Contains(p.why, "closed") {
						p.why = "the receiver closed the connection after its ACK; a panel may keep it open, and an ACK may be lost so"
					}
					return
				}
			}
		}},
		{"connection-per-message", Must, stream09, "five messages, each on its own connection", stream, func(p *probe) {
			a := p.main()
			for range 5 {
				l := p.dial()
				if !l.ack(frame(p.event(a), a.Cipher), a.Cipher) {
					return
				}
				_ = l.conn.Close() // as a panel does
			}
		}},
		{"two-connections", Must, stream09, "two connections of one panel at once are both answered", stream, func(p *probe) {
			a := p.main()
			one, two := p.dial(), p.dial()
			_ = one.ack(frame(p.event(a), a.Cipher), a.Cipher) && two.ack(frame(p.event(a), a.Cipher), a.Cipher) && one.ack(frame(p.event(a), a.Cipher), a.Cipher)
		}},
		{"idle-connection", May, "field: Ajax Hub 2 repeats when the connection is closed after the ACK", "a connection without traffic stays open for three seconds at least", stream, func(p *probe) {
			a := p.main()
			l := p.dial()
			if !l.ack(frame(p.event(a), a.Cipher), a.Cipher) {
				return
			}
			began := time.Now()
			if got, note := l.await(p.idle); got != nil || !strings.HasPrefix(note, "silence") {
				l.step(nil, "nothing", got, note, began)
				l.missing("%s within three seconds of the ACK", note)
				return
			}
			l.ack(frame(p.event(a), a.Cipher), a.Cipher)
		}},
		{"half-closed", May, stream09, "a panel that closes its sending side still gets the ACK", stream, func(p *probe) {
			a := p.main()
			l := p.dial()
			if l == nil {
				return
			}
			c, ok := l.conn.(*net.TCPConn)
			if !ok {
				p.skip("only over TCP without TLS")
				return
			}
			f := frame(p.event(a), a.Cipher)
			began := time.Now()
			if err := l.send(0, f); err != nil {
				l.wrong("not sent: %v", err)
				return
			}
			if err := c.CloseWrite(); err != nil {
				l.wrong("not closed: %v", err)
				return
			}
			l.acked(f, a.Cipher, wanted(f), began)
		}},
		{"noise-between", May, "field: NUL after CR (ioBroker.sia 11), CR LF between", "CR, LF and NUL between messages are passed over", stream, func(p *probe) {
			a := p.main()
			l := p.dial()
			for range 2 {
				f := frame(p.event(a), a.Cipher)
				if !l.ackOf(f, a.Cipher, 0, append(bytes.Clone(f), "\r\n\x00\x00"...)) {
					return
				}
			}
		}},
		{"no-line-feed", May, "field: senders that leave the LF out", "a message without LF is taken", 0, func(p *probe) {
			a := p.main()
			f := frame(p.event(a), a.Cipher)
			p.dial().ackOf(f, a.Cipher, 0, f[1:])
		}},
		{"binary-crc", May, "field: Lupus, Climax, Egardia, Trikdis", "a CRC of two bytes is understood and answered in the same form, also when it holds CR or LF: a frame ends by its length", 0, func(p *probe) {
			a := p.main()
			l := p.dial()
			for i, holds := range []string{"", "\r", "\n"} {
				var f []byte
				for f == nil || holds == "" && bytes.ContainsAny(f[1:3], "\r\n") || !bytes.Contains(f[1:3], []byte(holds)) {
					m := p.event(a)
					m.Form = dc09.Binary
					f = frame(m, a.Cipher)
				}
				if l.ack(f, a.Cipher) {
					continue
				}
				if i > 0 && p.verdict == Observation {
					p.wrong("a binary CRC is understood, but not one that holds %q: the frame is cut there", holds)
				}
				return
			}
		}},
		{"cr-counted", May, "field: Eldes", "a message whose CRC and length also cover the CR is taken", 0, func(p *probe) {
			a := p.main()
			m := p.event(a)
			m.Form = dc09.ASCIICR
			p.dial().ack(frame(m, a.Cipher), a.Cipher)
		}},
		{"long-message", Must, "DC-09-2013 draft, length: up to 0FFF", "messages of 1,000 bytes and of 4,095 are taken", stream, func(p *probe) {
			a := p.main()
			for _, size := range []int{1000, dc09.MaxBody} {
				p.dial().ack(p.sized(a, size), a.Cipher)
			}
		}},
	}
}

// glued sends n messages in one segment and wants n answers in their order.
func (p *probe) glued(n int) {
	a := p.main()
	var all []byte
	var frames [][]byte
	for range n {
		f := frame(p.event(a), a.Cipher)
		frames, all = append(frames, f), append(all, f...)
	}
	l := p.dial()
	if l == nil {
		return
	}
	began := time.Now()
	if err := l.send(0, all); err != nil {
		l.wrong("not sent: %v", err)
		return
	}
	for i, f := range frames {
		if !l.acked(f, a.Cipher, fmt.Sprintf("answer %d of %d: %s", i+1, n, wanted(f)), began) {
			return
		}
	}
}

// sized is an event whose body has size bytes, or the most that fit below it.
func (p *probe) sized(a *Account, size int) []byte {
	m := p.event(a)
	f := frame(m, a.Cipher)
	room := size - (len(f) - 10)
	if a.Cipher != nil {
		room = room / 32 * 16 // hex of whole blocks
	}
	before, _ := strings.CutSuffix(m.Blocks, "^]")
	m.Blocks = before + " " + strings.Repeat("x", room-1) + "^]"
	return frame(m, a.Cipher)
}
