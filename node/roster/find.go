package roster

import (
	"strings"

	"vedetta/node/identity"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// Kind says how a search for a panel ended.
type Kind int

// Kinds of answers.
const (
	Unknown   Kind = iota // no panel fits
	Found                 // exactly one
	Ambiguous             // several fit equally: held, the operator is told
)

// String is the word for metrics and logs.
func (k Kind) String() string {
	return [...]string{"unknown", "found", "ambiguous"}[k]
}

// Match is the panel that a message belongs to. Customer and Panel are shared
// and never changed.
type Match struct {
	Customer *Loaded
	Panel    *roster.Panel
}

// Key is the customer's key: it seals the entry and makes its identity.
func (m Match) Key() seal.Key { return m.Customer.Key }

// Find looks for the panel of a message: listener ("main" when empty), digits
// after L and R as received (nil: absent), account in any case. A panel entered
// with all that the message says wins; else the one that fits, where what was
// not entered fits everything. Two that fit equally are ambiguous.
func (s *Snapshot) Find(listener string, prefix, receiver *string, account string) (Match, Kind) {
	account = strings.ToUpper(account)
	if s.panels == 0 {
		return Match{}, Unknown
	}
	var exact, fits *ref // the last of so many
	exacts, n := 0, 0
	for r := s.byAccount[s.bucket(account)][account]; r != nil; r = r.next {
		p := r.panel
		if listenerOf(p.Listener) != listenerOf(listener) {
			continue
		}
		switch {
		case same(p.Prefix, prefix) && same(p.Receiver, receiver):
			exact, exacts = r, exacts+1
		case (p.Prefix == nil || same(p.Prefix, prefix)) && (p.Receiver == nil || same(p.Receiver, receiver)):
			fits, n = r, n+1
		}
	}
	if exacts > 0 {
		fits, n = exact, exacts
	}
	switch n {
	case 0:
		return Match{}, Unknown
	case 1:
		l, ok := s.Customer(fits.part.customer)
		if !ok {
			return Match{}, Unknown
		}
		return Match{Customer: l, Panel: fits.panel}, Found
	}
	return Match{}, Ambiguous
}

func listenerOf(name string) string {
	if name == "" {
		return identity.DefaultListener
	}
	return name
}

// same compares digits after L or R as numbers: without case and leading zeros.
func same(a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	return strings.EqualFold(TrimZeros(*a), TrimZeros(*b))
}
