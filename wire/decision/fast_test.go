package decision

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"vedetta/wire/mesh"
)

var texts = rapid.OneOf(rapid.SampledFrom([]string{"", "new", "events", "Caffè", "a\"b", `\`, "<&>", "\u2028", "\xff", "x\n\x01", "\ufffd", "]}"}), rapid.String())

func anyOrigin(t *rapid.T) mesh.Origin {
	if rapid.Bool().Draw(t, "zero") {
		return mesh.Origin{}
	}
	return mesh.Origin{Node: rapid.StringMatching(`[a-z0-9-]{1,32}`).Filter(func(s string) bool { return s != mesh.AgreementNode }).Draw(t, "node"),
		Incarnation: rapid.Uint64().Draw(t, "incarnation"), Random: rapid.Uint64().Draw(t, "random")}
}

func anyPosition(t *rapid.T) mesh.Position {
	o := anyOrigin(t)
	if o.IsZero() {
		return mesh.Position{}
	}
	return mesh.Position{Origin: o, Number: rapid.Uint64Range(1, 1<<63).Draw(t, "number")}
}

func anyVerdict(t *rapid.T) Verdict {
	v := Verdict{Entry: anyPosition(t), CopyOf: anyPosition(t), Customer: texts.Draw(t, "customer"), Panel: texts.Draw(t, "panel"),
		Identity: rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "identity"), ReceivedMs: rapid.Int64().Draw(t, "received"), Sequence: rapid.Int().Draw(t, "seq"),
		Ruling: Ruling(texts.Draw(t, "ruling")), Fresh: rapid.Bool().Draw(t, "fresh"), Late: rapid.Bool().Draw(t, "late")}
	for range rapid.IntRange(0, 2).Draw(t, "events") {
		v.Events = append(v.Events, Event{Index: rapid.Int().Draw(t, "index"), Standard: texts.Draw(t, "standard"), Code: texts.Draw(t, "code"),
			Qualifier: texts.Draw(t, "qualifier"), Category: texts.Draw(t, "category"), Partition: texts.Draw(t, "partition"), Zone: texts.Draw(t, "zone"),
			ZoneName: texts.Draw(t, "zone_name"), User: texts.Draw(t, "user"), Text: texts.Draw(t, "text"), PanelMs: rapid.Int64().Draw(t, "panel_time")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "plan") {
		v.Plan = append(v.Plan, Notification{ID: texts.Draw(t, "id"), Event: texts.Draw(t, "event"), Contact: texts.Draw(t, "contact"), Channel: texts.Draw(t, "channel"),
			Address: texts.Draw(t, "address"), Rule: texts.Draw(t, "rule"), Step: rapid.Int().Draw(t, "step"), Repetition: rapid.Int().Draw(t, "repetition"),
			DueMs: rapid.Int64().Draw(t, "due"), Urgent: rapid.Bool().Draw(t, "urgent"), Claimed: rapid.Bool().Draw(t, "claimed")})
	}
	return v
}

// TestRule16_QuickFormIsTheCanonicalOne: what is written and read field by field
// is what reflection writes and strict reads.
func TestRule16_QuickFormIsTheCanonicalOne(t *testing.T) {
	quick := 0
	rapid.Check(t, func(t *rapid.T) {
		v := anyVerdict(t)
		r := Record{Version: Version, ClockMs: rapid.Int64().Draw(t, "clock"), Customer: texts.Draw(t, "of"), Part: rapid.Int().Draw(t, "part"), Verdict: &v}
		want := string(appendCanonical(nil, r))
		if got := string(appendVerdictRecord(nil, r)); got != want {
			t.Fatalf("quick  %s\nwanted %s", got, want)
		}
		var slow Record
		slowErr := strict([]byte(want), &slow)
		if fast, ok := parseVerdictRecord([]byte(want)); ok {
			quick++
			if slowErr != nil || !reflect.DeepEqual(fast, slow) {
				t.Fatalf("read %+v\nstrict %+v, %v", fast, slow, slowErr)
			}
		}
		d := Decide{Fence: Fence{Shard: rapid.Byte().Draw(t, "shard"), Epoch: rapid.Uint64().Draw(t, "epoch"), Holder: anyOrigin(t)}, RosterIndex: rapid.Uint64().Draw(t, "roster")}
		for range rapid.IntRange(0, 2).Draw(t, "moves") {
			d.Moves = append(d.Moves, Move{anyOrigin(t), rapid.Uint64().Draw(t, "from"), rapid.Uint64().Draw(t, "to")})
		}
		for range rapid.IntRange(0, 2).Draw(t, "entries") {
			d.Entries = append(d.Entries, anyVerdict(t))
		}
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := encodeBody(d); err != nil || string(got) != string(text) {
			t.Fatalf("quick  %s\nwanted %s, %v", got, text, err)
		}
		var slowly Decide
		slowErr = strict(text, &slowly)
		if fast, ok := parseDecide(text); ok {
			quick++
			if slowErr != nil || !reflect.DeepEqual(fast, slowly) {
				t.Fatalf("read %+v\nstrict %+v, %v", fast, slowly, slowErr)
			}
		}
	})
	if quick == 0 {
		t.Error("nothing was read quickly")
	}
}

// FuzzQuickReader: what the quick reader takes, strict takes, and reads the same.
func FuzzQuickReader(f *testing.F) {
	v := Verdict{Entry: mesh.Position{Origin: mesh.Origin{Node: "arezzo", Incarnation: 3, Random: 7}, Number: 9}, Customer: "c", Panel: "p", Identity: []byte{1, 2},
		Sequence: 7, Ruling: RulingEvents, Events: []Event{{Standard: "SIA-DCS", Code: "BA", Qualifier: "new", Category: "burglary", Text: "Caffè"}},
		Plan: []Notification{{ID: "n", Event: "e", Channel: "email", Urgent: true, Claimed: true}}}
	f.Add(EncodeRecord(Record{ClockMs: 5, Customer: "c", Verdict: &v}))
	body, err := encodeBody(Decide{Moves: []Move{{To: 9}}, Entries: []Verdict{v}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, b []byte) {
		if fast, ok := parseVerdictRecord(b); ok {
			var slow Record
			if err := strict(b, &slow); err != nil || !reflect.DeepEqual(fast, slow) {
				t.Errorf("%q: %+v, strict %+v, %v", b, fast, slow, err)
			}
		}
		if fast, ok := parseDecide(b); ok {
			var slow Decide
			if err := strict(b, &slow); err != nil || !reflect.DeepEqual(fast, slow) {
				t.Errorf("%q: %+v, strict %+v, %v", b, fast, slow, err)
			}
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	v := Verdict{Entry: mesh.Position{Origin: mesh.Origin{Node: "arezzo", Incarnation: 3, Random: 7}, Number: 9}, Customer: "customer", Panel: "bench-panel-0001",
		Identity: make([]byte, 16), ReceivedMs: 1795474799000, Sequence: 7, Ruling: RulingEvents, Events: []Event{{Standard: "SIA-DCS", Code: "BA", Qualifier: "new",
			Category: "burglary", Partition: "1", Zone: "012", Text: "~ABCDEF0001.17~", PanelMs: 1795474799000}}}
	d := Decide{Fence: Fence{Holder: v.Entry.Origin}, Moves: []Move{{v.Entry.Origin, 1, 9}}, Entries: []Verdict{v, v, v, v, v, v, v, v}}
	b.Run("body", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			text, err := encodeBody(d)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := decodeBody(KindDecide, text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("record", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeRecord(EncodeRecord(Record{ClockMs: 1795474799000, Customer: "customer", Verdict: &v})); err != nil {
				b.Fatal(err)
			}
		}
	})
}
