package watch

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vedetta/node/reception"
	"vedetta/wire/dc09"
	doc "vedetta/wire/roster"
	wire "vedetta/wire/watch"
)

// TestNothingOfOthersIsShown is the law: whatever comes, a viewer sees nothing
// that another panel may have sent. What names a known panel is that panel's
// viewers' alone; what names none is shown with its content only when the
// watched panel's key opens it, and at all only from an address that is proven.
func TestNothingOfOthersIsShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		strong := [][]byte{[]byte("k9#fQ2z!vW7m&Lp4"), []byte("Zt5@xB8s^rH1jN6c"), []byte("u3$YgE0d*aK7oM2i")}
		account := rapid.SampledFrom([]string{"1234", "1235", "1243", "123", "9876", "9877", "ABCD", "ABDC"})
		taken := map[string]string{} // account -> panel
		owner := map[string]string{} // panel -> customer
		keyOf := map[string][]byte{}
		var customers []doc.Customer
		for c := range 3 {
			one := doc.Customer{ID: fmt.Sprintf("c%d", c)}
			for n := range 2 {
				a := account.Draw(t, "entered")
				if taken[a] != "" {
					continue
				}
				p := doc.Panel{ID: fmt.Sprintf("p%d-%d", c, n), Account: a}
				if rapid.Bool().Draw(t, "keyed") {
					p.Key = strong[c]
				}
				taken[a], owner[p.ID], keyOf[p.ID] = p.ID, one.ID, p.Key
				one.Panels = append(one.Panels, p)
			}
			customers = append(customers, one)
		}
		r := rosterOf(t, customers...)
		w := newWatch(r, nil)

		type sent struct {
			account, secret, from string
			key                   []byte
			frame                 bool
		}
		var all []sent
		for i := range rapid.IntRange(1, 12).Draw(t, "attempts") {
			s := sent{account: account.Draw(t, "account"), secret: fmt.Sprintf("NBA%03d^SECRET%d^", i, i), frame: true,
				from: rapid.SampledFrom([]string{"203.0.113.1:9", "203.0.113.2:9", "198.51.100.3:9"}).Draw(t, "from")}
			if rapid.Bool().Draw(t, "encrypted") {
				s.key = rapid.SampledFrom(strong).Draw(t, "key")
			}
			raw := message(t, s.account, s.secret, s.key, time.Now())
			switch rapid.SampledFrom([]string{"good", "good", "bad crc", "cut", "foreign", "malformed"}).Draw(t, "kind") {
			case "bad crc":
				raw[1] ^= 1
			case "cut":
				raw = raw[:len(raw)-1]
			case "foreign":
				raw, s.frame = []byte("GET /"+s.account+s.secret+" HTTP/1.1\r\n"), false
			case "malformed":
				raw, s.frame = []byte(strings.Replace(string(raw), "]", "", -1)), false
			}
			word, reason := reception.WordSilence, dc09.ReasonNotReady
			if rapid.Bool().Draw(t, "refused") {
				word, reason = reception.WordDUH, dc09.ReasonUndecryptable
			}
			a := came(r, raw, s.from, word, reason)
			if reason == dc09.ReasonNotReady {
				a.Verdict.Customer, a.Verdict.Panel = "", "" // nobody has looked for it
			}
			w.Attempted(a)
			all = append(all, s)
		}
		for panel, customer := range owner {
			var near []string
			if rapid.Bool().Draw(t, "proven") {
				near = append(near, "203.0.113.1")
			}
			v := look(t.Context(), t, w, wire.Ask{Customer: customer, Panel: panel, Addresses: near})
			for _, a := range v.kept(t) {
				b, err := json.Marshal(a)
				if err != nil {
					t.Fatal(err)
				}
				if a.Decoded != nil && a.Decoded.Data != nil {
					b = append(b, *a.Decoded.Data...)
				}
				hidden := strings.NewReplacer("\\u003e", "").Replace(string(b))
				for i, s := range all {
					mine := taken[s.account] == panel
					if s.frame && taken[s.account] != "" && !mine && (strings.Contains(hidden, s.secret) || strings.Contains(hidden, fmt.Sprintf("SECRET%d^", i))) {
						t.Fatalf("panel %s shows what panel %s sent: %s", panel, taken[s.account], b)
					}
					if !mine && strings.Contains(hidden, fmt.Sprintf("SECRET%d^", i)) && (s.key == nil || string(s.key) != string(keyOf[panel])) {
						t.Fatalf("panel %s shows the content of a stranger that its key doesn't open: %s", panel, b)
					}
				}
				switch from := netip.MustParseAddrPort(a.Source).Addr().String(); a.Relation {
				case wire.Own:
					if a.Decoded != nil && a.Decoded.Account != nil && taken[*a.Decoded.Account] != panel {
						t.Fatalf("own, and it names another: %s", b)
					}
				case wire.Opened:
					if len(keyOf[panel]) == 0 {
						t.Fatalf("opened without a key: %s", b)
					}
				case wire.Near, wire.Address:
					if !slices.Contains(near, from) {
						t.Fatalf("from an address that nobody proved: %s", b)
					}
					if a.Decoded != nil && a.Decoded.Account != nil && taken[*a.Decoded.Account] != "" {
						t.Fatalf("a known panel's attempt is shown as a stranger's: %s", b)
					}
					if !a.Withheld || a.Decoded != nil && a.Decoded.Data != nil {
						t.Fatalf("content is not withheld: %s", b)
					}
				default:
					t.Fatalf("relation %q: %s", a.Relation, b)
				}
			}
			v.conn.Close()
		}
	})
}

// TestOthersCustomerCannotAsk: the panel's id alone opens nothing.
func TestOthersCustomerCannotAsk(t *testing.T) {
	r := rosterOf(t, doc.Customer{ID: "c1", Panels: []doc.Panel{{ID: "p1", Account: "1234"}}}, doc.Customer{ID: "c2", Panels: []doc.Panel{{ID: "p2", Account: "5678"}}})
	w := newWatch(r, nil)
	w.Attempted(came(r, message(t, "1234", "NBA1", nil, time.Now()), "203.0.113.1:9", reception.WordSilence, dc09.ReasonNotDurable))
	if got := look(t.Context(), t, w, wire.Ask{Customer: "c2", Panel: "p1", Addresses: []string{"203.0.113.1"}}).kept(t); len(got) != 0 {
		t.Errorf("shown to another customer: %+v", got)
	}
	if got := look(t.Context(), t, w, wire.Ask{Customer: "c1", Panel: "p1"}).kept(t); len(got) != 1 {
		t.Errorf("its own customer sees %d attempts, want 1", len(got))
	}
}
