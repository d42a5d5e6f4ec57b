package replica

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vedetta/cluster/journal"
	"vedetta/wire/mesh"
)

var origin = mesh.Origin{Node: "arezzo", Incarnation: 3, Random: 0x00f1e2d3c4b5a697}

func TestRule05_QuorumIsOfSites(t *testing.T) {
	a, b, b2, c := Member{"a", "da", "A"}, Member{"b", "db", "B"}, Member{"b2", "db2", "B"}, Member{"c", "dc", "C"}
	for _, x := range []struct {
		name    string
		sites   []string
		members []Member
		marks   map[string]uint64 // "node/disk"
		want    uint64
	}{
		{"no configuration", nil, nil, map[string]uint64{"a/da": 9, "b/db": 9}, 0},
		{"one site", []string{"A"}, []Member{a}, map[string]uint64{"a/da": 9}, 9},
		{"two sites want both", []string{"A", "B"}, []Member{a, b}, map[string]uint64{"a/da": 9, "b/db": 4}, 4},
		{"three sites want two", []string{"A", "B", "C"}, []Member{a, b, c}, map[string]uint64{"a/da": 9, "b/db": 4, "c/dc": 7}, 7},
		{"two nodes of one site are one", []string{"A", "B", "C"}, []Member{a, b, b2, c}, map[string]uint64{"b/db": 9, "b2/db2": 9, "a/da": 3}, 3},
		{"a site has the highest of its nodes", []string{"A", "B", "C"}, []Member{a, b, b2, c}, map[string]uint64{"a/da": 9, "b/db": 1, "b2/db2": 8}, 8},
		{"whichever of them that is", []string{"A", "B", "C"}, []Member{a, b, b2, c}, map[string]uint64{"a/da": 9, "b/db": 8, "b2/db2": 1}, 8},
		{"another disk is another node", []string{"A", "B", "C"}, []Member{a, b, c}, map[string]uint64{"a/da": 9, "b/other": 9}, 0},
		{"a stranger", []string{"A", "B", "C"}, []Member{a, b, c}, map[string]uint64{"a/da": 9, "x/dx": 9}, 0},
		{"four sites want three", []string{"A", "B", "C", "D"}, []Member{a, b, c, {"d", "dd", "D"}}, map[string]uint64{"a/da": 9, "b/db": 8, "c/dc": 7}, 7},
		{"five sites want three", []string{"A", "B", "C", "D", "E"}, []Member{a, b, c}, map[string]uint64{"a/da": 9, "b/db": 8, "c/dc": 7}, 7},
	} {
		for _, early := range []bool{true, false} { // marks before or after the configuration
			q := NewQuorum()
			if early {
				q.Configure(x.sites, x.members)
			}
			for who, mark := range x.marks {
				node, disk, _ := bytes.Cut([]byte(who), []byte("/"))
				q.Note(string(node), string(disk), origin, mark)
			}
			if !early {
				q.Configure(x.sites, x.members)
			}
			if got := q.Durable(origin); got != x.want {
				t.Errorf("%s: durable mark %d, want %d", x.name, got, x.want)
			}
		}
	}
}

// For any history: the durable mark never falls, and when it moves, a majority
// of sites holds it at that moment by nodes that count.
func TestRule05_DurableMarkNeverFalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "sites")
		var sites []string
		var all []Member
		for i := range n {
			sites = append(sites, fmt.Sprint("S", i))
			all = append(all, Member{fmt.Sprint("n", i), "d", sites[i]}, Member{fmt.Sprint("m", i), "d", sites[i]})
		}
		q := NewQuorum()
		members := all
		q.Configure(sites, members)
		marks, high := map[Member]uint64{}, map[Member]uint64{}
		var before uint64
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 9).Draw(t, "what") == 0 {
				members = rapid.SliceOfDistinct(rapid.SampledFrom(all), func(m Member) string { return m.Node }).Draw(t, "members")
				q.Configure(sites, members)
			} else {
				m := rapid.SampledFrom(all).Draw(t, "member")
				marks[m] = rapid.Uint64Range(0, 20).Draw(t, "mark")
				high[m] = max(high[m], marks[m])
				q.Note(m.Node, m.Disk, origin, marks[m])
			}
			got := q.Durable(origin)
			if got < before {
				t.Fatalf("durable mark fell from %d to %d", before, got)
			}
			hold := map[string]bool{}
			for _, m := range members {
				if marks[m] >= got && marks[m] == high[m] {
					hold[m.Site] = true
				}
			}
			if got > before && len(hold) <= n/2 {
				t.Fatalf("durable mark %d is held by %d of %d sites", got, len(hold), n)
			}
			before = got
		}
	})
}

func TestRule05_WhoHasLostSomethingIsNotCounted(t *testing.T) {
	q := NewQuorum()
	q.Configure([]string{"A", "B", "C"}, []Member{{"a", "d", "A"}, {"b", "d", "B"}, {"c", "d", "C"}})
	other := mesh.Agreement(1)
	q.Note("b", "d", origin, 10)
	if _, fell := q.Note("b", "d", origin, 4); !fell || q.Counted("b", "d") {
		t.Fatal("a fallen mark was not noticed")
	}
	q.Note("a", "d", other, 5)
	q.Note("b", "d", other, 5)
	if q.Durable(other) != 0 {
		t.Fatal("a regressed node was counted")
	}
	if moved, _ := q.Note("b", "d", origin, 10); !slices.Equal(moved, []mesh.Origin{other}) || q.Durable(other) != 5 {
		t.Fatalf("caught up: moved %v, durable %d", moved, q.Durable(other))
	}
	q.Freeze(other)
	q.Note("a", "d", other, 9)
	q.Note("b", "d", other, 9)
	if q.Durable(other) != 5 {
		t.Fatal("a frozen origin moved")
	}
}

// A disk that another has come in place of makes nothing durable any more,
// though its replacement isn't admitted yet; what was durable stays so.
func TestRule28_ALostDisksMarksCountNoMore(t *testing.T) {
	q := NewQuorum()
	q.Configure([]string{"A", "B", "C"}, []Member{{"a", "da", "A"}, {"b", "db", "B"}, {"c", "dc", "C"}})
	q.Note("a", "da", origin, 9)
	q.Note("b", "db", origin, 4)
	q.Lost("a", "da")
	q.Note("b", "db", origin, 7) // alone now
	if got := q.Durable(origin); got != 4 {
		t.Errorf("durable up to %d, want 4: what only B and a lost disk had flushed", got)
	}
	q.Note("c", "dc", origin, 6)
	if got := q.Durable(origin); got != 6 {
		t.Errorf("durable up to %d, want 6: B and C have it", got)
	}
	q.Note("a", "da", origin, 9) // found again, and put back
	if got := q.Durable(origin); got != 7 {
		t.Errorf("durable up to %d, want 7: A has its disk again", got)
	}
}

func records(t interface{ Fatal(...any) }, count int) []mesh.Record {
	var prev mesh.Hash
	var all []mesh.Record
	for i := range count {
		r, err := mesh.Encode(mesh.Header{Kind: mesh.KindMessage, Origin: origin, Number: uint64(i + 1), Day: 20000}, fmt.Append(nil, i), prev)
		if err != nil {
			t.Fatal(err)
		}
		all, prev = append(all, r), r.Hash
	}
	return all
}

// However live and catch-up mix: what comes out is in order, each number once.
func TestReorderGivesOrder(t *testing.T) {
	all, passed := records(t, 200), 0
	defer func() {
		if passed == 0 {
			t.Error("nothing was passed on as it came")
		}
	}()
	rapid.Check(t, func(t *rapid.T) {
		var b Reorder
		next := uint64(1)
		take := func() {
			for _, r := range b.Take() {
				if r.Number != next {
					t.Fatalf("number %d came out, want %d", r.Number, next)
				}
				next++
			}
			if b.Base() != next-1 {
				t.Fatalf("base %d after %d came out", b.Base(), next-1)
			}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			from := rapid.IntRange(0, 199).Draw(t, "from")
			if rapid.Bool().Draw(t, "at the end") {
				from = min(199, int(b.Base()))
			}
			some := all[from:min(200, from+rapid.IntRange(1, 30).Draw(t, "count"))]
			if held := b.Held(); b.Pass(some) {
				if held > 0 || some[0].Number != next {
					t.Fatalf("passed from %d on while %d were held and next was %d", some[0].Number, held, next)
				}
				passed++
				next = some[len(some)-1].Number + 1
			} else {
				b.Hold(some)
			}
			if rapid.Bool().Draw(t, "take") {
				take()
			}
			if rapid.IntRange(0, 9).Draw(t, "past") == 0 { // stored past us
				past := max(b.Base(), uint64(rapid.IntRange(0, 200).Draw(t, "mark")))
				b.Set(past)
				next = past + 1
			}
		}
		take()
		b.Hold(all)
		take()
		if next != 201 || b.Held() != 0 || b.bytes != 0 {
			t.Fatalf("at the end next is %d, %d held, %d bytes", next, b.Held(), b.bytes)
		}
	})
}

func TestReorderIsBounded(t *testing.T) {
	all := records(t, 1)
	var b Reorder
	big := all[0]
	big.Bytes = make([]byte, 64<<10)
	for n := uint64(2); n < 100000; n++ {
		big.Number = n
		b.Hold([]mesh.Record{big})
	}
	if b.Held() != reorderSure-1 || b.bytes > reorderSure*len(big.Bytes) {
		t.Fatalf("%d held with %d bytes", b.Held(), b.bytes)
	}
	b.Hold(all) // the missing one is always taken
	if got := b.Take(); len(got) != reorderSure {
		t.Fatalf("%d came out, want %d", len(got), reorderSure)
	}
}

func TestPlanner(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	p := &planner{grace: 50 * time.Millisecond, agreementGrace: 500 * time.Millisecond, lags: map[mesh.Origin]*lag{}, retry: map[attempt]time.Time{}}
	w := want{origin: origin, ours: 5, home: true, offers: []offer{{"b", 9}, {"c", 12}}}
	step := func(after time.Duration, wants ...want) []attempt {
		t.Helper()
		now = now.Add(after)
		begin, _ := p.step(now, wants)
		return begin
	}
	if got := step(0, w); got != nil {
		t.Fatalf("began at once: %v", got)
	}
	w.ours = 7
	if got := step(49*time.Millisecond, w); got != nil {
		t.Fatalf("began though live delivery goes on: %v", got)
	}
	if _, again := p.step(now, []want{w}); again != now.Add(50*time.Millisecond) {
		t.Fatalf("look again at %s", again)
	}
	if got := step(50*time.Millisecond, w); !slices.Equal(got, []attempt{{"c", origin}}) {
		t.Fatalf("began %v, want from c, which has most", got)
	}
	if got := step(time.Hour, w); got != nil {
		t.Fatalf("began a second one: %v", got)
	}
	p.ended(attempt{"c", origin}, false, 7, now)
	w.home = false // cut off from the origin: no grace
	if got := step(0, w); !slices.Equal(got, []attempt{{"b", origin}}) {
		t.Fatalf("after a failure began %v, want from b", got)
	}
	p.ended(attempt{"b", origin}, true, 9, now)
	w.ours, w.offers = 9, w.offers[1:]
	if got := step(retryAfter/2, w); got != nil {
		t.Fatalf("repeated too early: %v", got)
	}
	if got := step(retryAfter/2, w); !slices.Equal(got, []attempt{{"c", origin}}) {
		t.Fatalf("not repeated: %v", got)
	}
	p.ended(attempt{"c", origin}, true, 12, now)
	step(0)
	if len(p.lags) != 0 {
		t.Fatal("level origins are not forgotten")
	}
	agreement := want{origin: mesh.Agreement(1), offers: []offer{{"b", 1}}}
	if step(0, agreement) != nil || step(499*time.Millisecond, agreement) != nil || step(time.Millisecond, agreement) == nil {
		t.Fatal("decisions want their own grace")
	}
	p.ended(attempt{"b", mesh.Agreement(1)}, true, 0, now)
	p.hurry(mesh.Agreement(1), 0, now)
	if step(0, agreement) == nil {
		t.Fatal("no hurry")
	}
	var many []want
	for i := range 10 {
		many = append(many, want{origin: mesh.Origin{Node: "x", Incarnation: uint64(i + 1)}, offers: []offer{{"b", 1}}})
	}
	if got := step(0, append(many, agreement)...); len(got) != maxCatchUps-1 && len(got) != maxCatchUps {
		t.Fatalf("%d at once, want at most %d", len(got), maxCatchUps)
	}
}

func sampleMessage(t interface{ Fatal(...any) }) message {
	all := records(t, 2)
	return message{table: true, disk: "00112233445566778899aabbccddeeff", term: 4, index: 77, marks: []journal.Move{
		{Origin: mesh.Agreement(1), Mark: 12, Hash: all[0].Hash}, {Origin: origin, Mark: 2, Hash: all[1].Hash},
	}}
}

// The bytes of version 1 stay. UPDATE_GOLDEN=1 writes them anew.
func TestRule04_StreamBytesAreGolden(t *testing.T) {
	frame, rest := appendFrame(nil, records(t, 2))
	if len(rest) != 0 {
		t.Fatal("two records do not fit into a frame")
	}
	for name, got := range map[string][]byte{
		"frame.bin": frame, "message.bin": sampleMessage(t).append(nil), "request.bin": request{origin, 9, mesh.Hash{1, 2, 3}}.append(nil),
	} {
		path := filepath.Join("testdata", name)
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v, bytes are\n% x, want\n% x", name, err, got, want)
		}
	}
	m := sampleMessage(t).append(nil)
	m[4]++
	if _, err := readMessage(bufio.NewReader(bytes.NewReader(m))); err == nil {
		t.Error("a message above our version was read")
	}
}

func FuzzMessage(f *testing.F) {
	f.Add(sampleMessage(f).append(nil)[4:])
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeMessage(b)
		if err != nil {
			return
		}
		back, err := decodeMessage(m.append(nil)[4:])
		if err != nil || !reflect.DeepEqual(m, back) {
			t.Fatalf("%+v became %+v, %v", m, back, err)
		}
	})
}

func FuzzRequest(f *testing.F) {
	f.Add(request{origin, 9, mesh.Hash{1}}.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := readRequest(bufio.NewReader(bytes.NewReader(b)))
		if err == nil && !bytes.HasPrefix(b, q.append(nil)) {
			t.Fatalf("% x was read as %+v and encodes to other bytes", b, q)
		}
	})
}

func FuzzFrame(f *testing.F) {
	frame, _ := appendFrame(nil, records(f, 3))
	f.Add(frame)
	f.Add(make([]byte, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := readFrame(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		again, _ := appendFrame(nil, got)
		if !bytes.Equal(again, b[:len(again)]) {
			t.Fatal("what was read encodes to other bytes")
		}
	})
}

func TestFramesHoldWhatFits(t *testing.T) {
	all := records(t, 10000)
	var b []byte
	rest := all
	for len(rest) > 0 {
		b, rest = appendFrame(b, rest)
	}
	in := bufio.NewReader(bytes.NewReader(b))
	var got []mesh.Record
	for len(got) < len(all) {
		part, err := readFrame(in)
		if err != nil || len(part) == 0 || len(part) > maxFrameRecords {
			t.Fatalf("frame of %d records: %v", len(part), err)
		}
		got = append(got, part...)
	}
	for i := range got {
		if !bytes.Equal(got[i].Bytes, all[i].Bytes) {
			t.Fatalf("record %d differs", i+1)
		}
	}
}
