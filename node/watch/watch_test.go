package watch

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"vedetta/node/reception"
	"vedetta/node/roster"
	"vedetta/wire/dc09"
	doc "vedetta/wire/roster"
	wire "vedetta/wire/watch"
)

var keyA = []byte("k9#fQ2z!vW7m&Lp4")

func onePanel(t fataler, key []byte) (*Watch, *roster.Roster) {
	r := rosterOf(t, doc.Customer{ID: "c1", Panels: []doc.Panel{{ID: "p1", Account: "1234", Key: key}}})
	return newWatch(r, nil), r
}

var mine = wire.Ask{Customer: "c1", Panel: "p1"}

// What is told of each refusal, besides its reason.
func TestEvidence(t *testing.T) {
	now := time.Now().UTC()
	ok := func(raw []byte) []byte { return raw }
	text := []byte(strings.ToUpper(hex.EncodeToString(keyA)))
	for name, c := range map[string]struct {
		key    []byte // entered here
		raw    []byte
		word   string
		reason dc09.Reason
		want   func(a wire.Attempt) bool
	}{
		"wrong key": {keyA, message(t, "1234", "NBA1", []byte("another Key 9@!x"), now), reception.WordDUH, dc09.ReasonUndecryptable, func(a wire.Attempt) bool {
			return a.Decoded.Encrypted && a.Decoded.Data == nil && !*a.Evidence.KeyOpens && *a.Evidence.KeyBits == 128 && len(*a.Evidence.KeyCheck) == 4 && a.Evidence.KeyAs == nil && a.Answered != nil
		}},
		"the key's digits taken as text": {keyA, message(t, "1234", "NBA1", text, now), reception.WordDUH, dc09.ReasonUndecryptable, func(a wire.Attempt) bool {
			return !*a.Evidence.KeyOpens && *a.Evidence.KeyAs == wire.KeyText
		}},
		"the key's text taken as digits": {text, message(t, "1234", "NBA1", keyA, now), reception.WordDUH, dc09.ReasonUndecryptable, func(a wire.Attempt) bool {
			return !*a.Evidence.KeyOpens && *a.Evidence.KeyAs == wire.KeyHex && *a.Evidence.KeyBits == 256
		}},
		"the key cut short": {text, message(t, "1234", "NBA1", text[:16], now), reception.WordDUH, dc09.ReasonUndecryptable, func(a wire.Attempt) bool {
			return *a.Evidence.KeyAs == wire.Key128
		}},
		"the key was put right meanwhile": {keyA, message(t, "1234", "NBA1", keyA, now), reception.WordDUH, dc09.ReasonUndecryptable, func(a wire.Attempt) bool {
			return *a.Evidence.KeyOpens && *a.Decoded.Data == "#1234|NBA1"
		}},
		"clock two hours behind": {keyA, message(t, "1234", "NBA1", keyA, now.Add(-2*time.Hour)), reception.WordNAK, dc09.ReasonTime, func(a wire.Attempt) bool {
			return *a.Evidence.KeyOpens && *a.Evidence.ClockSeconds > -7202 && *a.Evidence.ClockSeconds < -7198 && a.Decoded.Timestamp != nil
		}},
		"plain though there is a key": {keyA, message(t, "1234", "NBA1", nil, now), reception.WordSilence, dc09.ReasonPlain, func(a wire.Attempt) bool {
			return !a.Decoded.Encrypted && *a.Decoded.Data == "#1234|NBA1" && *a.Evidence.KeyBits == 128 && a.Answered == nil
		}},
		"no key here": {nil, message(t, "1234", "NBA1", keyA, now), reception.WordDUH, dc09.ReasonNoKey, func(a wire.Attempt) bool {
			return a.Evidence.KeyBits == nil && a.Evidence.KeyOpens == nil && a.Decoded.Encrypted
		}},
		"bad CRC": {nil, broken(message(t, "1234", "NBA1", nil, now), func(uint16) uint16 { return 0xBEEF }), "", "", func(a wire.Attempt) bool {
			e := a.Evidence
			return a.Reason == "bad_crc" && *e.CRCReceived == "BEEF" && len(*e.CRCComputed) == 4 && slices.Equal(e.CRCTried, []string{"ascii", "ascii+cr"}) && e.CRCOther == nil && *a.Decoded.Data == "#1234|NBA1"
		}},
		"CRC with its bytes swapped": {nil, broken(message(t, "1234", "NBA1", nil, now), func(c uint16) uint16 { return c<<8 | c>>8 }), "", "", func(a wire.Attempt) bool {
			return *a.Evidence.CRCOther == "CRC-16/ARC, low byte first"
		}},
		"not ready": {keyA, ok(message(t, "1234", "NBA1", keyA, now)), reception.WordSilence, dc09.ReasonNotReady, func(a wire.Attempt) bool { return *a.Evidence.KeyOpens }},
	} {
		w, r := onePanel(t, c.key)
		w.Attempted(came(r, c.raw, "203.0.113.1:9", c.word, c.reason))
		got := look(t.Context(), t, w, mine).kept(t)
		if len(got) != 1 || got[0].Relation != wire.Own || got[0].Withheld || !c.want(got[0]) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A panel that reports its new key: nobody is shown it, whole or broken, plain or not.
func TestAKeyThatAPanelSaysIsNotShown(t *testing.T) {
	now := time.Now().UTC()
	const secret = "00112233]5566778899AABBCCDDEEFF"
	data := "NBA1][K" + secret + "][Vhttp://cam"
	plain := message(t, "1234", data, nil, now)
	cut := bytes.Clone(plain)
	copy(cut[5:9], "0LLL") // no length: no frame
	for name, raw := range map[string][]byte{
		"plain": plain, "encrypted": message(t, "1234", data, keyA, now), "no frame": cut,
		"bad CRC": broken(bytes.Clone(plain), func(uint16) uint16 { return 0xBEEF }),
	} {
		w, r := onePanel(t, keyA)
		w.Attempted(came(r, raw, "203.0.113.1:9", reception.WordSilence, dc09.ReasonPlain))
		for _, ask := range []wire.Ask{mine, {All: true}} {
			for _, a := range look(t.Context(), t, w, ask).kept(t) {
				all := fmt.Sprint(a.Frame.Text, a.Decoded)
				if a.Decoded != nil {
					all += fmt.Sprint(*cmp.Or(a.Decoded.Data, new(string)), a.Decoded.XData)
				}
				if strings.Contains(all, secret[:8]) || strings.Contains(all, secret[20:]) || strings.Contains(a.Frame.Hex, hex.EncodeToString([]byte(secret[:8]))) {
					t.Errorf("%s, %+v: the key is shown: %s", name, ask, all)
				}
				if a.Frame.Length != len(raw) {
					t.Errorf("%s: %d bytes, want %d", name, a.Frame.Length, len(raw))
				}
			}
		}
	}
}

// broken gives a frame another CRC.
func broken(raw []byte, change func(uint16) uint16) []byte {
	crc := dc09.CRC(bytes.TrimSuffix(raw[9:], []byte("\r")))
	copy(raw[1:5], fmt.Sprintf("%04X", change(crc)))
	return raw
}

// An installer typed a wrong account into the panel: he sees it from the address
// that is his, with what differs; or from anywhere, when the key is right.
func TestWrongAccount(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		key, with []byte // entered here, and used
		account   string
		address   string // proven
		relation  string // empty: nothing is shown
		shown     string // of the account
	}{
		"one digit other, from his address":      {nil, nil, "1235", "203.0.113.1", wire.Near, "1235"},
		"one digit other, from elsewhere":        {nil, nil, "1235", "203.0.113.2", "", ""},
		"another account, from his address":      {nil, nil, "987654", "203.0.113.1", wire.Address, "••••54"},
		"another account, his key":               {keyA, keyA, "987654", "", wire.Opened, "987654"},
		"another account, a key that all have":   {[]byte("1234567890123456"), []byte("1234567890123456"), "987654", "", "", ""},
		"another account, another's key":         {keyA, []byte("another Key 9@!x"), "987654", "", "", ""},
		"one digit other, another's key, at his": {keyA, []byte("another Key 9@!x"), "1235", "203.0.113.1", wire.Near, "1235"},
	} {
		w, r := onePanel(t, c.key)
		w.Attempted(came(r, message(t, c.account, "NBA1", c.with, now), "203.0.113.1:9", reception.WordSilence, dc09.ReasonUnknown))
		ask := mine
		ask.Addresses = []string{c.address}
		got := look(t.Context(), t, w, ask).kept(t)
		if c.relation == "" {
			if len(got) != 0 {
				t.Errorf("%s: shown %+v", name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Relation != c.relation || *got[0].Decoded.Account != c.shown || (got[0].Decoded.Data != nil) != (c.relation == wire.Opened) ||
			c.relation != wire.Address && (*got[0].Evidence.Expected != "1234" || !slices.Equal(got[0].Evidence.Differs, []string{"account"})) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// IPv6 gives a household a /64, and its devices change addresses in it.
func TestAHouseholdIsOnePlace(t *testing.T) {
	w, r := onePanel(t, nil)
	w.Attempted(came(r, message(t, "1235", "NBA1", nil, time.Now()), "[2001:db8:1:2::9]:9", reception.WordSilence, dc09.ReasonUnknown))
	for address, want := range map[string]int{"2001:db8:1:2:aaaa::1": 1, "2001:db8:1:3::9": 0} {
		ask := mine
		ask.Addresses = []string{address}
		if got := look(t.Context(), t, w, ask).kept(t); len(got) != want {
			t.Errorf("%s sees %d, want %d", address, len(got), want)
		}
	}
}

// What is acknowledged is kept for who watches, and for nobody else.
func TestAcknowledgedOnlyWhileWatched(t *testing.T) {
	w, r := onePanel(t, nil)
	good := came(r, message(t, "1234", "NBA1", nil, time.Now()), "203.0.113.1:9", reception.WordACK, "stored")
	w.Attempted(good)
	v := look(t.Context(), t, w, wire.Ask{Customer: "c1", Panel: "p1", Follow: true})
	if got := v.kept(t); len(got) != 0 {
		t.Errorf("kept though nobody watched: %+v", got)
	}
	w.Attempted(good)
	if l := v.next(t); l.Attempt == nil || l.Attempt.Answer != "ack" || *l.Attempt.Decoded.Data != "#1234|NBA1" {
		t.Errorf("live: %+v", l)
	}
	v.conn.Close()
	if err := <-v.done; err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.viewers) != 0 || w.watched.Load().has("p1") {
		t.Error("a viewer who went is still there")
	}
}

// A flood of strangers takes no more than its bytes, and no panel's attempts.
func TestBoundsHold(t *testing.T) {
	w, r := onePanel(t, nil)
	w.Attempted(came(r, message(t, "1234", "NBA1", nil, time.Now()), "203.0.113.1:9", reception.WordSilence, dc09.ReasonNotDurable))
	for i := range 50_000 {
		from := fmt.Sprintf("198.51.%d.%d:9", i/250%250, i%250)
		w.Attempted(came(r, []byte("GET / HTTP/1.1\r\n"+strings.Repeat("x", 3000)), from, "", ""))
	}
	for range 100 {
		w.Attempted(came(r, message(t, "777", "NBA1", nil, time.Now()), "192.0.2.9:9", reception.WordSilence, dc09.ReasonUnknown))
	}
	for name, s := range map[string]*shelf{"known": w.known, "strangers": w.strangers} {
		held, count := 0, 0
		for e := s.all.Front(); e != nil; e = e.Next() {
			held += e.Value.(*kept).size()
			count++
		}
		grouped := 0
		for _, g := range s.groups {
			grouped += len(g)
			if len(g) > w.cfg.PerPanel {
				t.Errorf("%s: %d of one group, want at most %d", name, len(g), w.cfg.PerPanel)
			}
		}
		if held > w.cfg.MaxBytes || held != s.held || grouped != count {
			t.Errorf("%s: %d bytes held, %d counted, at most %d; %d grouped of %d", name, held, s.held, w.cfg.MaxBytes, grouped, count)
		}
	}
	if got := look(t.Context(), t, w, mine).kept(t); len(got) != 1 {
		t.Errorf("%d of the panel's attempts are left, want 1", len(got))
	}
}

func TestRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := onePanel(t, nil)
		ctx := t.Context()
		go w.Run(ctx) //nolint:errcheck // nil
		w.Attempted(came(r, message(t, "1234", "NBA1", nil, time.Now()), "203.0.113.1:9", reception.WordSilence, dc09.ReasonNotDurable))
		time.Sleep(14 * time.Minute)
		if got := look(ctx, t, w, mine).kept(t); len(got) != 1 {
			t.Errorf("%d are left after 14 minutes, want 1", len(got))
		}
		time.Sleep(time.Minute + expireEvery + time.Second)
		if w.mu.Lock(); w.known.all.Len() != 0 || w.known.held != 0 {
			t.Error("kept for longer than 15 minutes")
		}
		w.mu.Unlock()
	})
}

// What an erased customer's panels had sent goes with the customer.
func TestErasedCustomersAreForgotten(t *testing.T) {
	r := rosterOf(t, doc.Customer{ID: "c1", Panels: []doc.Panel{{ID: "p1", Account: "1234"}}}, doc.Customer{ID: "c2", Panels: []doc.Panel{{ID: "p2", Account: "5678"}}})
	w := newWatch(r, nil)
	for _, account := range []string{"1234", "5678", "1234"} {
		w.Attempted(came(r, message(t, account, "NBA1", nil, time.Now()), "203.0.113.1:9", reception.WordSilence, dc09.ReasonNotDurable))
	}
	w.expire(time.Now())
	if n := w.known.all.Len(); n != 3 {
		t.Fatalf("%d are kept, want 3", n)
	}
	w.roster = rosterOf(t, doc.Customer{ID: "c2", Panels: []doc.Panel{{ID: "p2", Account: "5678"}}})
	w.expire(time.Now())
	if n := w.known.all.Len(); n != 1 || w.known.groups["p1"] != nil || w.known.held != w.known.all.Front().Value.(*kept).size() {
		t.Errorf("%d are kept after the erasure, want the other customer's", n)
	}
}

// A viewer who reads nothing holds up nobody, is told how much he missed, and is
// let go.
func TestSlowViewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := onePanel(t, nil)
		v := look(t.Context(), t, w, wire.Ask{Customer: "c1", Panel: "p1", Follow: true})
		v.kept(t)
		began := time.Now()
		for range 500 {
			w.Attempted(came(r, message(t, "1234", "NBA1", nil, time.Now()), "203.0.113.1:9", reception.WordACK, "stored"))
			synctest.Wait()
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("500 attempts took %s of the reception's time", took)
		}
		shown, lost := 0, 0
		for shown+lost < 500 {
			l := v.next(t)
			if l.Attempt != nil {
				shown++
			}
			lost += l.Lost
		}
		if shown+lost != 500 || lost < 400 {
			t.Errorf("%d shown and %d lost of 500", shown, lost)
		}
		w.Attempted(came(r, message(t, "1234", "NBA1", nil, time.Now()), "203.0.113.1:9", reception.WordACK, "stored"))
		time.Sleep(writeWithin + time.Second)
		if err := <-v.done; err == nil {
			t.Error("a viewer who reads nothing for 30 s is still served")
		}
	})
}

func TestViewersAreBounded(t *testing.T) {
	w, _ := onePanel(t, nil)
	w.cfg.Viewers = 1
	first := look(t.Context(), t, w, wire.Ask{Customer: "c1", Panel: "p1", Follow: true})
	first.kept(t)
	second := look(t.Context(), t, w, wire.Ask{Customer: "c1", Panel: "p1", Follow: true})
	if err := <-second.done; !errors.Is(err, ErrFull) {
		t.Errorf("a second viewer got %v", err)
	}
	first.conn.Close()
	<-first.done
}

func TestBadAsk(t *testing.T) {
	w, _ := onePanel(t, nil)
	for _, line := range []string{"", "x\n", "{}\n", `{"version":1}` + "\n", `{"version":9,"panel":"p1"}` + "\n"} {
		here, there := net.Pipe()
		go func() {
			io.WriteString(there, line) //nolint:errcheck // the other side may have gone
			there.Close()
		}()
		if err := w.Serve(t.Context(), here); err == nil {
			t.Errorf("%q was taken", line)
		}
		here.Close()
	}
}

// What an acknowledged frame costs when nobody watches, when others are watched
// and when its panel is, and what a refused one costs.
func BenchmarkAttempted(b *testing.B) {
	good := func(r *roster.Roster) reception.Attempt {
		return came(r, message(b, "1234", "NBA1", nil, time.Now()), "203.0.113.1:9", reception.WordACK, "stored")
	}
	for _, c := range []struct {
		name    string
		watched []string
		attempt func(r *roster.Roster) reception.Attempt
	}{
		{"acknowledged", nil, good},
		{"acknowledged, 60 others watched", others(60), good},
		{"acknowledged, watched", []string{"p1"}, good},
		{"refused", nil, func(r *roster.Roster) reception.Attempt {
			return came(r, message(b, "1234", "NBA1", nil, time.Now()), "203.0.113.1:9", reception.WordSilence, dc09.ReasonNotDurable)
		}},
		{"stranger", nil, func(r *roster.Roster) reception.Attempt {
			return came(r, []byte("GET / HTTP/1.1\r\n"), "203.0.113.1:9", "", "")
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			w, r := onePanel(b, nil)
			for _, panel := range c.watched {
				if _, err := w.enter(wire.Ask{Customer: "c1", Panel: panel, Follow: true}); err != nil {
					b.Fatal(err)
				}
			}
			a := c.attempt(r)
			var o reception.Observer = w
			b.ReportAllocs()
			for b.Loop() {
				o.Attempted(a)
			}
		})
	}
}

func others(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("other-%d", i))
	}
	return out
}
