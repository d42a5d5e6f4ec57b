package daemon

import (
	"net/http/httptest"
	"testing"
)

func TestFromThisMachine(t *testing.T) {
	for _, c := range []struct {
		peer, host, forwarded string
		want                  bool
	}{
		{"127.0.0.1:4", "127.0.0.1:7713", "", true}, {"127.0.0.9:4", "localhost:7713", "", true}, {"[::1]:4", "[::1]:7713", "", true}, {"[::1]:4", "[::1]", "", true},
		{"[::ffff:127.0.0.1]:4", "LOCALHOST.", "", true}, {"127.0.0.1:4", "node.localhost", "", true}, {"127.0.0.1:4", "", "", true},
		{"127.0.0.1:4", "192.0.2.1:7713", "", true}, // asked by an own address: no name that leads elsewhere
		{"127.0.0.1:4", "evil.example:7713", "", false}, {"127.0.0.1:4", "evil.example", "", false}, {"127.0.0.1:4", "127.0.0.1.evil.example", "", false},
		{"127.0.0.1:4", "localhost.evil.example:7713", "", false}, {"127.0.0.1:4", "evillocalhost", "", false},
		{"127.0.0.1:4", "localhost", "192.0.2.9", false}, {"192.0.2.9:4", "localhost", "", false}, {"", "localhost", "", false},
	} {
		r := httptest.NewRequest("GET", "/status", nil)
		r.RemoteAddr, r.Host = c.peer, c.host
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := FromThisMachine(r); got != c.want {
			t.Errorf("from %q to %q by %q: %v, want %v", c.peer, c.host, c.forwarded, got, c.want)
		}
	}
}
