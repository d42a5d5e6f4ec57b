package agreement

import (
	"bytes"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// player makes up commands that mostly make sense, sometimes don't.
type player struct {
	*machine
	r   *rapid.T
	ids []string
}

func (p *player) pick(name string, n int) int { return rapid.IntRange(0, n-1).Draw(p.r, name) }

func (p *player) origin() mesh.Origin {
	return []mesh.Origin{arezzo, arezzo2, roubaix}[p.pick("origin", 3)]
}

func (p *player) customer() string { return []string{"c1", "c2", "c3", ""}[p.pick("customer", 4)] }

func (p *player) some() string {
	if len(p.ids) == 0 {
		return "none"
	}
	return p.ids[p.pick("id", len(p.ids))]
}

func (p *player) step() {
	shard := byte(p.pick("shard", 2))
	switch p.pick("command", 13) {
	case 0:
		p.do(decision.Assign{Shards: []decision.Assignment{{Shard: shard, Holder: p.origin()}}})
	case 1, 2, 3:
		switch p.pick("form", 3) {
		case 0:
			p.raw(p.command(p.r, p.someDecide(shard)))
		case 1:
			p.do(p.someDecide(shard))
		default:
			p.do(p.shards(p.someDecide(shard), p.someDecide(1-shard)))
		}
	case 4, 5:
		p.do(decision.Claim{Fence: p.fence(shard), Notifications: []string{p.some(), p.some()}})
	case 6, 7, 8:
		o := outcome(p.some(), 1+p.pick("attempt", 3), p.origin(), []decision.State{decision.StatePending, decision.StateDelivered, decision.StateRefused, decision.StateUnknown}[p.pick("state", 4)])
		if p.pick("fenced", 2) == 0 {
			f := p.fence(shard)
			o.Fence, o.By = &f, f.Holder
		}
		p.do(settle(o))
	case 9:
		p.pass(time.Duration(p.pick("seconds", 3600*2)) * time.Second)
	case 10:
		switch p.pick("keys", 8) {
		case 0:
			p.do(decision.Destroy{Customer: p.customer()})
		case 1:
			p.do(p.putKeys(p.r, "c3"))
		case 2:
			p.do(p.putDayKey(p.r, p.s.today()))
		case 3:
			p.do(decision.Destroy{Day: p.s.today() - mesh.Day(p.pick("day", 3))})
		default:
			p.do(decision.PutDocument{Customer: p.customer(), Revision: uint64(p.pick("revision", 9)), Sealed: []byte{1}})
		}
	case 12:
		panel := []string{"p1", "p2"}[p.pick("panel", 2)]
		masks := []decision.Silent{0, decision.SilentPrimary, decision.SilentAll}
		c := p.supervise(silence(p.customer(), panel, masks[p.pick("from", 3)], masks[p.pick("to", 3)], p.pick("steps", 3)))
		c.RosterIndex -= uint64(p.pick("behind", 3))
		p.do(c)
	case 11:
		if len(p.log) > 0 { // a proposal comes again
			p.raw(p.log[p.pick("repeat", len(p.log))])
		}
	}
}

func (p *player) someDecide(shard byte) decision.Decide {
	o := p.origin()
	from := p.s.cursors[cursor{shard, o}]
	entry := at(o, from+1+uint64(p.pick("skip", 2)))
	v := events(entry, p.customer(), []string{"x", "y"}[p.pick("identity", 2)], p.pick("steps", 3), p.pick("claimed", 2) == 0)
	v.ReceivedMs = p.s.clock
	v.Fresh = p.pick("fresh", 4) == 0
	if p.pick("copy", 4) == 0 {
		v.Ruling, v.Events, v.Plan, v.CopyOf = decision.RulingCopy, nil, nil, at(roubaix, 1)
	}
	for i := range v.Plan { // both shards may plan the same entry: ids must not meet
		v.Plan[i].Contact = []string{"k0", "k1"}[shard]
		v.Plan[i].ID = decision.NotificationID(v.Plan[i])
		p.ids = append(p.ids, v.Plan[i].ID)
	}
	d := p.decide(shard, v)
	if p.pick("old", 6) == 0 {
		d.Epoch--
	}
	return d
}

// TestLaws plays random commands and holds after each: the clock and no cursor
// goes back, an epoch never falls, a notification has at most one claim under
// way and one final state, refused commands leave nothing. Afterwards the same
// log gives the same records and snapshot, from the beginning and from a
// snapshot in the middle (rules 14, 16, 18, 19, 20).
func TestLaws(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := &player{machine: founded(r), r: r}
		steps := rapid.IntRange(1, 60).Draw(r, "steps")
		middle, image := 0, []byte(nil)
		recordsThen := 0
		for i := range steps {
			before := p.s.Image().in
			records := len(p.records)
			p.step()
			p.hold(before, records)
			if i == steps/2 {
				middle, recordsThen = len(p.log), len(p.records)
				image = p.snapshot(p.s)
			}
		}
		want := p.snapshot(p.s)
		p.replay(NewState(p.mesh), 0, p.records, want)
		s, err := Restore(p.mesh, image)
		if err != nil {
			r.Fatalf("restore: %v", err)
		}
		if !bytes.Equal(p.snapshot(s), image) {
			r.Fatalf("a restored state gives another snapshot")
		}
		p.replay(s, middle, p.records[recordsThen:], want)
	})
}

func (p *player) snapshot(s *State) []byte {
	b, err := s.Snapshot()
	if err != nil {
		p.r.Fatalf("snapshot: %v", err)
	}
	return b
}

func (p *player) replay(s *State, from int, records []mesh.Record, want []byte) {
	for i := from; i < len(p.log); i++ {
		_, rs, err := s.Apply(uint64(i+1), p.log[i])
		if err != nil {
			p.r.Fatalf("replay %d: %v", i+1, err)
		}
		for _, got := range rs {
			if len(records) == 0 || !bytes.Equal(got.Bytes, records[0].Bytes) {
				p.r.Fatalf("replay %d: another record %s", i+1, got.Position())
			}
			records = records[1:]
		}
	}
	if len(records) != 0 {
		p.r.Fatalf("replay lacks %d records", len(records))
	}
	if !bytes.Equal(p.snapshot(s), want) {
		p.r.Fatalf("replay gives another snapshot")
	}
}

func (p *player) hold(before image, records int) {
	s := p.s
	if s.clock < before.Clock {
		p.r.Fatalf("the clock went back")
	}
	for _, c := range before.Cursors {
		if s.cursors[cursor{c.Shard, c.Origin}] < c.Number {
			p.r.Fatalf("cursor of shard %d over %s went back", c.Shard, c.Origin)
		}
	}
	for i, sh := range before.Shards {
		if s.shards[i].Epoch < sh.Epoch {
			p.r.Fatalf("epoch of shard %d fell", i)
		}
	}
	for id, o := range s.open {
		if s.closed[id] != nil || s.byShard[o.Shard][id] != o {
			p.r.Fatalf("%s is open and final, or of no shard", id)
		}
		for i, a := range o.Attempts {
			if a.State == "" && i != len(o.Attempts)-1 {
				p.r.Fatalf("%s has a claim under way before its last attempt", id)
			}
		}
		if _, was := before.Closed[id]; was {
			p.r.Fatalf("%s was final and is open again", id)
		}
		if _, gone := s.gone[o.Customer]; gone {
			p.r.Fatalf("%s of a destroyed customer is open", id)
		}
	}
	for id := range s.windows.newest {
		l := s.windows.of(id)
		if len(l) == 0 || len(l) > 2 {
			p.r.Fatalf("identity %x has %d windows", id, len(l))
		}
	}
	tail := Tail{Number: uint64(records)}
	for _, r := range p.records[records:] {
		if r.Number != tail.Number+1 {
			p.r.Fatalf("record %d after %d", r.Number, tail.Number)
		}
		tail.Number++
	}
	if s.tail.Number != tail.Number {
		p.r.Fatalf("tail is %d after %d records", s.tail.Number, tail.Number)
	}
}
