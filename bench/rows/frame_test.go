package rows

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"
)

// crc is CRC-16/ARC bit by bit, as the standard's text has it.
func crc(s string) uint16 {
	var c uint16
	for _, b := range []byte(s) {
		c ^= uint16(b)
		for range 8 {
			if c&1 == 1 {
				c = c>>1 ^ 0xA001
			} else {
				c >>= 1
			}
		}
	}
	return c
}

// ascii is a frame in the standard's form.
func ascii(body string) []byte {
	return fmt.Appendf(nil, "\n%04X0%03X%s\r", crc(body), len(body), body)
}

// binary has the CRC as two bytes (Lupus, Climax, Egardia, Trikdis).
func binary(body string) []byte {
	c := crc(body)
	return append([]byte{'\n', byte(c >> 8), byte(c)}, fmt.Sprintf("0%03X%s\r", len(body), body)...)
}

// withCR has CRC and length over the CR too (Eldes).
func withCR(body string) []byte {
	return fmt.Appendf(nil, "\n%04X0%03X%s\r", crc(body+"\r"), len(body)+1, body)
}

// stamp is a timestamp of now and d later, in UTC.
func stamp(d time.Duration) string { return time.Now().UTC().Add(d).Format("_15:04:05,01-02-2006") }

// sealed is the content behind the first bracket, encrypted: pad, bar, content.
func sealed(t *testing.T, key, content string) string {
	t.Helper()
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	b := []byte(strings.Repeat("0", 16-(len(content)+1)%16) + "|" + content)
	cipher.NewCBCEncrypter(block, make([]byte, 16)).CryptBlocks(b, b)
	return strings.ToUpper(hex.EncodeToString(b))
}

// opened decrypts what stands behind an answer's first bracket, without its pad.
func opened(t *testing.T, key string, answer []byte) string {
	t.Helper()
	if len(answer) < 8 {
		t.Fatalf("answer %q", answer)
	}
	_, text, _ := strings.Cut(strings.TrimSuffix(string(answer[7:]), "\r"), "[") // a binary CRC may hold a bracket
	b, err := hex.DecodeString(text)
	if err != nil || len(b)%16 != 0 || len(b) == 0 {
		t.Fatalf("answer %q: %v", answer, err)
	}
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(b, b)
	_, content, ok := strings.Cut(string(b), "|")
	if !ok {
		t.Fatalf("answer %q opens to %q, want a pad and a bar", answer, b)
	}
	return content
}

// near tells whether a timestamp, "_HH:MM:SS,MM-DD-YYYY", is that of now.
func near(s string) bool {
	at, err := time.Parse("_15:04:05 01-02-2006", strings.Replace(s, ",", " ", 1))
	return err == nil && time.Since(at).Abs() < 5*time.Second
}

// nakAt cuts a NAK's timestamp off and wants the rest as the standard has it.
func isNAK(t *testing.T, answer []byte, form func(string) []byte) bool {
	t.Helper()
	i := strings.LastIndexByte(string(answer), '_')
	if i < 0 || !near(strings.TrimSuffix(string(answer[i:]), "\r")) {
		return false
	}
	body := `"NAK"0000R0L0A0[]` + strings.TrimSuffix(string(answer[i:]), "\r")
	return string(form(body)) == string(answer)
}
