package watch

import (
	"strings"
	"testing"
	"time"

	"vedetta/node/reception"
	doc "vedetta/wire/roster"
	wire "vedetta/wire/watch"
)

// FuzzShow: whatever came, each viewer gets a whole attempt or none; what is
// withheld is shown up to the first bracket at most, and what is nobody's but
// by its address as 16 bytes.
func FuzzShow(f *testing.F) {
	now := time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC)
	good := string(message(f, "1235", "NBA1", nil, now))
	for _, raw := range []string{"", good, string(message(f, "1234", "NBA1", keyA, now)), string(message(f, "9999", "NBA1", keyA, now)), good[1:], good[:20], good[:len(good)-1],
		strings.Replace(good, "BA1", "BA2", 1), strings.Replace(good, "\n", "\nFFFF", 1), "\n\x01\x02002B\"SIA-DCS\"0012L0#1234[#1234|NBA1]\r", "\n01010022\"SIA-DCS\"0001L0#1234[]\r", "GET / HTTP/1.1\r\n", "\"", "\n0000000\"", "[", "\n00000000\"A\"0001#[]\r"} {
		f.Add([]byte(raw))
	}
	r := rosterOf(f, doc.Customer{ID: "c1", Panels: []doc.Panel{{ID: "p1", Account: "1234", Key: keyA}}})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > maxRaw {
			return
		}
		w := newWatch(r, nil)
		w.Attempted(came(r, raw, "203.0.113.1:9", reception.WordSilence, "not_ready"))
		for _, ask := range []wire.Ask{
			{Customer: "c1", Panel: "p1", Addresses: []string{"203.0.113.1"}}, {Customer: "c1", Panel: "p1"}, {Customer: "c2", Panel: "p9", Addresses: []string{"203.0.113.1"}}, {All: true}, {All: true, Account: "1234"},
		} {
			for _, a := range look(t.Context(), t, w, ask).kept(t) {
				wire.Explain(&a)
				shown := len(a.Frame.Hex) / 2
				switch {
				case a.What == "" || a.Frame.Length > len(raw):
					t.Fatalf("%+v of %q", a, raw)
				case a.Relation == wire.Address && shown > bareBytes, a.Withheld && strings.Count(a.Frame.Text, "[") > 1, a.Withheld && a.Decoded != nil && a.Decoded.Data != nil:
					t.Fatalf("shown to %+v: %+v", ask, a)
				case ask.Panel == "p9":
					t.Fatalf("shown for a panel that isn't there: %+v", a)
				}
			}
		}
	})
}
