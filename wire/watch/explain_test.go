package watch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vedetta/wire/dc09"
)

// Both languages say the same things, with the same places to fill, and every
// sentence can come up.
func TestWords(t *testing.T) {
	places := regexp.MustCompile(`\{[0-9]\}`)
	en, it := texts()["en"], texts()["it"]
	for _, key := range slices.Sorted(maps.Keys(en)) {
		if it[key] == "" {
			t.Errorf("%s is missing in Italian", key)
		}
		a, b := places.FindAllString(en[key], -1), places.FindAllString(it[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s: places %v and %v", key, a, b)
		}
	}
	for key := range it {
		if en[key] == "" {
			t.Errorf("%s is missing in English", key)
		}
	}
}

// reasons reads the words that receivers give as reasons from their source, so
// that none is forgotten here.
func reasons(t *testing.T) []string {
	t.Helper()
	var out []string
	for pattern, name := range map[string]string{"../dc09/refuse.go": "Reason", "../../node/reception/*.go": "reason", "../../node/strangers/core.go": ""} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				spec, ok := n.(*ast.ValueSpec)
				if !ok || !strings.HasPrefix(spec.Names[0].Name, name) || len(spec.Values) != 1 || name == "" && !isRefusal(spec.Type) {
					return true
				}
				if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil {
						out = append(out, s)
					}
				}
				return true
			})
		}
	}
	if len(out) < 15 {
		t.Fatalf("only %v found", out)
	}
	return out
}

func isRefusal(e ast.Expr) bool { id, ok := e.(*ast.Ident); return ok && id.Name == "Refusal" }

func TestEveryReasonHasItsSentence(t *testing.T) {
	for _, reason := range reasons(t) {
		a := Attempt{Answer: "silence", Reason: reason, Relation: Near, Decoded: &Decoded{Token: "X"}}
		Explain(&a)
		if a.What == "" || a.WhatIt == "" || strings.Contains(a.What, "Not acknowledged") || strings.Contains(a.What+a.WhatIt+a.Do+a.DoIt, "{") {
			t.Errorf("%s: %q, %q; %q, %q", reason, a.What, a.WhatIt, a.Do, a.DoIt)
		}
		if (a.Do == "") != (a.DoIt == "") || a.Do == "" {
			t.Errorf("%s: nothing to do: %q, %q", reason, a.Do, a.DoIt)
		}
	}
}

func ptr[T any](v T) *T { return &v }

// What an installer reads of the slips that are made most.
func TestExplain(t *testing.T) {
	at := time.Date(2026, 11, 24, 16, 3, 10, 0, time.UTC)
	clock := func(off time.Duration) Attempt {
		said := Time(at.Add(off))
		return Attempt{Answer: "nak", Reason: string(dc09.ReasonTime), Decoded: &Decoded{Timestamp: &said}, Evidence: Evidence{ClockSeconds: ptr(off.Seconds())}}
	}
	key := Evidence{KeyBits: ptr(128), KeyCheck: ptr("3F2A"), KeyOpens: ptr(false)}
	as := func(as string) Attempt {
		e := key
		e.KeyAs = &as
		return Attempt{Answer: "duh", Reason: string(dc09.ReasonUndecryptable), Evidence: e}
	}
	near := func(differs ...string) Attempt {
		return Attempt{Answer: "silence", Reason: string(dc09.ReasonUnknown), Relation: Near, Listener: "second", Decoded: &Decoded{Account: ptr("1235")}, Evidence: Evidence{Expected: ptr("1234"), Differs: differs}}
	}
	for name, c := range map[string]struct {
		a                Attempt
		what, whatIt, do string // parts
	}{
		"two hours behind":     {clock(-2 * time.Hour), "14:03:10 UTC, 24.11.2026: that is 2 h 0 min behind ours", "indietro di 2 h 0 min", "time zone"},
		"one hour, and a bit":  {clock(time.Hour + 31*time.Second), "1 h 0 min ahead", "avanti di 1 h 0 min", "time zone"},
		"India":                {clock(5*time.Hour + 30*time.Minute), "5 h 30 min ahead", "avanti di 5 h 30 min", "time zone"},
		"four minutes":         {clock(-4 * time.Minute), "4 min 0 s behind", "4 min 0 s", "NTP"},
		"the year 2000":        {clock(-26 * 365 * 24 * time.Hour), "9490 d 0 h behind", "9490 g", "date is wrong"},
		"no date":              {Attempt{Answer: "nak", Reason: "time"}, "no date", "non porta una data", "date and time"},
		"wrong key":            {Attempt{Answer: "duh", Reason: "undecryptable", Evidence: key}, "(AES-128, check 3F2A) does not open it", "(AES-128, controllo 3F2A) non lo apre", "in the panel and here"},
		"digits as characters": {as(KeyText), "key is right", "La chiave è giusta", "text:"},
		"characters as digits": {as(KeyHex), "key is right", "La chiave è giusta", "hex:"},
		"first 128 bits":       {as(Key128), "AES-128", "AES-128", "16 characters"},
		"first 192 bits":       {as(Key192), "AES-192", "AES-192", "24 characters"},
		"key put right":        {Attempt{Answer: "duh", Reason: "undecryptable", Evidence: Evidence{KeyBits: ptr(128), KeyCheck: ptr("3F2A"), KeyOpens: ptr(true)}}, "as it is now", "di adesso", "test"},
		"star, but plain":      {Attempt{Answer: "duh", Reason: "undecryptable", Decoded: &Decoded{Quirks: []string{"asterisk-but-plain-text"}}}, "in clear", "in chiaro", "firmware"},
		"wrong account":        {near("account"), "account 1235. Here, 1234", "codice utente 1235. Qui, per questa centrale, è inserito 1234", "Correct"},
		"wrong prefix":         {near("prefix"), "L number", "numero L", "same"},
		"wrong receiver":       {near("receiver"), "R number", "numero R", "same"},
		"wrong port":           {near("listener"), "another port of ours: second", "un’altra nostra porta: second", "port"},
		"entered since":        {Attempt{Answer: "silence", Reason: "unknown_account", Relation: Own}, "It is now", "Ora lo è", "test"},
		"only the address":     {Attempt{Answer: "silence", Reason: "unknown_account", Relation: Address, Decoded: &Decoded{Account: ptr("••••27")}}, "your address names an account that is not entered here: ••••27", "••••27", "digit by digit"},
		"bad CRC":              {Attempt{Answer: "silence", Reason: "bad_crc", Evidence: Evidence{CRCReceived: ptr("BEEF"), CRCComputed: ptr("19C8"), CRCTried: []string{"ascii", "ascii+cr"}}}, "says BEEF, its bytes make 19C8 (tried as ascii, ascii+cr)", "BEEF", "antenna"},
		"another checksum":     {Attempt{Answer: "silence", Reason: "bad_crc", Evidence: Evidence{CRCReceived: ptr("BEEF"), CRCComputed: ptr("19C8"), CRCOther: ptr("CRC-16/MODBUS")}}, "BEEF, which is CRC-16/MODBUS of its bytes; 19C8", "CRC-16/MODBUS", "line is good"},
		"TLS to a plain port":  {Attempt{Answer: "silence", Reason: "not_dc09", Evidence: Evidence{Protocol: ptr("tls")}}, "began TLS", "TLS", "TLS off"},
		"no TLS to a TLS port": {Attempt{Answer: "silence", Reason: "not_dc09", Evidence: Evidence{Protocol: ptr("plain-on-tls")}}, "without TLS", "senza TLS", "TLS on"},
		"a browser":            {Attempt{Answer: "silence", Reason: "not_dc09", Evidence: Evidence{Protocol: ptr("http")}}, "another protocol: http", "http", "SIA-IP"},
		"nobody knows what":    {Attempt{Answer: "silence", Reason: "not_dc09", Evidence: Evidence{Protocol: ptr("unknown")}}, "no known one", "nessuno conosciuto", "SIA-IP"},
		"a copy":               {Attempt{Answer: "ack", Reason: "stored", Copy: ptr(true)}, "repeats a message", "Ripete", "5 seconds"},
		"a poll":               {Attempt{Answer: "ack", Reason: "poll"}, "the key are right", "la chiave", ""},
		"a plain poll":         {Attempt{Answer: "ack", Reason: "poll", Decoded: &Decoded{}}, "path is right", "percorso", ""},
		"the panel had gone":   {Attempt{Answer: "ack", Reason: "stored", Unsent: true}, "had gone", "chiuso", "5 seconds"},
		"a word of tomorrow":   {Attempt{Answer: "silence", Reason: "new_word"}, "new_word", "new_word", "operator"},
	} {
		Explain(&c.a)
		if !strings.Contains(c.a.What, c.what) || !strings.Contains(c.a.WhatIt, c.whatIt) || !strings.Contains(c.a.Do, c.do) || (c.do == "") != (c.a.Do == "") {
			t.Errorf("%s: %q, %q, %q", name, c.a.What, c.a.WhatIt, c.a.Do)
		}
	}
}
