package strangers

import (
	"encoding/binary"
	"net/netip"
)

// network is an IPv4 address or the upper half of an IPv6 address. An IPv4 address
// stands in the lower 32 bits: of ::/32, whose /64s it looks like, the Internet uses
// none (RFC 4291, 2.5.2 to 2.5.5).
type network uint64

func networkOf(a netip.Addr) network {
	if a = a.Unmap(); a.Is4() {
		b := a.As4()
		return network(binary.BigEndian.Uint32(b[:]))
	}
	b := a.As16()
	return network(binary.BigEndian.Uint64(b[:8]))
}

func (n network) prefix() netip.Prefix {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(n))
	if n>>32 == 0 && n != 0 {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte(b[4:8])), 32)
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), 64)
}
