package frame

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"vedetta/wire/dc09"
	"vedetta/wire/event"
)

// Encode makes the frame of d. Left out (null) are: crc_form ascii, seq 0001, the
// rest absent; encrypted hangs on whether there is a key, and an encrypted frame
// without a timestamp gets that of now. crc or length "bad" make a frame with that
// fault, for tests of receivers. Events are not looked at: they follow from data.
//
// The frame is read again before it is handed out: what Decode would read otherwise,
// Encode refuses, naming the field.
func Encode(d Document, key Key, now time.Time) ([]byte, error) {
	m, cipher, err := message(d, key, now)
	if err != nil {
		return nil, err
	}
	b, err := m.AppendFrame(nil, cipher)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "dc09: encode: "))
	}
	b = spoil(b, m.Form, d)
	return b, differs(d, Decode(b, key))
}

func message(d Document, key Key, now time.Time) (m dc09.Message, cipher *dc09.Cipher, err error) {
	m.Form = dc09.ASCII
	switch orElse(d.CRCForm, "ascii") {
	case "ascii":
	case "binary":
		m.Form = dc09.Binary
	case "ascii+cr":
		m.Form = dc09.ASCIICR
	default:
		return m, nil, fmt.Errorf("crc_form %q, want ascii, binary or ascii+cr", *d.CRCForm)
	}
	for name, s := range map[string]*string{"crc": d.CRC, "length": d.Length} {
		if v := orElse(s, "ok"); v != "ok" && v != "bad" {
			return m, nil, fmt.Errorf("%s %q, want ok or bad", name, v)
		}
	}
	if d.Token == nil || *d.Token == "" {
		return m, nil, errors.New("token: missing, want SIA-DCS, ADM-CID, NULL or another")
	}
	m.Token = *d.Token
	seq := orElse(d.Seq, "0001")
	if m.Sequence, err = strconv.Atoi(seq); err != nil || len(seq) > 4 || strings.Trim(seq, "0123456789") != "" {
		return m, nil, fmt.Errorf("seq %q, want 1 to 4 digits", seq)
	}
	cipher = key.cipher
	switch {
	case d.Encrypted != nil && !*d.Encrypted:
		cipher = nil
	case d.Encrypted != nil && cipher == nil:
		return m, nil, errors.New("encrypted: true, and no key is given")
	}
	if d.Data == nil && d.Encrypted != nil && *d.Encrypted {
		return m, nil, errors.New("data: null in an encrypted frame (read without its key?), want the text between [ and ], empty for none")
	}
	switch stamp := orElse(d.Timestamp, ""); {
	case stamp == "now" || stamp == "" && cipher != nil:
		m.Time = now.UTC()
	case stamp != "":
		if m.Time, err = time.Parse(time.RFC3339Nano, stamp); err != nil || m.Time.Nanosecond() != 0 {
			return m, nil, fmt.Errorf("timestamp %q, want RFC 3339 with whole seconds, as 2026-11-24T12:00:00Z, or now", stamp)
		}
	}
	text := func(s string) string {
		if slices.Contains(d.Quirks, quirkWindows1252) && err == nil {
			s, err = toWindows1252(s)
		}
		return s
	}
	m.Receiver, m.Prefix, m.Account = d.Receiver, d.Prefix, orElse(d.Account, "")
	if slices.Contains(d.Quirks, "no-account-in-header") {
		m.Account = ""
	}
	if m.Token == dc09.TokenNAK && m.Account == "" {
		m.Prefix = new(orElse(d.Prefix, "0") + "A0") // a NAK has its account without a sign
	}
	m.Blocks = "[" + text(orElse(d.Data, "")) + "]"
	for _, x := range d.XData {
		m.Blocks += "[" + text(x) + "]"
	}
	return m, cipher, err
}

// spoil gives the frame what d says is bad, and the silent quirks around it.
func spoil(b []byte, form dc09.Form, d Document) []byte {
	body, crc := 9, 1
	if form == dc09.Binary {
		body = 7
	}
	n := len(b) - body // with the CR
	if form != dc09.ASCIICR {
		n--
	}
	switch {
	case slices.Contains(d.Quirks, "length-decimal"):
		copy(b[body-3:body], fmt.Sprintf("%03d", n))
	case orElse(d.Length, "ok") == "bad":
		copy(b[body-3:body], fmt.Sprintf("%03X", wrong(n)))
	}
	if orElse(d.CRC, "ok") == "bad" {
		if form == dc09.Binary {
			b[crc] ^= 0x40
		} else {
			// Another digit, and one that no other form of CRC would make good.
			b[crc] = "0123456789ABCDEF"[(strings.IndexByte("0123456789ABCDEF", b[crc])+7)%16]
		}
	}
	if slices.Contains(d.Quirks, "missing-LF") && form != dc09.Binary {
		b = b[1:]
	}
	if slices.Contains(d.Quirks, "trailing-NUL") {
		b = append(b, 0)
	}
	return b
}

// wrong is a length that n bytes have in no reading.
func wrong(n int) int {
	for w := (n + 16) % (dc09.MaxBody + 1); ; w = (w + 1) % (dc09.MaxBody + 1) {
		if decimal, err := strconv.Atoi(fmt.Sprintf("%03X", w)); w != n && w != n+1 && (err != nil || decimal != n) {
			return w
		}
	}
}

// toWindows1252 is the way back of event.Text.
func toWindows1252(s string) (string, error) {
	var b []byte
	for _, r := range s {
		if r < utf8.RuneSelf {
			b = append(b, byte(r))
			continue
		}
		at := -1
		for c := 0x80; c < 0x100 && at < 0; c++ {
			if r != utf8.RuneError && event.Text([]byte{byte(c)}) == string(r) {
				at = c
			}
		}
		if at < 0 {
			return "", fmt.Errorf("windows-1252 (in quirks): has no %q", r)
		}
		b = append(b, byte(at))
	}
	return string(b), nil
}

// differs names the first field that the frame wouldn't be read as; what d leaves
// out may be anything.
func differs(d, got Document) error {
	if got.Error != "" {
		return fmt.Errorf("such a frame could not be read: %s", got.Error)
	}
	seq := d.Seq
	if seq != nil {
		n, _ := strconv.Atoi(*seq)
		seq = new(fmt.Sprintf("%04d", n))
	}
	stamp := d.Timestamp
	if stamp != nil && *stamp != "now" {
		if t, err := time.Parse(time.RFC3339Nano, *stamp); err == nil {
			stamp = new(t.UTC().Format(time.RFC3339))
		}
	} else {
		stamp = got.Timestamp
	}
	for _, f := range []struct {
		name      string
		want, got *string
		any       bool // null may be anything
	}{
		{"crc_form", d.CRCForm, got.CRCForm, true}, {"crc", d.CRC, got.CRC, true}, {"length", d.Length, got.Length, true},
		{"token", d.Token, got.Token, false}, {"seq", seq, got.Seq, true}, {"receiver", d.Receiver, got.Receiver, false},
		{"prefix", d.Prefix, got.Prefix, false}, {"account", d.Account, got.Account, true}, {"timestamp", stamp, got.Timestamp, true},
		{"data", d.Data, got.Data, true},
	} {
		if f.want == nil && f.any || f.want != nil && f.got != nil && *f.want == *f.got || f.want == nil && f.got == nil {
			continue
		}
		return fmt.Errorf("%s: %s would be read as %s", f.name, quoted(f.want), quoted(f.got))
	}
	if !slices.Equal(d.XData, got.XData) {
		return fmt.Errorf("xdata: %q would be read as %q", d.XData, got.XData)
	}
	if d.Quirks != nil {
		for _, q := range d.Quirks {
			if !slices.Contains(got.Quirks, q) {
				return fmt.Errorf("quirks: %s can't be written from such a document", q)
			}
		}
		for _, q := range got.Quirks {
			if !slices.Contains(d.Quirks, q) {
				return fmt.Errorf("quirks: such a frame has %s too", q)
			}
		}
	}
	return nil
}

func quoted(s *string) string {
	if s == nil {
		return "absent"
	}
	return strconv.Quote(*s)
}

func orElse(s *string, other string) string {
	if s == nil {
		return other
	}
	return *s
}
