// Package centraltest is a mesh for central's tests, in this process: it hands
// out keys, takes roster documents, and feeds records as a node would. It is
// the same protocol as the nodes', over net.Pipe; it keeps everything in memory.
package centraltest

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/heard"
	"vedetta/wire/mesh"
	"vedetta/wire/push"
	"vedetta/wire/seal"
)

// ErrDown is what every call gets while the mesh is down.
var ErrDown = errors.New("no node could be reached")

// Mesh is the fake; its zero value is not usable, see New.
type Mesh struct {
	mu        sync.Mutex
	down      bool
	keys      map[string]seal.Key
	days      map[mesh.Day]seal.Key
	documents map[string]Document         // part 0
	parts     map[string]map[int]Document // the others
	puts      int
	records   []mesh.Record // in the order in which the feed sends them
	hashes    map[mesh.Origin]mesh.Record
	confirmed map[mesh.Origin]uint64
	feeds     []net.Conn
	grown     chan struct{}
	PushKey   push.Key // of central.push; zero: no Web Push
	DropReply bool     // a put is carried out, its answer is lost
	silent    map[string]bool
	watches   map[string]Watch
	twist     func(node string, a *Answer)
	adopt     func(Adopting) string
	adopting  []Adopting
	heard     map[string]heard.Panel
}

// Adopting is one held message that central wants to be a panel's.
type Adopting struct {
	Customer, Panel, Tell string
	Entry                 mesh.Position
}

// OnAdopt says what becomes of a message that is to be adopted; an empty
// outcome ends the call there, as a node that can do no more. Without it
// all are adopted.
func (m *Mesh) OnAdopt(fn func(Adopting) string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.adopt = fn
}

// Adopting are all messages that central wanted to be adopted, in order.
func (m *Mesh) Adopting() []Adopting {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Adopting(nil), m.adopting...)
}

func (m *Mesh) answerAdopt(request []byte) ([]byte, error) {
	var q struct {
		Version               int
		Customer, Panel, Tell string
		Entries               []mesh.Position
	}
	if err := json.Unmarshal(request, &q); err != nil || q.Version != 1 {
		return nil, fmt.Errorf("central.adopt: version %d, %w", q.Version, err)
	}
	type done struct {
		Entry   mesh.Position `json:"entry"`
		Outcome string        `json:"outcome"`
	}
	var out struct {
		Entries []done `json:"entries"`
	}
	for _, e := range q.Entries {
		a := Adopting{q.Customer, q.Panel, q.Tell, e}
		m.adopting = append(m.adopting, a)
		outcome := "adopted"
		if m.adopt != nil {
			outcome = m.adopt(a)
		}
		if outcome == "" {
			break
		}
		out.Entries = append(out.Entries, done{e, outcome})
	}
	if m.DropReply || len(out.Entries) == 0 {
		m.DropReply = false
		return nil, ErrDown
	}
	return json.Marshal(out)
}

// Document is a roster document as the mesh took it.
type Document struct {
	Revision, Index uint64
	Sealed          []byte
}

// New makes a mesh without customers.
func New() *Mesh {
	return &Mesh{keys: map[string]seal.Key{}, days: map[mesh.Day]seal.Key{}, documents: map[string]Document{}, parts: map[string]map[int]Document{},
		hashes: map[mesh.Origin]mesh.Record{}, confirmed: map[mesh.Origin]uint64{}, grown: make(chan struct{})}
}

// SetDown cuts all feeds and watches and refuses calls, or ends that.
func (m *Mesh) SetDown(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
	if down {
		for _, c := range m.feeds {
			c.Close()
		}
		m.feeds = nil
	}
}

// Key is a customer's key, made at the first call.
func (m *Mesh) Key(customer string) seal.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.key(customer)
}

func (m *Mesh) key(customer string) seal.Key {
	k, ok := m.keys[customer]
	if !ok {
		k = seal.NewKey()
		m.keys[customer] = k
	}
	return k
}

// Forget destroys a customer's key.
func (m *Mesh) Forget(customer string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.keys, customer)
}

// Learn makes a key known, as a node that was behind does.
func (m *Mesh) Learn(customer string, k seal.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keys[customer] = k
}

// DayKey is the key of a day.
func (m *Mesh) DayKey(day mesh.Day) seal.Key {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.days[day]
	if !ok {
		k = seal.NewKey()
		m.days[day] = k
	}
	return k
}

// Document is what was put for a customer, and how many puts there were.
func (m *Mesh) Document(customer string) (Document, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.documents[customer], m.puts
}

// Part is a further part of a customer's roster, as the mesh took it.
func (m *Mesh) Part(customer string, part int) Document {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.parts[customer][part]
}

// BeginAnew forgets all documents, as a mesh that was made anew.
func (m *Mesh) BeginAnew() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.documents, m.parts = map[string]Document{}, map[string]map[int]Document{}
}

// PutRevision makes the mesh have another revision, 0 for no document.
func (m *Mesh) PutRevision(customer string, revision uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.documents[customer]
	d.Revision = revision
	m.documents[customer] = d
}

// Confirmed is what central has confirmed of an origin.
func (m *Mesh) Confirmed(o mesh.Origin) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.confirmed[o]
}

type jsonKey struct {
	Customer string `json:"customer,omitempty"`
	Day      string `json:"day,omitempty"`
	ID       []byte `json:"id"`
	Data     []byte `json:"data"`
	Identity []byte `json:"identity"`
}

func keyJSON(customer, day string, k seal.Key) jsonKey {
	return jsonKey{customer, day, k.ID[:], k.Data[:], k.Identity[:]}
}

// Call answers central's calls.
func (m *Mesh) Call(_ context.Context, method string, request []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, ErrDown
	}
	switch method {
	case "central.keys":
		list := struct {
			Keys    []jsonKey `json:"keys"`
			DayKeys []jsonKey `json:"day_keys"`
		}{[]jsonKey{}, []jsonKey{}}
		for c, k := range m.keys {
			list.Keys = append(list.Keys, keyJSON(c, "", k))
		}
		for d, k := range m.days {
			list.DayKeys = append(list.DayKeys, keyJSON("", d.String(), k))
		}
		return json.Marshal(list)
	case "central.open":
		var q struct{ Customer string }
		if err := json.Unmarshal(request, &q); err != nil {
			return nil, err
		}
		return json.Marshal(keyJSON(q.Customer, "", m.key(q.Customer)))
	case "central.put":
		var q struct {
			Customer string
			Part     int
			Revision uint64
			Sealed   []byte
		}
		if err := json.Unmarshal(request, &q); err != nil {
			return nil, err
		}
		m.puts++
		if q.Part > 0 {
			if m.documents[q.Customer].Revision == 0 {
				return nil, fmt.Errorf("part %d before the first", q.Part)
			}
			if m.parts[q.Customer] == nil {
				m.parts[q.Customer] = map[int]Document{}
			}
			if q.Revision > m.parts[q.Customer][q.Part].Revision {
				m.parts[q.Customer][q.Part] = Document{q.Revision, uint64(m.puts), q.Sealed}
			}
			return json.Marshal(map[string]any{"index": m.puts})
		}
		if d := m.documents[q.Customer]; q.Revision > d.Revision {
			m.documents[q.Customer] = Document{q.Revision, uint64(m.puts), q.Sealed}
		}
		if m.DropReply {
			m.DropReply = false
			return nil, ErrDown
		}
		return json.Marshal(map[string]any{"index": m.documents[q.Customer].Index})
	case heard.Method:
		var q heard.Request
		if err := json.Unmarshal(request, &q); err != nil {
			return nil, err
		}
		a := heard.Answer{Judging: m.heard != nil, Panels: []heard.Panel{}}
		for _, id := range q.Panels {
			a.Panels = append(a.Panels, m.heard[id])
		}
		return json.Marshal(a)
	case "central.adopt":
		return m.answerAdopt(request)
	case "central.push":
		return push.Announce(m.PushKey)
	case "central.status":
		documents := map[string]any{}
		for c, d := range m.documents {
			parts := map[int]uint64{}
			for part, d := range m.parts[c] {
				parts[part] = d.Revision
			}
			documents[c] = map[string]any{"revision": d.Revision, "index": d.Index, "parts": parts}
		}
		return json.Marshal(map[string]any{"documents": documents, "leader": "arezzo"})
	}
	return nil, fmt.Errorf("method %q is not known", method)
}

// Heard sets what the nodes know of a panel; before the first they can't tell.
func (m *Mesh) Heard(panel string, p heard.Panel) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.heard == nil {
		m.heard = map[string]heard.Panel{}
	}
	m.heard[panel] = p
}

// Append makes the next record of an origin and feeds it.
func (m *Mesh) Append(kind mesh.Kind, o mesh.Origin, k seal.Key, at time.Time, plain []byte) mesh.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.hashes[o]
	h := mesh.Header{Kind: kind, Origin: o, Number: last.Number + 1, Day: mesh.DayOf(at), Shard: mesh.NoShard}
	r, err := mesh.Encode(h, seal.Seal(k, h, plain), last.Hash)
	if err != nil {
		panic(err)
	}
	m.hashes[o] = r
	m.records = append(m.records, r)
	close(m.grown)
	m.grown = make(chan struct{})
	return r
}

// Message appends a panel's message to a node's origin.
func (m *Mesh) Message(o mesh.Origin, msg entry.Message) mesh.Record {
	plain, err := entry.Marshal(msg)
	if err != nil {
		panic(err)
	}
	k := m.DayKey(mesh.DayOf(msg.Received))
	if msg.Customer != "" {
		k = m.Key(msg.Customer)
	}
	return m.Append(mesh.KindMessage, o, k, msg.Received, plain)
}

// Decision appends a record to the agreement's origin.
func (m *Mesh) Decision(generation uint64, at time.Time, d decision.Record) mesh.Record {
	d.ClockMs = at.UnixMilli()
	plain := decision.EncodeRecord(d)
	k := m.DayKey(mesh.DayOf(at))
	if d.Customer != "" {
		k = m.Key(d.Customer)
	}
	return m.Append(mesh.KindDecision, mesh.Agreement(generation), k, at, plain)
}

// Run appends a record of several plain verdicts of one customer.
func (m *Mesh) Run(generation uint64, at time.Time, customer string, verdicts ...*decision.Verdict) mesh.Record {
	return m.Append(mesh.KindDecision, mesh.Agreement(generation), m.Key(customer), at, decision.EncodeRun(at.UnixMilli(), customer, verdicts))
}

// Records is all that was appended.
func (m *Mesh) Records() []mesh.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]mesh.Record(nil), m.records...)
}

// OpenFeed is one feed stream.
func (m *Mesh) OpenFeed(context.Context) (io.ReadWriteCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, ErrDown
	}
	here, there := net.Pipe()
	m.feeds = append(m.feeds, here)
	go m.serve(here)
	return there, nil
}

func (m *Mesh) serve(c net.Conn) {
	defer c.Close()
	lines := bufio.NewScanner(c)
	var line struct {
		Cursors map[mesh.Origin]uint64 `json:"cursors"`
	}
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &line) != nil {
		return
	}
	from := line.Cursors
	go func() {
		for lines.Scan() {
			var line struct {
				Cursors map[mesh.Origin]uint64 `json:"cursors"`
			}
			if json.Unmarshal(lines.Bytes(), &line) != nil {
				return
			}
			m.mu.Lock()
			for o, n := range line.Cursors {
				m.confirmed[o] = n
			}
			m.mu.Unlock()
		}
	}()
	for sent := 0; ; {
		m.mu.Lock()
		records, grown := m.records[sent:], m.grown
		m.mu.Unlock()
		for _, r := range records {
			sent++
			if r.Number <= from[r.Origin] {
				continue
			}
			if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(r.Bytes))), r.Bytes...)); err != nil {
				return
			}
		}
		select {
		case <-grown:
		case <-time.After(time.Second):
			if _, err := c.Write(make([]byte, 4)); err != nil {
				return
			}
		}
	}
}
