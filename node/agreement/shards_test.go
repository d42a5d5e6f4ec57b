package agreement

import (
	"fmt"
	"strings"
	"testing"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// plains are verdicts about so many entries of an origin, from a number on, of
// customers in turn, of which nobody is told.
func plains(o mesh.Origin, from uint64, n int, customers ...string) (out []decision.Verdict) {
	for i := range n {
		at := at(o, from+uint64(i))
		out = append(out, events(at, customers[i%len(customers)], fmt.Sprintf("%s%d", o.Node, at.Number), 0, false))
	}
	return out
}

func TestRule14_EachShardIsAcceptedOrRefusedByItself(t *testing.T) {
	m := founded(t)
	old := m.decide(1, plains(arezzo, 1, 2, "c1")...)
	old.Epoch--
	behind := m.decide(2, plains(arezzo, 1, 2, "c1")...)
	behind.Moves[0].From = 1
	keyless := m.decide(3, events(at(arezzo, 1), "c1", "k", 0, false), events(at(arezzo, 2), "c9", "k9", 0, false))
	copied := m.decide(4, events(at(roubaix, 1), "c1", "again", 0, false)) // its event stands in shard 5, of this very command
	long := events(at(arezzo, 4), "c1", "long", 0, false)
	long.Events[0].Text = strings.Repeat("x", maxPlain)
	r := m.do(m.shards(
		m.decide(5, events(at(arezzo, 1), "c1", "again", 1, true)), old, behind, keyless, copied,
		m.decide(6, long), m.decide(7, plains(arezzo, 1, 3, "c1", "c2")...)))
	equal(t, "refused as a whole", r.Refusal == nil, true)
	got := map[int]Reason{}
	for _, s := range r.Shards {
		if s.Refusal != nil {
			got[s.At] = s.Refusal.Reason
		} else {
			equal(t, "claims", len(s.Claims), 1)
			equal(t, "of", s.At, 0)
		}
	}
	want := map[int]Reason{1: ReasonOldEpoch, 2: ReasonCursor, 3: ReasonNoKeys, 4: ReasonCopy, 5: ReasonTooLarge}
	equal(t, "refusals", fmt.Sprint(got), fmt.Sprint(want))
	for shard, n := range map[byte]uint64{1: 0, 2: 0, 3: 0, 4: 0, 5: 1, 6: 0, 7: 3} {
		if got := m.s.cursors[cursor{shard, arezzo}] + m.s.cursors[cursor{shard, roubaix}]; got != n {
			t.Errorf("cursor of shard %d is at %d, want %d", shard, got, n)
		}
	}
	var decided []string
	for _, d := range m.said() {
		if d.Verdict != nil {
			decided = append(decided, d.Verdict.Entry.String()+" "+d.Customer)
		}
	}
	equal(t, "decided", len(decided), 4)
	equal(t, "open", len(m.s.open), 1)
	equal(t, "windows of what was refused", len(m.s.windows.of(mesh.Identity(identity("k")))), 0)
	// What was refused is decided when it is right.
	m.ok(m.decide(3, events(at(arezzo, 1), "c1", "k", 0, false)))
}

func TestRule14_AShardStandsOnceInADecision(t *testing.T) {
	m := founded(t)
	m.no(ReasonBad, m.shards(m.decide(5, plains(arezzo, 1, 1, "c1")...), m.decide(5, plains(arezzo, 1, 1, "c1")...)))
	m.no(ReasonBad, decision.DecideShards{})
	other := m.decide(5, plains(arezzo, 1, 1, "c1")...)
	other.Shard = Shards
	m.no(ReasonBad, m.shards(other))
	m.ok(m.decide(5, plains(arezzo, 1, 1, "c1")...))
}

// A run holds one customer, over the shards of a command, and a customer's
// decisions keep their order: what isn't plain ends its run.
func TestRule31_ARunHoldsOneCustomerInOrder(t *testing.T) {
	m := founded(t)
	copied := decision.Verdict{Entry: at(arezzo, 4), Customer: "c1", Panel: "p-c1", Identity: identity("arezzo1"), ReceivedMs: start, Ruling: decision.RulingCopy, CopyOf: at(arezzo, 1)}
	before := len(m.records)
	m.ok(m.shards(
		m.decide(5, append(append(plains(arezzo, 1, 3, "c1", "c2"), copied), plains(arezzo, 5, 2, "c1")...)...),
		m.decide(6, plains(roubaix, 1, 2, "c2", "c1")...)))
	keys := m.keysOf(m.log)
	var got []string
	for _, r := range m.records[before:] {
		list, err := m.read(r, keys)
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%s %d:", list[0].Customer, r.Shard)
		for _, d := range list {
			if d.Customer != list[0].Customer || d.Verdict.Customer != d.Customer {
				t.Fatalf("record %s holds %s and %s", r.Position(), list[0].Customer, d.Customer)
			}
			line += fmt.Sprintf(" %s.%d", d.Verdict.Entry.Origin.Node, d.Verdict.Entry.Number)
		}
		if len(list) > 1 && r.Identity != (mesh.Identity{}) {
			t.Errorf("record %s of several has an identity outside the seal", r.Position())
		}
		got = append(got, line)
	}
	want := "[c1 255: arezzo.1 arezzo.3 c2 255: arezzo.2 roubaix.1 c1 5: arezzo.4 c1 255: arezzo.5 arezzo.6 roubaix.2]"
	equal(t, "records", fmt.Sprint(got), want)
	equal(t, "told", len(m.s.verdicts[0])+len(m.s.verdicts[1]), 8)
}

// However many and however long: a run fits into a record, and none is left out.
func TestRule31_LongRunsGoOnInFurtherRecords(t *testing.T) {
	m := founded(t)
	list := plains(arezzo, 1, 2000, "c1")
	for i := range list {
		list[i].Events[0].Text = strings.Repeat("è", i%400)
	}
	before := len(m.records)
	m.ok(m.decide(5, list...))
	number := uint64(0)
	for _, d := range m.said() {
		if d.Verdict != nil {
			if number++; d.Verdict.Entry.Number != number || d.Verdict.Events[0].Text != list[number-1].Events[0].Text {
				t.Fatalf("decision %d is about %s", number, d.Verdict.Entry)
			}
		}
	}
	equal(t, "decided", number, 2000)
	if n := len(m.records) - before; n < 10 || n > 200 {
		t.Errorf("%d records for 2,000 verdicts", n)
	}
}
