package central

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"vedetta/central/account"
	"vedetta/central/api"
	"vedetta/central/portal"
	"vedetta/central/reconcile"
	"vedetta/central/web"
	"vedetta/cluster/config"
	"vedetta/cluster/link"
	"vedetta/wire/dc09"
	"vedetta/wire/push"
)

// Config is everything central is told. Secrets stand in files.
type Config struct {
	Data           string           `koanf:"data"`            // folder of the database, made when it is missing
	Listen         string           `koanf:"listen"`          // host:port of pages and API; 127.0.0.1:8080, so that a proxy stands before it
	PublicURL      string           `koanf:"public_url"`      // how browsers reach it; with https, cookies are Secure. http://<listen> when empty
	TrustedProxies []string         `koanf:"trusted_proxies"` // networks whose X-Forwarded-For is believed
	Log            LogConfig        `koanf:"log"`
	Mesh           MeshConfig       `koanf:"mesh"`
	Status         StatusConfig     `koanf:"status"`
	Account        account.Config   `koanf:"account"`
	Portal         PortalConfig     `koanf:"portal"`
	Channel        ChannelConfig    `koanf:"channel"`
	API            api.Config       `koanf:"api"`
	Reconcile      reconcile.Config `koanf:"reconcile"`
	Demo           DemoConfig       `koanf:"demo"`
}

// ChannelConfig is what addresses of contacts are taken.
type ChannelConfig struct {
	AllowPrivate bool `koanf:"allow_private"` // webhooks and push endpoints at private and loopback addresses, http too; true in local up only
}

// LogConfig says how much is logged.
type LogConfig struct {
	Level string `koanf:"level"` // debug, info, warn, error; info when empty
}

// MeshConfig is how central reaches the nodes.
type MeshConfig struct {
	Nodes    map[string]string `koanf:"nodes"`     // node name -> host:port of its link; one that answers is enough
	CertFile string            `koanf:"cert_file"` // role central, made by vedettactl pki
	KeyFile  string            `koanf:"key_file"`
	CAFile   string            `koanf:"ca_file"`
}

// StatusConfig is where /metrics and /status are served. /healthz and /readyz
// are served at both addresses.
type StatusConfig struct {
	Listen    string `koanf:"listen"`     // host:port of the management listener; empty: at listen, to loopback only
	TokenFile string `koanf:"token_file"` // bearer token for the management listener from elsewhere than loopback
}

// PortalConfig is what pages tell.
type PortalConfig struct {
	Receivers []ReceiverConfig `koanf:"receivers"` // where panels report to, in the order in which an installer enters them; empty: pages say that it is not known
}

// ReceiverConfig is one address that panels report to.
type ReceiverConfig struct {
	Datacenter string `koanf:"datacenter"`
	Address    string `koanf:"address"` // host:port as panels reach it, TCP and UDP
}

func (c PortalConfig) receivers() []portal.Receiver {
	var list []portal.Receiver
	for _, r := range c.Receivers {
		list = append(list, portal.Receiver(r))
	}
	return list
}

// DemoConfig makes a customer to try things with, once, in an empty store.
type DemoConfig struct {
	Email             string `koanf:"email"`         // of the user; empty: no demo
	PasswordFile      string `koanf:"password_file"` // of the user
	APIKeyFile        string `koanf:"api_key_file"`  // vdt_ and 256 random bits
	Account           string `koanf:"account"`       // of the panel with a key, 3 to 16 hex digits
	PlainAccount      string `koanf:"plain_account"` // of the panel without
	PanelKeyFile      string `koanf:"panel_key_file"`
	ContactEmail      string `koanf:"contact_email"`
	WebhookURL        string `koanf:"webhook_url"`
	WebhookSecretFile string `koanf:"webhook_secret_file"`
	OperatorEmail     string `koanf:"operator_email"` // of a user of the same customer who runs the service; empty: none
	OperatorPassword  string `koanf:"operator_password_file"`
	OperatorKey       string `koanf:"operator_key_file"` // API key with the scopes all and operator
	PushFile          string `koanf:"push_file"`         // the contact's browser: {"endpoint","p256dh","auth"}; empty: none
}

// Defaults of central's configuration.
func Defaults() Config {
	return Config{Listen: "127.0.0.1:8080", Log: LogConfig{Level: "info"}, Account: account.Config{}.WithDefaults(), API: api.Config{}.WithDefaults(), Reconcile: reconcile.Config{}.WithDefaults()}
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
	want(c.Data != "", "data", "the folder of central's database")
	want(address(c.Listen), "listen", "host:port, have "+strconv.Quote(c.Listen))
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		want(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && strings.Trim(u.Path, "/") == "",
			"public_url", "https://host without a path, have "+strconv.Quote(c.PublicURL))
	}
	_, err := c.proxies()
	want(err == nil, "trusted_proxies", "networks such as 127.0.0.1/32")
	switch c.Log.Level {
	case "", "debug", "info", "warn", "error":
	default:
		want(false, "log.level", "debug, info, warn or error, have "+strconv.Quote(c.Log.Level))
	}
	if err := c.Mesh.client().Validate(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			want(false, "mesh", line)
		}
	}
	want(c.Status.Listen == "" || address(c.Status.Listen), "status.listen", "host:port or nothing, have "+strconv.Quote(c.Status.Listen))
	want(c.Account.SessionSeconds > 0, "account.session_seconds", "1 or more")
	want(c.Account.SessionIdleSeconds > 0, "account.session_idle_seconds", "1 or more")
	want(c.Account.FailuresLogin > 0, "account.failures_login", "1 or more")
	want(c.Account.FailuresAddress > 0, "account.failures_address", "1 or more")
	want(c.Account.FailuresAccount > 0, "account.failures_account", "1 or more")
	for _, key := range c.Reconcile.Wrong() {
		want(false, "reconcile."+key, "1 or more")
	}
	for i, r := range c.Portal.Receivers {
		key := fmt.Sprintf("portal.receivers[%d].", i)
		want(r.Datacenter != "", key+"datacenter", "the datacenter's name")
		want(address(r.Address), key+"address", "host:port as panels reach it, have "+strconv.Quote(r.Address))
	}
	return append(p, c.Demo.problems()...)
}

func (d DemoConfig) problems() []config.Problem {
	if d == (DemoConfig{}) {
		return nil
	}
	var p []config.Problem
	want := func(ok bool, key, text string) {
		if !ok {
			p = append(p, config.Problem{Key: "demo." + key, Want: text})
		}
	}
	want(strings.Contains(d.Email, "@"), "email", "the demo user's e-mail, or no demo section")
	want(d.PasswordFile != "", "password_file", "a file with the demo user's password")
	want(d.APIKeyFile != "", "api_key_file", "a file with an API key")
	want(d.PanelKeyFile != "", "panel_key_file", "a file with the key of the panel")
	want(hexDigits(d.Account), "account", "3 to 16 hex digits, have "+strconv.Quote(d.Account))
	want(hexDigits(d.PlainAccount) && !strings.EqualFold(d.Account, d.PlainAccount), "plain_account", "3 to 16 hex digits, other than account")
	want(strings.Contains(d.ContactEmail, "@"), "contact_email", "an e-mail address")
	u, err := url.Parse(d.WebhookURL)
	want(err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "", "webhook_url", "an http or https URL")
	want(d.WebhookSecretFile != "", "webhook_secret_file", "a file with the webhook's secret")
	if d.OperatorEmail != "" || d.OperatorPassword != "" || d.OperatorKey != "" {
		want(strings.Contains(d.OperatorEmail, "@") && !strings.EqualFold(d.OperatorEmail, d.Email), "operator_email", "the operator's e-mail, another than email")
		want(d.OperatorPassword != "", "operator_password_file", "a file with the operator's password")
		want(d.OperatorKey != "", "operator_key_file", "a file with an API key")
	}
	return p
}

// secrets reads the files of the demo section.
func (d DemoConfig) secrets() (s demoSecrets, err error) {
	var panelKey string
	type file struct {
		key, path string
		to        *string
	}
	files := []file{
		{"demo.password_file", d.PasswordFile, &s.password}, {"demo.api_key_file", d.APIKeyFile, &s.apiKey},
		{"demo.panel_key_file", d.PanelKeyFile, &panelKey}, {"demo.webhook_secret_file", d.WebhookSecretFile, &s.webhookSecret},
	}
	if d.OperatorEmail != "" {
		files = append(files, file{"demo.operator_password_file", d.OperatorPassword, &s.operatorPassword}, file{"demo.operator_key_file", d.OperatorKey, &s.operatorKey})
	}
	for _, f := range files {
		if *f.to, err = config.Secret(f.key, f.path); err != nil {
			return s, err
		}
		if *f.to == "" {
			return s, config.Problem{Key: f.key, Want: "a file that is not empty"}
		}
	}
	if err := account.CheckAPIKey(s.apiKey); err != nil {
		return s, fmt.Errorf("key demo.api_key_file: %w", err)
	}
	if d.OperatorEmail != "" {
		if err := account.CheckAPIKey(s.operatorKey); err != nil {
			return s, fmt.Errorf("key demo.operator_key_file: %w", err)
		}
	}
	if d.PushFile != "" {
		text, err := config.Secret("demo.push_file", d.PushFile)
		if err == nil {
			s.browser, err = push.Parse([]byte(text), true)
		}
		if err != nil {
			return s, fmt.Errorf("key demo.push_file: %w", err)
		}
	}
	if s.panelKey, _, err = dc09.ParseKey(panelKey); err != nil {
		return s, fmt.Errorf("key demo.panel_key_file: %w", err)
	}
	return s, nil
}

func (c Config) secure() bool { return strings.HasPrefix(c.PublicURL, "https:") }

func (c Config) proxies() (web.Proxies, error) {
	var list web.Proxies
	for _, s := range c.TrustedProxies {
		n, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies: %w", err)
		}
		list = append(list, n)
	}
	return list, nil
}

func (m MeshConfig) client() link.ClientConfig {
	return link.ClientConfig{Nodes: m.Nodes, CertFile: m.CertFile, KeyFile: m.KeyFile, CAFile: m.CAFile}
}

func address(s string) bool {
	_, port, err := net.SplitHostPort(s)
	return err == nil && port != ""
}

func hexDigits(s string) bool {
	return len(s) >= 3 && len(s) <= 16 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
