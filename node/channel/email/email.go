// Package email sends a notification as a mail to the first hop, step by step,
// so that it knows which byte was the last.
//
// It promises: the final dot leaves within the claim's time or the connection
// is cut before it (rule 23); 250 after the dot is delivered, whatever happens
// afterwards; 5xx there is refused; anything else there is unknown; whatever
// fails before the dot was not handed over. The Message-ID is made from the
// notification's id, so that a repetition can be recognised. It keeps no
// connection and starts no goroutine that outlives Send.
package email

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"vedetta/cluster/env"
	"vedetta/node/channel"
	"vedetta/node/channel/wording"
)

// When TLS is used.
const (
	TLSOffered = "offered" // STARTTLS where the server offers it
	TLSAlways  = "always"  // STARTTLS, or nothing is sent
	TLSNever   = "never"
)

// Config is the first hop and the sender.
type Config struct {
	Address  string // host:port of the submission server
	From     string // "Vedetta <alarm@vedetta.example>" or the bare address
	Username string // empty: no login
	Password string
	TLS      string // TLSOffered when empty
	CAFile   string // PEM; empty: the machine's own authorities
	Hello    string // name in EHLO; the sender's domain when empty
	// AnswerTimeout is how long the answer to the final dot is awaited, 60 s
	// when zero. It comes after the claim's ten seconds.
	AnswerTimeout time.Duration
	Slots         int // mails claimed and not yet settled at once, 32 when zero
}

// Channel sends mails.
type Channel struct {
	cfg   Config
	from  mail.Address
	host  string
	tls   *tls.Config
	net   env.Net
	page  *template.Template
	zones wording.Zones
}

// New checks the configuration and reads the CA file; it connects to nobody.
func New(cfg Config, e env.Env) (*Channel, error) {
	host, _, err := net.SplitHostPort(cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("email: address %q: want host:port", cfg.Address)
	}
	from, err := mail.ParseAddress(cfg.From)
	if err != nil || !strings.Contains(from.Address, "@") {
		return nil, fmt.Errorf("email: from %q: want a mail address", cfg.From)
	}
	if from.Name == "" {
		from.Name = "Vedetta"
	}
	if cfg.TLS == "" {
		cfg.TLS = TLSOffered
	}
	if cfg.TLS != TLSOffered && cfg.TLS != TLSAlways && cfg.TLS != TLSNever {
		return nil, fmt.Errorf("email: tls %q: want offered, always or never", cfg.TLS)
	}
	if cfg.Hello == "" {
		cfg.Hello = domainOf(from.Address)
	}
	if cfg.AnswerTimeout == 0 {
		cfg.AnswerTimeout = time.Minute
	}
	if cfg.Slots == 0 {
		cfg.Slots = 32
	}
	page, err := template.New("mail").Parse(mailText)
	if err != nil {
		return nil, fmt.Errorf("email: %w", err)
	}
	c := &Channel{cfg: cfg, from: *from, host: host, net: e.Net, page: page, tls: &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("email: CA file: %w", err)
		}
		c.tls.RootCAs = x509.NewCertPool()
		if !c.tls.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("email: CA file %s: want certificates in PEM", cfg.CAFile)
		}
	}
	return c, nil
}

// Traits: a repeated mail is a second mail.
func (c *Channel) Traits() channel.Traits { return channel.Traits{Slots: c.cfg.Slots} }

// Send hands one mail over. See the package comment and channel.Sender.
func (c *Channel) Send(ctx context.Context, m channel.Message, deadline func() bool) channel.Outcome {
	to, err := mail.ParseAddress(m.Address)
	if err != nil {
		return channel.Refused(channel.ReasonInvalidAddress, "")
	}
	body, err := c.compose(m, *to)
	if err != nil {
		return channel.Refused(channel.ReasonInvalidAddress, "") // only what the contact typed can fail here
	}
	s, err := c.dial(ctx)
	if err != nil {
		return before(ctx, err)
	}
	defer s.close()
	if err := c.greet(s); err != nil {
		return before(ctx, err)
	}
	if err := s.Mail("<" + c.from.Address + ">"); err != nil {
		return before(ctx, err) // the sender is ours: no reason to give the alarm up
	}
	if err := s.Rcpt("<" + to.Address + ">"); err != nil {
		if code, text := reply(err); code/100 == 5 {
			if strings.HasPrefix(text, "5.7.") {
				return channel.Refused(channel.ReasonProviderRefused, answer(code, text))
			}
			return channel.Refused(channel.ReasonInvalidAddress, answer(code, text))
		}
		return before(ctx, err)
	}
	data, err := s.Data()
	if err != nil {
		if code, text := reply(err); code/100 == 5 {
			return channel.Refused(channel.ReasonProviderRefused, answer(code, text))
		}
		return before(ctx, err)
	}
	w, ok := data.(*smtp.DataCloser) // what go-mail documents; its answer is our reference
	if !ok {
		return channel.NotBegun(channel.ReasonUnreachable)
	}
	if _, err = w.Write(body); err == nil {
		err = s.Text.W.Flush() // all but the dot is out before the last look at the clock
	}
	if err != nil {
		return before(ctx, err)
	}
	return c.handOver(ctx, s, w, deadline)
}

// handOver writes the final dot, the last byte, and reads what became of it.
func (c *Channel) handOver(ctx context.Context, s *session, w *smtp.DataCloser, deadline func() bool) channel.Outcome {
	if !s.uncut() || !deadline() {
		return channel.NotBegun(channel.ReasonTooLate) // s.close cuts: no dot, no mail
	}
	handed := time.Now()
	if at, ok := ctx.Deadline(); ok {
		s.raw.SetWriteDeadline(at)
	}
	s.raw.SetReadDeadline(handed.Add(c.cfg.AnswerTimeout))
	s.raw.arm()
	err := w.Close()
	if err == nil {
		ref := w.ServerResponse()
		s.raw.SetDeadline(time.Now().Add(farewell))
		s.Quit() // a farewell that fails changes nothing
		return channel.Delivered(ref, handed)
	}
	if s.raw.silent() {
		return channel.NotBegun(channel.ReasonUnreachable) // not one byte of the dot was taken from us
	}
	switch code, text := reply(err); code / 100 {
	case 5:
		return channel.Refused(channel.ReasonProviderRefused, answer(code, text))
	case 4:
		return channel.NotNow(channel.ReasonProviderBusy, answer(code, text))
	}
	return channel.Unknown(handed, false)
}

// before is the outcome of a failure before the dot: nothing was handed over.
func before(ctx context.Context, err error) channel.Outcome {
	if at, ok := ctx.Deadline(); ctx.Err() != nil || ok && !time.Now().Before(at) {
		return channel.NotBegun(channel.ReasonTooLate)
	}
	if code, text := reply(err); code != 0 {
		return channel.NotNow(channel.ReasonProviderBusy, answer(code, text))
	}
	return channel.NotBegun(channel.ReasonUnreachable)
}

// reply is the server's code and text, 0 when err is none of its answers.
func reply(err error) (int, string) {
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		return e.Code, e.Msg
	}
	return 0, ""
}

func answer(code int, text string) string { return fmt.Sprintf("%d %s", code, text) }

func domainOf(address string) string { return address[strings.LastIndexByte(address, '@')+1:] }

// greet says hello, goes to TLS and logs in, as the configuration says.
func (c *Channel) greet(s *session) error {
	if err := s.Hello(c.cfg.Hello); err != nil {
		return err
	}
	offered, _ := s.Extension("STARTTLS")
	switch {
	case c.cfg.TLS == TLSNever:
	case offered:
		if err := s.StartTLS(c.tls); err != nil {
			return err
		}
	case c.cfg.TLS == TLSAlways:
		return errors.New("email: the server offers no STARTTLS")
	}
	if c.cfg.Username == "" {
		return nil
	}
	return s.Auth(smtp.PlainAuth("", c.cfg.Username, c.cfg.Password, c.host, false))
}
