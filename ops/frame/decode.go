package frame

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"vedetta/wire/dc09"
)

// Key is an account's key, and how it was read: "hex, AES-128".
type Key struct {
	cipher *dc09.Cipher
	words  string
}

// ParseKey reads a key as an installer types it; empty means none.
func ParseKey(s string) (Key, error) {
	if s == "" {
		return Key{}, nil
	}
	b, form, err := dc09.ParseKey(s)
	if err != nil {
		return Key{}, err
	}
	c, err := dc09.NewCipher(b)
	if err != nil {
		return Key{}, err
	}
	return Key{c, fmt.Sprintf("%s, AES-%d", form, 8*len(b))}, nil
}

// Decode says everything of the one frame in raw. A frame with a bad CRC or a wrong
// length is read all the same and says so. Error is empty when the frame can be
// read, and says else what was expected: no frame, a part of one, another key.
func Decode(raw []byte, key Key) Document {
	if len(bytes.Trim(raw, "\x00\r\n")) == 0 {
		return nothing(errEmpty)
	}
	i, err := dc09.Inspect(raw, key.cipher)
	if err != nil {
		if d, ok := headerOnly(raw); ok {
			return d
		}
		return nothing(refusal(err))
	}
	d := document(i, raw)
	switch {
	case i.Refused == dc09.ReasonIncomplete:
		d.Error = truncated(i, i.Length).Error()
	case !i.Frame.Encrypted || i.Opened:
	case !wholeBlocks(i.Frame.Body):
		d.Error = fmt.Sprintf("encrypted content of %d characters, want hex digits of whole AES blocks (a multiple of 32)", len(i.Frame.Body))
	case key.cipher != nil:
		d.Error = fmt.Sprintf("the key (%s) doesn't open the content: want it to end, decrypted, in ]_HH:MM:SS,MM-DD-YYYY; is it this account's key, and %s?",
			key.words, otherForm(key.words))
	}
	return d
}

// headerOnly reads a plain frame that was cut within its data: what stands in the
// header is sure, all else is unknown.
func headerOnly(raw []byte) (Document, bool) {
	if bytes.IndexByte(raw, '\r') >= 0 {
		return Document{}, false
	}
	i, err := dc09.Inspect(append(bytes.Clone(raw), ']'), nil)
	if err != nil || i.Refused != dc09.ReasonIncomplete || i.Frame.Encrypted {
		return Document{}, false
	}
	d := document(i, nil)
	d.CRC, d.Length = new("bad"), new("bad")
	d.Data, d.Timestamp, d.XData, d.Events = nil, nil, []string{}, []Event{}
	d.Quirks = append([]string{}, i.Frame.Quirks.Words()...)
	d.Error = truncated(i, i.Length-1).Error()
	return d, true
}

func otherForm(words string) string {
	if strings.HasPrefix(words, dc09.KeyHex) {
		return "were its digits meant as text (text:...)"
	}
	return "was it meant as hex digits (hex:...)"
}

// truncated says what is missing of a frame without its end.
func truncated(i dc09.Inspection, length int) error {
	switch {
	case i.CRCGood && i.LengthGood && length == i.Length:
		return errors.New("the CR (0D) at the end is missing; CRC and length are good without it")
	case i.LengthGood && length == i.Length:
		return errors.New("the CR (0D) at the end is missing, and the CRC is bad")
	}
	at := 6 // of the length's digits
	if i.Frame.Form == dc09.Binary {
		at = 4
	}
	if i.Frame.Quirks&dc09.QuirkMissingLF != 0 {
		at--
	}
	return fmt.Errorf("the frame ends before its CR (0D): %X hex bytes came from the first quote on, its length says %s; want the whole frame", length, i.Frame.Raw[at:at+3])
}

// wholeBlocks tells whether s can be the hex of AES blocks.
func wholeBlocks(s string) bool {
	return len(s) > 0 && len(s)%32 == 0 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// refusal says what was expected instead of bytes that are no frame.
func refusal(err error) error {
	var bad *dc09.BadFrame
	if !errors.As(err, &bad) {
		return err
	}
	switch bad.Reason {
	case dc09.ReasonForeign:
		if bad.Detail == "unknown" {
			return errors.New("not DC-09: want " + aFrame)
		}
		return fmt.Errorf("not DC-09 but %s: want %s", bad.Detail, aFrame)
	case dc09.ReasonIncomplete:
		return errors.New("it ends before its header is complete, and without a CR (0D): want the whole frame, " + aFrame)
	case dc09.ReasonMalformed:
		return fmt.Errorf("the CRC is good, the header can't be read: %s", bad.Detail)
	case dc09.ReasonCRC:
		return fmt.Errorf("bad CRC (the bytes have %04X), and the header can't be read: want %s", bad.Want, aFrame)
	case dc09.ReasonOversize:
		return fmt.Errorf("no end within %d bytes: a frame can't be longer", dc09.MaxFrame)
	}
	return err
}
