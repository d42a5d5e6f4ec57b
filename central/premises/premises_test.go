package premises_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/premises"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

var at = time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC)

func document(t *testing.T, s *centraltest.Service) (roster.Customer, uint64) {
	t.Helper()
	d, _ := s.Mesh.Document(centraltest.Customer)
	plain, err := seal.OpenColumn(s.Mesh.Key(centraltest.Customer), "roster", d.Sealed)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := roster.Unmarshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	return doc, d.Revision
}

func rename(t *testing.T, s *centraltest.Service, name string) {
	t.Helper()
	err := s.Premises.Edit(t.Context(), at, centraltest.Customer, func(c *premises.Change) error {
		return c.PutPanel(roster.Panel{ID: centraltest.House, Name: name, Account: "AB12CD34"})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func unsent(t *testing.T, s *centraltest.Service) (n int) {
	t.Helper()
	if err := s.DB.Read().QueryRowContext(t.Context(), `SELECT count(*) FROM outbox WHERE sent_ms IS NULL`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A change reaches the mesh, whatever dies in between, with a rising revision.
func TestOutboxSurvivesCrashes(t *testing.T) {
	s := centraltest.NewService(t, at)
	s.Mesh.SetDown(true)
	if err := s.Publisher.Flush(t.Context(), at); err == nil {
		t.Fatal("published with the mesh down")
	}
	s.Mesh.SetDown(false)
	s.Restart(t) // died before sending
	s.Mesh.DropReply = true
	if err := s.Publisher.Flush(t.Context(), at); err == nil || unsent(t, s) != 1 {
		t.Fatalf("a lost answer counted as one: %v, %d unsent", err, unsent(t, s))
	}
	s.Restart(t) // died before the answer
	if err := s.Publisher.Flush(t.Context(), at); err != nil || unsent(t, s) != 0 {
		t.Fatalf("%v, %d unsent", err, unsent(t, s))
	}
	doc, first := document(t, s)
	if len(doc.Panels) != 2 || len(doc.Contacts) != 1 || len(doc.Rules) != 1 || doc.ID != centraltest.Customer {
		t.Fatalf("%+v", doc)
	}
	rename(t, s, "Villa Bianchi")
	rename(t, s, "Villa Verdi")
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	doc, second := document(t, s)
	if second != first+2 || doc.Panels[0].Name != "Villa Verdi" || unsent(t, s) != 0 {
		t.Errorf("revision %d after %d, %q, %d unsent", second, first, doc.Panels[0].Name, unsent(t, s))
	}
	_, puts := s.Mesh.Document(centraltest.Customer)
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if _, again := s.Mesh.Document(centraltest.Customer); again != puts {
		t.Error("sent again though nothing changed")
	}
}

// An edit that fails leaves neither change nor outbox row.
func TestEditIsWhole(t *testing.T) {
	s := centraltest.NewService(t, at)
	stop := errors.New("stop")
	err := s.Premises.Edit(t.Context(), at, centraltest.Customer, func(c *premises.Change) error {
		if err := c.PutPanel(roster.Panel{ID: "new", Name: "Nuova", Account: "777"}); err != nil {
			return err
		}
		return stop
	})
	doc, revision, derr := s.Premises.Document(t.Context(), centraltest.Customer)
	if !errors.Is(err, stop) || derr != nil || len(doc.Panels) != 2 || revision != 1 || unsent(t, s) != 1 {
		t.Errorf("%v %v: %d panels, revision %d, %d unsent", err, derr, len(doc.Panels), revision, unsent(t, s))
	}
}

// The mesh began anew, or this store is a backup: the document goes out again,
// above the mesh's revision.
func TestCompare(t *testing.T) {
	s := centraltest.NewService(t, at)
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	s.Mesh.PutRevision(centraltest.Customer, 40)
	if err := errors.Join(s.Publisher.Compare(t.Context(), at), s.Publisher.Flush(t.Context(), at)); err != nil {
		t.Fatal(err)
	}
	if _, revision := document(t, s); revision != 41 {
		t.Errorf("revision %d, want 41", revision)
	}
	s.Mesh.PutRevision(centraltest.Customer, 0)
	if err := errors.Join(s.Publisher.Compare(t.Context(), at), s.Publisher.Flush(t.Context(), at)); err != nil {
		t.Fatal(err)
	}
	if _, revision := document(t, s); revision != 42 {
		t.Errorf("revision %d, want 42", revision)
	}
}

func TestSamePanelTwice(t *testing.T) {
	s := centraltest.NewService(t, at)
	zero := "0"
	for _, account := range []string{"AB12CD34", "ab12cd34"} {
		err := s.Premises.Edit(t.Context(), at, centraltest.Customer, func(c *premises.Change) error {
			return c.PutPanel(roster.Panel{ID: "other", Account: account, Prefix: &zero})
		})
		if !errors.Is(err, premises.ErrTaken) {
			t.Errorf("%s: %v, want ErrTaken", account, err)
		}
	}
}

func TestContactKeepsItsKey(t *testing.T) {
	s := centraltest.NewService(t, at)
	before, _, err := s.Premises.Document(t.Context(), centraltest.Customer)
	if err != nil {
		t.Fatal(err)
	}
	old, err := seal.UnwrapContactKey(s.Mesh.Key(centraltest.Customer), centraltest.Contact, before.Contacts[0].WrappedKey)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Premises.Edit(t.Context(), at, centraltest.Customer, func(c *premises.Change) error {
		return c.PutContact(premises.Contact{ID: centraltest.Contact, Name: "Anna R.", Addresses: []premises.Address{{ID: "a-mail", Channel: "email", Value: "new@vedetta.example"}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := s.Premises.Document(t.Context(), centraltest.Customer)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := old.Decrypt(after.Contacts[0].Addresses[0].Token, centraltest.Contact, "address:email"); err != nil || v != "new@vedetta.example" {
		t.Errorf("%q %v", v, err)
	}
}

// Nothing personal can be read in the files of the store.
func TestRule31_NothingPersonalInTheStore(t *testing.T) {
	s := centraltest.NewService(t, at)
	centraltest.Story(s.Mesh, at)
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
		t.Fatal(err)
	}
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accounts.Login(t.Context(), at, client(), centraltest.Email, centraltest.Password); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(s.Path + "*")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	var all strings.Builder
	for _, f := range files { // the write-ahead log is one of them
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	lower := strings.ToLower(all.String())
	for _, secret := range []string{"AB12CD34", centraltest.Email, "anna@vedetta.example", "Anna Rossi", "Villa Rossi", "Oreficeria", centraltest.ZoneName, "Contatto finestra",
		"Rilevatore fumo", "burglary", centraltest.Phone, "panel-key-secret", "hook.vedetta.example", "$argon2id", centraltest.APIKey, "192.0.2.77", "198.51.100.9", "Firefox", "250 2.0.0"} {
		if strings.Contains(lower, strings.ToLower(secret)) {
			t.Errorf("%q stands in the store", secret)
		}
	}
	if !strings.Contains(lower, centraltest.House) && !strings.Contains(lower, centraltest.Customer) {
		t.Error("the search finds nothing at all: is it the right file?")
	}
}
