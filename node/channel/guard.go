package channel

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"vedetta/wire/internet"
)

// ErrForbiddenAddress is what Guard refuses with.
var ErrForbiddenAddress = errors.New("address is private, loopback or reserved")

// Guard returns the Control hook for dialing addresses that customers typed
// in. It looks at the address after name resolution, so that a name that
// points inwards, or changes its mind, gets nowhere. allowPrivate lifts it for
// private and loopback addresses; link-local ones stay forbidden.
func Guard(allowPrivate bool) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil || internet.Never(ap.Addr()) || !allowPrivate && !internet.Public(ap.Addr()) {
			return fmt.Errorf("dial %s: %w", network, ErrForbiddenAddress) // the address may be personal
		}
		return nil
	}
}
