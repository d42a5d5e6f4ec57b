package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"testing"
	"time"

	"vedetta/cluster/env"
	"vedetta/node/reception"
	"vedetta/node/roster"
	"vedetta/wire/dc09"
	"vedetta/wire/mesh"
	doc "vedetta/wire/roster"
	"vedetta/wire/seal"
	wire "vedetta/wire/watch"
)

var self = mesh.Origin{Node: "arezzo", Incarnation: 3, Random: 7}

// people is an agreement that holds these customers.
type people struct {
	docs []roster.Document
	keys map[string]seal.Key
}

func (p people) Documents(uint64) ([]roster.Document, int, uint64) { return p.docs, len(p.docs), 1 }
func (p people) HasDocument(c string) bool                         { _, ok := p.keys[c]; return ok }
func (p people) CustomerKey(c string) (seal.Key, bool)             { k, ok := p.keys[c]; return k, ok }
func (p people) Changed() <-chan struct{}                          { return nil }

type fataler interface {
	Helper()
	Fatal(...any)
}

func rosterOf(t fataler, customers ...doc.Customer) *roster.Roster {
	t.Helper()
	p := people{keys: map[string]seal.Key{}}
	for _, c := range customers {
		k := seal.NewKey()
		b, err := doc.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		p.keys[c.ID] = k
		p.docs = append(p.docs, roster.Document{Customer: c.ID, Revision: 1, Index: 1, Sealed: seal.SealColumn(k, roster.Purpose, b)})
	}
	r := roster.New(p, env.Quiet(1))
	r.Sync()
	return r
}

// message is a frame of a panel, encrypted when there is a key.
func message(t fataler, account, data string, key []byte, at time.Time) []byte {
	t.Helper()
	zero := "0"
	m := dc09.Message{Token: "SIA-DCS", Sequence: 12, Prefix: &zero, Account: account, Blocks: "[#" + account + "|" + data + "]"}
	var c *dc09.Cipher
	if key != nil {
		m.Time = at
		var err error
		if c, err = dc09.NewCipher(key); err != nil {
			t.Fatal(err)
		}
	}
	b, err := m.AppendFrame(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// came is an attempt as reception tells of it.
func came(r *roster.Roster, raw []byte, from string, word string, reason dc09.Reason) reception.Attempt {
	a := reception.Attempt{From: reception.Source{Transport: "tcp", Listener: "main", Peer: netip.MustParseAddrPort(from)}, Received: time.Now(),
		Verdict: reception.Verdict{Word: word, Reason: reason}}
	f, err := dc09.ParseFrame(raw)
	if err != nil {
		a.Bad = err.(*dc09.BadFrame)
		a.Verdict = reception.Verdict{Word: reception.WordSilence, Reason: a.Bad.Reason}
		return a
	}
	a.Frame = f
	if m, kind := r.Snapshot().Find("main", f.Prefix, f.Receiver, f.Account); kind == roster.Found {
		a.Verdict.Customer, a.Verdict.Panel = m.Customer.Doc.ID, m.Panel.ID
	}
	if word == reception.WordDUH {
		a.Verdict.Answer = f.AppendDUH(nil)
	}
	return a
}

// watching is a viewer's stream.
type watching struct {
	lines *bufio.Scanner
	conn  net.Conn
	done  chan error
}

func look(ctx context.Context, t fataler, w *Watch, ask wire.Ask) *watching {
	t.Helper()
	here, there := net.Pipe()
	out := &watching{bufio.NewScanner(there), there, make(chan error, 1)}
	out.lines.Buffer(nil, 1<<20)
	go func() {
		out.done <- w.Serve(ctx, here)
		here.Close()
	}()
	ask.Version = wire.Version
	b, err := json.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.Write(append(b, '\n')); err != nil {
		t.Fatal(err)
	}
	return out
}

// next is the next line that says something.
func (v *watching) next(t fataler) wire.Line {
	t.Helper()
	for v.lines.Scan() {
		var l wire.Line
		if err := json.Unmarshal(v.lines.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Attempt != nil || l.Lost > 0 || l.Ready != nil {
			return l
		}
	}
	t.Fatal("the stream ended", v.lines.Err(), <-v.done)
	return wire.Line{}
}

// kept is all that is shown of what is kept.
func (v *watching) kept(t fataler) []wire.Attempt {
	t.Helper()
	var out []wire.Attempt
	for {
		l := v.next(t)
		if l.Ready != nil {
			return out
		}
		if l.Attempt != nil {
			out = append(out, *l.Attempt)
		}
	}
}

func newWatch(r Roster, change func(*Config)) *Watch {
	cfg := Defaults()
	if change != nil {
		change(&cfg)
	}
	return New(cfg, self, "arezzo", r, env.Quiet(1))
}

var _ testing.TB
