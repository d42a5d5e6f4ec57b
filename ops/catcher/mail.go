package catcher

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

const maxMailBytes = 4 << 20

func (c *Catcher) mailServer(ctx context.Context) *smtp.Server {
	s := smtp.NewServer(smtp.BackendFunc(func(conn *smtp.Conn) (smtp.Session, error) {
		return &session{c: c, ctx: ctx, conn: conn}, nil
	}))
	s.Domain = "catcher.vedetta.example"
	s.TLSConfig = c.cfg.TLS
	s.MaxMessageBytes = maxMailBytes
	s.MaxRecipients = 100
	s.ReadTimeout = 2 * time.Minute
	s.WriteTimeout = 30 * time.Second
	s.EnableSMTPUTF8 = true
	s.ErrorLog = slog.NewLogLogger(c.env.Log.Handler(), slog.LevelDebug)
	return s
}

// session is one SMTP connection.
type session struct {
	c    *Catcher
	ctx  context.Context
	conn *smtp.Conn
	to   []string
	// fault is taken at the first recipient and holds for the whole mail.
	fault Fault
}

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if len(s.to) == 0 {
		s.fault = s.c.faults.mail()
	}
	if s.fault.Mode == ModeUnwanted {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err // the final dot never came
	}
	s.env().Debug("mail came", "bytes", len(b), "fault", string(s.fault.Mode))
	switch s.fault.Mode {
	case ModeCutBefore:
		return s.cut()
	case ModeBusy, ModeRefuse:
		s.fault.wait(s.ctx)
		if s.fault.Mode == ModeBusy {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "not now"}
		}
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "not wanted"}
	}
	m := readMail(b)
	m.To = strings.Join(s.to, ",")
	m.Received = Time(time.Now())
	if err := s.c.shelf.add(line{Kind: "message", Message: &m}); err != nil {
		return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "can't keep it"}
	}
	if s.fault.Mode == ModeHang {
		<-s.ctx.Done()
	}
	if !s.fault.wait(s.ctx) || s.fault.Mode == ModeCutAfter || s.fault.Mode == ModeHang {
		return s.cut()
	}
	return nil
}

// cut closes the line: what is answered afterwards reaches nobody.
func (s *session) cut() error {
	s.conn.Conn().Close()
	return errors.New("line was cut")
}

func (s *session) Reset()            { s.to, s.fault = nil, Fault{} }
func (s *session) Logout() error     { return nil }
func (s *session) env() *slog.Logger { return s.c.env.Log }

// readMail reads what it can; what it can't is shown as text.
func readMail(b []byte) Message {
	m := Message{Headers: map[string]string{}}
	in, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		m.Text = string(b)
		return m
	}
	decode := new(mime.WordDecoder)
	for name, values := range in.Header {
		v := strings.Join(values, ", ")
		if d, err := decode.DecodeHeader(v); err == nil {
			v = d
		}
		m.Headers[name] = v
	}
	m.Subject = m.Headers["Subject"]
	readPart(&m, in.Header.Get("Content-Type"), in.Header.Get("Content-Transfer-Encoding"), in.Body, 0)
	return m
}

func readPart(m *Message, contentType, encoding string, body io.Reader, depth int) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") && depth < 5 {
		for r := multipart.NewReader(body, params["boundary"]); ; {
			p, err := r.NextRawPart()
			if err != nil {
				return
			}
			readPart(m, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p, depth+1)
		}
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	b, _ := io.ReadAll(body)
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	switch {
	case kind == "text/html" && m.HTML == "":
		m.HTML = text
	case strings.HasPrefix(kind, "text/") && m.Text == "":
		m.Text = text
	}
}
