// Package watchtest gives central's tests the nodes' side of a watch: node/watch
// itself, with the roster that central published, over the test mesh's pipes.
// Only what would come over a socket is made up.
package watchtest

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/cluster/env"
	"vedetta/node/reception"
	"vedetta/node/roster"
	"vedetta/node/watch"
	"vedetta/wire/dc09"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Nodes are the three nodes of the test mesh.
type Nodes struct {
	t      testing.TB
	people *roster.Roster
	at     map[string]*watch.Watch
	known  *agreement
}

// agreement is the applied state as the roster reads it: one customer.
type agreement struct {
	m *centraltest.Mesh
}

func (a *agreement) Documents(uint64) ([]roster.Document, int, uint64) {
	d, _ := a.m.Document(centraltest.Customer)
	return []roster.Document{{Customer: centraltest.Customer, Revision: d.Revision, Index: d.Index, Sealed: d.Sealed}}, 1, d.Index
}
func (a *agreement) HasDocument(c string) bool { return c == centraltest.Customer }
func (a *agreement) CustomerKey(c string) (seal.Key, bool) {
	return a.m.Key(c), c == centraltest.Customer
}
func (a *agreement) Changed() <-chan struct{} { return nil }

// New publishes the customer's roster and puts a watch behind each node.
func New(t testing.TB, s *centraltest.Service, now time.Time) *Nodes {
	t.Helper()
	if err := s.Publisher.Flush(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	n := &Nodes{t: t, at: map[string]*watch.Watch{}, known: &agreement{s.Mesh}}
	n.people = roster.New(n.known, env.Quiet(1))
	n.people.Sync()
	for _, name := range s.Mesh.Nodes() {
		w := watch.New(watch.Defaults(), centraltest.Origin(name), name, n.people, env.Quiet(1))
		n.at[name] = w
		s.Mesh.SetWatch(name, func(ctx context.Context, stream net.Conn) error { return w.Serve(ctx, stream) })
	}
	return n
}

// Words of a verdict.
const (
	ACK     = reception.WordACK
	NAK     = reception.WordNAK
	DUH     = reception.WordDUH
	Silence = reception.WordSilence
)

// Come is what came over a socket.
type Come struct {
	Node   string // arezzo when empty
	From   string // address; 203.0.113.77 when empty
	Raw    []byte
	Word   string // what the intake said of it; of what is no frame: silence
	Reason dc09.Reason
	Answer []byte
	Entry  mesh.Position
	At     time.Time // now when zero
}

// Came tells a node's watch of it, as its reception does.
func (n *Nodes) Came(c Come) {
	n.t.Helper()
	if c.Node == "" {
		c.Node = "arezzo"
	}
	if c.From == "" {
		c.From = "203.0.113.77"
	}
	if c.At.IsZero() {
		c.At = time.Now()
	}
	a := reception.Attempt{From: reception.Source{Transport: "tcp", Listener: "main", Peer: netip.AddrPortFrom(netip.MustParseAddr(c.From), 40001)}, Received: c.At}
	f, err := dc09.ParseFrame(c.Raw)
	if bad, ok := err.(*dc09.BadFrame); ok {
		a.Bad = bad
		a.Verdict = reception.Verdict{Word: reception.WordSilence, Reason: bad.Reason}
	} else {
		a.Frame = f
		a.Verdict = reception.Verdict{Word: c.Word, Reason: c.Reason, Answer: c.Answer, Entry: c.Entry}
		if m, kind := n.people.Snapshot().Find("main", f.Prefix, f.Receiver, f.Account); kind == roster.Found {
			a.Verdict.Customer, a.Verdict.Panel = m.Customer.Doc.ID, m.Panel.ID
		}
	}
	n.at[c.Node].Attempted(a)
}

// Frame is a panel's message, encrypted when there is a key.
func Frame(t testing.TB, account, data, key string, seq int, at time.Time) []byte {
	t.Helper()
	zero := "0"
	m := dc09.Message{Token: dc09.TokenSIA, Sequence: seq, Prefix: &zero, Account: account, Blocks: "[#" + account + "|" + data + "]"}
	var cipher *dc09.Cipher
	if key != "" {
		m.Time = at
		var err error
		if cipher, err = dc09.NewCipher([]byte(key)); err != nil {
			t.Fatal(strconv.Quote(account), err)
		}
	}
	b, err := m.AppendFrame(nil, cipher)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
