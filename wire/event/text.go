package event

import "unicode/utf8"

// Text shows a panel's bytes: UTF-8 as it is, anything else as Windows-1252. Both
// are met (a Russian bridge, ioBroker.sia issue 63). Nothing is trimmed.
func Text(b []byte) string {
	if utf8.Valid(b) {
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

// windows1252 is 0x80 to 0x9F; the five holes show as the replacement character.
var windows1252 = [32]rune{
	'€', '\uFFFD', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\uFFFD', 'Ž', '\uFFFD',
	'\uFFFD', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\uFFFD', 'ž', 'Ÿ',
}
