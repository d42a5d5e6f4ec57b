package premises

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"vedetta/wire/internet"
)

// Limits of addresses.
const (
	maxEmail  = 254  // RFC 5321, path without brackets
	maxLocal  = 64   // RFC 5321, before the @
	maxURL    = 2000 // characters
	secretMin = 24   // bytes; Standard Webhooks, "signature scheme"
	secretMax = 64
)

var phoneForm = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// check looks at what was entered and puts addresses into their one spelling.
// A webhook's secret is only looked at when it is another one: had may be nil.
func (b *ContactBody) check(allowPrivate bool, had *WebhookBody) Faults {
	var f Faults
	f.name("name", b.Name, true)
	if b.Language != "it" && b.Language != "en" {
		f.Add("language", "language")
	}
	if b.Email != nil {
		if address, ok := emailAddress(*b.Email); ok {
			b.Email = &address
		} else {
			f.Add("email", "email_form")
		}
	}
	if b.Phone != nil {
		number := strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "", "/", "").Replace(*b.Phone)
		if phoneForm.MatchString(number) {
			b.Phone = &number
		} else {
			f.Add("phone", "phone_form")
		}
	}
	if b.Webhook != nil {
		f.url("webhook.url", b.Webhook.URL, allowPrivate)
		if b.Webhook.Secret == "" {
			b.Webhook.Secret = NewWebhookSecret()
		} else if !webhookSecret(b.Webhook.Secret) && (had == nil || had.Secret != b.Webhook.Secret) {
			f.Add("webhook.secret", "secret_form")
		}
	}
	if len(b.Push) > maxPush {
		f.Add("push", "too_many", maxPush)
		return f
	}
	seen := map[string]bool{}
	for i, d := range b.Push {
		at := fmt.Sprintf("push[%d].", i)
		if seen[d.Endpoint] {
			f.Add(at+"endpoint", "twice")
		}
		seen[d.Endpoint] = true
		f.url(at+"endpoint", d.Endpoint, allowPrivate)
		if point, err := base64url(d.P256dh); err != nil {
			f.Add(at+"p256dh", "p256dh_form")
		} else if _, err := ecdh.P256().NewPublicKey(point); err != nil {
			f.Add(at+"p256dh", "p256dh_form")
		}
		if auth, err := base64url(d.Auth); err != nil || len(auth) != 16 {
			f.Add(at+"auth", "auth_form")
		}
	}
	if b.Email == nil && b.Phone == nil && b.Webhook == nil && len(b.Push) == 0 {
		f.Add("email", "no_address")
	}
	return f
}

// emailAddress is the address in the spelling that mail goes by: the domain in
// lower case and, where it has other letters, in its ASCII form. What stands
// before the @ is ASCII: few servers on the way take more (RFC 6531).
func emailAddress(s string) (string, bool) {
	s = strings.TrimSpace(s)
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return "", false
	}
	at := strings.LastIndexByte(s, '@')
	local, domain := s[:at], s[at+1:]
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || !strings.Contains(strings.Trim(ascii, "."), ".") || strings.HasSuffix(ascii, ".") || strings.ContainsAny(ascii, "[]:_") {
		return "", false
	}
	if _, err := netip.ParseAddr(ascii); err == nil {
		return "", false
	}
	for _, r := range local {
		if r <= ' ' || r > '~' || r == '"' || r == '\\' {
			return "", false
		}
	}
	whole := local + "@" + strings.ToLower(ascii)
	return whole, len(local) <= maxLocal && len(whole) <= maxEmail
}

// url checks an address that the nodes will call. A name is judged when it is
// dialed, by what it resolves to then; an address that stands there literally,
// or is a name for this host, now.
func (f *Faults) url(field, s string, allowPrivate bool) {
	u, err := url.Parse(s)
	switch {
	case len(s) > maxURL:
		f.Add(field, "length", maxURL)
	case err != nil || !plainLine(s) || strings.ContainsAny(s, " \\") || u.Opaque != "" || u.Host == "" || u.User != nil || strings.Contains(s, "#") ||
		u.Scheme != "https" && !(allowPrivate && u.Scheme == "http") || !hostForm(u):
		f.Add(field, "url_form")
	case !allowPrivate && !publicHost(u.Hostname()), neverHost(u.Hostname()):
		f.Add(field, "url_private")
	}
}

func hostForm(u *url.URL) bool {
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return false
		}
	} else if strings.HasSuffix(u.Host, ":") {
		return false
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(host, "."))
	return err == nil && ascii != "" && len(ascii) <= 253
}

// neverHost tells whether a host is a literal address that nothing is ever sent to.
func neverHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && internet.Never(ip)
}

// publicHost tells whether a host may be somebody's server on the Internet:
// no literal address that isn't, in none of the spellings that systems resolve
// to one (127.1, 0x7f000001, 2130706433), and no name of this or a local host.
func publicHost(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		return internet.Public(ip)
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		return false
	}
	labels := strings.Split(ascii, ".")
	last := labels[len(labels)-1]
	if len(labels) < 2 || last[0] >= '0' && last[0] <= '9' { // a name without a domain; a number in another spelling
		return false
	}
	switch last {
	case "localhost", "local", "internal", "invalid", "home", "lan", "onion", "test":
		return false
	}
	return !strings.HasSuffix(ascii, ".home.arpa")
}

// NewWebhookSecret draws a secret in the form of Standard Webhooks.
func NewWebhookSecret() string {
	b := make([]byte, 32)
	rand.Read(b)
	return "whsec_" + base64.StdEncoding.EncodeToString(b)
}

func webhookSecret(s string) bool {
	coded, ok := strings.CutPrefix(s, "whsec_")
	b, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		b, err = base64.RawStdEncoding.DecodeString(coded)
	}
	return ok && err == nil && len(b) >= secretMin && len(b) <= secretMax && !strings.ContainsAny(s, "\r\n")
}

// base64url reads what browsers write, with or without padding.
func base64url(s string) ([]byte, error) {
	return base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(s, "="))
}
