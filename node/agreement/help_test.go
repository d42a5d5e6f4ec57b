package agreement

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// start is 23:58:00: two ticks before a new day.
var start = time.Date(2026, 11, 24, 23, 58, 0, 0, time.UTC).UnixMilli()

var (
	arezzo  = mesh.Origin{Node: "arezzo", Incarnation: 1, Random: 0xa1}
	arezzo2 = mesh.Origin{Node: "arezzo", Incarnation: 2, Random: 0xa2}
	roubaix = mesh.Origin{Node: "roubaix", Incarnation: 1, Random: 0xb1}
)

// tb is what testing.T and rapid.T share.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// maker makes commands with proposal ids and keys that differ from one another.
type maker struct {
	mesh  seal.MeshKey
	count uint64
	first int64 // first try of the next commands
}

func newMaker() *maker {
	m := &maker{first: start}
	copy(m.mesh[:], "the mesh's key, of thirty-two b.")
	return m
}

func (m *maker) key() seal.Key {
	m.count++
	var k seal.Key
	binary.BigEndian.PutUint64(k.ID[:], 0xface0000+m.count)
	binary.BigEndian.PutUint64(k.Data[:], m.count)
	binary.BigEndian.PutUint64(k.Identity[:], ^m.count)
	return k
}

func (m *maker) id() (id decision.ProposalID) {
	m.count++
	binary.BigEndian.PutUint64(id[:], m.count)
	return id
}

func (m *maker) command(t tb, body decision.Body) []byte {
	t.Helper()
	return encode(t, m.id(), m.first, body)
}

func encode(t tb, id decision.ProposalID, first int64, body decision.Body) []byte {
	t.Helper()
	b, err := decision.EncodeCommand(id, first, body)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return b
}

func (m *maker) putKeys(t tb, customer string) decision.PutKeys {
	t.Helper()
	k := m.key()
	w, err := m.mesh.Wrap(k, customer)
	if err != nil {
		t.Fatalf("wrap: %v", err)
	}
	return decision.PutKeys{Customer: customer, KeyID: k.ID[:], Wrapped: w}
}

func (m *maker) putDayKey(t tb, d mesh.Day) decision.PutDayKey {
	t.Helper()
	k := m.key()
	w, err := m.mesh.Wrap(k, DayOwner(d))
	if err != nil {
		t.Fatalf("wrap: %v", err)
	}
	return decision.PutDayKey{Day: d, KeyID: k.ID[:], Wrapped: w}
}

var foundBody = decision.Found{
	Generation: 1,
	Sites:      []string{"arezzo", "roubaix", "limburg"},
	Members: []decision.Member{
		{Node: "roubaix", Disk: "d2", Site: "roubaix"},
		{Node: "arezzo", Disk: "d1", Site: "arezzo"},
		{Node: "limburg", Disk: "d3", Site: "limburg"},
	},
}

func today() mesh.Day { return mesh.DayOf(time.UnixMilli(start)) }

func at(o mesh.Origin, n uint64) mesh.Position { return mesh.Position{Origin: o, Number: n} }

func identity(s string) []byte { return fmt.Appendf(nil, "%-16.16s", s) }

// events is the verdict about a message that reports one event with so many
// notifications, the first of them claimed when claimed is set.
func events(entry mesh.Position, customer, id string, steps int, claimed bool) decision.Verdict {
	v := decision.Verdict{
		Entry: entry, Customer: customer, Panel: "p-" + customer, Identity: identity(id), ReceivedMs: start, Ruling: decision.RulingEvents,
		Events: []decision.Event{{Standard: "SIA-DCS", Code: "BA", Qualifier: "new", Category: "burglary", Zone: "001"}},
	}
	for i := range steps {
		n := decision.Notification{
			Event: decision.EventID(entry, 0), Contact: "k1", Channel: "email", Address: "a1", Rule: "r1",
			Step: i, DueMs: start + int64(i)*minute, Claimed: claimed && i == 0,
		}
		n.ID = decision.NotificationID(n)
		v.Plan = append(v.Plan, n)
	}
	return v
}

// machine is a state under test with what the last command gave.
type machine struct {
	t tb
	*maker
	s       *State
	log     [][]byte // log[i] has index i+1
	records []mesh.Record
}

func newMachine(t tb) *machine {
	m := newMaker()
	return &machine{t: t, maker: m, s: NewState(m.mesh)}
}

// do applies a command under a new id. A Decide goes as nodes propose it, in a
// DecideShards; raw takes one of the earlier form.
func (m *machine) do(body decision.Body) Result {
	m.t.Helper()
	d, ok := body.(decision.Decide)
	if !ok {
		return m.raw(m.command(m.t, body))
	}
	r := m.raw(m.command(m.t, decision.DecideShards{Decides: []decision.Decide{d}}))
	for _, s := range r.Shards {
		r.Refusal, r.Claims = s.Refusal, s.Claims
	}
	return r
}

// earlier applies a Decide in the form of an earlier program, and returns it.
func (m *machine) earlier(d decision.Decide) []byte {
	m.t.Helper()
	if r := m.raw(m.command(m.t, d)); r.Refusal != nil {
		m.t.Fatalf("refused: %+v", *r.Refusal)
	}
	return m.log[len(m.log)-1]
}

func (m *machine) shards(d ...decision.Decide) decision.DecideShards {
	return decision.DecideShards{Decides: d}
}

func (m *machine) raw(b []byte) Result {
	m.t.Helper()
	m.log = append(m.log, b)
	r, records, err := m.s.Apply(uint64(len(m.log)), b)
	if err != nil {
		m.t.Fatalf("apply: %v", err)
	}
	m.records = append(m.records, records...)
	return r
}

// ok is do for what must be accepted.
func (m *machine) ok(body decision.Body) Result {
	m.t.Helper()
	r := m.do(body)
	if r.Refusal != nil {
		m.t.Fatalf("%T refused: %+v", body, *r.Refusal)
	}
	for _, s := range r.Shards {
		if s.Refusal != nil {
			m.t.Fatalf("%T: shard %d refused: %+v", body, s.At, *s.Refusal)
		}
	}
	return r
}

// no is do for what must be refused, leaving no record.
func (m *machine) no(reason Reason, body decision.Body) Result {
	m.t.Helper()
	n := len(m.records)
	r := m.do(body)
	if !r.is(reason) {
		m.t.Fatalf("%T gave %+v, want refusal %q", body, r.Refusal, reason)
	}
	if len(m.records) != n {
		m.t.Fatalf("a refused command left %d records", len(m.records)-n)
	}
	return r
}

// founded has customers c1 and c2 with keys and documents, today's and
// tomorrow's day keys, and all shards at arezzo.
func founded(t tb) *machine {
	m := newMachine(t)
	m.ok(foundBody)
	m.ok(m.putDayKey(t, today()))
	m.ok(m.putDayKey(t, today()+1))
	for _, c := range []string{"c1", "c2"} {
		m.ok(m.putKeys(t, c))
		m.ok(decision.PutDocument{Customer: c, Revision: 1, Sealed: []byte("sealed " + c)})
	}
	m.assign(arezzo)
	return m
}

func (m *machine) assign(to mesh.Origin) {
	m.t.Helper()
	var a decision.Assign
	for i := range byte(Shards) {
		a.Shards = append(a.Shards, decision.Assignment{Shard: i, Holder: to})
	}
	m.ok(a)
}

func (m *machine) fence(shard byte) decision.Fence {
	sh := m.s.shards[shard]
	return decision.Fence{Shard: shard, Epoch: sh.Epoch, Holder: sh.Holder}
}

// decide is a Decide of entries that are all of one origin, in ascending order.
func (m *machine) decide(shard byte, entries ...decision.Verdict) decision.Decide {
	o := entries[0].Entry.Origin
	return decision.Decide{
		Fence: m.fence(shard), RosterIndex: m.s.index, Entries: entries,
		Moves: []decision.Move{{Origin: o, From: m.s.cursors[cursor{shard, o}], To: entries[len(entries)-1].Entry.Number}},
	}
}

// pass lets the agreement's clock pass by, in ticks of at most a minute.
func (m *machine) pass(d time.Duration) {
	m.t.Helper()
	for to := m.s.clock + d.Milliseconds(); m.s.clock < to; {
		m.ok(decision.Tick{Now: to})
	}
	m.first = m.s.clock
}

func outcome(id string, attempt int, by mesh.Origin, state decision.State) decision.Outcome {
	return decision.Outcome{Notification: id, Attempt: attempt, By: by, State: state}
}

func settle(o ...decision.Outcome) decision.Settle { return decision.Settle{Outcomes: o} }

// open reads what a record says, with the key that sealed it.
func (m *machine) read(r mesh.Record, keys map[seal.KeyID]seal.Key) ([]decision.Record, error) {
	id, err := seal.IDOf(r.Sealed)
	if err != nil {
		return nil, err
	}
	b, err := seal.Open(keys[id], r.Header, r.Sealed)
	if err != nil {
		return nil, err
	}
	return decision.DecodeRecords(b)
}

// keysOf are all keys that a log ever put.
func (m *machine) keysOf(log [][]byte) map[seal.KeyID]seal.Key {
	keys := map[seal.KeyID]seal.Key{}
	for _, b := range log {
		c, err := decision.DecodeCommand(b)
		if err != nil {
			m.t.Fatalf("decode: %v", err)
		}
		switch p := c.Body.(type) {
		case decision.PutKeys:
			if k, err := m.mesh.Unwrap(seal.KeyID(p.KeyID), p.Customer, p.Wrapped); err == nil {
				keys[k.ID] = k
			}
		case decision.PutDayKey:
			if k, err := m.mesh.Unwrap(seal.KeyID(p.KeyID), DayOwner(p.Day), p.Wrapped); err == nil {
				keys[k.ID] = k
			}
		}
	}
	return keys
}

// said are all decisions so far, those of runs too.
func (m *machine) said() []decision.Record {
	m.t.Helper()
	keys := m.keysOf(m.log)
	var all []decision.Record
	for _, r := range m.records {
		d, err := m.read(r, keys)
		if err != nil {
			m.t.Fatalf("record %s: %v", r.Position(), err)
		}
		all = append(all, d...)
	}
	return all
}

func equal[T comparable](t tb, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s is %v, want %v", what, got, want)
	}
}

var _ tb = (*testing.T)(nil)

type (
	keyID = seal.KeyID
	key   = seal.Key
)

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
