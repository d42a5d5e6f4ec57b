package premises

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"vedetta/central/store"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// kind is one of the three tables that have the same form.
type kind struct{ table, purpose string }

var (
	panels   = kind{"panels", "panel:"}
	contacts = kind{"contacts", "contact:"}
	rules    = kind{"rules", "rule:"}
)

// row is one opened row. Its tag changes with every write: a seal never has the
// same bytes twice.
type row struct {
	id, tag   string
	createdMs int64
	plain     []byte
}

// record is what stands in a body besides the document's part.
type record struct {
	Revision uint64 `json:"revision,omitempty"` // of the customer's document with the last change
	KeyForm  string `json:"key_form,omitempty"` // how a panel's key was typed

	NextKeyForm string `json:"next_key_form,omitempty"` // and its next one
}

func (k kind) rows(ctx context.Context, q store.Querier, key seal.Key, where string, args ...any) ([]row, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, sealed_body, created_ms FROM `+k.table+` WHERE customer_id = ?1 `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", k.table, err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	var out []row
	for rows.Next() {
		var r row
		var sealed []byte
		if err := rows.Scan(&r.id, &sealed, &r.createdMs); err != nil {
			return nil, fmt.Errorf("read %s: %w", k.table, err)
		}
		if r.plain, err = seal.OpenColumn(key, k.purpose+r.id, sealed); err != nil {
			return nil, fmt.Errorf("read %s: %w", k.table, err)
		}
		r.tag = tagOf(sealed)
		out = append(out, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", k.table, err)
	}
	return out, nil
}

func tagOf(sealed []byte) string {
	sum := sha256.Sum256(sealed)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// one finds a row, or ErrNone; with a tag only in the state that has it.
func (k kind) one(ctx context.Context, q store.Querier, key seal.Key, customer, id, tag string) (row, error) {
	found, err := k.rows(ctx, q, key, `AND id = ?2`, customer, id)
	switch {
	case err != nil:
		return row{}, err
	case len(found) == 0:
		return row{}, ErrNone
	case tag != "" && tag != found[0].tag:
		return row{}, ErrTag
	}
	return found[0], nil
}

// put writes a row that is new, or is this customer's already, and gives its tag.
func (c *Change) put(k kind, id string, body any, more ...any) (string, error) {
	plain, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	sealed := seal.SealColumn(c.key, k.purpose+id, plain)
	columns, values, set := "", "", ""
	part := 0
	if k == panels {
		had := false
		if part, had, err = c.partOf(id); err == nil && !had {
			part, err = c.place(len(sealed))
		}
		if err != nil {
			return "", err
		}
		more = append(more, "part", part)
	}
	for i := 0; i < len(more); i += 2 {
		n := strconv.Itoa(5 + i/2)
		name := more[i].(string)
		columns += ", " + name
		values += ", ?" + n
		set += ", " + name + " = ?" + n
	}
	args := []any{id, c.customer, sealed, c.now.UnixMilli()}
	for i := 1; i < len(more); i += 2 {
		args = append(args, more[i])
	}
	res, err := c.tx.ExecContext(c.ctx, `INSERT INTO `+k.table+`(id, customer_id, sealed_body, created_ms`+columns+`) VALUES(?1, ?2, ?3, ?4`+values+`)
		ON CONFLICT(id) DO UPDATE SET sealed_body = ?3`+set+` WHERE `+k.table+`.customer_id = ?2`, args...)
	if err != nil {
		return "", fmt.Errorf("put into %s: %w", k.table, err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 { // the id is another customer's
		return "", fmt.Errorf("put into %s: %w", k.table, errors.Join(err, ErrNone))
	}
	return tagOf(sealed), c.noteChange(k, id, part)
}

// noteChange also tells followers of the customer's streams about a panel.
func (c *Change) noteChange(k kind, id string, part int) error {
	c.changed[part] = true
	if k != panels {
		return nil
	}
	if _, err := c.tx.ExecContext(c.ctx, `INSERT INTO changes(customer_id, name, ref) VALUES(?1, 'panel', ?2)`, c.customer, id); err != nil {
		return fmt.Errorf("note change of panel %s: %w", id, err)
	}
	return nil
}

func (c *Change) delete(k kind, id string) error {
	part := 0
	if k == panels {
		var err error
		if part, _, err = c.partOf(id); err != nil {
			return err
		}
	}
	if _, err := c.tx.ExecContext(c.ctx, `DELETE FROM `+k.table+` WHERE customer_id = ?1 AND id = ?2`, c.customer, id); err != nil {
		return fmt.Errorf("delete from %s: %w", k.table, err)
	}
	return c.noteChange(k, id, part)
}

// room refuses one more than most.
func (c *Change) room(k kind, most int) error {
	var n int
	if err := c.tx.QueryRowContext(c.ctx, `SELECT count(*) FROM `+k.table+` WHERE customer_id = ?1`, c.customer).Scan(&n); err != nil {
		return fmt.Errorf("count %s: %w", k.table, err)
	}
	if n < most {
		return nil
	}
	var f Faults
	f.Add(k.table, "too_many", most)
	return f
}

// Page is one page of a list, in the order in which things were entered.
type Page[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"` // cursor of the page after, null at the end
}

// Query says which page.
type Query struct {
	Limit  int    // 1 or more
	Cursor string // Next of the page before; empty: the first
}

// ErrCursor says that a cursor was not made here.
var ErrCursor = errors.New("want a cursor as given in next")

// page opens one page of a table.
func page[T any](ctx context.Context, p *Premises, k kind, customer string, q Query, read func(reading, row) (T, error)) (Page[T], error) {
	out := Page[T]{Items: []T{}}
	ms, id, err := parseCursor(q.Cursor)
	if err != nil {
		return out, err
	}
	err = p.reading(ctx, customer, func(r reading) error {
		found, err := k.rows(ctx, r.q, r.key, `AND (created_ms > ?2 OR created_ms = ?2 AND id > ?3) ORDER BY created_ms, id LIMIT ?4`, customer, ms, id, q.Limit+1)
		if err != nil {
			return err
		}
		if len(found) > q.Limit {
			found = found[:q.Limit]
			last := found[q.Limit-1]
			next := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "1.%d.%s", last.createdMs, last.id))
			out.Next = &next
		}
		for _, f := range found {
			v, err := read(r, f)
			if err != nil {
				return fmt.Errorf("read %s %s: %w", k.table, f.id, err)
			}
			out.Items = append(out.Items, v)
		}
		return nil
	})
	return out, err
}

func parseCursor(s string) (ms int64, id string, err error) {
	if s == "" {
		return -1, "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	parts := strings.SplitN(string(b), ".", 3)
	if err != nil || len(parts) != 3 || parts[0] != "1" {
		return 0, "", ErrCursor
	}
	if ms, err = strconv.ParseInt(parts[1], 10, 64); err != nil {
		return 0, "", ErrCursor
	}
	return ms, parts[2], nil
}

// reading is one committed state, with what is needed to read a body in it. In
// a change it is the transaction's own.
type reading struct {
	ctx      context.Context
	q        store.Querier
	customer string
	key      seal.Key
	inForce  uint64 // revision of the document that the mesh has acknowledged
	once     *memo
}

// memo holds what several bodies of one reading are judged by.
type memo struct{ contacts []roster.Contact }

func (p *Premises) reading(ctx context.Context, customer string, fn func(reading) error) error {
	key, err := p.ring.Of(customer)
	if err != nil {
		return err
	}
	return p.db.Snapshot(ctx, func(q store.Querier) error {
		n, err := inForce(ctx, q, customer)
		if err != nil {
			return err
		}
		return fn(reading{ctx, q, customer, key, n, &memo{}})
	})
}

// inForce is the newest revision of which the mesh has acknowledged every part,
// those of all before it too.
func inForce(ctx context.Context, q store.Querier, customer string) (n uint64, err error) {
	err = q.QueryRowContext(ctx, `SELECT coalesce((SELECT min(revision) - 1 FROM outbox WHERE customer_id = ?1 AND sent_ms IS NULL),
		(SELECT revision FROM customers WHERE id = ?1), 0)`, customer).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("read outbox: %w", err)
	}
	return n, nil
}

// one reads a single body.
func one[T any](ctx context.Context, p *Premises, k kind, customer, id string, read func(reading, row) (T, error)) (v T, err error) {
	err = p.reading(ctx, customer, func(r reading) error {
		found, err := k.one(ctx, r.q, r.key, customer, id, "")
		if err != nil {
			return err
		}
		v, err = read(r, found)
		return err
	})
	return v, err
}
