package push

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

const (
	keyWord = "vedetta-vapid-key-1 " // the file's first word is its version
	keyMode = 0o600
)

// Key is a mesh's VAPID key pair. All nodes of a mesh have the same: a browser
// subscribes under one public key, and a push service takes no other's calls.
type Key struct{ private *ecdh.PrivateKey }

// NewKey makes a pair.
func NewKey() (Key, error) {
	k, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("VAPID key: %w", err)
	}
	return Key{k}, nil
}

// IsZero tells whether there is no key.
func (k Key) IsZero() bool { return k.private == nil }

// Public is the key that browsers subscribe under: an uncompressed point in base64url.
func (k Key) Public() string {
	return base64.RawURLEncoding.EncodeToString(k.private.PublicKey().Bytes())
}

// Private is the secret half in base64url, for the signer.
func (k Key) Private() string { return base64.RawURLEncoding.EncodeToString(k.private.Bytes()) }

// String is the public half only.
func (k Key) String() string {
	if k.IsZero() {
		return "no VAPID key"
	}
	return "VAPID key " + k.Public()
}

// GoString is String.
func (k Key) GoString() string { return k.String() }

// LogValue is String.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// LoadKey reads a file made by NewKeyFile. Others than its owner may not read it.
func LoadKey(path string) (Key, error) {
	st, err := os.Stat(path)
	if err != nil {
		return Key{}, fmt.Errorf("VAPID key: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("VAPID key %s: mode %04o, want %04o", path, st.Mode().Perm(), keyMode)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Key{}, fmt.Errorf("VAPID key: %w", err)
	}
	text, ok := strings.CutPrefix(strings.TrimSpace(string(b)), keyWord)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil {
		return Key{}, fmt.Errorf("VAPID key %s: want a file made by vedettactl pki vapid-key", path)
	}
	k, err := ecdh.P256().NewPrivateKey(raw)
	if err != nil {
		return Key{}, fmt.Errorf("VAPID key %s: want a P-256 key", path)
	}
	return Key{k}, nil
}

// NewKeyFile makes a pair and puts it into a new file, whole or not at all. It
// never overwrites one: with a lost key every subscription is lost.
func NewKeyFile(path string) (err error) {
	k, err := NewKey()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, keyMode)
	if err != nil {
		return fmt.Errorf("VAPID key: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("VAPID key %s: %w", path, errors.Join(err, os.Remove(path)))
		}
	}()
	_, err = f.WriteString(keyWord + k.Private() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
