// Package fields reads JSON of a known shape field by field, in the order in
// which one writer puts them, without space. It promises: what it reads well is
// what encoding/json would have read; all else makes it bad, and the caller asks
// encoding/json. So a form stays JSON, and the usual case costs little.
package fields

import (
	"encoding/base64"
	"unicode/utf8"

	"vedetta/wire/mesh"
)

// Reader goes through one text. Once bad it stays so, and gives zero values.
type Reader struct {
	b   []byte
	at  int
	bad bool

	text   string      // of the last origin or position's origin
	origin mesh.Origin // that it names
}

// Read begins at the front of b.
func Read(b []byte) Reader { return Reader{b: b} }

// Good tells whether all was as expected, up to the end.
func (p *Reader) Good() bool { return !p.bad && p.at == len(p.b) }

// Fail makes the reader bad when a value is none that is expected.
func (p *Reader) Fail(when bool) { p.bad = p.bad || when }

// Has takes s when it stands here.
func (p *Reader) Has(s string) bool {
	if p.bad || len(p.b)-p.at < len(s) || string(p.b[p.at:p.at+len(s)]) != s {
		return false
	}
	p.at += len(s)
	return true
}

// Want takes s, which must stand here.
func (p *Reader) Want(s string) {
	if !p.Has(s) {
		p.bad = true
	}
}

// Next goes to the next element of a list of which n were read; false at its
// end, and when it is none.
func (p *Reader) Next(n int) bool {
	if n > 0 && p.Has(`]`) {
		return false
	}
	if n == 0 {
		p.Want(`[`)
	} else {
		p.Want(`,`)
	}
	return !p.bad
}

// digits are 1 to 18, without a leading zero.
func (p *Reader) digits() (n int64) {
	from := p.at
	for p.at < len(p.b) && p.b[p.at] >= '0' && p.b[p.at] <= '9' && p.at-from < 19 {
		n = n*10 + int64(p.b[p.at]-'0')
		p.at++
	}
	if l := p.at - from; l == 0 || l > 18 || l > 1 && p.b[from] == '0' {
		p.bad = true
	}
	return n
}

// Natural is a number of up to 18 digits.
func (p *Reader) Natural() uint64 { return uint64(p.digits()) }

// Number is Natural with a sign.
func (p *Reader) Number() int64 {
	if p.Has(`-`) {
		n := p.digits()
		p.bad = p.bad || n == 0
		return -n
	}
	return p.digits()
}

// Raw is a string's bytes, within the text; only for strings without escapes.
func (p *Reader) Raw() []byte {
	p.Want(`"`)
	if p.bad {
		return nil
	}
	from := p.at
	ascii := true
	for ; p.at < len(p.b); p.at++ {
		switch c := p.b[p.at]; {
		case c == '"':
			s := p.b[from:p.at]
			p.at++
			p.bad = !ascii && !utf8.Valid(s) // strict would replace it
			return s
		case c == '\\' || c < 0x20:
			p.bad = true
			return nil
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	p.bad = true
	return nil
}

// String is a copy of Raw.
func (p *Reader) String() string { return string(p.Raw()) }

// Bytes is what a string of base64 stands for.
func (p *Reader) Bytes() []byte {
	s := p.Raw()
	b, err := base64.StdEncoding.Strict().DecodeString(string(s))
	p.bad = p.bad || err != nil
	return b
}

// Origin is a string that mesh.ParseOrigin reads; empty: zero.
func (p *Reader) Origin() mesh.Origin {
	s := p.Raw()
	if len(s) == 0 {
		return mesh.Origin{}
	}
	if string(s) != p.text {
		o, err := mesh.ParseOrigin(string(s))
		if err != nil {
			p.bad = true
			return o
		}
		p.text, p.origin = string(s), o
	}
	return p.origin
}

// Position is a string that mesh.ParsePosition reads; empty: zero.
func (p *Reader) Position() mesh.Position {
	s := p.Raw()
	if len(s) == 0 {
		return mesh.Position{}
	}
	dot := len(s) - 1
	for dot > 0 && s[dot] != '.' {
		dot--
	}
	if s[dot] != '.' || string(s[:dot]) != p.text || p.text == "" {
		pos, err := mesh.ParsePosition(string(s))
		if err != nil {
			p.bad = true
			return pos
		}
		p.text, p.origin = string(s[:dot]), pos.Origin
		return pos
	}
	inner := Reader{b: s, at: dot + 1}
	number := inner.Natural()
	p.bad = p.bad || inner.bad || inner.at != len(s) || number == 0
	return mesh.Position{Origin: p.origin, Number: number}
}
