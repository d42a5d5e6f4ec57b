package decision

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"vedetta/wire/mesh"
)

// plainVerdicts are two of one customer, as a run holds them.
func plainVerdicts() []*Verdict {
	v := func(number uint64, panel, text string) *Verdict {
		return &Verdict{Entry: mesh.Position{Origin: node, Number: number}, Customer: "c1", Panel: panel, Identity: bytes.Repeat([]byte{byte(number)}, 16),
			ReceivedMs: 1795474799000 + int64(number), Sequence: int(number), Ruling: RulingEvents, Late: number > 42,
			Events: []Event{{Standard: "SIA-DCS", Code: "BA", Qualifier: "new", Category: "burglary", Partition: "1", Zone: "012", Text: text, PanelMs: 1795474798000}}}
	}
	a, b := v(42, "p1", "Caffè"), v(43, "p2", "")
	b.Events = append(b.Events, Event{Index: 1, Standard: "ADM-CID", Code: "130", Qualifier: "restore", Category: "burglary", User: "7", ZoneName: "porta", Extended: []string{"X012W34.1"}})
	return []*Verdict{a, b}
}

func TestRule04_RunsKeepTheirForm(t *testing.T) {
	golden(t, "run.golden", fmt.Sprintf("%x\n", EncodeRun(1795474800000, "c1", plainVerdicts())))
}

// toValid is what a text becomes on its way.
func toValid(v any) {
	x := reflect.ValueOf(v).Elem()
	for i := range x.NumField() {
		switch f := x.Field(i); {
		case f.Kind() == reflect.String:
			f.SetString(strings.ToValidUTF8(f.String(), "\ufffd"))
		case f.Type() == reflect.TypeFor[[]string]() && f.Len() > 0:
			valid := make([]string, f.Len())
			for j := range valid {
				valid[j] = strings.ToValidUTF8(f.Index(j).String(), "\ufffd")
			}
			f.Set(reflect.ValueOf(valid))
		}
	}
}

func (v *Verdict) toValid() {
	toValid(v)
	for i := range v.Events {
		toValid(&v.Events[i])
	}
	for i := range v.Plan {
		toValid(&v.Plan[i])
	}
	if len(v.Identity) == 0 {
		v.Identity = nil
	}
}

// TestRule16_RunsRoundTrip: whatever plain verdicts say is read back as single
// decisions, in order; the same run gives the same bytes; cut anywhere it is
// refused, and altered anywhere it never harms.
func TestRule16_RunsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := usual(rapid.Bool().Draw(t, "usual"))
		clock := u.int(t, "clock")
		var verdicts []*Verdict
		var want []Record
		for range rapid.IntRange(1, 5).Draw(t, "verdicts") {
			v := u.verdict(t)
			v.Sequence, v.Customer, v.Panel, v.Ruling, v.CopyOf, v.Plan = int(int16(v.Sequence)), "c1", "p"+v.Panel, RulingEvents, mesh.Position{}, nil
			if v.Entry.IsZero() {
				v.Entry = place
			}
			for i := range v.Events {
				v.Events[i].Index = int(int16(v.Events[i].Index))
			}
			verdicts = append(verdicts, &v)
			w := v
			w.Events = append([]Event(nil), v.Events...)
			w.toValid()
			want = append(want, Record{Version: RunVersion, ClockMs: clock, Customer: "c1", Verdict: &w})
		}
		b := EncodeRun(clock, "c1", verdicts)
		if !bytes.Equal(b, EncodeRun(clock, "c1", verdicts)) {
			t.Fatal("the same run gave other bytes")
		}
		got, err := DecodeRecords(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v came back as %+v, %v", want, got, err)
		}
		for n := range b {
			if _, err := DecodeRecords(b[:n]); !errors.Is(err, ErrForm) {
				t.Fatalf("cut to %d of %d bytes: %v, want %v", n, len(b), err, ErrForm)
			}
			c := bytes.Clone(b)
			c[n] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
			if list, err := DecodeRecords(c); (err == nil) != (len(list) > 0) && n > 0 {
				t.Fatalf("byte %d altered: %d records, %v", n, len(list), err)
			}
		}
		if _, err := DecodeRecords(append(b, 0)); !errors.Is(err, ErrForm) {
			t.Fatalf("a byte more: %v", err)
		}
	})
}

// A run holds nothing but what is plain, and no form that is not known.
func TestRule31_OnlyPlainVerdictsStandInARun(t *testing.T) {
	for name, change := range map[string]func(v *Verdict){
		"a copy":          func(v *Verdict) { v.Ruling, v.Events, v.CopyOf = RulingCopy, nil, place },
		"held":            func(v *Verdict) { v.Ruling, v.Events = RulingHeld, nil },
		"undecidable":     func(v *Verdict) { v.Ruling, v.Events = RulingUndecidable, nil },
		"with a plan":     func(v *Verdict) { v.Plan = fullVerdict().Plan },
		"copy of another": func(v *Verdict) { v.CopyOf = place },
		"without panel":   func(v *Verdict) { v.Panel = "" },
		"without place":   func(v *Verdict) { v.Entry = mesh.Position{} },
	} {
		list := plainVerdicts()
		change(list[1])
		if list[1].Plain() {
			t.Errorf("%s: plain", name)
		}
		if got, err := DecodeRecords(EncodeRun(1, "c1", list)); !errors.Is(err, ErrForm) {
			t.Errorf("%s: read as %+v, %v", name, got, err)
		}
	}
	for want, b := range map[error][]byte{ErrVersion: {RunVersion + 1, runMark}, ErrForm: {RunVersion, runMark + 1}} {
		if _, err := DecodeRecords(append(b, EncodeRun(1, "c1", plainVerdicts())[2:]...)); !errors.Is(err, want) {
			t.Errorf("% x: %v, want %v", b, err, want)
		}
	}
	if _, err := DecodeRecords(EncodeRun(1, "c1", nil)); !errors.Is(err, ErrForm) {
		t.Errorf("an empty run: %v", err)
	}
}

// TestRule14_DecideShardsRoundTrip: all that a decision carries comes through,
// plans too, and it is never longer than Size says.
func TestRule14_DecideShardsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := usual(rapid.Bool().Draw(t, "usual"))
		var d DecideShards
		for range rapid.IntRange(0, 3).Draw(t, "decides") {
			one := Decide{Fence: Fence{Shard: rapid.Byte().Draw(t, "shard"), Epoch: rapid.Uint64().Draw(t, "epoch"), Holder: anyOrigin(t)}, RosterIndex: rapid.Uint64().Draw(t, "roster")}
			for range rapid.IntRange(0, 2).Draw(t, "moves") {
				one.Moves = append(one.Moves, Move{anyOrigin(t), rapid.Uint64().Draw(t, "from"), rapid.Uint64().Draw(t, "to")})
			}
			for range rapid.IntRange(0, 3).Draw(t, "entries") {
				v := u.verdict(t)
				v.Sequence = int(int32(v.Sequence))
				for i := range v.Events {
					v.Events[i].Index = int(int32(v.Events[i].Index))
				}
				for i := range v.Plan {
					v.Plan[i].Step, v.Plan[i].Repetition = int(int32(v.Plan[i].Step)), int(int32(v.Plan[i].Repetition))
				}
				one.Entries = append(one.Entries, v)
			}
			d.Decides = append(d.Decides, one)
		}
		b, err := EncodeCommand(ProposalID{1}, 5, d)
		if err != nil {
			t.Fatal(err)
		}
		most := headBytes + crcBytes + 64
		for _, one := range d.Decides {
			most += Size(one)
		}
		if len(b) > most {
			t.Fatalf("%d bytes, at most %d by Size", len(b), most)
		}
		c, err := DecodeCommand(b)
		for i := range d.Decides {
			for j := range d.Decides[i].Entries {
				d.Decides[i].Entries[j].toValid()
			}
		}
		if err != nil || !reflect.DeepEqual(c.Body, Body(d)) {
			t.Fatalf("%+v came back as %+v, %v", d, c.Body, err)
		}
		for n := range b {
			if _, err := DecodeCommand(b[:n]); err == nil {
				t.Fatalf("cut to %d of %d bytes and read", n, len(b))
			}
			if n > headBytes {
				if _, err := readDecideShards(b[headBytes:n]); n < len(b)-crcBytes && !errors.Is(err, ErrForm) {
					t.Fatalf("body cut to %d bytes: %v", n-headBytes, err)
				}
			}
		}
	})
}

// TestRule04_EveryFieldIsCarried: a field that is added to a verdict is lost
// without a word when the binary form doesn't know it. Then a new version is due.
func TestRule04_EveryFieldIsCarried(t *testing.T) {
	full := fullVerdict()
	full.Events[0].Extended = []string{"Vhttps://example.org/a", "X012W34.1"}
	for _, v := range []any{full, full.Events[0], full.Plan[0]} {
		x := reflect.ValueOf(v)
		for i := range x.NumField() {
			if x.Field(i).IsZero() {
				t.Errorf("%s.%s is not set in the example", x.Type(), x.Type().Field(i).Name)
			}
		}
	}
	b, err := EncodeCommand(ProposalID{1}, 5, DecideShards{Decides: []Decide{{Entries: []Verdict{full}}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := DecodeCommand(b)
	if err != nil || !reflect.DeepEqual(c.Body.(DecideShards).Decides[0].Entries[0], full) {
		t.Fatalf("%+v came back as %+v, %v", full, c.Body, err)
	}
}

func BenchmarkDecideShards(b *testing.B) {
	var d DecideShards
	var verdicts []*Verdict
	for s := range 4 {
		one := Decide{Fence: Fence{Shard: byte(s), Holder: node}, Moves: []Move{{node, 1, 9}}}
		for i := range 25 {
			v := *plainVerdicts()[0]
			v.Panel, v.Events = fmt.Sprint("bench-panel-", i), []Event{v.Events[0]}
			v.Events[0].Text = fmt.Sprintf("~ABCDEF0001.%d~", i)
			one.Entries = append(one.Entries, v)
		}
		d.Decides = append(d.Decides, one)
	}
	for i := range d.Decides {
		for j := range d.Decides[i].Entries {
			verdicts = append(verdicts, &d.Decides[i].Entries[j])
		}
	}
	per := func(b *testing.B, bytes int) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/event")
		b.ReportMetric(float64(bytes)/100, "B/event")
		b.ReportAllocs()
	}
	body := d.append()
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			body = d.append()
		}
		per(b, len(body))
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if _, err := readDecideShards(body); err != nil {
				b.Fatal(err)
			}
		}
		per(b, len(body))
	})
	run := EncodeRun(1, "c1", verdicts)
	b.Run("write run", func(b *testing.B) {
		for b.Loop() {
			run = EncodeRun(1, "c1", verdicts)
		}
		per(b, len(run))
	})
	b.Run("read run", func(b *testing.B) {
		for b.Loop() {
			if _, err := DecodeRecords(run); err != nil {
				b.Fatal(err)
			}
		}
		per(b, len(run))
	})
}
