package rows

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"vedetta/node/intake"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/roster"
)

// TestWhatAPanelOrStrangerIsAnswered is design section 3, case by case, over TCP and
// UDP: the answer, and what is kept of the message.
func TestWhatAPanelOrStrangerIsAnswered(t *testing.T) {
	two := "2"
	panels := []roster.Panel{
		plain("1409"), keyed("ABC"), with(plain("AC0"), roster.Reception{UnknownToken: roster.TokenACK}),
		{ID: "p-both-1", Account: "DDDD"}, {ID: "p-both-2", Account: "DDDD"},
		{ID: "p-any", Account: "CCCC"}, {ID: "p-exact", Account: "CCCC", Prefix: &two, Receiver: &two},
	}
	type ask struct {
		name    string
		frame   func(t *testing.T) []byte
		answer  []byte // nil: silence; see encrypted and nak
		sealed  string // or the begin of an encrypted answer
		nak     bool
		stored  entry.Answer // empty: nothing is kept
		reason  dc09.Reason
		panel   string
		late    bool // no other site has it
		unready bool
		cfg     intake.Config
	}
	bare := func(body string) func(*testing.T) []byte {
		return func(*testing.T) []byte { return ascii(body) }
	}
	secret := func(head, key, content string, off time.Duration) func(*testing.T) []byte {
		return func(t *testing.T) []byte { return ascii(head + sealed(t, key, content+stamp(off))) }
	}
	bad := bytes.Replace(ascii(`"SIA-DCS"0001L0#1409[#1409|NBA1]`), []byte("NBA1"), []byte("NBA2"), 1)
	for _, c := range []ask{
		{name: "known and durable", frame: bare(`"SIA-DCS"0001L0#1409[#1409|NBA1]`), answer: ascii(`"ACK"0001L0#1409[]`), stored: entry.AnswerACK, panel: "p-1409"},
		{name: "known and durable, encrypted", frame: secret(`"*SIA-DCS"0001L0#ABC[`, key16, "#ABC|NBA1]", 0), sealed: `"*ACK"0001L0#ABC[`, stored: entry.AnswerACK, panel: "p-ABC"},
		{name: "unknown code", frame: bare(`"ADM-CID"0001L0#1409[#1409|1999 01 001]`), answer: ascii(`"ACK"0001L0#1409[]`), stored: entry.AnswerACK, panel: "p-1409"},
		{name: "poll", frame: bare(`"NULL"0001L0#1409[]`), answer: ascii(`"ACK"0001L0#1409[]`)},
		{name: "not durable in time", frame: bare(`"SIA-DCS"0001L0#1409[#1409|NBA1]`), late: true, stored: entry.AnswerACK, panel: "p-1409"},
		{name: "bad CRC", frame: func(*testing.T) []byte { return bad }},
		{name: "bad frame", frame: bare(`"SIA-DCS"001L0#1409[#1409|NBA1]`)},
		{name: "time outside the window", frame: bare(`"SIA-DCS"0001L0#1409[#1409|NBA1]` + stamp(-time.Minute)), nak: true},
		{name: "time outside the window, encrypted", frame: secret(`"*SIA-DCS"0001L0#ABC[`, key16, "#ABC|NBA1]", time.Minute), nak: true},
		{name: "poll outside the window", frame: secret(`"*NULL"0001L0#ABC[`, key16, "]", -time.Hour), nak: true},
		{name: "can't be decrypted", frame: secret(`"*SIA-DCS"0001L0#ABC[`, "another key 1234", "#ABC|NBA1]", 0), answer: ascii(`"DUH"0001L0#ABC[]`), stored: entry.AnswerDUH, reason: dc09.ReasonUndecryptable, panel: "p-ABC"},
		{name: "encrypted, and no key here", frame: secret(`"*SIA-DCS"0001L0#1409[`, key16, "#1409|NBA1]", 0), answer: ascii(`"DUH"0001L0#1409[]`), stored: entry.AnswerDUH, reason: dc09.ReasonNoKey, panel: "p-1409"},
		{name: "asterisk, and plain text", frame: bare(`"*SIA-DCS"0001L0#ABC[#ABC|NBA1]` + stamp(0)), answer: ascii(`"DUH"0001L0#ABC[]`), stored: entry.AnswerDUH, reason: dc09.ReasonUndecryptable, panel: "p-ABC"},
		{name: "plain though there is a key", frame: bare(`"SIA-DCS"0001L0#ABC[#ABC|NBA1]`), stored: entry.AnswerSilence, reason: dc09.ReasonPlain, panel: "p-ABC"},
		{name: "plain poll though there is a key", frame: bare(`"NULL"0001L0#ABC[]`)},
		{name: "unknown token", frame: bare(`"RAD-II"0001L0#1409[#1409|what it says]`), answer: ascii(`"DUH"0001L0#1409[]`), stored: entry.AnswerDUH, reason: dc09.ReasonUnknownToken, panel: "p-1409"},
		{name: "unknown token, acknowledged by setting", frame: bare(`"XYZ"0001L0#AC0[#AC0|what it says]`), answer: ascii(`"ACK"0001L0#AC0[]`), stored: entry.AnswerACK, reason: dc09.ReasonUnknownToken, panel: "p-AC0"},
		{name: "unknown account", frame: bare(`"SIA-DCS"0001L0#F00D[#F00D|NBA1]`), stored: entry.AnswerSilence, reason: dc09.ReasonUnknown},
		{name: "unknown account, encrypted", frame: secret(`"*SIA-DCS"0001L0#F00D[`, key16, "#F00D|NBA1]", 0), stored: entry.AnswerSilence, reason: dc09.ReasonUnknown},
		{name: "unknown account, ack", cfg: intake.Config{Unknown: intake.UnknownACK}, frame: bare(`"SIA-DCS"0001L0#F00D[#F00D|NBA1]`), answer: ascii(`"ACK"0001L0#F00D[]`), stored: entry.AnswerACK, reason: dc09.ReasonUnknown},
		{name: "unknown account, duh", cfg: intake.Config{Unknown: intake.UnknownDUH}, frame: bare(`"SIA-DCS"0001L0#F00D[#F00D|NBA1]`), answer: ascii(`"DUH"0001L0#F00D[]`), stored: entry.AnswerDUH, reason: dc09.ReasonUnknown},
		{name: "fits two panels", frame: bare(`"SIA-DCS"0001L0#DDDD[#DDDD|NBA1]`), stored: entry.AnswerSilence, reason: dc09.ReasonAmbiguous},
		{name: "the one with its numbers wins", frame: bare(`"SIA-DCS"0001R2L2#CCCC[#CCCC|NBA1]`), answer: ascii(`"ACK"0001R2L2#CCCC[]`), stored: entry.AnswerACK, panel: "p-exact"},
		{name: "else the one without", frame: bare(`"SIA-DCS"0001R2L3#CCCC[#CCCC|NBA1]`), answer: ascii(`"ACK"0001R2L3#CCCC[]`), stored: entry.AnswerACK, panel: "p-any"},
		{name: "not ready", frame: bare(`"SIA-DCS"0001L0#1409[#1409|NBA1]`), unready: true},
		{name: "poll, not ready", frame: bare(`"NULL"0001L0#1409[]`), unready: true},
		{name: "an answer is no message", frame: bare(`"ACK"0001L0#1409[]`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, func(t *testing.T, transport string) {
				c.cfg.Wait = 3 * time.Second
				if c.late {
					c.cfg.Wait = 200 * time.Millisecond
				}
				r := start(t, "arezzo", newCustomer(t, panels...), c.cfg)
				if c.late {
					r.cutOff()
				}
				r.ready.Store(!c.unready)
				frame := c.frame(t)
				l := r.dial(transport)
				l.send(frame)
				switch {
				case c.nak:
					if a := l.answer(5 * time.Second); !isNAK(t, a, ascii) {
						t.Errorf("answered %q, want a NAK with our time", a)
					}
				case c.sealed != "":
					if a := l.answer(5 * time.Second); !bytes.Contains(a, []byte(c.sealed)) || !near(strings.TrimPrefix(opened(t, key16, a), "]")) {
						t.Errorf("answered %q, want it encrypted with our time", a)
					}
				case c.answer != nil:
					if a := l.answer(5 * time.Second); !bytes.Equal(a, c.answer) {
						t.Errorf("answered %q, want %q", a, c.answer)
					}
				default:
					within := 150 * time.Millisecond
					if c.late {
						within = 400 * time.Millisecond
					}
					if a := l.answer(within); a != nil {
						t.Errorf("answered %q, want silence", a)
					}
				}
				kept := r.stored()
				if c.stored == "" {
					if len(kept) != 0 {
						t.Errorf("kept %+v, want nothing", kept)
					}
					return
				}
				if len(kept) != 1 || kept[0].Answer != c.stored || kept[0].Reason != string(c.reason) || kept[0].Panel != c.panel || !bytes.Equal(kept[0].Raw, frame) || kept[0].Transport != transport {
					t.Errorf("kept %+v, want one with %s, %q of %q", kept, c.stored, c.reason, c.panel)
				}
			})
		})
	}
}

// TestFramesSplitAnywhere: two frames, one with a CRC of any bytes, cut at every
// byte into two segments.
func TestFramesSplitAnywhere(t *testing.T) {
	r := newReceiver(t, plain("1409"))
	first, second := binary(`"SIA-DCS"0001L0#1409[#1409|NBA1]`), ascii(`"SIA-DCS"0002L0#1409[#1409|NBA2]`)
	all := append(append([]byte{}, first...), second...)
	l := r.dial("tcp")
	if err := l.conn.(*net.TCPConn).SetNoDelay(true); err != nil {
		t.Fatal(err)
	}
	for at := range len(all) + 1 {
		l.send(all[:at])
		if at >= len(first) { // the first is whole: its answer comes before anything else is sent
			if a := l.answer(5 * time.Second); !bytes.Equal(a, binary(`"ACK"0001L0#1409[]`)) {
				t.Fatalf("cut at %d: %q", at, a)
			}
		}
		if at < len(all) {
			if at == len(first)/2 { // really two segments: nothing is answered between
				if a := l.answer(50 * time.Millisecond); a != nil {
					t.Fatalf("half a frame is answered %q", a)
				}
			}
			l.send(all[at:])
		}
		if at < len(first) {
			if a := l.answer(5 * time.Second); !bytes.Equal(a, binary(`"ACK"0001L0#1409[]`)) {
				t.Fatalf("cut at %d: %q", at, a)
			}
		}
		if a := l.answer(5 * time.Second); !bytes.Equal(a, ascii(`"ACK"0002L0#1409[]`)) {
			t.Fatalf("cut at %d: %q", at, a)
		}
	}
	// Byte by byte.
	for _, b := range all {
		l.send([]byte{b})
	}
	for _, want := range [][]byte{binary(`"ACK"0001L0#1409[]`), ascii(`"ACK"0002L0#1409[]`)} {
		if a := l.answer(5 * time.Second); !bytes.Equal(a, want) {
			t.Errorf("byte by byte: %q, want %q", a, want)
		}
	}
}

// TestKeysPadsAndForms: AES-128, 192 and 256 in every form of the CRC, pads with and
// without a bar, through the sockets.
func TestKeysPadsAndForms(t *testing.T) {
	keys := []string{key16, "24 bytes of a text key..", "0123456789abcdef0123456789abcdef"}
	var panels []roster.Panel
	for i, k := range keys {
		panels = append(panels, roster.Panel{ID: fmt.Sprint("p", i), Account: fmt.Sprintf("A00%d", i), Key: []byte(k)})
	}
	r := newReceiver(t, panels...)
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		for i, key := range keys {
			for name, form := range map[string]func(string) []byte{"ascii": ascii, "binary": binary, "ascii+cr": withCR} {
				answer := form
				if name == "ascii+cr" {
					answer = ascii
				}
				for pad := range 17 {
					account := fmt.Sprintf("A00%d", i)
					a := l.ask(form(fmt.Sprintf(`"*SIA-DCS"%04dL0#%s[`, pad, account) + sealed(t, key, "#"+account+"|NBA1^"+strings.Repeat("x", pad)+"^][Vhttps://example.org]"+stamp(0))))
					head := fmt.Sprintf(`"*ACK"%04dL0#%s[`, pad, account)
					if c := opened(t, key, a); !bytes.Contains(a, []byte(head)) || !near(strings.TrimPrefix(c, "]")) || len(c) != 21 {
						t.Errorf("key of %d, %s, pad %d: %q with %q", len(key), name, pad, a, c)
					}
					_, tail, _ := strings.Cut(string(a[7:]), `"`) // a binary CRC may hold a quote
					if body := strings.TrimSuffix(`"`+tail, "\r"); !bytes.Equal(a, answer(body)) {
						t.Errorf("key of %d, %s: CRC or length of %q", len(key), name, a)
					}
				}
			}
		}
	})
	for _, m := range r.stored() {
		if len(m.XData) != 1 || string(m.XData[0]) != "Vhttps://example.org" || !strings.HasPrefix(string(m.Data), "#A00") {
			t.Fatalf("stored %+v", m)
		}
	}
}

// TestEveryTokenOfTheReference is decoded where a grammar is defined, else kept.
func TestEveryTokenOfTheReference(t *testing.T) {
	r := newReceiver(t, plain("1409"))
	l := r.dial("tcp")
	for i, c := range []struct{ token, data, answer, events string }{
		{"SIA-DCS", "#1409|Nri1/BA1", "ACK", "[SIA-DCS BA 1]"}, {"ADM-CID", "#1409|1130 01 001", "ACK", "[ADM-CID 130 001]"},
		{"ADM-CIDX", "#1409|1130 01 0012", "ACK", "[ADM-CID 130 0012]"}, {"HENG-BO", "#1409|3400 00 000", "ACK", "[ADM-CID 400]"},
		{"ACR-SF", "x", "DUH", ""}, {"ADM-41E", "x", "DUH", ""}, {"ADM-42E", "x", "DUH", ""}, {"ADM-HS", "x", "DUH", ""}, {"DSC-43", "x", "DUH", ""}, {"FBI-SF", "x", "DUH", ""},
		{"ITI-I", "x", "DUH", ""}, {"RAD-I", "x", "DUH", ""}, {"RAD-II", "x", "DUH", ""}, {"SCN-S8", "x", "DUH", ""}, {"SCN-S16", "x", "DUH", ""}, {"SCN-S24", "x", "DUH", ""},
		{"SIA-PUL", "x", "DUH", ""}, {"SIA-S2k", "x", "DUH", ""}, {"SK-FSK1", "x", "DUH", ""}, {"SK-FSK2", "x", "DUH", ""}, {"VIS-BBA", "x", "DUH", ""}, {"VIS-ACK", "x", "DUH", ""},
		{"NOT-EVER", "x", "DUH", ""},
	} {
		frame := ascii(fmt.Sprintf(`"%s"%04dL0#1409[%s]`, c.token, i, c.data))
		l.wants(frame, ascii(fmt.Sprintf(`"%s"%04dL0#1409[]`, c.answer, i)))
		m := r.stored()[i]
		if !bytes.Equal(m.Raw, frame) || m.Token != c.token {
			t.Errorf("%s is kept as %+v", c.token, m)
		}
		if c.events == "" {
			c.events = "[VEDETTA   x]"
		}
		want(t, c.token, eventsOf(t, m), c.events)
	}
	n := len(r.stored())
	for _, poll := range []string{"NULL", "XNM"} {
		l.wants(ascii(`"`+poll+`"0001L0#1409[]`), ascii(`"ACK"0001L0#1409[]`))
	}
	for _, answer := range []string{"ACK", "NAK", "DUH", "RSP"} {
		l.silent(ascii(`"`+answer+`"0001L0#1409[]`), ascii(`"NULL"0001L0#1409[]`), ascii(`"ACK"0001L0#1409[]`))
	}
	want(t, "stored of polls and answers", len(r.stored())-n, 0)
}
