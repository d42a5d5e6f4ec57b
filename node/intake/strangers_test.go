package intake

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"vedetta/cluster/env"
	"vedetta/node/reception"
	"vedetta/node/strangers"
	"vedetta/wire/dc09"
	doc "vedetta/wire/roster"
	"vedetta/wire/seal"
)

// seen tells what became of each datagram.
type seen chan reception.Attempt

func (s seen) Attempted(a reception.Attempt) { s <- a }

// front is a receiver on UDP whose panels want every form of answer there is.
func front(t *testing.T, unknown UnknownAnswer) (net.Conn, seen) {
	t.Helper()
	st := &store{day: seal.NewKey()}
	in, _ := newIntake(t, st, true,
		doc.Panel{ID: "p-short", Account: "F"}, doc.Panel{ID: "p-short-keyed", Account: "E", Key: panelKey},
		doc.Panel{ID: "p-duh", Account: "FFF", Reception: &doc.Reception{UnknownToken: doc.TokenACK}})
	in.cfg.Unknown = unknown
	r, err := reception.New(reception.Config{Listeners: []reception.Listener{{Name: "main", UDP: "127.0.0.1:0"}}}, in, strangers.New(strangers.Config{}), env.Quiet(3))
	if err != nil {
		t.Fatal(err)
	}
	s := make(seen, 1)
	r.Observe(s)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	r.SetOpen(true)
	for !r.Opened() {
		<-time.After(time.Millisecond)
	}
	c, err := net.Dial("udp", r.AddressOf("main", reception.UDP).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, s
}

// raw puts a body into a frame, with a good CRC.
func raw(body string, binary bool) []byte {
	crc := dc09.CRC([]byte(body))
	if binary {
		return append(append([]byte{'\n', byte(crc >> 8), byte(crc)}, fmt.Sprintf("0%03X%s", len(body), body)...), '\r')
	}
	return []byte(fmt.Sprintf("\n%04X0%03X%s\r", crc, len(body), body))
}

// TestNoAnswerByUDPIsLongerThanItsQuestion: whatever a datagram says, and whatever an
// unknown account is answered, what is sent back is no longer than what came, unless
// it was taken as a known panel's own: nobody can have us send more than he does.
func TestNoAnswerByUDPIsLongerThanItsQuestion(t *testing.T) {
	for _, unknown := range []UnknownAnswer{UnknownSilence, UnknownACK, UnknownDUH} {
		c, attempts := front(t, unknown)
		answers, refusedToAnswer := 0, 0
		rapid.Check(t, func(t *rapid.T) {
			token := rapid.SampledFrom([]string{"SIA-DCS", "ADM-CID", "NULL", "X", "XNM", "ACR-SF", "ACK", "NAK"}).Draw(t, "token")
			account := rapid.SampledFrom([]string{"AAAA", "BBBB", "CCCC", "DDDD", "F", "E", "FFF", "9999", "9", ""}).Draw(t, "account")
			head := rapid.SampledFrom([]string{"", "L", "L0", "R1L0", "R0L0"}).Draw(t, "fields")
			if account != "" && rapid.Bool().Draw(t, "account in header") {
				head += "#" + account
			}
			at := time.Now().UTC().Add(rapid.SampledFrom([]time.Duration{0, -time.Hour, time.Hour}).Draw(t, "clock"))
			stamp := rapid.SampledFrom([]string{"", at.Format("_15:04:05,01-02-2006"), "_00:00:00,00-00-000"}).Draw(t, "stamp")
			data := rapid.SampledFrom([]string{"[]", "[#" + account + "|]", "[#" + account + "|Nri1/BA001]", "[|]"}).Draw(t, "data")
			b := raw(`"`+token+`"0001`+head+data+stamp, rapid.Bool().Draw(t, "binary"))
			if rapid.Bool().Draw(t, "encrypted") {
				key := rapid.SampledFrom([][]byte{panelKey, []byte("another key 1234")}).Draw(t, "key")
				cipher, err := dc09.NewCipher(key)
				if err != nil {
					t.Fatal(err)
				}
				l := "0"
				m := dc09.Message{Token: token, Sequence: 1, Prefix: &l, Account: account, Blocks: data, Time: at}
				if b, err = m.AppendFrame(nil, cipher); err != nil {
					return // such a message can't be made
				}
			}
			if rapid.IntRange(0, 9).Draw(t, "spoiled") == 0 {
				b[rapid.IntRange(1, len(b)-1).Draw(t, "where")] ^= 1
			}
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
			a := <-attempts
			if len(a.Verdict.Answer) > 0 {
				answers++
				got := make([]byte, 2000)
				_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
				n, err := c.Read(got)
				if err != nil || n != len(a.Verdict.Answer) {
					t.Fatalf("%q: %d bytes came, %v; want %q", b, n, err, a.Verdict.Answer)
				}
				if n > len(b) && !a.Verdict.Known {
					t.Fatalf("%q (%d) is answered %q (%d)", b, len(b), got[:n], n)
				}
			} else {
				refusedToAnswer++
			}
		})
		if answers == 0 || refusedToAnswer == 0 {
			t.Errorf("unknown accounts %s: %d answers, %d silences; want some of each", unknown, answers, refusedToAnswer)
		}
	}
}

// TestReplayOfAnEncryptedFrame: what somebody recorded and sends again is refused once
// it is old, and before that is the same event as the first.
func TestReplayOfAnEncryptedFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &store{day: seal.NewKey()}
		in, _ := newIntake(t, st, true)
		f := sent{token: "SIA-DCS", account: "AAAA", blocks: "[#AAAA|Nri1/BA001]", key: panelKey}.frame(t, time.Now())
		for n, row := range []struct {
			after  time.Duration
			word   string
			reason dc09.Reason
			stored int
		}{
			{0, reception.WordACK, "stored", 1},
			{20 * time.Second, reception.WordACK, "stored", 2}, // a copy: the same identity
			{25 * time.Second, reception.WordNAK, dc09.ReasonTime, 2},
			{24 * time.Hour, reception.WordNAK, dc09.ReasonTime, 2},
		} {
			time.Sleep(row.after)
			v := in.Handle(t.Context(), f, from)
			if v.Word != row.word || v.Reason != row.reason || len(st.records) != row.stored {
				t.Errorf("time %d: %s (%s), %d stored; want %s (%s), %d", n, v.Word, v.Reason, len(st.records), row.word, row.reason, row.stored)
			}
			if v.Known != (row.word == reception.WordACK) {
				t.Errorf("time %d: counts as a known panel's: %v", n, v.Known)
			}
		}
		if a, b := st.records[0].Header.Identity, st.records[1].Header.Identity; a != b {
			t.Errorf("the copy has identity %v, want %v", b, a)
		}
	})
}

// TestStrangersMessagesAreKeptAtARate: a flood of unknown accounts fills no journal,
// and a panel's own messages are none of it.
func TestStrangersMessagesAreKeptAtARate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &store{day: seal.NewKey()}
		in, _ := newIntake(t, st, true)
		core := strangers.New(strangers.Config{Held: 2, HeldUDP: 1})
		in.parts.Hold = core.Hold
		for n := range 100 {
			f := sent{token: "SIA-DCS", account: fmt.Sprintf("9%03d", n), blocks: "[|Nri1/BA001]"}.frame(t, time.Now())
			in.Handle(t.Context(), f, reception.Source{Listener: "main", Transport: reception.UDP})
			in.Handle(t.Context(), f, reception.Source{Listener: "main", Transport: reception.TCP})
		}
		if len(st.records) != 30 {
			t.Errorf("%d kept, want 20 of connections and 10 of datagrams", len(st.records))
		}
		v := in.Handle(t.Context(), sent{token: "SIA-DCS", account: "BBBB", blocks: "[#BBBB|Nri1/BA001]"}.frame(t, time.Now()), reception.Source{Listener: "main", Transport: reception.UDP})
		if v.Word != reception.WordACK {
			t.Errorf("a known panel is answered %s", v.Word)
		}
	})
}
