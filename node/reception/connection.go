package reception

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"vedetta/wire/dc09"
)

// Limits of taking leave: FIN needs an empty receive buffer, else the kernel sends
// RST, and a panel may lose the answer before it.
const (
	leaveTime  = time.Second
	leaveBytes = 64 << 10
)

// connection serves one panel until it closes, is silent for too long, or hangUp.
func (s *session) connection(c net.Conn, listener string) {
	defer c.Close()
	if !s.add(c) {
		return
	}
	defer s.remove(c)
	gauge := s.metrics.connections.WithLabelValues(listener)
	gauge.Inc()
	defer gauge.Dec()
	frames := s.metrics.frames.WithLabelValues(listener, TCP)
	from := Source{Transport: TCP, Listener: listener, Peer: addrPort(c.RemoteAddr())}

	var cut dc09.Cutter
	var begun time.Time // of the frame that isn't whole yet
	for {
		deadline := time.Now().Add(s.cfg.IdleTime)
		if !begun.IsZero() {
			deadline = begun.Add(s.cfg.FrameTime)
		}
		if !s.setReadDeadline(c, deadline) {
			s.leave(c)
			return
		}
		n, err := c.Read(cut.Space())
		cut.Advance(n)
		whole := false // a frame ended in these bytes
		for n > 0 {
			f, more := cut.Next()
			if more == nil {
				whole = true
				frames.Inc()
				at := time.Now()
				v := s.handler.Handle(s.work, f, from)
				lost := s.answer(c, v.Answer)
				s.attempted(Attempt{From: from, Received: at, Frame: f, Verdict: v, Lost: lost})
				if lost != nil {
					return
				}
				continue
			}
			if errors.Is(more, dc09.ErrMore) {
				break
			}
			whole = true
			if !s.refused(more, from) {
				s.leave(c)
				return
			}
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && !begun.IsZero() && !time.Now().Before(begun.Add(s.cfg.FrameTime)) {
				s.metrics.refused.WithLabelValues(reasonFrameTime).Inc()
			}
			if !errors.Is(err, io.EOF) {
				s.leave(c)
			}
			return
		}
		switch {
		case !cut.Pending():
			begun = time.Time{}
		case whole || begun.IsZero():
			begun = time.Now()
		}
	}
}

// answer writes it, if there is one; an error when the panel can't be reached.
func (s *session) answer(c net.Conn, answer []byte) error {
	if len(answer) == 0 {
		return nil
	}
	if err := c.SetWriteDeadline(time.Now().Add(s.cfg.WriteTime)); err != nil {
		return err
	}
	_, err := c.Write(answer)
	return err
}

// refused counts bytes that were no frame; false when the connection is to end.
func (s *session) refused(err error, from Source) bool {
	var bad *dc09.BadFrame
	if !errors.As(err, &bad) {
		return true
	}
	s.metrics.refused.WithLabelValues(string(bad.Reason)).Inc()
	s.attempted(Attempt{From: from, Received: time.Now(), Bad: bad, Verdict: badVerdict(bad)})
	// Debug: strangers come by the thousand. Peer is personal data and stays out.
	s.env.Log.Debug("no frame", "listener", from.Listener, "transport", from.Transport, "reason", string(bad.Reason), "detail", bad.Detail)
	return !bad.Hopeless()
}

// leave closes by FIN: what the panel has still sent is read and thrown away.
func (s *session) leave(c net.Conn) {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	if c.SetReadDeadline(time.Now().Add(leaveTime)) == nil {
		io.CopyN(io.Discard, c, leaveBytes)
	}
}
