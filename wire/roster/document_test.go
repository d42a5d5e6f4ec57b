package roster

import (
	"errors"
	"flag"
	"os"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file; only for a new version of the form")

func TestRule04_DocumentKeepsItsForm(t *testing.T) {
	r, l := "1f", "0"
	c := Customer{
		Version: Version, ID: "c1", Language: "it",
		Panels: []Panel{{ID: "pan_1", Name: "Villa", Listener: "main", Prefix: &l, Receiver: &r, Account: "12AB", Key: []byte("0123456789abcdef"),
			PollSeconds: 60, GraceSeconds: 30, TimeZone: "Europe/Rome", Zones: []Zone{{"001", "Ingresso"}}}},
		Contacts: []Contact{{ID: "ann", Language: "it", WrappedKey: []byte("wrapped"), Name: "token", Addresses: []Address{{"a1", "email", "token"}}}},
		Rules: []Rule{{ID: "r1", Name: "Furto", Panels: []string{"pan_1"}, Partitions: []string{"1"}, Zones: []string{"001"}, Categories: []string{"burglary"},
			Codes: []string{"BA"}, Qualifiers: []string{"new"}, Days: []int{1, 7}, From: "22:00", To: "06:00",
			Steps:             []Step{{Contacts: []string{"ann"}, Channels: []string{"email"}, AfterSeconds: 60, Repeat: 2}},
			UntilAcknowledged: true, Bundle: true, Enabled: true}},
	}
	b, err := Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Unmarshal(b); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("came back as %+v, %v, want %+v", got, err, c)
	}
	c.Panels[0].Reception = &Reception{NoWindow: true, BehindSeconds: 120, AheadSeconds: 60, LocalTime: true, DuplicateSeconds: 60, Answer: AnswerReceived,
		AllowPlain: true, Ack: AckAll, UnknownToken: TokenACK, StrictAccount: true, OpaqueAccount: true, Text: TextUTF8,
		NextKey: []byte("next key, 16 byt"), PreviousKey: []byte("previous, 16 byt"), PreviousUntilMs: 1764000000000}
	more, err := Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Unmarshal(more); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("came back as %+v, %v, want %+v", got, err, c)
	}
	b = append(append(b, '\n'), more...)
	const file = "testdata/document-1.golden"
	if *update {
		if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(b)+"\n" != string(want) {
		t.Errorf("a released form has changed:\n%s\nwant\n%s", b, want)
	}
}

func TestRule04_DocumentAboveItsVersionIsTold(t *testing.T) {
	for text, above := range map[string]bool{`{"version":2,"panels":"of another type"}`: true, `{"version":0}`: false, `{}`: false, `[`: false} {
		if c, err := Unmarshal([]byte(text)); err == nil || errors.Is(err, ErrVersion) != above {
			t.Errorf("%s read as %+v, %v; want an error, above the version: %v", text, c, err, above)
		}
	}
}
