package portal

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// Names are in the order that people expect, whatever order they come in.
func TestNaturalOrder(t *testing.T) {
	want := []string{"", "2", "10", "Casa", "casa", "Casa al mare", "Impianto 1", "Impianto 02", "Impianto 2", "impianto 2 B", "Impianto 10", "Impianto 10a2", "Impianto 10a11",
		"Impianto 99999999999999999999", "Impianto 100000000000000000000", "Officina", "Perù"}
	for range 100 {
		got := slices.Clone(want)
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		slices.SortFunc(got, natural)
		if !slices.Equal(got, want) {
			t.Fatalf("%q", got)
		}
	}
}
