package dc09

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// stream is a line of what comes out of a Cutter: F and sequence for a frame, the
// reason for a bad one, . for a wait.
func stream(pieces ...string) string {
	var cut Cutter
	var out []string
	for _, p := range pieces {
		cut.Feed([]byte(p))
		for {
			f, err := cut.Next()
			var bad *BadFrame
			switch {
			case err == nil:
				out = append(out, "F"+f.Sequence)
				continue
			case errors.Is(err, ErrMore):
				if cut.Pending() {
					out = append(out, "pending")
				} else {
					out = append(out, ".")
				}
			case errors.As(err, &bad):
				out = append(out, string(bad.Reason))
				if !bad.Hopeless() {
					continue
				}
				return strings.Join(append(out, "closed"), " ")
			}
			break
		}
	}
	return strings.Join(out, " ")
}

func poll(form Form, n int) string {
	return string(rawFrame(form, fmt.Sprintf(`"NULL"%04dL0#1234[]`, n)))
}

func TestCutter(t *testing.T) {
	good := poll(ASCII, 1)
	wrong := strings.Replace(good, "L0#1234", "L0#1235", 1)
	short := func(length string) string { return good[:5] + "0" + length + good[9:] }
	for _, c := range []struct {
		name   string
		pieces []string
		want   string
	}{
		{"one", []string{good}, "F0001 ."},
		{"two in a segment", []string{good + poll(ASCII, 2)}, "F0001 F0002 ."},
		{"one in two segments", []string{good[:12], good[12:]}, "pending F0001 ."},
		{"all forms mixed", []string{poll(Binary, 1) + poll(ASCIICR, 2) + poll(ASCII, 3) + poll(Binary, 4)}, "F0001 F0002 F0003 F0004 ."},
		{"silent bytes around", []string{"\r\n\x00\r\n" + good + "\r\n\x00\x00" + good + "\n"}, "F0001 F0001 ."},
		{"no LF", []string{good[1:] + good[1:]}, "F0001 F0001 ."},
		{"bad CRC, then good", []string{wrong + good}, "bad_crc F0001 ."},
		{"length too long, good CRC", []string{short("099")}, "F0001 ."},
		{"length too short, good CRC", []string{short("001")}, "F0001 ."},
		{"length no hex, good CRC", []string{short("0xg")}, "F0001 ."},
		{"length decimal", []string{short("017")}, "F0001 ."},
		{"length too long, bad CRC, sent again", []string{wrong[:5] + "0030" + wrong[9:], good + good}, "pending bad_crc F0001 F0001 ."},
		{"garbage between frames", []string{good + "}{!?" + good}, "F0001 F0001 ."},
		{"much garbage between frames", []string{good + strings.Repeat("}", MaxGarbage) + "}"}, "F0001 garbage closed"},
		{"endless silence", []string{strings.Repeat("\r\n\x00", MaxGarbage)}, "garbage closed"},
		{"http", []string{"GET / HTTP/1.1\r\n\r\n"}, "not_dc09 closed"},
		{"tls", []string{"\x16\x03\x01"}, "not_dc09 closed"},
		{"tls after silent bytes", []string{"\r\n\x16\x03\x01\x02\x03\x04\x05\x06\x07\x08"}, "not_dc09 closed"},
		{"hex and then not", []string{"DE", "LETE / HTTP"}, "pending not_dc09 closed"},
		{"trickle", []string{"\n", "1", "234", "0"}, ". pending pending pending"},
		{"no end", []string{"\n12340FFF\"" + strings.Repeat("x", MaxFrame)}, "oversize oversize garbage closed"},
	} {
		if got := stream(c.pieces...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// A binary CRC may be any two bytes, LF and CR among them.
func TestBinaryCRCOfAnyBytes(t *testing.T) {
	seen := map[string]bool{}
	for n := range 10000 {
		for _, account := range []string{"1234", "ABCDE", "00000001", "7F3"} {
			raw := string(rawFrame(Binary, fmt.Sprintf(`"NULL"%04dL0#%s[]`, n, account)))
			if !strings.ContainsAny(raw[1:3], "\r\n\x00\"0") {
				continue
			}
			seen[raw[1:3]] = true
			if got, want := stream(raw[:2], raw[2:5], raw[5:]+raw), fmt.Sprintf("F%04d F%04d .", n, n); !strings.HasSuffix(got, want) {
				t.Fatalf("%q: %s, want %s", raw, got, want)
			}
		}
	}
	if len(seen) < 100 {
		t.Fatalf("only %d CRCs", len(seen))
	}
}

func TestCutterBufferIsBounded(t *testing.T) {
	var cut Cutter
	good := poll(ASCII, 1)
	for range 5000 {
		cut.Feed([]byte(good[:20]))
		if _, err := cut.Next(); err != ErrMore {
			t.Fatal(err)
		}
		cut.Feed([]byte(good[20:]))
		if _, err := cut.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if cap(cut.buf) > firstBuffer {
		t.Fatalf("buffer of %d bytes, want %d at most", cap(cut.buf), firstBuffer)
	}
}
