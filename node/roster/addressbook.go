package roster

import (
	"fmt"

	"vedetta/wire/seal"
)

// Fields of a contact's Fernet tokens; the subject is the contact's id.
const NameField = "name"

// AddressField is the field of an address's token.
func AddressField(channel string) string { return "address:" + channel }

// Lookup opens one address of a contact. ok is false when customer, contact or
// address are no longer in the roster: then nothing may be sent (rule 15). The
// value is personal data; it is kept no longer than the attempt to send.
func (r *Roster) Lookup(customer, contact, address string) (value, language string, ok bool, err error) {
	l, ok := r.Snapshot().Customer(customer)
	if !ok {
		return "", "", false, nil
	}
	c, ok := l.Contact(contact)
	if !ok {
		return "", "", false, nil
	}
	for _, a := range c.Addresses {
		if a.ID != address {
			continue
		}
		k, err := seal.UnwrapContactKey(l.Key, c.ID, c.WrappedKey)
		if err != nil {
			return "", "", true, fmt.Errorf("address %s of contact %s: %w", address, contact, err)
		}
		value, err := k.Decrypt(a.Token, c.ID, AddressField(a.Channel))
		if err != nil {
			return "", "", true, fmt.Errorf("address %s of contact %s: %w", address, contact, err)
		}
		return value, c.Language, true, nil
	}
	return "", "", false, nil
}
