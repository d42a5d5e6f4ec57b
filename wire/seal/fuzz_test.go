package seal

import (
	"bytes"
	"testing"

	"vedetta/wire/mesh"
)

// Law: whatever bytes come, nothing opens but what was sealed under the same key and
// name, and that to what it was.
func FuzzOpen(f *testing.F) {
	k := Key{ID: KeyID{1}, Data: [keyBytes]byte{2}, Identity: [keyBytes]byte{3}}
	h := mesh.Header{Kind: mesh.KindMessage, Origin: mesh.Origin{Node: "arezzo", Incarnation: 1, Random: 2}, Number: 7, Day: 20000}
	record, column := k.For(h.Origin).Seal(h, []byte("content")), SealColumn(k, "roster", []byte("document"))
	f.Add(record)
	f.Add(column)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		IDOf(b) //nolint:errcheck // it must not panic
		if plain, err := Open(k, h, b); err == nil && !bytes.Equal(b, record) && !bytes.Equal(k.For(h.Origin).Seal(h, plain), b) {
			t.Fatalf("%x opens to %q as a record", b, plain)
		}
		if plain, err := OpenColumn(k, "roster", b); err == nil && string(plain) != "document" { // a column has other bytes in each process
			t.Fatalf("%x opens to %q as a column", b, plain)
		}
		if _, err := OpenColumn(k, "another", b); err == nil {
			t.Fatalf("%x opens under another name", b)
		}
		if _, err := UnwrapContactKey(k, "contact", b); err == nil {
			t.Fatalf("%x is a contact's key", b)
		}
	})
}

// Law: no text is a token of a contact but one that the contact's key has made.
func FuzzToken(f *testing.F) {
	k := NewContactKey()
	token, err := k.Encrypt("ann", "name", "Anna")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("gAAAAA==")
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := k.Decrypt(s, "ann", "name"); err == nil && v != "Anna" {
			t.Fatalf("%q opens to %q", s, v)
		}
		if v, err := k.Decrypt(s, "bob", "name"); err == nil {
			t.Fatalf("%q is bob's, and %q", s, v)
		}
	})
}
