package reception

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Config of the reception. Zero means the default of each field.
type Config struct {
	Listeners    []Listener
	TLS          TLS           // for the listeners that have a TLS address
	IdleTime     time.Duration // a panel's connection without a frame is closed after it; 10m. Panels close, not we
	StrangerTime time.Duration // for a connection to show a known account; 2m
	FrameTime    time.Duration // from a frame's first byte to its last; 10s
	WriteTime    time.Duration // for one answer; 10s
	Drain        time.Duration // for frames in work when the listeners close; 5s
	Buffered     int64         // bytes that connections without a known account may make all buffers grow to; 64 MiB
	Datagrams    int           // in work at once, per listener; 4096
	BindRetry    time.Duration // between attempts to listen again; 1s
}

// Listener is a named set of ports. Each address is host:port, an empty host is all
// addresses, port 0 a free one; TCP and UDP with the same address share its port. An
// empty address is not listened on.
type Listener struct {
	Name string // unique; "main" where panels don't say otherwise
	TCP  string
	UDP  string
	TLS  string
}

// addresses by transport, in the order in which they are bound.
func (l Listener) addresses() []struct{ transport, address string } {
	return []struct{ transport, address string }{{TCP, l.TCP}, {UDP, l.UDP}, {TLSTransport, l.TLS}}
}

// Validate says which key is wrong and what was expected.
func (c Config) Validate() error {
	if len(c.Listeners) == 0 {
		return errors.New("reception.listeners: empty, want at least one")
	}
	seen := make(map[string]bool)
	for i, l := range c.Listeners {
		key := fmt.Sprintf("reception.listeners[%d]", i)
		if l.Name == "" || seen[l.Name] {
			return fmt.Errorf("%s.name: %q, want a name that no other listener has", key, l.Name)
		}
		seen[l.Name] = true
		if l.TCP+l.UDP+l.TLS == "" {
			return fmt.Errorf("%s: no address, want address, tcp, udp or tls", key)
		}
		for _, a := range l.addresses() {
			if a.address == "" {
				continue
			}
			_, port, err := net.SplitHostPort(a.address)
			if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
				return fmt.Errorf("%s.%s: %q, want host:port", key, a.transport, a.address)
			}
		}
		if l.TLS != "" && len(c.TLS.Certificates) == 0 {
			return fmt.Errorf("reception.tls.certificates: empty, want cert_file and key_file, since listener %s has a TLS address", l.Name)
		}
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"idle_time", c.IdleTime}, {"stranger_time", c.StrangerTime}, {"frame_time", c.FrameTime}, {"write_time", c.WriteTime},
		{"drain", c.Drain}, {"bind_retry", c.BindRetry}, {"handshake_time", c.TLS.HandshakeTime}} {
		if d.value < 0 {
			return fmt.Errorf("reception.%s: %s, want a positive duration such as 10s", d.key, d.value)
		}
	}
	if c.Buffered < 0 || c.Datagrams < 0 {
		return errors.New("reception.buffered_bytes, reception.datagrams: want positive numbers")
	}
	_, err := c.TLS.version()
	return err
}

func (c Config) withDefaults() Config {
	for d, value := range map[*time.Duration]time.Duration{
		&c.IdleTime: 10 * time.Minute, &c.StrangerTime: 2 * time.Minute, &c.FrameTime: 10 * time.Second, &c.WriteTime: 10 * time.Second,
		&c.Drain: 5 * time.Second, &c.BindRetry: time.Second, &c.TLS.HandshakeTime: 10 * time.Second,
	} {
		if *d == 0 {
			*d = value
		}
	}
	if c.Buffered == 0 {
		c.Buffered = 64 << 20
	}
	if c.Datagrams == 0 {
		c.Datagrams = 4096
	}
	if c.TLS.MinVersion == "" {
		c.TLS.MinVersion = "1.2"
	}
	return c
}
