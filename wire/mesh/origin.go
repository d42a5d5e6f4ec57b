package mesh

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// AgreementNode is the node name of the agreement's own origin (rule 16).
const AgreementNode = "agreement"

// Origin names one unbroken numbering of records: a node's process from its
// start to its end, or one generation of the agreement (rule 1). It is
// comparable and may be a map key.
type Origin struct {
	Node        string // 1 to 32 of a-z 0-9 -
	Incarnation uint64 // counter of starts, or generation; from 1
	Random      uint64 // bits that make the incarnation unique; 0 for the agreement
}

// Agreement returns the agreement's origin of the given generation.
func Agreement(generation uint64) Origin {
	return Origin{Node: AgreementNode, Incarnation: generation}
}

// IsAgreement tells whether o is the agreement's own origin.
func (o Origin) IsAgreement() bool { return o.Node == AgreementNode }

// IsZero tells whether o names nothing.
func (o Origin) IsZero() bool { return o == Origin{} }

// String is "node.incarnation", as in ids: "arezzo.3-00f1e2d3c4b5a697", "agreement.1".
func (o Origin) String() string { return string(o.AppendString(make([]byte, 0, 72))) }

// AppendString appends what String gives.
func (o Origin) AppendString(b []byte) []byte {
	b = append(append(b, o.Node...), '.')
	b = strconv.AppendUint(b, o.Incarnation, 10)
	if o.IsAgreement() {
		return b
	}
	b = append(b, '-')
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[o.Random>>shift&15])
	}
	return b
}

// MarshalText is String; the zero Origin gives empty text.
func (o Origin) MarshalText() ([]byte, error) {
	if o.IsZero() {
		return nil, nil
	}
	return o.AppendString(make([]byte, 0, 72)), nil
}

// UnmarshalText is ParseOrigin; empty text gives the zero Origin.
func (o *Origin) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*o = Origin{}
		return nil
	}
	*o, err = ParseOrigin(string(b))
	return err
}

// ParseOrigin reads what String writes.
func ParseOrigin(s string) (Origin, error) {
	node, inc, ok := strings.Cut(s, ".")
	if !ok || !ValidNode(node) {
		return Origin{}, fmt.Errorf("origin %q: want node.incarnation", s)
	}
	o := Origin{Node: node}
	count, random, hasRandom := strings.Cut(inc, "-")
	var err error
	if o.Incarnation, err = strconv.ParseUint(count, 10, 64); err != nil {
		return Origin{}, fmt.Errorf("origin %q: incarnation: %w", s, err)
	}
	if hasRandom == o.IsAgreement() {
		return Origin{}, fmt.Errorf("origin %q: want node.counter-random or agreement.generation", s)
	}
	if hasRandom {
		if len(random) != 16 {
			return Origin{}, fmt.Errorf("origin %q: want 16 hex digits after the dash", s)
		}
		if o.Random, err = strconv.ParseUint(random, 16, 64); err != nil {
			return Origin{}, fmt.Errorf("origin %q: random bits: %w", s, err)
		}
	}
	var form [96]byte
	if string(o.AppendString(form[:0])) != s {
		return Origin{}, fmt.Errorf("origin %q: want the form %q", s, o.String())
	}
	return o, nil
}

// ValidNode tells whether s can name a node: 1 to 32 of a-z, 0-9 and dash.
func ValidNode(s string) bool {
	if len(s) == 0 || len(s) > 32 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// Compare orders origins by node, incarnation, random bits.
func (o Origin) Compare(p Origin) int {
	return cmp.Or(strings.Compare(o.Node, p.Node), cmp.Compare(o.Incarnation, p.Incarnation), cmp.Compare(o.Random, p.Random))
}

// Append appends the binary form: length of name, name, counter, random bits.
func (o Origin) Append(b []byte) []byte {
	b = append(b, byte(len(o.Node)))
	b = append(b, o.Node...)
	b = binary.BigEndian.AppendUint64(b, o.Incarnation)
	return binary.BigEndian.AppendUint64(b, o.Random)
}

// ReadOrigin reads the binary form from the front of b and returns the rest.
func ReadOrigin(b []byte) (Origin, []byte, error) {
	if len(b) < 1 || len(b) < 17+int(b[0]) {
		return Origin{}, nil, fmt.Errorf("origin: want at least 17 bytes and the name, have %d", len(b))
	}
	n := int(b[0])
	o := Origin{
		Node:        string(b[1 : 1+n]),
		Incarnation: binary.BigEndian.Uint64(b[1+n:]),
		Random:      binary.BigEndian.Uint64(b[9+n:]),
	}
	if !ValidNode(o.Node) {
		return Origin{}, nil, fmt.Errorf("origin: node name %q is not 1 to 32 of a-z, 0-9, dash", o.Node)
	}
	return o, b[17+n:], nil
}

// Position is the place of one entry: its origin and its number, from 1.
type Position struct {
	Origin Origin
	Number uint64
}

// IsZero tells whether p is no place.
func (p Position) IsZero() bool { return p == Position{} }

// String is "node.incarnation.number".
func (p Position) String() string { return string(p.AppendString(make([]byte, 0, 96))) }

// AppendString appends what String gives.
func (p Position) AppendString(b []byte) []byte {
	return strconv.AppendUint(append(p.Origin.AppendString(b), '.'), p.Number, 10)
}

// MarshalText is String; the zero Position gives empty text.
func (p Position) MarshalText() ([]byte, error) {
	if p.IsZero() {
		return nil, nil
	}
	return p.AppendString(make([]byte, 0, 96)), nil
}

// UnmarshalText reads what MarshalText writes.
func (p *Position) UnmarshalText(b []byte) (err error) {
	if len(b) == 0 {
		*p = Position{}
		return nil
	}
	*p, err = ParsePosition(string(b))
	return err
}

// ParsePosition reads what String writes.
func ParsePosition(s string) (Position, error) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return Position{}, fmt.Errorf("position %q: want node.incarnation.number", s)
	}
	o, err := ParseOrigin(s[:i])
	if err != nil {
		return Position{}, fmt.Errorf("position %q: %w", s, err)
	}
	n, err := strconv.ParseUint(s[i+1:], 10, 64)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != s[i+1:] {
		return Position{}, fmt.Errorf("position %q: want a number from 1 at the end", s)
	}
	return Position{Origin: o, Number: n}, nil
}
