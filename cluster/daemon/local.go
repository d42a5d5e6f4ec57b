package daemon

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// FromThisMachine tells whether a request was made on this machine by somebody
// who meant it: from loopback, not passed on by a proxy, and to a name that is
// this machine's. Else any page in a browser here could ask under a name of its
// own that leads to loopback (DNS rebinding), and read the answer.
func FromThisMachine(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	return ownHost(r.Host)
}

// ownHost tells whether a Host header can't be a stranger's name: an address,
// localhost, or none, as no browser sends.
func ownHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "" || host == "localhost" || strings.HasSuffix(host, ".localhost")
}
