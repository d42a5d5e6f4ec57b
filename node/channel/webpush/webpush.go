package webpush

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	wp "github.com/SherClockHolmes/webpush-go"

	"vedetta/cluster/env"
	"vedetta/node/channel"
	"vedetta/node/channel/call"
	"vedetta/node/channel/wording"
	"vedetta/wire/push"
)

// Config says who we are to push services.
type Config struct {
	Key     push.Key // the mesh's, the same at all nodes
	Subject string   // whom a push service turns to: a mail address or an https URL (RFC 8292, 2.1)
	Portal  string   // URL of the portal that a tap opens; empty: the worker's own
	// AllowPrivate lets endpoints be private, loopback and http; for `local up` only.
	AllowPrivate bool
	RootCAs      *x509.CertPool // nil: the machine's own authorities
	// TTL is how long a service keeps a message for a device that is away: 4 h
	// when zero, and TTLUrgent 48 h for life safety.
	TTL, TTLUrgent time.Duration
	// AnswerTimeout is how long an answer is awaited once the message is out, 10 s when zero.
	AnswerTimeout time.Duration
	Slots         int // messages under way at once, 32 when zero
}

// Channel sends push messages.
type Channel struct {
	cfg    Config
	client *call.Client
	zones  wording.Zones
}

// New checks the configuration; it connects to nobody.
func New(cfg Config, _ env.Env) (*Channel, error) {
	if cfg.Key.IsZero() {
		return nil, errors.New("webpush: want a VAPID key")
	}
	subject, err := checkSubject(cfg.Subject, cfg.AllowPrivate)
	if err != nil {
		return nil, err
	}
	cfg.Subject = subject
	if cfg.Portal != "" {
		u, err := url.Parse(cfg.Portal)
		if err != nil || u.Host == "" || u.Scheme != "https" && !(cfg.AllowPrivate && u.Scheme == "http") || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("webpush: portal_url %q: want https://host", cfg.Portal)
		}
	}
	if cfg.TTL == 0 {
		cfg.TTL = 4 * time.Hour
	}
	if cfg.TTLUrgent == 0 {
		cfg.TTLUrgent = 48 * time.Hour
	}
	if cfg.Slots == 0 {
		cfg.Slots = 32
	}
	client := call.New(call.Config{AllowPrivate: cfg.AllowPrivate, RootCAs: cfg.RootCAs, AnswerTimeout: cfg.AnswerTimeout, KeepFor: 20 * time.Second})
	return &Channel{cfg: cfg, client: client}, nil
}

// reservedNames are not reachable from the Internet; Apple's service refuses
// every message of a sender who names one.
var reservedNames = []string{"localhost", "local", "example", "invalid", "test", "internal", "arpa"}

// checkSubject returns the subject as the library wants it: a bare address, to
// which it adds mailto: by itself, or an https URL.
func checkSubject(s string, allowReserved bool) (string, error) {
	want := fmt.Errorf("webpush: subject %q: want a mail address or an https URL that the Internet can reach", s)
	host := ""
	if u, err := url.Parse(s); err == nil && u.Scheme == "https" && u.Hostname() != "" {
		host = u.Hostname()
	} else {
		s = strings.TrimPrefix(s, "mailto:")
		a, err := mail.ParseAddress(s)
		if err != nil || a.Name != "" || a.Address != s {
			return "", want
		}
		host = s[strings.LastIndexByte(s, '@')+1:]
	}
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if !allowReserved && (!strings.Contains(host, ".") || slices.Contains(reservedNames, last)) {
		return "", want
	}
	return s, nil
}

// Traits: a repetition has the same topic and tag.
func (c *Channel) Traits() channel.Traits {
	return channel.Traits{Idempotent: true, Slots: c.cfg.Slots}
}

// Send makes one call. See the package comment and channel.Sender.
func (c *Channel) Send(ctx context.Context, m channel.Message, deadline func() bool) channel.Outcome {
	to, err := push.Parse([]byte(m.Address), c.cfg.AllowPrivate)
	if err != nil {
		return channel.Refused(channel.ReasonInvalidAddress, "")
	}
	b, err := c.compose(m)
	if err != nil {
		return channel.NotBegun(channel.ReasonUnreachable)
	}
	o := wp.Options{
		TTL: int(c.cfg.TTL / time.Second), Topic: Topic(m.Notification), Urgency: wp.UrgencyNormal, Subscriber: c.cfg.Subject,
		VAPIDPublicKey: c.cfg.Key.Public(), VAPIDPrivateKey: c.cfg.Key.Private(),
	}
	if m.Urgent {
		o.TTL = int(c.cfg.TTLUrgent / time.Second)
	}
	if urgent(m) {
		o.Urgency = wp.UrgencyHigh
	}
	l := &line{ctx: ctx, client: c.client, deadline: deadline, outcome: channel.NotBegun(channel.ReasonUnreachable)}
	o.HTTPClient = l
	resp, err := wp.SendNotificationWithContext(ctx, b, &wp.Subscription{Endpoint: to.Endpoint, Keys: wp.Keys{Auth: to.Auth, P256dh: to.P256dh}}, &o)
	if err == nil {
		resp.Body.Close()
	}
	return l.outcome // as it was before the library called Do: not begun
}

// line is the library's HTTP client for one message.
type line struct {
	ctx      context.Context
	client   *call.Client
	deadline func() bool
	outcome  channel.Outcome
}

// Do is webpush.HTTPClient.
func (l *line) Do(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	answer, failed := l.client.Do(l.ctx, req, body, l.deadline, true)
	if failed != nil {
		l.outcome = *failed
		return nil, errors.New("no answer")
	}
	l.outcome = judge(answer, time.Now())
	return &http.Response{StatusCode: answer.Status, Body: io.NopCloser(bytes.NewReader(nil))}, nil
}

// judge reads the answer; see the package comment.
func judge(a call.Answer, now time.Time) channel.Outcome {
	ref := "http " + strconv.Itoa(a.Status)
	switch {
	case a.Status == http.StatusCreated, a.Status == http.StatusAccepted:
		return channel.Delivered(ref, a.HandedOver)
	case a.Status == http.StatusNotFound, a.Status == http.StatusGone:
		return channel.Refused(channel.ReasonGone, ref)
	case a.Status/100 == 5, a.Status == http.StatusTooManyRequests, a.Status == http.StatusRequestTimeout, a.Status == http.StatusTooEarly:
		o := channel.NotNow(channel.ReasonProviderBusy, ref)
		o.After = retryAfter(a.Header.Get("Retry-After"), now)
		return o
	}
	return channel.Refused(channel.ReasonProviderRefused, ref)
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3); 0 when it is neither.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 {
		return time.Duration(min(n, 1<<20)) * time.Second
	}
	if at, err := http.ParseTime(s); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
