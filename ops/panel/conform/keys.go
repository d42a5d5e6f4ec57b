package conform

import (
	"crypto/rand"
	"strings"
	"time"

	"vedetta/wire/dc09"
)

// keyChecks are about encryption.
func keyChecks() []check {
	const crypt = "DC-09-2013 draft, encryption"
	each := func(token, blocks string) func(*probe) {
		return func(p *probe) {
			b := strings.ReplaceAll(blocks, "ACCT", "#"+p.Keyed.Number)
			if token == dc09.TokenSIA {
				b = p.test(p.Keyed)
			}
			p.dial().ack(frame(p.next(p.Keyed, token, b), p.Keyed.Cipher), p.Keyed.Cipher)
		}
	}
	return []check{
		{"encrypted", Must, crypt, "an encrypted SIA-DCS message is answered by *ACK under the same key, with a timestamp inside", keyed, each(dc09.TokenSIA, "")},
		{"encrypted-contact-id", Must, crypt, "an encrypted ADM-CID message is answered by *ACK", keyed, each(dc09.TokenCID, "[ACCT|1602 00 000]")},
		{"encrypted-null", Must, crypt, "an encrypted link test is answered by *ACK", keyed, each(dc09.TokenNull, "[]")},
		{"every-pad", Must, crypt + ": pad of 1 to 16 bytes", "data of every length up to a block is decrypted; where it fills one, a pad of a whole block goes before it", keyed, func(p *probe) {
			l := p.dial()
			for n := range 16 {
				m := p.event(p.Keyed)
				m.Blocks = strings.Replace(m.Blocks, "^]", strings.Repeat("x", n)+"^]", 1)
				if !l.ack(frame(m, p.Keyed.Cipher), p.Keyed.Cipher) {
					return
				}
			}
		}},
		{"repetition-encrypted-anew", Must, crypt + "; field: Ajax (home-assistant 73316)", "a message that comes again, newly stamped and encrypted, is acknowledged again", keyed, func(p *probe) {
			m := p.event(p.Keyed)
			l := p.dial()
			for range 2 {
				if !l.ack(frame(m, p.Keyed.Cipher), p.Keyed.Cipher) {
					return
				}
			}
		}},
		{"cipher-lower-case", May, "field: senders of lower-case hex", "ciphertext in lower-case hex is decrypted", keyed, func(p *probe) {
			f := frame(p.event(p.Keyed), p.Keyed.Cipher)
			before, sealed, _ := strings.Cut(body(f), "[")
			p.dial().ack(framed(before+"["+strings.ToLower(sealed)), p.Keyed.Cipher)
		}},
		{"wrong-key", Must, "DC-09-2013 draft, acknowledgement: DUH", "a message under another key is never acknowledged: DUH, or silence", keyed, func(p *probe) {
			var other [16]byte
			rand.Read(other[:])
			c, err := dc09.NewCipher(other[:])
			if err != nil {
				panic("conform: a key of our own making: " + err.Error())
			}
			bad := frame(p.event(p.Keyed), c)
			p.dial().refused(bad, "a message under another key", frame(p.event(p.Keyed), p.Keyed.Cipher), p.Keyed.Cipher, dc09.TokenDUH)
		}},
		{"cipher-altered", Must, crypt + ": the timestamp is the only proof of the key", "a message whose last block was altered below a good CRC is never acknowledged", keyed, func(p *probe) {
			b := []byte(body(frame(p.event(p.Keyed), p.Keyed.Cipher)))
			b[len(b)-1] = "123456789ABCDEF0"[strings.IndexByte("0123456789ABCDEF", b[len(b)-1])]
			p.dial().refused(framed(string(b)), "an altered ciphertext", frame(p.event(p.Keyed), p.Keyed.Cipher), p.Keyed.Cipher, dc09.TokenDUH, dc09.TokenNAK)
		}},
		{"no-key-there", Must, "DC-09-2013 draft, acknowledgement: DUH", "an encrypted message of an account without a key is never acknowledged: DUH, or silence", plain | keyed, func(p *probe) {
			m := p.event(p.Plain)
			m.Time = p.theirs()
			p.dial().refused(frame(m, p.Keyed.Cipher), "what it has no key for", frame(p.event(p.Plain), nil), nil, dc09.TokenDUH)
		}},
		{"plain-despite-key", May, "no clause; whoever knows the account could send in its name", "a plain message of an account with a key is not acknowledged", keyed, func(p *probe) {
			m := p.event(p.Keyed)
			f := frame(m, nil)
			l := p.dial()
			if l == nil {
				return
			}
			began := time.Now()
			if err := l.send(0, f); err != nil {
				l.wrong("not sent: %v", err)
				return
			}
			got, note := l.await(l.Quiet)
			l.step(f, "silence or DUH", got, note, began)
			if got == nil {
				return
			}
			switch answer, fault := l.parse(got); {
			case fault != "":
				l.wrong("%s", fault)
			case answer.Token == dc09.TokenACK:
				l.observe("it is acknowledged: the key protects nothing while plain messages are taken")
			}
		}},
	}
}
