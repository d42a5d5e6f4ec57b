package email

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// session is one connection to the first hop. It is cut when its context ends,
// until uncut is called.
type session struct {
	*smtp.Client
	raw  *wire
	stop func() bool
}

func (c *Channel) dial(ctx context.Context) (*session, error) {
	conn, err := c.net.DialContext(ctx, "tcp", c.cfg.Address)
	if err != nil {
		return nil, err
	}
	s := &session{raw: &wire{Conn: conn}}
	if at, ok := ctx.Deadline(); ok {
		conn.SetDeadline(at)
	}
	s.stop = context.AfterFunc(ctx, func() { conn.Close() })
	if s.Client, err = smtp.NewClient(s.raw, c.host); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// uncut ends the context's hold on the connection; false when it was cut.
func (s *session) uncut() bool { return s.stop() }

func (s *session) close() {
	s.stop()
	s.raw.Close()
}

// wire is the TCP connection; it tells whether any byte was taken after arm.
type wire struct {
	net.Conn
	armed atomic.Bool
	taken atomic.Bool
}

func (w *wire) arm() { w.armed.Store(true) }

// silent tells whether the system took no byte at all since arm.
func (w *wire) silent() bool { return w.armed.Load() && !w.taken.Load() }

func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	if n > 0 && w.armed.Load() {
		w.taken.Store(true)
	}
	return n, err
}

var _ net.Conn = (*wire)(nil)

// farewell bounds QUIT.
const farewell = time.Second
