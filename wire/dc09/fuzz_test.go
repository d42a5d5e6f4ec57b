package dc09

import (
	"bytes"
	"errors"
	"testing"
)

// Law: what parses, encodes, and parses to the same value; answers are parsed by
// the same codec, and say again what they are to echo.
func FuzzParseFrame(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.raw)
	}
	f.Add(rawFrame(Binary, `"NULL"0001L0#1[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := ParseFrame(b)
		if err != nil {
			var bad *BadFrame
			if !errors.As(err, &bad) || frame.Raw != "" {
				t.Fatalf("%v with %+v", err, frame)
			}
			return
		}
		again, err := ParseFrame(frame.Encode(nil))
		if err != nil {
			t.Fatalf("%q encodes to %q: %v", b, frame.Encode(nil), err)
		}
		sameFrame(t, again, frame)
		if !bytes.Equal(again.Encode(nil), frame.Encode(nil)) {
			t.Fatalf("%q encodes twice differently", b)
		}
		if c, err := frame.Open(nil, nil); err == nil == frame.Encrypted {
			t.Fatalf("%q opens to %+v, %v", b, c, err)
		}
		for _, answer := range [][]byte{frame.AppendDUH(nil), frame.AppendNAK(nil, testTime())} {
			a, err := ParseFrame(answer)
			if err != nil || a.Form != frame.Answer || string(a.Raw) != string(answer) {
				t.Fatalf("%q answered %q: %v", b, answer, err)
			}
			if a.Token == TokenDUH && a.echo != frame.echo {
				t.Fatalf("%q echoed as %q", frame.echo, a.echo)
			}
		}
		var cut Cutter
		cut.Feed([]byte(frame.Raw))
		if cutFrame, err := cut.Next(); err != nil {
			t.Fatalf("%q can't be cut: %v", frame.Raw, err)
		} else {
			sameFrame(t, cutFrame, frame)
		}
	})
}

// Law: an encrypted content that opens says the same when its blocks are encrypted
// again, and nothing but ErrUndecryptable comes of others.
func FuzzContent(f *testing.F) {
	f.Add([]byte("000|#1234|NBA1][Va]_01:02:03,11-24-2026"))
	f.Add([]byte("]_01:02:03,11-24-2026"))
	f.Add([]byte("|]]][[#][A_]_01:02:03,11-24-2026"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		if len(plain) > 1000 {
			return
		}
		key := testKey(t, 16)
		padded := append(bytes.Repeat([]byte("0"), (16-len(plain)%16)%16), plain...)
		frame, err := ParseFrame(rawFrame(ASCII, `"*SIA-DCS"0001L0#1234[`+string(key.sealTail(padded, 0))))
		if err != nil {
			t.Fatal(err)
		}
		c, err := frame.Open(nil, key)
		if err != nil {
			if !errors.Is(err, ErrUndecryptable) || c.Data != nil {
				t.Fatalf("%v with %+v", err, c)
			}
			return
		}
		if c.Stamp != StampGood {
			return
		}
		m := Message{Token: TokenSIA, Sequence: 1, Prefix: ptr("0"), Account: "1234", Time: c.Time, Blocks: "[" + string(c.Data) + "]"}
		for _, x := range c.XData {
			m.Blocks += "[" + string(x) + "]"
		}
		raw, err := m.AppendFrame(nil, key)
		if err != nil {
			t.Fatal(err)
		}
		frame, err = ParseFrame(raw)
		if err != nil {
			t.Fatal(err)
		}
		d, err := frame.Open(nil, key)
		if err != nil || !bytes.Equal(c.Data, d.Data) || joined(c.XData) != joined(d.XData) || !c.Time.Equal(d.Time) {
			t.Fatalf("%q: %+v became %+v, %v", plain, c, d, err)
		}
	})
}

// Law: however a stream is split, the same comes out of it.
func FuzzCutter(f *testing.F) {
	var all []byte
	for _, c := range readCases(f) {
		f.Add(c.raw, 7)
		all = append(all, c.raw...)
	}
	f.Add(all, 31)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		step = 1 + (step%97+97)%97
		whole, parts := cutAll(b, len(b)+1), cutAll(b, step)
		if whole != parts {
			t.Fatalf("%q by %d:\n%s\n%s", b, step, parts, whole)
		}
	})
}

func cutAll(b []byte, step int) string {
	var cut Cutter
	out := ""
	for {
		n := min(step, len(b))
		cut.Feed(b[:n])
		b = b[n:]
		for {
			f, err := cut.Next()
			var bad *BadFrame
			if err == nil {
				out += "F" + f.echo + f.Body + "\n"
				continue
			}
			if errors.As(err, &bad) && bad.Reason != ReasonForeign {
				out += string(bad.Reason) + "\n"
			}
			if bad != nil && bad.Hopeless() {
				return out
			}
			if bad == nil {
				break
			}
		}
		if len(b) == 0 {
			return out
		}
	}
}

// Law: what is inspected is said as the receiver would take it, and never more; the
// numbers that are said to be right make the frame good.
func FuzzInspect(f *testing.F) {
	for _, c := range readCases(f) {
		f.Add(c.raw)
		f.Add(bytes.TrimSuffix(c.raw, []byte("\r")))
		f.Add(bytes.Replace(c.raw, []byte("0"), []byte("1"), 2))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := ParseFrame(b)
		i, bad := Inspect(b, nil)
		if bad != nil {
			var want *BadFrame
			if !errors.As(bad, &want) || err == nil || i.Frame.Raw != "" {
				t.Fatalf("%q: %v, parsed %v", b, bad, err)
			}
			return
		}
		if (err == nil) != (i.Refused == "" || i.Refused == ReasonUndecryptable) {
			t.Fatalf("%q: refused %q, parsed %v", b, i.Refused, err)
		}
		if err == nil {
			sameFrame(t, i.Frame, frame)
			if !i.CRCGood {
				t.Fatalf("%q is good, and its CRC isn't", b)
			}
		}
		if len(i.Frame.Body) > MaxBody {
			return
		}
		if again, err := ParseFrame(i.Frame.Encode(nil)); err == nil && again.Body != i.Frame.Body {
			t.Fatalf("%q becomes %q", i.Frame.Body, again.Body)
		}
	})
}

// Law: a key has a size that AES knows, and never stands in an error.
func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"ABCDABCDABCDABCDABCDABCDABCDABCD", "hex:00", "text:0123456789abcdef", "0123456789abcdef", "", "èèèèèèèè"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, form, err := ParseKey(s)
		if err != nil {
			if len(key) > 0 || len(s) > 20 && bytes.Contains([]byte(err.Error()), []byte(s)) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if _, err := NewCipher(key); err != nil || form != KeyHex && form != KeyText {
			t.Fatalf("%q: %s, %v", s, form, err)
		}
	})
}
