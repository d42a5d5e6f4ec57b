package frame

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vedetta/wire/dc09"
)

// vector is one message of wire/dc09/testdata/cases.txt.
type vector struct {
	id, key, decode string
	raw             []byte
}

func vectors(t testing.TB) (out []vector) {
	t.Helper()
	b, err := os.ReadFile("../../wire/dc09/testdata/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "id":
			out = append(out, vector{id: rest})
		case "raw":
			raw, err := fromCopy([]byte(rest))
			if err != nil {
				t.Fatal(err)
			}
			out[len(out)-1].raw = raw
		case "key":
			out[len(out)-1].key = strings.Replace(rest, "none", "", 1)
		case "decode":
			out[len(out)-1].decode = rest
		}
	}
	if len(out) != 50 {
		t.Fatalf("%d cases, want 50", len(out))
	}
	return out
}

func mustKey(t testing.TB, s string) Key {
	t.Helper()
	k, err := ParseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func shown(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// words are what the file says of a document, in its own spelling.
func words(d Document, stars bool) []string {
	token := *d.Token
	if *d.Encrypted && stars {
		token = "*" + token
	}
	w := []string{token + " seq " + *d.Seq}
	if d.Receiver != nil {
		w = append(w, "R="+*d.Receiver)
	}
	if d.Prefix != nil {
		w = append(w, "L="+strings.Replace(*d.Prefix, "", "empty", max(0, 1-len(*d.Prefix))))
	}
	if d.Timestamp != nil {
		w = append(w, "t "+*d.Timestamp)
	}
	if len(d.XData) > 0 {
		w = append(w, "x "+strings.Join(d.XData, ","))
	}
	return w
}

func TestPublicCases(t *testing.T) {
	for _, c := range vectors(t) {
		d := Decode(c.raw, mustKey(t, c.key))
		if d.Error != "" {
			t.Errorf("%s: %s", c.id, d.Error)
			continue
		}
		rest := c.decode
		verifies := !strings.HasPrefix(rest, "**does not verify**")
		if (*d.CRC == "ok") != verifies {
			t.Errorf("%s: crc %s", c.id, *d.CRC)
		}
		if !verifies {
			_, rest, _ = strings.Cut(rest, "); ")
		}
		fields := strings.Split(rest, "; ")
		for _, w := range words(d, true) {
			if !slices.Contains(fields, w) {
				t.Errorf("%s: %q is not in %q", c.id, w, fields)
			}
		}
		badLength := strings.Contains(rest, "length-bad") || strings.Contains(rest, "length-decimal")
		if (*d.Length == "bad") != badLength {
			t.Errorf("%s: length %s", c.id, *d.Length)
		}
		for _, f := range fields {
			word, rest, _ := strings.Cut(f, " ")
			switch word {
			case "acct":
				if shown(d.Account) != rest {
					t.Errorf("%s: account %s, want %s", c.id, shown(d.Account), rest)
				}
			case "quirks:":
				for q := range strings.FieldsFuncSeq(rest, func(r rune) bool { return r == ',' || r == ' ' }) {
					if !slices.Contains(d.Quirks, q) {
						t.Errorf("%s: quirks %v, want %s", c.id, d.Quirks, q)
					}
				}
			case "CID", "SIA":
				if d.Data != nil && *d.Token != dc09.TokenNull {
					sameEvent(t, c.id, word, strings.Fields(rest), d.Events)
				}
			case "text":
				if rest[0] != '[' {
					continue // a remark
				}
				var texts []string
				if err := json.Unmarshal([]byte(rest), &texts); err != nil || len(d.Events) != 1 || shown(d.Events[0].Text) != texts[0] {
					t.Errorf("%s: events %+v, want text %s", c.id, d.Events, rest)
				}
			}
		}
		if *d.Token == dc09.TokenNull && len(d.Events) > 0 {
			t.Errorf("%s: a poll has events", c.id)
		}
	}
}

// sameEvent holds one event against "q1 code 628 part 01 addr 000" or "N ri1 BA 012".
func sameEvent(t *testing.T, id, standard string, want []string, events []Event) {
	t.Helper()
	if len(events) != 1 {
		t.Errorf("%s: %d events, want one", id, len(events))
		return
	}
	e := events[0]
	address := shown(e.Zone)
	if e.Zone == nil {
		address = shown(e.User)
	}
	if standard == "CID" {
		q := map[string]string{"new": "q1", "restore": "q3", "ongoing": "q6"}[e.Qualifier]
		if got := []string{q, "code", shown(e.Code), "part", shown(e.Partition), "addr", address}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
		return
	}
	if i := slices.IndexFunc(want, func(w string) bool { return len(w) == 2 && w == strings.ToUpper(w) && w[0] >= 'A' }); i < 0 || shown(e.Code) != want[i] ||
		i+1 < len(want) && e.Zone != nil && *e.Zone != want[i+1] {
		t.Errorf("%s: code %s at %s, want %v", id, shown(e.Code), address, want)
	}
	for _, w := range want {
		if rest, ok := strings.CutPrefix(w, "ri"); ok && shown(e.Partition) != strings.Split(rest, ",")[0] {
			t.Errorf("%s: partition %s, want %s", id, shown(e.Partition), rest)
		}
	}
}

// What was read is written again: byte for byte where the frame is in a standard
// form, as the same document where it is not.
func TestPublicCasesEncode(t *testing.T) {
	exact, same := 0, 0
	for _, c := range vectors(t) {
		key := mustKey(t, c.key)
		d := Decode(c.raw, key)
		b, err := Encode(d, key, time.Time{})
		if err != nil {
			// Without its key; a name in the receiver before an asterisk; not DC-09.
			if d.Data != nil && !slices.Contains([]string{"ms1", "oh1", "oh3"}, c.id) {
				t.Errorf("%s: %v", c.id, err)
			}
			continue
		}
		if *d.CRC == "ok" && *d.Length == "ok" && !*d.Encrypted {
			exact++
			head := 9
			if *d.CRCForm == "binary" {
				head = 7
			}
			if !bytes.EqualFold(b[:head], c.raw[:head]) || !bytes.Equal(b[head:], c.raw[head:]) {
				t.Errorf("%s: %q, want %q", c.id, b, c.raw)
			}
			continue
		}
		same++
		if got, want := asJSON(t, Decode(b, key)), asJSON(t, d); got != want {
			t.Errorf("%s: %s\nwant %s", c.id, got, want)
		}
	}
	if exact < 24 || same < 8 {
		t.Errorf("%d byte for byte, %d the same; want 24 and 8 at least", exact, same)
	}
}

func asJSON(t testing.TB, d Document) string {
	t.Helper()
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// anyDocument is one as people would write it.
func anyDocument(t *rapid.T, encrypted bool) Document {
	hex := func(label, form string) string { return rapid.StringMatching(form).Draw(t, label) }
	d := Document{
		CRCForm: new(rapid.SampledFrom([]string{"ascii", "binary", "ascii+cr"}).Draw(t, "form")), CRC: new("ok"), Length: new("ok"),
		Encrypted: &encrypted, Token: new(rapid.SampledFrom([]string{"SIA-DCS", "ADM-CID", "NULL", "HENG-BO", "FBI-SF"}).Draw(t, "token")),
		Seq: new(hex("seq", `[0-9]{4}`)), Prefix: new(hex("prefix", `[0-9A-F]{1,6}`)), Account: new(hex("account", `[0-9A-Fa-f]{3,16}`)),
		XData: []string{}, Quirks: []string{},
	}
	if rapid.Bool().Draw(t, "R") {
		d.Receiver = new(hex("receiver", `[0-9a-fA-F]{1,6}`))
	}
	switch *d.Token {
	case "SIA-DCS":
		d.Data = new("#" + *d.Account + "|Nri1/BA" + hex("zone", `[0-9]{0,4}`) + rapid.SampledFrom([]string{"", "^Cucina ^", "^è 日本^", "/ri2/OP001", "^a[b]c^"}).Draw(t, "text"))
	case "NULL":
		d.Data = new("")
	default:
		d.Data = new("#" + *d.Account + "|1130 01 " + hex("zone", `[0-9]{3}`))
	}
	for range rapid.IntRange(0, 3).Draw(t, "x") {
		d.XData = append(d.XData, rapid.SampledFrom([]string{"Vhttps://example.org/a.jpg", "X012W34.1", "E115000", "IPorta caffè", "Qunknown letter", "#1234|AText"}).Draw(t, "xdata"))
	}
	if encrypted || rapid.Bool().Draw(t, "stamped") {
		at := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "time"), 0)
		d.Timestamp = new(at.UTC().Format(time.RFC3339))
	}
	if rapid.Bool().Draw(t, "old") && !strings.ContainsAny(*d.Data, "日") && (strings.Contains(*d.Data, "è") || slices.Contains(d.XData, "IPorta caffè")) {
		d.Quirks = append(d.Quirks, quirkWindows1252)
	}
	switch *d.CRCForm {
	case "binary":
		d.Quirks = slices.Insert(d.Quirks, 0, "binary-crc")
	case "ascii+cr":
		d.Quirks = slices.Insert(d.Quirks, 0, "crc-and-length-include-CR")
	}
	return d
}

var keys = []string{"00112233445566778899AABBCCDDEEFF", "00112233445566778899AABBCCDDEEFF0011223344556677", "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF", "text:sixteen letters!"}

func TestDecodeOfEncodeIsTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		encrypted := rapid.Bool().Draw(rt, "encrypted")
		key := mustKey(t, rapid.SampledFrom(keys).Draw(rt, "key"))
		d := anyDocument(rt, encrypted)
		switch rapid.IntRange(0, 9).Draw(rt, "fault") {
		case 0:
			d.CRC = new("bad")
		case 1:
			d.Length, d.Quirks = new("bad"), append(d.Quirks, "length-bad")
		}
		b, err := Encode(d, key, time.Time{})
		if err != nil {
			rt.Fatalf("%s: %v", asJSON(t, d), err)
		}
		got := Decode(b, key)
		if d.Events = got.Events; *d.Token != "NULL" && len(got.Events) == 0 {
			rt.Fatalf("%q has no event", b)
		}
		slices.Sort(got.Quirks)
		slices.Sort(d.Quirks)
		if got, want := asJSON(t, got), asJSON(t, d); got != want {
			rt.Fatalf("%q is read as\n%s\nwant\n%s", b, got, want)
		}
		if *d.CRC == "ok" && *d.Length == "ok" && !encrypted {
			if again, err := Encode(got, key, time.Time{}); err != nil || !bytes.Equal(again, b) {
				rt.Fatalf("%q, written again %q, %v", b, again, err)
			}
		}
	})
}

// FuzzDecode: whatever comes is one JSON object, and never both an error and
// nothing said; what can be written again is read the same.
func FuzzDecode(f *testing.F) {
	for _, c := range vectors(f) {
		f.Add(c.raw)
	}
	f.Add([]byte(`"\nA18D0027\"ADM-CID\"0001L0#7099[#7099|1131 01 003]\r"`))
	key := mustKey(f, keys[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := fromCopy(b); err == nil {
			b = c
		}
		d := Decode(b, key)
		if d.Error == "" && d.Token == nil {
			t.Fatalf("%q: neither a token nor an error", b)
		}
		out, err := Encode(d, key, time.Unix(0, 0))
		if err != nil {
			return
		}
		again := Decode(out, key)
		if differs(d, again) != nil {
			t.Fatalf("%q: %v", b, differs(d, again))
		}
		_ = fmt.Sprint(asJSON(t, d))
	})
}
