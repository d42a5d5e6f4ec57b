package premises

import (
	"context"
	"fmt"

	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// Fields of a contact's tokens; the subject is the contact's id. The nodes
// read them by the same names (node/roster).
const nameField = "name"

func addressField(channel string) string { return "address:" + channel }

// Contact is a person as the customer enters it, in the clear.
type Contact struct {
	ID        string
	Name      string
	Language  string // it or en
	Addresses []Address
	ended     []endedAddress
}

// Address is one place a contact can be reached at. Its id stays the same
// while the address does: a notification's id derives from it (rule 10).
type Address struct {
	ID      string
	Channel string
	Value   string // for webhook {"url","secret"} as JSON
}

// PutContact creates or replaces a contact by its id, as it is. A contact that exists
// keeps its own key.
func (c *Change) PutContact(v Contact) error {
	key, err := c.contactKey(v.ID)
	if err != nil {
		return fmt.Errorf("put contact %s: %w", v.ID, err)
	}
	doc := roster.Contact{ID: v.ID, Language: v.Language, WrappedKey: key.Wrap(c.key, v.ID), Addresses: []roster.Address{}}
	if doc.Name, err = key.Encrypt(v.ID, nameField, v.Name); err != nil {
		return fmt.Errorf("put contact: %w", err)
	}
	for _, a := range v.Addresses {
		token, err := key.Encrypt(v.ID, addressField(a.Channel), a.Value)
		if err != nil {
			return fmt.Errorf("put contact: %w", err)
		}
		doc.Addresses = append(doc.Addresses, roster.Address{ID: a.ID, Channel: a.Channel, Token: token})
	}
	_, err = c.put(contacts, v.ID, storedContact{doc, record{Revision: c.revision}, v.ended})
	return err
}

func (c *Change) contactKey(id string) (seal.ContactKey, error) {
	var list []roster.Contact
	err := bodies(c.ctx, c.tx, c.key, "contact:", `SELECT id, sealed_body FROM contacts WHERE customer_id = ?1 AND id = ?2`, c.customer, &list, id)
	if err != nil {
		return seal.ContactKey{}, err
	}
	if len(list) == 0 {
		return seal.NewContactKey(), nil
	}
	return seal.UnwrapContactKey(c.key, id, list[0].WrappedKey)
}

// Names are the names of a customer's panels and contacts by id, for pages.
type Names struct {
	Panels   map[string]roster.Panel
	Contacts map[string]string
	Document roster.Customer // that they are of
}

// Names opens them; nothing of it may be kept or logged.
func (p *Premises) Names(ctx context.Context, customer string) (Names, error) {
	d, _, err := p.Document(ctx, customer)
	n := Names{make(map[string]roster.Panel, len(d.Panels)), map[string]string{}, d}
	if err != nil {
		return n, err
	}
	k, err := p.ring.Of(customer)
	if err != nil {
		return n, err
	}
	for _, v := range d.Panels {
		n.Panels[v.ID] = v
	}
	for _, v := range d.Contacts {
		key, err := seal.UnwrapContactKey(k, v.ID, v.WrappedKey)
		if err != nil {
			return n, fmt.Errorf("contact %s: %w", v.ID, err)
		}
		if n.Contacts[v.ID], err = key.Decrypt(v.Name, v.ID, nameField); err != nil {
			return n, fmt.Errorf("contact %s: %w", v.ID, err)
		}
	}
	return n, nil
}
