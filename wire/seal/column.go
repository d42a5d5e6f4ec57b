package seal

import (
	"crypto/rand"
	"fmt"
)

// SealColumn seals a value that is kept in a row: another result each time,
// bound to the purpose, such as "roster" or "user.email:" and the row's id.
func SealColumn(k Key, purpose string, plaintext []byte) []byte {
	out := make([]byte, 0, len(plaintext)+Overhead)
	out = append(out, head(k.ID)...)
	nonce := make([]byte, nonceBytes)
	rand.Read(nonce)
	out = append(out, nonce...)
	return aead(columnKey(k)).Seal(out, nonce, plaintext, columnData(k.ID, purpose))
}

// OpenColumn opens what SealColumn made for the same purpose.
func OpenColumn(k Key, purpose string, sealed []byte) ([]byte, error) {
	if err := expect(k.ID, sealed); err != nil {
		return nil, fmt.Errorf("open column %q: %w", purpose, err)
	}
	nonce := sealed[headBytes : headBytes+nonceBytes]
	plain, err := aead(columnKey(k)).Open(nil, nonce, sealed[headBytes+nonceBytes:], columnData(k.ID, purpose))
	if err != nil {
		return nil, fmt.Errorf("open column %q: %w", purpose, ErrRefused)
	}
	return plain, nil
}

func columnKey(k Key) []byte { return derive(k.Data[:], "vedetta column 1", keyBytes) }

func columnData(id KeyID, purpose string) []byte { return append(head(id), purpose...) }
