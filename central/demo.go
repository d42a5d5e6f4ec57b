package central

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"vedetta/central/account"
	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/wire/event"
	"vedetta/wire/push"
	"vedetta/wire/roster"
)

// demoCustomer is the id of the customer that the demo section makes.
const demoCustomer = "demo"

type demoSecrets struct {
	password, apiKey, webhookSecret string
	operatorPassword, operatorKey   string // empty: no operator
	panelKey                        []byte
	browser                         push.Subscription // zero: none
}

// demo makes the demo customer, once keys can be had, when there is no
// customer at all. It ends when that is done.
type demo struct {
	cfg      DemoConfig
	secrets  demoSecrets
	db       *store.DB
	ring     *keys.Ring
	premises *premises.Premises
	accounts *account.Accounts
	added    func() // told when the customer is there
}

// Run tries until it is done or ctx ends.
func (d *demo) Run(ctx context.Context) error {
	hash, err := d.accounts.Hash(ctx, d.secrets.password)
	if err != nil {
		return err
	}
	operator := ""
	if d.cfg.OperatorEmail != "" {
		if operator, err = d.accounts.Hash(ctx, d.secrets.operatorPassword); err != nil {
			return err
		}
	}
	for {
		done, err := d.try(ctx, time.Now(), hash)
		if done && err == nil && operator != "" {
			err = d.operator(ctx, time.Now(), operator)
		}
		if done {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// try is done when the customer is there, or when trying again can't help.
func (d *demo) try(ctx context.Context, now time.Time, hash string) (done bool, err error) {
	if _, err := d.ring.Own(); err != nil {
		return false, nil
	}
	var customers int
	if err := d.db.Read().QueryRowContext(ctx, `SELECT count(*) FROM customers`).Scan(&customers); err != nil {
		return true, fmt.Errorf("demo customer: %w", err)
	}
	if customers > 0 {
		return true, nil
	}
	if _, err := d.ring.Customer(ctx, demoCustomer); err != nil {
		return false, nil
	}
	err = d.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO customers(id, language, created_ms) VALUES(?1, 'it', ?2)`, demoCustomer, now.UnixMilli()); err != nil {
			return err
		}
		if err := d.accounts.AddUser(ctx, tx, now, demoCustomer, d.cfg.Email, hash, account.RoleOwner); err != nil {
			return err
		}
		if err := d.accounts.AddAPIKey(ctx, tx, now, demoCustomer, d.secrets.apiKey, account.ScopeAll); err != nil {
			return err
		}
		return d.premises.EditIn(ctx, tx, now, demoCustomer, d.fill)
	})
	if err != nil {
		return true, fmt.Errorf("demo customer: %w", err)
	}
	d.premises.Hint()
	d.added()
	return true, nil
}

// operator adds the demo customer's operator, once; also to a store that was
// made before there were any.
func (d *demo) operator(ctx context.Context, now time.Time, hash string) error {
	err := d.db.Write(ctx, func(tx *sql.Tx) error {
		var customers, operators int
		err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM customers WHERE id = ?1), (SELECT count(*) FROM users WHERE customer_id = ?1 AND role = ?2)`,
			demoCustomer, account.RoleOperator).Scan(&customers, &operators)
		if err != nil || customers == 0 || operators > 0 {
			return err
		}
		if err := d.accounts.AddUser(ctx, tx, now, demoCustomer, d.cfg.OperatorEmail, hash, account.RoleOperator); err != nil {
			return err
		}
		return d.accounts.AddAPIKey(ctx, tx, now, demoCustomer, d.secrets.operatorKey, account.ScopeAll, account.ScopeOperator)
	})
	if err != nil {
		return fmt.Errorf("demo operator: %w", err)
	}
	return nil
}

func (d *demo) fill(c *premises.Change) error {
	zones := []roster.Zone{{Number: "1", Name: "Porta d'ingresso"}, {Number: "2", Name: "Soggiorno"}, {Number: "3", Name: "Cucina"}, {Number: "4", Name: "Garage"}}
	panels := []roster.Panel{
		{ID: "demo-panel", Name: "Casa", Account: d.cfg.Account, Key: d.secrets.panelKey, PollSeconds: 0, GraceSeconds: 30, TimeZone: "Europe/Rome", Zones: zones},
		{ID: "demo-plain-panel", Name: "Negozio", Account: d.cfg.PlainAccount, PollSeconds: 0, GraceSeconds: 30, TimeZone: "Europe/Rome", Zones: zones},
	}
	for _, p := range panels {
		if err := c.PutPanel(p); err != nil {
			return err
		}
	}
	webhook, err := json.Marshal(map[string]string{"url": d.cfg.WebhookURL, "secret": d.secrets.webhookSecret})
	if err != nil {
		return err
	}
	contact := premises.Contact{ID: "demo-contact", Name: "Anna Rossi", Language: "it", Addresses: []premises.Address{
		{ID: "demo-email", Channel: "email", Value: d.cfg.ContactEmail},
		{ID: "demo-webhook", Channel: "webhook", Value: string(webhook)},
	}}
	channels := []string{"email", "webhook"}
	if d.secrets.browser != (push.Subscription{}) {
		browser, err := json.Marshal(d.secrets.browser)
		if err != nil {
			return err
		}
		contact.Addresses = append(contact.Addresses, premises.Address{ID: "demo-push", Channel: "webpush", Value: string(browser)})
		channels = append(channels, "webpush")
	}
	if err := c.PutContact(contact); err != nil {
		return err
	}
	var categories []string
	for _, category := range event.Categories() {
		categories = append(categories, string(category))
	}
	return c.PutRule(roster.Rule{ID: "demo-rule", Name: "Tutto, subito", Panels: []string{}, Partitions: []string{}, Zones: []string{}, Codes: []string{},
		Categories: categories, Qualifiers: []string{"new", "restore"}, Days: []int{}, Enabled: true,
		Steps: []roster.Step{{Contacts: []string{"demo-contact"}, Channels: channels}}})
}
