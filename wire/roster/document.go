// Package roster is the document of one customer as central writes it and the
// nodes read it: panels, contacts, rules. It travels sealed with the customer's
// data key (seal.Column, purpose "roster") inside a decision.PutDocument.
//
// A customer with many panels has several: part 0 holds contacts, rules and the
// first panels, each further part more panels and nothing else, so that a
// change of one panel sends and opens a few hundred, not forty thousand.
//
// The form is JSON, version 1; field names are those of the API's bodies.
package roster

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Version of the form that Marshal writes.
const Version = 1

// ErrVersion: the form is above what this program reads; it stops and says so
// (rule 4), for what it would overlook another version acts upon.
var ErrVersion = errors.New("roster document version is above what this program reads")

// Customer is everything the mesh needs to serve one customer.
type Customer struct {
	Version  int       `json:"version"`
	ID       string    `json:"id"`
	Part     int       `json:"part,omitempty"` // 0: the one with contacts and rules
	Language string    `json:"language"`       // it or en: of the texts that go to nobody in particular
	Panels   []Panel   `json:"panels"`
	Contacts []Contact `json:"contacts"`
	Rules    []Rule    `json:"rules"`
}

// Panel is the alarm control unit at the premises. It is unique in the mesh by
// (listener, prefix, receiver, account); without prefix and receiver it is
// found by its account under any of them.
type Panel struct {
	ID           string  `json:"id"`
	Name         string  `json:"name"`
	Listener     string  `json:"listener"`     // "main" when empty
	Prefix       *string `json:"prefix"`       // digits after L, nil: any
	Receiver     *string `json:"receiver"`     // digits after R, nil: any
	Account      string  `json:"account"`      // 3 to 16 hex digits; compared without case
	Key          []byte  `json:"key"`          // AES key, 16, 24 or 32 bytes; empty: none
	PollSeconds  int     `json:"poll_seconds"` // 0: not supervised
	GraceSeconds int     `json:"grace_seconds"`
	Profile      string  `json:"profile,omitempty"`     // of EN 50136, that the times come from; empty: none
	Alternative  *Path   `json:"alternative,omitempty"` // nil: a single path
	TimeZone     string  `json:"time_zone"`             // IANA name of the premises
	Zones        []Zone  `json:"zones"`

	Reception *Reception `json:"reception,omitempty"` // nil: like everybody's
}

// Zone names a zone of a panel.
type Zone struct {
	Number string `json:"number"`
	Name   string `json:"name"`
}

// Contact is a person that notifications go to. Name and addresses are Fernet
// tokens under the contact's own key, which is wrapped by the customer's
// (seal.ContactKey); each token holds subject, field and value: the subject is
// the contact's ID, the field of Name is "name", that of an address "address:"
// and its channel.
type Contact struct {
	ID         string    `json:"id"`
	Language   string    `json:"language"`
	WrappedKey []byte    `json:"wrapped_key"`
	Name       string    `json:"name"`
	Addresses  []Address `json:"addresses"`
}

// Address is one place a contact can be reached at.
type Address struct {
	ID      string `json:"id"`      // opaque, stable while the address is the same
	Channel string `json:"channel"` // email, webhook, webpush, sms, whatsapp, voice; phone: a number that no channel uses yet
	Token   string `json:"token"`   // Fernet; the value is the address, for webhook {"url","secret"} as JSON, for webpush {"endpoint","p256dh","auth"}
}

// Rule says which events go to which contacts, how and when. An empty list
// means all; times are the premises'.
type Rule struct {
	ID                string   `json:"id"`
	Name              string   `json:"name"`
	Panels            []string `json:"panels"`
	Partitions        []string `json:"partitions"`
	Zones             []string `json:"zones"`
	Categories        []string `json:"categories"`
	Codes             []string `json:"codes"`
	Qualifiers        []string `json:"qualifiers"` // new when empty
	Days              []int    `json:"days"`       // 1 Monday to 7 Sunday
	From              string   `json:"from"`       // HH:MM, empty: whole day
	To                string   `json:"to"`
	Steps             []Step   `json:"steps"`
	UntilAcknowledged bool     `json:"until_acknowledged"`
	Bundle            bool     `json:"bundle"`
	Enabled           bool     `json:"enabled"`
}

// Step is one stage of escalation.
type Step struct {
	Contacts     []string `json:"contacts"`
	Channels     []string `json:"channels"`
	AfterSeconds int      `json:"after_seconds"`
	Repeat       int      `json:"repeat"`
}

// Marshal returns the form that is sealed.
func Marshal(c Customer) ([]byte, error) {
	c.Version = Version
	return json.Marshal(c)
}

// Unmarshal reads what Marshal wrote.
func Unmarshal(b []byte) (Customer, error) {
	var form struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &form); err != nil {
		return Customer{}, fmt.Errorf("roster document: %w", err)
	}
	if form.Version > Version { // before the rest, whose types may be others
		return Customer{}, fmt.Errorf("roster document: version %d, want at most %d: %w", form.Version, Version, ErrVersion)
	}
	if form.Version != Version {
		return Customer{}, fmt.Errorf("roster document: version %d, want %d", form.Version, Version)
	}
	var c Customer
	if err := json.Unmarshal(b, &c); err != nil {
		return Customer{}, fmt.Errorf("roster document: %w", err)
	}
	return c, nil
}
