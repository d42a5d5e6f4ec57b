package node

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"vedetta/node/reception"
	"vedetta/node/strangers"
)

// ReceptionConfig is where panels report to, and how strangers are met. SIGHUP takes
// over never_ban, limits and bans, and reads the certificates again; another listener
// needs a restart.
type ReceptionConfig struct {
	Listeners []ListenerConfig `koanf:"listeners"`
	NeverBan  []string         `koanf:"never_ban"`       // addresses and networks that are never banned and have no connections_per_address: a monitor's, a proxy's, your own
	Wait      time.Duration    `koanf:"wait"`            // for a majority, then silence; 3s
	Unknown   string           `koanf:"unknown_account"` // what a panel is answered whose account nobody has entered: silence (default), so that it turns to its other receiver; ack once its message is stored; duh, which tells it not to repeat. Encrypted ones get no ack, it would need their key: duh
	TLS       TLSConfig        `koanf:"tls"`
	Limits    LimitsConfig     `koanf:"limits"`
	Bans      BansConfig       `koanf:"bans"`
}

// ListenerConfig is one named set of ports: which one a panel reports to is part of
// which panel it is. Each address is host:port; 0.0.0.0:9000 is all of IPv4, [::]:9000
// IPv6 too.
type ListenerConfig struct {
	Name    string `koanf:"name"`    // main when left out
	Address string `koanf:"address"` // TCP and UDP on the same port
	TCP     string `koanf:"tcp"`     // instead of address: TCP alone, or TCP and UDP on different ports
	UDP     string `koanf:"udp"`
	TLS     string `koanf:"tls"` // besides the others, or alone
}

// TLSConfig is what panels see that encrypt their connection. A certificate's file is
// read again within seconds after it changed, and at SIGHUP.
type TLSConfig struct {
	Certificates  []CertificateConfig `koanf:"certificates"`          // the one for the name that the panel asks for; the first for panels that ask for none
	MinVersion    string              `koanf:"min_version"`           // 1.0, 1.1, 1.2 or 1.3; 1.2. Below it old panels get no connection
	OldCiphers    bool                `koanf:"old_ciphers"`           // RSA key exchange and CBC too; for panels of before about 2015, which also need an RSA certificate
	HandshakeTime time.Duration       `koanf:"handshake_time"`        // 10s
	Handshakes    int                 `koanf:"handshakes_per_second"` // with addresses of no known panel, in all; 200. Each address of known panels has five times as many for itself
}

// CertificateConfig is one certificate for panels.
type CertificateConfig struct {
	CertFile string `koanf:"cert_file"` // PEM, with the chain behind it
	KeyFile  string `koanf:"key_file"`  // PEM, not readable by everybody
}

// LimitsConfig bounds what may be used, by strangers above all.
type LimitsConfig struct {
	Connections   int           `koanf:"connections"`             // open at once, all listeners together; 50000. When all places are taken, a stranger makes room, never a known panel's first 16
	PerAddress    int           `koanf:"connections_per_address"` // that have not shown a known account, per IPv4 address or IPv6 /64; 500
	StrangerTime  time.Duration `koanf:"stranger_time"`           // for a connection to show a known account; 2m
	IdleTime      time.Duration `koanf:"idle_time"`               // a known panel's connection may be silent; 10m
	FrameTime     time.Duration `koanf:"frame_time"`              // from a frame's first byte to its last; 10s
	BufferedBytes int64         `koanf:"buffered_bytes"`          // of all half frames, known panels' excepted; 67108864
	Held          int           `koanf:"held_per_second"`         // messages of unknown accounts that are stored for the operator; 100, ten seconds' worth at once, a tenth of them from one address
	HeldUDP       int           `koanf:"held_udp_per_second"`     // the same that came by UDP, where sources can be forged; 10
}

// BansConfig is how long addresses are refused that did what panels don't.
type BansConfig struct {
	First    time.Duration `koanf:"first"`               // 1m; each further ban is four times as long
	Longest  time.Duration `koanf:"longest"`             // 24h
	Forget   time.Duration `koanf:"forget"`              // without a ban, until one step is forgiven; 24h. So long is an address remembered
	KnownFor time.Duration `koanf:"known_for"`           // after a known panel's acknowledgement its address is not banned, at any node; 24h, at the other nodes an hour less, so that below 2h they are of no help. It is kept in memory at most twice as long
	Lenient  time.Duration `koanf:"lenient_after_start"` // a node that has just started bans nobody, until another one has told it where known panels are; 10m at most, so that after a start of all nodes panels can show themselves first
}

func defaultReception() ReceptionConfig {
	return ReceptionConfig{
		Wait: 3 * time.Second, Unknown: "silence",
		TLS: TLSConfig{MinVersion: "1.2", HandshakeTime: 10 * time.Second, Handshakes: 200},
		Limits: LimitsConfig{
			Connections: 50_000, PerAddress: 500, StrangerTime: 2 * time.Minute, IdleTime: 10 * time.Minute,
			FrameTime: 10 * time.Second, BufferedBytes: 64 << 20, Held: 100, HeldUDP: 10,
		},
		Bans: BansConfig{First: time.Minute, Longest: 24 * time.Hour, Forget: 24 * time.Hour, KnownFor: 24 * time.Hour, Lenient: 10 * time.Minute},
	}
}

// problems lists every value that cannot be used.
func (c ReceptionConfig) problems(want func(ok bool, key, text string), address func(key, value string)) {
	want(len(c.Listeners) > 0, "reception.listeners", "at least one listener with an address")
	names, secure := map[string]bool{}, false
	for i, l := range c.Listeners {
		key := fmt.Sprintf("reception.listeners[%d]", i)
		name := l.name()
		want(!names[name], key+".name", "a different name for each, have "+quoted(name)+" again")
		want(len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == "", key+".name", "1 to 32 of a-z, 0-9, dash and underscore, have "+quoted(name))
		names[name] = true
		want(l.Address+l.TCP+l.UDP+l.TLS != "", key+".address", "host:port, or one of tcp, udp and tls")
		want(l.Address == "" || l.TCP+l.UDP == "", key+".address", "address alone, or tcp and udp without it")
		for field, value := range map[string]string{"address": l.Address, "tcp": l.TCP, "udp": l.UDP, "tls": l.TLS} {
			if value != "" {
				address(key+"."+field, value)
			}
		}
		secure = secure || l.TLS != ""
	}
	for i, n := range c.NeverBan {
		_, err := prefixOf(n)
		want(err == nil, fmt.Sprintf("reception.never_ban[%d]", i), "an address or a network such as 192.0.2.0/24, have "+quoted(n))
	}
	want(c.Wait > 0 && c.Wait <= time.Minute, "reception.wait", "a time up to 1m")
	want(!secure || len(c.TLS.Certificates) > 0, "reception.tls.certificates", "cert_file and key_file, since a listener has tls")
	for i, p := range c.TLS.Certificates {
		key := fmt.Sprintf("reception.tls.certificates[%d]", i)
		want(p.CertFile != "", key+".cert_file", "a PEM file with the certificate and its chain")
		want(p.KeyFile != "", key+".key_file", "a PEM file with the certificate's key")
	}
	switch c.TLS.MinVersion {
	case "1.0", "1.1", "1.2", "1.3":
	default:
		want(false, "reception.tls.min_version", "1.0, 1.1, 1.2 or 1.3 in quotes, have "+quoted(c.TLS.MinVersion))
	}
	for key, d := range map[string]time.Duration{
		"tls.handshake_time": c.TLS.HandshakeTime, "limits.stranger_time": c.Limits.StrangerTime, "limits.idle_time": c.Limits.IdleTime,
		"limits.frame_time": c.Limits.FrameTime, "bans.first": c.Bans.First, "bans.forget": c.Bans.Forget, "bans.known_for": c.Bans.KnownFor,
		"bans.lenient_after_start": c.Bans.Lenient,
	} {
		want(d >= time.Second, "reception."+key, "a time from 1s")
	}
	want(c.Bans.Longest >= c.Bans.First, "reception.bans.longest", "a time from bans.first")
	for key, n := range map[string]int{
		"tls.handshakes_per_second": c.TLS.Handshakes, "limits.connections": c.Limits.Connections, "limits.connections_per_address": c.Limits.PerAddress,
		"limits.held_per_second": c.Limits.Held, "limits.held_udp_per_second": c.Limits.HeldUDP,
	} {
		want(n >= 1, "reception."+key, "1 or more")
	}
	want(c.Limits.BufferedBytes >= 1<<20, "reception.limits.buffered_bytes", "1048576 or more")
}

func (l ListenerConfig) name() string {
	if l.Name == "" {
		return "main"
	}
	return l.Name
}

// prefixOf reads a network, or an address as a network of its own.
func prefixOf(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

func (c ReceptionConfig) reception() reception.Config {
	out := reception.Config{
		IdleTime: c.Limits.IdleTime, StrangerTime: c.Limits.StrangerTime, FrameTime: c.Limits.FrameTime, Buffered: c.Limits.BufferedBytes,
		TLS: reception.TLS{MinVersion: c.TLS.MinVersion, OldCiphers: c.TLS.OldCiphers, HandshakeTime: c.TLS.HandshakeTime},
	}
	for _, l := range c.Listeners {
		one := reception.Listener{Name: l.name(), TCP: l.TCP, UDP: l.UDP, TLS: l.TLS}
		if l.Address != "" {
			one.TCP, one.UDP = l.Address, l.Address
		}
		out.Listeners = append(out.Listeners, one)
	}
	for _, p := range c.TLS.Certificates {
		out.TLS.Certificates = append(out.TLS.Certificates, reception.Pair{CertFile: p.CertFile, KeyFile: p.KeyFile})
	}
	return out
}

func (c ReceptionConfig) strangers() strangers.Config {
	out := strangers.Config{
		Connections: c.Limits.Connections, PerNetwork: c.Limits.PerAddress, First: c.Bans.First, Longest: c.Bans.Longest, Forget: c.Bans.Forget,
		KnownFor: c.Bans.KnownFor, Lenient: c.Bans.Lenient, Held: c.Limits.Held, HeldUDP: c.Limits.HeldUDP, Handshakes: c.TLS.Handshakes,
	}
	for _, n := range c.NeverBan {
		if p, err := prefixOf(n); err == nil { // the configuration was checked
			out.NeverBan = append(out.NeverBan, p)
		}
	}
	return out
}
