package premises

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// Limits of contacts.
const (
	maxContacts = 1_000 // of a customer
	maxPush     = 20    // devices of a contact
)

// Channels of addresses. A phone is kept, and used by no channel yet: it is not
// planned for when a rule names no channels.
const (
	channelEmail   = "email"
	channelWebhook = "webhook"
	channelPush    = "webpush"
	channelPhone   = "phone"
)

// ContactBody is a person as the customer enters and sees it (design.md
// section 7). Email and Phone are empty where there is none.
type ContactBody struct {
	ID       string       `json:"id"`
	Name     string       `json:"name"`
	Email    *string      `json:"email"`
	Phone    *string      `json:"phone"` // E.164
	Language string       `json:"language"`
	Webhook  *WebhookBody `json:"webhook"`
	Push     []PushBody   `json:"push"`
	State
}

// WebhookBody is where and how a contact's own server is called.
type WebhookBody struct {
	URL    string `json:"url"`
	Secret string `json:"secret"` // whsec_ and base64; one is made for a webhook that comes without
}

// PushBody is a browser's push subscription.
type PushBody struct {
	Endpoint string `json:"endpoint"`
	P256dh   string `json:"p256dh"` // base64url
	Auth     string `json:"auth"`   // base64url
}

type storedContact struct {
	roster.Contact
	record
	Ended []endedAddress `json:"ended,omitempty"`
}

// Contacts is a page of a customer's contacts; nothing of it may be kept or logged.
func (p *Premises) Contacts(ctx context.Context, customer string, q Query) (Page[ContactBody], error) {
	return page(ctx, p, contacts, customer, q, reading.contact)
}

// Contact is one contact of a customer, or ErrNone.
func (p *Premises) Contact(ctx context.Context, customer, id string) (ContactBody, error) {
	return one(ctx, p, contacts, customer, id, reading.contact)
}

func (r reading) contact(f row) (ContactBody, error) {
	var s storedContact
	if err := json.Unmarshal(f.plain, &s); err != nil {
		return ContactBody{}, err
	}
	key, err := seal.UnwrapContactKey(r.key, f.id, s.WrappedKey)
	if err != nil {
		return ContactBody{}, err
	}
	b := ContactBody{ID: f.id, Language: s.Language, Push: []PushBody{}, State: r.state(s.record, f.tag)}
	if b.Name, err = key.Decrypt(s.Name, f.id, nameField); err != nil {
		return b, err
	}
	for _, a := range s.Addresses {
		value, err := key.Decrypt(a.Token, f.id, addressField(a.Channel))
		if err == nil {
			err = b.take(a.Channel, value)
		}
		if err != nil {
			return b, fmt.Errorf("address %s: %w", a.ID, err)
		}
	}
	if b.Phone != nil {
		var w Faults
		w.Add("phone", "phone_unused")
		b.Warnings = append(b.Warnings, w...)
	}
	b.warnEnded(s.Ended)
	return b, nil
}

var errAddress = errors.New("not in the form of its channel") // never tells the value

// take puts an address into the body.
func (b *ContactBody) take(channel, value string) error {
	switch channel {
	case channelEmail:
		b.Email = &value
	case channelWebhook:
		b.Webhook = &WebhookBody{}
		if json.Unmarshal([]byte(value), b.Webhook) != nil {
			return errAddress
		}
	case channelPush:
		var d PushBody
		if json.Unmarshal([]byte(value), &d) != nil {
			return errAddress
		}
		b.Push = append(b.Push, d)
	default: // phone, and the channels to a phone
		b.Phone = &value
	}
	return nil
}

// NewContact is what a new contact is before the customer says anything.
func NewContact() ContactBody { return ContactBody{Language: "it", Push: []PushBody{}} }

// AddContact adds a contact; its id and state are ours.
func (c *Change) AddContact(b ContactBody) (ContactBody, error) {
	if err := c.room(contacts, maxContacts); err != nil {
		return b, err
	}
	b.ID = NewID()
	return c.saveContact(b, ContactBody{}, nil)
}

// EditContact changes a contact by fn. With a tag it is ErrTag when the contact
// has changed since; an address that a rule stands on can't be taken away
// (InUse). What fn leaves as it was is not written.
func (c *Change) EditContact(id, tag string, fn func(*ContactBody) error) (ContactBody, error) {
	f, err := contacts.one(c.ctx, c.tx, c.key, c.customer, id, tag)
	if err != nil {
		return ContactBody{}, err
	}
	b, err := c.reading().contact(f)
	if err != nil {
		return b, err
	}
	before := b
	b.Push = slices.Clone(b.Push)
	if b.Webhook != nil {
		hook := *b.Webhook
		b.Webhook = &hook
	}
	if err := fn(&b); err != nil {
		return b, err
	}
	if same(before, b) {
		return before, nil
	}
	b.ID = id
	var had storedContact
	if err := json.Unmarshal(f.plain, &had); err != nil {
		return b, fmt.Errorf("contact %s: %w", id, err)
	}
	return c.saveContact(b, before, &had)
}

// DeleteContact removes a contact and, with its row, its own key. A contact
// that a rule names, or the last that a rule reaches, stays (InUse).
func (c *Change) DeleteContact(id, tag string) error {
	if _, err := contacts.one(c.ctx, c.tx, c.key, c.customer, id, tag); err != nil {
		return err
	}
	list, err := c.rules()
	if err != nil {
		return err
	}
	var use InUse
	for _, r := range list {
		if slices.ContainsFunc(r.Steps, func(s roster.Step) bool { return slices.Contains(s.Contacts, id) }) {
			use.Rules = append(use.Rules, r.ID)
		}
	}
	if len(use.Rules) > 0 {
		return use
	}
	return c.keepingReach(list, func() error { return c.delete(contacts, id) })
}

// keepingReach carries out a change to contacts, and refuses it when a step
// that reached somebody before reaches nobody after it.
func (c *Change) keepingReach(list []roster.Rule, change func() error) error {
	before, err := c.contacts()
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := c.contacts()
	if err != nil {
		return err
	}
	var use InUse
	for _, r := range list {
		if r.Enabled && slices.ContainsFunc(r.Steps, func(s roster.Step) bool { return reaches(s, before) && !reaches(s, after) }) {
			use.Rules = append(use.Rules, r.ID)
		}
	}
	if len(use.Rules) > 0 {
		return use
	}
	return nil
}

// saveContact checks and writes a contact; had is what it was, nil when new. An
// address keeps its id while it leads to the same place (rule 10). What has
// ended is told until the devices change.
func (c *Change) saveContact(b, before ContactBody, had *storedContact) (ContactBody, error) {
	if err := b.check(c.cfg.AllowPrivate, before.Webhook).err(); err != nil {
		return b, err
	}
	ids, err := c.addressIDs(had)
	if err != nil {
		return b, err
	}
	v := Contact{ID: b.ID, Name: b.Name, Language: b.Language}
	if had != nil && slices.Equal(b.Push, before.Push) {
		v.ended = had.Ended
	}
	add := func(channel, place, value string) {
		id, ok := ids[channel+"\x00"+place]
		if !ok {
			id = NewID()
		}
		v.Addresses = append(v.Addresses, Address{ID: id, Channel: channel, Value: value})
	}
	if b.Email != nil {
		add(channelEmail, *b.Email, *b.Email)
	}
	if b.Phone != nil {
		add(channelPhone, *b.Phone, *b.Phone)
	}
	if b.Webhook != nil {
		value, err := json.Marshal(b.Webhook)
		if err != nil {
			return b, err
		}
		add(channelWebhook, b.Webhook.URL, string(value))
	}
	for _, d := range b.Push {
		value, err := json.Marshal(d)
		if err != nil {
			return b, err
		}
		add(channelPush, d.Endpoint, string(value))
	}
	put := func() error { return c.PutContact(v) }
	if had != nil {
		list, err := c.rules()
		if err != nil {
			return b, err
		}
		err = c.keepingReach(list, put)
		if err != nil {
			return b, err
		}
	} else if err := put(); err != nil {
		return b, err
	}
	f, err := contacts.one(c.ctx, c.tx, c.key, c.customer, b.ID, "")
	if err != nil {
		return b, err
	}
	return c.reading().contact(f)
}

// addressIDs are the ids of a contact's addresses by channel and place.
func (c *Change) addressIDs(had *storedContact) (map[string]string, error) {
	ids := map[string]string{}
	if had == nil {
		return ids, nil
	}
	key, err := seal.UnwrapContactKey(c.key, had.ID, had.WrappedKey)
	if err != nil {
		return nil, fmt.Errorf("contact %s: %w", had.ID, err)
	}
	for _, a := range had.Addresses {
		value, err := key.Decrypt(a.Token, had.ID, addressField(a.Channel))
		if err != nil {
			return nil, fmt.Errorf("contact %s: %w", had.ID, err)
		}
		var place struct{ URL, Endpoint string }
		if a.Channel == channelWebhook || a.Channel == channelPush {
			if json.Unmarshal([]byte(value), &place) != nil {
				return nil, fmt.Errorf("address %s: %w", a.ID, errAddress)
			}
			value = place.URL + place.Endpoint
		}
		ids[a.Channel+"\x00"+value] = a.ID
	}
	return ids, nil
}

// contacts are the customer's, for what channels they have.
func (c *Change) contacts() ([]roster.Contact, error) {
	return c.reading().contacts()
}

func (r reading) contacts() ([]roster.Contact, error) {
	if r.once.contacts != nil {
		return r.once.contacts, nil
	}
	list := []roster.Contact{}
	err := bodies(r.ctx, r.q, r.key, "contact:", `SELECT id, sealed_body FROM contacts WHERE customer_id = ?1 ORDER BY created_ms, id`, r.customer, &list)
	if err != nil {
		return nil, fmt.Errorf("read contacts: %w", err)
	}
	r.once.contacts = list
	return list, nil
}
