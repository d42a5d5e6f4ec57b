package uplink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"vedetta/node/agreement"
	"vedetta/node/intake"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Adopter journals a held message anew as a panel's.
type Adopter interface {
	Adopt(ctx context.Context, held mesh.Position, m entry.Message, as intake.Adoption) (mesh.Position, intake.Adopted, error)
}

// Bounds and version of central.adopt.
const (
	adoptVersion = 1
	maxAdopted   = 500 // entries of one call
)

type adoptRequest struct {
	Version  int             `json:"version"`
	Customer string          `json:"customer"`
	Panel    string          `json:"panel"`
	Tell     entry.Tell      `json:"tell"`
	Entries  []mesh.Position `json:"entries"`
}

// adoptAnswer tells of every entry that was come by; central asks again for the
// rest. An adopted one has the position of its new entry.
type adoptAnswer struct {
	Version int            `json:"version"`
	Entries []adoptedEntry `json:"entries"`
}

type adoptedEntry struct {
	Entry   mesh.Position  `json:"entry"`
	Outcome intake.Adopted `json:"outcome"`
	Adopted mesh.Position  `json:"adopted,omitzero"`
}

// Adopt answers central.adopt: held messages become messages of a panel, in the
// order in which they are named. Only what was sealed with a day's key can be:
// a customer's own entries are never given to another.
func (u *Uplink) Adopt(ctx context.Context, req []byte) ([]byte, error) {
	var in adoptRequest
	if err := json.Unmarshal(req, &in); err != nil {
		return nil, errors.New(`central.adopt: want {"version", "customer", "panel", "tell", "entries"}`)
	}
	switch {
	case in.Version != adoptVersion:
		return nil, fmt.Errorf("central.adopt: version %d, want %d", in.Version, adoptVersion)
	case in.Customer == "" || in.Panel == "" || !in.Tell.Known() || len(in.Entries) > maxAdopted:
		return nil, fmt.Errorf("central.adopt: want a customer, a panel, tell of recent, all or none, and at most %d entries", maxAdopted)
	}
	out := adoptAnswer{Version: adoptVersion, Entries: []adoptedEntry{}}
	for _, p := range in.Entries {
		done := adoptedEntry{Entry: p}
		m, err := u.held(p)
		switch {
		case errors.Is(err, errGone):
			done.Outcome = intake.AdoptedGone
		case err == nil:
			done.Adopted, done.Outcome, err = u.adopter.Adopt(ctx, p, m, intake.Adoption{Customer: in.Customer, Panel: in.Panel, Tell: in.Tell})
		}
		if err != nil && done.Outcome == "" {
			if len(out.Entries) == 0 {
				return nil, fmt.Errorf("central.adopt: %s: %w", p, err)
			}
			break // what is done is told
		}
		out.Entries = append(out.Entries, done)
	}
	return json.Marshal(out)
}

var errGone = errors.New("the held message is not here any more, or can't be read")

// held reads a message that is nobody's.
func (u *Uplink) held(p mesh.Position) (m entry.Message, err error) {
	if p.Number > u.journals.Durable(p.Origin) {
		return m, fmt.Errorf("not durable as far as this node knows: %w", intake.ErrNotNow)
	}
	if mark, _ := u.journals.MarkAndHash(p.Origin); p.Number > mark {
		return m, fmt.Errorf("not flushed here yet: %w", intake.ErrNotNow)
	}
	records, err := u.journals.Read(p.Origin, p.Number, p.Number, 1)
	if err != nil {
		return m, err
	}
	if len(records) == 0 || records[0].Number != p.Number || records[0].Kind != mesh.KindMessage {
		return m, errGone
	}
	r := records[0]
	id, err := seal.IDOf(r.Sealed)
	if err != nil {
		return m, errGone
	}
	k, customer, state := u.agreement.Key(id)
	switch {
	case state == agreement.KeyUnknown:
		return m, fmt.Errorf("key not applied here: %w", intake.ErrNotNow)
	case state != agreement.KeyPresent || customer != "":
		return m, errGone
	}
	plain, err := seal.Open(k, r.Header, r.Sealed)
	if err != nil {
		return m, errGone
	}
	if m, err = entry.Unmarshal(plain); err != nil {
		if errors.Is(err, entry.ErrVersion) {
			return m, err
		}
		return m, errGone
	}
	return m, nil
}
