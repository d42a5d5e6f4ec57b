package strangers

import (
	"net/netip"
	"time"
)

// Config of the limits. Zero means the default of each field.
type Config struct {
	Connections int            // open at once, in all; 50,000
	PerNetwork  int            // open at once per network that have not shown a known account; 500
	NeverBan    []netip.Prefix // are not banned, and PerNetwork doesn't hold for them
	First       time.Duration  // length of the first ban; 1m
	Longest     time.Duration  // of any ban; 24h
	Forget      time.Duration  // without another ban, until one step is forgiven; 24h
	KnownFor    time.Duration  // a network counts as known after a panel's acknowledgement; 24h. The address is forgotten within twice that
	Lenient     time.Duration  // after Start nobody is banned, unless another node knows; 10m
	Held        int            // messages of unknown accounts kept per second that came over connections; 100
	HeldUDP     int            // the same for datagrams, whose sources may be forged; 10
	Handshakes  int            // TLS handshakes per second with networks that are not known; 200. Each known one has five times as many for itself
}

func (c Config) withDefaults() Config {
	for n, value := range map[*int]int{&c.Connections: 50_000, &c.PerNetwork: 500, &c.Held: 100, &c.HeldUDP: 10, &c.Handshakes: 200} {
		if *n == 0 {
			*n = value
		}
	}
	for d, value := range map[*time.Duration]time.Duration{
		&c.First: time.Minute, &c.Longest: 24 * time.Hour, &c.Forget: 24 * time.Hour, &c.KnownFor: 24 * time.Hour, &c.Lenient: 10 * time.Minute,
	} {
		if *d == 0 {
			*d = value
		}
	}
	return c
}

// Limits that bound memory; nobody needs to set them.
const (
	maxNetworks = 1 << 16 // with a record: open strangers, points or a ban
	maxKnown    = 1 << 20 // known networks in each of two generations that may be forged; twice as many with those that are not. Others are not noted
	maxNews     = 1 << 16 // that other nodes can be told one by one
	maxTold     = 1 << 21 // known networks that another node is told at once
)
