package decision

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"vedetta/wire/mesh"
)

// usual makes what alarms look like, so that it is read quickly.
type usual bool

var anyText = rapid.OneOf(rapid.SampledFrom([]string{"", "new", "events", "Caffè", "a\"b", `\`, "<&>", "\u2028", "\xff", "x\n\x01", "\ufffd", "]}"}), rapid.String())

func (u usual) text(t *rapid.T, label string) string {
	if u {
		return rapid.SampledFrom([]string{"new", "events", "Caffè", "zone 1"}).Draw(t, label)
	}
	return anyText.Draw(t, label)
}

func (u usual) int(t *rapid.T, label string) int64 {
	if u {
		return int64(rapid.Int32().Draw(t, label))
	}
	return rapid.Int64().Draw(t, label)
}

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

func (u usual) verdict(t *rapid.T) Verdict {
	v := Verdict{Entry: anyPosition(t), CopyOf: anyPosition(t), Customer: u.text(t, "customer"), Panel: u.text(t, "panel"),
		Identity: rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "identity"), ReceivedMs: u.int(t, "received"), Sequence: int(u.int(t, "seq")),
		Ruling: Ruling(u.text(t, "ruling")), Fresh: rapid.Bool().Draw(t, "fresh"), Late: rapid.Bool().Draw(t, "late")}
	for range rapid.IntRange(0, 2).Draw(t, "events") {
		v.Events = append(v.Events, Event{Index: int(u.int(t, "index")), Standard: u.text(t, "standard"), Code: u.text(t, "code"),
			Qualifier: u.text(t, "qualifier"), Category: u.text(t, "category"), Partition: u.text(t, "partition"), Zone: u.text(t, "zone"),
			ZoneName: u.text(t, "zone_name"), User: u.text(t, "user"), Text: u.text(t, "text"), PanelMs: u.int(t, "panel_time")})
		for range rapid.IntRange(0, 2).Draw(t, "extended") {
			e := &v.Events[len(v.Events)-1]
			e.Extended = append(e.Extended, u.text(t, "x"))
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "plan") {
		v.Plan = append(v.Plan, Notification{ID: u.text(t, "id"), Event: u.text(t, "event"), Contact: u.text(t, "contact"), Channel: u.text(t, "channel"),
			Address: u.text(t, "address"), Rule: u.text(t, "rule"), Step: int(u.int(t, "step")), Repetition: int(u.int(t, "repetition")),
			DueMs: u.int(t, "due"), Urgent: rapid.Bool().Draw(t, "urgent"), Claimed: rapid.Bool().Draw(t, "claimed")})
	}
	return v
}

// TestRule16_QuickFormIsTheCanonicalOne: what is written and read field by field
// is what reflection writes and strict reads.
func TestRule16_QuickFormIsTheCanonicalOne(t *testing.T) {
	quick := 0
	rapid.Check(t, func(t *rapid.T) {
		u := usual(rapid.Bool().Draw(t, "usual"))
		v := u.verdict(t)
		r := Record{Version: Version, ClockMs: u.int(t, "clock"), Customer: u.text(t, "of"), Part: int(u.int(t, "part")), Verdict: &v}
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
		d := Decide{Fence: Fence{Shard: rapid.Byte().Draw(t, "shard"), Epoch: uint64(rapid.Uint32().Draw(t, "epoch")), Holder: anyOrigin(t)}, RosterIndex: uint64(rapid.Uint32().Draw(t, "roster"))}
		for range rapid.IntRange(0, 2).Draw(t, "moves") {
			d.Moves = append(d.Moves, Move{anyOrigin(t), uint64(rapid.Uint32().Draw(t, "from")), uint64(rapid.Uint32().Draw(t, "to"))})
		}
		for range rapid.IntRange(0, 2).Draw(t, "entries") {
			d.Entries = append(d.Entries, u.verdict(t))
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
		Sequence: 7, Ruling: RulingEvents, Events: []Event{{Standard: "SIA-DCS", Code: "BA", Qualifier: "new", Category: "burglary", Text: "Caffè", Extended: []string{"Vhttps://example.org/a", "X012W34.1"}}},
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
