// Package premises holds what a customer has told us: panels, contacts and
// rules. Every change is written together with an outbox row in one
// transaction, and a Publisher carries the customer's whole roster document to
// the mesh until the mesh has acknowledged it (config travels down).
//
// All bodies are sealed with the customer's key; a contact's name and addresses
// are Fernet tokens under a key of the contact's own inside that (N6). It
// decides nothing about alarms: the nodes do, by the document.
package premises

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"vedetta/central/keys"
	"vedetta/central/store"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// Config of premises.
type Config struct {
	AllowPrivate bool // webhooks and push endpoints at private and loopback addresses, http too
}

// Premises reads and changes what customers have; safe for several goroutines.
type Premises struct {
	cfg   Config
	db    *store.DB
	ring  *keys.Ring
	queue chan struct{} // a hint to the publisher, one is enough

	digests digests

	mu   sync.Mutex
	sent chan struct{} // closed and made anew when the mesh has acknowledged something
}

// New starts nothing.
func New(cfg Config, db *store.DB, ring *keys.Ring) *Premises {
	return &Premises{cfg: cfg, db: db, ring: ring, queue: make(chan struct{}, 1), sent: make(chan struct{})}
}

// NewID is a random opaque id: 26 letters and digits.
func NewID() string { return strings.ToLower(rand.Text()) }

// Change is one transaction of changes to one customer's premises.
type Change struct {
	tx       *sql.Tx
	ctx      context.Context
	cfg      Config
	ring     *keys.Ring
	customer string
	key, own seal.Key
	now      time.Time
	revision uint64 // of the document with this change
	inForce  uint64
	changed  map[int]bool // parts of the roster; empty: nothing was changed
	filled   map[int]load // how full the parts are, once a panel was placed
}

// Revision is that of the customer's document with this change.
func (c *Change) Revision() uint64 { return c.revision }

func (c *Change) reading() reading {
	return reading{c.ctx, c.tx, c.customer, c.key, c.inForce, &memo{}}
}

// Edit runs fn and, in the same transaction, raises the document's revision
// and queues it for the mesh, unless fn has changed nothing.
func (p *Premises) Edit(ctx context.Context, now time.Time, customer string, fn func(c *Change) error) error {
	err := p.db.Write(ctx, func(tx *sql.Tx) error { return p.EditIn(ctx, tx, now, customer, fn) })
	if err == nil {
		p.Hint()
	}
	return err
}

// EditIn is Edit within a transaction of the caller's, who calls Hint after it.
func (p *Premises) EditIn(ctx context.Context, tx *sql.Tx, now time.Time, customer string, fn func(c *Change) error) error {
	c := &Change{tx: tx, ctx: ctx, cfg: p.cfg, ring: p.ring, customer: customer, now: now, changed: map[int]bool{}}
	err := tx.QueryRowContext(ctx, `SELECT revision + 1 FROM customers WHERE id = ?1`, customer).Scan(&c.revision)
	if err != nil {
		return fmt.Errorf("edit premises of %s: %w", customer, err)
	}
	if c.inForce, err = inForce(ctx, tx, customer); err != nil {
		return err
	}
	if c.key, err = p.ring.Of(customer); err != nil {
		return err
	}
	if c.own, err = p.ring.Own(); err != nil {
		return err
	}
	if err := fn(c); err != nil {
		return err
	}
	if len(c.changed) == 0 {
		return nil
	}
	if err := c.fits(); err != nil {
		return err
	}
	return queue(ctx, tx, now, customer, 0, slices.Sorted(maps.Keys(c.changed)))
}

// Hint wakes the publisher.
func (p *Premises) Hint() {
	select {
	case p.queue <- struct{}{}:
	default:
	}
}

// queue raises the revision above atLeast and writes an outbox row for each of
// these parts; for part 0 too when it was never sent, as it goes first.
func queue(ctx context.Context, tx *sql.Tx, now time.Time, customer string, atLeast uint64, parts []int) error {
	res, err := tx.ExecContext(ctx, `UPDATE customers SET revision = CASE WHEN revision < ?2 THEN ?2 ELSE revision END + 1 WHERE id = ?1`, customer, atLeast)
	if err != nil {
		return fmt.Errorf("raise revision of %s: %w", customer, err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("raise revision: customer %s does not exist: %w", customer, errors.Join(err, sql.ErrNoRows))
	}
	if parts[0] != 0 {
		var had int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM roster_parts WHERE customer_id = ?1 AND part = 0`, customer).Scan(&had); err != nil {
			return fmt.Errorf("queue roster of %s: %w", customer, err)
		}
		if had == 0 {
			parts = append([]int{0}, parts...)
		}
	}
	for _, part := range parts {
		_, err := tx.ExecContext(ctx, `INSERT INTO roster_parts(customer_id, part, revision) SELECT id, ?2, revision FROM customers WHERE id = ?1
			ON CONFLICT(customer_id, part) DO UPDATE SET revision = excluded.revision`, customer, part)
		if err == nil {
			_, err = tx.ExecContext(ctx, `INSERT INTO outbox(customer_id, part, revision, created_ms) SELECT id, ?2, revision, ?3 FROM customers WHERE id = ?1`, customer, part, now.UnixMilli())
		}
		if err != nil {
			return fmt.Errorf("queue roster of %s: %w", customer, err)
		}
	}
	return nil
}

// AccountIndex is what events and panels are found by: the account's spelling
// in upper case under the customer's key.
func AccountIndex(k seal.Key, account string) []byte {
	return k.Index("account", strings.ToUpper(account))
}

// PutRule creates or replaces a rule by its id, as it is.
func (c *Change) PutRule(v roster.Rule) error {
	_, err := c.put(rules, v.ID, storedRule{v, record{Revision: c.revision}})
	return err
}

// Panel finds one panel of a customer; ok is false when there is none.
func Panel(ctx context.Context, q store.Querier, k seal.Key, customer, id string) (v roster.Panel, ok bool, err error) {
	var list []roster.Panel
	err = bodies(ctx, q, k, "panel:", `SELECT id, sealed_body FROM panels WHERE customer_id = ?1 AND id = ?2`, customer, &list, id)
	if err != nil || len(list) == 0 {
		return v, false, err
	}
	return list[0], true, nil
}

func bodies[T any](ctx context.Context, q store.Querier, k seal.Key, purpose, query, customer string, out *[]T, more ...any) error {
	rows, err := q.QueryContext(ctx, query, append([]any{customer}, more...)...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err below
	for rows.Next() {
		var id string
		var sealed []byte
		if err := rows.Scan(&id, &sealed); err != nil {
			return err
		}
		plain, err := seal.OpenColumn(k, purpose+id, sealed)
		if err != nil {
			return err
		}
		var v T
		if err := json.Unmarshal(plain, &v); err != nil {
			return fmt.Errorf("%s%s: %w", purpose, id, err)
		}
		*out = append(*out, v)
	}
	return rows.Err()
}

// ZoneName is what the owner calls a zone; empty when it has no name. Leading
// zeros make no difference.
func ZoneName(v roster.Panel, number string) string {
	trim := func(s string) string { return strings.TrimLeft(s, "0") }
	if number == "" {
		return ""
	}
	for _, z := range v.Zones {
		if trim(z.Number) == trim(number) {
			return z.Name
		}
	}
	return ""
}
