package portal

import (
	"cmp"
	"slices"
	"strings"

	"vedetta/wire/roster"
)

// natural compares names as people order them: capitals make no difference, and
// numbers count by their value, so that "Impianto 2" comes before "Impianto 10".
func natural(a, b string) int {
	x, y := strings.ToLower(a), strings.ToLower(b)
	for x != "" && y != "" {
		m, n := digits(x), digits(y)
		if m > 0 && n > 0 {
			v, w := strings.TrimLeft(x[:m], "0"), strings.TrimLeft(y[:n], "0")
			if c := cmp.Or(cmp.Compare(len(v), len(w)), cmp.Compare(v, w)); c != 0 {
				return c
			}
			x, y = x[m:], y[n:]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// digits is how many digits a text begins with.
func digits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}

// find lists the panels whose name or account contains the words, all without
// any, in the order of their names.
func (v *viewer) find(words string) []roster.Panel {
	words = strings.ToLower(strings.TrimSpace(words))
	list := []roster.Panel{}
	for _, b := range v.names.Panels {
		if strings.Contains(strings.ToLower(b.Name), words) || strings.Contains(strings.ToLower(b.Account), words) {
			list = append(list, b)
		}
	}
	slices.SortFunc(list, func(a, b roster.Panel) int {
		return cmp.Or(natural(a.Name, b.Name), cmp.Compare(a.Account, b.Account), cmp.Compare(a.ID, b.ID))
	})
	return list
}
