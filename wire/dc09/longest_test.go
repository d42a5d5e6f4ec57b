package dc09

import (
	"errors"
	"strings"
	"testing"
)

// The longest length that can be written is 0FFF, and not a byte less is taken.
func TestLongestMessage(t *testing.T) {
	for _, form := range []Form{ASCII, Binary, ASCIICR} {
		room := MaxBody - len(`"SIA-DCS"0001L0#1234[]`)
		if form == ASCIICR {
			room--
		}
		for _, more := range []int{0, 1} {
			m := Message{Form: form, Token: TokenSIA, Sequence: 1, Prefix: ptr("0"), Account: "1234", Blocks: "[" + strings.Repeat("x", room+more) + "]"}
			b, err := m.AppendFrame(nil, nil)
			if more > 0 {
				if !errors.Is(err, errTooLong) || len(b) > 0 {
					t.Errorf("%s: %d bytes more gave %d bytes, %v", form, more, len(b), err)
				}
				continue
			}
			f, bad := ParseFrame(b)
			if err != nil || bad != nil || f.Form != form || f.Quirks&(QuirkLengthBad|QuirkLengthDecimal) != 0 || !strings.Contains(f.Raw, "0FFF\"") {
				t.Errorf("%s: %v, %v, %v", form, err, bad, f.Quirks.Words())
			}
		}
	}
}
