package rows

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"vedetta/node/alerting"
	"vedetta/node/intake"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/event"
	"vedetta/wire/roster"
)

const key16 = "0123456789abcdef"

// panels of most rows: a plain one, and one with a key.
func plain(account string) roster.Panel { return roster.Panel{ID: "p-" + account, Account: account} }

func keyed(account string) roster.Panel {
	return roster.Panel{ID: "p-" + account, Account: account, Key: []byte(key16)}
}

func with(p roster.Panel, set roster.Reception) roster.Panel {
	p.Reception = &set
	return p
}

// both runs fn over TCP and over UDP.
func both(t *testing.T, fn func(t *testing.T, transport string)) {
	for _, transport := range []string{"tcp", "udp"} {
		t.Run(transport, func(t *testing.T) { fn(t, transport) })
	}
}

// eventsOf reads a message as alerting does: standard, code, zone, text.
func eventsOf(t *testing.T, m entry.Message) []string {
	t.Helper()
	events, err := alerting.Events(m)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range events {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Standard, e.Code, e.Zone, e.Text)))
	}
	return list
}

// distinct are the events of several receivers' journals, copies made one, with how
// often each came; as the shard's leader judges them. Later ones come second.
func distinct(t *testing.T, after time.Duration, all ...*receiver) map[string]int {
	t.Helper()
	copies, out, names := alerting.NewCopies(), map[string]int{}, map[string]string{}
	n := 0
	for _, r := range all {
		messages := r.stored()
		for i, rec := range r.records() {
			m := messages[i]
			e := alerting.Entry{Position: rec.Position(), Identity: rec.Identity, Panel: m.Panel, Sequence: m.Sequence,
				Received: m.Received.Add(time.Duration(n) * after), Window: time.Duration(m.Window) * time.Second}
			n++
			j := copies.Judge(e, nil)
			at := e.Position
			if !j.CopyOf.IsZero() {
				at = j.CopyOf
			} else {
				names[at.String()] = fmt.Sprint(len(names), " ", strings.Join(eventsOf(t, m), "+"))
			}
			copies.Note(e, at)
			out[names[at.String()]]++
		}
	}
	return out
}

func want(t *testing.T, what string, got, wanted any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(wanted); g != w {
		t.Errorf("%s: %s, want %s", what, g, w)
	}
}

// TestRow01_BinaryCRC: any bytes, CR and LF among them, and an answer in the same
// form, NAK included.
func TestRow01_BinaryCRC(t *testing.T) {
	r := newReceiver(t, plain("9413"))
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		found := map[byte]bool{}
		for seq := 1; len(found) < 3; seq++ {
			body := fmt.Sprintf(`"ADM-CID"%04dR1L1#9413[#9413|1602 99 999]`, seq)
			for _, hard := range []byte{'\r', '\n', 0} {
				if c := crc(body); byte(c) == hard || byte(c>>8) == hard {
					found[hard] = true
					l.wants(binary(body), binary(fmt.Sprintf(`"ACK"%04dR1L1#9413[]`, seq)))
				}
			}
		}
		if a := l.ask(binary(`"ADM-CID"0002R1L1#9413[#9413|1602 99 999]` + stamp(-time.Hour))); !isNAK(t, a, binary) {
			t.Errorf("NAK %q, want it in the binary form with our time", a)
		}
	})
	if m := r.stored(); len(m) < 3 || !slices.Contains(m[0].Quirks, "binary-crc") {
		t.Errorf("stored %+v", m)
	}
}

// TestRow02_CRCOverCR: Eldes, as in public logs; answered in the standard's form, or
// as received by setting.
func TestRow02_CRCOverCR(t *testing.T) {
	r := newReceiver(t, plain("9999"), with(plain("4F39"), roster.Reception{Answer: roster.AnswerReceived}))
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		l.wants([]byte("\nF19A002B\"ADM-CID\"0056L9999#9999[#9999|1900 00 001]\r"), ascii(`"ACK"0056L9999#9999[]`))
		l.wants([]byte("\nBCD30028\"ADM-CID\"1533L0#4F39[#4F39|1412 00 000]\r"), withCR(`"ACK"1533L0#4F39[]`))
	})
	want(t, "quirks", r.stored()[0].Quirks, []string{"crc-and-length-include-CR"})
}

// TestRow03_LengthWrong: decimal, off, not hex; the CRC decides.
func TestRow03_LengthWrong(t *testing.T) {
	r := newReceiver(t, plain("4F39"), plain("7099"))
	l := r.dial("tcp")
	l.wants([]byte("\n57150047\"ADM-CID\"0247R4F39L4F39#4F39[#4F39|3401 01 057]\r"), ascii(`"ACK"0247R4F39L4F39#4F39[]`))
	for _, length := range []string{"0099", "0000", "003g", "0FFF", "0001"} {
		frame := ascii(`"ADM-CID"0001L0#7099[#7099|1628 01 000]`)
		copy(frame[5:9], length)
		l.wants(frame, ascii(`"ACK"0001L0#7099[]`))
	}
	got := r.stored()
	want(t, "quirks of a decimal length", got[0].Quirks, []string{"length-decimal"})
	want(t, "quirks of a wrong length", got[1].Quirks, []string{"length-bad"})
}

// TestRow04_BytesAroundFrames: no LF, more CR and LF, NULs, and a bad frame before a
// good one.
func TestRow04_BytesAroundFrames(t *testing.T) {
	r := newReceiver(t, plain("7303658550"))
	frame, ack := ascii(`"NULL"0001L#7303658550[]`+stamp(0)), ascii(`"ACK"0001L#7303658550[]`)
	l := r.dial("tcp")
	for _, around := range [][2]string{{"", "\x00"}, {"\r\n\r\n\x00\x00", "\r\n"}, {"", ""}} {
		l.wants(append(append([]byte(around[0]), frame...), around[1]...), ack)
	}
	l.wants(frame[1:], ack) // without LF
	bad := bytes.Replace(frame, []byte("NULL"), []byte("NULX"), 1)
	l.silent(bad, frame, ack)
	u := r.dial("udp")
	u.wants(append([]byte("\r\n"), append(frame, 0, 0)...), ack)
	u.wants(frame[1:], ack)
}

// TestRow05_LowerCase: hex in any case, and an echo of the very bytes.
func TestRow05_LowerCase(t *testing.T) {
	r := newReceiver(t, plain("080027E62A64"), keyed("ABCDEF"))
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		body := `"SIA-DCS"0000Rc0ffdL1234#080027e62a64[#080027E62A64|NHB0003][E115000]`
		l.wants([]byte(strings.Replace(string(ascii(body)), string(ascii(body)[1:9]), strings.ToLower(string(ascii(body)[1:9])), 1)), ascii(`"ACK"0000Rc0ffdL1234#080027e62a64[]`))
		a := l.ask(ascii(`"*SIA-DCS"0007L0#abcdef[` + strings.ToLower(sealed(t, key16, "#ABCDEF|NBA1]"+stamp(0)))))
		if !bytes.Contains(a, []byte(`"*ACK"0007L0#abcdef[`)) {
			t.Errorf("answer %q", a)
		}
	})
}

// TestRow06_PrefixEmptyOrAbsent is echoed as it came.
func TestRow06_PrefixEmptyOrAbsent(t *testing.T) {
	r := newReceiver(t, plain("7303658550"))
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		l.wants(ascii(`"NULL"0001L#7303658550[]`), ascii(`"ACK"0001L#7303658550[]`))
		l.wants(ascii(`"SIA-DCS"0002#7303658550[#7303658550|NRP]`), ascii(`"ACK"0002#7303658550[]`))
	})
}

// TestRow07_AccountOnlyInTheBlock is found there, and the header echoed without it.
func TestRow07_AccountOnlyInTheBlock(t *testing.T) {
	r := newReceiver(t, plain("001365"))
	both(t, func(t *testing.T, transport string) {
		r.dial(transport).wants(ascii(`"SIA-DCS"0007R0073L0011[#001365|NUA021]`), ascii(`"ACK"0007R0073L0011[]`))
	})
	if m := r.stored()[0]; m.Panel != "p-001365" || !slices.Contains(m.Quirks, "no-account-in-header") {
		t.Errorf("stored %+v", m)
	}
}

// TestRow08_NoAccountInTheBlock: the header's counts.
func TestRow08_NoAccountInTheBlock(t *testing.T) {
	r := newReceiver(t, plain("AAA"), keyed("BBB"))
	l := r.dial("tcp")
	l.wants(ascii(`"SIA-DCS"6002L0#AAA[|Nri1/CL501]`+stamp(0)), ascii(`"ACK"6002L0#AAA[]`))
	l.wants(ascii(`"SIA-DCS"5268L0#AAA[Nri1/WA000]`+stamp(0)), ascii(`"ACK"5268L0#AAA[]`))
	if a := l.ask(ascii(`"*SIA-DCS"0003L0#BBB[` + sealed(t, key16, `Nri1/BA7]`+stamp(0)))); !bytes.Contains(a, []byte(`"*ACK"0003L0#BBB[`)) {
		t.Errorf("answer %q", a)
	}
	var got []string
	for _, m := range r.stored() {
		got = append(got, eventsOf(t, m)...)
	}
	want(t, "events", got, []string{"SIA-DCS CL", "SIA-DCS WA 000", "SIA-DCS BA 7"})
}

// TestRow09_AccountsDiffer: the header's wins, both are kept.
func TestRow09_AccountsDiffer(t *testing.T) {
	r := newReceiver(t, plain("AAAB"), plain("0000"))
	r.dial("tcp").wants(ascii(`"SIA-DCS"0001L0#AAAB[#0000|NBA1]`), ascii(`"ACK"0001L0#AAAB[]`))
	m := r.stored()[0]
	want(t, "panel, account, data", []string{m.Panel, m.Account, string(m.Data)}, []string{"p-AAAB", "AAAB", "#0000|NBA1"})
	want(t, "quirks", m.Quirks, []string{"account-differs"})
}

// TestRow10_AccountNotHex is opaque text, and refused by a strict panel.
func TestRow10_AccountNotHex(t *testing.T) {
	strict := with(plain("AAAB"), roster.Reception{StrictAccount: true})
	r := newReceiver(t, plain("FOC7688"), plain("ALARM-1"), strict)
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		l.wants(ascii(`"ADM-CID"0001L0#foc7688[#foc7688|1130 01 001]`), ascii(`"ACK"0001L0#foc7688[]`))
		l.wants(ascii(`"SIA-DCS"0001L0#Alarm-1[#Alarm-1|NBA1]`), ascii(`"ACK"0001L0#Alarm-1[]`))
		l.silent(ascii(`"SIA-DCS"0001L0#AAAB[#alarm1|NBA1]`), ascii(`"NULL"0002L0#AAAB[]`), ascii(`"ACK"0002L0#AAAB[]`))
	})
	want(t, "quirks", r.stored()[0].Quirks, []string{"account-not-hex"})
}

// TestRow11_DummyBlockInNULL: Hikvision's poll, as in a public log but for its time.
func TestRow11_DummyBlockInNULL(t *testing.T) {
	r := newReceiver(t, plain("AAAB"))
	both(t, func(t *testing.T, transport string) {
		r.dial(transport).wants(ascii(`"NULL"0000R0L0#AAAB[#0000|0000 00 000]`+stamp(0)), ascii(`"ACK"0000R0L0#AAAB[]`))
	})
	want(t, "stored", r.stored(), "[]")
}

// TestRow12_UnknownCodeIsAcknowledged: and so is its repetition; one event, as
// category other.
func TestRow12_UnknownCodeIsAcknowledged(t *testing.T) {
	r := newReceiver(t, plain("AAA"))
	l := r.dial("tcp")
	for range 2 {
		l.wants(ascii(`"SIA-DCS"7232L0#AAA[#AAA|Nri1/PE501]`+stamp(0)), ascii(`"ACK"7232L0#AAA[]`))
	}
	for i, code := range []string{"1899 01 001", "1ABC 01 001"} {
		l.wants(ascii(fmt.Sprintf(`"ADM-CID"%04dL0#AAA[#AAA|%s]`, i, code)), ascii(fmt.Sprintf(`"ACK"%04dL0#AAA[]`, i)))
	}
	want(t, "events", distinct(t, 0, r), map[string]int{"0 SIA-DCS PE": 2, "1 ADM-CID 899 001": 1, "2 ADM-CID ABC 001": 1})
	events, err := alerting.Events(r.stored()[2])
	if err != nil || len(events) != 1 || events[0].Category != string(event.Other) {
		t.Errorf("%+v, %v", events, err)
	}
}

// TestRow13_ReceiverIsEchoedOnlyWhenItCame: never "None" or an empty R.
func TestRow13_ReceiverIsEchoedOnlyWhenItCame(t *testing.T) {
	r := newReceiver(t, plain("1409"))
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		l.wants(ascii(`"NULL"0000L0#1409[]`+stamp(0)), ascii(`"ACK"0000L0#1409[]`))
		l.wants(ascii(`"NULL"0000R0L0#1409[]`+stamp(0)), ascii(`"ACK"0000R0L0#1409[]`))
		l.wants(ascii(`"NULL"0000RL0#1409[]`+stamp(0)), ascii(`"ACK"0000RL0#1409[]`))
	})
}

// TestRow14_ConnectionStaysOpen after an answer; the panel closes, and gets a FIN.
func TestRow14_ConnectionStaysOpen(t *testing.T) {
	r := newReceiver(t, plain("1409"))
	l := r.dial("tcp")
	poll, ack := ascii(`"NULL"0000L0#1409[]`), ascii(`"ACK"0000L0#1409[]`)
	l.wants(poll, ack)
	l.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)) //nolint:errcheck // the read says so
	if n, err := l.in.Read(make([]byte, 1)); err == nil || !isTimeout(err) {
		t.Fatalf("after the answer: %d bytes, %v, want an open connection", n, err)
	}
	l.wants(poll, ack)
	if err := l.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	l.conn.SetReadDeadline(time.Now().Add(5 * time.Second)) //nolint:errcheck // the read says so
	if _, err := l.in.ReadByte(); err != io.EOF {
		t.Errorf("the panel closes and reads %v, want the end", err)
	}
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}

// TestRow15_SecondMessageOnAConnection and more, each answered, in their order.
func TestRow15_SecondMessageOnAConnection(t *testing.T) {
	r := newReceiver(t, plain("1409"))
	l := r.dial("tcp")
	for seq := 1; seq <= 20; seq++ {
		l.wants(ascii(fmt.Sprintf(`"SIA-DCS"%04dL0#1409[#1409|NBA%d]`, seq, seq)), ascii(fmt.Sprintf(`"ACK"%04dL0#1409[]`, seq)))
	}
	want(t, "stored", len(r.stored()), 20)
}

// TestRow16_Burst: many messages in one segment.
func TestRow16_Burst(t *testing.T) {
	r := newReceiver(t, plain("1409"))
	l := r.dial("tcp")
	var all []byte
	for seq := 1; seq <= 60; seq++ {
		all = append(all, ascii(fmt.Sprintf(`"SIA-DCS"%04dL0#1409[#1409|NBA%d]`, seq, seq))...)
	}
	l.send(all)
	for seq := 1; seq <= 60; seq++ {
		if got, want := l.answer(5*time.Second), ascii(fmt.Sprintf(`"ACK"%04dL0#1409[]`, seq)); !bytes.Equal(got, want) {
			t.Fatalf("answer %d is %q, want %q", seq, got, want)
		}
	}
	want(t, "stored", len(r.stored()), 60)
}

// TestRow17_ClockOff: NAK with our time, in the panel's own clock by setting, or
// taken by setting; the entry keeps both times, so that the difference can be shown.
func TestRow17_ClockOff(t *testing.T) {
	local := with(keyed("B0B0"), roster.Reception{LocalTime: true})
	local.TimeZone = "Asia/Kathmandu" // 5 h 45 min ahead, always
	r := newReceiver(t, plain("1409"), with(plain("1410"), roster.Reception{NoWindow: true}), local)
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		for _, off := range []time.Duration{-41 * time.Second, 22 * time.Second, -12 * 365 * 24 * time.Hour} {
			if a := l.ask(ascii(`"SIA-DCS"0001L0#1409[#1409|NBA1]` + stamp(off))); !isNAK(t, a, ascii) {
				t.Errorf("%s off: %q, want a NAK", off, a)
			}
		}
		l.wants(ascii(`"SIA-DCS"0001L0#1410[#1410|NBA1]`+stamp(-12*365*24*time.Hour)), ascii(`"ACK"0001L0#1410[]`))
		const ahead = 5*time.Hour + 45*time.Minute
		a := l.ask(ascii(`"*SIA-DCS"0001L0#B0B0[` + sealed(t, key16, "#B0B0|NBA1]"+stamp(ahead))))
		if at, err := time.Parse("]_15:04:05 01-02-2006", strings.Replace(opened(t, key16, a), ",", " ", 1)); err != nil || time.Until(at.Add(-ahead)).Abs() > 5*time.Second {
			t.Errorf("answer with %s, %v, want the panel's own time", at, err)
		}
	})
	for _, m := range r.stored() {
		switch {
		case m.Timestamp == nil:
			t.Errorf("%s: no time kept", m.Panel)
		case m.Panel == "p-1410" && m.Received.Sub(*m.Timestamp) < 11*365*24*time.Hour:
			t.Errorf("a clock years off is kept as %s", m.Timestamp)
		case m.Panel == "p-B0B0" && m.Received.Sub(*m.Timestamp).Abs() > 5*time.Second:
			t.Errorf("local time is kept as %s, want UTC", m.Timestamp)
		}
	}
}

// TestRow18_NAKHasTheTime, always, plain, with its fixed fields, also to an
// encrypted message.
func TestRow18_NAKHasTheTime(t *testing.T) {
	r := newReceiver(t, keyed("1409"))
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		for _, old := range []string{stamp(-time.Hour), "_01:02:03,13-01-2026", "_01:02:03,01-01-202"} {
			if a := l.ask(ascii(`"*SIA-DCS"0001R1L0#1409[` + sealed(t, key16, "#1409|NBA1]"+old))); !isNAK(t, a, ascii) {
				t.Errorf("%s: %q, want a NAK", old, a)
			}
		}
	})
	want(t, "stored", r.stored(), "[]")
}

// TestRow19_NULLIsAcknowledged, plain and encrypted, sequence 0000 too.
func TestRow19_NULLIsAcknowledged(t *testing.T) {
	r := newReceiver(t, plain("1409"), keyed("B0B0"))
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		l.wants(ascii(`"NULL"0000L0#1409[]`), ascii(`"ACK"0000L0#1409[]`))
		l.wants(ascii(`"XNM"0001L0#1409[]`), ascii(`"ACK"0001L0#1409[]`))
		for _, content := range []string{"]", "#B0B0|]", "0000|]"} {
			a := l.ask(ascii(`"*NULL"0000L0#B0B0[` + sealed(t, key16, content+stamp(0))))
			if c := opened(t, key16, a); !bytes.Contains(a, []byte(`"*ACK"0000L0#B0B0[`)) || !near(strings.TrimPrefix(c, "]")) {
				t.Errorf("%q answered %q with %q", content, a, c)
			}
		}
	})
}

// TestRow20_PollsAreNoEvents: however many, nothing is stored of them, and each is
// a sign of life.
func TestRow20_PollsAreNoEvents(t *testing.T) {
	r := newReceiver(t, plain("1409"))
	l := r.dial("tcp")
	for seq := range 200 {
		l.wants(ascii(fmt.Sprintf(`"NULL"%04dL0#1409[]`, seq)), ascii(fmt.Sprintf(`"ACK"%04dL0#1409[]`, seq)))
	}
	want(t, "stored", r.stored(), "[]")
	want(t, "signs of life", r.heard.Load(), 200)
}

// TestRow21_TextsAreKeptAsTheyCame: spaces, apostrophes, both encodings, bad bytes;
// the CRC is over bytes, and what is shown is never trimmed.
func TestRow21_TextsAreKeptAsTheyCame(t *testing.T) {
	r := newReceiver(t, plain("000110"), with(plain("000111"), roster.Reception{Text: roster.TextWindows1252}), with(plain("000112"), roster.Reception{Text: roster.TextUTF8}))
	for i, c := range []struct{ account, text, shown string }{
		{"000110", "Volum.Taverna   Appartam.Giorno ", "Volum.Taverna   Appartam.Giorno "}, {"000110", "l'ingresso (d'estate) [1]", "l'ingresso (d'estate) [1]"},
		{"000110", "caff\xc3\xa8 \xd0\xa3\xd0\xbb", "caffè Ул"}, {"000110", "caff\xe8 \x80", "caffè €"}, {"000110", "\xff\xfe\x01", "ÿþ\x01"},
		{"000111", "caff\xc3\xa8", "caffÃ¨"}, {"000112", "caff\xe8", "caff\uFFFD"},
	} {
		frame := ascii(fmt.Sprintf(`"SIA-DCS"%04dL0#%s[#%s|Nri1BA503^%s^]`, i, c.account, c.account, c.text))
		both(t, func(t *testing.T, transport string) {
			r.dial(transport).wants(frame, ascii(fmt.Sprintf(`"ACK"%04dL0#%s[]`, i, c.account)))
		})
		m := r.stored()
		if got := m[len(m)-1]; !bytes.Equal(got.Raw, frame) || !strings.Contains(string(got.Data), "^"+c.text+"^") {
			t.Errorf("%q is kept as %q", frame, got.Raw)
		} else {
			want(t, "event", eventsOf(t, got), []string{strings.TrimSpace("SIA-DCS BA 503 " + c.shown)})
		}
	}
}

// TestRow22_RepeatedWithNewTimeAndCiphertext: acknowledged each time, one event.
func TestRow22_RepeatedWithNewTimeAndCiphertext(t *testing.T) {
	r := newReceiver(t, plain("AAA"), keyed("ABC"))
	l := r.dial("tcp")
	for i := range 3 {
		l.wants(ascii(`"SIA-DCS"7232L0#AAA[#AAA|Nri1/BA501]`+stamp(-time.Duration(10*i)*time.Second)), ascii(`"ACK"7232L0#AAA[]`))
		if a := l.ask(ascii(`"*SIA-DCS"0373L0#ABC[` + sealed(t, key16, "#ABC|Nri1/FA1]"+stamp(-time.Duration(10*i)*time.Second)))); !bytes.Contains(a, []byte(`"*ACK"0373`)) {
			t.Errorf("repetition %d answered %q", i, a)
		}
	}
	want(t, "events", distinct(t, 0, r), map[string]int{"0 SIA-DCS BA 501": 3, "1 SIA-DCS FA 1": 3})
}

// TestRow23_SequencesThatRestartOrStandStill lose nothing.
func TestRow23_SequencesThatRestartOrStandStill(t *testing.T) {
	r := newReceiver(t, plain("1409"))
	l := r.dial("tcp")
	for _, data := range []string{"NPA1", "NPR1", "NPA1"} { // panic, restored, panic again
		l.wants(ascii(`"SIA-DCS"0000L0#1409[#1409|`+data+`]`), ascii(`"ACK"0000L0#1409[]`))
	}
	want(t, "events", distinct(t, time.Minute, r), map[string]int{"0 SIA-DCS PA 1": 1, "1 SIA-DCS PR 1": 1, "2 SIA-DCS PA 1": 1})
	again := newReceiver(t, plain("1409"))
	l = again.dial("tcp")
	for range 2 { // the weekly test after a restart
		l.wants(ascii(`"SIA-DCS"0001L0#1409[#1409|NRX1]`), ascii(`"ACK"0001L0#1409[]`))
	}
	want(t, "within ten minutes", distinct(t, time.Second, again), map[string]int{"0 SIA-DCS RX": 2})
	want(t, "after ten minutes", distinct(t, 11*time.Minute, again), map[string]int{"0 SIA-DCS RX": 1, "1 SIA-DCS RX": 1})
}

// TestRow24_TwoPathsAreOneEvent: other address, other transport, other datacenter.
func TestRow24_TwoPathsAreOneEvent(t *testing.T) {
	of := newCustomer(t, keyed("ABC"))
	a, b := start(t, "arezzo", of, intake.Config{}), start(t, "roubaix", of, intake.Config{})
	for _, path := range []*line{a.dial("tcp"), a.dial("udp"), b.dial("tcp"), b.dial("udp")} {
		if got := path.ask(ascii(`"*SIA-DCS"0373L0#ABC[` + sealed(t, key16, "#ABC|Nri1/FA1]"+stamp(0)))); !bytes.Contains(got, []byte(`"*ACK"0373`)) {
			t.Errorf("answered %q", got)
		}
	}
	want(t, "events", distinct(t, 0, a, b), map[string]int{"0 SIA-DCS FA 1": 4})
}

// TestRow25_RepeatedToTheBackupAddress: ten tries where nobody answers, then the
// second datacenter; the first had it all the same, and it is one event.
func TestRow25_RepeatedToTheBackupAddress(t *testing.T) {
	of := newCustomer(t, plain("1409"))
	a, b := start(t, "arezzo", of, intake.Config{Wait: 200 * time.Millisecond}), start(t, "roubaix", of, intake.Config{})
	a.cutOff()
	frame := ascii(`"ADM-CID"0042L0#1409[#1409|1110 01 001]`)
	first := a.dial("udp")
	for range 10 {
		first.send(frame)
		if got := first.answer(300 * time.Millisecond); got != nil {
			t.Fatalf("answered %q though no other site has it", got)
		}
	}
	b.dial("tcp").wants(frame, ascii(`"ACK"0042L0#1409[]`))
	want(t, "events", distinct(t, 0, a, b), map[string]int{"0 ADM-CID 110 001": 11})
}

// TestRow26_ExactEchoForBV: Eaton repeats what isn't echoed exactly.
func TestRow26_ExactEchoForBV(t *testing.T) {
	r := newReceiver(t, plain("001234"))
	both(t, func(t *testing.T, transport string) {
		r.dial(transport).wants(ascii(`"SIA-DCS"0099R00A1L0B#001234[#001234|Nti10:15/ri4/BV2][#001234|AIntrusione Zona 2]`), ascii(`"ACK"0099R00A1L0B#001234[]`))
	})
	want(t, "event", eventsOf(t, r.stored()[0])[0], "SIA-DCS BV  Intrusione Zona 2")
}

// TestRow27_BadDates: a year of three digits, month 00: NAK when encrypted, else
// taken with our time.
func TestRow27_BadDates(t *testing.T) {
	r := newReceiver(t, plain("1409"), keyed("ABC"))
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		for _, date := range []string{"_12:00:00,09-25-201", "_12:00:00,00-25-2026", "_25:00:00,09-25-2026", "_12:00:00,02-30-2026"} {
			l.wants(ascii(`"SIA-DCS"0001L0#1409[#1409|NBA1]`+date), ascii(`"ACK"0001L0#1409[]`))
			if a := l.ask(ascii(`"*SIA-DCS"0001L0#ABC[` + sealed(t, key16, "#ABC|NBA1]"+date))); !isNAK(t, a, ascii) {
				t.Errorf("%s encrypted: %q, want a NAK", date, a)
			}
		}
	})
	for _, m := range r.stored() {
		if m.Timestamp != nil || !slices.Contains(m.Quirks, "bad-timestamp") || m.Panel != "p-1409" {
			t.Errorf("stored %+v", m)
		}
	}
}

// TestRow28_WrongOrMissingKey: DUH, told to the owner once, never acknowledged.
func TestRow28_WrongOrMissingKey(t *testing.T) {
	r := newReceiver(t, keyed("ABC"), plain("1409"))
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		for _, account := range []string{"ABC", "1409"} {
			frame := ascii(`"*SIA-DCS"0001L0#` + account + `[` + sealed(t, "another key 1234", "#"+account+"|NBA1]"+stamp(0)))
			for range 3 {
				l.wants(frame, ascii(`"DUH"0001L0#`+account+`[]`))
			}
		}
	})
	m := r.stored()
	if len(m) != 2 || m[0].Reason != string(dc09.ReasonUndecryptable) || m[1].Reason != string(dc09.ReasonNoKey) || m[0].Answer != entry.AnswerDUH {
		t.Fatalf("stored %+v, want one notice for each panel", m)
	}
	want(t, "event", eventsOf(t, m[0]), []string{"VEDETTA CANNOT_DECRYPT"})
}

// TestRow29_PlainThoughThereIsAKey: silence and a security event.
func TestRow29_PlainThoughThereIsAKey(t *testing.T) {
	r := newReceiver(t, keyed("ABC"))
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		for range 3 {
			l.send(ascii(`"SIA-DCS"0001L0#ABC[#ABC|NOP1]`))
			l.send(ascii(`"NULL"0001L0#ABC[]`))
		}
		if a := l.ask(ascii(`"*NULL"0009L0#ABC[` + sealed(t, key16, "]"+stamp(0)))); !bytes.Contains(a, []byte(`"*ACK"0009L0#ABC[`)) {
			t.Errorf("the first answer is %q, want that of the encrypted poll", a)
		}
	})
	m := r.stored()
	if len(m) != 1 || m[0].Answer != entry.AnswerSilence {
		t.Fatalf("stored %+v, want one notice", m)
	}
	want(t, "event", eventsOf(t, m[0]), []string{"VEDETTA PLAIN_REFUSED"})
}

// TestRow32_EmptyBlock in SIA-DCS: acknowledged, no event, a note.
func TestRow32_EmptyBlock(t *testing.T) {
	r := newReceiver(t, plain("1409"))
	both(t, func(t *testing.T, transport string) {
		l := r.dial(transport)
		l.wants(ascii(`"SIA-DCS"0001L0#1409[]`), ascii(`"ACK"0001L0#1409[]`))
		l.wants(ascii(`"ADM-CID"0002L0#1409[#1409|]`), ascii(`"ACK"0002L0#1409[]`))
	})
	for _, m := range r.stored() {
		if e := eventsOf(t, m); len(e) != 0 {
			t.Errorf("%q is %v", m.Raw, e)
		}
	}
	want(t, "notes", len(r.stored()), 4)
}

// TestRow34_OneAccountBehindTwoAddresses: each message keeps its source.
func TestRow34_OneAccountBehindTwoAddresses(t *testing.T) {
	r := newReceiver(t, plain("1409"))
	for i, from := range []string{"127.0.0.2", "127.0.0.3"} {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		conn, err := d.DialContext(t.Context(), "tcp", r.tcp.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write(ascii(fmt.Sprintf(`"SIA-DCS"%04dL0#1409[#1409|NBA1]`, i))); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, len(ascii(`"ACK"0000L0#1409[]`)))); err != nil {
			t.Fatal(err)
		}
	}
	var sources []string
	for _, m := range r.stored() {
		host, _, _ := net.SplitHostPort(m.Peer)
		sources = append(sources, host)
	}
	want(t, "sources", sources, []string{"127.0.0.2", "127.0.0.3"})
}

// TestRow35_Links: kept as text, several by comma, with all other extended data.
func TestRow35_Links(t *testing.T) {
	r := newReceiver(t, plain("1409"))
	const links = "https://example.org/a.jpg,https://example.org/b.jpg"
	r.dial("tcp").wants(ascii(`"SIA-DCS"0001L0#1409[#1409|NBA1][V`+links+`][X012W34.1][Y45N12.2][Q?][M0026B9E4268B]`), ascii(`"ACK"0001L0#1409[]`))
	events, err := alerting.Events(r.stored()[0])
	if err != nil || len(events) != 1 {
		t.Fatal(events, err)
	}
	want(t, "extended", events[0].Extended, []string{"V" + links, "X012W34.1", "Y45N12.2", "Q?", "M0026B9E4268B"})
	if lat, lon, ok := event.Coordinates(event.ExtendedLines(events[0].Extended)); !ok || lat < 45.2 || lat > 45.21 || lon > -12.56 || lon < -12.57 {
		t.Errorf("place %f %f %v", lat, lon, ok)
	}
}

// TestRow36_UnknownAccount: held, whatever the answer; never lost, and given nobody.
func TestRow36_UnknownAccount(t *testing.T) {
	for _, c := range []struct {
		set    intake.UnknownAnswer
		answer []byte
	}{{"", nil}, {intake.UnknownACK, ascii(`"ACK"0001L0#F00D[]`)}, {intake.UnknownDUH, ascii(`"DUH"0001L0#F00D[]`)}} {
		r := start(t, "arezzo", newCustomer(t, plain("1409")), intake.Config{Unknown: c.set})
		l := r.dial("tcp")
		l.send(ascii(`"SIA-DCS"0001L0#F00D[#F00D|NBA1]`))
		if c.answer == nil {
			l.silent(nil, ascii(`"NULL"0001L0#1409[]`), ascii(`"ACK"0001L0#1409[]`))
		} else if a := l.answer(5 * time.Second); !bytes.Equal(a, c.answer) {
			t.Errorf("%q: answered %q, want %q", c.set, a, c.answer)
		}
		if m := r.stored(); len(m) != 1 || m[0].Panel != "" || m[0].Account != "F00D" || m[0].Reason != string(dc09.ReasonUnknown) {
			t.Errorf("%q: stored %+v", c.set, m)
		}
	}
}
