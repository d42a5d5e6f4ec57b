package account

import (
	"context"
	"errors"
	"fmt"

	"vedetta/central/keys"
	"vedetta/wire/seal"
)

// Customer is one customer as an operator tells it from others.
type Customer struct {
	ID     string `json:"id"`
	Email  string `json:"email"` // of its first user; empty when it has none. Personal
	Panels int    `json:"panels"`
}

// maxCustomers bounds a list to choose from.
const maxCustomers = 1000

// Customers are the oldest thousand, for an operator; those whose key is
// destroyed are left out.
func (a *Accounts) Customers(ctx context.Context) ([]Customer, error) {
	rows, err := a.db.Read().QueryContext(ctx, `SELECT c.id, coalesce(u.id, ''), u.sealed_email, (SELECT count(*) FROM panels WHERE panels.customer_id = c.id)
		FROM customers c LEFT JOIN users u ON u.id = (SELECT id FROM users WHERE users.customer_id = c.id ORDER BY created_ms, id LIMIT 1)
		ORDER BY c.created_ms, c.id LIMIT ?1`, maxCustomers)
	if err != nil {
		return nil, fmt.Errorf("list customers: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	list := []Customer{}
	for rows.Next() {
		var c Customer
		var user string
		var sealed []byte
		if err := rows.Scan(&c.ID, &user, &sealed, &c.Panels); err != nil {
			return nil, fmt.Errorf("list customers: %w", err)
		}
		k, err := a.ring.Of(c.ID)
		if errors.Is(err, keys.ErrUnknown) {
			continue
		} else if err != nil {
			return nil, err
		}
		if user != "" {
			plain, err := seal.OpenColumn(k, "user.email:"+user, sealed)
			if err != nil {
				return nil, fmt.Errorf("list customers: %w", err)
			}
			c.Email = string(plain)
		}
		list = append(list, c)
	}
	return list, rows.Err()
}
