package history

import (
	"context"
	"fmt"
	"sync"
)

// Change says that an event or notification is new or different.
type Change struct {
	Seq  int64 // rises; a follower continues after the last it has seen
	Name string
	Ref  string // its id
}

// Changes lists what changed after a number, in order; each thing once, with
// its last number.
func (h *History) Changes(ctx context.Context, customer string, after int64, limit int) ([]Change, error) {
	rows, err := h.db.Read().QueryContext(ctx, `SELECT max(seq), name, ref FROM
		(SELECT seq, name, ref FROM changes WHERE customer_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3) AS c
		GROUP BY name, ref ORDER BY 1`, customer, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	var out []Change
	for rows.Next() {
		var c Change
		if err := rows.Scan(&c.Seq, &c.Name, &c.Ref); err != nil {
			return nil, fmt.Errorf("read changes: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// LastChange is the number to begin following from now on.
func (h *History) LastChange(ctx context.Context, customer string) (seq int64, err error) {
	err = h.db.Read().QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM changes WHERE customer_id = ?1`, customer).Scan(&seq)
	if err != nil {
		return 0, fmt.Errorf("read changes: %w", err)
	}
	return seq, nil
}

// Hub tells followers that a customer's history has changed. It only says when
// to look: what was missed is in Changes.
type Hub struct {
	mu   sync.Mutex
	wait map[string]chan struct{}
}

// NewHub makes an empty hub.
func NewHub() *Hub { return &Hub{wait: map[string]chan struct{}{}} }

// Wait is closed at the customer's next change. Ask before looking.
func (b *Hub) Wait(customer string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.wait[customer]
	if !ok {
		c = make(chan struct{})
		b.wait[customer] = c
	}
	return c
}

// Changed wakes who waits for the customer.
func (b *Hub) Changed(customer string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c, ok := b.wait[customer]; ok {
		close(c)
		delete(b.wait, customer)
	}
}
