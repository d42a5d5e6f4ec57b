package entry

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func slowly(b []byte) (m Message, err error) { return m, json.Unmarshal(b, &m) }

// TestRule04_QuickFormIsJSON: what is written and read field by field is what
// encoding/json writes and reads.
func TestRule04_QuickFormIsJSON(t *testing.T) {
	usual := rapid.SampledFrom([]string{"main", "12AB", "SIA-DCS", "a b"})
	anyText := rapid.OneOf(rapid.SampledFrom([]string{"", "main", "12AB", "a\"b", `\`, "<&>", "Caffè", "\xff"}), rapid.String())
	coded := rapid.SliceOfN(rapid.Byte(), 0, 40)
	quick := 0
	rapid.Check(t, func(t *rapid.T) {
		texts, most := anyText, uint64(1<<63)
		if rapid.Bool().Draw(t, "usual") {
			texts, most = usual, 1<<40
		}
		at := time.UnixMilli(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "at")).UTC()
		m := Message{Version: Version, Received: at, OffsetMs: int64(rapid.Uint64Max(most).Draw(t, "offset")) - 1000, Listener: texts.Draw(t, "listener"), Transport: texts.Draw(t, "transport"),
			Peer: texts.Draw(t, "peer"), Customer: texts.Draw(t, "customer"), Panel: texts.Draw(t, "panel"), RosterIndex: rapid.Uint64Max(most).Draw(t, "roster"),
			Token: texts.Draw(t, "token"), Encrypted: rapid.Bool().Draw(t, "encrypted"), Sequence: int(rapid.Uint64Max(most/2).Draw(t, "seq")), Account: texts.Draw(t, "account"),
			Data: coded.Draw(t, "data"), Raw: coded.Draw(t, "raw"), Answer: Answer(texts.Draw(t, "answer")), Reason: texts.Draw(t, "reason")}
		if rapid.Bool().Draw(t, "more") {
			s := texts.Draw(t, "digits")
			m.Receiver, m.Timestamp, m.XData = &s, &at, [][]byte{coded.Draw(t, "x1"), coded.Draw(t, "x2")}
		} else {
			s := texts.Draw(t, "digits")
			m.Prefix = &s
		}
		if rapid.Bool().Draw(t, "settings") {
			m.Ack, m.Key, m.Text, m.Zone = texts.Draw(t, "ack"), texts.Draw(t, "key"), texts.Draw(t, "text"), texts.Draw(t, "zone")
			m.Taken, m.Window = rapid.Bool().Draw(t, "taken"), int(rapid.Uint64Max(most/2).Draw(t, "window"))
			m.Quirks = rapid.SliceOfN(texts, 1, 3).Draw(t, "quirks")
		}
		want, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Marshal(m)
		if err != nil || string(got) != string(want) {
			t.Fatalf("quick  %s\nwanted %s, %v", got, want, err)
		}
		slow, err := slowly(want)
		if fast, ok := readQuick(want); ok {
			quick++
			if err != nil || !reflect.DeepEqual(fast, slow) {
				t.Fatalf("read %+v\nslowly %+v, %v", fast, slow, err)
			}
		}
	})
	if quick == 0 {
		t.Error("nothing was read quickly")
	}
}

// FuzzQuickReader: what the quick reader takes, encoding/json reads the same.
func FuzzQuickReader(f *testing.F) {
	for _, m := range []Message{full(), judged(), {Data: []byte("#12AB|Nri1/BA001"), Raw: []byte("\nraw\r"), Answer: AnswerACK}} {
		b, err := Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if fast, ok := readQuick(b); ok {
			if slow, err := slowly(b); err != nil || !reflect.DeepEqual(fast, slow) {
				t.Errorf("%q: %+v, slowly %+v, %v", b, fast, slow, err)
			}
		}
	})
}

func BenchmarkMessage(b *testing.B) {
	m := full()
	m.Quirks = nil
	b.ReportAllocs()
	for b.Loop() {
		text, err := Marshal(m)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Unmarshal(text); err != nil {
			b.Fatal(err)
		}
	}
}
