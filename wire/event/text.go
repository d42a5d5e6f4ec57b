package event

import (
	"strings"
	"unicode/utf8"
)

// Encoding is how a panel writes what is not ASCII.
type Encoding string

// Encodings, as in the roster's settings. Anything else is Auto.
const (
	Auto        Encoding = "auto"         // UTF-8 as it is, anything else as Windows-1252
	Windows1252 Encoding = "windows-1252" // also where the bytes happen to be UTF-8
	UTF8        Encoding = "utf-8"        // what is none shows as the replacement character
)

// Text shows a panel's bytes. Both encodings are met (a Russian bridge,
// ioBroker.sia issue 63), and a text of Windows-1252 that is UTF-8 by chance would
// have to have a letter such as Ã or Â before each sign: auto is safe for all that
// people write. Nothing is trimmed.
func (t Encoding) Text(b []byte) string {
	switch {
	case t == UTF8:
		return strings.ToValidUTF8(string(b), "\uFFFD")
	case t != Windows1252 && utf8.Valid(b):
		return string(b)
	}
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
		if c >= 0x80 && c < 0xA0 {
			runes[i] = windows1252[c-0x80]
		}
	}
	return string(runes)
}

// Text is Auto.Text.
func Text(b []byte) string { return Auto.Text(b) }

// windows1252 is 0x80 to 0x9F; the five holes show as the replacement character.
var windows1252 = [32]rune{
	'€', '\uFFFD', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\uFFFD', 'Ž', '\uFFFD',
	'\uFFFD', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\uFFFD', 'ž', 'Ÿ',
}
