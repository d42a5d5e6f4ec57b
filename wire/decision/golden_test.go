package decision

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"vedetta/wire/mesh"
)

var update = flag.Bool("update", false, "write the golden files; only for a new version of a form")

var (
	node  = mesh.Origin{Node: "arezzo", Incarnation: 3, Random: 0xf1e2d3c4b5a69788}
	fence = Fence{Shard: 5, Epoch: 7, Holder: node}
	place = mesh.Position{Origin: node, Number: 41}
)

func fullVerdict() Verdict {
	n := Notification{
		Event: EventID(place, 0), Contact: "k1", Channel: "email", Address: "a1", Rule: "r1",
		Step: 1, Repetition: 2, DueMs: 1795474800000, Urgent: true, Claimed: true,
	}
	n.ID = NotificationID(n)
	return Verdict{
		Entry: place, Customer: "c1", Panel: "p1", Identity: bytes.Repeat([]byte{0xab}, 16), ReceivedMs: 1795474799000, Sequence: 17,
		Ruling: RulingEvents, CopyOf: mesh.Position{Origin: node, Number: 40}, Fresh: true, Late: true,
		Events: []Event{{
			Index: 1, Standard: "SIA-DCS", Code: "BA", Qualifier: "new", Category: "burglary", Partition: "1", Zone: "001", ZoneName: "porta",
			User: "2", Text: "<Perché?> \"a\\b\"\n\u2028 & \x01", PanelMs: 1795474798000,
		}},
		Plan: []Notification{n},
	}
}

func fullOutcome() Outcome {
	return Outcome{
		Notification: "n1", Attempt: 2, By: node, Fence: &fence, State: StatePending, Reason: "late", NeverBegun: true,
		ProviderRef: "ref", HandedOverMs: 1795474801000, DueMs: 1795474860000,
	}
}

// commands has every command with every field set.
var commands = []Body{
	Found{Generation: 1, Sites: []string{"arezzo"}, Members: []Member{{Node: "arezzo", Disk: "d1", Site: "arezzo"}}},
	Tick{Now: 1795474800000},
	Assign{Shards: []Assignment{{Shard: 5, Holder: node}, {Shard: 6}}},
	Decide{Fence: fence, RosterIndex: 12, Moves: []Move{{Origin: node, From: 40, To: 41}}, Entries: []Verdict{fullVerdict()}},
	Claim{Fence: fence, Notifications: []string{"n1", "n2"}},
	Settle{Outcomes: []Outcome{fullOutcome()}},
	PutKeys{Customer: "c1", KeyID: []byte{1, 2, 3, 4, 5, 6, 7, 8}, Wrapped: []byte{9, 10}},
	PutDayKey{Day: 20781, KeyID: []byte{1, 2, 3, 4, 5, 6, 7, 8}, Wrapped: []byte{9, 10}},
	PutDocument{Customer: "c1", Revision: 4, Sealed: []byte{1}},
	Destroy{Customer: "c1", Day: 20781},
	Confirm{Cursors: []Mark{{Origin: node, Number: 41}}},
	Admit{Member: Member{Node: "arezzo", Disk: "d2", Site: "arezzo"}},
	Supervise{Fence: fence, RosterIndex: 12, Panels: []Silence{{Customer: "c1", Panel: "p1", From: SilentAlternative, To: SilentAlternative | SilentPrimary | SilentAll,
		Events: fullVerdict().Events, Plan: fullVerdict().Plan}}},
	DecideShards{Decides: []Decide{
		{Fence: fence, RosterIndex: 12, Moves: []Move{{Origin: node, From: 40, To: 41}}, Entries: []Verdict{fullVerdict()}},
		{Fence: Fence{Shard: 6, Epoch: 7, Holder: node}, RosterIndex: 12, Moves: []Move{{Origin: node, From: 40, To: 42}}, Entries: []Verdict{*plainVerdicts()[0]}}}},
}

func records() []Record {
	v := fullVerdict()
	return []Record{
		{ClockMs: 1795474800000, Customer: "c1", Part: 1, Verdict: &v},
		{ClockMs: 1795474800001, Customer: "c1", Claimed: &Claimed{Notification: "n1", Attempt: 2, Holder: node, Epoch: 7}},
		{ClockMs: 1795474800002, Customer: "c1", Settled: &Settled{Outcome: fullOutcome(), Double: true}},
		{ClockMs: 1795474800003, Settled: &Settled{Outcome: Outcome{Notification: "n1", State: StateExpired}}},
		{ClockMs: 1795474800004, Destroyed: &Destroyed{Customer: "c1"}},
		{ClockMs: 1795474800005, Destroyed: &Destroyed{Day: 20781}},
	}
}

// golden compares with a file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Fatalf("%s: the form has changed; a change is a new version (rule 4)\n got %s\nwant %s", name, got, want)
	}
}

func TestRule04_CommandsKeepTheirForm(t *testing.T) {
	var text strings.Builder
	for i, body := range commands {
		b, err := EncodeCommand(ProposalID{15: byte(i + 1)}, 1795474800000, body)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%T\n%s\n%x %x\n", body, hex.EncodeToString(b[:headBytes]), b[headBytes:len(b)-crcBytes], b[len(b)-crcBytes:])
		c, err := DecodeCommand(b)
		if err != nil {
			t.Fatalf("%T: %v", body, err)
		}
		if c.ID != (ProposalID{15: byte(i + 1)}) || c.FirstMs != 1795474800000 || !reflect.DeepEqual(c.Body, body) {
			t.Fatalf("%T came back as %+v", body, c)
		}
	}
	golden(t, "commands.golden", text.String())
}

func TestRule04_RecordsKeepTheirForm(t *testing.T) {
	var text strings.Builder
	for _, r := range records() {
		b := EncodeRecord(r)
		fmt.Fprintf(&text, "%s\n", b)
		got, err := DecodeRecords(b)
		if err != nil {
			t.Fatal(err)
		}
		r.Version = Version
		if !reflect.DeepEqual(got, []Record{r}) {
			t.Fatalf("came back as %+v, want %+v", got, r)
		}
	}
	golden(t, "records.golden", text.String())
}

// The canonical form is JSON: the standard reader sees the same value.
func TestRule16_CanonicalFormIsJSON(t *testing.T) {
	for _, r := range records() {
		r.Version = Version
		std, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var want, got any
		if err := errors.Join(json.Unmarshal(std, &want), json.Unmarshal(EncodeRecord(r), &got)); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestRule04_HigherVersionsAndDamageAreTold(t *testing.T) {
	b, err := EncodeCommand(ProposalID{1}, 1, Tick{Now: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 0x80
		_, err := DecodeCommand(c)
		want := ErrForm
		if i == 0 {
			want = ErrVersion
		}
		if !errors.Is(err, want) {
			t.Fatalf("byte %d changed: %v, want %v", i, err, want)
		}
	}
	if _, err := DecodeCommand(b[:len(b)-1]); !errors.Is(err, ErrForm) {
		t.Fatalf("cut: %v", err)
	}
	if _, err := DecodeRecords([]byte(`{"v":2,"clock":1,"novel":{}}`)); !errors.Is(err, ErrVersion) {
		t.Fatalf("record above the version: %v", err)
	}
	for _, s := range []string{`{"v":1,"clock":1}`, `{"v":1,"clock":1,"novel":1,"destroyed":{}}`, `{"v":1,"clock":1,"destroyed":{}} `,
		`{"v":1,"clock":1,"destroyed":{},"claimed":{}}`, `{"v":0,"clock":1,"destroyed":{}}`, `nothing`} {
		_, err := DecodeRecords([]byte(s))
		if strings.HasSuffix(s, " ") != (err == nil) { // space behind is no value
			t.Fatalf("%s: %v", s, err)
		}
		if err != nil && !errors.Is(err, ErrForm) {
			t.Fatalf("%s: %v, want %v", s, err, ErrForm)
		}
	}
}

func TestRule10_IDsArePlaces(t *testing.T) {
	a := fullVerdict().Plan[0]
	if len(a.ID) != 32 || EventID(place, 2) != "arezzo.3-f1e2d3c4b5a69788.41.2" {
		t.Fatalf("notification id %q, event id %q", a.ID, EventID(place, 2))
	}
	for name, change := range map[string]func(*Notification){
		"event": func(n *Notification) { n.Event += "1" }, "contact": func(n *Notification) { n.Contact = "k2" },
		"channel": func(n *Notification) { n.Channel = "webhook" }, "address": func(n *Notification) { n.Address = "a2" },
		"step": func(n *Notification) { n.Step++ }, "repetition": func(n *Notification) { n.Repetition++ },
	} {
		b := a
		if change(&b); NotificationID(b) == a.ID {
			t.Fatalf("another %s gives the same id", name)
		}
	}
	b := a
	b.DueMs, b.Rule, b.Urgent, b.Claimed = 1, "r9", false, false
	if NotificationID(b) != a.ID {
		t.Fatal("what is no place changes the id")
	}
}

// What decodes, encodes, decodes to the same value.
func FuzzDecodeCommand(f *testing.F) {
	for i, body := range commands {
		b, err := EncodeCommand(ProposalID{byte(i)}, int64(i), body)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCommand(b)
		if err != nil {
			return
		}
		again, err := EncodeCommand(c.ID, c.FirstMs, c.Body)
		if err != nil {
			t.Fatal(err)
		}
		d, err := DecodeCommand(again)
		if err != nil || d.Body.Kind() != c.Body.Kind() {
			t.Fatalf("%+v came back as %+v, %v", c, d, err)
		}
	})
}

// What decodes has one form, which decodes to the same again.
func FuzzDecodeRecords(f *testing.F) {
	for _, r := range records() {
		f.Add(EncodeRecord(r))
	}
	f.Add(EncodeRun(1795474800000, "c1", plainVerdicts()))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := DecodeRecords(b)
		if err != nil {
			return
		}
		canonical := encodeAgain(list)
		again, err := DecodeRecords(canonical)
		if err != nil {
			t.Fatalf("%q: %v", canonical, err)
		}
		if !bytes.Equal(encodeAgain(again), canonical) {
			t.Fatalf("%q is not stable", canonical)
		}
		if list[0].Version == RunVersion && !reflect.DeepEqual(again, list) {
			t.Fatalf("%+v came back as %+v", list, again)
		}
	})
}

func encodeAgain(list []Record) []byte {
	if list[0].Version != RunVersion {
		return EncodeRecord(list[0])
	}
	verdicts := make([]*Verdict, len(list))
	for i := range list {
		verdicts[i] = list[i].Verdict
	}
	return EncodeRun(list[0].ClockMs, list[0].Customer, verdicts)
}
