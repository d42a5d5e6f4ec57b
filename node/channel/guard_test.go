package channel

import (
	"errors"
	"net"
	"strings"
	"testing"
)

func TestGuardRefusesInwardAddresses(t *testing.T) {
	for _, a := range []string{
		"127.0.0.1:80", "10.1.2.3:443", "172.31.0.1:443", "192.168.1.1:443", "169.254.169.254:80", "100.64.0.1:443", "0.0.0.0:80", "224.0.0.1:80",
		"255.255.255.255:80", "198.18.0.1:80", "[::1]:80", "[::]:80", "[fe80::1%eth0]:80", "[fc00::1]:80", "[fd12::1]:80", "[ff02::1]:80",
		"[::ffff:127.0.0.1]:80", "[64:ff9b::7f00:1]:80", "[2002:7f00:1::]:80", "[2001:db8::1]:80", "localhost:80", "",
	} {
		if err := Guard(false)("tcp", a, nil); !errors.Is(err, ErrForbiddenAddress) {
			t.Errorf("%s: %v, want it refused", a, err)
		} else if a != "" && strings.Contains(err.Error(), a) {
			t.Errorf("%s: the error tells the address", a)
		}
	}
	for _, a := range []string{"127.0.0.1:80", "[::1]:80", "10.1.2.3:443", "192.168.1.1:443", "[fd12::1]:80"} {
		if err := Guard(true)("tcp", a, nil); err != nil {
			t.Errorf("%s with allow_private: %v", a, err)
		}
	}
	for _, a := range []string{"169.254.169.254:80", "[fe80::1%eth0]:80", "[ff02::1]:80", "0.0.0.0:80", "224.0.0.1:80", ""} {
		if err := Guard(true)("tcp", a, nil); !errors.Is(err, ErrForbiddenAddress) {
			t.Errorf("%s with allow_private: %v, want it refused all the same", a, err)
		}
	}
	for _, a := range []string{"93.184.216.34:443", "[2a00:1450:4002::200e]:443", "172.32.0.1:80", "100.128.0.1:80"} {
		if err := Guard(false)("tcp", a, nil); err != nil {
			t.Errorf("%s: %v, want it allowed", a, err)
		}
	}
}

func TestGuardStandsBehindTheResolver(t *testing.T) {
	d := net.Dialer{Control: Guard(false)}
	if c, err := d.Dial("tcp", "localhost:1"); !errors.Is(err, ErrForbiddenAddress) {
		t.Errorf("a name that points inwards was dialed: %v, %v", c, err)
	}
}

func TestReferencesAreClipped(t *testing.T) {
	if got := clip("a\r\nb\x00" + strings.Repeat("x", 500)); len(got) != maxRef || strings.ContainsAny(got, "\r\n\x00") {
		t.Errorf("clip gave %d bytes: %q", len(got), got[:10])
	}
}
