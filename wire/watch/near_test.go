package watch

import (
	"testing"

	"pgregory.net/rapid"
)

func TestResembles(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{"1234", "1234", true}, {"ab12", "AB12", true}, {"1234", "01234", true}, {"1234", "001234", true},
		{"1234", "1235", true}, {"1234", "9234", true}, {"1234", "1324", true}, {"1234", "1243", true},
		{"1234", "134", true}, {"1234", "12334", true}, {"1234", "12345", true}, {"1234", "91234", true},
		{"1234", "4321", false}, {"1234", "1356", false}, {"1234", "12", false}, {"1234", "", false}, {"", "", false},
		{"1234", "123456", false}, {"AB12CD34", "AB12CD43", true}, {"AB12CD34", "BA12CD43", false},
	} {
		if got := Resembles(row.a, row.b); got != row.want {
			t.Errorf("Resembles(%q, %q) = %v, want %v", row.a, row.b, got, row.want)
		}
	}
}

// TestResemblesEitherWay: it is the same whichever account was entered here, and
// never true of accounts two slips apart.
func TestResemblesEitherWay(t *testing.T) {
	digits := rapid.StringMatching(`[1-9A-F]{3,10}`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := digits.Draw(t, "a"), digits.Draw(t, "b")
		if Resembles(a, b) != Resembles(b, a) {
			t.Fatalf("Resembles(%q, %q) is not Resembles(%q, %q)", a, b, b, a)
		}
		if Resembles(a, b) && (len(a)-len(b) > 1 || len(b)-len(a) > 1) {
			t.Fatalf("%q resembles %q", a, b)
		}
	})
}
