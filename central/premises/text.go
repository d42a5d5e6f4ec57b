package premises

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// name checks a line of text that people read.
func (f *Faults) name(field, s string, required bool) {
	switch {
	case required && strings.TrimSpace(s) == "":
		f.Add(field, "required")
	case utf8.RuneCountInString(s) > maxName:
		f.Add(field, "length", maxName)
	case !plainLine(s):
		f.Add(field, "characters")
	}
}

// plainLine tells whether s is a line that looks like what it is: no control
// characters, no line separators, no marks that turn the direction of writing.
func plainLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r)
	})
}
