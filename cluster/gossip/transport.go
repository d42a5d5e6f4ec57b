package gossip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"vedetta/cluster/env"
)

const (
	maxPacket  = 2048 // memberlist sends at most 1400 bytes and the seal
	maxStreams = 16   // connections at once; each ends by memberlist's own time-out
)

// transport carries memberlist's packets and streams. In place of memberlist's
// own: that one resolves names by itself, takes 64 KiB a packet, asks the
// machine for a private address, and sends to whatever address was gossiped.
type transport struct {
	net   env.Net
	ctx   context.Context // of the session: cuts dials
	route func(memberlist.Address) (netip.AddrPort, bool)

	udp     net.PacketConn
	tcp     net.Listener
	packets chan *memberlist.Packet
	streams chan net.Conn
	slots   chan struct{}
	done    chan struct{}
	stop    sync.Once
	wg      sync.WaitGroup
}

var _ memberlist.NodeAwareTransport = (*transport)(nil)

func listen(ctx context.Context, n env.Net, address string, route func(memberlist.Address) (netip.AddrPort, bool)) (*transport, error) {
	tcp, err := n.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("gossip: listen on TCP %s: %w", address, err)
	}
	udp, err := n.ListenPacket(ctx, "udp", tcp.Addr().String())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("gossip: listen on UDP %s: %w", address, err), tcp.Close())
	}
	t := &transport{
		net: n, ctx: ctx, route: route, udp: udp, tcp: tcp,
		packets: make(chan *memberlist.Packet), streams: make(chan net.Conn),
		slots: make(chan struct{}, maxStreams), done: make(chan struct{}),
	}
	t.wg.Go(t.readPackets)
	t.wg.Go(t.accept)
	return t, nil
}

func (t *transport) readPackets() {
	var b [maxPacket]byte
	for {
		n, from, err := t.udp.ReadFrom(b[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || n == 0 {
			continue // an ICMP of an earlier packet
		}
		select {
		case t.packets <- &memberlist.Packet{Buf: append([]byte(nil), b[:n]...), From: from, Timestamp: time.Now()}:
		case <-t.done:
			return
		}
	}
}

func (t *transport) accept() {
	for {
		c, err := t.tcp.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of files, say: the node needs what is left more than we do.
			select {
			case <-time.After(time.Second):
				continue
			case <-t.done:
				return
			}
		}
		select {
		case t.slots <- struct{}{}:
		default:
			_ = c.Close()
			continue
		}
		held := &slotted{Conn: c, slots: t.slots}
		select {
		case t.streams <- held:
		case <-t.done:
			_ = held.Close()
			return
		}
	}
}

// slotted gives its slot back when it is closed.
type slotted struct {
	net.Conn
	slots chan struct{}
	once  sync.Once
}

func (s *slotted) Close() error {
	s.once.Do(func() { <-s.slots })
	return s.Conn.Close()
}

// FinalAdvertiseAddr is only for others to print: nobody sends to it.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	a, err := netip.ParseAddrPort(t.tcp.Addr().String())
	if err != nil {
		return nil, 0, fmt.Errorf("gossip: own address: %w", err)
	}
	return net.IP(a.Addr().Unmap().AsSlice()), int(a.Port()), nil
}

// WriteToAddress sends one packet to a configured node.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	to, ok := t.route(a)
	if !ok {
		return time.Time{}, fmt.Errorf("%s is no configured node, or its name isn't resolved", a.String())
	}
	_, err := t.udp.WriteTo(b, net.UDPAddrFromAddrPort(to))
	return time.Now(), err
}

// WriteTo is WriteToAddress without a name.
func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

// DialAddressTimeout connects to a configured node.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	to, ok := t.route(a)
	if !ok {
		return nil, fmt.Errorf("%s is no configured node, or its name isn't resolved", a.String())
	}
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	return t.net.DialContext(ctx, "tcp", to.String())
}

// DialTimeout is DialAddressTimeout without a name.
func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }
func (t *transport) StreamCh() <-chan net.Conn           { return t.streams }

// Shutdown closes the sockets and waits for their readers.
func (t *transport) Shutdown() error {
	t.stop.Do(func() {
		close(t.done)
		_ = t.tcp.Close() // closing is all that is wanted of them
		_ = t.udp.Close()
	})
	t.wg.Wait()
	return nil
}
