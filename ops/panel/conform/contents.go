package conform

import (
	"strings"
	"time"

	"vedetta/wire/dc09"
)

// contentChecks are about what messages carry.
func contentChecks() []check {
	const xdata = "DC-09-2013 draft, extended data"
	// taken sends messages of blocks that must, or may, be acknowledged.
	taken := func(token string, blocks ...string) func(*probe) {
		return func(p *probe) {
			a := p.main()
			l := p.dial()
			for _, b := range blocks {
				b = strings.ReplaceAll(strings.ReplaceAll(b, "TEST", strings.Trim(p.test(a), "[]")), "ACCT", "#"+a.Number)
				if !l.ack(frame(p.next(a, token, b), a.Cipher), a.Cipher) {
					return
				}
			}
		}
	}
	return []check{
		{"several-events", Must, "DC-03 in DC-09", "a block with several events is taken", 0, taken(dc09.TokenSIA, "[ACCT|N/ri1/RP001/ri2/RP002]")},
		{"extended-data", Must, xdata, "extended data does not hinder the ACK: link, coordinates, text, time of the event", 0,
			taken(dc09.TokenSIA, "[TEST][Vhttps://example.org/a.jpg]", "[TEST][X012W34.1][Y45N12.2][Z100M]", "[TEST][H10:00:00,01-02-2026][IConformance]", "[TEST][M0026B9E4268B]")},
		{"extended-data-unknown", May, xdata, "extended data of a letter that isn't in the table does not hinder the ACK", 0, taken(dc09.TokenSIA, "[TEST][E115000]", "[TEST][Qunknown]")},
		{"text-windows-1252", Must, xdata + ": texts are Windows-1252", "a text with bytes above 7F is taken", 0, taken(dc09.TokenSIA, "[TEST][IPorta caff\xe8 \x80]")},
		{"text-utf-8", May, "field: senders of UTF-8", "a text in UTF-8 is taken", 0, taken(dc09.TokenSIA, "[TEST][IПорта caffè]")},
		{"text-with-spaces", May, "field: Jablotron, Lupus", "a text with runs of spaces, apostrophes and slashes is taken", 0, taken(dc09.TokenSIA, "[ACCT|Nri01^AREA  ^/RP012^Volum.Taverna   l'ingresso 1/2 ^]")},
		{"no-account-in-block", May, "field: Ajax", "data without an account in front is taken: the header's stands", 0, taken(dc09.TokenSIA, "[|Nri0/RP0000]")},
		{"empty-data", May, "field: panels that send SIA-DCS with []", "an empty block is acknowledged", 0, taken(dc09.TokenSIA, "[]")},
		{"null-with-block", May, "field: Hikvision", "a link test with a block is acknowledged", 0, taken(dc09.TokenNull, "[#0000|0000 00 000]")},
		{"unknown-code", May, "field: Ajax PE (home-assistant 88474): on DUH it repeats and takes the receiver for lost", "a message with a code that no table has is acknowledged when it is stored", 0, taken(dc09.TokenSIA, "[ACCT|Nri0/PE501]")},
		{"unknown-token", Must, "DC-09-2013 draft, acknowledgement: DUH", "a message of a token that the receiver doesn't know is answered by a plain DUH with its sequence, L and account; an ACK is as good", 0, func(p *probe) {
			a := p.main()
			f := frame(p.next(a, "XYZ-CFM", p.test(a)), a.Cipher)
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
			l.step(f, strings.Replace(strings.SplitN(wanted(f), "[", 2)[0], `"*ACK"`, `"DUH"`, 1)+"[], or ACK", got, note, began)
			if got == nil {
				l.wrong("%s, want a DUH: the panel repeats the message for ever", note)
				return
			}
			sent, _ := dc09.ParseFrame(f)
			switch answer, fault := l.parse(got); {
			case fault != "":
				l.wrong("%s", fault)
			case answer.Token == dc09.TokenACK:
				l.judge(f, got, a.Cipher)
			case answer.Token != dc09.TokenDUH:
				l.wrong("a %s, want a DUH or an ACK", answer.Token)
			case answer.Encrypted:
				l.wrong("an encrypted DUH, want a plain one")
			default:
				if fault = echo(sent, answer); fault != "" {
					l.wrong("%s", fault)
				}
			}
		}},
		{"no-prefix", May, "field: fioletoven/dc09; a bare L: ioBroker.sia 11", "a message without L, or with L and no number, is answered alike", 0, func(p *probe) {
			a := p.main()
			for _, prefix := range []*string{nil, new("")} {
				m := p.event(a)
				m.Prefix = prefix
				if !p.dial().ack(frame(m, a.Cipher), a.Cipher) {
					return
				}
			}
		}},
	}
}
