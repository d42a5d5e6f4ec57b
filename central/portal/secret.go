package portal

import (
	"net/url"
	"strings"
)

// missing names the secrets that were typed before a refusal and are empty now.
// What was typed isn't sent back, so that the form would be taken without them,
// and nobody would notice.
type missing []string

// Error names the fields.
func (m missing) Error() string { return "typed before, and empty now: " + strings.Join(m, ", ") }

// retyped is missing when one of the secrets was typed before, is empty now, and
// the person has not said to go on without it. Nil: nothing is missing.
func retyped(values url.Values, names ...string) error {
	var m missing
	for _, name := range names {
		if values.Get(name+"_typed") != "" && strings.TrimSpace(values.Get(name)) == "" && values.Get(name+"_waived") == "" && values.Get(name+"_remove") == "" {
			m = append(m, name)
		}
	}
	if m == nil {
		return nil
	}
	return m
}

// secret is an input whose value is never sent back, but for one that was drawn
// here just now. When something was typed it says so, remembers it in the form,
// and offers to go on without; waive is that offer's key, again says what isn't
// sent back. A form that wasn't refused has no summary to put it into.
func (f *form) secret(in input, drawn, refused bool, again, waive string) input {
	typed, before := strings.TrimSpace(f.values.Get(in.Name)) != "", f.values.Get(in.Name+"_typed") != ""
	if !drawn {
		f.values.Del(in.Name)
	}
	out := f.input(in)
	if drawn || !typed && !before {
		return out
	}
	offer := f.flag(in.Name+"_waived", waive, "")
	offer.Checked = offer.Checked && !typed
	out.Again = &offer
	if len(out.Faults) == 0 && !offer.Checked {
		text := f.T(again)
		out.Faults = []string{text}
		out.Described = described(out.ID, out.Hint, out.Now, out.Faults)
		if refused {
			f.Problems = append(f.Problems, problem{out.ID, out.Label, text})
		}
	}
	return out
}
