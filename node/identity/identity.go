// Package identity gives a panel's messages the one spelling by which copies
// are found and by which they hash onto shards (rule 13).
//
// It is arithmetic: no I/O, no clock, no state. What it computes never changes;
// a new way of computing an identity gets a new Version, which is part of the
// hash, and rises only with the cluster's version.
//
// # Identity, version 1
//
// seal.Key.Identify under the customer's key, or the day's while the account is
// unknown, of these parts:
//
//	1  one byte, Version
//	2  listener
//	3  "p" and the panel's roster id, or "u" and the tuple (see Tuple)
//	4  token without its asterisk, in upper case
//	5  sequence, four decimal digits
//	6  data between the brackets as sent, decrypted, without extended data and
//	   timestamp
//
// # Shard
//
// The first 6 bits of SHA-256 of the panel's roster id, or of the tuple.
package identity

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"vedetta/wire/mesh"
)

// Version of the rule of identity; the first part of every hash.
const Version = 1

// Shards is how many shards there are; it never changes.
const Shards = 64

// DefaultListener is the listener of a panel that names none.
const DefaultListener = "main"

// Key makes keyed hashes; seal.Key is one.
type Key interface {
	Identify(parts ...[]byte) mesh.Identity
}

// Sender is where a message came from: a panel of the roster, or, with an empty
// Panel, what the message itself says.
type Sender struct {
	Listener string  // "main" when empty
	Panel    string  // roster id; empty while the account is unknown or ambiguous
	Prefix   *string // digits after L, nil: absent
	Receiver *string // digits after R, nil: absent
	Account  string
}

// Shard of the sender's messages, 0 to 63.
func (s Sender) Shard() byte {
	if s.Panel != "" {
		return Shard(s.Panel)
	}
	return Shard(s.Tuple())
}

// Shard of a panel's roster id, 0 to 63.
func Shard(panel string) byte {
	sum := sha256.Sum256([]byte(panel))
	return sum[0] >> 2
}

// Tuple spells an unknown sender: listener, prefix, receiver and account,
// separated by NUL, in upper case but for the listener; an absent prefix or
// receiver is a dash.
func (s Sender) Tuple() string {
	return s.listener() + "\x00" + spell(s.Prefix) + "\x00" + spell(s.Receiver) + "\x00" + strings.ToUpper(s.Account)
}

// Of is the identity of a message under the sender's key. The token may have
// its asterisk or not.
func (s Sender) Of(k Key, token string, sequence int, data []byte) mesh.Identity {
	from := "u" + s.Tuple()
	if s.Panel != "" {
		from = "p" + s.Panel
	}
	return k.Identify(
		[]byte{Version},
		[]byte(s.listener()),
		[]byte(from),
		[]byte(strings.ToUpper(strings.TrimPrefix(token, "*"))),
		number(sequence),
		data,
	)
}

// number is at least four decimal digits.
func number(n int) []byte {
	if n < 0 || n > 9999 {
		return fmt.Appendf(nil, "%04d", n)
	}
	return []byte{'0' + byte(n/1000), '0' + byte(n/100%10), '0' + byte(n/10%10), '0' + byte(n%10)}
}

func (s Sender) listener() string {
	if s.Listener == "" {
		return DefaultListener
	}
	return s.Listener
}

func spell(digits *string) string {
	if digits == nil {
		return "-"
	}
	return strings.ToUpper(*digits)
}
