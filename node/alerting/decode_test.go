package alerting

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vedetta/wire/entry"
)

func codes(t *testing.T, m entry.Message) string {
	t.Helper()
	events, err := Events(m)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for i, e := range events {
		if e.Index != i {
			t.Errorf("event %d has index %d", i, e.Index)
		}
		list = append(list, e.Standard+" "+e.Code)
	}
	return strings.Join(list, ", ")
}

func TestEventsOfAMessage(t *testing.T) {
	for name, c := range map[string]struct {
		m    entry.Message
		want string
	}{
		"poll":                   {entry.Message{Token: "NULL", Data: []byte("#0000|0000 00 000")}, ""},
		"two":                    {entry.Message{Token: "SIA-DCS", Data: []byte("#1|Nri1/BA1/FA2")}, "SIA-DCS BA, SIA-DCS FA"},
		"plain refused":          {entry.Message{Token: "SIA-DCS", Data: []byte("#1|NBA1"), Reason: "plain_refused"}, "VEDETTA PLAIN_REFUSED"},
		"not opened":             {entry.Message{Token: "SIA-DCS", Data: []byte("0A1B"), Reason: "undecryptable"}, "VEDETTA CANNOT_DECRYPT"},
		"encrypted, no key here": {entry.Message{Token: "NULL", Data: []byte("0A1B"), Reason: "no_key"}, "VEDETTA CANNOT_DECRYPT"},
		"poll under a new key":   {entry.Message{Token: "NULL", Key: entry.KeyNext, Taken: true}, "VEDETTA KEY_TAKEN"},
		"event under a new key":  {entry.Message{Token: "ADM-CID", Data: []byte("#1|1110 01 001"), Key: entry.KeyNext, Taken: true}, "ADM-CID 110, VEDETTA KEY_TAKEN"},
		"under it again":         {entry.Message{Token: "ADM-CID", Data: []byte("#1|1110 01 001"), Key: entry.KeyNext}, "ADM-CID 110"},
		"token without grammar":  {entry.Message{Token: "RAD-II", Data: []byte("#1|ABC"), Reason: "unknown_token"}, "VEDETTA "},
	} {
		if got := codes(t, c.m); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// What a message says besides goes with each of its events, keys never; a message
// of hundreds of events has it once.
func TestExtendedDataGoesWithTheEvents(t *testing.T) {
	m := entry.Message{Token: "SIA-DCS", Data: []byte("#1|Nri1/BA1/FA2"),
		XData: [][]byte{[]byte("Vhttps://example.org/a,https://example.org/b"), []byte("Y45N12.2"), []byte("K00112233"), []byte("#1|NCL3"), []byte("Scaff\xe8 ")}}
	events, err := Events(m)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Vhttps://example.org/a,https://example.org/b", "Y45N12.2", "K", "Scaffè "}
	if len(events) != 3 {
		t.Fatalf("%d events, want 3", len(events))
	}
	for _, e := range events {
		if !slices.Equal(e.Extended, want) {
			t.Errorf("%s: %q, want %q", e.Code, e.Extended, want)
		}
	}
	m.Data = []byte("#1|N" + strings.Repeat("/BA1", 500))
	m.XData = [][]byte{[]byte("V" + strings.Repeat("x", 250))}
	if events, _ = Events(m); len(events) != 500 || len(events[0].Extended) != 1 || len(events[1].Extended) != 0 {
		t.Errorf("%d events, the first with %d, the second with %d", len(events), len(events[0].Extended), len(events[1].Extended))
	}
}

// The entry says how its panel writes texts and times.
func TestEventsAreReadByTheSettingsInTheEntry(t *testing.T) {
	at := time.Date(2026, 7, 1, 22, 30, 0, 0, time.UTC) // half past midnight in Rome
	m := entry.Message{Token: "SIA-DCS", Data: []byte("#1|Nti00:20/BA1^caff\xc3\xa8^"), Received: at, Timestamp: &at}
	for _, c := range []struct{ text, zone, wantText, want string }{
		{"", "", "caffè", "2026-07-02T00:20:00Z"}, {"", "Europe/Rome", "caffè", "2026-07-01T22:20:00Z"},
		{"windows-1252", "", "caffÃ¨", "2026-07-02T00:20:00Z"}, {"utf-8", "no zone", "caffè", "2026-07-02T00:20:00Z"},
	} {
		m.Text, m.Zone = c.text, c.zone
		events, err := Events(m)
		if err != nil || len(events) != 1 {
			t.Fatal(events, err)
		}
		if got := time.UnixMilli(events[0].PanelMs).UTC().Format(time.RFC3339); got != c.want || events[0].Text != c.wantText {
			t.Errorf("%q %q: %s %q, want %s %q", c.text, c.zone, got, events[0].Text, c.want, c.wantText)
		}
	}
}
