package central

import (
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/keys"
	"vedetta/central/store"
	"vedetta/cluster/env"

	"vedetta/central/account"
	"vedetta/central/premises"
)

func TestDemoCustomerIsMadeOnce(t *testing.T) {
	ctx, now := t.Context(), time.Now()
	path := t.TempDir() + "/central.db"
	if err := store.Create(path); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	m := centraltest.New()
	ring := keys.New(m, env.Quiet(1))
	accounts, err := account.New(account.Config{}, db, ring)
	if err != nil {
		t.Fatal(err)
	}
	owned := premises.New(premises.Config{}, db, ring)
	key := account.NewAPIKey()
	added := 0
	d := &demo{DemoConfig{Email: "demo@vedetta.example", Account: "A1B2C3D4", PlainAccount: "1234ABCD", ContactEmail: "c@vedetta.example", WebhookURL: "http://127.0.0.1:9/hook"},
		demoSecrets{password: "geheim", apiKey: key, webhookSecret: "whsec_x", panelKey: []byte("0123456789abcdef")}, db, ring, owned, accounts, func() { added++ }}
	hash, err := accounts.Hash(ctx, d.secrets.password)
	if err != nil {
		t.Fatal(err)
	}
	if done, err := d.try(ctx, now, hash); done || err != nil {
		t.Fatalf("without keys: done %v, %v", done, err)
	}
	if _, err := ring.Customer(ctx, keys.Central); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if done, err := d.try(ctx, now, hash); !done || err != nil {
			t.Fatalf("done %v, %v", done, err)
		}
	}
	if added != 1 {
		t.Errorf("told %d times that the customer is there, want once", added)
	}
	doc, revision, err := owned.Document(ctx, demoCustomer)
	if err != nil || revision != 1 || len(doc.Panels) != 2 || len(doc.Contacts) != 1 || len(doc.Rules) != 1 {
		t.Fatalf("%+v %d %v", doc, revision, err)
	}
	if keyed, plain := doc.Panels[0], doc.Panels[1]; len(keyed.Key) != 16 && len(plain.Key) != 16 || len(keyed.Key)+len(plain.Key) != 16 {
		t.Error("want one panel with a key and one without")
	}
	if r := doc.Rules[0]; len(r.Categories) != 19 || !r.Enabled || len(r.Steps) != 1 || len(r.Steps[0].Channels) != 2 || r.Steps[0].AfterSeconds != 0 {
		t.Errorf("%+v", r)
	}
	if c, err := accounts.Caller(ctx, now, key); err != nil || c.Customer != demoCustomer || !c.May(account.ScopeRead) {
		t.Errorf("%+v %v", c, err)
	}
}
