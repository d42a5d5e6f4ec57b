package seal

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"unicode/utf8"

	"github.com/fernet/fernet-go"
)

// ContactKey seals the name and addresses of one contact (product.md, N6). It
// is wrapped by the customer's key and destroyed with it, or alone.
type ContactKey [keyBytes]byte

// NewContactKey draws a key.
func NewContactKey() ContactKey {
	var c ContactKey
	rand.Read(c[:])
	return c
}

// String tells nothing.
func (c ContactKey) String() string { return "contact key" }

// GoString is String.
func (c ContactKey) GoString() string { return c.String() }

// LogValue is String.
func (c ContactKey) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Wrap seals c with the customer's key, for this contact only.
func (c ContactKey) Wrap(k Key, contactID string) []byte {
	return SealColumn(k, "contact-key:"+contactID, c[:])
}

// UnwrapContactKey opens what Wrap made for the same contact.
func UnwrapContactKey(k Key, contactID string, wrapped []byte) (ContactKey, error) {
	var c ContactKey
	b, err := OpenColumn(k, "contact-key:"+contactID, wrapped)
	if err != nil {
		return c, err
	}
	if len(b) != keyBytes {
		return c, fmt.Errorf("contact key of %s: %d bytes, want %d: %w", contactID, len(b), keyBytes, ErrForm)
	}
	copy(c[:], b)
	return c, nil
}

// inside is the plaintext of a contact token: what repairs that Fernet doesn't
// bind a token to its row.
type inside struct {
	Version int    `json:"v"`
	Subject string `json:"subject"`
	Field   string `json:"field"`
	Value   string `json:"value"`
}

// Encrypt makes the Fernet token of a subject's field. Two calls give two tokens.
func (c ContactKey) Encrypt(subject, field, value string) (string, error) {
	if !utf8.ValidString(value) {
		return "", fmt.Errorf("encrypt %s of %s: want UTF-8", field, subject)
	}
	plain, err := json.Marshal(inside{Version, subject, field, value})
	if err != nil {
		return "", fmt.Errorf("encrypt %s of %s: %w", field, subject, err)
	}
	key := fernet.Key(c)
	token, err := fernet.EncryptAndSign(plain, &key)
	if err != nil {
		return "", fmt.Errorf("encrypt %s of %s: %w", field, subject, err)
	}
	return string(token), nil
}

// Decrypt opens a token that Encrypt made for the same subject and field.
func (c ContactKey) Decrypt(token, subject, field string) (string, error) {
	key := fernet.Key(c)
	plain := fernet.VerifyAndDecrypt([]byte(token), 0, []*fernet.Key{&key}) // 0: a token does not age
	if plain == nil {
		return "", fmt.Errorf("decrypt %s of %s: %w", field, subject, ErrRefused)
	}
	var in inside
	if err := json.Unmarshal(plain, &in); err != nil {
		return "", fmt.Errorf("decrypt %s of %s: %w", field, subject, ErrForm)
	}
	if in.Version > Version {
		return "", fmt.Errorf("decrypt %s of %s: version %d, want at most %d: %w", field, subject, in.Version, Version, ErrVersion)
	}
	if in.Version != Version || in.Subject != subject || in.Field != field {
		return "", fmt.Errorf("decrypt %s of %s: token belongs to another place: %w", field, subject, ErrRefused)
	}
	return in.Value, nil
}
