// Package panel is an alarm panel in software: it sends DC-09 messages as panels
// do and judges the answers as they would. `vedettactl panel send`, tests and
// bench use it. A Panel owns its connection; it is not for several goroutines.
package panel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"vedetta/wire/dc09"
)

// Answer says how one exchange ended.
type Answer string

// Answers. AnswerWrong doesn't fit the message: CRC, sequence, account, decryption.
const (
	AnswerACK     Answer = "ACK"
	AnswerNAK     Answer = "NAK"
	AnswerDUH     Answer = "DUH"
	AnswerSilence Answer = "silence"
	AnswerWrong   Answer = "wrong"
)

// Config of a panel.
type Config struct {
	Account  string
	Prefix   string // digits after L, "0" when empty
	Receiver string // digits after R, left out when empty
	Key      []byte // AES key, empty: plain
	Via      Transport
	From     net.Addr      // local address, nil: the system's choice
	Timeout  time.Duration // silence at one address, 5 s when zero

	// Write is how a frame goes out, for faults of the way; nil: in one piece. Its
	// error ends the exchange as silence.
	Write func(net.Conn, []byte) error
	Now   func() time.Time
}

// Panel sends to one address at a time.
type Panel struct {
	cfg    Config
	cipher *dc09.Cipher
	secure *tls.Config

	to   string
	conn net.Conn
	in   dc09.Cutter // of what conn has said
}

// Exchange is one message and what came back.
type Exchange struct {
	To      string
	Answer  Answer
	Why     string // for silence and wrong: what happened
	Sent    []byte
	Got     []byte // empty for silence
	Latency time.Duration
}

// New makes a panel; it dials nothing.
func New(cfg Config) (*Panel, error) {
	p := &Panel{cfg: cfg}
	if p.cfg.Timeout == 0 {
		p.cfg.Timeout = 5 * time.Second
	}
	if p.cfg.Now == nil {
		p.cfg.Now = time.Now
	}
	if p.cfg.Prefix == "" {
		p.cfg.Prefix = "0"
	}
	var err error
	if p.secure, err = cfg.Via.Config(); err != nil {
		return nil, err
	}
	if len(cfg.Key) > 0 {
		c, err := dc09.NewCipher(cfg.Key)
		if err != nil {
			return nil, err
		}
		p.cipher = c
	}
	return p, nil
}

// Close ends the connection, if there is one.
func (p *Panel) Close() error {
	if p.conn == nil {
		return nil
	}
	err := p.conn.Close()
	p.conn, p.to = nil, ""
	return err
}

// Blocks is the data part of a message: data beginning with a bracket goes as
// it is, with its extended data; all else is put behind the account.
func Blocks(account, data string) string {
	if strings.HasPrefix(data, "[") {
		return data
	}
	return "[#" + account + "|" + data + "]"
}

// Send sends one message to an address and waits for its answer. The
// connection is kept for the next message to the same address.
func (p *Panel) Send(ctx context.Context, to, token string, seq int, data string) (Exchange, error) {
	blocks := Blocks(p.cfg.Account, data)
	if data == "" {
		blocks = "[]"
	}
	m := dc09.Message{Token: token, Sequence: seq, Prefix: &p.cfg.Prefix, Account: p.cfg.Account, Blocks: blocks, Time: p.cfg.Now().UTC()}
	if p.cfg.Receiver != "" {
		m.Receiver = &p.cfg.Receiver
	}
	frame, err := m.AppendFrame(nil, p.cipher)
	if err != nil {
		return Exchange{}, err
	}
	x := Exchange{To: to, Sent: frame}
	began := time.Now()
	got, err := p.exchange(ctx, to, frame)
	x.Latency = time.Since(began)
	if err != nil {
		_ = p.Close() // what is left in it would answer the next message
		x.Answer, x.Why = AnswerSilence, err.Error()
		return x, nil
	}
	x.Got = got
	x.Answer, x.Why = p.judge(got, seq)
	return x, nil
}

// SendUntilACK tries the addresses in turn, each time newly stamped and
// encrypted, until one acknowledges or ctx ends: what a panel does.
func (p *Panel) SendUntilACK(ctx context.Context, to []string, token string, seq int, data string) (Exchange, error) {
	var last Exchange
	for i := 0; ctx.Err() == nil; i++ {
		x, err := p.Send(ctx, to[i%len(to)], token, seq, data)
		if err != nil || x.Answer == AnswerACK {
			return x, err
		}
		last = x
		if i%len(to) == len(to)-1 {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return last, ctx.Err()
}

func (p *Panel) exchange(ctx context.Context, to string, frame []byte) ([]byte, error) {
	if p.conn == nil || p.to != to {
		if err := p.dial(ctx, to); err != nil {
			return nil, err
		}
	}
	deadline := time.Now().Add(p.cfg.Timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := p.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	conn := p.conn // Close forgets it, and the function may run after that
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	if p.cfg.Write != nil {
		if err := p.cfg.Write(p.conn, frame); err != nil {
			return nil, err
		}
	} else if _, err := p.conn.Write(frame); err != nil {
		return nil, err
	}
	if p.cfg.Via.UDP {
		b := make([]byte, 64<<10)
		n, err := p.conn.Read(b)
		return b[:n], err
	}
	return p.readAnswer()
}

func (p *Panel) dial(ctx context.Context, to string) error {
	if err := p.Close(); err != nil {
		return err
	}
	conn, err := p.cfg.Via.Dial(ctx, to, p.secure, p.cfg.Timeout, p.cfg.From)
	if err != nil {
		return err
	}
	p.conn, p.to, p.in = conn, to, dc09.Cutter{}
	return nil
}

// readAnswer reads one answer from a stream, in any form of CRC. What is no frame
// is returned as it came, for judge to say so; the error is silence.
func (p *Panel) readAnswer() ([]byte, error) {
	var got []byte
	for {
		f, err := p.in.Next()
		switch {
		case err == nil:
			return []byte(f.Raw), nil
		case !errors.Is(err, dc09.ErrMore):
			return got, nil
		}
		space := p.in.Space()
		n, err := p.conn.Read(space)
		got = append(got, space[:n]...)
		p.in.Advance(n)
		if n == 0 && err != nil {
			if len(got) > 0 {
				return got, nil
			}
			return nil, err
		}
	}
}

// judge says what the answer is and whether it belongs to the message.
func (p *Panel) judge(got []byte, seq int) (Answer, string) {
	f, err := dc09.ParseFrame(got)
	if err != nil {
		_ = p.Close() // what follows in it can't be told from the next answer
		return AnswerWrong, err.Error()
	}
	switch f.Token {
	case dc09.TokenNAK:
		return AnswerNAK, ""
	case dc09.TokenACK, dc09.TokenDUH:
	default:
		return AnswerWrong, "answer is a " + f.Token + ", want ACK, NAK or DUH"
	}
	switch {
	case f.Number() != seq:
		return AnswerWrong, fmt.Sprintf("sequence %s, want %04d", f.Sequence, seq)
	case f.Account != p.cfg.Account:
		return AnswerWrong, fmt.Sprintf("account %q, want %q", f.Account, p.cfg.Account)
	case f.Token == dc09.TokenDUH:
		return AnswerDUH, ""
	case f.Encrypted != (p.cipher != nil):
		return AnswerWrong, "ACK must be encrypted when the message was, and only then"
	}
	if _, err := f.Open(nil, p.cipher); err != nil {
		return AnswerWrong, "ACK: " + err.Error()
	}
	return AnswerACK, ""
}
