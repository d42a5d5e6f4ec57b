package centraltest

import (
	"context"
	"encoding/json"
	"fmt"

	"vedetta/central/premises"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Answer is what one node answers to central.marks.
type Answer struct {
	Version   int                    `json:"version"`
	Origins   map[mesh.Origin]Mark   `json:"origins"`
	Documents map[string]DocumentSum `json:"documents"`
}

// Mark is an origin at a node.
type Mark struct {
	Mark    uint64 `json:"mark"`
	Durable uint64 `json:"durable"`
	AtHash  []byte `json:"at_hash"`
}

// DocumentSum is a roster document at a node.
type DocumentSum struct {
	Revision uint64 `json:"revision"`
	Digest   []byte `json:"digest"`
}

// Nodes are the three of the test mesh.
func (m *Mesh) Nodes() []string { return []string{"arezzo", "limburg", "roubaix"} }

// Silence has a node answer nothing, or answer again.
func (m *Mesh) Silence(node string, silent bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.silent == nil {
		m.silent = map[string]bool{}
	}
	m.silent[node] = silent
}

// Twist changes what nodes answer to central.marks; nil: nothing.
func (m *Mesh) Twist(fn func(node string, a *Answer)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.twist = fn
}

// Ask answers central.marks as every node of a level mesh does.
func (m *Mesh) Ask(_ context.Context, node, method string, request []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down || m.silent[node] {
		return nil, ErrDown
	}
	if method == "central.applied" {
		return []byte("{}"), nil
	}
	if method != "central.marks" {
		return nil, fmt.Errorf("method %q is not known", method)
	}
	var q struct {
		Version   int                    `json:"version"`
		At        map[mesh.Origin]uint64 `json:"at"`
		Customers []string               `json:"customers"`
	}
	if err := json.Unmarshal(request, &q); err != nil {
		return nil, err
	}
	a := Answer{Version: q.Version, Origins: map[mesh.Origin]Mark{}, Documents: map[string]DocumentSum{}}
	for _, r := range m.records {
		k := a.Origins[r.Origin]
		k.Mark, k.Durable = r.Number, r.Number
		if q.At[r.Origin] == r.Number {
			k.AtHash = r.Hash[:]
		}
		a.Origins[r.Origin] = k
	}
	for _, c := range q.Customers {
		d, ok := m.documents[c]
		if !ok {
			continue
		}
		sum := DocumentSum{Revision: d.Revision}
		var all []byte
		for part := 0; part <= len(m.parts[c]); part++ {
			if part > 0 {
				d = m.parts[c][part]
			}
			plain, err := seal.OpenColumn(m.keys[c], "roster", d.Sealed)
			if err != nil {
				return nil, err
			}
			sum.Revision, sum.Digest = max(sum.Revision, d.Revision), premises.Digest(m.keys[c], plain)
			all = append(fmt.Appendf(all, "%d ", part), sum.Digest...)
		}
		if len(m.parts[c]) > 0 {
			sum.Digest = premises.Digest(m.keys[c], all)
		}
		a.Documents[c] = sum
	}
	if m.twist != nil {
		m.twist(node, &a)
	}
	return json.Marshal(a)
}
