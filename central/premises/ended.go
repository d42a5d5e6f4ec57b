package premises

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// maxEnded bounds what is kept of a contact's ended addresses; the oldest go first.
const maxEnded = maxPush

// endedAddress is what is left of an address that its provider said is gone.
// Kept until the customer changes the contact's devices; it says nothing of the
// person.
type endedAddress struct {
	Channel string `json:"channel"`
	Service string `json:"service"` // host of the push service
	EndedMs int64  `json:"ended"`   // Unix milliseconds, the agreement's clock
}

// EndAddress takes an address out of its contact for good, because its provider
// said that it is gone: nobody sends there again once the mesh has the document,
// and the contact says so until the customer looks after its devices. Unlike a
// customer's own change it is never refused, for it is true already. An address
// that is no longer there changes nothing.
func (c *Change) EndAddress(contact, address string, at time.Time) error {
	f, err := contacts.one(c.ctx, c.tx, c.key, c.customer, contact, "")
	if errors.Is(err, ErrNone) {
		return nil
	} else if err != nil {
		return fmt.Errorf("end address %s: %w", address, err)
	}
	var s storedContact
	if err := json.Unmarshal(f.plain, &s); err != nil {
		return fmt.Errorf("contact %s: %w", contact, err)
	}
	kept := []roster.Address{}
	for _, a := range s.Addresses {
		if a.ID != address {
			kept = append(kept, a)
			continue
		}
		service, err := c.serviceOf(s.Contact, a)
		if err != nil {
			return fmt.Errorf("end address %s: %w", address, err)
		}
		s.Ended = append(s.Ended, endedAddress{a.Channel, service, at.UnixMilli()})
	}
	if len(kept) == len(s.Addresses) {
		return nil
	}
	s.Addresses, s.Revision = kept, c.revision
	s.Ended = s.Ended[max(0, len(s.Ended)-maxEnded):]
	_, err = c.put(contacts, contact, s)
	return err
}

// serviceOf is the host of a push subscription; empty for other channels.
func (c *Change) serviceOf(contact roster.Contact, a roster.Address) (string, error) {
	if a.Channel != channelPush {
		return "", nil
	}
	key, err := seal.UnwrapContactKey(c.key, contact.ID, contact.WrappedKey)
	if err != nil {
		return "", err
	}
	value, err := key.Decrypt(a.Token, contact.ID, addressField(a.Channel))
	if err != nil {
		return "", err
	}
	var d PushBody
	if json.Unmarshal([]byte(value), &d) != nil {
		return "", errAddress
	}
	u, err := url.Parse(d.Endpoint)
	if err != nil {
		return "", errAddress // the library's error tells the endpoint
	}
	return u.Hostname(), nil
}

// warnEnded tells the customer what has ended.
func (b *ContactBody) warnEnded(list []endedAddress) {
	for _, e := range list {
		var w Faults
		w.Add("push", "push_ended", e.Service, time.UnixMilli(e.EndedMs).UTC().Format("2006-01-02 15:04"))
		b.Warnings = append(b.Warnings, w...)
	}
}
