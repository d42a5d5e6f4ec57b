package intake

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"vedetta/cluster/env"
	"vedetta/node/identity"
	"vedetta/node/reception"
	"vedetta/node/roster"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	doc "vedetta/wire/roster"
	"vedetta/wire/seal"
)

// source is an agreement with one customer.
type source struct {
	key    seal.Key
	sealed []byte
}

func (s source) Documents(uint64) ([]roster.Document, int, uint64) {
	return []roster.Document{{Customer: "c1", Revision: 1, Index: 9, Sealed: s.sealed}}, 1, 9
}
func (s source) HasDocument(c string) bool           { return c == "c1" }
func (s source) CustomerKey(string) (seal.Key, bool) { return s.key, true }
func (s source) Changed() <-chan struct{}            { return nil }

// store is journal, replica and keys in one; Late makes nothing durable.
type store struct {
	day     seal.Key
	late    bool
	records []mesh.Record
	waited  []mesh.Position
	all     []mesh.Position // waited for at all sites
	heard   []string        // panels that supervision was told of
	flushed int             // waited for at this site
}

func (s *store) Append(_ context.Context, kind mesh.Kind, shard byte, id mesh.Identity, fn func(mesh.Header) ([]byte, error)) (mesh.Position, error) {
	s.flushed++
	return s.Post(kind, shard, id, fn)
}

func (s *store) Post(kind mesh.Kind, shard byte, id mesh.Identity, fn func(mesh.Header) ([]byte, error)) (mesh.Position, error) {
	h := mesh.Header{Kind: kind, Origin: mesh.Origin{Node: "arezzo", Incarnation: 1, Random: 2}, Number: uint64(len(s.records) + 1), Day: 20000, Shard: shard, Identity: id}
	b, err := fn(h)
	if err != nil {
		return mesh.Position{}, err
	}
	r, err := mesh.Encode(h, b, mesh.Hash{})
	s.records = append(s.records, r)
	return r.Position(), err
}

func (s *store) WaitDurable(ctx context.Context, pos mesh.Position, within time.Duration) error {
	s.waited = append(s.waited, pos)
	if s.late {
		time.Sleep(within)
		return context.DeadlineExceeded
	}
	return nil
}

func (s *store) WaitAll(ctx context.Context, pos mesh.Position, within time.Duration) error {
	s.all = append(s.all, pos)
	return s.WaitDurable(ctx, pos, within)
}

func (s *store) DayKey(mesh.Day) (seal.Key, bool) { return s.day, true }

var panelKey = []byte("0123456789abcdef")

func newIntake(t *testing.T, st *store, ready bool, more ...doc.Panel) (*Intake, seal.Key) {
	t.Helper()
	key := seal.NewKey()
	zero, two := "0", "2"
	b, err := doc.Marshal(doc.Customer{ID: "c1", Panels: append(more, []doc.Panel{
		{ID: "p-keyed", Account: "AAAA", Key: panelKey}, {ID: "p-plain", Account: "BBBB"},
		{ID: "p-twice-1", Account: "CCCC"}, {ID: "p-twice-2", Account: "cccc", Prefix: &zero, Receiver: &two},
		{ID: "p-both-1", Account: "DDDD"}, {ID: "p-both-2", Account: "DDDD"},
	}...)})
	if err != nil {
		t.Fatal(err)
	}
	r := roster.New(source{key, seal.SealColumn(key, roster.Purpose, b)}, env.Quiet(1))
	r.Sync()
	if r.Index() != 9 {
		t.Fatalf("roster index %d, want 9", r.Index())
	}
	in := New(Config{Wait: 3 * time.Second, Behind: 40 * time.Second, Ahead: 20 * time.Second},
		Parts{Roster: r, Journal: st, Replica: st, Keys: st, Heard: st, Ready: func() bool { return ready }}, env.Quiet(2))
	return in, key
}

type sent struct {
	token, account, blocks string
	key                    []byte
	at                     time.Duration // panel's clock against ours; only with stamp
	stamp                  bool
	receiver               *string
}

func (s sent) frame(t *testing.T, now time.Time) dc09.Frame {
	t.Helper()
	l := "0"
	m := dc09.Message{Token: s.token, Sequence: 12, Prefix: &l, Receiver: s.receiver, Account: s.account, Blocks: s.blocks}
	if s.stamp || s.key != nil {
		m.Time = now.Add(s.at).UTC()
	}
	var c *dc09.Cipher
	if s.key != nil {
		var err error
		if c, err = dc09.NewCipher(s.key); err != nil {
			t.Fatal(err)
		}
	}
	b, err := m.AppendFrame(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	f, err := dc09.ParseFrame(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestWhatAPanelOrStrangerIsAnswered is the table of design, section 3.
func TestWhatAPanelOrStrangerIsAnswered(t *testing.T) {
	two := "2"
	const ba = "[#AAAA|Nri1/BA001]"
	other := []byte("another key 1234")
	tests := []struct {
		name           string
		sent           sent
		late, notReady bool
		token          string // of the answer, empty: silence
		stored         entry.Answer
		reason         string
	}{
		{name: "known and durable", sent: sent{token: "SIA-DCS", account: "AAAA", blocks: ba, key: panelKey}, token: "ACK", stored: entry.AnswerACK},
		{name: "unknown code is acknowledged", sent: sent{token: "SIA-DCS", account: "BBBB", blocks: "[#BBBB|Nri1/PE501]"}, token: "ACK", stored: entry.AnswerACK},
		{name: "account in lower case", sent: sent{token: "SIA-DCS", account: "bbbb", blocks: "[#bbbb|Nri1/BA1]"}, token: "ACK", stored: entry.AnswerACK},
		{name: "not durable within 3 s", sent: sent{token: "SIA-DCS", account: "AAAA", blocks: ba, key: panelKey}, late: true, stored: entry.AnswerACK},
		{name: "not ready", sent: sent{token: "SIA-DCS", account: "AAAA", blocks: ba, key: panelKey}, notReady: true},
		{name: "poll", sent: sent{token: "NULL", account: "AAAA", blocks: "[]", key: panelKey}, token: "ACK"},
		{name: "poll, not ready", sent: sent{token: "NULL", account: "BBBB", blocks: "[]"}, notReady: true},
		{name: "41 s behind", sent: sent{token: "SIA-DCS", account: "AAAA", blocks: ba, key: panelKey, at: -41 * time.Second}, token: "NAK"},
		{name: "39 s behind", sent: sent{token: "SIA-DCS", account: "AAAA", blocks: ba, key: panelKey, at: -39 * time.Second}, token: "ACK", stored: entry.AnswerACK},
		{name: "21 s ahead, plain", sent: sent{token: "SIA-DCS", account: "BBBB", blocks: ba, stamp: true, at: 21 * time.Second}, token: "NAK"},
		{name: "wrong key", sent: sent{token: "SIA-DCS", account: "AAAA", blocks: ba, key: other}, token: "DUH", stored: entry.AnswerDUH, reason: "undecryptable"},
		{name: "poll with a wrong key", sent: sent{token: "NULL", account: "AAAA", blocks: "[]", key: other}, token: "DUH"},
		{name: "encrypted, but the panel has no key", sent: sent{token: "SIA-DCS", account: "BBBB", blocks: ba, key: other}, token: "DUH", stored: entry.AnswerDUH, reason: "no_key"},
		{name: "plain though the account has a key", sent: sent{token: "SIA-DCS", account: "AAAA", blocks: ba}, stored: entry.AnswerSilence, reason: "plain_refused"},
		{name: "unknown token", sent: sent{token: "XYZ-9", account: "BBBB", blocks: "[x]"}, token: "DUH", stored: entry.AnswerDUH, reason: "unknown_token"},
		{name: "unknown account", sent: sent{token: "SIA-DCS", account: "F00D", blocks: "[#F00D|Nri1/BA1]"}, stored: entry.AnswerSilence, reason: "unknown_account"},
		{name: "poll of an unknown account", sent: sent{token: "NULL", account: "F00D", blocks: "[]"}, stored: entry.AnswerSilence, reason: "unknown_account"},
		{name: "two panels fit", sent: sent{token: "SIA-DCS", account: "DDDD", blocks: "[#DDDD|Nri1/BA1]"}, stored: entry.AnswerSilence, reason: "ambiguous_panel"},
		{name: "the panel with its receiver wins", sent: sent{token: "SIA-DCS", account: "CCCC", blocks: "[#CCCC|NBA1]", receiver: &two}, token: "ACK", stored: entry.AnswerACK},
		{name: "an answer is no message", sent: sent{token: "ACK", account: "BBBB", blocks: "[]"}},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			st := &store{day: seal.NewKey(), late: tt.late}
			in, key := newIntake(t, st, !tt.notReady)
			f := tt.sent.frame(t, time.Now())
			answer := in.Handle(t.Context(), f, reception.Source{Listener: "main", Transport: "tcp", Peer: netip.MustParseAddrPort("192.0.2.1:9")}).Answer
			got := ""
			if answer != nil {
				a, err := dc09.ParseFrame(answer)
				if err != nil {
					t.Fatal(err)
				}
				got = a.Token
			}
			if got != tt.token {
				t.Errorf("%s: answered %q, want %q", tt.name, got, tt.token)
			}
			checkStored(t, tt.name, st, key, tt.stored, tt.reason)
		})
	}
}

func checkStored(t *testing.T, name string, st *store, key seal.Key, want entry.Answer, reason string) {
	t.Helper()
	if want == "" {
		if len(st.records) != 0 {
			t.Errorf("%s: %d entries stored, want none", name, len(st.records))
		}
		return
	}
	if len(st.records) != 1 {
		t.Errorf("%s: %d entries stored, want one", name, len(st.records))
		return
	}
	r := st.records[0]
	if reason == "unknown_account" || reason == "ambiguous_panel" {
		key = st.day
	}
	b, err := seal.Open(key, r.Header, r.Sealed)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	m, err := entry.Unmarshal(b)
	if err != nil || m.Answer != want || m.Reason != reason || len(m.Raw) == 0 || m.Peer != "192.0.2.1:9" {
		t.Errorf("%s: entry %+v, %v; want answer %s %s", name, m, err, want, reason)
	}
}

// TestRule13_IdentityIsTheSameForARepetition: new timestamp, new ciphertext, the
// account in another case, another node: one identity, one shard.
func TestRule13_IdentityIsTheSameForARepetition(t *testing.T) {
	st := &store{day: seal.NewKey()}
	in, _ := newIntake(t, st, true)
	now := time.Now()
	for _, s := range []sent{
		{token: "SIA-DCS", account: "AAAA", blocks: "[#AAAA|Nri1/BA001]", key: panelKey},
		{token: "SIA-DCS", account: "aaaa", blocks: "[#AAAA|Nri1/BA001]", key: panelKey, at: -11 * time.Second},
		{token: "SIA-DCS", account: "AAAA", blocks: "[#AAAA|Nri1/BA002]", key: panelKey},
	} {
		in.Handle(t.Context(), s.frame(t, now), reception.Source{Listener: "main"})
	}
	if len(st.records) != 3 {
		t.Fatalf("%d entries, want 3", len(st.records))
	}
	a, b, c := st.records[0], st.records[1], st.records[2]
	if a.Identity != b.Identity || a.Shard != b.Shard || a.Identity == c.Identity || a.Shard != identity.Shard("p-keyed") {
		t.Errorf("identities %x %x %x, shards %d %d", a.Identity, b.Identity, c.Identity, a.Shard, b.Shard)
	}
}

func TestFailedAppendIsSilence(t *testing.T) {
	in, _ := newIntake(t, &store{}, true)
	in.parts.Journal = failing{}
	s := sent{token: "SIA-DCS", account: "BBBB", blocks: "[#BBBB|NBA1]"}
	if a := in.Handle(t.Context(), s.frame(t, time.Now()), reception.Source{Listener: "main"}); a.Answer != nil {
		t.Errorf("answered %q though nothing was stored", a.Answer)
	}
}

type failing struct{}

func (failing) Post(mesh.Kind, byte, mesh.Identity, func(mesh.Header) ([]byte, error)) (mesh.Position, error) {
	return mesh.Position{}, errors.New("disk full")
}

func (failing) Append(context.Context, mesh.Kind, byte, mesh.Identity, func(mesh.Header) ([]byte, error)) (mesh.Position, error) {
	return mesh.Position{}, errors.New("disk full")
}

// from is where the test's frames come from.
var from = reception.Source{Listener: "main", Transport: "tcp", Peer: netip.MustParseAddrPort("192.0.2.1:9")}

// TestRule07_ACopyWaitsForItsOwnMark: a known identity is no reason for an ACK;
// each copy is journaled, and answered when its own entry is durable.
func TestRule07_ACopyWaitsForItsOwnMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &store{day: seal.NewKey()}
		in, _ := newIntake(t, st, true)
		s := sent{token: "SIA-DCS", account: "BBBB", blocks: "[#BBBB|Nri1/BA001]"}
		for i, late := range []bool{false, true, false} {
			st.late = late
			began := time.Now()
			a := in.Handle(t.Context(), s.frame(t, time.Now()), from).Answer
			if (a == nil) != late || late && time.Since(began) != 3*time.Second {
				t.Errorf("copy %d, durable %v: answered %q after %s", i, !late, a, time.Since(began))
			}
		}
		if len(st.records) != 3 || st.records[0].Identity != st.records[2].Identity {
			t.Errorf("%d entries, want one per copy, of one identity", len(st.records))
		}
		if len(st.waited) != 3 || st.waited[1].Number != 2 || st.waited[2].Number != 3 {
			t.Errorf("waited for %v, want each copy's own place", st.waited)
		}
	})
}

// An entry says by which roster it was accepted (rule 15), and how far its
// origin's clock was off (rule 11).
func TestRule11_15_AnEntryCarriesOffsetAndRoster(t *testing.T) {
	st := &store{day: seal.NewKey()}
	in, key := newIntake(t, st, true)
	in.parts.Offset = func() time.Duration { return -1500 * time.Millisecond }
	in.Handle(t.Context(), sent{token: "SIA-DCS", account: "BBBB", blocks: "[#BBBB|Nri1/BA001]"}.frame(t, time.Now()), from)
	b, err := seal.Open(key, st.records[0].Header, st.records[0].Sealed)
	if err != nil {
		t.Fatal(err)
	}
	m, err := entry.Unmarshal(b)
	if err != nil || m.OffsetMs != -1500 || m.RosterIndex != 9 || !m.Corrected().Equal(m.Received.Add(1500*time.Millisecond)) {
		t.Errorf("offset %d ms, roster %d, %v; want -1500 and 9", m.OffsetMs, m.RosterIndex, err)
	}
}

// TestRule31_OutsideTheSealStandsNothingOfThePanel: account, content and address
// are inside; the same message of two customers has two identities.
func TestRule31_OutsideTheSealStandsNothingOfThePanel(t *testing.T) {
	st := &store{day: seal.NewKey()}
	in, key := newIntake(t, st, true)
	for _, s := range []sent{
		{token: "SIA-DCS", account: "BBBB", blocks: "[#BBBB|Nri1/BA001^PORTA^]"},
		{token: "SIA-DCS", account: "F00D", blocks: "[#F00D|Nri1/BA001^PORTA^]"},
	} {
		in.Handle(t.Context(), s.frame(t, time.Now()), from)
	}
	if len(st.records) != 2 {
		t.Fatalf("%d entries, want 2", len(st.records))
	}
	for i, r := range st.records {
		for _, secret := range []string{"BBBB", "F00D", "p-plain", "c1", "PORTA", "192.0.2.1", "SIA-DCS"} {
			if bytes.Contains(r.Bytes, []byte(secret)) {
				t.Errorf("entry %d shows %q", i, secret)
			}
		}
		k := []seal.Key{key, st.day}[i]
		if id, err := seal.IDOf(r.Sealed); err != nil || id != k.ID {
			t.Errorf("entry %d is sealed with key %x, %v, want %x", i, id, err, k.ID)
		}
	}
	first := st.records[0].Identity
	other, _ := newIntake(t, st, true) // the same panel under other keys
	other.Handle(t.Context(), sent{token: "SIA-DCS", account: "BBBB", blocks: "[#BBBB|Nri1/BA001^PORTA^]"}.frame(t, time.Now()), from)
	if st.records[2].Identity == first {
		t.Error("an identity doesn't depend on the customer's key")
	}
}

// TestRule04_RawFrameIsKeptAsReceived: it is the evidence.
func TestRule04_RawFrameIsKeptAsReceived(t *testing.T) {
	st := &store{day: seal.NewKey()}
	in, key := newIntake(t, st, true)
	f := sent{token: "SIA-DCS", account: "AAAA", blocks: "[#AAAA|Nri1/BA001]", key: panelKey}.frame(t, time.Now())
	raw := bytes.Clone([]byte(f.Raw))
	in.Handle(t.Context(), f, from)
	b, err := seal.Open(key, st.records[0].Header, st.records[0].Sealed)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := entry.Unmarshal(b); err != nil || !bytes.Equal(m.Raw, raw) {
		t.Errorf("kept %q, %v, want %q", m.Raw, err, raw)
	}
}

// TestForgedPlainMessagesAreOneNotice: a flood without any key must not flood
// the owner.
func TestForgedPlainMessagesAreOneNotice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &store{day: seal.NewKey()}
		in, _ := newIntake(t, st, true)
		forged := func(at time.Duration) {
			f := sent{token: "SIA-DCS", account: "AAAA", blocks: "[#AAAA|Nri1/BA001]", stamp: true, at: at}.frame(t, time.Now())
			if a := in.Handle(t.Context(), f, reception.Source{Listener: "main"}); a.Answer != nil {
				t.Errorf("answered %q", a.Answer)
			}
		}
		forged(-time.Hour) // an old one that somebody kept
		if len(st.records) != 0 {
			t.Errorf("an old frame made %d entries", len(st.records))
		}
		for range 60 {
			forged(0)
		}
		if len(st.records) != 1 {
			t.Errorf("60 forged messages made %d entries, want one", len(st.records))
		}
		time.Sleep(noticePeriod)
		forged(0)
		if len(st.records) != 2 {
			t.Errorf("an hour later: %d entries, want another", len(st.records))
		}
	})
}
