package node

import (
	"net"
	"time"

	"vedetta/cluster/config"
	"vedetta/node/intake"
	"vedetta/node/watch"
	"vedetta/wire/mesh"
)

// Config is everything a node is told. Secrets stand in files.
type Config struct {
	Node      string          `koanf:"node"` // 1 to 32 of a-z 0-9 -; the same as in its certificate
	Site      string          `koanf:"site"` // datacenter it stands in
	Data      string          `koanf:"data"` // folder made by `vedetta-node init`
	Log       LogConfig       `koanf:"log"`
	Mesh      MeshConfig      `koanf:"mesh"`
	Reception ReceptionConfig `koanf:"reception"`
	Status    StatusConfig    `koanf:"status"`
	Channel   ChannelConfig   `koanf:"channel"`
	Journal   JournalConfig   `koanf:"journal"`
	Watch     watch.Config    `koanf:"watch"`

	Supervision SupervisionConfig `koanf:"supervision"`
}

// SupervisionConfig says when it is told that a panel isn't heard, beyond what
// each panel's interval and grace say.
type SupervisionConfig struct {
	// NeverHeardAfter is how long a panel that was entered may be unheard until
	// that is told (354); once heard it goes by its interval and grace. The same at
	// every node; a node that restarts counts anew. 24h
	NeverHeardAfter time.Duration `koanf:"never_heard_after"`
}

// LogConfig says how much is logged.
type LogConfig struct {
	Level string `koanf:"level"` // debug, info, warn, error; info when empty
}

// MeshConfig is how the node holds together with the others.
type MeshConfig struct {
	Listen   string            `koanf:"listen"`    // UDP address of the link
	Peers    map[string]string `koanf:"peers"`     // node name -> address
	CertFile string            `koanf:"cert_file"` // made by vedettactl pki
	KeyFile  string            `koanf:"key_file"`
	CAFile   string            `koanf:"ca_file"`
	MeshKey  string            `koanf:"mesh_key_file"` // wraps the customers' keys; mode 0600
	Founding []Founder         `koanf:"founding"`      // the nodes that began this mesh, the same list at each
	Gossip   GossipConfig      `koanf:"gossip"`
}

// GossipConfig is where hints about the other nodes are exchanged; without
// listen there is no gossip, and the node works as ever.
type GossipConfig struct {
	Listen      string            `koanf:"listen"`       // TCP and UDP address
	KeyringFile string            `koanf:"keyring_file"` // made by `vedettactl pki gossip-keyring`, mode 0600; SIGHUP reads it again
	Peers       map[string]string `koanf:"peers"`        // node name -> address for gossip; who is not named: the host of mesh.peers with the port of listen
}

// Founder is one node of the founding list, with the disk id `init` printed.
type Founder struct {
	Node string `koanf:"node"`
	Disk string `koanf:"disk"`
	Site string `koanf:"site"`
}

// StatusConfig is where /healthz /readyz /metrics /status are served.
type StatusConfig struct {
	Listen    string `koanf:"listen"`
	TokenFile string `koanf:"token_file"` // bearer token for /metrics and /status from elsewhere than loopback
	Profile   bool   `koanf:"profile"`    // /debug/pprof/ for loopback; costs some speed
}

// ChannelConfig is how notifications leave.
type ChannelConfig struct {
	AllowPrivate bool          `koanf:"allow_private"` // webhooks and push to private and loopback addresses, http too; true in local up only
	Email        EmailConfig   `koanf:"email"`
	WebPush      WebPushConfig `koanf:"webpush"`
}

// WebPushConfig is who we are to push services; without a key file there is no
// Web Push. All of it is the same at every node of a mesh.
type WebPushConfig struct {
	KeyFile       string        `koanf:"key_file"`        // made by vedettactl pki vapid-key, mode 0600. Another key ends every subscription
	Subject       string        `koanf:"subject"`         // whom a push service turns to: a mail address or an https URL
	PortalURL     string        `koanf:"portal_url"`      // portal that a tap opens; empty: the one that the browser subscribed at
	TTL           time.Duration `koanf:"ttl"`             // how long a service keeps a message for a device that is away, 4h
	TTLLifeSafety time.Duration `koanf:"ttl_life_safety"` // the same for life safety, 48h
}

// EmailConfig is the first hop of mail.
type EmailConfig struct {
	Address      string `koanf:"address"` // host:port of the submission server
	From         string `koanf:"from"`
	Username     string `koanf:"username"`
	PasswordFile string `koanf:"password_file"`
	TLS          string `koanf:"tls"` // offered (default): STARTTLS where offered; always; never
	CAFile       string `koanf:"ca_file"`
}

// JournalConfig is what is kept and how long.
type JournalConfig struct {
	RetentionDays int     `koanf:"retention_days"` // 7; deletion by the committed floor (rule 3)
	DiskFloor     float64 `koanf:"disk_floor"`     // share of the disk that must stay free, 0.1
}

// Defaults of a node's configuration.
func Defaults() Config {
	return Config{
		Log:       LogConfig{Level: "info"},
		Reception: defaultReception(),
		Channel: ChannelConfig{
			Email:   EmailConfig{TLS: "offered"},
			WebPush: WebPushConfig{TTL: 4 * time.Hour, TTLLifeSafety: 48 * time.Hour},
		},
		Journal: JournalConfig{RetentionDays: 7, DiskFloor: 0.1},
		Watch:   watch.Defaults(),

		Supervision: SupervisionConfig{NeverHeardAfter: 24 * time.Hour},
	}
}

// Load reads and checks the configuration at path under the environment.
func Load(path string, environ []string) (Config, error) {
	cfg, err := config.Load(path, environ, Defaults())
	if err != nil {
		return cfg, err
	}
	return cfg, config.Problems(path, cfg.problems())
}

// problems lists every value that cannot be used.
func (c Config) problems() []config.Problem {
	var p []config.Problem
	want := func(ok bool, key, text string) {
		if !ok {
			p = append(p, config.Problem{Key: key, Want: text})
		}
	}
	address := func(key, value string) {
		_, port, err := net.SplitHostPort(value)
		want(err == nil && port != "", key, "host:port, have "+quoted(value))
	}
	want(mesh.ValidNode(c.Node) && c.Node != mesh.AgreementNode, "node", "1 to 32 of a-z, 0-9 and dash, have "+quoted(c.Node))
	want(c.Site != "", "site", "the datacenter's name")
	want(c.Data != "", "data", "the folder made by `vedetta-node init`")
	switch c.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		want(false, "log.level", "debug, info, warn or error, have "+quoted(c.Log.Level))
	}
	address("mesh.listen", c.Mesh.Listen)
	for name, a := range c.Mesh.Peers {
		want(mesh.ValidNode(name) && name != c.Node, "mesh.peers", "names of other nodes, have "+quoted(name))
		address("mesh.peers."+name, a)
	}
	want(c.Mesh.CertFile != "", "mesh.cert_file", "a certificate made by vedettactl pki")
	want(c.Mesh.KeyFile != "", "mesh.key_file", "the certificate's key")
	want(c.Mesh.CAFile != "", "mesh.ca_file", "the mesh's own CA certificate")
	want(c.Mesh.MeshKey != "", "mesh.mesh_key_file", "the mesh key's file, mode 0600")
	if g := c.Mesh.Gossip; g.Listen != "" {
		address("mesh.gossip.listen", g.Listen)
		want(g.KeyringFile != "", "mesh.gossip.keyring_file", "the keyring's file, mode 0600")
		for name, a := range g.Peers {
			_, known := c.Mesh.Peers[name]
			want(known, "mesh.gossip.peers", "names that stand in mesh.peers, have "+quoted(name))
			address("mesh.gossip.peers."+name, a)
		}
	} else {
		want(g.KeyringFile == "" && len(g.Peers) == 0, "mesh.gossip.listen", "host:port, since other keys of mesh.gossip are set")
	}
	want(len(c.Mesh.Founding) > 0, "mesh.founding", "the list of founding nodes with their disk ids")
	for _, f := range c.Mesh.Founding {
		want(mesh.ValidNode(f.Node) && f.Disk != "" && f.Site != "", "mesh.founding", "node, disk and site of each")
	}
	c.Reception.problems(want, address)
	want(intake.UnknownAnswer(c.Reception.Unknown).Known(), "reception.unknown_account", "silence, ack or duh, have "+quoted(c.Reception.Unknown))
	address("status.listen", c.Status.Listen)
	address("channel.email.address", c.Channel.Email.Address)
	want(c.Channel.Email.From != "", "channel.email.from", "the sender's address")
	switch c.Channel.Email.TLS {
	case "offered", "always", "never":
	default:
		want(false, "channel.email.tls", "offered, always or never, have "+quoted(c.Channel.Email.TLS))
	}
	if p := c.Channel.WebPush; p.KeyFile != "" {
		want(p.Subject != "", "channel.webpush.subject", "a mail address or an https URL")
		want(p.TTL > 0 && p.TTL <= 28*24*time.Hour, "channel.webpush.ttl", "a time up to 672h")
		want(p.TTLLifeSafety >= p.TTL && p.TTLLifeSafety <= 28*24*time.Hour, "channel.webpush.ttl_life_safety", "a time from ttl up to 672h")
	} else {
		want(p.Subject == "" && p.PortalURL == "", "channel.webpush.key_file", "a file made by vedettactl pki vapid-key")
	}
	want(c.Watch.Keep > 0 && c.Watch.Keep <= 24*time.Hour, "watch.keep", "a time up to 24h")
	want(c.Watch.MaxBytes >= 64<<10, "watch.max_bytes", "65536 or more")
	want(c.Watch.PerPanel >= 1, "watch.per_panel", "1 or more")
	want(c.Watch.Viewers >= 1, "watch.viewers", "1 or more")
	want(c.Supervision.NeverHeardAfter >= time.Second && c.Supervision.NeverHeardAfter <= 90*24*time.Hour, "supervision.never_heard_after", "a time from 1s to 2160h")
	want(c.Journal.RetentionDays >= 1, "journal.retention_days", "1 or more")
	want(c.Journal.DiskFloor >= 0 && c.Journal.DiskFloor < 1, "journal.disk_floor", "a share from 0 to below 1")
	return p
}

func quoted(s string) string { return `"` + s + `"` }
