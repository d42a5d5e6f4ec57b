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
	Listeners   []Listener    `koanf:"listeners"`
	IdleTime    time.Duration `koanf:"idle_time"`       // a connection without a frame is closed after it; 10m. Panels close, not we
	FrameTime   time.Duration `koanf:"frame_time"`      // from a frame's first byte to its last; 10s
	WriteTime   time.Duration `koanf:"write_time"`      // for one answer; 10s
	Drain       time.Duration `koanf:"drain"`           // for frames in work when the listeners close; 5s
	Connections int           `koanf:"max_connections"` // open at once, all listeners together; 50000
	Datagrams   int           `koanf:"max_datagrams"`   // in work at once, per listener; 4096
	BindRetry   time.Duration `koanf:"bind_retry"`      // between attempts to listen again; 1s
}

// Listener is a named port; TCP and UDP share its number.
type Listener struct {
	Name    string `koanf:"name"`    // unique; "main" where panels don't say otherwise
	Address string `koanf:"address"` // host:port; an empty host is all addresses, port 0 a free one
}

// Validate says which key is wrong and what was expected.
func (c Config) Validate() error {
	if len(c.Listeners) == 0 {
		return errors.New("reception.listeners: empty, want at least one {name, address}")
	}
	seen := make(map[string]bool)
	for i, l := range c.Listeners {
		key := fmt.Sprintf("reception.listeners[%d]", i)
		if l.Name == "" || seen[l.Name] {
			return fmt.Errorf("%s.name: %q, want a name that no other listener has", key, l.Name)
		}
		seen[l.Name] = true
		_, port, err := net.SplitHostPort(l.Address)
		if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
			return fmt.Errorf("%s.address: %q, want host:port", key, l.Address)
		}
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"idle_time", c.IdleTime}, {"frame_time", c.FrameTime}, {"write_time", c.WriteTime}, {"drain", c.Drain}, {"bind_retry", c.BindRetry}} {
		if d.value < 0 {
			return fmt.Errorf("reception.%s: %s, want a positive duration such as 10s", d.key, d.value)
		}
	}
	if c.Connections < 0 || c.Datagrams < 0 {
		return errors.New("reception.max_connections, reception.max_datagrams: want positive numbers")
	}
	return nil
}

func (c Config) withDefaults() Config {
	for d, value := range map[*time.Duration]time.Duration{
		&c.IdleTime: 10 * time.Minute, &c.FrameTime: 10 * time.Second, &c.WriteTime: 10 * time.Second,
		&c.Drain: 5 * time.Second, &c.BindRetry: time.Second,
	} {
		if *d == 0 {
			*d = value
		}
	}
	if c.Connections == 0 {
		c.Connections = 50_000
	}
	if c.Datagrams == 0 {
		c.Datagrams = 4096
	}
	return c
}
