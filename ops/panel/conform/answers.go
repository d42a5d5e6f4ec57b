package conform

import (
	"strings"

	"vedetta/wire/dc09"
)

// answerChecks are about what an acknowledgement says.
func answerChecks() []check {
	const ack = "DC-09-2013 draft, acknowledgement: ACK"
	return []check{
		{"clock", May, "DC-09-2013 draft, timestamp: the receiver's UTC", "the receiver's clock agrees with this machine's within 5 s", keyed, func(p *probe) { p.askClock() }},
		{"ack-plain", Must, ack, "a plain SIA-DCS message is answered by a plain ACK with its sequence, L and account, CRC and length good", plain, func(p *probe) {
			p.dial().ack(frame(p.event(p.Plain), nil), nil)
		}},
		{"ack-contact-id", Must, ack, "a plain ADM-CID message is answered by a plain ACK", plain, func(p *probe) {
			p.dial().ack(frame(p.next(p.Plain, dc09.TokenCID, "[#"+p.Plain.Number+"|1602 00 000]"), nil), nil)
		}},
		{"ack-null", Must, "DC-09-2013 draft, link test: NULL", "the link test, NULL with an empty block, is acknowledged", plain, func(p *probe) {
			p.dial().ack(frame(p.next(p.Plain, dc09.TokenNull, ""), nil), nil)
		}},
		{"null-0000", May, "field: Pyronix Enforcer 11, Hikvision", "a link test of sequence 0000 is acknowledged with 0000", 0, func(p *probe) {
			a := p.main()
			m := p.next(a, dc09.TokenNull, "")
			m.Sequence = 0
			p.dial().ack(frame(m, a.Cipher), a.Cipher)
		}},
		{"no-receiver", Must, ack + "; field: Pyronix took RNone for a failed poll", "a message without R is answered without R", 0, func(p *probe) {
			a := p.main()
			m := p.next(a, dc09.TokenNull, "")
			m.Receiver = nil
			if a.Receiver != nil {
				p.level = May // the account may be bound to its R
			}
			p.dial().ack(frame(m, a.Cipher), a.Cipher)
		}},
		{"receiver-echoed", May, "DC-09-2007 Annex C: R and L up to FFFFFF", "R and L of 1 to 6 digits are echoed; a receiver may bind its accounts to R and L", 0, func(p *probe) {
			a := p.main()
			for _, rl := range [][2]string{{"1", "2"}, {"FFFFFF", "FFFFFF"}, {"00a1", "0b"}} {
				m := p.event(a)
				m.Receiver, m.Prefix = &rl[0], &rl[1]
				if !p.dial().ack(frame(m, a.Cipher), a.Cipher) {
					return
				}
			}
		}},
		{"account-as-written", May, ack + "; field: senders of lower-case hex", "an account in the other case of letters is known, and echoed as it came", 0, func(p *probe) {
			a := p.main()
			other := strings.ToLower(a.Number)
			if other == a.Number {
				other = strings.ToUpper(a.Number)
			}
			if other == a.Number {
				p.skip("account " + a.Number + " has no letter")
				return
			}
			b := *a
			b.Number = other
			p.dial().ack(frame(p.event(&b), a.Cipher), a.Cipher)
		}},
		{"sequence-wraps", Must, "DC-09-2007 Annex C: sequence", "9998, 9999, 0001, 0002 are each acknowledged with their own sequence", 0, func(p *probe) {
			p.sequences(9998, 9999, 1, 2)
		}},
		{"sequence-out-of-order", Must, "DC-09-2007 Annex C: sequence", "the receiver echoes the sequence and asks for no order: 9995, 9996, 9995 with other data, 9997, 0005", 0, func(p *probe) {
			p.sequences(9995, 9996, 9995, 9997, 5)
		}},
		{"repetition", Must, "DC-09-2007 Annex C: retransmission", "a message that comes again, byte for byte, is acknowledged again, on the same connection and on another", 0, func(p *probe) {
			a := p.main()
			f := frame(p.event(a), a.Cipher)
			l := p.dial()
			for _, l := range []*line{l, l, p.dial()} {
				if !l.ack(f, a.Cipher) {
					return
				}
			}
		}},
		{"repetition-newly-stamped", Must, "DC-09-2007 Annex C: retransmission; field: Ajax (home-assistant 88474)", "a message that comes again with a new timestamp is acknowledged again", 0, func(p *probe) {
			a := p.main()
			m := p.event(a)
			for range 2 {
				m.Time = p.theirs()
				if !p.dial().ack(frame(m, a.Cipher), a.Cipher) {
					return
				}
			}
		}},
	}
}

// sequences sends an event with each number, on one connection.
func (p *probe) sequences(numbers ...int) {
	a := p.main()
	l := p.dial()
	for _, n := range numbers {
		m := p.event(a)
		m.Sequence = n
		if !l.ack(frame(m, a.Cipher), a.Cipher) {
			return
		}
	}
}
