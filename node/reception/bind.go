package reception

import (
	"context"
	"fmt"
	"net"
	"net/netip"
)

// socket is one listener's pair.
type socket struct {
	name   string
	stream net.Listener
	packet net.PacketConn
}

type sockets []socket

func (s sockets) close() {
	for _, one := range s {
		one.stream.Close()
		one.packet.Close()
	}
}

func (s sockets) names() []string {
	var names []string
	for _, one := range s {
		names = append(names, one.name+"="+one.stream.Addr().String())
	}
	return names
}

// bind opens every listener, or none.
func (r *Reception) bind(ctx context.Context) (sockets, error) {
	var all sockets
	for _, l := range r.cfg.Listeners {
		one, err := r.bindOne(ctx, l)
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, one)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range all {
		if at, err := netip.ParseAddrPort(one.stream.Addr().String()); err == nil {
			r.bound[one.name] = at
		}
	}
	return all, nil
}

// bindOne takes a listener's TCP port and the UDP port of the same number. A free
// port (0) is taken once and kept over a closure.
func (r *Reception) bindOne(ctx context.Context, l Listener) (socket, error) {
	host, port, err := net.SplitHostPort(l.Address)
	if err != nil {
		return socket{}, fmt.Errorf("reception: listener %s: address %s: %w", l.Name, l.Address, err)
	}
	address, free := l.Address, port == "0"
	if at := r.Address(l.Name); free && at.IsValid() {
		address, free = net.JoinHostPort(host, fmt.Sprint(at.Port())), false
	}
	const attempts = 10 // a free TCP port may be taken for UDP
	for n := 1; ; n++ {
		stream, err := r.env.Net.Listen(ctx, "tcp", address)
		if err != nil {
			return socket{}, fmt.Errorf("reception: listener %s: cannot listen on TCP %s: %w", l.Name, address, err)
		}
		_, port, _ := net.SplitHostPort(stream.Addr().String())
		packet, err := r.env.Net.ListenPacket(ctx, "udp", net.JoinHostPort(host, port))
		if err == nil {
			return socket{name: l.Name, stream: stream, packet: packet}, nil
		}
		stream.Close()
		if !free || n == attempts {
			return socket{}, fmt.Errorf("reception: listener %s: cannot listen on UDP %s: %w", l.Name, address, err)
		}
	}
}
