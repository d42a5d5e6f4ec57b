package decision

import (
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
	f.Fuzz(func(t *testing.T, b []byte) {
		if fast, ok := parseVerdictRecord(b); ok {
			var slow Record
			if err := strict(b, &slow); err != nil || !reflect.DeepEqual(fast, slow) {
				t.Errorf("%q: %+v, strict %+v, %v", b, fast, slow, err)
			}
		}
	})
}
