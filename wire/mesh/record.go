package mesh

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Limits and constants of the record's form.
const (
	RecordVersion  = 1
	MaxSealedBytes = 64 << 10 // sealed content of one record
	HashSize       = sha256.Size
	IdentitySize   = 16
	NoShard        = 255 // shard of a record that belongs to none

	fixedBytes = 1 + 1 + 17 + 8 + 4 + 1 + IdentitySize + 4 // without the name
	tailBytes  = 4 + HashSize
)

// Kind says what a record carries inside its seal.
type Kind byte

// Kinds of records; numbers are never used again.
const (
	KindMessage  Kind = 1 // what a panel sent (wire/entry)
	KindDecision Kind = 2 // what the agreement decided (wire/decision)
)

// Hash is the running hash of an origin after one of its records.
type Hash [HashSize]byte

// Identity is the keyed hash by which copies are found (rules 10, 13, 31).
type Identity [IdentitySize]byte

// Day counts UTC days since 1970-01-01.
type Day uint32

// DayOf returns the UTC day of t.
func DayOf(t time.Time) Day { return Day(t.Unix() / 86400) }

// Time returns the first instant of the day.
func (d Day) Time() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// String is "2026-11-24".
func (d Day) String() string { return d.Time().Format(time.DateOnly) }

// Header is what stands outside the seal (rule 31).
type Header struct {
	Kind     Kind
	Origin   Origin
	Number   uint64
	Day      Day
	Shard    byte
	Identity Identity
}

// Position is the record's place.
func (h Header) Position() Position { return Position{Origin: h.Origin, Number: h.Number} }

// AppendHeader appends the header's bytes: the associated data of the seal.
func AppendHeader(b []byte, h Header) []byte {
	b = append(b, RecordVersion, byte(h.Kind))
	b = h.Origin.Append(b)
	b = binary.BigEndian.AppendUint64(b, h.Number)
	b = binary.BigEndian.AppendUint32(b, uint32(h.Day))
	b = append(b, h.Shard)
	return append(b, h.Identity[:]...)
}

// Record is one entry of a journal as it is stored, hashed and passed on.
// Bytes is the whole and is never changed; the other fields are read from it,
// Sealed shares its memory.
type Record struct {
	Header
	Sealed []byte
	Hash   Hash
	Bytes  []byte
}

// Encode makes the record that follows the running hash prev. It fails only
// when the sealed content is too long or the header can't be represented.
func Encode(h Header, sealed []byte, prev Hash) (Record, error) {
	switch {
	case len(sealed) > MaxSealedBytes:
		return Record{}, fmt.Errorf("record %s: sealed content has %d bytes, want at most %d", h.Position(), len(sealed), MaxSealedBytes)
	case !ValidNode(h.Origin.Node) || h.Number == 0:
		return Record{}, fmt.Errorf("record %s: want a valid origin and a number from 1", h.Position())
	}
	b := make([]byte, 0, fixedBytes+len(h.Origin.Node)+len(sealed)+tailBytes)
	b = AppendHeader(b, h)
	b = binary.BigEndian.AppendUint32(b, uint32(len(sealed)))
	at := len(b)
	b = append(b, sealed...)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	sum := Chain(prev, b)
	b = append(b, sum[:]...)
	return Record{Header: h, Sealed: b[at : at+len(sealed)], Hash: sum, Bytes: b}, nil
}

// Chain is the running hash after a record whose bytes before its hash are body.
func Chain(prev Hash, body []byte) Hash {
	s := sha256.New()
	s.Write(prev[:])
	s.Write(body)
	var h Hash
	s.Sum(h[:0])
	return h
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Errors by which a reader decides; all others mean a damaged record.
var (
	ErrVersion = errors.New("record version is above what this program reads") // rule 4: stop and say so
	ErrDamaged = errors.New("record is damaged")
)

// Decode reads one whole record. The CRC is checked, the running hash is not:
// that needs the record before (Follows). b is kept, not copied.
func Decode(b []byte) (Record, error) {
	if len(b) > 0 && b[0] > RecordVersion {
		return Record{}, fmt.Errorf("version %d, want at most %d: %w", b[0], RecordVersion, ErrVersion)
	}
	if len(b) < fixedBytes+tailBytes || b[0] != RecordVersion {
		return Record{}, fmt.Errorf("%d bytes: %w", len(b), ErrDamaged)
	}
	r := Record{Bytes: b}
	r.Kind = Kind(b[1])
	o, rest, err := ReadOrigin(b[2:])
	if err != nil || len(rest) < 8+4+1+IdentitySize+4+tailBytes {
		return Record{}, fmt.Errorf("origin: %w", ErrDamaged)
	}
	r.Origin = o
	r.Number = binary.BigEndian.Uint64(rest)
	r.Day = Day(binary.BigEndian.Uint32(rest[8:]))
	r.Shard = rest[12]
	copy(r.Identity[:], rest[13:])
	n := int(binary.BigEndian.Uint32(rest[13+IdentitySize:]))
	rest = rest[17+IdentitySize:]
	if r.Number == 0 || n > MaxSealedBytes || len(rest) != n+tailBytes {
		return Record{}, fmt.Errorf("length of %s: %w", r.Position(), ErrDamaged)
	}
	r.Sealed = rest[:n:n]
	body := b[:len(b)-tailBytes]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(rest[n:]) {
		return Record{}, fmt.Errorf("CRC of %s: %w", r.Position(), ErrDamaged)
	}
	copy(r.Hash[:], rest[n+4:])
	return r, nil
}

// Follows tells whether the record's running hash continues prev.
func (r Record) Follows(prev Hash) bool {
	return Chain(prev, r.Bytes[:len(r.Bytes)-HashSize]) == r.Hash
}
