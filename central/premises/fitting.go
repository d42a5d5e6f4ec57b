package premises

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"vedetta/central/keys"
	"vedetta/central/store"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// NumberIndex finds what says the same listener and account: panels of all
// customers, and held messages. own is central's key.
func NumberIndex(own seal.Key, listener, account string) []byte {
	return own.Index("panel number", listener+"\x00"+strings.ToUpper(account))
}

// Owner names a panel and whose it is.
type Owner struct {
	Customer string `json:"customer_id"`
	Panel    string `json:"panel_id"`
}

// owned is a panel of some customer.
type owned struct {
	Owner
	panel         roster.Panel
	sealed, plain []byte // its row
}

// maxNumbers is how many accounts are looked for at once.
const maxNumbers = 400

// ofNumber are the panels of all customers with this listener and account.
func ofNumber(ctx context.Context, q store.Querier, ring *keys.Ring, number []byte) ([]owned, error) {
	return ofNumbers(ctx, q, ring, [][]byte{number})
}

// ofNumbers are those with any of these, at most maxNumbers.
func ofNumbers(ctx context.Context, q store.Querier, ring *keys.Ring, numbers [][]byte) (list []owned, err error) {
	marks, args := make([]string, len(numbers)), make([]any, len(numbers))
	for i, n := range numbers {
		marks[i], args[i] = fmt.Sprint("?", i+1), n
	}
	rows, err := q.QueryContext(ctx, `SELECT id, customer_id, sealed_body FROM panels WHERE number_index IN (`+strings.Join(marks, ",")+`) OR number_index IS NULL`, args...)
	if err != nil {
		return nil, fmt.Errorf("find panels of the account: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	for rows.Next() {
		var o owned
		if err := rows.Scan(&o.Panel, &o.Customer, &o.sealed); err != nil {
			return nil, fmt.Errorf("find panels of the account: %w", err)
		}
		k, err := ring.Of(o.Customer)
		if errors.Is(err, keys.ErrUnknown) {
			continue // destroyed: the nodes don't know it any more
		} else if err != nil {
			return nil, err
		}
		if o.plain, err = seal.OpenColumn(k, panels.purpose+o.Panel, o.sealed); err != nil {
			return nil, fmt.Errorf("find panels of the account: %w", err)
		}
		if err := json.Unmarshal(o.plain, &o.panel); err != nil {
			return nil, fmt.Errorf("panel %s: %w", o.Panel, err)
		}
		list = append(list, o)
	}
	return list, rows.Err()
}

// Fitting are the panels that the nodes would give a message to that says this:
// one when it is known, several when they can't tell which it is.
func (p *Premises) Fitting(ctx context.Context, q store.Querier, listener string, prefix, receiver *string, account string) ([]Owner, error) {
	own, err := p.ring.Own()
	if err != nil {
		return nil, err
	}
	list, err := ofNumber(ctx, q, p.ring, NumberIndex(own, listener, account))
	if err != nil {
		return nil, err
	}
	exact, fits := []Owner{}, []Owner{}
	for _, o := range list {
		v := o.panel
		switch {
		case v.Listener != listener || !strings.EqualFold(v.Account, account):
		case digits(v.Prefix) == digits(prefix) && digits(v.Receiver) == digits(receiver):
			exact = append(exact, o.Owner)
		case (v.Prefix == nil || digits(v.Prefix) == digits(prefix)) && (v.Receiver == nil || digits(v.Receiver) == digits(receiver)):
			fits = append(fits, o.Owner)
		}
	}
	if len(exact) > 0 {
		return exact, nil
	}
	return fits, nil
}
