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
	"time"

	"vedetta/central/keys"
	"vedetta/central/store"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// ErrTaken says that a panel with the same listener, prefix, receiver and
// account exists already.
var ErrTaken = errors.New("a panel with this account exists already")

// Premises reads and changes what customers have; safe for several goroutines.
type Premises struct {
	db    *store.DB
	ring  *keys.Ring
	queue chan struct{} // a hint to the publisher, one is enough
}

// New starts nothing.
func New(db *store.DB, ring *keys.Ring) *Premises {
	return &Premises{db: db, ring: ring, queue: make(chan struct{}, 1)}
}

// NewID is a random opaque id: 26 letters and digits.
func NewID() string { return strings.ToLower(rand.Text()) }

// Change is one transaction of changes to one customer's premises.
type Change struct {
	tx       *sql.Tx
	ctx      context.Context
	customer string
	key, own seal.Key
	now      time.Time
}

// Edit runs fn and, in the same transaction, raises the document's revision
// and queues it for the mesh.
func (p *Premises) Edit(ctx context.Context, now time.Time, customer string, fn func(c *Change) error) error {
	err := p.db.Write(ctx, func(tx *sql.Tx) error { return p.EditIn(ctx, tx, now, customer, fn) })
	if err == nil {
		p.Hint()
	}
	return err
}

// EditIn is Edit within a transaction of the caller's, who calls Hint after it.
func (p *Premises) EditIn(ctx context.Context, tx *sql.Tx, now time.Time, customer string, fn func(c *Change) error) error {
	c := &Change{tx: tx, ctx: ctx, customer: customer, now: now}
	var err error
	if c.key, err = p.ring.Of(customer); err != nil {
		return err
	}
	if c.own, err = p.ring.Own(); err != nil {
		return err
	}
	if err := fn(c); err != nil {
		return err
	}
	return queue(ctx, tx, now, customer, 0)
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

// PutPanel creates or replaces a panel by its id.
func (c *Change) PutPanel(v roster.Panel) error {
	if v.Listener == "" {
		v.Listener = "main"
	}
	if v.Zones == nil {
		v.Zones = []roster.Zone{}
	}
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	unique := c.own.Index("panel", uniqueText(v))
	var other string
	err = c.tx.QueryRowContext(c.ctx, `SELECT id FROM panels WHERE unique_index = ?1 AND id <> ?2`, unique, v.ID).Scan(&other)
	if err == nil {
		return ErrTaken
	} else if !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("put panel: %w", err)
	}
	_, err = c.tx.ExecContext(c.ctx, `INSERT INTO panels(id, customer_id, unique_index, account_index, sealed_body, created_ms)
		VALUES(?1, ?2, ?3, ?4, ?5, ?6)
		ON CONFLICT(id) DO UPDATE SET unique_index = ?3, account_index = ?4, sealed_body = ?5 WHERE panels.customer_id = ?2`,
		v.ID, c.customer, unique, AccountIndex(c.key, v.Account), seal.SealColumn(c.key, "panel:"+v.ID, body), c.now.UnixMilli())
	if err != nil {
		return fmt.Errorf("put panel: %w", err)
	}
	return nil
}

// AccountIndex is what events and panels are found by: the account's spelling
// in upper case under the customer's key.
func AccountIndex(k seal.Key, account string) []byte {
	return k.Index("account", strings.ToUpper(account))
}

func uniqueText(v roster.Panel) string {
	text := func(s *string) string {
		if s == nil {
			return "-"
		}
		return "=" + strings.ToUpper(*s)
	}
	return strings.Join([]string{v.Listener, text(v.Prefix), text(v.Receiver), strings.ToUpper(v.Account)}, "\x00")
}

// PutRule creates or replaces a rule by its id.
func (c *Change) PutRule(v roster.Rule) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.tx.ExecContext(c.ctx, `INSERT INTO rules(id, customer_id, sealed_body, created_ms) VALUES(?1, ?2, ?3, ?4)
		ON CONFLICT(id) DO UPDATE SET sealed_body = ?3 WHERE rules.customer_id = ?2`,
		v.ID, c.customer, seal.SealColumn(c.key, "rule:"+v.ID, body), c.now.UnixMilli())
	if err != nil {
		return fmt.Errorf("put rule: %w", err)
	}
	return nil
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
