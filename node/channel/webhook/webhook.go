package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"vedetta/cluster/env"
	"vedetta/node/channel"
)

// Config says whom may be called.
type Config struct {
	AllowPrivate bool           // private and loopback addresses, and http; for `local up` only
	RootCAs      *x509.CertPool // nil: the machine's own authorities
	// AnswerTimeout is how long an answer is awaited once the call is out, 10 s when zero.
	AnswerTimeout time.Duration
	Slots         int // calls under way at once, 32 when zero
}

const maxAnswerBytes = 64 << 10

// Channel makes calls.
type Channel struct {
	cfg    Config
	client *http.Client
}

// New makes the channel; it connects to nobody. The machine's own network is
// used, since only there can the address be looked at after its name is resolved.
func New(cfg Config, _ env.Env) *Channel {
	if cfg.AnswerTimeout == 0 {
		cfg.AnswerTimeout = 10 * time.Second
	}
	if cfg.Slots == 0 {
		cfg.Slots = 32
	}
	dialer := &net.Dialer{Timeout: 8 * time.Second, Control: channel.Guard(cfg.AllowPrivate)}
	return &Channel{cfg: cfg, client: &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true, DisableCompression: true, TLSHandshakeTimeout: 8 * time.Second, MaxResponseHeaderBytes: maxAnswerBytes,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
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
	a := c.begin(ctx, b, deadline)
	defer a.end()
	req, err := http.NewRequestWithContext(a.ctx, http.MethodPost, to.String(), a)
	if err != nil {
		return channel.Refused(channel.ReasonInvalidAddress, "")
	}
	now := time.Now()
	req.ContentLength = int64(len(b))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Vedetta")
	req.Header.Set("webhook-id", m.Notification)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("webhook-signature", sign(secret, m.Notification, now, b))
	resp, err := c.client.Do(req)
	if err != nil {
		return a.failed(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswerBytes) // only its status counts
	return judge(resp.StatusCode, a.handedOver())
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

// attempt is the body of one call: it asks for the deadline right before its
// last byte goes out. ctx of the claim cuts it until then; afterwards only the
// answer's own time does.
type attempt struct {
	ctx      context.Context
	cancel   context.CancelFunc
	stop     func() bool
	claim    context.Context
	rest     *bytes.Reader
	deadline func() bool
	timeout  time.Duration
	timer    atomic.Pointer[time.Timer]
	handed   atomic.Int64 // Unix nanoseconds, 0: not yet
	late     atomic.Bool
}

var errLate = errors.New("the claim's time is over")

func (c *Channel) begin(claim context.Context, body []byte, deadline func() bool) *attempt {
	a := &attempt{claim: claim, rest: bytes.NewReader(body), deadline: deadline, timeout: c.cfg.AnswerTimeout}
	a.ctx, a.cancel = context.WithCancel(context.WithoutCancel(claim))
	a.stop = context.AfterFunc(claim, a.cancel)
	return a
}

func (a *attempt) end() {
	a.stop()
	if t := a.timer.Load(); t != nil {
		t.Stop()
	}
	a.cancel()
}

// Read gives the body out. All of it is one last piece.
func (a *attempt) Read(p []byte) (int, error) {
	if a.handed.Load() == 0 {
		if !a.stop() || a.claim.Err() != nil || !a.deadline() {
			a.late.Store(true)
			return 0, errLate
		}
		a.timer.Store(time.AfterFunc(a.timeout, a.cancel))
		a.handed.Store(time.Now().UnixNano())
	}
	return a.rest.Read(p)
}

// Close is io.Closer; the transport calls it.
func (a *attempt) Close() error { return nil }

func (a *attempt) handedOver() time.Time {
	if ns := a.handed.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

func (a *attempt) failed(err error) channel.Outcome {
	switch {
	case a.late.Load():
		return channel.NotBegun(channel.ReasonTooLate)
	case errors.Is(err, channel.ErrForbiddenAddress):
		return channel.Refused(channel.ReasonInvalidAddress, "")
	case a.handed.Load() != 0:
		return channel.Unknown(a.handedOver(), true)
	case a.claim.Err() != nil:
		return channel.NotBegun(channel.ReasonTooLate)
	}
	return channel.NotBegun(channel.ReasonUnreachable)
}
