package centraltest

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"vedetta/central/account"
	"vedetta/central/discovery"
	"vedetta/central/history"
	"vedetta/central/ingest"
	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/central/watch"
	"vedetta/cluster/env"
	"vedetta/wire/roster"
)

// What the test customer has.
const (
	Customer = "c-rossi"
	Email    = "Maria.Rossi@vedetta.example"
	Password = "correct horse battery staple"
	APIKey   = "vdt_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

	Operator         = "turno@vedetta.example" // a user of the same customer who runs the service
	OperatorPassword = "quattro parole per il turno"
	OperatorKey      = "vdt_fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

	House    = "p-house"
	Shop     = "p-shop"
	Contact  = "k-anna"
	ZoneName = "Finestra dello studio"
	Phone    = "+390575123456"
)

// Service is central without its HTTP and its loops, on a real database file.
type Service struct {
	Mesh      *Mesh
	Path      string
	DB        *store.DB
	Ring      *keys.Ring
	Premises  *premises.Premises
	Publisher *premises.Publisher
	History   *history.History
	Ingest    *ingest.Ingest
	Discovery *discovery.Discovery
	Accounts  *account.Accounts
	Watch     *watch.Watch
}

// NewService opens an empty store and fills in one customer.
func NewService(t testing.TB, now time.Time) *Service {
	t.Helper()
	s := &Service{Mesh: New(), Path: filepath.Join(t.TempDir(), "central.db")}
	must(t, store.Create(s.Path))
	s.Open(t)
	var err error
	s.Accounts, err = account.New(account.Config{}, s.DB, s.Ring)
	must(t, err)
	t.Cleanup(func() { s.DB.Close() })
	must(t, s.Fill(t.Context(), now))
	return s
}

// Open opens the store with a new ring, as a program that starts does.
func (s *Service) Open(t testing.TB) {
	t.Helper()
	ctx, e := t.Context(), env.Quiet(1)
	var err error
	s.DB, err = store.Open(ctx, s.Path)
	must(t, err)
	s.Ring = keys.New(s.Mesh, e)
	must(t, s.Ring.Refresh(ctx))
	_, err = s.Ring.Customer(ctx, keys.Central)
	must(t, err)
	s.Premises = premises.New(premises.Config{}, s.DB, s.Ring)
	s.Publisher = premises.NewPublisher(s.Premises, s.Mesh, e)
	s.History = history.New(s.DB, s.Ring)
	s.Watch = watch.New(watch.Config{AllowPrivate: true}, s.Mesh, s.History, e)
	s.Discovery = discovery.New(s.DB, s.Ring, s.Premises, s.Mesh, e)
	s.Ingest = ingest.New(s.DB, s.Ring, s.History.Hub, s.Premises, s.Discovery, e)
}

// Restart closes and opens again; Accounts are of the first opening only.
func (s *Service) Restart(t testing.TB) {
	t.Helper()
	must(t, s.DB.Close())
	s.Open(t)
}

// Fill writes the customer.
func (s *Service) Fill(ctx context.Context, now time.Time) error {
	if _, err := s.Ring.Customer(ctx, Customer); err != nil {
		return err
	}
	hash, err := s.Accounts.Hash(ctx, Password)
	if err != nil {
		return err
	}
	return s.DB.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO customers(id, language, created_ms) VALUES(?1, 'it', ?2)`, Customer, now.UnixMilli()); err != nil {
			return err
		}
		if err := s.Accounts.AddUser(ctx, tx, now, Customer, Email, hash, "owner"); err != nil {
			return err
		}
		if err := s.Accounts.AddAPIKey(ctx, tx, now, Customer, APIKey, account.ScopeAll); err != nil {
			return err
		}
		if err := s.Accounts.AddAPIKey(ctx, tx, now, Customer, OperatorKey, account.ScopeOperator); err != nil {
			return err
		}
		return s.Premises.EditIn(ctx, tx, now, Customer, fill)
	})
}

// AddOperator adds a user who runs the service.
func (s *Service) AddOperator(t testing.TB, now time.Time) {
	t.Helper()
	hash, err := s.Accounts.Hash(t.Context(), OperatorPassword)
	must(t, err)
	must(t, s.DB.Write(t.Context(), func(tx *sql.Tx) error {
		return s.Accounts.AddUser(t.Context(), tx, now.Add(time.Second), Customer, Operator, hash, account.RoleOperator)
	}))
}

func fill(c *premises.Change) error {
	prefix := "0"
	for _, p := range []roster.Panel{
		{ID: House, Name: "Villa Rossi", Account: "AB12CD34", Prefix: &prefix, Key: []byte("panel-key-secret"), TimeZone: "Europe/Rome",
			Zones: []roster.Zone{{Number: "1", Name: "Porta d'ingresso"}, {Number: "3", Name: ZoneName}, {Number: "12", Name: "Garage"}}},
		{ID: Shop, Name: "Oreficeria Corso Italia", Account: "5544", TimeZone: "Europe/Rome", Zones: []roster.Zone{{Number: "2", Name: "Vetrina"}}},
	} {
		if err := c.PutPanel(p); err != nil {
			return err
		}
	}
	if err := c.PutContact(premises.Contact{ID: Contact, Name: "Anna Rossi", Language: "it", Addresses: []premises.Address{
		{ID: "a-mail", Channel: "email", Value: "anna@vedetta.example"}, {ID: "a-hook", Channel: "webhook", Value: `{"url":"https://hook.vedetta.example/x","secret":"whsec_x"}`},
		{ID: "a-sms", Channel: "sms", Value: Phone},
	}}); err != nil {
		return err
	}
	return c.PutRule(roster.Rule{ID: "r-all", Name: "Tutto ad Anna", Enabled: true, Qualifiers: []string{"new", "restore"},
		Steps: []roster.Step{{Contacts: []string{Contact}, Channels: []string{"email", "webhook"}}}})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
