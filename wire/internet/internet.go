// Package internet knows which addresses can be a stranger's server on the
// Internet. Central refuses others when they are typed in, the nodes when they
// are dialed, by the same table. It resolves no names and does no I/O.
package internet

import "net/netip"

// Public tells whether ip can be a stranger's server on the Internet.
func Public(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsValid() || ip.Zone() != "" {
		return false
	}
	if ip.Is6() && !globalUnicast6.Contains(ip) {
		return false
	}
	for _, p := range reserved {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// Never tells whether ip is nobody's server anywhere, not even where private
// addresses are allowed: link-local (where clouds keep their secrets),
// multicast, broadcast, unspecified.
func Never(ip netip.Addr) bool {
	ip = ip.Unmap()
	return !ip.IsValid() || ip.Zone() != "" || !ip.IsGlobalUnicast() && !ip.IsLoopback()
}

var globalUnicast6 = netip.MustParsePrefix("2000::/3")

// reserved are the IANA special-purpose networks that are not for strangers.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this host
	netip.MustParsePrefix("10.0.0.0/8"),      // private
	netip.MustParsePrefix("100.64.0.0/10"),   // carrier's NAT
	netip.MustParsePrefix("127.0.0.0/8"),     // loopback
	netip.MustParsePrefix("169.254.0.0/16"),  // link-local, cloud metadata
	netip.MustParsePrefix("172.16.0.0/12"),   // private
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),  // private
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("224.0.0.0/3"),     // multicast, reserved, broadcast
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("2002::/16"),       // 6to4: an IPv4 address inside
	netip.MustParsePrefix("3fff::/20"),       // documentation
}
