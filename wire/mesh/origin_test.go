package mesh

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestOriginAndPositionText(t *testing.T) {
	for _, s := range []string{"arezzo.3-00f1e2d3c4b5a697.1", "agreement.1.7", "a-1.18446744073709551615-ffffffffffffffff.18446744073709551615"} {
		p, err := ParsePosition(s)
		if err != nil || p.String() != s {
			t.Errorf("%q became %q, %v", s, p, err)
		}
		b, err := json.Marshal(p)
		var back Position
		if err != nil || json.Unmarshal(b, &back) != nil || back != p {
			t.Errorf("%q through JSON became %q, %v", s, back, err)
		}
		o, rest, err := ReadOrigin(append(p.Origin.Append(nil), "rest"...))
		if err != nil || o != p.Origin || string(rest) != "rest" {
			t.Errorf("%q through bytes became %q, rest %q, %v", s, o, rest, err)
		}
	}
	for _, s := range []string{
		"", ".", "arezzo", "arezzo.3", "arezzo.3.1", "arezzo.3-00f1e2d3c4b5a697", "arezzo.3-00f1e2d3c4b5a697.0", "arezzo.3-00f1e2d3c4b5a697.01",
		"arezzo.3-00F1E2D3C4B5A697.1", "arezzo.03-00f1e2d3c4b5a697.1", "arezzo.3-0f1e2d3c4b5a697.1", "Arezzo.3-00f1e2d3c4b5a697.1",
		"agreement.1-00f1e2d3c4b5a697.1", "agreement.1.-1", strings.Repeat("a", 33) + ".3-00f1e2d3c4b5a697.1", "arezzo.99999999999999999999-00f1e2d3c4b5a697.1",
	} {
		if p, err := ParsePosition(s); err == nil {
			t.Errorf("%q was read as %s", s, p)
		}
	}
	var zero Position
	if b, err := zero.MarshalText(); err != nil || len(b) != 0 || zero.UnmarshalText(nil) != nil {
		t.Errorf("the zero position is %q, %v", b, err)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, s := range []string{"arezzo.3-00f1e2d3c4b5a697.1", "agreement.1.7", "agreement.01.7", ".-.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePosition(s)
		if err != nil {
			return
		}
		if p.String() != s {
			t.Fatalf("%q was read as %q: two spellings of one place", s, p)
		}
		if o, rest, err := ReadOrigin(p.Origin.Append(nil)); err != nil || o != p.Origin || len(rest) != 0 {
			t.Fatalf("%q through bytes became %q, %v", s, o, err)
		}
	})
}

func FuzzReadOrigin(f *testing.F) {
	f.Add(Agreement(1).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, rest, err := ReadOrigin(b)
		if err != nil {
			return
		}
		if string(append(o.Append(nil), rest...)) != string(b) {
			t.Fatalf("% x was read as %s and encodes to other bytes", b, o)
		}
	})
}
