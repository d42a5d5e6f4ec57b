package reception

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"vedetta/wire/dc09"
)

// packetBuffer is what the kernel may keep of datagrams that were not read yet: in a
// flood a panel's waits behind others, and is lost when there is no room. The
// kernel's own bound (net.core.rmem_max) may be lower.
const packetBuffer = 4 << 20

// datagrams takes one frame per datagram until the socket is closed, and waits for
// the frames in work. What is no frame is dropped here, without a goroutine and
// without an answer.
func (s *session) datagrams(stop context.Context, one socket) error {
	frames := s.metrics.frames.WithLabelValues(one.listener, UDP)
	slots := make(chan struct{}, s.cfg.Datagrams)
	port := newPort(one.packet)
	var g sync.WaitGroup
	defer one.packet.Close() // after the last answer
	defer g.Wait()
	buf := make([]byte, dc09.MaxFrame+1) // one more, so that a longer one shows as bad
	for {
		d, err := port.read(buf)
		if err != nil {
			switch {
			case s.ended() || stop.Err() != nil || errors.Is(err, net.ErrClosed):
				return nil
			case isTemporary(err):
				pause(stop, time.Millisecond)
				continue
			}
			return fmt.Errorf("reception: listener %s: udp: %w", one.listener, err)
		}
		from := Source{Transport: UDP, Listener: one.listener, Peer: d.peer}
		f, err := dc09.ParseFrame(buf[:d.length])
		if bad, ok := errors.AsType[*dc09.BadFrame](err); ok {
			s.refused(bad, from)
			continue
		}
		frames.Inc()
		select {
		case slots <- struct{}{}:
		default:
			s.metrics.refused.WithLabelValues(reasonDatagrams).Inc()
			continue
		}
		g.Go(func() {
			defer func() { <-slots }()
			s.datagram(port, d, f, from)
		})
	}
}

// datagram has one frame answered. Nothing counts against its source: it may be
// forged.
func (s *session) datagram(p port, d datagram, f dc09.Frame, from Source) {
	at := time.Now()
	v := s.handler.Handle(s.work, f, from)
	if len(v.Answer) > d.length && !v.Known {
		// Who forges a source must not have more sent there than it sends itself.
		s.metrics.refused.WithLabelValues(reasonLonger).Inc()
		v.Answer, v.Word = nil, WordSilence
	}
	if v.acknowledged() {
		s.guests.Acknowledged(d.peer.Addr(), f.Encrypted, at)
	}
	var lost error // like any datagram: the panel asks again
	if len(v.Answer) > 0 {
		lost = p.reply(d, v.Answer)
	}
	s.attempted(Attempt{From: from, Received: at, Frame: f, Verdict: v, Lost: lost})
}

// datagram is where one came from and was sent to.
type datagram struct {
	length  int
	peer    netip.AddrPort // 4-in-6 taken out
	to      netip.AddrPort // as the socket wants it back
	other   net.Addr       // of a socket that is not the kernel's
	control [64]byte       // what the kernel says of it: the address that was asked
	said    int
}

// port reads datagrams and answers each from the address that it was sent to, which
// a socket bound to all addresses doesn't do by itself: behind NAT, or with failover
// addresses, panels take no answer from another.
type port struct {
	conn net.PacketConn
	udp  *net.UDPConn // nil for a socket that is not the kernel's
	all  bool         // bound to all addresses
}

func newPort(conn net.PacketConn) port {
	p := port{conn: conn}
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return p
	}
	p.udp = udp
	udp.SetReadBuffer(packetBuffer)
	at, ok := udp.LocalAddr().(*net.UDPAddr)
	if !ok || !at.IP.IsUnspecified() {
		return p
	}
	if at.IP.To4() != nil {
		p.all = ipv4.NewPacketConn(conn).SetControlMessage(ipv4.FlagDst, true) == nil
	} else {
		p.all = ipv6.NewPacketConn(conn).SetControlMessage(ipv6.FlagDst, true) == nil
	}
	return p
}

// read takes a datagram without making garbage: most of a flood is dropped.
func (p port) read(buf []byte) (d datagram, err error) {
	if p.udp == nil {
		d.length, d.other, err = p.conn.ReadFrom(buf)
		if err == nil {
			d.peer = addrPort(d.other)
		}
		return d, err
	}
	d.length, d.said, _, d.to, err = p.udp.ReadMsgUDPAddrPort(buf, d.control[:])
	d.peer = netip.AddrPortFrom(d.to.Addr().Unmap(), d.to.Port())
	return d, err
}

func (p port) reply(d datagram, answer []byte) error {
	if p.udp == nil {
		_, err := p.conn.WriteTo(answer, d.other)
		return err
	}
	var source []byte
	if p.all {
		source = sourceOf(d.control[:d.said])
	}
	_, _, err := p.udp.WriteMsgUDPAddrPort(answer, source, d.to)
	return err
}

// sourceOf is the control message that sends from the address that was asked. IPv4
// has its own also on a socket for both: x/net's IPv6 message leaves a mapped IPv4
// address out.
func sourceOf(control []byte) []byte {
	var v4 ipv4.ControlMessage
	if v4.Parse(control) == nil && v4.Dst != nil {
		return (&ipv4.ControlMessage{Src: v4.Dst}).Marshal()
	}
	var v6 ipv6.ControlMessage
	if v6.Parse(control) != nil || v6.Dst == nil {
		return nil
	}
	if ip := v6.Dst.To4(); ip != nil {
		return (&ipv4.ControlMessage{Src: ip}).Marshal()
	}
	return (&ipv6.ControlMessage{Src: v6.Dst}).Marshal()
}
