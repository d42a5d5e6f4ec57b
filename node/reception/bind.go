package reception

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// socket is one listener's port of one transport: a stream or a packet socket.
type socket struct {
	listener, transport string
	stream              net.Listener
	packet              net.PacketConn
}

func (s socket) address() net.Addr {
	if s.stream != nil {
		return s.stream.Addr()
	}
	return s.packet.LocalAddr()
}

type sockets []socket

func (s sockets) close() {
	for _, one := range s {
		if one.stream != nil {
			one.stream.Close()
		} else {
			one.packet.Close()
		}
	}
}

func (s sockets) names() []string {
	var names []string
	for _, one := range s {
		names = append(names, one.listener+"="+one.transport+"://"+one.address().String())
	}
	return names
}

// place is a listener's port of one transport.
type place struct{ listener, transport string }

// bind opens every listener, or none.
func (r *Reception) bind(ctx context.Context) (sockets, error) {
	var all sockets
	for _, l := range r.cfg.Listeners {
		some, err := r.bindListener(ctx, l)
		all = append(all, some...)
		if err != nil {
			all.close()
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range all {
		if at, err := netip.ParseAddrPort(one.address().String()); err == nil {
			r.bound[place{one.listener, one.transport}] = at
		}
	}
	return all, nil
}

func (r *Reception) bindListener(ctx context.Context, l Listener) (all sockets, err error) {
	paired := l.TCP != "" && l.TCP == l.UDP
	if paired {
		if all, err = r.bindPair(ctx, l); err != nil {
			return nil, err
		}
	}
	for _, a := range l.addresses() {
		if a.address == "" || paired && a.transport != TLSTransport {
			continue
		}
		address, _, err := r.address(place{l.Name, a.transport}, a.address)
		if err != nil {
			return all, err
		}
		one := socket{listener: l.Name, transport: a.transport}
		if a.transport == UDP {
			one.packet, err = r.env.Net.ListenPacket(ctx, "udp", address)
		} else {
			one.stream, err = r.env.Net.Listen(ctx, "tcp", address)
		}
		if err != nil {
			return all, fmt.Errorf("reception: listener %s: cannot listen on %s %s: %w", l.Name, a.transport, address, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// address is where to bind: a free port (0) is taken once and kept over a closure.
func (r *Reception) address(p place, address string) (where string, free bool, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", false, fmt.Errorf("reception: listener %s: address %s: %w", p.listener, address, err)
	}
	if port != "0" {
		return address, false, nil
	}
	if at := r.AddressOf(p.listener, p.transport); at.IsValid() {
		return net.JoinHostPort(host, fmt.Sprint(at.Port())), false, nil
	}
	return address, true, nil
}

// bindPair takes a TCP port and the UDP port of the same number.
func (r *Reception) bindPair(ctx context.Context, l Listener) (sockets, error) {
	address, free, err := r.address(place{l.Name, TCP}, l.TCP)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(address)
	const attempts = 10 // a free TCP port may be taken for UDP
	for n := 1; ; n++ {
		stream, err := r.env.Net.Listen(ctx, "tcp", address)
		if err != nil {
			return nil, fmt.Errorf("reception: listener %s: cannot listen on TCP %s: %w", l.Name, address, err)
		}
		_, port, _ := net.SplitHostPort(stream.Addr().String())
		packet, err := r.env.Net.ListenPacket(ctx, "udp", net.JoinHostPort(host, port))
		if err == nil {
			return sockets{{l.Name, TCP, stream, nil}, {l.Name, UDP, nil, packet}}, nil
		}
		stream.Close()
		if !free || n == attempts {
			return nil, fmt.Errorf("reception: listener %s: cannot listen on UDP %s: %w", l.Name, address, err)
		}
	}
}
