package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Names of changes, as the streams show them.
const (
	ChangeEvent        = "event"
	ChangeNotification = "notification"
	ChangePanel        = "panel" // written by premises
)

// ErrNoNotification says that the notification's plan is not here yet.
var ErrNoNotification = errors.New("notification is not known")

// NewEvent is what an event's row is made of.
type NewEvent struct {
	ID           string
	Customer     string
	Entry        mesh.Position
	AccountIndex []byte
	ReceivedMs   int64
	Body         EventBody
}

// PutEvent writes an event once; a second time nothing happens.
func PutEvent(ctx context.Context, tx *sql.Tx, k seal.Key, e NewEvent) error {
	body, err := json.Marshal(e.Body)
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO events(id, customer_id, entry_origin, entry_number, account_index, received_ms, copies, sealed_body)
		VALUES(?1, ?2, ?3, ?4, ?5, ?6, 1, ?7) ON CONFLICT(id) DO NOTHING`,
		e.ID, e.Customer, e.Entry.Origin.String(), int64(e.Entry.Number), e.AccountIndex, e.ReceivedMs, seal.SealColumn(k, "event:"+e.ID, body))
	if err != nil {
		return fmt.Errorf("put event %s: %w", e.ID, err)
	}
	return changedRow(ctx, tx, res, e.Customer, ChangeEvent, e.ID)
}

// AddCopy counts one repeat of every event of the entry.
func AddCopy(ctx context.Context, tx *sql.Tx, entry mesh.Position) (customers []string, err error) {
	rows, err := tx.QueryContext(ctx, `UPDATE events SET copies = copies + 1 WHERE entry_origin = ?1 AND entry_number = ?2 RETURNING id, customer_id`,
		entry.Origin.String(), int64(entry.Number))
	if err != nil {
		return nil, fmt.Errorf("count copy of %s: %w", entry, err)
	}
	var ids []string
	for rows.Next() {
		var id, customer string
		if err := rows.Scan(&id, &customer); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		ids, customers = append(ids, id), append(customers, customer)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("count copy of %s: %w", entry, err)
	}
	for i, id := range ids {
		if err := change(ctx, tx, customers[i], ChangeEvent, id); err != nil {
			return nil, err
		}
	}
	return customers, nil
}

// PutNotification writes one planned notification once.
func PutNotification(ctx context.Context, tx *sql.Tx, k seal.Key, customer string, n decision.Notification, plannedMs int64) error {
	body, err := json.Marshal(NotificationBody{Contact: n.Contact, Channel: n.Channel, Address: n.Address, Rule: n.Rule,
		Step: n.Step, Repetition: n.Repetition, DueMs: n.DueMs, Urgent: n.Urgent})
	if err != nil {
		return err
	}
	attempts := 0
	if n.Claimed {
		attempts = 1
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO notifications(id, customer_id, event_id, planned_ms, state, attempts, sealed_body)
		VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(id) DO NOTHING`,
		n.ID, customer, n.Event, plannedMs, string(decision.StatePending), attempts, seal.SealColumn(k, "notification:"+n.ID, body))
	if err != nil {
		return fmt.Errorf("put notification %s: %w", n.ID, err)
	}
	return changedRow(ctx, tx, res, customer, ChangeNotification, n.ID)
}

// Claim notes that an attempt was begun.
func Claim(ctx context.Context, tx *sql.Tx, id string, attempt int) (customer string, err error) {
	err = tx.QueryRowContext(ctx, `UPDATE notifications SET attempts = CASE WHEN attempts < ?2 THEN ?2 ELSE attempts END WHERE id = ?1 RETURNING customer_id`,
		id, attempt).Scan(&customer)
	if errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("claim %s: %w", id, ErrNoNotification)
	} else if err != nil {
		return "", fmt.Errorf("claim %s: %w", id, err)
	}
	return customer, change(ctx, tx, customer, ChangeNotification, id)
}

// Recipient is where a notification went.
type Recipient struct{ Customer, Contact, Channel, Address string }

// Settle notes what became of an attempt and tells whose it was. clockMs is the agreement's.
func Settle(ctx context.Context, tx *sql.Tx, k seal.Key, s decision.Settled, clockMs int64) (to Recipient, err error) {
	var customer, state string
	var attempts int
	var sealed []byte
	err = tx.QueryRowContext(ctx, `SELECT customer_id, state, attempts, sealed_body FROM notifications WHERE id = ?1`, s.Notification).
		Scan(&customer, &state, &attempts, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return to, fmt.Errorf("settle %s: %w", s.Notification, ErrNoNotification)
	} else if err != nil {
		return to, fmt.Errorf("settle %s: %w", s.Notification, err)
	}
	var b NotificationBody
	if err := openBody(k, "notification:"+s.Notification, sealed, &b); err != nil {
		return to, err
	}
	state, b = settle(decision.State(state), b, s, clockMs)
	body, err := json.Marshal(b)
	if err != nil {
		return to, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE notifications SET state = ?2, attempts = ?3, sealed_body = ?4 WHERE id = ?1`,
		s.Notification, state, max(attempts, s.Attempt), seal.SealColumn(k, "notification:"+s.Notification, body))
	if err != nil {
		return to, fmt.Errorf("settle %s: %w", s.Notification, err)
	}
	return Recipient{customer, b.Contact, b.Channel, b.Address}, change(ctx, tx, customer, ChangeNotification, s.Notification)
}

// SettleState notes what became of a notification whose customer's key is
// destroyed: the body can't be opened any more, only the state changes. As in
// settle, a double never takes a delivery away.
func SettleState(ctx context.Context, tx *sql.Tx, s decision.Settled) (customer string, err error) {
	beside := s.Double || s.State == decision.StatePending
	err = tx.QueryRowContext(ctx, `UPDATE notifications SET attempts = CASE WHEN attempts < ?3 THEN ?3 ELSE attempts END,
		state = CASE WHEN ?4 AND state <> 'pending' AND (?5 OR state = 'delivered') THEN state ELSE ?2 END WHERE id = ?1 RETURNING customer_id`,
		s.Notification, string(s.State), s.Attempt, beside, !reached(s.State)).Scan(&customer)
	if errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("settle %s: %w", s.Notification, ErrNoNotification)
	} else if err != nil {
		return "", fmt.Errorf("settle %s: %w", s.Notification, err)
	}
	return customer, change(ctx, tx, customer, ChangeNotification, s.Notification)
}

// settle decides what a notification is after one more settled attempt. An
// attempt that never began, or will be repeated, leaves it pending. A double
// (rule 18) never takes a delivery away; where both attempts may have reached
// somebody, it is unknown whether it came twice, unless the channel shows one.
func settle(was decision.State, b NotificationBody, s decision.Settled, clockMs int64) (string, NotificationBody) {
	b.Attempts = append(b.Attempts, Attempt{s.Attempt, string(s.State), s.Reason, s.ProviderRef, s.HandedOverMs, s.Double})
	if final := was != decision.StatePending; final && (s.Double || s.State == decision.StatePending) {
		switch {
		case !s.MayHaveArrived():
			return string(was), b
		case reached(was) && !decision.ShowsOnce(b.Channel):
			b.Reason = "possibly_twice"
			return string(decision.StateUnknown), b
		case was == decision.StateDelivered || s.State == decision.StatePending:
			return string(was), b
		}
	}
	b.Reason = s.Reason
	if s.ProviderRef != "" {
		b.ProviderRef = s.ProviderRef
	}
	if s.HandedOverMs != 0 {
		b.HandedOverMs = s.HandedOverMs
	}
	if s.State == decision.StateDelivered {
		b.Reason = ""
		b.DeliveredMs = max(clockMs, s.HandedOverMs) // the agreement's clock may be a second behind the sender's
	}
	return string(s.State), b
}

func reached(s decision.State) bool {
	return s == decision.StateDelivered || s == decision.StateUnknown
}

func changedRow(ctx context.Context, tx *sql.Tx, res sql.Result, customer, name, ref string) error {
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return change(ctx, tx, customer, name, ref)
}

func change(ctx context.Context, tx *sql.Tx, customer, name, ref string) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO changes(customer_id, name, ref) VALUES(?1, ?2, ?3)`, customer, name, ref); err != nil {
		return fmt.Errorf("note change of %s %s: %w", name, ref, err)
	}
	return nil
}

func openBody(k seal.Key, purpose string, sealed []byte, out any) error {
	plain, err := seal.OpenColumn(k, purpose, sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, out); err != nil {
		return fmt.Errorf("%s: %w", purpose, err)
	}
	return nil
}
