package frame

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// maxInput bounds what is read; a frame has 4,105 bytes at most.
const maxInput = 64 << 10

var errMuch = fmt.Errorf("more than %d bytes: want one frame", maxInput)

// fromHex reads bytes written as hex digits. Spaces, new lines, and 0x, \x, commas,
// colons or dashes between bytes are passed over.
func fromHex(s string) ([]byte, error) {
	digits := strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "", ",", "", ":", "", "-", "", "0x", "", "0X", "", `\x`, "").Replace(s)
	if i := strings.IndexFunc(digits, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }); i >= 0 {
		return nil, fmt.Errorf("hex: %q is no hex digit; want pairs of hex digits, as 0A 41 31 ... 0D", firstRune(digits[i:]))
	}
	if len(digits)%2 != 0 {
		return nil, fmt.Errorf("hex: %d digits, want two for each byte", len(digits))
	}
	return hex.DecodeString(digits)
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// read takes a file, or standard input for none and "-".
func read(file string, in io.Reader) ([]byte, error) {
	if file != "" && file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	if in == nil {
		return nil, errors.New("no standard input")
	}
	b, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxInput {
		return nil, errMuch
	}
	return b, nil
}

// fromCopy turns a frame that was copied from a log back into bytes, when its begin
// can only be that: no frame begins with a backslash, a <, a quote or b'. Else b is
// taken as it is. Hex is taken for hex only when it stands for LF first: a frame has
// quotes and can't be hex digits alone.
func fromCopy(b []byte) ([]byte, error) {
	s := strings.TrimSpace(string(b))
	lower := strings.ToLower(s)
	switch {
	case strings.HasPrefix(s, `"\n`) || strings.HasPrefix(s, `"\x0a`):
		return unescape(strings.Trim(s, `"`))
	case strings.HasPrefix(s, `b'`) || strings.HasPrefix(s, `b"`): // Python
		return unescape(strings.Trim(s[1:], s[1:2]))
	case strings.HasPrefix(s, `\n`) || strings.HasPrefix(lower, `\x0a`):
		return unescape(s)
	case strings.HasPrefix(lower, "<lf>"):
		if strings.HasSuffix(lower, "<cr>") {
			s = s[:len(s)-4] + "\r"
		}
		return []byte("\n" + s[4:]), nil
	case strings.HasPrefix(lower, "0a") || strings.HasPrefix(lower, "0x0a"):
		if out, err := fromHex(s); err == nil && bytes.HasPrefix(out, []byte("\n")) {
			return out, nil
		}
	}
	return b, nil
}

// unescape reads \n \r \t \0 \xHH \\ \" and \'; bytes behind another backslash stay.
func unescape(s string) ([]byte, error) {
	var b []byte
	for s != "" {
		if s[0] != '\\' || len(s) == 1 {
			b, s = append(b, s[0]), s[1:]
			continue
		}
		switch s[1] {
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case '0':
			b = append(b, 0)
		case '\\', '"', '\'':
			b = append(b, s[1])
		case 'x':
			if len(s) < 4 {
				return nil, fmt.Errorf(`%q: want two hex digits behind \x`, s)
			}
			n, err := strconv.ParseUint(s[2:4], 16, 8)
			if err != nil {
				return nil, fmt.Errorf(`%q: want two hex digits behind \x`, s[:4])
			}
			b, s = append(b, byte(n)), s[4:]
			continue
		default:
			b = append(b, s[0], s[1])
		}
		s = s[2:]
	}
	return b, nil
}

// readKey takes the key of --key or --key-file.
func readKey(key, file string) (Key, error) {
	if key != "" && file != "" {
		return Key{}, errors.New("--key and --key-file: want one of them")
	}
	name := "--key"
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return Key{}, fmt.Errorf("--key-file: %w", err)
		}
		name, key = "--key-file", strings.TrimRight(string(b), "\r\n")
		if key == "" {
			return Key{}, errors.New("--key-file: the file is empty, want one key in its first line")
		}
	}
	k, err := ParseKey(key)
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", name, err)
	}
	return k, nil
}
