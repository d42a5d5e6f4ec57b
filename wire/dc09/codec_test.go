package dc09

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func testTime() time.Time { return time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC) }

func ptr(s string) *string { return &s }

func testKey(t testing.TB, n int) *Cipher {
	t.Helper()
	k, err := NewCipher([]byte("0123456789abcdef0123456789abcdef")[:n])
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestCRC(t *testing.T) {
	if got := CRC([]byte("123456789")); got != 0xBB3D {
		t.Fatalf("%04X, want BB3D", got)
	}
	if crcTables[0][100] != 0xEB01 { // the entry that DC-07 misprints
		t.Fatalf("%04X, want EB01", crcTables[0][100])
	}
}

func TestMessageInEveryFormAndKeySize(t *testing.T) {
	m := Message{
		Token: TokenSIA, Sequence: 42, Receiver: ptr("c0ffd"), Prefix: ptr("1234"), Account: "080027e62a64",
		Blocks: "[#080027e62a64|Nri1/BA012^Porta [1]  ^][Vhttps://example.org/a][X012W34.1]", Time: testTime(),
	}
	for _, form := range []Form{ASCII, Binary, ASCIICR} {
		for _, size := range []int{0, 16, 24, 32} {
			for pad := range 17 { // every length of the pad
				m.Form = form
				m.Blocks = "[#080027e62a64|Nri1/BA012^Porta [1]  " + strings.Repeat("x", pad) + "^][Vhttps://example.org/a][X012W34.1]"
				var key *Cipher
				if size > 0 {
					key = testKey(t, size)
				}
				raw, err := m.AppendFrame(nil, key)
				if err != nil {
					t.Fatal(err)
				}
				f, err := ParseFrame(raw)
				if err != nil {
					t.Fatalf("%s %d: %v\n%q", form, size, err, raw)
				}
				if f.Form != form || f.Encrypted != (size > 0) || f.Number() != 42 || *f.Receiver != "c0ffd" || f.Account != "080027e62a64" {
					t.Fatalf("%+v", f)
				}
				c, err := f.Open(nil, key)
				if err != nil {
					t.Fatal(err)
				}
				if got := "[" + string(c.Data) + "][" + joinedBlocks(c.XData) + "]"; got != m.Blocks || !c.Time.Equal(testTime()) {
					t.Fatalf("%s %d: %q %v, want %q", form, size, got, c.Time, m.Blocks)
				}
			}
		}
	}
}

func joinedBlocks(x [][]byte) string { return string(bytes.Join(x, []byte("]["))) }

func TestAnswersEchoByteForByte(t *testing.T) {
	for _, head := range []string{
		`0001R1L2#1234`, `9999Rc0ffdL00#abCD12`, `0000L0#1409`, `0001L#7303658550`, `0001#777`, `0007R0073L0011`, `3591RJohn StevensL12345#1234`,
	} {
		for _, form := range []Form{ASCII, Binary} {
			raw := rawFrame(form, `"NULL"`+head+`[]`)
			f, err := ParseFrame(raw)
			if err != nil {
				t.Fatalf("%q: %v", raw, err)
			}
			for token, answer := range map[string][]byte{"ACK": f.AppendACK(nil, nil, testTime()), "DUH": f.AppendDUH(nil)} {
				if want := rawFrame(form, `"`+token+`"`+head+`[]`); !bytes.Equal(answer, want) {
					t.Errorf("%q answered %q, want %q", raw, answer, want)
				}
			}
			if got, want := f.AppendNAK([]byte("x"), testTime()), "x"+string(rawFrame(form, `"NAK"0000R0L0A0[]_01:02:03,11-24-2026`)); string(got) != want {
				t.Errorf("NAK %q, want %q", got, want)
			}
		}
	}
}

// rawFrame is an encoder of its own, so that answers aren't judged by the encoder.
func rawFrame(form Form, body string) []byte {
	crc, n := CRC([]byte(body)), len(body)
	if form == ASCIICR {
		crc, n = CRC([]byte(body+"\r")), n+1
	}
	if form == Binary {
		return append(append([]byte{'\n', byte(crc >> 8), byte(crc)}, fmt.Sprintf("0%03X", n)...), body+"\r"...)
	}
	return fmt.Appendf(nil, "\n%04X0%03X%s\r", crc, n, body)
}

func TestEncryptedACK(t *testing.T) {
	for _, size := range []int{16, 24, 32} {
		key := testKey(t, size)
		m := Message{Token: TokenCID, Sequence: 7, Prefix: ptr("0"), Account: "1234", Blocks: "[#1234|1130 01 001]", Time: testTime()}
		raw, err := m.AppendFrame(nil, key)
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseFrame(raw)
		if err != nil {
			t.Fatal(err)
		}
		ack := f.AppendACK(nil, key, testTime())
		a, err := ParseFrame(ack)
		if err != nil || a.Token != TokenACK || !a.Encrypted || a.echo != "0007L0#1234" {
			t.Fatalf("%q %v", ack, err)
		}
		// Decrypted with the standard library alone: <pad>|]_time.
		b, err := hex.DecodeString(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		cipher.NewCBCDecrypter(key.block, make([]byte, aes.BlockSize)).CryptBlocks(b, b)
		if len(b) != 32 || string(b[10:]) != "|]_01:02:03,11-24-2026" || bytes.ContainsAny(b[:10], "|[]") {
			t.Fatalf("%q", b)
		}
		if c, err := a.Open(nil, key); err != nil || len(c.Data) != 0 || !c.Time.Equal(testTime()) {
			t.Fatalf("%+v %v", c, err)
		}
	}
}

func TestWrongKey(t *testing.T) {
	m := Message{Token: TokenSIA, Sequence: 7, Prefix: ptr("0"), Account: "1234", Blocks: "[#1234|NBA1]", Time: testTime()}
	for range 200 {
		raw, err := m.AppendFrame(nil, testKey(t, 16))
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseFrame(raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []*Cipher{nil, testKey(t, 24), testKey(t, 32)} {
			if c, err := f.Open(nil, key); !errors.Is(err, ErrUndecryptable) || c.Data != nil {
				t.Fatalf("%+v %v", c, err)
			}
		}
	}
}

func TestEncryptedForms(t *testing.T) {
	key := testKey(t, 16)
	const stamp = "_01:02:03,11-24-2026"
	for plain, want := range map[string]string{
		"0000000000|#1|NBA1][Va]" + stamp: "#1|NBA1 [Va] 1",
		"]" + stamp:                       " [] 1",
		"pad of any kind]" + stamp:        " [] 1",
		"pad of any kind|]" + stamp:       " [] 1",
		"x|NBA1]" + stamp:                 "NBA1 [] 1",
		"x||NBA1]" + stamp:                "|NBA1 [] 1",
		"x|NBA1]_25:02:03,11-24-2026":     "NBA1 [] 2",
		"x|NBA1]_01:02:03,00-24-2026":     "NBA1 [] 2",
		"x|NBA1]_01:02:03,02-30-2026":     "NBA1 [] 2",
		"x|NBA1]_01:02:03,11-24-202":      "NBA1 [] 2",
		"x|NBA1]":                         "refused",
		"x|NBA1":                          "refused",
		"x|NBA1]01:02:03,11-24-2026":      "refused",
		"x|NBA1]_01-02-03,11-24-2026":     "refused",
		"|":                               "refused",
	} {
		b := []byte(strings.Repeat("0", padLen(len(plain))%16) + plain)
		if strings.HasPrefix(plain, "|") {
			b = []byte("000000000000000|")
		}
		f, err := ParseFrame(rawFrame(ASCII, `"*SIA-DCS"0001L0#1[`+string(key.sealTail(b, 0))))
		if err != nil {
			t.Fatal(err)
		}
		c, err := f.Open(nil, key)
		got := fmt.Sprintf("%s %s %d", c.Data, c.XData, c.Stamp)
		if err != nil {
			got = "refused"
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", plain, got, want)
		}
	}
	for _, body := range []string{"", "12", "zz" + strings.Repeat("0", 30), "#1|NBA1]" + stamp} {
		f, err := ParseFrame(rawFrame(ASCII, `"*SIA-DCS"0001L0#1[`+body))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Open(nil, key); !errors.Is(err, ErrUndecryptable) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestBadFrames(t *testing.T) {
	for raw, want := range map[string]Reason{
		"":                                         ReasonIncomplete,
		"\n":                                       ReasonIncomplete,
		"GET / HTTP/1.1\r\n":                       ReasonForeign,
		"\x16\x03\x01\x02\x00":                     ReasonForeign,
		"\nGET / HTTP/1.1\r\n":                     ReasonForeign,
		"\nF19A0010\"NULL\"0001L0#1":               ReasonIncomplete,
		string(rawFrame(ASCII, `"NULL"x`)):         ReasonMalformed,
		string(rawFrame(ASCII, `""0001L0#1[]`)):    ReasonMalformed,
		string(rawFrame(ASCII, `"*"0001L0#1[]`)):   ReasonMalformed,
		string(rawFrame(ASCII, `"NULL"001L0#1[]`)): ReasonMalformed,
		string(rawFrame(ASCII, `"NULL"0001L0#1`)):  ReasonMalformed,
		string(rawFrame(ASCII, `"SIA-DCS"0001L0#1[#1|NBA1`)):                                  ReasonMalformed,
		string(rawFrame(ASCII, `"`+strings.Repeat("A", 40)+`"0001L0#1[]`)):                    ReasonMalformed,
		strings.Replace(string(rawFrame(ASCII, `"NULL"0001L0#1[]`)), "#1", "#2", 1):           ReasonCRC,
		"\n01010053\"SIA-DCS\"0007R0073L0011[#001365|NUA021*'detector hall'NM]7C96|#001365\r": ReasonMalformed,
		"\n00000FFF\"" + strings.Repeat("x", 5000):                                            ReasonOversize,
	} {
		_, err := ParseFrame([]byte(raw))
		var bad *BadFrame
		if !errors.As(err, &bad) || bad.Reason != want {
			t.Errorf("%.40q: %v, want %s", raw, err, want)
		}
	}
}

func TestParseKey(t *testing.T) {
	hex32 := "00112233445566778899aabbccddeeff"
	for in, want := range map[string]string{
		hex32: "hex 16", hex32[:24] + hex32[:24]: "hex 24", hex32 + hex32: "hex 32", "hex:" + hex32: "hex 16",
		"0123456789abcdef": "text 16", "text:0123456789abcdef": "text 16", "text:" + hex32: "text 32",
		"èèèèèèèè": "text 16", "not hex, 24 bytes long!!": "text 24", "this one is text of 32 bytes....": "text 32",
		"hex:0123456789abcdef": "error", "text:short": "error", "": "error", "short": "error", hex32 + "0": "error", "hex:": "error",
	} {
		key, form, err := ParseKey(in)
		got := fmt.Sprintf("%s %d", form, len(key))
		if err != nil {
			got = "error"
			if len(in) > 6 && strings.Contains(err.Error(), in[5:]) {
				t.Errorf("the key is in the error: %v", err)
			}
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
