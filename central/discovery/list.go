package discovery

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedetta/central/history"
	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/wire/entry"
	"vedetta/wire/event"
	"vedetta/wire/mesh"
)

// Panel is an unknown panel as the operator sees it: all held messages that say
// the same of where they come from.
type Panel struct {
	ID             string           `json:"id"`
	Listener       string           `json:"listener"`
	Prefix         *string          `json:"prefix"`
	Receiver       *string          `json:"receiver"`
	Account        string           `json:"account"`
	Reason         string           `json:"reason"` // of the newest: unknown_account or ambiguous_panel
	FirstTime      history.Time     `json:"first_time"`
	LastTime       history.Time     `json:"last_time"`
	Count          int              `json:"count"` // repeats included
	EncryptedCount int              `json:"encrypted_count"`
	Addresses      []string         `json:"addresses"` // of the messages shown, newest first, without ports
	Fits           []premises.Owner `json:"fits"`      // panels of customers that such a message would be given to now
	Messages       []Message        `json:"messages"`  // the newest, newest first
}

// Message is one held message, decoded as far as it can be.
type Message struct {
	Entry        string        `json:"entry"` // its place in the mesh
	ReceivedTime history.Time  `json:"received_time"`
	Address      string        `json:"address"` // host:port
	Transport    string        `json:"transport"`
	Listener     string        `json:"listener"`
	Token        string        `json:"token"`
	Sequence     int           `json:"sequence"`
	Encrypted    bool          `json:"encrypted"` // encrypted: what it says isn't known, events is empty
	PanelTime    *history.Time `json:"panel_time"`
	Answer       string        `json:"answer"` // ack, duh or silence
	Events       []Event       `json:"events"`
	Raw          string        `json:"raw"`  // the frame, without LF and CR; bytes that are no UTF-8 replaced
	Left         *string       `json:"left"` // why an adoption has left it; null: it was not tried
}

// Event is what a held message reports.
type Event struct {
	Standard  string  `json:"standard"`
	Code      string  `json:"code"`
	Qualifier string  `json:"qualifier"`
	Category  string  `json:"category"`
	Meaning   *string `json:"meaning"`
	MeaningIt *string `json:"meaning_it"`
	Partition *string `json:"partition"`
	Zone      *string `json:"zone"`
	User      *string `json:"user"`
	Text      *string `json:"text"`
}

// Page is one page of the list.
type Page struct {
	Items []Panel `json:"items"`
	Next  *string `json:"next"`
}

// Messages shown of each panel in the list, and on its own page.
const (
	ShownInList = 3
	ShownAlone  = 50
)

type group struct {
	index            []byte
	first, last      int64
	count, encrypted int
	polls            int
}

func (g group) id() string { return base64.RawURLEncoding.EncodeToString(g.index) }

const groups = `SELECT group_index, min(received_ms), max(received_ms), count(*), sum(encrypted), sum(poll) FROM held WHERE listed = 1 AND received_ms >= ?1`

// List is a page of the unknown panels, last heard first.
func (d *Discovery) List(ctx context.Context, now time.Time, limit int, cursor string) (Page, error) {
	out := Page{Items: []Panel{}}
	before, index, err := parseCursor(cursor)
	if err != nil {
		return out, err
	}
	err = d.db.Snapshot(ctx, func(q store.Querier) error {
		found, err := list(ctx, q, groups+` GROUP BY group_index HAVING max(received_ms) < ?2 OR max(received_ms) = ?2 AND group_index > ?3
			ORDER BY max(received_ms) DESC, group_index LIMIT ?4`, cutoff(now), before, index, limit+1)
		if err != nil {
			return err
		}
		if len(found) > limit {
			found = found[:limit]
			last := found[limit-1]
			next := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "1.%d.%s", last.last, last.id()))
			out.Next = &next
		}
		for _, g := range found {
			p, ok, err := d.panel(ctx, q, g, ShownInList)
			if err != nil {
				return err
			}
			if ok {
				out.Items = append(out.Items, p)
			}
		}
		return nil
	})
	return out, err
}

// Panel is one unknown panel, with more of its messages; ErrNone when there is none.
func (d *Discovery) Panel(ctx context.Context, now time.Time, id string) (p Panel, err error) {
	index, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		return p, ErrNone
	}
	err = d.db.Snapshot(ctx, func(q store.Querier) error {
		found, err := list(ctx, q, groups+` AND group_index = ?2 GROUP BY group_index`, cutoff(now), index)
		if err != nil {
			return err
		}
		ok := false
		if len(found) > 0 {
			p, ok, err = d.panel(ctx, q, found[0], ShownAlone)
		}
		if err == nil && !ok {
			err = ErrNone
		}
		return err
	})
	return p, err
}

// Waiting counts the unknown panels that have sent more than link tests.
func (d *Discovery) Waiting(ctx context.Context, now time.Time) (n int, err error) {
	err = d.db.Read().QueryRowContext(ctx, `SELECT count(DISTINCT group_index) FROM held WHERE listed = 1 AND poll = 0 AND received_ms >= ?1`, cutoff(now)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count unknown panels: %w", err)
	}
	return n, nil
}

func cutoff(now time.Time) int64 { return now.Add(-Keep).UnixMilli() }

func list(ctx context.Context, q store.Querier, query string, args ...any) (out []group, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read held messages: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	for rows.Next() {
		var g group
		if err := rows.Scan(&g.index, &g.first, &g.last, &g.count, &g.encrypted, &g.polls); err != nil {
			return nil, fmt.Errorf("read held messages: %w", err)
		}
		out = append(out, g)
	}
	return out, rows.Err()
}

// panel reads a group's newest messages; ok is false when there is nothing to
// adopt: none can be read any more, for its days' keys are destroyed, or it is
// known by now and had only polled before.
func (d *Discovery) panel(ctx context.Context, q store.Querier, g group, most int) (p Panel, ok bool, err error) {
	rows, err := q.QueryContext(ctx, `SELECT held.origin, held.number, entries.record, held.outcome FROM held
		JOIN entries ON entries.origin = held.origin AND entries.number = held.number
		WHERE group_index = ?1 AND listed = 1 ORDER BY received_ms DESC LIMIT ?2`, g.index, most)
	if err != nil {
		return p, false, fmt.Errorf("read held messages: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	p = Panel{ID: g.id(), FirstTime: at(g.first), LastTime: at(g.last), Count: g.count, EncryptedCount: g.encrypted, Addresses: []string{}, Messages: []Message{}}
	for rows.Next() {
		var origin string
		var number int64
		var stored []byte
		var left *string
		if err := rows.Scan(&origin, &number, &stored, &left); err != nil {
			return p, false, fmt.Errorf("read held messages: %w", err)
		}
		m, readable, err := d.open(stored)
		if err != nil {
			return p, false, err
		}
		if !readable {
			continue
		}
		o, err := mesh.ParseOrigin(origin)
		if err != nil {
			return p, false, err
		}
		if len(p.Messages) == 0 {
			p.Listener, p.Prefix, p.Receiver, p.Account, p.Reason = m.Listener, m.Prefix, m.Receiver, m.Account, m.Reason
		}
		shown := show(m)
		shown.Entry, shown.Left = mesh.Position{Origin: o, Number: uint64(number)}.String(), left
		p.Messages = append(p.Messages, shown)
		if host := hostOf(m.Peer); !slices.Contains(p.Addresses, host) {
			p.Addresses = append(p.Addresses, host)
		}
	}
	if err := rows.Err(); err != nil || len(p.Messages) == 0 {
		return p, false, err
	}
	p.Fits, err = d.premises.Fitting(ctx, q, p.Listener, p.Prefix, p.Receiver, p.Account)
	return p, err == nil && !(len(p.Fits) == 1 && g.polls == g.count), err
}

func show(m entry.Message) Message {
	out := Message{ReceivedTime: history.Time(m.Received), Address: m.Peer, Transport: m.Transport, Listener: m.Listener, Token: m.Token, Sequence: m.Sequence,
		Encrypted: m.Encrypted, Answer: string(m.Answer), Events: []Event{}, Raw: strings.ToValidUTF8(strings.Trim(event.HideSecrets(string(m.Raw)), "\r\n"), "�")}
	base := m.Received
	if m.Timestamp != nil {
		base = *m.Timestamp
		t := history.Time(base)
		out.PanelTime = &t
	}
	if m.Encrypted {
		return out
	}
	for _, e := range event.Parse(m.Token, m.Data, m.XData, base) {
		out.Events = append(out.Events, Event{Standard: string(e.Standard), Code: e.Code, Qualifier: string(e.Qualifier), Category: string(e.Category),
			Meaning: present(e.Meaning), MeaningIt: present(e.MeaningIT), Partition: present(e.Partition), Zone: present(e.Zone), User: present(e.User), Text: present(e.Text)})
	}
	return out
}

func present(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func at(ms int64) history.Time { return history.Time(time.UnixMilli(ms).UTC()) }

func hostOf(peer string) string {
	if i := strings.LastIndexByte(peer, ':'); i > 0 {
		return strings.Trim(peer[:i], "[]")
	}
	return peer
}

func parseCursor(s string) (ms int64, index []byte, err error) {
	if s == "" {
		return 1<<63 - 1, nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	parts := strings.SplitN(string(b), ".", 3)
	if err != nil || len(parts) != 3 || parts[0] != "1" {
		return 0, nil, ErrCursor
	}
	ms, err1 := strconv.ParseInt(parts[1], 10, 64)
	index, err2 := base64.RawURLEncoding.DecodeString(parts[2])
	if err1 != nil || err2 != nil {
		return 0, nil, ErrCursor
	}
	return ms, index, nil
}
