package history

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Time is written as RFC 3339 in UTC with milliseconds.
type Time time.Time

// MarshalJSON is the form of design.md section 7.
func (t Time) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z"))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Time) UnmarshalJSON(b []byte) error { return (*time.Time)(t).UnmarshalJSON(b) }

// Event as the outside reads it: absent is null, never left out.
type Event struct {
	ID               string  `json:"id"`
	Account          string  `json:"account"`
	Standard         string  `json:"standard"`
	Code             string  `json:"code"`
	Category         string  `json:"category"`
	Partition        *string `json:"partition"`
	Zone             *string `json:"zone"`
	Text             *string `json:"text"`
	PanelTime        *Time   `json:"panel_time"`
	ReceivedTime     Time    `json:"received_time"`
	Origin           string  `json:"origin"`
	Copies           int     `json:"copies"`
	Qualifier        string  `json:"qualifier"`
	User             *string `json:"user"`
	Meaning          *string `json:"meaning"`
	MeaningIt        *string `json:"meaning_it"`
	ZoneName         *string `json:"zone_name"`
	Prefix           *string `json:"prefix"`
	Receiver         *string `json:"receiver"`
	AcknowledgedBy   *string `json:"acknowledged_by"`
	AcknowledgedTime *Time   `json:"acknowledged_time"`
	Late             bool    `json:"late"` // decided over a minute after it was received

	Extended    []Extended   `json:"extended"`
	Coordinates *Coordinates `json:"coordinates"`

	Panel string `json:"-"` // roster id, for pages
}

// Notification as the outside reads it.
type Notification struct {
	ID             string  `json:"id"`
	EventID        string  `json:"event_id"`
	ContactID      string  `json:"contact_id"`
	Channel        string  `json:"channel"`
	State          string  `json:"state"`
	Attempts       int     `json:"attempts"`
	ProviderRef    *string `json:"provider_ref"`
	Time           Time    `json:"time"` // planned; stays the same
	Reason         *string `json:"reason"`
	CostMicroeuro  *int64  `json:"cost_microeuro"`
	HandedOverTime *Time   `json:"handed_over_time"`
	DeliveredTime  *Time   `json:"delivered_time"`
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
}

// Query says which page.
type Query struct {
	Account string // empty: all
	Limit   int    // 1 to 1000
	Cursor  string // Next of the page before; empty: the newest
}

// ErrCursor says that a cursor was not made here.
var ErrCursor = errors.New("want a cursor as given in next")

// History answers; safe for several goroutines.
type History struct {
	db   *store.DB
	ring *keys.Ring
	Hub  *Hub
}

// New starts nothing.
func New(db *store.DB, ring *keys.Ring) *History {
	return &History{db: db, ring: ring, Hub: NewHub()}
}

const (
	eventColumns        = `id, entry_origin, entry_number, received_ms, copies, sealed_body, seq`
	notificationColumns = `id, event_id, planned_ms, state, attempts, sealed_body, seq`
)

// Events is a page of a customer's events, newest first by receive time.
func (h *History) Events(ctx context.Context, customer string, q Query) (Page[Event], error) {
	before, seq, err := parseCursor(q.Cursor)
	if err != nil {
		return Page[Event]{}, err
	}
	k, err := h.ring.Of(customer)
	if err != nil {
		return Page[Event]{}, err
	}
	where, args := ``, []any{customer, before, seq, q.Limit + 1}
	if q.Account != "" {
		where = ` AND account_index = ?5`
		args = append(args, premises.AccountIndex(k, q.Account))
	}
	return page(ctx, h, k, q.Limit, h.event, `SELECT `+eventColumns+` FROM events
		WHERE customer_id = ?1 AND (received_ms < ?2 OR received_ms = ?2 AND seq < ?3)`+where+` ORDER BY received_ms DESC, seq DESC LIMIT ?4`, args...)
}

// Notifications is a page of a customer's notifications, newest first by the
// time they were planned.
func (h *History) Notifications(ctx context.Context, customer string, q Query) (Page[Notification], error) {
	p, err := h.notifications(ctx, customer, q, "")
	out := Page[Notification]{Items: []Notification{}, Next: p.Next}
	for _, n := range p.Items {
		out.Items = append(out.Items, n.Notification)
	}
	return out, err
}

// Event finds one event of the customer; ok is false when there is none.
func (h *History) Event(ctx context.Context, customer, id string) (Event, bool, error) {
	k, err := h.ring.Of(customer)
	if err != nil {
		return Event{}, false, err
	}
	p, err := page(ctx, h, k, 1, h.event, `SELECT `+eventColumns+` FROM events WHERE customer_id = ?1 AND id = ?2`, customer, id)
	if err != nil || len(p.Items) == 0 {
		return Event{}, false, err
	}
	return p.Items[0], true, nil
}

// Notification finds one notification of the customer.
func (h *History) Notification(ctx context.Context, customer, id string) (Notification, bool, error) {
	k, err := h.ring.Of(customer)
	if err != nil {
		return Notification{}, false, err
	}
	p, err := page(ctx, h, k, 1, h.notification, `SELECT `+notificationColumns+` FROM notifications WHERE customer_id = ?1 AND id = ?2`, customer, id)
	if err != nil || len(p.Items) == 0 {
		return Notification{}, false, err
	}
	return p.Items[0], true, nil
}

// OfEvent lists an event's notifications in the order of the plan.
func (h *History) OfEvent(ctx context.Context, customer, event string) ([]Notification, error) {
	k, err := h.ring.Of(customer)
	if err != nil {
		return nil, err
	}
	p, err := page(ctx, h, k, 1000, h.notification, `SELECT `+notificationColumns+` FROM notifications
		WHERE customer_id = ?1 AND event_id = ?2 ORDER BY seq LIMIT 1000`, customer, event)
	return p.Items, err
}

type row interface{ Scan(...any) error }

// page reads rows and gives the cursor of the last when there is one more.
func page[T any](ctx context.Context, h *History, k seal.Key, limit int, scan func(seal.Key, row) (T, cursor, error), query string, args ...any) (Page[T], error) {
	p := Page[T]{Items: []T{}}
	rows, err := h.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return p, fmt.Errorf("read history: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	var last cursor
	for rows.Next() {
		if len(p.Items) == limit {
			next := last.String()
			p.Next = &next
			break
		}
		v, at, err := scan(k, rows)
		if err != nil {
			return p, fmt.Errorf("read history: %w", err)
		}
		p.Items, last = append(p.Items, v), at
	}
	if err := rows.Err(); err != nil {
		return p, fmt.Errorf("read history: %w", err)
	}
	return p, nil
}

func (h *History) event(k seal.Key, r row) (e Event, at cursor, err error) {
	var origin string
	var number int64
	var sealed []byte
	if err := r.Scan(&e.ID, &origin, &number, &at.ms, &e.Copies, &sealed, &at.seq); err != nil {
		return e, at, err
	}
	var b EventBody
	if err := openBody(k, "event:"+e.ID, sealed, &b); err != nil {
		return e, at, err
	}
	o, err := mesh.ParseOrigin(origin)
	if err != nil {
		return e, at, err
	}
	e.Origin = mesh.Position{Origin: o, Number: uint64(number)}.String()
	e.ReceivedTime = timeOf(at.ms)
	e.Account, e.Prefix, e.Receiver, e.Panel = b.Account, b.Prefix, b.Receiver, b.Panel
	e.Standard, e.Code, e.Qualifier, e.Category = b.Standard, b.Code, b.Qualifier, b.Category
	e.Partition, e.Zone, e.ZoneName = present(b.Partition), present(b.Zone), present(b.ZoneName)
	e.User, e.Text, e.PanelTime, e.Late = present(b.User), present(b.Text), timeAt(b.PanelMs), b.Late
	e.Extended, e.Coordinates = extendedOf(b.Extended)
	english, italian := meaning(b.Standard, b.Code, b.Qualifier)
	e.Meaning, e.MeaningIt = present(english), present(italian)
	return e, at, nil
}

func (h *History) notification(k seal.Key, r row) (Notification, cursor, error) {
	n, _, at, err := h.opened(k, r)
	return n, at, err
}

func (h *History) opened(k seal.Key, r row) (n Notification, b NotificationBody, at cursor, err error) {
	var sealed []byte
	if err := r.Scan(&n.ID, &n.EventID, &at.ms, &n.State, &n.Attempts, &sealed, &at.seq); err != nil {
		return n, b, at, err
	}
	if err := openBody(k, "notification:"+n.ID, sealed, &b); err != nil {
		return n, b, at, err
	}
	n.ContactID, n.Channel, n.Time = b.Contact, b.Channel, timeOf(at.ms)
	n.ProviderRef, n.Reason = present(b.ProviderRef), present(b.Reason)
	n.HandedOverTime, n.DeliveredTime = timeAt(b.HandedOverMs), timeAt(b.DeliveredMs)
	return n, b, at, nil
}

func present(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func timeOf(ms int64) Time { return Time(time.UnixMilli(ms).UTC()) }

func timeAt(ms int64) *Time {
	if ms == 0 {
		return nil
	}
	t := timeOf(ms)
	return &t
}

// cursor is the place of a row in a list: its time and number.
type cursor struct{ ms, seq int64 }

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "1.%d.%d", c.ms, c.seq))
}

func parseCursor(s string) (ms, seq int64, err error) {
	if s == "" {
		return 1<<63 - 1, 1<<63 - 1, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	parts := strings.Split(string(b), ".")
	if err != nil || len(parts) != 3 || parts[0] != "1" {
		return 0, 0, ErrCursor
	}
	ms, err1 := strconv.ParseInt(parts[1], 10, 64)
	seq, err2 := strconv.ParseInt(parts[2], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, 0, ErrCursor
	}
	return ms, seq, nil
}
