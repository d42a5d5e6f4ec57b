package watch

import "strings"

// Resembles tells whether two accounts differ as by a slip of the finger: not at
// all, by leading zeros, by one digit that is other, missing or too many, or by
// two neighbours that changed places.
func Resembles(a, b string) bool {
	a, b = strings.ToUpper(a), strings.ToUpper(b)
	if a == "" || b == "" {
		return false
	}
	if strings.TrimLeft(a, "0") == strings.TrimLeft(b, "0") {
		return true
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		return a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	case 1:
		return a[i:] == b[i+1:]
	}
	return false
}
