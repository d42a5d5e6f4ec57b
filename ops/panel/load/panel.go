package load

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"vedetta/wire/dc09"
)

// Panel makes one panel's frames. Sequences go from 1 to 9999 and again; the
// text of every event is its own, so that none is a copy of another.
type Panel struct {
	Account string
	Mark    string // begins the text of its events, "~" and a word: unique to the run
	cipher  *dc09.Cipher
	prefix  string
	seq     int
	number  int
	text    []byte
}

// NewPanel makes a panel; an empty key means plain frames.
func NewPanel(account, mark string, key []byte) (Panel, error) {
	p := Panel{Account: account, Mark: mark, prefix: "0"}
	if len(key) > 0 {
		c, err := dc09.NewCipher(key)
		if err != nil {
			return p, fmt.Errorf("panel %s: %w", account, err)
		}
		p.cipher = c
	}
	return p, nil
}

// Append appends the next frame: a burglary alarm, or a poll.
func (p *Panel) Append(dst []byte, poll bool, now time.Time) []byte {
	p.number++
	if p.seq++; p.seq > 9999 {
		p.seq = 1
	}
	m := dc09.Message{Token: dc09.TokenNull, Sequence: p.seq, Prefix: &p.prefix, Account: p.Account, Time: now.UTC()}
	if !poll {
		p.text = append(append(p.text[:0], "[#"...), p.Account...)
		p.text = append(append(p.text, "|Nri1/BA012^"...), p.Mark...)
		p.text = append(strconv.AppendInt(p.text, int64(p.number), 10), "~^]"...)
		m.Token, m.Blocks = "SIA-DCS", string(p.text)
	}
	out, err := m.AppendFrame(dst, p.cipher)
	if err != nil {
		panic("load: a frame of our own making: " + err.Error())
	}
	return out
}

// Text is what the last event's frame says, as notifications show it.
func (p *Panel) Text() string { return p.Mark + strconv.Itoa(p.number) + "~" }

// acknowledged recognises an ACK of the last frame by its bytes.
func (p *Panel) acknowledged(got []byte) bool {
	const at = len("\nCCCC0LLL")
	want := `"ACK"`
	if p.cipher != nil {
		want = `"*ACK"`
	}
	if len(got) < at+len(want)+4 || !bytes.HasPrefix(got[at:], []byte(want)) {
		return false
	}
	n, err := strconv.Atoi(string(got[at+len(want) : at+len(want)+4]))
	return err == nil && n == p.seq
}

// check takes the answer apart: CRC, sequence, account, decryption.
func (p *Panel) check(got []byte) error {
	f, err := dc09.ParseFrame(got)
	if err != nil {
		return err
	}
	if f.Token != dc09.TokenACK || f.Number() != p.seq || f.Account != p.Account || f.Encrypted != (p.cipher != nil) {
		return fmt.Errorf("%s %04d of %s, want ACK %04d of %s", f.Token, f.Number(), f.Account, p.seq, p.Account)
	}
	_, err = f.Open(nil, p.cipher)
	return err
}
