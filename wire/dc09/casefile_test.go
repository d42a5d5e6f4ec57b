package dc09

import (
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
)

// publicCase is one message of testdata/cases.txt.
type publicCase struct {
	id, key, decode string
	raw             []byte
}

// verifies is false for messages whose CRC is wrong as published.
func (c publicCase) verifies() bool { return !strings.HasPrefix(c.decode, "**does not verify**") }

// fields are the parts of decode, without the note about the CRC.
func (c publicCase) fields() []string {
	d := c.decode
	if !c.verifies() {
		_, d, _ = strings.Cut(d, "); ")
	}
	return strings.Split(d, "; ")
}

func readCases(t testing.TB) []publicCase {
	t.Helper()
	b, err := os.ReadFile("testdata/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	var cases []publicCase
	for _, line := range strings.Split(string(b), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "id":
			cases = append(cases, publicCase{id: rest})
		case "raw":
			cases[len(cases)-1].raw = unescape(t, rest)
		case "key":
			if rest != "none" {
				cases[len(cases)-1].key = rest
			}
		case "decode":
			cases[len(cases)-1].decode = rest
		}
	}
	if len(cases) != 50 {
		t.Fatalf("%d cases, want 50", len(cases))
	}
	return cases
}

func unescape(t testing.TB, s string) []byte {
	t.Helper()
	var b []byte
	for s != "" {
		switch {
		case strings.HasPrefix(s, `\n`):
			b, s = append(b, '\n'), s[2:]
		case strings.HasPrefix(s, `\r`):
			b, s = append(b, '\r'), s[2:]
		case strings.HasPrefix(s, `\x`):
			c, err := hex.DecodeString(s[2:4])
			if err != nil {
				t.Fatal(err)
			}
			b, s = append(b, c...), s[4:]
		default:
			b, s = append(b, s[0]), s[1:]
		}
	}
	return b
}

// repaired is raw with the CRC that the error says it should have.
func repaired(raw []byte, crc uint16) []byte {
	b := append([]byte(nil), raw...)
	if b[5] == '0' && b[9] == '"' {
		copy(b[1:5], strings.ToUpper(strconv.FormatUint(uint64(crc)|0x10000, 16)[1:]))
	} else {
		b[1], b[2] = byte(crc>>8), byte(crc)
	}
	return b
}
