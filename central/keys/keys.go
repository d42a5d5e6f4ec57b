// Package keys is central's ring of unwrapped keys: the customers', central's
// own, and the days'. They come from the mesh over central's certificate and
// live in this process's memory only; central never writes one anywhere.
//
// While the mesh has not been reached since the start, the ring is not ready
// and central says so. A key that the mesh no longer lists is destroyed and is
// forgotten here, see missingFor. New starts nothing; Run refreshes until
// its context ends and is the only goroutine.
package keys

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"vedetta/cluster/env"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Central is the customer id of central's own keys.
const Central = "central"

// missingFor is how long a key must be missing from every refresh before it is
// forgotten, from the first that lacks it: two at least, this far apart. A
// refresh may come from a node that lags and doesn't list a key made a moment
// ago, or by another node for this very ring; one such answer must not take the
// key away. What the mesh's journal says is destroyed goes at once, see Destroyed;
// a node that lags behind that may bring it back for this long.
const missingFor = 30 * time.Second

// Mesh calls a method at any node that can be reached.
type Mesh interface {
	Call(ctx context.Context, method string, request []byte) ([]byte, error)
}

// ErrMissing says that keys could not be had from the mesh: try again later.
var ErrMissing = errors.New("keys are missing: the mesh was not reached")

// ErrUnknown says that the mesh was asked and doesn't have the key: destroyed,
// or made a moment ago at another node.
var ErrUnknown = errors.New("the mesh does not know this key")

// Ring holds the keys.
type Ring struct {
	mesh Mesh
	log  *slog.Logger

	mu        sync.RWMutex // guards the variables below; never held while waiting
	byID      map[seal.KeyID]Owned
	customers map[string]seal.Key
	missing   map[seal.KeyID]time.Time // since when every refresh lacks it
	changed   chan struct{}
	refreshed time.Time
}

// Owned is a key with whose it is: a customer, or a day when Customer is empty.
type Owned struct {
	seal.Key
	Customer string
	Day      mesh.Day
}

// New makes an empty ring.
func New(m Mesh, e env.Env) *Ring {
	return &Ring{mesh: m, log: e.Log, byID: map[seal.KeyID]Owned{}, customers: map[string]seal.Key{},
		missing: map[seal.KeyID]time.Time{}, changed: make(chan struct{})}
}

// Forms of the calls central.keys and central.open (node/uplink answers them).
type (
	wireKey struct {
		Customer string   `json:"customer,omitempty"`
		Day      *wireDay `json:"day,omitempty"`
		ID       []byte   `json:"id"`
		Data     []byte   `json:"data"`
		Identity []byte   `json:"identity"`
	}
	wireKeys struct {
		Keys    []wireKey `json:"keys"`
		DayKeys []wireKey `json:"day_keys"`
	}
	openRequest struct {
		Customer string `json:"customer"`
	}
	wireDay mesh.Day
)

// UnmarshalJSON takes a day as number or as "2026-11-24".
func (d *wireDay) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		t, err := time.Parse(`"`+time.DateOnly+`"`, string(b))
		if err != nil {
			return fmt.Errorf("day %s: want a number or YYYY-MM-DD", b)
		}
		*d = wireDay(mesh.DayOf(t))
		return nil
	}
	var n uint32
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("day %s: want a number or YYYY-MM-DD", b)
	}
	*d = wireDay(n)
	return nil
}

func (w wireKey) key() (seal.Key, error) {
	var k seal.Key
	if len(w.ID) != len(k.ID) || len(w.Data) != len(k.Data) || len(w.Identity) != len(k.Identity) {
		return k, fmt.Errorf("a key has %d, %d, %d bytes, want %d, %d, %d", len(w.ID), len(w.Data), len(w.Identity), len(k.ID), len(k.Data), len(k.Identity))
	}
	copy(k.ID[:], w.ID)
	copy(k.Data[:], w.Data)
	copy(k.Identity[:], w.Identity)
	return k, nil
}

// Run refreshes every 10 s, every second while there is nothing yet.
func (r *Ring) Run(ctx context.Context) error {
	var said bool
	for {
		err := r.Refresh(ctx)
		if err == nil && !r.Ready() {
			_, err = r.Customer(ctx, Central) // made by the mesh at the first call
		}
		wait := 10 * time.Second
		if err != nil && ctx.Err() == nil {
			if !said {
				r.log.Warn("keys not had from the mesh", "err", err)
			}
			said, wait = true, time.Second
		} else if said && err == nil {
			r.log.Info("keys had from the mesh")
			said = false
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// Refresh takes over what the mesh lists now, and forgets what is missing for long.
func (r *Ring) Refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	answer, err := r.mesh.Call(ctx, "central.keys", []byte("{}"))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMissing, err)
	}
	var list wireKeys
	if err := json.Unmarshal(answer, &list); err != nil {
		return fmt.Errorf("%w: answer of central.keys: %w", ErrMissing, err)
	}
	byID, customers := map[seal.KeyID]Owned{}, map[string]seal.Key{}
	for _, w := range list.Keys {
		k, err := w.key()
		if err != nil {
			return fmt.Errorf("%w: customer %s: %w", ErrMissing, w.Customer, err)
		}
		byID[k.ID] = Owned{Key: k, Customer: w.Customer}
		customers[w.Customer] = k
	}
	for _, w := range list.DayKeys {
		k, err := w.key()
		if err != nil || w.Day == nil {
			return fmt.Errorf("%w: a day's key: %w", ErrMissing, err)
		}
		byID[k.ID] = Owned{Key: k, Day: mesh.Day(*w.Day)}
	}
	r.take(byID, customers, time.Now())
	return nil
}

func (r *Ring) take(byID map[seal.KeyID]Owned, customers map[string]seal.Key, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	news := false
	for id, k := range byID {
		if _, had := r.byID[id]; !had {
			news = true
		}
		r.byID[id] = k
		delete(r.missing, id)
	}
	maps.Copy(r.customers, customers)
	for id, k := range r.byID {
		if _, listed := byID[id]; listed {
			continue
		}
		since, known := r.missing[id]
		switch {
		case !known:
			r.missing[id] = now
		case now.Sub(since) >= missingFor:
			delete(r.byID, id)
			delete(r.missing, id)
			if r.customers[k.Customer].ID == id {
				delete(r.customers, k.Customer)
			}
		}
	}
	r.refreshed = now
	if news {
		close(r.changed)
		r.changed = make(chan struct{})
	}
}

// Destroyed forgets what the mesh decided to destroy: a customer's key, or a
// day's when customer is empty. Neither is ever made anew.
func (r *Ring) Destroyed(customer string, day mesh.Day) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, k := range r.byID {
		if k.Customer == customer && (customer != "" || k.Day == day) {
			delete(r.byID, id)
			delete(r.missing, id)
		}
	}
	delete(r.customers, customer)
}

// Ready tells whether central's own key is here: without it nothing personal
// can be read or looked up.
func (r *Ring) Ready() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.customers[Central]
	return ok
}

// Changed is closed when a key has come that was not here before.
func (r *Ring) Changed() <-chan struct{} {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.changed
}

// Own is central's own key.
func (r *Ring) Own() (seal.Key, error) { return r.Of(Central) }

// Of is a customer's key, from memory only.
func (r *Ring) Of(customer string) (seal.Key, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	k, ok := r.customers[customer]
	switch {
	case ok:
		return k, nil
	case r.refreshed.IsZero():
		return k, fmt.Errorf("key of %s: %w", customer, ErrMissing)
	}
	return k, fmt.Errorf("key of %s: %w", customer, ErrUnknown)
}

// Customer is a customer's key, made by the mesh when it has none.
func (r *Ring) Customer(ctx context.Context, customer string) (seal.Key, error) {
	if k, err := r.Of(customer); err == nil {
		return k, nil
	}
	request, err := json.Marshal(openRequest{customer})
	if err != nil {
		return seal.Key{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	answer, err := r.mesh.Call(ctx, "central.open", request)
	if err != nil {
		return seal.Key{}, fmt.Errorf("key of %s: %w: %w", customer, ErrMissing, err)
	}
	var w wireKey
	if err := json.Unmarshal(answer, &w); err != nil {
		return seal.Key{}, fmt.Errorf("key of %s: answer of central.open: %w", customer, err)
	}
	k, err := w.key()
	if err != nil {
		return seal.Key{}, fmt.Errorf("key of %s: answer of central.open: %w", customer, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.customers[customer] = k
	r.byID[k.ID] = Owned{Key: k, Customer: customer}
	close(r.changed)
	r.changed = make(chan struct{})
	return k, nil
}

// ByID finds the key that a sealed value names. The error is ErrUnknown when
// the mesh lists no such key, ErrMissing when it was never reached.
func (r *Ring) ByID(id seal.KeyID) (Owned, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	k, ok := r.byID[id]
	switch {
	case ok:
		return k, nil
	case r.refreshed.IsZero():
		return k, fmt.Errorf("key %s: %w", id, ErrMissing)
	}
	return k, fmt.Errorf("key %s: %w", id, ErrUnknown)
}

// OpenRecord opens a record's seal with the key that it names.
func (r *Ring) OpenRecord(rec mesh.Record) ([]byte, Owned, error) {
	id, err := seal.IDOf(rec.Sealed)
	if err != nil {
		return nil, Owned{}, fmt.Errorf("record %s: %w", rec.Position(), err)
	}
	k, err := r.ByID(id)
	if err != nil {
		return nil, Owned{}, err
	}
	plain, err := seal.Open(k.Key, rec.Header, rec.Sealed)
	if err != nil {
		return nil, Owned{}, fmt.Errorf("record %s: %w", rec.Position(), err)
	}
	return plain, k, nil
}
