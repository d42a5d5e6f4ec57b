package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"vedetta/node/agreement"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Version of the form of central.marks; a request of a higher one is refused.
const marksVersion = 1

// Purposes of a roster document's seal, and of the keyed digest by which
// central compares what it wants with what is applied here.
const (
	documentPurpose = "roster"
	digestPurpose   = "roster digest"
)

// marksRequest says where running hashes are wanted and which customers'
// documents: a part at a time, however many there are.
type marksRequest struct {
	Version   int                    `json:"version"`
	At        map[mesh.Origin]uint64 `json:"at"`
	Customers []string               `json:"customers"`
}

// originMark is how an origin is held at this node. AtHash is the running hash
// at the number that was asked for; null when the node doesn't hold it.
type originMark struct {
	Mark    uint64 `json:"mark"`
	Durable uint64 `json:"durable"`
	AtHash  []byte `json:"at_hash"`
}

// documentMark is a customer's roster document as applied at this node. Digest
// is keyed with the customer's key, so that it tells nothing without it; null
// when the document can't be opened here.
type documentMark struct {
	Revision uint64 `json:"revision"`
	Digest   []byte `json:"digest"`
}

// Marks answers central.marks: how far this very node holds each origin, its
// running hashes where central asks for them, and the digests of the documents
// that it has applied. What stands here and at central can then be compared
// without sending it again.
func (u *Uplink) Marks(_ context.Context, req []byte) ([]byte, error) {
	var in marksRequest
	if err := json.Unmarshal(req, &in); err != nil {
		return nil, errors.New(`central.marks: want {"version", "at", "customers"}`)
	}
	if in.Version != marksVersion {
		return nil, fmt.Errorf("central.marks: version %d, want %d", in.Version, marksVersion)
	}
	out := struct {
		Version   int                        `json:"version"`
		Origins   map[mesh.Origin]originMark `json:"origins"`
		Documents map[string]documentMark    `json:"documents"`
	}{marksVersion, map[mesh.Origin]originMark{}, map[string]documentMark{}}
	for _, o := range u.journals.Origins() {
		mark, hash := u.journals.MarkAndHash(o)
		m := originMark{Mark: mark, Durable: u.journals.Durable(o)}
		switch at := in.At[o]; {
		case at == 0 || at > mark:
		case at == mark:
			m.AtHash = hash[:]
		default:
			records, err := u.journals.Read(o, at, at, 1)
			if err != nil {
				return nil, fmt.Errorf("central.marks: %w", err)
			}
			if len(records) > 0 && records[0].Number == at {
				m.AtHash = records[0].Hash[:]
			}
		}
		out.Origins[o] = m
	}
	for _, c := range in.Customers {
		if list := u.agreement.Roster(c); list != nil {
			out.Documents[c] = u.documentMark(c, list)
		}
	}
	return json.Marshal(out)
}

// documentMark is the newest revision among a customer's parts and the digest
// of all: of the only one's text, or of the parts' digests in their order.
func (u *Uplink) documentMark(customer string, list map[int]agreement.Document) documentMark {
	var m documentMark
	k, state := u.agreement.CustomerKey(customer)
	var all []byte
	for _, part := range slices.Sorted(maps.Keys(list)) {
		d := list[part]
		m.Revision = max(m.Revision, d.Revision)
		if state != agreement.KeyPresent {
			continue
		}
		plain, err := seal.OpenColumn(k, documentPurpose, d.Sealed)
		if err != nil {
			state = agreement.KeyUnknown
			continue
		}
		digest := k.Index(digestPurpose, string(plain))
		if len(list) == 1 {
			all = digest
			continue
		}
		all = append(fmt.Appendf(all, "%d ", part), digest...)
	}
	if state == agreement.KeyPresent {
		m.Digest = all
		if len(list) > 1 {
			m.Digest = k.Index(digestPurpose, string(all))
		}
	}
	return m
}
