package reception

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// isTemporary tells that the socket itself is good and may be used again.
func isTemporary(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.ECONNREFUSED, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// addrPort is the address of a TCP or UDP peer, 4-in-6 taken out; the zero
// value for others, as pipes in tests.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.TCPAddr:
		ap = a.AddrPort()
	case *net.UDPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
