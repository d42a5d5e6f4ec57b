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
	changed  bool
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
	c := &Change{tx: tx, ctx: ctx, cfg: p.cfg, ring: p.ring, customer: customer, now: now}
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
	if !c.changed {
		return nil
	}
	if err := c.fits(); err != nil {
		return err
	}
	return queue(ctx, tx, now, customer, 0)
}

// maxDocument bounds a customer's document, so that it fits into one call to
// the mesh (32 MiB, base64, some room).
const maxDocument = 16 << 20

// fits refuses what would make the document too large to be published.
func (c *Change) fits() error {
	var n int
	err := c.tx.QueryRowContext(c.ctx, `SELECT coalesce(sum(n), 0) FROM (
		SELECT sum(length(sealed_body)) AS n FROM panels WHERE customer_id = ?1 UNION ALL
		SELECT sum(length(sealed_body)) FROM contacts WHERE customer_id = ?1 UNION ALL
		SELECT sum(length(sealed_body)) FROM rules WHERE customer_id = ?1) AS parts`, c.customer).Scan(&n)
	if err != nil {
		return fmt.Errorf("measure document: %w", err)
	}
	if n <= maxDocument {
		return nil
	}
	var f Faults
	f.Add("", "too_large", maxDocument>>20)
	return f
}

// Hint wakes the publisher.
func (p *Premises) Hint() {
	select {
	case p.queue <- struct{}{}:
	default:
	}
}

// queue raises the revision above atLeast and writes the outbox row.
func queue(ctx context.Context, tx *sql.Tx, now time.Time, customer string, atLeast uint64) error {
	res, err := tx.ExecContext(ctx, `UPDATE customers SET revision = CASE WHEN revision < ?2 THEN ?2 ELSE revision END + 1 WHERE id = ?1`, customer, atLeast)
	if err != nil {
		return fmt.Errorf("raise revision of %s: %w", customer, err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("raise revision: customer %s does not exist: %w", customer, errors.Join(err, sql.ErrNoRows))
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO outbox(customer_id, revision, created_ms)
		SELECT id, revision, ?2 FROM customers WHERE id = ?1`, customer, now.UnixMilli())
	if err != nil {
		return fmt.Errorf("queue document of %s: %w", customer, err)
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

// Document is the customer's roster document and its revision, both of one
// committed state.
func (p *Premises) Document(ctx context.Context, customer string) (roster.Customer, uint64, error) {
	d := roster.Customer{ID: customer, Panels: []roster.Panel{}, Contacts: []roster.Contact{}, Rules: []roster.Rule{}}
	var revision uint64
	k, err := p.ring.Of(customer)
	if err != nil {
		return d, 0, err
	}
	err = p.db.Snapshot(ctx, func(q store.Querier) error {
		if err := q.QueryRowContext(ctx, `SELECT language, revision FROM customers WHERE id = ?1`, customer).Scan(&d.Language, &revision); err != nil {
			return err
		}
		err := bodies(ctx, q, k, "panel:", `SELECT id, sealed_body FROM panels WHERE customer_id = ?1 ORDER BY created_ms, id`, customer, &d.Panels)
		if err == nil {
			err = bodies(ctx, q, k, "contact:", `SELECT id, sealed_body FROM contacts WHERE customer_id = ?1 ORDER BY created_ms, id`, customer, &d.Contacts)
		}
		if err == nil {
			err = bodies(ctx, q, k, "rule:", `SELECT id, sealed_body FROM rules WHERE customer_id = ?1 ORDER BY created_ms, id`, customer, &d.Rules)
		}
		return err
	})
	if err != nil {
		return d, 0, fmt.Errorf("document of %s: %w", customer, err)
	}
	return d, revision, nil
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
