package premises_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"vedetta/central/centraltest"
	"vedetta/central/premises"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// TestARosterGoesDownInParts: many panels go in several documents, each as the
// mesh takes it; a change sends its own part only; a mesh that began anew gets all.
func TestARosterGoesDownInParts(t *testing.T) {
	s := centraltest.NewService(t, at)
	flush := func() {
		t.Helper()
		if err := s.Publisher.Flush(t.Context(), at); err != nil {
			t.Fatal(err)
		}
	}
	flush()
	const n = 1000
	ids := make([]string, n)
	edit := func(fn func(c *premises.Change) error) {
		t.Helper()
		if err := s.Premises.Edit(t.Context(), at, centraltest.Customer, fn); err != nil {
			t.Fatal(err)
		}
	}
	edit(func(c *premises.Change) error {
		for i := range n {
			b := premises.NewPanel()
			b.Name, b.Account = fmt.Sprint("Centrale ", i), fmt.Sprintf("%06X", i)
			b, err := c.AddPanel(b)
			if err != nil {
				return err
			}
			ids[i] = b.ID
		}
		return nil
	})
	if ok, err := s.Premises.AwaitInForce(t.Context(), centraltest.Customer, 2, 0); ok || err != nil {
		t.Error("in force before it was sent", err)
	}
	_, before := s.Mesh.Document(centraltest.Customer)
	flush()
	open := func(d centraltest.Document) roster.Customer {
		t.Helper()
		plain, err := seal.OpenColumn(s.Mesh.Key(centraltest.Customer), "roster", d.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		c, err := roster.Unmarshal(plain)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	d, puts := s.Mesh.Document(centraltest.Customer)
	all := []roster.Customer{open(d), open(s.Mesh.Part(centraltest.Customer, 1)), open(s.Mesh.Part(centraltest.Customer, 2))}
	if puts-before != 3 || len(all[0].Panels) != 400 || len(all[1].Panels) != 400 || len(all[2].Panels) != n+2-800 ||
		len(all[0].Rules) != 1 || len(all[1].Rules)+len(all[1].Contacts) != 0 || all[1].Part != 1 || all[2].Part != 2 {
		t.Fatalf("%d puts, parts of %d %d %d panels", puts-before, len(all[0].Panels), len(all[1].Panels), len(all[2].Panels))
	}
	if ok, err := s.Premises.AwaitInForce(t.Context(), centraltest.Customer, 2, 0); !ok || err != nil {
		t.Error("sent, and not in force", err)
	}
	wanted := func() string {
		t.Helper()
		revision, digest, err := s.Premises.Wanted(t.Context(), centraltest.Customer)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%d %x", revision, digest)
	}
	first := wanted()
	if again := wanted(); again != first {
		t.Errorf("wanted %s, then %s", first, again)
	}
	edit(func(c *premises.Change) error {
		_, err := c.EditPanel(ids[n-1], "", func(b *premises.PanelBody) error { b.Name = "Altro nome"; return nil })
		return err
	})
	flush()
	part, _ := s.Mesh.Part(centraltest.Customer, 2), 0
	if _, now := s.Mesh.Document(centraltest.Customer); now-puts != 1 || part.Revision != 3 || s.Mesh.Part(centraltest.Customer, 1).Revision != 2 {
		t.Errorf("%d puts for a change of one panel, want its part alone", now-puts)
	}
	if wanted() == first {
		t.Error("a change leaves the digest as it was")
	}
	s.Mesh.BeginAnew()
	if err := s.Publisher.Compare(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	flush()
	d, _ = s.Mesh.Document(centraltest.Customer)
	if got := len(open(d).Panels) + len(open(s.Mesh.Part(centraltest.Customer, 1)).Panels) + len(open(s.Mesh.Part(centraltest.Customer, 2)).Panels); got != n+2 {
		t.Errorf("a mesh made anew has %d panels, want %d", got, n+2)
	}
	// A deleted panel leaves its part, and room in it.
	edit(func(c *premises.Change) error { return c.DeletePanel(ids[500], "") })
	flush()
	if got := open(s.Mesh.Part(centraltest.Customer, 1)); len(got.Panels) != 399 {
		t.Errorf("%d panels in the part that one was deleted from", len(got.Panels))
	}
}

// TestATooLargePartIsRefused rather than never published.
func TestATooLargePartIsRefused(t *testing.T) {
	s := centraltest.NewService(t, at)
	zones := []premises.ZoneBody{}
	for i := range 1000 {
		zones = append(zones, premises.ZoneBody{Number: fmt.Sprint(i + 1), Name: strings.Repeat("è", 100)})
	}
	err := s.Premises.Edit(t.Context(), at, centraltest.Customer, func(c *premises.Change) error {
		for i := range 12 { // each new one gets a part with room
			b := premises.NewPanel()
			b.Name, b.Account, b.Zones = "Grande", fmt.Sprintf("%06X", i), zones
			if _, err := c.AddPanel(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Errorf("large panels in parts of their own: %v", err)
	}
	err = s.Premises.Edit(t.Context(), at, centraltest.Customer, func(c *premises.Change) error {
		for i := range 30 {
			b := premises.NewPanel()
			b.Name, b.Account = "Cresce", fmt.Sprintf("A%05X", i)
			b, err := c.AddPanel(b)
			if err == nil {
				_, err = c.EditPanel(b.ID, "", func(b *premises.PanelBody) error { b.Zones = zones; return nil })
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	var f premises.Faults
	if !errors.As(err, &f) || f[0].Code != "too_large" {
		t.Errorf("%v, want too_large", err)
	}
}
