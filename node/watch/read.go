package watch

import (
	"encoding/hex"
	"errors"
	"strings"

	"vedetta/wire/dc09"
	wire "vedetta/wire/watch"
)

// reading is what can be read of an attempt's bytes without a key.
type reading struct {
	dc09.Inspection
	isFrame bool
	bad     *dc09.BadFrame // when it is no frame
}

func read(raw string) reading {
	i, err := dc09.Inspect([]byte(raw), nil)
	if err == nil {
		return reading{Inspection: i, isFrame: true}
	}
	r := reading{}
	errors.As(err, &r.bad)
	return r
}

// opens finds the key that opens the frame: its content is then in the form
// that an encrypted one must have, with a timestamp that is a date. Nothing
// else proves a key (DC-09 has no integrity).
func (r reading) opens(keys []*dc09.Cipher) *dc09.Cipher {
	for _, c := range keys {
		if content, err := r.Frame.Open(nil, c); err == nil && content.Stamp == dc09.StampGood {
			return c
		}
	}
	return nil
}

// misreading is a key that comes of the same characters, taken otherwise than
// they were here: the usual slips between a panel's menu and ours.
type misreading struct {
	as  string // what the panel seems to take them as: text, hex, first 128 or 192 bits
	key []byte
}

func misreadings(key []byte) []misreading {
	var out []misreading
	if digits := hex.EncodeToString(key); len(key) == 16 { // 32 hex digits, taken as 32 characters: AES-256
		out = append(out, misreading{wire.KeyText, []byte(strings.ToUpper(digits))}, misreading{wire.KeyText, []byte(digits)})
	}
	if b, err := hex.DecodeString(string(key)); err == nil && len(key) == 32 { // 32 characters, taken as hex digits: AES-128
		out = append(out, misreading{wire.KeyHex, b})
	}
	for _, cut := range []misreading{{wire.Key128, nil}, {wire.Key192, nil}} {
		if n := map[string]int{wire.Key128: 16, wire.Key192: 24}[cut.as]; len(key) > n {
			out = append(out, misreading{cut.as, key[:n]})
		}
	}
	return out
}

// otherSum names another checksum, or order of bytes, that a bad CRC fits: then
// the panel computes it otherwise, and the line is not to blame.
func otherSum(body []byte, got uint16) (string, bool) {
	swap := func(v uint16) uint16 { return v<<8 | v>>8 }
	arc := dc09.CRC(body)
	for _, one := range []struct {
		name string
		sum  uint16
	}{
		{"CRC-16/ARC, low byte first", swap(arc)},
		{"CRC-16/MODBUS", reflected(body, 0xFFFF, 0xA001)}, {"CRC-16/MODBUS, low byte first", swap(reflected(body, 0xFFFF, 0xA001))},
		{"CRC-16/CCITT-FALSE", forward(body, 0xFFFF, 0x1021)}, {"CRC-16/XMODEM", forward(body, 0, 0x1021)},
		{"CRC-16/KERMIT", reflected(body, 0, 0x8408)},
	} {
		if one.sum == got {
			return one.name, true
		}
	}
	return "", false
}

func reflected(b []byte, crc, poly uint16) uint16 {
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ poly
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}

func forward(b []byte, crc, poly uint16) uint16 {
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ poly
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
