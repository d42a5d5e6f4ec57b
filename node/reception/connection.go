package reception

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"vedetta/node/strangers"
	"vedetta/wire/dc09"
)

// Limits of taking leave: FIN needs an empty receive buffer, else the kernel sends
// RST, and a panel may lose the answer before it.
const (
	leaveTime  = time.Second
	leaveBytes = 64 << 10
)

// connection serves one panel until it closes, is silent for too long, or hangUp.
func (s *session) connection(c net.Conn, guest *strangers.Guest, from Source) {
	defer c.Close()
	if !s.add(c) {
		return
	}
	defer s.remove(c)
	gauge := s.metrics.connections.WithLabelValues(from.Listener, from.Transport)
	gauge.Inc()
	defer gauge.Dec()
	v := visit{session: s, c: c, guest: guest, from: from}
	if from.Transport == TLSTransport {
		if v.c = s.handshake(c, guest, from); v.c == nil {
			return
		}
	}
	defer v.release()
	if v.serve() {
		s.leave(v.c)
	}
}

// visit is one connection at work.
type visit struct {
	*session
	c      net.Conn
	guest  *strangers.Guest
	from   Source
	cut    dc09.Cutter
	held   int       // bytes of cut's buffer, as counted in buffered
	begun  time.Time // of the frame that isn't whole yet
	frames int

	readBy, writeBy time.Time // deadlines as they are set
}

// serve answers frames; true when the connection is to end by our FIN.
func (v *visit) serve() (leave bool) {
	count := v.metrics.frames.WithLabelValues(v.from.Listener, v.from.Transport)
	for {
		// A panel that polls would have its deadline moved with each frame: within
		// a sixteenth of its time the old one stands. It is hangUp's then, too.
		if end := v.deadline(); v.readBy.After(end) || end.Sub(v.readBy) > v.cfg.IdleTime/16 {
			if !v.session.setReadDeadline(v.c, end) {
				return true
			}
			v.readBy = end
		}
		space := v.cut.Space()
		if !v.mayHold(v.cut.Size()) {
			return true
		}
		n, err := v.c.Read(space)
		v.cut.Advance(n)
		whole := false // a frame ended in these bytes
		for n > 0 {
			f, more := v.cut.Next()
			if more == nil {
				whole = true
				v.frames++
				count.Inc()
				if !v.frame(f) {
					return false
				}
				continue
			}
			if errors.Is(more, dc09.ErrMore) {
				break
			}
			whole = true
			if !v.bad(more) {
				return true
			}
		}
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				v.late(time.Now())
			}
			return !errors.Is(err, io.EOF)
		}
		switch {
		case !v.cut.Pending():
			v.begun = time.Time{}
		case whole || v.begun.IsZero():
			v.begun = time.Now()
		}
	}
}

// deadline of the next byte.
func (v *visit) deadline() time.Time {
	end := v.guest.Entered().Add(v.cfg.StrangerTime)
	if v.guest.Proven() {
		end = time.Now().Add(v.cfg.IdleTime)
	}
	if !v.begun.IsZero() {
		if frame := v.begun.Add(v.cfg.FrameTime); frame.Before(end) {
			return frame
		}
	}
	return end
}

// late counts why the time was over.
func (v *visit) late(now time.Time) {
	switch {
	case v.ended():
	case !v.begun.IsZero():
		v.turnedAway(reasonFrameTime, v.from)
		v.offend(strangers.HalfFrame, now)
	case v.guest.Proven() || v.frames > 0:
	default:
		v.turnedAway(reasonMute, v.from)
		v.offend(strangers.Mute, now)
	}
}

// frame has one frame answered; false when the panel can't be reached.
func (v *visit) frame(f dc09.Frame) bool {
	at := time.Now()
	is := v.handler.Handle(v.work, f, v.from)
	switch {
	case is.Known:
		v.guests.Prove(v.guest, is.Panel, is.acknowledged(), at)
	default:
		if o := offenceOf(is); o != "" {
			v.offend(o, at)
		}
	}
	lost := v.answer(is.Answer)
	v.attempted(Attempt{From: v.from, Received: at, Frame: f, Verdict: is, Lost: lost})
	return lost == nil
}

// offenceOf is what a frame that was not a known panel's counts as; empty: nothing.
func offenceOf(v Verdict) strangers.Offence {
	switch v.Reason {
	case dc09.ReasonUnknown, dc09.ReasonUnknownFlood:
		return strangers.Unknown
	case dc09.ReasonUndecryptable, dc09.ReasonPlain:
		return strangers.BadKey
	case dc09.ReasonNotAMessage:
		return strangers.BadFrame
	}
	return ""
}

// bad counts bytes that were no frame; false when the connection is to end.
func (v *visit) bad(err error) bool {
	bad, ok := errors.AsType[*dc09.BadFrame](err)
	if !ok {
		return true
	}
	v.session.refused(bad, v.from)
	o := strangers.BadFrame
	switch bad.Reason {
	case dc09.ReasonForeign:
		o = strangers.Foreign
	case dc09.ReasonGarbage, dc09.ReasonOversize:
		o = strangers.Garbage
	}
	return !v.offend(o, time.Now()) && !bad.Hopeless()
}

func (v *visit) offend(o strangers.Offence, now time.Time) bool {
	return v.session.offend(v.guest, v.from, o, now)
}

// offend counts against the guest's network; true when it is banned from now on.
func (s *session) offend(g *strangers.Guest, from Source, o strangers.Offence, now time.Time) bool {
	if !s.guests.Offend(g, o, now) {
		return false
	}
	s.metrics.bans.WithLabelValues(string(o)).Inc()
	// Whose address it is stands in the list of bans, not here: it is personal data.
	s.env.Log.Info("an address is banned; see vedettactl bans list", "why", string(o), "listener", from.Listener)
	return true
}

// mayHold counts the buffer; false when a stranger would make the buffers of all
// too big.
func (v *visit) mayHold(size int) bool {
	if size == v.held {
		return true
	}
	all := v.buffered.Add(int64(size - v.held))
	grown := size > v.held
	v.held = size
	if grown && all > v.cfg.Buffered && !v.guest.Proven() {
		v.turnedAway(reasonBuffered, v.from)
		return false
	}
	return true
}

func (v *visit) release() { v.buffered.Add(-int64(v.held)) }

// handshake makes a TLS connection; nil when the other side doesn't.
func (s *session) handshake(c net.Conn, guest *strangers.Guest, from Source) net.Conn {
	now := time.Now()
	if !s.guests.Handshake(from.Peer.Addr(), now) {
		s.turnedAway(reasonHandshakes, from)
		reset(c)
		return nil
	}
	ctx, cancel := context.WithTimeout(s.work, s.cfg.TLS.HandshakeTime)
	defer cancel()
	t := tls.Server(c, s.certs.current())
	err := t.HandshakeContext(ctx)
	if err == nil {
		return t
	}
	var plain tls.RecordHeaderError
	switch {
	case s.ended():
	case errors.As(err, &plain) && plain.Conn != nil:
		// Not TLS at all: a scanner, or a panel that was given the wrong port.
		s.refused(&dc09.BadFrame{Reason: dc09.ReasonForeign, Detail: notTLS}, from)
		s.offend(guest, from, strangers.Foreign, time.Now())
	case errors.Is(err, context.DeadlineExceeded):
		s.turnedAway(reasonHandshakeTime, from)
		s.offend(guest, from, strangers.Handshake, time.Now())
	default:
		// A panel that doesn't trust us, or speaks only older versions, comes here too.
		s.turnedAway(reasonHandshake, from)
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // without the address, which is personal data
		}
		s.env.Log.Debug("no TLS", "listener", from.Listener, "error", err)
		s.offend(guest, from, strangers.BadFrame, time.Now())
	}
	return nil
}

// answer writes it, if there is one, within half to the whole of WriteTime; an
// error when the panel can't be reached.
func (v *visit) answer(answer []byte) error {
	if len(answer) == 0 {
		return nil
	}
	if now := time.Now(); v.writeBy.Sub(now) < v.cfg.WriteTime/2 {
		v.writeBy = now.Add(v.cfg.WriteTime)
		if err := v.c.SetWriteDeadline(v.writeBy); err != nil {
			return err
		}
	}
	_, err := v.c.Write(answer)
	return err
}

// turnedAway counts a connection that was let go without a frame.
func (s *session) turnedAway(reason dc09.Reason, from Source) {
	s.metrics.refused.WithLabelValues(string(reason)).Inc()
	s.attempted(Attempt{From: from, Received: time.Now(), Bad: &dc09.BadFrame{Reason: reason}, Verdict: Verdict{Word: WordSilence, Reason: reason}})
}

// refused counts bytes that were no frame.
func (s *session) refused(bad *dc09.BadFrame, from Source) {
	s.metrics.refused.WithLabelValues(string(bad.Reason)).Inc()
	if bad.Reason == dc09.ReasonForeign || slices.Contains(panelProtocols(), bad.Detail) {
		s.metrics.foreign.WithLabelValues(bad.Detail).Inc()
		s.foreign.saw(bad.Detail, from.Listener, time.Now(), s.env.Log)
	}
	s.attempted(Attempt{From: from, Received: time.Now(), Bad: bad, Verdict: badVerdict(bad)})
}

// leave closes by FIN: what the panel has still sent is read and thrown away.
func (s *session) leave(c net.Conn) {
	half, ok := c.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	raw := c
	if t, ok := c.(*tls.Conn); ok {
		if raw = t.NetConn(); raw != nil {
			if tcp, ok := raw.(*net.TCPConn); ok {
				tcp.CloseWrite()
			}
		}
	}
	if raw.SetReadDeadline(time.Now().Add(leaveTime)) == nil {
		io.CopyN(io.Discard, raw, leaveBytes)
	}
}
