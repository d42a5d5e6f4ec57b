package premises

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"vedetta/central/store"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// A part of a roster is full with so many panels or bytes. It is small enough
// that the change of one panel costs little on its way and at the nodes, and
// that its command doesn't hold up the agreement.
const (
	partPanels = 400
	partBytes  = 384 << 10
)

// maxPart bounds a part all the same: panels in it grow, and part 0 holds
// contacts and rules. As a command it has a third more, of at most 4 MiB.
const maxPart = 2 << 20

// load is how full a part is.
type load struct{ panels, bytes int }

// place finds the part that a new panel of so many bytes goes to, the first
// with room; it stays there.
func (c *Change) place(bytes int) (int, error) {
	if c.filled == nil {
		c.filled = map[int]load{}
		rows, err := c.tx.QueryContext(c.ctx, `SELECT part, count(*), sum(length(sealed_body)) FROM panels WHERE customer_id = ?1 GROUP BY part`, c.customer)
		if err != nil {
			return 0, fmt.Errorf("measure roster: %w", err)
		}
		defer rows.Close() //nolint:errcheck // Err below
		for rows.Next() {
			var part int
			var l load
			if err := rows.Scan(&part, &l.panels, &l.bytes); err != nil {
				return 0, fmt.Errorf("measure roster: %w", err)
			}
			c.filled[part] = l
		}
		if err := rows.Err(); err != nil {
			return 0, fmt.Errorf("measure roster: %w", err)
		}
	}
	part := 0
	for l := c.filled[part]; l.panels >= partPanels || l.panels > 0 && l.bytes+bytes > partBytes; l = c.filled[part] {
		part++
	}
	l := c.filled[part]
	c.filled[part] = load{l.panels + 1, l.bytes + bytes}
	return part, nil
}

// partOf is the part of a panel; ok is false when there is no such panel.
func (c *Change) partOf(id string) (part int, ok bool, err error) {
	err = c.tx.QueryRowContext(c.ctx, `SELECT part FROM panels WHERE customer_id = ?1 AND id = ?2`, c.customer, id).Scan(&part)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	} else if err != nil {
		return 0, false, fmt.Errorf("find panel: %w", err)
	}
	return part, true, nil
}

// fits refuses what would make a changed part too large to be published.
func (c *Change) fits() error {
	for part := range c.changed {
		query := `SELECT coalesce(sum(length(sealed_body)), 0) FROM panels WHERE customer_id = ?1 AND part = ?2`
		if part == 0 {
			query = `SELECT coalesce(sum(n), 0) FROM (
				SELECT sum(length(sealed_body)) AS n FROM panels WHERE customer_id = ?1 AND part = ?2 UNION ALL
				SELECT sum(length(sealed_body)) FROM contacts WHERE customer_id = ?1 UNION ALL
				SELECT sum(length(sealed_body)) FROM rules WHERE customer_id = ?1) AS parts`
		}
		var n int
		if err := c.tx.QueryRowContext(c.ctx, query, c.customer, part).Scan(&n); err != nil {
			return fmt.Errorf("measure roster: %w", err)
		}
		if n > maxPart {
			var f Faults
			f.Add("", "too_large", maxPart>>20)
			return f
		}
	}
	return nil
}

// every is the part number that means all of them in one document.
const every = -1

// Document is the customer's whole roster as one document, and its revision,
// both of one committed state.
func (p *Premises) Document(ctx context.Context, customer string) (roster.Customer, uint64, error) {
	return p.document(ctx, customer, every)
}

// Main is part 0 of the roster: contacts, rules and some of the panels.
func (p *Premises) Main(ctx context.Context, customer string) (roster.Customer, error) {
	d, _, err := p.document(ctx, customer, 0)
	return d, err
}

// document is one part of the roster with the revision that it has.
func (p *Premises) document(ctx context.Context, customer string, part int) (roster.Customer, uint64, error) {
	d := roster.Customer{ID: customer, Part: max(part, 0), Panels: []roster.Panel{}, Contacts: []roster.Contact{}, Rules: []roster.Rule{}}
	k, err := p.ring.Of(customer)
	if err != nil {
		return d, 0, err
	}
	var revision uint64
	err = p.db.Snapshot(ctx, func(q store.Querier) error {
		revision, err = read(ctx, q, k, customer, part, &d)
		return err
	})
	if err != nil {
		return d, 0, fmt.Errorf("document of %s: %w", customer, err)
	}
	return d, revision, nil
}

func read(ctx context.Context, q store.Querier, k seal.Key, customer string, part int, d *roster.Customer) (revision uint64, err error) {
	err = q.QueryRowContext(ctx, `SELECT language, CASE WHEN ?2 < 0 THEN revision ELSE
		coalesce((SELECT revision FROM roster_parts WHERE customer_id = ?1 AND part = ?2), 0) END FROM customers WHERE id = ?1`, customer, part).Scan(&d.Language, &revision)
	if err != nil {
		return 0, err
	}
	if part == every {
		err = bodies(ctx, q, k, "panel:", `SELECT id, sealed_body FROM panels WHERE customer_id = ?1 ORDER BY created_ms, id`, customer, &d.Panels)
	} else {
		err = bodies(ctx, q, k, "panel:", `SELECT id, sealed_body FROM panels WHERE customer_id = ?1 AND part = ?2 ORDER BY created_ms, id`, customer, &d.Panels, part)
	}
	if err == nil && part <= 0 {
		err = bodies(ctx, q, k, "contact:", `SELECT id, sealed_body FROM contacts WHERE customer_id = ?1 ORDER BY created_ms, id`, customer, &d.Contacts)
	}
	if err == nil && part <= 0 {
		err = bodies(ctx, q, k, "rule:", `SELECT id, sealed_body FROM rules WHERE customer_id = ?1 ORDER BY created_ms, id`, customer, &d.Rules)
	}
	return revision, err
}

// Wanted is what every node should have applied of a customer: the newest
// revision, and the digest of the document, or, when there are several, of
// their digests in order. Zero: nothing yet.
func (p *Premises) Wanted(ctx context.Context, customer string) (revision uint64, digest []byte, err error) {
	k, err := p.ring.Of(customer)
	if err != nil {
		return 0, nil, err
	}
	err = p.db.Snapshot(ctx, func(q store.Querier) error {
		list, err := partsOf(ctx, q, customer)
		if err != nil {
			return err
		}
		var all []byte
		for _, part := range list {
			d := roster.Customer{ID: customer, Part: part.number, Panels: []roster.Panel{}, Contacts: []roster.Contact{}, Rules: []roster.Rule{}}
			one, known := p.digests.of(customer, part, k.ID)
			if !known {
				if _, err := read(ctx, q, k, customer, part.number, &d); err != nil {
					return err
				}
				plain, err := roster.Marshal(d)
				if err != nil {
					return err
				}
				one = Digest(k, plain)
				p.digests.keep(customer, part, k.ID, one)
			}
			revision = max(revision, part.revision)
			if len(list) == 1 {
				digest = one
				return nil
			}
			all = append(fmt.Appendf(all, "%d ", part.number), one...)
		}
		if len(list) > 1 {
			digest = Digest(k, all)
		}
		return nil
	})
	if err != nil {
		return 0, nil, fmt.Errorf("digest of the roster of %s: %w", customer, err)
	}
	return revision, digest, nil
}

type partRevision struct {
	number   int
	revision uint64
}

func partsOf(ctx context.Context, q store.Querier, customer string) (list []partRevision, err error) {
	rows, err := q.QueryContext(ctx, `SELECT part, revision FROM roster_parts WHERE customer_id = ?1 ORDER BY part`, customer)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err below
	for rows.Next() {
		var r partRevision
		if err := rows.Scan(&r.number, &r.revision); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}
