package dc09

import (
	"encoding/hex"
	"errors"
	"strings"
)

// Forms of a key typed by people.
const (
	KeyHex  = "hex"
	KeyText = "text"
)

// ParseKey reads a key as an installer types it and says which form was taken.
// A prefix "hex:" or "text:" decides; without one, 32, 48 or 64 hex digits are
// hex, else 16, 24 or 32 bytes are text. The key is never in the error.
func ParseKey(s string) (key []byte, form string, err error) {
	if rest, ok := strings.CutPrefix(s, "hex:"); ok {
		if !hexKey(rest) {
			return nil, "", errors.New("dc09: key behind hex:, want 32, 48 or 64 hex digits")
		}
		key, err = hex.DecodeString(rest)
		return key, KeyHex, err
	}
	if rest, ok := strings.CutPrefix(s, "text:"); ok {
		if !textKey(rest) {
			return nil, "", errors.New("dc09: key behind text:, want 16, 24 or 32 bytes")
		}
		return []byte(rest), KeyText, nil
	}
	switch {
	case hexKey(s):
		key, err = hex.DecodeString(s)
		return key, KeyHex, err
	case textKey(s):
		return []byte(s), KeyText, nil
	}
	return nil, "", errors.New("dc09: key, want 32, 48 or 64 hex digits, or 16, 24 or 32 bytes of text")
}

func hexKey(s string) bool  { return (len(s) == 32 || len(s) == 48 || len(s) == 64) && hexText(s) }
func textKey(s string) bool { return len(s) == 16 || len(s) == 24 || len(s) == 32 }
