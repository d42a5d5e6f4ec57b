package seal

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"

	"vedetta/wire/mesh"
)

// Overhead is how many bytes a sealed record or column is longer than its plaintext.
const Overhead = headBytes + nonceBytes + tagBytes

// RecordKey is what a key seals and opens the records of one origin with. Who
// handles many records of an origin keeps it, no longer than the key itself. It
// is safe for use by several goroutines and prints as its key's id.
type RecordKey struct {
	id     KeyID
	origin mesh.Origin
	aead   cipher.AEAD
	nonce  []byte    // key of the nonces' HMAC
	macs   sync.Pool // of hash.Hash under nonce
}

// For derives the record key of an origin.
func (k Key) For(o mesh.Origin) *RecordKey {
	sealing, nonce := recordKeys(k, o)
	return &RecordKey{id: k.ID, origin: o, aead: aead(sealing), nonce: nonce}
}

// Origin is whose records it seals.
func (r *RecordKey) Origin() mesh.Origin { return r.origin }

// String is the key's id and the origin, never bytes of the key.
func (r *RecordKey) String() string {
	return "record key " + r.id.String() + " of " + r.origin.String()
}

// GoString is String.
func (r *RecordKey) GoString() string { return r.String() }

// Seal is the package's Seal. The header's origin must be the record key's.
func (r *RecordKey) Seal(h mesh.Header, plaintext []byte) []byte {
	if h.Origin != r.origin {
		panic(fmt.Sprintf("seal: record of %s under the %s", h.Origin, r)) // a nonce might be used twice
	}
	m, ok := r.macs.Get().(hash.Hash)
	if !ok {
		m = hmac.New(sha256.New, r.nonce)
	}
	var scratch [128]byte
	m.Reset()
	m.Write(binary.BigEndian.AppendUint64(h.Origin.Append(scratch[:0]), h.Number))
	m.Write(plaintext)
	var sum [sha256.Size]byte
	nonce := m.Sum(sum[:0])[:nonceBytes]
	r.macs.Put(m)

	out := make([]byte, 0, len(plaintext)+Overhead)
	out = append(append(out, Version), r.id[:]...)
	out = append(out, nonce...)
	return r.aead.Seal(out, nonce, plaintext, r.data(scratch[:0], h))
}

// Open is the package's Open.
func (r *RecordKey) Open(h mesh.Header, sealed []byte) ([]byte, error) {
	if err := expect(r.id, sealed); err != nil {
		return nil, fmt.Errorf("open record %s: %w", h.Position(), err)
	}
	if h.Origin != r.origin {
		return nil, fmt.Errorf("open record %s: %w", h.Position(), ErrRefused)
	}
	var scratch [128]byte
	nonce := sealed[headBytes : headBytes+nonceBytes]
	plain, err := r.aead.Open(nil, nonce, sealed[headBytes+nonceBytes:], r.data(scratch[:0], h))
	if err != nil {
		return nil, fmt.Errorf("open record %s: %w", h.Position(), ErrRefused)
	}
	return plain, nil
}

func (r *RecordKey) data(b []byte, h mesh.Header) []byte {
	return append(append(mesh.AppendHeader(b, h), Version), r.id[:]...)
}

// Seal seals the content of the record that h is the header of. The same key,
// header and plaintext give the same bytes everywhere (rules 1, 31).
func Seal(k Key, h mesh.Header, plaintext []byte) []byte { return k.For(h.Origin).Seal(h, plaintext) }

// Open opens what Seal made for the same header.
func Open(k Key, h mesh.Header, sealed []byte) ([]byte, error) {
	if err := expect(k.ID, sealed); err != nil { // before keys are derived for it
		return nil, fmt.Errorf("open record %s: %w", h.Position(), err)
	}
	return k.For(h.Origin).Open(h, sealed)
}

// recordKeys derives the origin's own keys: for sealing, and for the nonce.
func recordKeys(k Key, o mesh.Origin) (sealing, nonce []byte) {
	b := derive(k.Data[:], "vedetta record 1"+string(o.Append(nil)), 2*keyBytes)
	return b[:keyBytes], b[keyBytes:]
}
