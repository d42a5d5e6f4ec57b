package dc09_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vedetta/wire/dc09"
)

// A writer of its own, from the standard's text and the standard library alone: what
// it writes the codec has to read, in every form of the CRC, every key size, with
// every pad. Nothing here is the codec's but its answer.

func bitwiseCRC(b []byte) uint16 {
	var c uint16
	for _, x := range b {
		c ^= uint16(x)
		for range 8 {
			lsb := c & 1
			c >>= 1
			if lsb == 1 {
				c ^= 0xA001
			}
		}
	}
	return c
}

// said is a message as it is meant.
type said struct {
	form                      string // ascii, binary, ascii+cr
	keySize                   int    // 0: plain
	bar                       bool   // behind the pad
	token, seq                string
	receiver, prefix, account *string
	data                      string
	extended                  []string
	at                        time.Time // zero: none
	length                    string    // written in place of the right one, "" otherwise
	lower                     bool      // hex in lower case
}

const keys = "0123456789ABCDEFfedcba9876543210"

func (s said) write(pad []byte) []byte {
	head := `"`
	if s.keySize > 0 {
		head += "*"
	}
	head += s.token + `"` + s.seq
	for _, f := range []struct {
		sign  string
		value *string
	}{{"R", s.receiver}, {"L", s.prefix}, {"#", s.account}} {
		if f.value != nil {
			head += f.sign + *f.value
		}
	}
	content := s.data + "]"
	for _, x := range s.extended {
		content += "[" + x + "]"
	}
	if !s.at.IsZero() {
		content += s.at.Format("_15:04:05,01-02-2006")
	}
	body := head + "["
	if s.keySize == 0 {
		body += content
	} else {
		if s.bar {
			content = "|" + content
		}
		need := 16 - len(content)%16
		plain := append(bytes.Clone(pad[:need]), content...)
		block, err := aes.NewCipher([]byte(keys)[:s.keySize])
		if err != nil {
			panic(err)
		}
		cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(plain, plain)
		body += s.hex(hex.EncodeToString(plain))
	}
	counted := []byte(body)
	if s.form == "ascii+cr" {
		counted = append(counted, '\r')
	}
	length := s.hex(fmt.Sprintf("%03x", len(counted)))
	if s.length != "" {
		length = s.length
	}
	sum := bitwiseCRC(counted)
	out := []byte{'\n'}
	if s.form == "binary" {
		out = append(out, byte(sum>>8), byte(sum))
	} else {
		out = append(out, s.hex(fmt.Sprintf("%04x", sum))...)
	}
	return append(append(append(out, '0'), length...), body+"\r"...)
}

func (s said) hex(lower string) string {
	if s.lower {
		return lower
	}
	return strings.ToUpper(lower)
}

// text is what may stand in data: any bytes but what ends a block or a frame.
func text(t *rapid.T, label string, most int) string {
	b := rapid.SliceOfN(rapid.Byte(), 0, most).Draw(t, label)
	for i, c := range b {
		switch c {
		case '\r', ']':
			b[i] = ' '
		}
	}
	return string(b)
}

func maybe(t *rapid.T, label, pattern string) *string {
	if rapid.Bool().Draw(t, label+"?") {
		s := rapid.StringMatching(pattern).Draw(t, label)
		return &s
	}
	return nil
}

func draw(t *rapid.T, form string, keySize int) said {
	s := said{
		form: form, keySize: keySize,
		bar: true, token: rapid.SampledFrom([]string{"SIA-DCS", "ADM-CID", "NULL", "HENG-BO", "XNM", "RAD-II"}).Draw(t, "token"), seq: rapid.StringMatching(`[0-9]{4}`).Draw(t, "seq"),
		receiver: maybe(t, "receiver", `[0-9A-Fa-f]{1,6}`), prefix: maybe(t, "prefix", `[0-9A-Fa-f]{0,6}`), account: maybe(t, "account", `[0-9A-Fa-f]{3,16}`),
		lower: rapid.Bool().Draw(t, "lower"),
	}
	if rapid.Bool().Draw(t, "data?") {
		account := "1234"
		if s.account != nil {
			account = *s.account
		}
		s.data = rapid.SampledFrom([]string{"#" + account + "|", "|", ""}).Draw(t, "in front") + text(t, "data", 60)
	}
	for range rapid.IntRange(0, 3).Draw(t, "extended") {
		s.extended = append(s.extended, rapid.StringMatching(`[A-Z]`).Draw(t, "letter")+text(t, "value", 40))
	}
	if s.keySize > 0 || rapid.Bool().Draw(t, "time?") {
		s.at = time.Unix(rapid.Int64Range(0, 4102444800).Draw(t, "time"), 0).UTC()
	}
	if s.keySize > 0 && s.data == "" && len(s.extended) == 0 {
		s.bar = rapid.Bool().Draw(t, "bar")
	}
	if rapid.IntRange(0, 9).Draw(t, "wrong length") == 0 {
		s.length = rapid.SampledFrom([]string{"000", "00g", "FFF", "001"}).Draw(t, "length")
	}
	return s
}

func TestDecoderReadsWhatAnIndependentWriterWrites(t *testing.T) {
	for _, form := range []string{"ascii", "binary", "ascii+cr"} {
		for _, keySize := range []int{0, 16, 24, 32} {
			t.Run(fmt.Sprint(form, " ", keySize), func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) { writtenIsRead(t, draw(t, form, keySize)) })
			})
		}
	}
}

func writtenIsRead(t *rapid.T, s said) {
	pad := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "pad")
	for i, c := range pad {
		if c == '|' || c == '[' || c == ']' {
			pad[i] = '0'
		}
	}
	raw := s.write(pad)
	f, err := dc09.ParseFrame(raw)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	var key *dc09.Cipher
	if s.keySize > 0 {
		if key, err = dc09.NewCipher([]byte(keys)[:s.keySize]); err != nil {
			t.Fatal(err)
		}
	}
	c, err := f.Open(nil, key)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	s.compare(t, f, c)
	i, err := dc09.Inspect(raw, key)
	if err != nil || !i.CRCGood || !i.Opened || i.Refused != "" || i.LengthGood != (s.length == "" || strings.EqualFold(s.length, fmt.Sprintf("%03x", i.Length))) {
		t.Fatalf("%q inspected: %+v, %v", raw, i, err)
	}
	s.answers(t, f, key)
}

func (s said) compare(t *rapid.T, f dc09.Frame, c dc09.Content) {
	same := func(what string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s is %q, want %q", what, got, want)
		}
	}
	shown := func(p *string) string {
		if p == nil {
			return "absent"
		}
		return "=" + *p
	}
	same("form", f.Form, s.form)
	same("token", f.Token, s.token)
	same("encrypted", f.Encrypted, s.keySize > 0)
	same("sequence", f.Sequence, s.seq)
	same("receiver", shown(f.Receiver), shown(s.receiver))
	same("prefix", shown(f.Prefix), shown(s.prefix))
	if s.account != nil {
		same("account", f.Account, *s.account)
	}
	same("data", string(c.Data), s.data)
	var extended []string
	for _, x := range c.XData {
		extended = append(extended, string(x))
	}
	same("extended data", extended, s.extended)
	if s.at.IsZero() {
		same("time", c.Stamp, dc09.StampNone)
	} else {
		same("time", c.Time, s.at)
	}
}

// answers are written the way an independent reader expects them.
func (s said) answers(t *rapid.T, f dc09.Frame, key *dc09.Cipher) {
	echo := s.seq
	for sign, value := range map[string]*string{"R": s.receiver} {
		if value != nil {
			echo += sign + *value
		}
	}
	if s.prefix != nil {
		echo += "L" + *s.prefix
	}
	if s.account != nil {
		echo += "#" + *s.account
	}
	form := s.form
	if form == "ascii+cr" {
		form = "ascii"
	}
	plain := func(body string) []byte { // an answer is upper case, whatever came
		w := said{form: form}
		sum := bitwiseCRC([]byte(body))
		out := []byte{'\n'}
		if w.form == "binary" {
			out = append(out, byte(sum>>8), byte(sum))
		} else {
			out = fmt.Appendf(out, "%04X", sum)
		}
		return fmt.Appendf(out, "0%03X%s\r", len(body), body)
	}
	if got, want := f.AppendDUH(nil), plain(`"DUH"`+echo+`[]`); !bytes.Equal(got, want) {
		t.Fatalf("DUH %q, want %q", got, want)
	}
	now := time.Date(2026, 11, 25, 1, 2, 3, 0, time.UTC)
	if got, want := f.AppendNAK(nil, now), plain(`"NAK"0000R0L0A0[]_01:02:03,11-25-2026`); !bytes.Equal(got, want) {
		t.Fatalf("NAK %q, want %q", got, want)
	}
	got := f.AppendACK(nil, key, now)
	if s.keySize == 0 {
		if want := plain(`"ACK"` + echo + `[]`); !bytes.Equal(got, want) {
			t.Fatalf("ACK %q, want %q", got, want)
		}
		return
	}
	i := 7 + bytes.IndexByte(got[7:], '[') // a binary CRC may hold one
	sealed, err := hex.DecodeString(string(got[i+1 : len(got)-1]))
	if err != nil || len(sealed)%16 != 0 {
		t.Fatalf("ACK %q: %v", got, err)
	}
	if want := plain(`"*ACK"` + echo + `[` + string(got[i+1:len(got)-1])); !bytes.Equal(got, want) {
		t.Fatalf("ACK %q, want %q", got, want)
	}
	block, err := aes.NewCipher([]byte(keys)[:s.keySize])
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(sealed, sealed)
	if pad, content, ok := strings.Cut(string(sealed), "|"); !ok || content != "]_01:02:03,11-25-2026" || len(pad) == 0 || strings.ContainsAny(pad, "[]") {
		t.Fatalf("ACK opens to %q", sealed)
	}
}
