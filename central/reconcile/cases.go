package reconcile

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vedetta/central/store"
	"vedetta/wire/seal"
)

const caseColumns = `id, kind, unit, place, coalesce(customer_id, ''), state, expected, found, goal, since_ms, seen_ms, coalesce(opened_ms, 0), coalesce(closed_ms, 0)`

func scanCase(r row, more ...any) (c Case, err error) {
	var goal, since, seen, opened, closed int64
	err = r.Scan(append([]any{&c.ID, &c.Kind, &c.Unit, &c.Place, &c.Customer, &c.State, &c.Expected, &c.Found, &goal, &since, &seen, &opened, &closed}, more...)...)
	c.Goal, c.Since, c.Seen, c.Opened, c.Closed = uint64(goal), timeOf(since), timeOf(seen), timeOf(opened), timeOf(closed)
	return c, err
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func nullTime(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

// liveCases are all that are not closed.
func liveCases(ctx context.Context, q store.Querier) (list []Case, err error) {
	err = each(ctx, q, `SELECT `+caseColumns+` FROM cases WHERE state <> 'closed'`, nil, func(r row) error {
		c, err := scanCase(r)
		list = append(list, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read cases: %w", err)
	}
	return list, nil
}

// formerCases are the closed ones of findings that no live case is of.
func formerCases(ctx context.Context, q store.Querier, findings []Finding) (list []Case, err error) {
	for _, f := range findings {
		c, err := scanCase(q.QueryRowContext(ctx, `SELECT `+caseColumns+` FROM cases WHERE kind = ?1 AND place = ?2 AND state = 'closed'`, string(f.Kind), f.Place))
		if errors.Is(err, sql.ErrNoRows) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("read case: %w", err)
		}
		list = append(list, c)
	}
	return list, nil
}

// keepNotes is how many lines of a case's history are kept.
const keepNotes = 50

func saveChange(ctx context.Context, tx *sql.Tx, now time.Time, ch Change) error {
	c := ch.Case
	if ch.Gone {
		_, err := tx.ExecContext(ctx, `DELETE FROM cases WHERE id = ?1`, c.ID)
		return err
	}
	// Whose it is may be known to the mesh and not to central: then it is nobody's own here.
	_, err := tx.ExecContext(ctx, `INSERT INTO cases(id, kind, unit, place, customer_id, state, expected, found, goal, since_ms, seen_ms, opened_ms, closed_ms)
		VALUES(?1, ?2, ?3, ?4, (SELECT id FROM customers WHERE id = ?5), ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
		ON CONFLICT(kind, place) DO UPDATE SET unit = ?3, state = CASE WHEN cases.state = 'explained' AND ?6 IN ('open', 'reopened') THEN 'explained' ELSE ?6 END,
			expected = ?7, found = ?8, goal = ?9, since_ms = ?10, seen_ms = ?11, opened_ms = ?12, closed_ms = ?13`,
		c.ID, string(c.Kind), string(c.Unit), c.Place, c.Customer, string(c.State), c.Expected, c.Found, int64(c.Goal), c.Since.UnixMilli(), c.Seen.UnixMilli(), nullTime(c.Opened), nullTime(c.Closed))
	if err != nil || !ch.Noted {
		return err
	}
	return note(ctx, tx, now, c.ID, c.State, c.Found)
}

func note(ctx context.Context, tx *sql.Tx, now time.Time, id string, s State, found string) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO case_history(case_id, at_ms, state, found) VALUES(?1, ?2, ?3, ?4)`, id, now.UnixMilli(), string(s), found); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM case_history WHERE case_id = ?1 AND id <= (SELECT id FROM case_history WHERE case_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)`, id, keepNotes)
	return err
}

// Note is one line of a case's history.
type Note struct {
	Time  time.Time
	State State
	Found string
}

// Shown is a case with its history, oldest first.
type Shown struct {
	Case
	History []Note
}

// ErrCursor says that a cursor was not made here; ErrNoCase that there is none
// such, or none that stands.
var (
	ErrCursor = errors.New("want a cursor as given in next")
	ErrNoCase = errors.New("there is no such case that stands")
)

// OfCustomer is a page of the customer's own cases, newest first, closed ones
// too; next is empty on the last page.
func (r *Reconcile) OfCustomer(ctx context.Context, customer, cursor string, limit int) (list []Shown, next string, err error) {
	opened, seq, err := parseCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	list = []Shown{}
	var last int64
	err = each(ctx, r.db.Read(), `SELECT `+caseColumns+`, seq FROM cases WHERE customer_id = ?1 AND opened_ms IS NOT NULL AND state <> 'watched'
		AND (opened_ms < ?2 OR opened_ms = ?2 AND seq < ?3) ORDER BY opened_ms DESC, seq DESC LIMIT ?4`, []any{customer, opened, seq, limit + 1}, func(row row) error {
		var at int64
		c, err := scanCase(row, &at)
		if err != nil {
			return err
		}
		if len(list) == limit {
			next = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "1.%d.%d", list[limit-1].Opened.UnixMilli(), last))
			return nil
		}
		list, last = append(list, Shown{Case: c, History: []Note{}}), at
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("read cases: %w", err)
	}
	for i := range list {
		if list[i].History, err = r.history(ctx, list[i].ID); err != nil {
			return nil, "", err
		}
	}
	return list, next, nil
}

func (r *Reconcile) history(ctx context.Context, id string) ([]Note, error) {
	notes := []Note{}
	err := each(ctx, r.db.Read(), `SELECT at_ms, state, found FROM case_history WHERE case_id = ?1 ORDER BY id`, []any{id}, func(row row) error {
		var n Note
		var at int64
		err := row.Scan(&at, &n.State, &n.Found)
		n.Time = timeOf(at)
		notes = append(notes, n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read history of case %s: %w", id, err)
	}
	return notes, nil
}

func parseCursor(s string) (ms, seq int64, err error) {
	if s == "" {
		return 1<<62 - 1, 0, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return 0, 0, ErrCursor
	}
	parts := strings.Split(string(b), ".")
	if len(parts) != 3 || parts[0] != "1" {
		return 0, 0, ErrCursor
	}
	ms, err1 := strconv.ParseInt(parts[1], 10, 64)
	seq, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, 0, ErrCursor
	}
	return ms, seq, nil
}

// standing are up to limit cases that stand: open faults first, then the oldest.
func (r *Reconcile) standing(ctx context.Context, limit int) (list []Case, more int, err error) {
	all, err := liveCases(ctx, r.db.Read())
	if err != nil {
		return nil, 0, err
	}
	for _, c := range all {
		if c.Stands() {
			list = append(list, c)
		}
	}
	sortForPeople(list)
	if len(list) > limit {
		list, more = list[:limit], len(list)-limit
	}
	return list, more, nil
}

// Explain notes why a case is as it is: it no longer counts as an open fault
// until it is gone and comes back. The note is sealed with central's own key.
func (r *Reconcile) Explain(ctx context.Context, now time.Time, id, text string) error {
	k, err := r.ring.Own()
	if err != nil {
		return err
	}
	return r.db.Write(ctx, func(tx *sql.Tx) error {
		var found string
		err := tx.QueryRowContext(ctx, `UPDATE cases SET state = 'explained', sealed_note = ?2 WHERE id = ?1 AND state IN ('open', 'reopened', 'explained') RETURNING found`,
			id, seal.SealColumn(k, "case:"+id, []byte(text))).Scan(&found)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoCase
		} else if err != nil {
			return fmt.Errorf("explain case %s: %w", id, err)
		}
		return note(ctx, tx, now, id, Explained, found)
	})
}
