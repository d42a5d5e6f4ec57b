package seal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

const (
	meshKeyWord = "vedetta-mesh-key-1 "
	meshKeyMode = 0o600
)

// MeshKey wraps the keys of customers and days. It lies in a file per node
// (keys/mesh) and nowhere else.
type MeshKey [keyBytes]byte

// ID names the key in what it has wrapped.
func (m MeshKey) ID() KeyID {
	h := hmac.New(sha256.New, m[:])
	h.Write([]byte("vedetta mesh key id 1"))
	var id KeyID
	copy(id[:], h.Sum(nil))
	return id
}

// String is the key's id, never its bytes.
func (m MeshKey) String() string { return "mesh key " + m.ID().String() }

// GoString is String.
func (m MeshKey) GoString() string { return m.String() }

// LogValue is String.
func (m MeshKey) LogValue() slog.Value { return slog.StringValue(m.String()) }

// Wrap seals k for its owner: a customer's id, or "day:2026-11-24".
func (m MeshKey) Wrap(k Key, owner string) ([]byte, error) {
	if owner == "" || k.ID.IsZero() {
		return nil, errors.New("wrap key: want an owner and a key with an id")
	}
	out := head(m.ID())
	nonce := make([]byte, nonceBytes)
	rand.Read(nonce)
	out = append(out, nonce...)
	plain := append(append(make([]byte, 0, 2*keyBytes), k.Data[:]...), k.Identity[:]...)
	return aead(m.wrapping()).Seal(out, nonce, plain, m.wrapData(k.ID, owner)), nil
}

// Unwrap opens what Wrap made for the same key id and owner.
func (m MeshKey) Unwrap(id KeyID, owner string, wrapped []byte) (Key, error) {
	if err := expect(m.ID(), wrapped); err != nil {
		return Key{}, fmt.Errorf("unwrap key %s of %s: %w", id, owner, err)
	}
	nonce := wrapped[headBytes : headBytes+nonceBytes]
	plain, err := aead(m.wrapping()).Open(nil, nonce, wrapped[headBytes+nonceBytes:], m.wrapData(id, owner))
	if err != nil || len(plain) != 2*keyBytes {
		return Key{}, fmt.Errorf("unwrap key %s of %s: %w", id, owner, ErrRefused)
	}
	k := Key{ID: id}
	copy(k.Data[:], plain)
	copy(k.Identity[:], plain[keyBytes:])
	return k, nil
}

func (m MeshKey) wrapping() []byte { return derive(m[:], "vedetta wrap 1", keyBytes) }

func (m MeshKey) wrapData(id KeyID, owner string) []byte {
	return append(append(head(m.ID()), id[:]...), owner...)
}

// NewMeshKeyFile draws a mesh key and writes it to a file that must not be
// there yet; file and folder are flushed.
func NewMeshKeyFile(path string) error {
	var m MeshKey
	rand.Read(m[:])
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, meshKeyMode)
	if err != nil {
		return fmt.Errorf("make mesh key: %w", err)
	}
	_, err = f.WriteString(meshKeyWord + hex.EncodeToString(m[:]) + "\n")
	err = errors.Join(err, f.Chmod(meshKeyMode), f.Sync(), f.Close())
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("make mesh key %s: %w", path, err)
	}
	return nil
}

// LoadMeshKey reads the file that NewMeshKeyFile made. A file that others may
// read is refused.
func LoadMeshKey(path string) (MeshKey, error) {
	var m MeshKey
	f, err := os.Open(path)
	if err != nil {
		return m, fmt.Errorf("load mesh key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return m, fmt.Errorf("load mesh key: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm() != meshKeyMode {
		return m, fmt.Errorf("load mesh key %s: mode is %s, want a plain file with mode 0600", path, info.Mode())
	}
	b, err := io.ReadAll(io.LimitReader(f, int64(len(meshKeyWord)+2*keyBytes+2)))
	if err != nil {
		return m, fmt.Errorf("load mesh key %s: %w", path, err)
	}
	text := strings.TrimSuffix(string(b), "\n")
	digits, ok := strings.CutPrefix(text, meshKeyWord)
	raw, err := hex.DecodeString(digits)
	if !ok || err != nil || len(raw) != keyBytes {
		return m, fmt.Errorf("load mesh key %s: want %q and 64 hex digits", path, strings.TrimSpace(meshKeyWord)) // never the content
	}
	copy(m[:], raw)
	return m, nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
