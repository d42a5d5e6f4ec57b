// Package uplink is what central may ask of a node: the keys it needs to read,
// a customer's keys made when there are none, a roster document put into the
// agreement, held messages given to a panel, the feed of all journals by cursor
// (design, section 4), and this node's own marks, running hashes and digests for central's reconcile.
//
// Every node serves it, one is enough for central. It decides nothing: what
// changes is proposed to the agreement. Keys leave only to a certificate with
// the role central.
package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"vedetta/cluster/env"
	"vedetta/node/agreement"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Agreement is what the uplink reads of the applied state.
type Agreement interface {
	Customers() []string // with standing keys
	CustomerKey(customer string) (seal.Key, agreement.KeyState)
	Days() []mesh.Day
	DayKey(mesh.Day) (seal.Key, bool)
	Key(id seal.KeyID) (k seal.Key, customer string, state agreement.KeyState) // customer is empty for a day's
	Documents() map[agreement.PartOf]agreement.Document
	Document(customer string, part int) (agreement.Document, bool)
	Roster(customer string) map[int]agreement.Document
	Changed() <-chan struct{}
}

// Proposer puts a command before the agreement and waits for its result.
type Proposer interface {
	Propose(ctx context.Context, body decision.Body) (agreement.Result, error)
}

// Uplink serves central.
type Uplink struct {
	agreement Agreement
	proposer  Proposer
	journals  Journals
	meshKey   seal.MeshKey
	leader    func() string
	adopter   Adopter
	applied   func() uint64 // agreement index that this node's roster reflects
	env       env.Env
	confirmed confirmed
}

// New makes an uplink; it starts nothing.
func New(a Agreement, p Proposer, j Journals, k seal.MeshKey, leader func() string, adopter Adopter, applied func() uint64, e env.Env) *Uplink {
	return &Uplink{agreement: a, proposer: p, journals: j, meshKey: k, leader: leader, adopter: adopter, applied: applied, env: e,
		confirmed: confirmed{marks: map[mesh.Origin]uint64{}}}
}

// confirmEvery is how often what central confirmed is committed (rule 3).
const confirmEvery = 10 * time.Second

// Run commits central's confirmations until ctx ends.
func (u *Uplink) Run(ctx context.Context) error {
	tick := time.NewTicker(confirmEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		marks := u.confirmed.take()
		if len(marks) == 0 {
			continue
		}
		var body decision.Confirm
		for o, n := range marks {
			body.Cursors = append(body.Cursors, decision.Mark{Origin: o, Number: n})
		}
		slices.SortFunc(body.Cursors, func(a, b decision.Mark) int { return a.Origin.Compare(b.Origin) })
		bounded, cancel := context.WithTimeout(ctx, confirmEvery)
		if _, err := u.proposer.Propose(bounded, body); err != nil {
			u.confirmed.again()
			u.env.Log.Warn("central's confirmation was not committed; it is tried again", "error", err)
		}
		cancel()
	}
}

// key is one key set as central gets it; the bytes travel base64 in JSON.
type key struct {
	Customer string `json:"customer,omitempty"`
	Day      string `json:"day,omitempty"` // 2026-11-24
	ID       []byte `json:"id"`
	Data     []byte `json:"data"`
	Identity []byte `json:"identity"`
}

func keyOf(k seal.Key) key {
	return key{ID: k.ID[:], Data: k.Data[:], Identity: k.Identity[:]}
}

// Keys answers central.keys.
func (u *Uplink) Keys(context.Context, []byte) ([]byte, error) {
	out := struct {
		Keys    []key `json:"keys"`
		DayKeys []key `json:"day_keys"`
	}{[]key{}, []key{}}
	for _, c := range u.agreement.Customers() {
		if k, state := u.agreement.CustomerKey(c); state == agreement.KeyPresent {
			j := keyOf(k)
			j.Customer = c
			out.Keys = append(out.Keys, j)
		}
	}
	for _, day := range u.agreement.Days() {
		if k, ok := u.agreement.DayKey(day); ok {
			j := keyOf(k)
			j.Day = day.String()
			out.DayKeys = append(out.DayKeys, j)
		}
	}
	return json.Marshal(out)
}

// Open answers central.open: the customer's keys, made when there are none.
func (u *Uplink) Open(ctx context.Context, req []byte) ([]byte, error) {
	var in struct {
		Customer string `json:"customer"`
	}
	if err := json.Unmarshal(req, &in); err != nil || in.Customer == "" {
		return nil, errors.New(`central.open: want {"customer": id}`)
	}
	if _, state := u.agreement.CustomerKey(in.Customer); state != agreement.KeyPresent {
		k := seal.NewKey()
		wrapped, err := u.meshKey.Wrap(k, in.Customer)
		if err != nil {
			return nil, err
		}
		res, err := u.proposer.Propose(ctx, decision.PutKeys{Customer: in.Customer, KeyID: k.ID[:], Wrapped: wrapped})
		if err != nil {
			return nil, err
		}
		if err := res.Err(); err != nil {
			return nil, err
		}
	}
	for {
		changed := u.agreement.Changed()
		if k, state := u.agreement.CustomerKey(in.Customer); state == agreement.KeyPresent {
			j := keyOf(k)
			j.Customer = in.Customer
			return json.Marshal(j)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("central.open: the keys are committed and not yet applied here: %w", ctx.Err())
		case <-changed:
		}
	}
}

// Put answers central.put: a roster document into the agreement.
func (u *Uplink) Put(ctx context.Context, req []byte) ([]byte, error) {
	var body decision.PutDocument
	if err := json.Unmarshal(req, &body); err != nil || body.Customer == "" {
		return nil, errors.New(`central.put: want {"customer", "part", "revision", "sealed"}`)
	}
	res, err := u.proposer.Propose(ctx, body)
	if err != nil {
		return nil, err
	}
	if res.Refusal != nil && res.Refusal.Reason == agreement.ReasonRevision {
		// The answer to an earlier try was lost: this very revision stands.
		if d, ok := u.agreement.Document(body.Customer, body.Part); ok && d.Revision == body.Revision {
			return json.Marshal(map[string]uint64{"index": d.Index})
		}
	}
	if err := res.Err(); err != nil {
		return nil, err
	}
	return json.Marshal(map[string]uint64{"index": res.Index})
}

// appliedEvery is how often Applied looks.
const appliedEvery = 2 * time.Millisecond

// Applied answers central.applied once this node's roster reflects the index:
// what was put up to it holds here too.
func (u *Uplink) Applied(ctx context.Context, req []byte) ([]byte, error) {
	var in struct {
		Index uint64 `json:"index"`
	}
	if err := json.Unmarshal(req, &in); err != nil {
		return nil, errors.New(`central.applied: want {"index": number}`)
	}
	ctx, cancel := context.WithTimeout(ctx, confirmEvery)
	defer cancel()
	tick := time.NewTicker(appliedEvery)
	defer tick.Stop()
	for u.applied() < in.Index {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("central.applied: %w", ctx.Err())
		case <-tick.C:
		}
	}
	return []byte("{}"), nil
}

// Status answers central.status: which roster of each customer stands; Parts are
// the revisions of further parts.
func (u *Uplink) Status(context.Context, []byte) ([]byte, error) {
	type document struct {
		Revision uint64         `json:"revision"`
		Index    uint64         `json:"index"`
		Parts    map[int]uint64 `json:"parts,omitempty"`
	}
	out := struct {
		Documents map[string]document `json:"documents"`
		Leader    string              `json:"leader"`
	}{map[string]document{}, u.leader()}
	for of, d := range u.agreement.Documents() {
		doc := out.Documents[of.Customer]
		if of.Part == 0 {
			doc.Revision, doc.Index = d.Revision, d.Index
		} else {
			if doc.Parts == nil {
				doc.Parts = map[int]uint64{}
			}
			doc.Parts[of.Part] = d.Revision
		}
		out.Documents[of.Customer] = doc
	}
	return json.Marshal(out)
}
