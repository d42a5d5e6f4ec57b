package dc09

import (
	"bytes"
	"time"
)

// Content is what a frame says. Its slices lie in the buffer given to Open.
type Content struct {
	Data   []byte   // between [ and ], "#acct|" included
	XData  [][]byte // each between [ and ]; also further data blocks, which begin with #
	Stamp  Stamp
	Time   time.Time // UTC, when Stamp is StampGood
	Quirks Quirk     // the frame's and the content's own
}

// BlockAccount is the account in front of the data, empty when there is none.
func (c Content) BlockAccount() string {
	if len(c.Data) == 0 || c.Data[0] != '#' {
		return ""
	}
	if i := bytes.IndexByte(c.Data, '|'); i > 0 {
		return string(c.Data[1:i])
	}
	return ""
}

// Open reads the content, with the key when the frame is encrypted (it isn't looked
// at otherwise). Plaintext is appended to dst, which may be nil. The error is
// ErrUndecryptable: a frame that is not encrypted always opens.
func (f Frame) Open(dst []byte, key *Cipher) (Content, error) {
	start := len(dst)
	if !f.Encrypted {
		dst = append(dst, f.Body...)
		return f.readContent(dst[start:])
	}
	if key == nil {
		return Content{}, ErrUndecryptable
	}
	dst, err := key.appendDecrypted(dst, f.Body)
	if err != nil {
		return Content{}, err
	}
	p := dst[start:]
	bar, bracket := bytes.IndexByte(p, '|'), bytes.IndexByte(p, ']')
	quirks := Quirk(0)
	switch {
	case bracket < 0:
		return Content{}, ErrUndecryptable
	case bar < 0 || bracket < bar:
		// Empty data without a bar: dc09_spt and fioletoven/dc09 do so.
		p, quirks = p[bracket:], QuirkPadWithoutBar
	default:
		p = p[bar+1:]
	}
	c, err := f.readContent(p)
	c.Quirks |= quirks
	return c, err
}

// readContent reads data "]" xdata timestamp.
func (f Frame) readContent(p []byte) (Content, error) {
	c := Content{Quirks: f.Quirks}
	end := bytes.LastIndexByte(p, ']')
	if end < 0 {
		return Content{}, ErrUndecryptable // clear frames were checked by ParseFrame
	}
	var ok bool
	c.Time, c.Stamp, ok = readStamp(p[end+1:])
	if f.Encrypted && c.Stamp == StampNone {
		// The timestamp is the only proof of the key, and the standard demands it.
		return Content{}, ErrUndecryptable
	}
	if !ok {
		c.Quirks |= QuirkTrailingText
	}
	if c.Stamp == StampBad {
		c.Quirks |= QuirkBadTimestamp
	}
	c.splitBlocks(p[:end])
	if len(c.Data) > 0 {
		switch acct := blockAccountBytes(c.Data); {
		case acct == nil:
			c.Quirks |= QuirkNoBlockAccount
		case !bytes.EqualFold(acct, []byte(f.Account)):
			c.Quirks |= QuirkAccountDiffers
		}
	}
	return c, nil
}

func blockAccountBytes(data []byte) []byte {
	if len(data) == 0 || data[0] != '#' {
		return nil
	}
	if i := bytes.IndexByte(data, '|'); i > 0 {
		return data[1:i]
	}
	return nil
}

// splitBlocks cuts at "][" where a capital letter (extended data) or # (another
// data block: Eaton, Aritech) follows; any other bracket belongs to a text.
func (c *Content) splitBlocks(p []byte) {
	first := true
	for {
		i := nextBlock(p)
		block := p
		if i >= 0 {
			block = p[:i]
		}
		if first {
			c.Data, first = block, false
		} else {
			c.XData = append(c.XData, block)
		}
		if i < 0 {
			return
		}
		p = p[i+2:]
	}
}

func nextBlock(p []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(p[from:], ']')
		if i < 0 {
			return -1
		}
		i += from
		if i+2 < len(p) && p[i+1] == '[' && (p[i+2] == '#' || p[i+2] >= 'A' && p[i+2] <= 'Z') {
			return i
		}
		from = i + 1
	}
}
