package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Frame is one message as a receiver took it: the evidence behind an event.
type Frame struct {
	Position mesh.Position // whose node took it, and its place in that journal
	Opened   bool          // false: its key is not here (any more), only Position is known
	entry.Message
}

// Frames lists the message that an event came from and then its copies, by
// receive time. An event of the mesh's own has none.
func (h *History) Frames(ctx context.Context, customer, event string) ([]Frame, error) {
	var origin string
	var number int64
	err := h.db.Read().QueryRowContext(ctx, `SELECT entry_origin, entry_number FROM events WHERE customer_id = ?1 AND id = ?2`, customer, event).Scan(&origin, &number)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	records, err := h.records(ctx, origin, number)
	if err != nil {
		return nil, err
	}
	var frames []Frame
	for _, r := range records {
		f, err := h.frame(customer, r)
		if err != nil {
			return nil, err
		}
		if f.Opened && f.Customer != customer { // another's message is never shown, whatever was decided about it
			continue
		}
		frames = append(frames, f)
	}
	if len(frames) > 1 {
		slices.SortStableFunc(frames[1:], func(a, b Frame) int { return a.Received.Compare(b.Received) })
	}
	return frames, nil
}

// records reads an entry and, behind it, what repeats it, copies of copies too.
func (h *History) records(ctx context.Context, origin string, number int64) ([]mesh.Record, error) {
	rows, err := h.db.Read().QueryContext(ctx, `WITH RECURSIVE same(origin, number, depth) AS (
		SELECT ?1, ?2, 0 UNION
		SELECT e.origin, e.number, same.depth + 1 FROM entries e JOIN same ON e.copy_origin = same.origin AND e.copy_number = same.number WHERE same.depth < 100)
		SELECT e.record FROM same JOIN entries e ON e.origin = same.origin AND e.number = same.number ORDER BY same.depth`, origin, number)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	var out []mesh.Record
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, fmt.Errorf("read messages: %w", err)
		}
		r, err := mesh.Decode(b)
		if err != nil {
			return nil, fmt.Errorf("read messages: %w", err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func (h *History) frame(customer string, r mesh.Record) (Frame, error) {
	f := Frame{Position: r.Position()}
	plain, key, err := h.ring.OpenRecord(r)
	switch {
	case errors.Is(err, keys.ErrUnknown), err == nil && key.Customer != customer:
		return f, nil
	case err != nil:
		return f, err
	}
	if f.Message, err = entry.Unmarshal(plain); err != nil {
		return f, fmt.Errorf("message %s: %w", f.Position, err)
	}
	f.Opened = true
	return f, nil
}

// Delivery is a notification with all that a page tells about it.
type Delivery struct {
	Notification
	Rule       string // roster id
	Step       int    // from 0
	Repetition int    // from 0
	Due        time.Time
	Urgent     bool
	Settled    []Attempt // in the order of settling
}

// Deliveries lists an event's notifications in the order of the plan.
func (h *History) Deliveries(ctx context.Context, customer, event string) ([]Delivery, error) {
	k, err := h.ring.Of(customer)
	if err != nil {
		return nil, err
	}
	p, err := page(ctx, h, k, 1000, h.delivery, `SELECT `+notificationColumns+` FROM notifications
		WHERE customer_id = ?1 AND event_id = ?2 ORDER BY seq LIMIT 1000`, customer, event)
	return p.Items, err
}

// LogQuery says which notifications; empty fields mean all.
type LogQuery struct {
	Query
	State   string
	Channel string
	Contact string // roster id
}

// most rows that one page of the log looks at: channel and contact are sealed
// and can only be compared one by one.
const logScan = 2000

// Log is a page of a customer's notifications, newest first. A page may hold
// fewer than asked for, or none, and still have a next one: then the search
// goes on there.
func (h *History) Log(ctx context.Context, customer string, q LogQuery) (Page[Notification], error) {
	out := Page[Notification]{Items: []Notification{}}
	sealed := q.Channel != "" || q.Contact != ""
	rows := q.Query
	if sealed {
		rows.Limit = logScan
	}
	p, err := h.notifications(ctx, customer, rows, q.State)
	if err != nil {
		return out, err
	}
	out.Next = p.Next
	var last cursor
	for _, n := range p.Items {
		if q.Channel != "" && n.Channel != q.Channel || q.Contact != "" && n.ContactID != q.Contact {
			continue
		}
		if len(out.Items) == q.Limit { // one more: the page after begins behind the last one shown
			next := last.String()
			out.Next = &next
			break
		}
		out.Items, last = append(out.Items, n.Notification), n.at
	}
	return out, nil
}

// placed is a notification with its place in the list.
type placed struct {
	Notification
	at cursor
}

func (h *History) placed(k seal.Key, r row) (placed, cursor, error) {
	n, at, err := h.notification(k, r)
	return placed{n, at}, at, err
}

func (h *History) notifications(ctx context.Context, customer string, q Query, state string) (Page[placed], error) {
	before, seq, err := parseCursor(q.Cursor)
	if err != nil {
		return Page[placed]{}, err
	}
	k, err := h.ring.Of(customer)
	if err != nil {
		return Page[placed]{}, err
	}
	where, args := ``, []any{customer, before, seq, q.Limit + 1, state}
	if q.Account != "" {
		where = ` AND event_id IN (SELECT id FROM events WHERE customer_id = ?1 AND account_index = ?6)`
		args = append(args, premises.AccountIndex(k, q.Account))
	}
	return page(ctx, h, k, q.Limit, h.placed, `SELECT `+notificationColumns+` FROM notifications
		WHERE customer_id = ?1 AND (planned_ms < ?2 OR planned_ms = ?2 AND seq < ?3) AND (?5 = '' OR state = ?5)`+where+` ORDER BY planned_ms DESC, seq DESC LIMIT ?4`, args...)
}

func (h *History) delivery(k seal.Key, r row) (Delivery, cursor, error) {
	n, b, at, err := h.opened(k, r)
	d := Delivery{Notification: n, Rule: b.Rule, Step: b.Step, Repetition: b.Repetition, Urgent: b.Urgent, Settled: b.Attempts}
	if b.DueMs != 0 {
		d.Due = time.UnixMilli(b.DueMs).UTC()
	}
	return d, at, err
}
