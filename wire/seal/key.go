package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"sync"

	"vedetta/wire/mesh"
)

// Version is the first byte of every form.
const Version = 1

const (
	idBytes    = 8
	keyBytes   = 32
	nonceBytes = 12
	tagBytes   = 16
	headBytes  = 1 + idBytes
	leastBytes = headBytes + nonceBytes + tagBytes
)

// Errors by which a reader decides.
var (
	ErrVersion  = errors.New("sealed form is above the version this program reads") // rule 4: stop and say so
	ErrForm     = errors.New("not a sealed form")
	ErrWrongKey = errors.New("sealed with another key") // look the id up: IDOf
	ErrRefused  = errors.New("seal is broken: other bytes, place, purpose or owner than it was made for")
)

// KeyID names a key without telling anything about it: 8 random bytes.
type KeyID [idBytes]byte

// String is 16 hex digits.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// IsZero tells whether id names no key.
func (id KeyID) IsZero() bool { return id == KeyID{} }

// Key is the secret pair of one customer, or of one day while the account is
// unknown (rule 31). Data seals; Identity makes keyed hashes and stays the same
// when Data is rotated. Both are destroyed together.
type Key struct {
	ID       KeyID
	Data     [keyBytes]byte
	Identity [keyBytes]byte
}

// NewKey draws a key.
func NewKey() Key {
	var k Key
	rand.Read(k.ID[:]) // never fails: crypto/rand
	rand.Read(k.Data[:])
	rand.Read(k.Identity[:])
	return k
}

// String is the key's id, never its bytes.
func (k Key) String() string { return "key " + k.ID.String() }

// GoString is String: %#v tells no more.
func (k Key) GoString() string { return k.String() }

// LogValue is String: a log that marshals values never sees the bytes.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// Identify is Identifier.Identify, for who has one thing to ask.
func (k Key) Identify(parts ...[]byte) mesh.Identity { return k.Identifier().Identify(parts...) }

// Identifier makes the keyed hashes of one key. Who handles many messages keeps
// it, no longer than the key itself. It is safe for use by several goroutines.
type Identifier struct {
	key  [keyBytes]byte
	macs sync.Pool // of hash.Hash under key
}

// Identifier is of the key's identity half.
func (k Key) Identifier() *Identifier { return &Identifier{key: k.Identity} }

// Identify is the keyed hash by which copies are found (rules 13, 31). Parts
// are told apart by their lengths.
func (i *Identifier) Identify(parts ...[]byte) mesh.Identity {
	h, ok := i.macs.Get().(hash.Hash)
	if !ok {
		h = hmac.New(sha256.New, i.key[:])
	}
	h.Reset()
	sum := make([]byte, 4, sha256.Size) // one piece of memory for lengths and result
	h.Write([]byte{1})
	for _, p := range parts {
		binary.BigEndian.PutUint32(sum, uint32(len(p)))
		h.Write(sum[:4])
		h.Write(p)
	}
	var id mesh.Identity
	copy(id[:], h.Sum(sum[:0]))
	i.macs.Put(h)
	return id
}

// String tells nothing of the key.
func (i *Identifier) String() string { return "identifier" }

// GoString is String.
func (i *Identifier) GoString() string { return i.String() }

// Index is the keyed hash by which a sealed column is searched: 32 bytes,
// another for each purpose.
func (k Key) Index(purpose, value string) []byte {
	h := hmac.New(sha256.New, k.Identity[:])
	h.Write([]byte{2})
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(purpose))))
	h.Write([]byte(purpose))
	h.Write([]byte(value))
	return h.Sum(nil)
}

// derive is HKDF-SHA-256 without salt. It can't fail for the sizes used here.
func derive(secret []byte, info string, n int) []byte {
	b, err := hkdf.Key(sha256.New, secret, nil, info, n)
	if err != nil {
		panic(fmt.Sprintf("seal: derive %d bytes: %v", n, err))
	}
	return b
}

// aead is AES-256-GCM under a key of 32 bytes.
func aead(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(fmt.Sprintf("seal: AES key of %d bytes: %v", len(key), err))
	}
	g, err := cipher.NewGCM(block)
	if err != nil {
		panic(fmt.Sprintf("seal: GCM: %v", err))
	}
	return g
}

// head is the version and the id in front of every form.
func head(id KeyID) []byte { return append([]byte{Version}, id[:]...) }

// IDOf reads which key a sealed record or column was made with.
func IDOf(sealed []byte) (KeyID, error) {
	var id KeyID
	if len(sealed) > 0 && sealed[0] > Version {
		return id, fmt.Errorf("sealed form version %d, want at most %d: %w", sealed[0], Version, ErrVersion)
	}
	if len(sealed) < leastBytes || sealed[0] != Version {
		return id, fmt.Errorf("sealed form of %d bytes, want version %d and at least %d bytes: %w", len(sealed), Version, leastBytes, ErrForm)
	}
	copy(id[:], sealed[1:])
	return id, nil
}

// expect is IDOf with the id that is wanted.
func expect(id KeyID, sealed []byte) error {
	got, err := IDOf(sealed)
	if err != nil {
		return err
	}
	if got != id {
		return fmt.Errorf("sealed with key %s, want %s: %w", got, id, ErrWrongKey)
	}
	return nil
}
