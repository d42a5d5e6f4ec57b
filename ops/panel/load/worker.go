package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// fullCheck is how many answers lie between two that are taken apart.
const fullCheck = 64

// datagramWait is how long a datagram's answer is waited for.
const datagramWait = time.Second

var errAnswer = errors.New("answer is no acknowledgement of the message")

// worker is one panel with one message in flight.
type worker struct {
	*run
	to    string
	from  *net.TCPAddr // nil: the system's choice
	panel Panel
	conn  net.Conn
	frame []byte
	in    [2048]byte
	count int
	times Times
}

func (w *worker) dial(ctx context.Context) error {
	d := net.Dialer{Timeout: 10 * time.Second, KeepAlive: -1}
	if w.from != nil {
		d.LocalAddr = w.from
	}
	network := "tcp"
	if w.plan.UDP {
		network = "udp"
	}
	c, err := d.DialContext(ctx, network, w.to)
	if err != nil {
		return err
	}
	w.conn = c
	if w.last.IsZero() {
		return nil
	}
	return c.SetDeadline(w.last)
}

func (w *worker) close() {
	if w.conn != nil {
		_ = w.conn.Close() // nothing is left to be said on it
		w.conn = nil
	}
}

// work exchanges messages until the window has ended.
func (w *worker) work(ctx context.Context) {
	if w.conn != nil {
		if err := w.conn.SetDeadline(w.last); err != nil {
			w.silent.Add(1)
			w.say(err.Error())
			return
		}
	}
	for ctx.Err() == nil {
		began := time.Now()
		if !began.Before(w.end) {
			return
		}
		err := w.exchange(ctx, began)
		done := time.Now()
		switch {
		case err == nil:
			if !began.Before(w.begin) && done.Before(w.end) {
				w.times = append(w.times, uint32(done.Sub(began)/time.Microsecond))
			}
			continue
		case errors.Is(err, errAnswer):
			w.wrong.Add(1)
		default:
			w.silent.Add(1)
		}
		w.say(err.Error())
		w.close()
		if !w.plan.PerMessage && w.dial(ctx) != nil {
			return
		}
	}
}

func (w *worker) exchange(ctx context.Context, now time.Time) error {
	if w.plan.PerMessage {
		if err := w.dial(ctx); err != nil {
			return err
		}
		defer w.close()
	}
	w.count++
	w.frame = w.panel.Append(w.frame[:0], w.plan.Poll, now)
	if w.plan.UDP {
		if err := w.conn.SetReadDeadline(now.Add(datagramWait)); err != nil {
			return err
		}
	}
	if _, err := w.conn.Write(w.frame); err != nil {
		return err
	}
	n := 0
	for n == 0 || w.in[n-1] != '\r' {
		if n == len(w.in) {
			return fmt.Errorf("%w: %d bytes without an end", errAnswer, n)
		}
		more, err := w.conn.Read(w.in[n:])
		n += more
		if err != nil && (n == 0 || w.in[n-1] != '\r') {
			if errors.Is(err, io.EOF) {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return w.judge(w.in[:n])
}

// judge recognises the answer, and takes one of many apart.
func (w *worker) judge(got []byte) error {
	if w.plan.Echo {
		if !bytes.Equal(got, w.frame) {
			return fmt.Errorf("%w: the echo is another", errAnswer)
		}
		return nil
	}
	if !w.panel.acknowledged(got) {
		return fmt.Errorf("%w: %q", errAnswer, got)
	}
	if w.count%fullCheck == 1 {
		if err := w.panel.check(got); err != nil {
			return fmt.Errorf("%w: %w", errAnswer, err)
		}
		w.checked.Add(1)
	}
	return nil
}
