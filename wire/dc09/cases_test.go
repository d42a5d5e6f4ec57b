package dc09

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPublicCases(t *testing.T) {
	for _, c := range readCases(t) {
		t.Run(c.id, func(t *testing.T) {
			f, err := ParseFrame(c.raw)
			if !c.verifies() {
				var bad *BadFrame
				if !errors.As(err, &bad) {
					t.Fatalf("got %v, want a bad frame", err)
				}
				if want := fmt.Sprintf("CRC should be %04X", bad.Want); !strings.Contains(c.decode, want) {
					t.Fatalf("CRC should be %04X, want %s", bad.Want, c.decode)
				}
				f, err = ParseFrame(repaired(c.raw, bad.Want))
			}
			if err != nil {
				t.Fatal(err)
			}
			compareCase(t, c, f)
			streamed(t, c, f)
		})
	}
}

// compareCase holds f against the words of the file.
func compareCase(t *testing.T, c publicCase, f Frame) {
	t.Helper()
	fields := c.fields()
	token, seq, _ := strings.Cut(fields[0], " seq ")
	if got := starred(f); got != token {
		t.Errorf("token %q, want %q", got, token)
	}
	if f.Sequence != seq {
		t.Errorf("sequence %q, want %q", f.Sequence, seq)
	}
	content, contentErr := Content{}, error(nil)
	if c.key != "" || !f.Encrypted {
		content, contentErr = f.Open(nil, caseKey(t, c))
		if contentErr != nil {
			t.Fatal(contentErr)
		}
	}
	receiver, quirks, x, stamp := false, "", "", ""
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(field, "=")
		switch {
		case name == "R":
			receiver = true
			if f.Receiver == nil || *f.Receiver != value {
				t.Errorf("receiver %v, want %q", f.Receiver, value)
			}
		case name == "L":
			if value == "empty" {
				value = ""
			}
			// A NAK has its account without a sign: 0A0.
			if f.Prefix == nil || *f.Prefix != value {
				t.Errorf("prefix %v, want %q", f.Prefix, value)
			}
		case strings.HasPrefix(field, "acct "):
			if f.Account != field[5:] {
				t.Errorf("account %q, want %q", f.Account, field[5:])
			}
		case strings.HasPrefix(field, "t "):
			stamp = field[2:]
		case strings.HasPrefix(field, "x "):
			x = field[2:]
		case strings.HasPrefix(field, "quirks: "):
			quirks = field[8:]
		}
	}
	if receiver != (f.Receiver != nil) {
		t.Errorf("receiver present %v, want %v", f.Receiver != nil, receiver)
	}
	if c.id != "ms1" && (c.key != "" || !f.Encrypted) {
		if got := joined(content.XData); got != x {
			t.Errorf("extended data %q, want %q", got, x)
		}
		got := ""
		if content.Stamp == StampGood {
			got = content.Time.Format(time.RFC3339)
		}
		if got != stamp {
			t.Errorf("time %q, want %q", got, stamp)
		}
	}
	words := content.Quirks.Words()
	if f.Encrypted {
		words = f.Quirks.Words()
	}
	for _, q := range strings.FieldsFunc(quirks, func(r rune) bool { return r == ',' || r == ' ' }) {
		if !slices.Contains(words, q) {
			t.Errorf("quirks %v, want %q", words, q)
		}
	}
}

// streamed cuts the frame from a stream, byte by byte and between two others, and
// wants the same frame.
func streamed(t *testing.T, c publicCase, want Frame) {
	t.Helper()
	raw := []byte(want.Raw)
	var cut Cutter
	for round := range 3 {
		for i, b := range raw {
			cut.Feed([]byte{b})
			f, err := cut.Next()
			if i < len(raw)-1 {
				if err != ErrMore {
					t.Fatalf("round %d, byte %d of %d: %v", round, i, len(raw), err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			sameFrame(t, f, want)
		}
		if cut.Pending() {
			t.Fatal("something is pending between frames")
		}
		cut.Feed([]byte("\r\n\x00"))
		if _, err := cut.Next(); err != ErrMore || cut.Pending() {
			t.Fatalf("silent bytes: %v, pending %v", err, cut.Pending())
		}
	}
}

func sameFrame(t *testing.T, got, want Frame) {
	t.Helper()
	const framing = QuirkTrailingNUL | QuirkMissingLF | QuirkLengthBad | QuirkLengthDecimal
	if got.Token != want.Token || got.Encrypted != want.Encrypted || got.echo != want.echo || got.Body != want.Body ||
		got.Form != want.Form || got.Account != want.Account || got.Quirks&^framing != want.Quirks&^framing ||
		text(got.Receiver) != text(want.Receiver) || text(got.Prefix) != text(want.Prefix) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func text(s *string) string {
	if s == nil {
		return "absent"
	}
	return "=" + *s
}

func starred(f Frame) string {
	if f.Encrypted {
		return "*" + f.Token
	}
	return f.Token
}

func joined(x [][]byte) string {
	var s []string
	for _, b := range x {
		s = append(s, string(b))
	}
	return strings.Join(s, ",")
}

func caseKey(t *testing.T, c publicCase) *Cipher {
	t.Helper()
	if c.key == "" {
		return nil
	}
	key, form, err := ParseKey(c.key)
	if err != nil || form != KeyHex {
		t.Fatalf("key of %s: %s %v", c.id, form, err)
	}
	k, err := NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	return k
}
