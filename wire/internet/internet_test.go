package internet

import (
	"net/netip"
	"testing"
)

func TestPublic(t *testing.T) {
	for _, a := range []string{"127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "198.18.0.1",
		"::1", "::", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1"} {
		if Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is public", a)
		}
	}
	for _, a := range []string{"93.184.216.34", "2a00:1450:4002::200e", "172.32.0.1", "100.128.0.1", "::ffff:93.184.216.34"} {
		if !Public(netip.MustParseAddr(a)) {
			t.Errorf("%s is not public", a)
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestNever(t *testing.T) {
	for _, a := range []string{"169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "::ffff:169.254.169.254"} {
		if !Never(netip.MustParseAddr(a)) {
			t.Errorf("%s may be called", a)
		}
	}
	for _, a := range []string{"127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "fd12::1", "93.184.216.34", "2a00:1450:4002::200e"} {
		if Never(netip.MustParseAddr(a)) {
			t.Errorf("%s may not be called", a)
		}
	}
	if !Never(netip.Addr{}) {
		t.Error("no address may be called")
	}
}
