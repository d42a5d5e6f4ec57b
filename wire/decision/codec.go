package decision

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// Version of the forms in JSON, CommandVersion the highest of a command: in
// version 2 its body is binary.
const (
	Version        = 1
	CommandVersion = 2
)

// MaxCommandBytes bounds one command, envelope included.
const MaxCommandBytes = 4 << 20

const (
	headBytes = 1 + 1 + 16 + 8 + 4
	crcBytes  = 4
)

// Errors by which a reader decides.
var (
	ErrVersion = errors.New("form is above the version this program reads") // rule 4: stop and say so
	ErrForm    = errors.New("not a well-formed command or record")
)

// ProposalID names a proposal over all its repetitions (rule 19): 16 random
// bytes, drawn by the proposer.
type ProposalID [16]byte

// IsZero tells whether id names nothing.
func (id ProposalID) IsZero() bool { return id == ProposalID{} }

// String is 32 hex digits.
func (id ProposalID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText is String.
func (id ProposalID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (id *ProposalID) UnmarshalText(b []byte) error {
	if hex.DecodedLen(len(b)) != len(id) || len(b)%2 != 0 {
		return fmt.Errorf("proposal id of %d characters, want %d hex digits", len(b), 2*len(id))
	}
	_, err := hex.Decode(id[:], b)
	return err
}

// Command is one entry of the agreement's log.
type Command struct {
	ID      ProposalID
	FirstMs int64 // first try, Unix milliseconds by the proposer's clock, not before the agreement's
	Body    Body  // a struct of this package, by value
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// EncodeCommand makes the bytes of a command. It fails only when the command is
// longer than MaxCommandBytes.
func EncodeCommand(id ProposalID, firstMs int64, body Body) ([]byte, error) {
	version, text, err := encodeBody(body)
	if err != nil {
		return nil, fmt.Errorf("encode command %d: %w", body.Kind(), err)
	}
	if n := headBytes + len(text) + crcBytes; n > MaxCommandBytes {
		return nil, fmt.Errorf("encode command %d: %d bytes, want at most %d: %w", body.Kind(), n, MaxCommandBytes, ErrForm)
	}
	b := make([]byte, 0, headBytes+len(text)+crcBytes)
	b = append(b, version, byte(body.Kind()))
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(firstMs))
	b = binary.BigEndian.AppendUint32(b, uint32(len(text)))
	b = append(b, text...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

func encodeBody(body Body) (version byte, text []byte, err error) {
	if d, ok := body.(DecideShards); ok {
		return CommandVersion, d.append(), nil
	}
	text, err = json.Marshal(body)
	return Version, text, err
}

// DecodeCommand reads one whole command. A leader decodes what others hand it
// before it proposes: once in the log, a command that can't be read stops every
// node that meets it (rule 4).
func DecodeCommand(b []byte) (Command, error) {
	var c Command
	if len(b) > 0 && b[0] > CommandVersion {
		return c, fmt.Errorf("command of version %d, want at most %d: %w", b[0], CommandVersion, ErrVersion)
	}
	if len(b) < headBytes+crcBytes || len(b) > MaxCommandBytes || b[0] < Version {
		return c, fmt.Errorf("command of %d bytes: %w", len(b), ErrForm)
	}
	n := int(binary.BigEndian.Uint32(b[26:]))
	if n != len(b)-headBytes-crcBytes {
		return c, fmt.Errorf("command: body of %d bytes announced, %d there: %w", n, len(b)-headBytes-crcBytes, ErrForm)
	}
	if crc32.Checksum(b[:headBytes+n], castagnoli) != binary.BigEndian.Uint32(b[headBytes+n:]) {
		return c, fmt.Errorf("command: CRC differs: %w", ErrForm)
	}
	body, err := decodeBody(b[0], Kind(b[1]), b[headBytes:headBytes+n])
	if err != nil {
		return c, fmt.Errorf("command of kind %d: %w", b[1], err)
	}
	copy(c.ID[:], b[2:])
	c.FirstMs = int64(binary.BigEndian.Uint64(b[18:]))
	c.Body = body
	return c, nil
}

func decodeBody(version byte, k Kind, b []byte) (Body, error) {
	if (version == CommandVersion) != (k == KindDecideShards) {
		return nil, fmt.Errorf("kind in version %d: %w", version, ErrForm)
	}
	switch k {
	case KindDecideShards:
		return readDecideShards(b)
	case KindFound:
		return decodeAs[Found](b)
	case KindTick:
		return decodeAs[Tick](b)
	case KindAssign:
		return decodeAs[Assign](b)
	case KindDecide:
		return decodeAs[Decide](b)
	case KindClaim:
		return decodeAs[Claim](b)
	case KindSettle:
		return decodeAs[Settle](b)
	case KindPutKeys:
		return decodeAs[PutKeys](b)
	case KindPutDayKey:
		return decodeAs[PutDayKey](b)
	case KindPutDocument:
		return decodeAs[PutDocument](b)
	case KindDestroy:
		return decodeAs[Destroy](b)
	case KindConfirm:
		return decodeAs[Confirm](b)
	case KindAdmit:
		return decodeAs[Admit](b)
	case KindSupervise:
		return decodeAs[Supervise](b)
	}
	return nil, fmt.Errorf("unknown kind: %w", ErrForm)
}

func decodeAs[T Body](b []byte) (Body, error) {
	var v T
	if err := strict(b, &v); err != nil {
		return nil, err
	}
	return v, nil
}

// strict refuses unknown fields and anything behind the value: what this
// program would overlook, another version may act upon.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrForm, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("bytes behind the value: %w", ErrForm)
	}
	return nil
}

// EncodeRecord makes the canonical plaintext of a record, version 1. The same
// record gives the same bytes with every build of this version.
func EncodeRecord(r Record) []byte {
	r.Version = Version
	if r.Verdict != nil && r.Claimed == nil && r.Settled == nil && r.Destroyed == nil {
		return appendVerdictRecord(make([]byte, 0, 512), r)
	}
	return appendCanonical(nil, r)
}

// decodeRecord reads what EncodeRecord made.
func decodeRecord(b []byte) (Record, error) {
	if r, ok := parseVerdictRecord(b); ok {
		return r, nil
	}
	var v struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return Record{}, fmt.Errorf("decision record: %w: %w", ErrForm, err)
	}
	if v.Version > Version {
		return Record{}, fmt.Errorf("decision record of version %d, want at most %d: %w", v.Version, Version, ErrVersion)
	}
	var r Record
	if err := strict(b, &r); err != nil {
		return Record{}, fmt.Errorf("decision record: %w", err)
	}
	n := 0
	for _, has := range []bool{r.Verdict != nil, r.Claimed != nil, r.Settled != nil, r.Destroyed != nil} {
		if has {
			n++
		}
	}
	if r.Version != Version || n != 1 {
		return Record{}, fmt.Errorf("decision record of version %d with %d contents, want version %d and one: %w", r.Version, n, Version, ErrForm)
	}
	return r, nil
}
