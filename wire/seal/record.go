package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"vedetta/wire/mesh"
)

// Overhead is how many bytes a sealed record or column is longer than its plaintext.
const Overhead = headBytes + nonceBytes + tagBytes

// Seal seals the content of the record that h is the header of. The same key,
// header and plaintext give the same bytes everywhere (rules 1, 31).
func Seal(k Key, h mesh.Header, plaintext []byte) []byte {
	sealing, nonceKey := recordKeys(k, h.Origin)
	m := hmac.New(sha256.New, nonceKey)
	m.Write(binary.BigEndian.AppendUint64(h.Origin.Append(nil), h.Number))
	m.Write(plaintext)
	nonce := m.Sum(nil)[:nonceBytes]

	out := make([]byte, 0, len(plaintext)+Overhead)
	out = append(out, head(k.ID)...)
	out = append(out, nonce...)
	return aead(sealing).Seal(out, nonce, plaintext, recordData(k, h))
}

// Open opens what Seal made for the same header.
func Open(k Key, h mesh.Header, sealed []byte) ([]byte, error) {
	if err := expect(k.ID, sealed); err != nil {
		return nil, fmt.Errorf("open record %s: %w", h.Position(), err)
	}
	sealing, _ := recordKeys(k, h.Origin)
	nonce := sealed[headBytes : headBytes+nonceBytes]
	plain, err := aead(sealing).Open(nil, nonce, sealed[headBytes+nonceBytes:], recordData(k, h))
	if err != nil {
		return nil, fmt.Errorf("open record %s: %w", h.Position(), ErrRefused)
	}
	return plain, nil
}

// recordKeys derives the origin's own keys: for sealing, and for the nonce.
func recordKeys(k Key, o mesh.Origin) (sealing, nonce []byte) {
	b := derive(k.Data[:], "vedetta record 1"+string(o.Append(nil)), 2*keyBytes)
	return b[:keyBytes], b[keyBytes:]
}

func recordData(k Key, h mesh.Header) []byte {
	return append(mesh.AppendHeader(nil, h), head(k.ID)...)
}
