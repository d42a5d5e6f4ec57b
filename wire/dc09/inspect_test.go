package dc09

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Every public case reads as the file says, bad CRC or not, and nothing is said of
// it but what is true.
func TestInspectPublicCases(t *testing.T) {
	for _, c := range readCases(t) {
		t.Run(c.id, func(t *testing.T) {
			i, err := Inspect(c.raw, caseKey(t, c))
			if err != nil {
				t.Fatal(err)
			}
			if i.CRCGood != c.verifies() || i.CRCGood == (i.Refused == ReasonCRC) && i.Detail != aritechOH {
				t.Errorf("CRC good %v, refused %q; want %v", i.CRCGood, i.Refused, c.verifies())
			}
			if want := fmt.Sprintf("CRC should be %04X", i.CRC); !c.verifies() && !strings.Contains(c.decode, want) {
				t.Errorf("%s, want %s", want, c.decode)
			}
			if bad := strings.Contains(c.decode, "length-bad") || strings.Contains(c.decode, "length-decimal"); i.LengthGood == bad {
				t.Errorf("length good %v, want %v", i.LengthGood, !bad)
			}
			if _, rest, ok := strings.Cut(c.decode, "true length "); ok {
				if got := fmt.Sprintf("%04X", i.Length); got != rest[:4] {
					t.Errorf("true length %s, want %s", got, rest[:4])
				}
			}
			wantForm := ASCII
			switch {
			case strings.Contains(c.decode, "binary-crc"):
				wantForm = Binary
			case strings.Contains(c.decode, "crc-and-length-include-CR"):
				wantForm = ASCIICR
			}
			if i.Frame.Form != wantForm {
				t.Errorf("form %s, want %s", i.Frame.Form, wantForm)
			}
			if opened := c.key != "" || !strings.Contains(c.decode, "key not public"); i.Opened != opened {
				t.Errorf("opened %v, want %v", i.Opened, opened)
			}
			compareCase(t, c, i.Frame)
		})
	}
}

func TestInspectSaysWhatIsWrong(t *testing.T) {
	good := func(form Form) string { return string(rawFrame(form, `"SIA-DCS"0001L0#1234[#1234|NBA1]`)) }
	for name, c := range map[string]struct {
		raw, want string // form, crc, length, refused, quirks
	}{
		"good":                     {good(ASCII), "ascii true true  []"},
		"good, binary":             {good(Binary), "binary true true  [binary-crc]"},
		"good, with its CR":        {good(ASCIICR), "ascii+cr true true  [crc-and-length-include-CR]"},
		"bad CRC":                  {strings.Replace(good(ASCII), "BA1", "BA2", 1), "ascii false true bad_crc []"},
		"bad CRC, binary":          {strings.Replace(good(Binary), "BA1", "BA2", 1), "binary false true bad_crc [binary-crc]"},
		"bad CRC, with its CR":     {strings.Replace(good(ASCIICR), "BA1", "BA2", 1), "ascii+cr false true bad_crc [crc-and-length-include-CR]"},
		"bad CRC and length":       {strings.Replace(good(ASCII), "BA1", "BA23", 1), "ascii false false bad_crc [length-bad]"},
		"without CR":               {strings.TrimSuffix(good(ASCII), "\r"), "ascii true true incomplete [missing-CR]"},
		"without LF":               {strings.TrimPrefix(good(ASCII), "\n"), "ascii true true  [missing-LF]"},
		"noise around":             {"\r\n\x00" + good(ASCII) + "\n\x00", "ascii true true  []"},
		"bad, and another behind":  {strings.Replace(good(ASCII), "BA1", "BA2", 1) + good(ASCII), "ascii false true bad_crc []"},
		"asterisk, and plain text": {string(rawFrame(ASCII, `"*SIA-DCS"0001L0#1234[#1234|NBA1]`)), "ascii true true undecryptable [asterisk-but-plain-text]"},
	} {
		i, err := Inspect([]byte(c.raw), nil)
		got := fmt.Sprintf("%s %v %v %s %v", i.Frame.Form, i.CRCGood, i.LengthGood, i.Refused, i.Quirks().Words())
		if err != nil || got != c.want || !i.Opened || !strings.HasPrefix(string(i.Content.Data), "#1234|NBA") {
			t.Errorf("%s: got %s, %q, %v; want %s", name, got, i.Content.Data, err, c.want)
		}
	}
}

func TestInspectNoFrame(t *testing.T) {
	for raw, want := range map[string]Reason{
		"": ReasonIncomplete, "GET / HTTP/1.1\r\n": ReasonForeign, "\nF19A": ReasonIncomplete,
		string(rawFrame(ASCII, `"NULL"x[]`)): ReasonMalformed, "\n00000010\"NULL\"x[]\r": ReasonCRC,
	} {
		i, err := Inspect([]byte(raw), nil)
		var bad *BadFrame
		if !errors.As(err, &bad) || bad.Reason != want || i.Frame.Raw != "" {
			t.Errorf("%q: %+v, %v; want %s", raw, i, err, want)
		}
	}
	m := Message{Token: TokenSIA, Prefix: ptr("0"), Account: "1234", Blocks: "[#1234|NBA1]", Time: testTime()}
	raw, err := m.AppendFrame(nil, testKey(t, 32))
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int]Reason{0: "", 16: ReasonUndecryptable, 32: ""} {
		var key *Cipher
		if size > 0 {
			key = testKey(t, size)
		}
		if i, err := Inspect(raw, key); err != nil || i.Opened != (size == 32) || i.Refused != want {
			t.Errorf("key of %d: opened %v, refused %q, %v; want %q", size, i.Opened, i.Refused, err, want)
		}
	}
}
