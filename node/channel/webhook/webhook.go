package webhook

import (
	"context"
	"crypto/x509"
	"net/http"
	"strconv"
	"time"

	"vedetta/cluster/env"
	"vedetta/node/channel"
	"vedetta/node/channel/call"
)

// Config says whom may be called.
type Config struct {
	AllowPrivate bool           // private and loopback addresses, and http; for `local up` only
	RootCAs      *x509.CertPool // nil: the machine's own authorities
	// AnswerTimeout is how long an answer is awaited once the call is out, 10 s when zero.
	AnswerTimeout time.Duration
	Slots         int // calls under way at once, 32 when zero
}

// Channel makes calls.
type Channel struct {
	cfg    Config
	client *call.Client
}

// New makes the channel; it connects to nobody.
func New(cfg Config, _ env.Env) *Channel {
	if cfg.Slots == 0 {
		cfg.Slots = 32
	}
	return &Channel{cfg, call.New(call.Config{AllowPrivate: cfg.AllowPrivate, RootCAs: cfg.RootCAs, AnswerTimeout: cfg.AnswerTimeout})}
}

// Traits: a repetition has the same webhook-id.
func (c *Channel) Traits() channel.Traits {
	return channel.Traits{Idempotent: true, Slots: c.cfg.Slots}
}

// Send makes one call. See the package comment and channel.Sender.
func (c *Channel) Send(ctx context.Context, m channel.Message, deadline func() bool) channel.Outcome {
	to, secret, err := readTarget(m.Address, c.cfg.AllowPrivate)
	if err != nil {
		return channel.Refused(channel.ReasonInvalidAddress, "")
	}
	b, err := compose(m)
	if err != nil {
		return channel.NotBegun(channel.ReasonUnreachable)
	}
	req, err := http.NewRequest(http.MethodPost, to.String(), nil)
	if err != nil {
		return channel.Refused(channel.ReasonInvalidAddress, "")
	}
	now := time.Now()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Vedetta")
	req.Header.Set("webhook-id", m.Notification)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("webhook-signature", sign(secret, m.Notification, now, b))
	answer, failed := c.client.Do(ctx, req, b, deadline, true)
	if failed != nil {
		return *failed
	}
	return judge(answer.Status, answer.HandedOver)
}

// judge reads the status. What a receiver may repeat is its own word.
func judge(status int, handed time.Time) channel.Outcome {
	ref := "http " + strconv.Itoa(status)
	switch {
	case status/100 == 2:
		return channel.Delivered(ref, handed)
	case status/100 == 5, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return channel.NotNow(channel.ReasonProviderBusy, ref)
	}
	return channel.Refused(channel.ReasonProviderRefused, ref) // 3xx and 4xx
}
