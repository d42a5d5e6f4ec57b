package watch

import (
	"slices"
	"strings"

	"vedetta/node/roster"
	"vedetta/wire/dc09"
	wire "vedetta/wire/watch"
)

// subject is what a viewer may see the attempts of.
type subject struct {
	ask    wire.Ask
	places []string       // of the addresses that are proven to be the viewer's or the panel's
	match  roster.Match   // the watched panel; Panel is nil when the node doesn't have it (yet, or any more)
	keys   []*dc09.Cipher // of the panel
	strong []*dc09.Cipher // those of them that nobody else is likely to have
}

// relate says in which relation an attempt stands to the watched panel and
// whether what it says is withheld; ok is false when it must not be shown. What
// names a panel is shown to that panel's viewers only. What names none is shown
// whole when a strong key of the panel opens it; by its header when it comes from
// the viewer's or the panel's address and its account resembles the panel's; as a
// bare fact when only the address is theirs (ops/decisions, 2026-11-24, what an
// installer sees of unknown accounts).
func (s subject) relate(k *kept, r reading, find func(listener string, f dc09.Frame) (roster.Match, roster.Kind)) (relation string, withheld, ok bool) {
	customer, panel := k.verdict.Customer, k.verdict.Panel
	if panel == "" && r.isFrame {
		if m, kind := find(k.from.Listener, r.Frame); kind == roster.Found {
			customer, panel = m.Customer.Doc.ID, m.Panel.ID
		}
	}
	if s.ask.All {
		return s.relateAll(r)
	}
	if panel != "" {
		mine := panel == s.ask.Panel && customer == s.ask.Customer
		return wire.Own, false, mine
	}
	if s.match.Panel == nil {
		return "", false, false
	}
	if r.isFrame && r.Frame.Encrypted && r.opens(s.strong) != nil {
		return wire.Opened, false, true
	}
	if !slices.Contains(s.places, place(k.from.Peer.Addr())) {
		return "", false, false
	}
	if r.isFrame && wire.Resembles(r.Frame.Account, s.match.Panel.Account) {
		return wire.Near, true, true
	}
	return wire.Address, true, true
}

// relateAll is the operator's view: everything, or what names or resembles an
// account.
func (s subject) relateAll(r reading) (relation string, withheld, ok bool) {
	switch {
	case s.ask.Account == "":
		return wire.Other, false, true
	case !r.isFrame:
		return "", false, false
	case strings.EqualFold(r.Frame.Account, s.ask.Account):
		return wire.Own, false, true
	}
	return wire.Near, false, wire.Resembles(r.Frame.Account, s.ask.Account)
}

// weak tells whether a key is one that others may have guessed or left as it
// came: few different bytes, or bytes that mostly follow one another, as
// 1234567890123456.
func weak(key []byte) bool {
	different, steps := map[byte]bool{}, 0
	for i, b := range key {
		different[b] = true
		if i > 0 && (b-key[i-1] <= 1 || key[i-1]-b <= 1) {
			steps++
		}
	}
	return len(different) < 8 || steps*2 > len(key)
}
