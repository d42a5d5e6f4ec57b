package entry

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

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

// adopted is an entry that an operator gave to a panel.
func adopted() Message {
	m := full()
	m.Adopted = &Adopted{Held: mesh.Position{Origin: mesh.Origin{Node: "arezzo", Incarnation: 2, Random: 7}, Number: 9}, Tell: TellAll}
	return m
}

// ciphered is an entry whose frame is mostly hex digits.
func ciphered() Message {
	m := full()
	m.Raw = []byte("\nA2660059\"*SIA-DCS\"0012R1fL0#12AB[5DB76165942EBF4360A12F2313776C1779B3EA654131172FD849F21DE5ACDAB\r")
	m.Peer, m.Timestamp, m.XData, m.Quirks = "[2001:db8::1]:40001", nil, nil, nil
	return m
}

// plain is an entry whose data stands in its frame.
func plain() Message {
	m := full()
	m.Raw, m.Encrypted = []byte("\n5AB80025\"SIA-DCS\"0012R1fL0#12AB[#12AB|Nri1/BA001]\r"), false
	return m
}

func TestRule04_EntryKeepsItsForm(t *testing.T) {
	var text strings.Builder
	for _, m := range []Message{full(), {Version: Version, Answer: AnswerSilence}, judged(), ciphered(), plain(), adopted()} {
		b, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%x\n", b)
		if got, err := Unmarshal(b); err != nil || !same(got, m) {
			t.Errorf("came back as %+v, %v, want %+v", got, err, m)
		}
		for n := range b {
			if got, err := Unmarshal(b[:n]); err == nil && same(got, m) {
				t.Errorf("cut to %d of %d bytes it is read as the whole", n, len(b))
			}
		}
	}
	const file = "testdata/message-2.golden"
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

// same compares what a message says: times by their instants.
func same(a, b Message) bool {
	if !a.Received.Equal(b.Received) || (a.Timestamp == nil) != (b.Timestamp == nil) || a.Timestamp != nil && !a.Timestamp.Equal(*b.Timestamp) {
		return false
	}
	a.Received, a.Timestamp, b.Received, b.Timestamp = time.Time{}, nil, time.Time{}, nil
	a.Version, b.Version = 0, 0
	return reflect.DeepEqual(a, b)
}

// TestRule04_EveryFieldIsInTheForm: a field that somebody adds to Message and
// forgets in form.go is lost, and this says so.
func TestRule04_EveryFieldIsInTheForm(t *testing.T) {
	kind := reflect.TypeFor[Message]()
	for i := range kind.NumField() {
		if kind.Field(i).Name == "Version" {
			continue
		}
		m := Message{Received: time.Unix(1, 0).UTC()}
		fill(t, reflect.ValueOf(&m).Elem().Field(i))
		b, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Unmarshal(b); err != nil || !same(got, m) {
			t.Errorf("field %s came back as %+v, %v: give it a number in form.go, write and read it there", kind.Field(i).Name, got, err)
		}
	}
}

// fill sets a value that is not the zero one.
func fill(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(t, v.Index(0))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-7)
	case reflect.Uint64, reflect.Uint8:
		v.SetUint(7)
	case reflect.Struct:
		if at, ok := v.Addr().Interface().(*mesh.Position); ok {
			*at = adopted().Adopted.Held
			return
		}
		if at, ok := v.Addr().Interface().(*time.Time); ok {
			*at = time.Unix(1795000000, 123456789).UTC()
			return
		}
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	default:
		t.Fatalf("no value for a field of kind %s: teach this test one", v.Kind())
	}
}

// TestRule04_AnyMessageComesBack: whatever a message says, it is read as it was
// written, and of equal messages there is one form.
func TestRule04_AnyMessageComesBack(t *testing.T) {
	texts := rapid.OneOf(rapid.SampledFrom([]string{"", "main", "12AB", "a\"b", "Caffè", "\xff", "192.0.2.1:9", "[::1]:7", "192.0.2.1:09", "[fe80::1%eth0]:7", "[::ffff:192.0.2.1]:9"}), rapid.String())
	frame := rapid.Custom(func(t *rapid.T) []byte {
		digits := rapid.SliceOfN(rapid.SampledFrom([]byte("0123456789ABCDEF")), 0, 90).Draw(t, "digits")
		return append(append(rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "head"), digits...), rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "tail")...)
	})
	moments := rapid.Custom(func(t *rapid.T) time.Time {
		at := time.UnixMilli(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "at")).UTC()
		if rapid.Bool().Draw(t, "fine") {
			at = at.Add(time.Duration(rapid.IntRange(0, 999999).Draw(t, "rest")))
		}
		return at
	})
	rapid.Check(t, func(t *rapid.T) {
		m := Message{Version: Version, Received: moments.Draw(t, "received"), OffsetMs: rapid.Int64().Draw(t, "offset"), Listener: texts.Draw(t, "listener"), Transport: texts.Draw(t, "transport"),
			Peer: texts.Draw(t, "peer"), Customer: texts.Draw(t, "customer"), Panel: texts.Draw(t, "panel"), RosterIndex: rapid.Uint64().Draw(t, "roster"),
			Token: texts.Draw(t, "token"), Encrypted: rapid.Bool().Draw(t, "encrypted"), Sequence: rapid.Int().Draw(t, "seq"), Account: texts.Draw(t, "account"),
			Raw: frame.Draw(t, "raw"), Answer: Answer(texts.Draw(t, "answer")), Reason: texts.Draw(t, "reason")}
		if n := len(m.Raw); rapid.Bool().Draw(t, "inside") {
			from := rapid.IntRange(0, n).Draw(t, "from")
			m.Data = append([]byte{}, m.Raw[from:rapid.IntRange(from, n).Draw(t, "to")]...)
		} else if rapid.Bool().Draw(t, "other") {
			m.Data = append([]byte{}, frame.Draw(t, "data")...)
		}
		if rapid.Bool().Draw(t, "more") {
			s, at := texts.Draw(t, "digits"), moments.Draw(t, "timestamp")
			m.Receiver, m.Timestamp = &s, &at
			m.XData = [][]byte{append([]byte{}, frame.Draw(t, "x1")...), append([]byte{}, frame.Draw(t, "x2")...)}
			m.Ack, m.Key, m.Text, m.Zone = texts.Draw(t, "ack"), texts.Draw(t, "key"), texts.Draw(t, "text"), texts.Draw(t, "zone")
			m.Taken, m.Window = rapid.Bool().Draw(t, "taken"), rapid.Int().Draw(t, "window")
			m.Quirks = rapid.SliceOfN(texts, 1, 3).Draw(t, "quirks")
		} else {
			s := texts.Draw(t, "digits")
			m.Prefix = &s
		}
		if rapid.Bool().Draw(t, "adopted") {
			m.Adopted = adopted().Adopted
			m.Adopted.Held.Number, m.Adopted.Tell = rapid.Uint64Min(1).Draw(t, "number"), Tell(texts.Draw(t, "tell"))
		}
		b, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Unmarshal(b)
		if err != nil || !same(got, m) {
			t.Fatalf("%x\nread  %+v, %v\nwrote %+v", b, got, err, m)
		}
		if again, err := Marshal(got); err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x\nagain %x, %v", b, again, err)
		}
	})
}

// FuzzUnmarshal: whatever is read is a message that is written and read alike.
func FuzzUnmarshal(f *testing.F) {
	for _, m := range []Message{full(), judged(), ciphered(), plain(), adopted()} {
		b, err := Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Unmarshal(b)
		if err != nil {
			return
		}
		again, err := Marshal(m)
		if err != nil {
			t.Fatalf("%x is read and can't be written: %v", b, err)
		}
		if got, err := Unmarshal(again); err != nil || !same(got, m) {
			t.Errorf("%x: %+v, %v, want %+v", b, got, err, m)
		}
	})
}

func TestRule04_EntryAboveItsVersionIsTold(t *testing.T) {
	for text, above := range map[string]bool{"\x03of another form": true, `{"v":1}`: true, "\x01": false, "": false, "\x02\x00\x00": false} {
		if m, err := Unmarshal([]byte(text)); err == nil || errors.Is(err, ErrVersion) != above {
			t.Errorf("%q read as %+v, %v; want an error, above the version: %v", text, m, err, above)
		}
	}
}

func BenchmarkMessage(b *testing.B) {
	for _, m := range []Message{plain(), ciphered()} {
		b.ReportAllocs()
		b.Run(m.Token, func(b *testing.B) {
			for b.Loop() {
				text, err := Marshal(m)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := Unmarshal(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Windows are judged by the time without the origin's offset (rule 11).
func TestRule11_OffsetIsTakenOut(t *testing.T) {
	m := full()
	if got, want := m.Corrected(), m.Received.Add(250*time.Millisecond); !got.Equal(want) {
		t.Errorf("corrected %s, want %s: its clock was 250 ms behind", got, want)
	}
}
