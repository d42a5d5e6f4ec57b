package entry

import (
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"vedetta/wire/mesh"
)

var update = flag.Bool("update", false, "write the golden file; only for a new version of the form")

func full() Message {
	r, l, at := "1f", "0", time.Date(2026, 11, 24, 2, 3, 4, 0, time.UTC)
	return Message{
		Version: Version, Received: at.Add(1500 * time.Millisecond), OffsetMs: -250, Listener: "main", Transport: "tcp", Peer: "192.0.2.1:9",
		Customer: "c1", Panel: "pan_1", RosterIndex: 9, Token: "SIA-DCS", Encrypted: true, Sequence: 12, Receiver: &r, Prefix: &l, Account: "12AB",
		Data: []byte("#12AB|Nri1/BA001"), XData: [][]byte{[]byte("X1")}, Timestamp: &at, Raw: []byte("\nraw\r"), Quirks: []string{"lf_missing"},
		Answer: AnswerDUH, Reason: "unknown_token",
	}
}

// judged is an entry of a panel with settings of its own.
func judged() Message {
	m := full()
	m.Answer, m.Reason = AnswerACK, ""
	m.Ack, m.Key, m.Taken, m.Text, m.Zone, m.Window = "all", KeyNext, true, "windows-1252", "Europe/Rome", 60
	return m
}

func TestRule04_EntryKeepsItsForm(t *testing.T) {
	var text strings.Builder
	for _, m := range []Message{full(), {Version: Version, Answer: AnswerSilence}, judged()} {
		b, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		text.Write(append(b, '\n'))
		if got, err := Unmarshal(b); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("came back as %+v, %v, want %+v", got, err, m)
		}
	}
	const file = "testdata/message-1.golden"
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("a released form has changed:\n%s\nwant\n%s", text.String(), want)
	}
}

func TestRule04_EntryAboveItsVersionIsTold(t *testing.T) {
	for text, above := range map[string]bool{`{"v":2,"seq":"of another type"}`: true, `{"v":0}`: false, `{}`: false, `{"v":1,"seq":"x"}`: false, `[`: false} {
		if m, err := Unmarshal([]byte(text)); err == nil || errors.Is(err, ErrVersion) != above {
			t.Errorf("%s read as %+v, %v; want an error, above the version: %v", text, m, err, above)
		}
	}
}

// An entry that was adopted is written and read like any other.
func TestAdoptedEntry(t *testing.T) {
	m := full()
	m.Adopted = &Adopted{Held: mesh.Position{Origin: mesh.Origin{Node: "arezzo", Incarnation: 2, Random: 7}, Number: 9}, Tell: TellAll}
	m.Quirks = nil
	b, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Unmarshal(b); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("came back as %+v, %v, want %+v", got, err, m)
	}
}

// Windows are judged by the time without the origin's offset (rule 11).
func TestRule11_OffsetIsTakenOut(t *testing.T) {
	m := full()
	if got, want := m.Corrected(), m.Received.Add(250*time.Millisecond); !got.Equal(want) {
		t.Errorf("corrected %s, want %s: its clock was 250 ms behind", got, want)
	}
}
