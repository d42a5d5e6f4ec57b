package ingest_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/history"
	"vedetta/central/premises"
	"vedetta/wire/decision"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

const browser = `{"endpoint":"https://push.vedetta.example/secret-path","p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}`

// subscribed gives the contact a browser, and another that stays.
func subscribed(t *testing.T, s *centraltest.Service) {
	t.Helper()
	err := s.Premises.Edit(t.Context(), at, centraltest.Customer, func(c *premises.Change) error {
		return c.PutContact(premises.Contact{ID: centraltest.Contact, Name: "Anna Rossi", Language: "it", Addresses: []premises.Address{
			{ID: "a-mail", Channel: "email", Value: "anna@vedetta.example"},
			{ID: "a-phone", Channel: "webpush", Value: browser},
			{ID: "a-desk", Channel: "webpush", Value: strings.Replace(browser, "secret-path", "other-path", 1)},
		}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
}

// pushed is an alarm to the browser and its notification.
func pushed(s *centraltest.Service) string {
	a := burglary("arezzo")
	p := a.Message(s.Mesh)
	e := a.Event
	n := decision.Notification{Event: decision.EventID(p, 0), Contact: centraltest.Contact, Channel: "webpush", Address: "a-phone", Rule: "r-all"}
	n.ID = decision.NotificationID(n)
	s.Mesh.Decision(1, at, decision.Record{Customer: centraltest.Customer, Verdict: &decision.Verdict{Entry: p, Customer: centraltest.Customer, Panel: centraltest.House,
		ReceivedMs: at.UnixMilli(), Ruling: decision.RulingEvents, Events: []decision.Event{e}, Plan: []decision.Notification{n}}})
	return n.ID
}

func addresses(t *testing.T, s *centraltest.Service) (ids []string, revision uint64) {
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
	for _, a := range doc.Contacts[0].Addresses {
		ids = append(ids, a.ID)
	}
	return ids, d.Revision
}

// An outcome "gone" takes the subscription out of its contact and out of the
// mesh's roster, once, and the customer is told until the devices change.
func TestGoneSubscriptionEnds(t *testing.T) {
	s := centraltest.NewService(t, at)
	subscribed(t, s)
	_, before := addresses(t, s)
	id := pushed(s)
	centraltest.Settle(s.Mesh, at.Add(time.Second), id, 1, decision.StateRefused, "gone")
	records := s.Mesh.Records()
	apply(t, s, records)
	apply(t, s, records) // as after a cut in the middle
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	ids, after := addresses(t, s)
	if want := []string{"a-mail", "a-desk"}; !slices.Equal(ids, want) || after != before+1 {
		t.Fatalf("the mesh has %v at revision %d after %d, want %v one later", ids, after, before, want)
	}
	b, err := s.Premises.Contact(t.Context(), centraltest.Customer, centraltest.Contact)
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Push) != 1 || len(b.Warnings) != 1 || b.Warnings[0].Code != "push_ended" || b.Warnings[0].Field != "push" ||
		!strings.Contains(b.Warnings[0].Expected, "push.vedetta.example said at 2026-11-24 01:02 UTC") || strings.Contains(b.Warnings[0].Expected, "secret-path") {
		t.Fatalf("the customer sees %+v", b.Warnings)
	}
	list, err := s.History.Notifications(t.Context(), centraltest.Customer, history.Query{Limit: 10})
	if err != nil || len(list.Items) != 1 || *list.Items[0].Reason != "gone" || list.Items[0].State != "refused" {
		t.Fatalf("the log says %+v, %v", list.Items, err)
	}

	// Another name leaves the warning, another device takes it away.
	edit := func(fn func(*premises.ContactBody)) premises.ContactBody {
		t.Helper()
		err := s.Premises.Edit(t.Context(), at, centraltest.Customer, func(c *premises.Change) (err error) {
			b, err = c.EditContact(centraltest.Contact, "", func(b *premises.ContactBody) error { fn(b); return nil })
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if b := edit(func(b *premises.ContactBody) { b.Name = "Anna Bianchi" }); len(b.Warnings) != 1 {
		t.Errorf("renamed: %+v", b.Warnings)
	}
	b = edit(func(b *premises.ContactBody) {
		d := b.Push[0]
		d.Endpoint = "https://push.vedetta.example/secret-path" // the same browser again
		b.Push = append(b.Push, d)
	})
	if len(b.Warnings) != 0 || len(b.Push) != 2 {
		t.Errorf("subscribed again: %+v", b.Warnings)
	}
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	ids, _ = addresses(t, s)
	if len(ids) != 3 || slices.Contains(ids, "a-phone") {
		t.Errorf("addresses %v: a subscription that comes back is another address", ids)
	}

	// A late word about the former one ends nothing any more.
	centraltest.Settle(s.Mesh, at.Add(time.Minute), pushed(s), 1, decision.StateRefused, "gone")
	apply(t, s, s.Mesh.Records())
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if late, _ := addresses(t, s); !slices.Equal(late, ids) {
		t.Errorf("addresses %v after a late word, were %v", late, ids)
	}
}

// Only "gone" ends an address; other outcomes, also of a contact that is no longer there, end nothing.
func TestOtherOutcomesEndNothing(t *testing.T) {
	s := centraltest.NewService(t, at)
	subscribed(t, s)
	for state, reason := range map[decision.State]string{decision.StateRefused: "provider_refused", decision.StateUnknown: "gone", decision.StateDelivered: "", decision.StatePending: "gone"} {
		centraltest.Settle(s.Mesh, at.Add(time.Second), pushed(s), 1, state, reason)
	}
	apply(t, s, s.Mesh.Records())
	b, err := s.Premises.Contact(t.Context(), centraltest.Customer, centraltest.Contact)
	if err != nil || len(b.Push) != 2 || len(b.Warnings) != 0 {
		t.Errorf("%d devices, %+v, %v", len(b.Push), b.Warnings, err)
	}
	id := pushed(s)
	err = s.Premises.Edit(t.Context(), at, centraltest.Customer, func(c *premises.Change) error {
		return c.EndAddress("nobody", "a-phone", at)
	})
	if err != nil {
		t.Errorf("a contact that is gone: %v", err)
	}
	centraltest.Settle(s.Mesh, at.Add(time.Second), id, 1, decision.StateRefused, "gone")
	apply(t, s, s.Mesh.Records())
	if n := waiting(t, s); n != 0 {
		t.Errorf("%d decisions wait", n)
	}
}
