package reception

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"vedetta/wire/dc09"
)

// datagrams takes one frame per datagram until the socket is closed, and waits for
// the frames in work.
func (s *session) datagrams(stop context.Context, one socket) error {
	frames := s.metrics.frames.WithLabelValues(one.name, UDP)
	slots := make(chan struct{}, s.cfg.Datagrams)
	port := newPort(one.packet)
	var g sync.WaitGroup
	defer one.packet.Close() // after the last answer
	defer g.Wait()
	buf := make([]byte, dc09.MaxFrame+1) // one more, so that a longer one shows as bad
	for {
		n, peer, reply, err := port.read(buf)
		if err != nil {
			switch {
			case s.ended() || stop.Err() != nil || errors.Is(err, net.ErrClosed):
				return nil
			case isTemporary(err):
				pause(stop, time.Millisecond)
				continue
			}
			return fmt.Errorf("reception: listener %s: UDP: %w", one.name, err)
		}
		from := Source{Transport: UDP, Listener: one.name, Peer: addrPort(peer)}
		f, bad := dc09.ParseFrame(buf[:n])
		if bad != nil {
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
			at := time.Now()
			v := s.handler.Handle(s.work, f, from)
			var lost error // like any datagram: the panel asks again
			if len(v.Answer) > 0 {
				lost = reply(v.Answer)
			}
			s.attempted(Attempt{From: from, Received: at, Frame: f, Verdict: v, Lost: lost})
		})
	}
}

// port reads datagrams and answers each from the address that it was sent to, which
// a socket bound to all addresses doesn't do by itself: behind NAT, or with failover
// addresses, panels take no answer from another.
type port struct {
	conn net.PacketConn
	udp  *net.UDPConn     // nil unless bound to all addresses
	v4   *ipv4.PacketConn // of an IPv4 socket
	v6   *ipv6.PacketConn // of a socket for both
}

func newPort(conn net.PacketConn) port {
	p := port{conn: conn}
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return p
	}
	at, ok := udp.LocalAddr().(*net.UDPAddr)
	if !ok || !at.IP.IsUnspecified() {
		return p
	}
	if at.IP.To4() != nil {
		if v4 := ipv4.NewPacketConn(conn); v4.SetControlMessage(ipv4.FlagDst, true) == nil {
			p.udp, p.v4 = udp, v4
		}
	} else if v6 := ipv6.NewPacketConn(conn); v6.SetControlMessage(ipv6.FlagDst, true) == nil {
		p.udp, p.v6 = udp, v6
	}
	return p
}

// read returns a datagram and what answers it.
func (p port) read(buf []byte) (n int, peer net.Addr, reply func([]byte) error, err error) {
	var asked net.IP
	switch {
	case p.v4 != nil:
		var cm *ipv4.ControlMessage
		if n, cm, peer, err = p.v4.ReadFrom(buf); cm != nil {
			asked = cm.Dst
		}
	case p.v6 != nil:
		var cm *ipv6.ControlMessage
		if n, cm, peer, err = p.v6.ReadFrom(buf); cm != nil {
			asked = cm.Dst
		}
	default:
		n, peer, err = p.conn.ReadFrom(buf)
	}
	to, ok := peer.(*net.UDPAddr)
	if asked == nil || !ok {
		return n, peer, func(b []byte) error { _, err := p.conn.WriteTo(b, peer); return err }, err
	}
	return n, peer, func(b []byte) error { _, _, err := p.udp.WriteMsgUDP(b, sourceOf(asked), to); return err }, err
}

// sourceOf is the control message that sends from ip. IPv4 has its own also on a
// socket for both: x/net's IPv6 message leaves a mapped IPv4 address out.
func sourceOf(ip net.IP) []byte {
	if v4 := ip.To4(); v4 != nil {
		return (&ipv4.ControlMessage{Src: v4}).Marshal()
	}
	return (&ipv6.ControlMessage{Src: ip}).Marshal()
}
