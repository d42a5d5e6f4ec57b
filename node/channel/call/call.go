// Package call makes one HTTP call under a claim, for the channels whose
// provider is a web server, a customer's own among them.
//
// It promises: the claim's deadline is asked right before the body goes out,
// and without its yes the call is cut (rule 23); ctx cuts it until then, the
// answer's own time afterwards; private and reserved addresses are not dialed
// unless allowed, whatever their name says; redirects are not followed; of an
// answer a bound is read. It doesn't judge an answer's status. No goroutine
// outlives Do, but those of connections that are kept for the next call.
package call

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"vedetta/node/channel"
)

// Config says whom may be called and how.
type Config struct {
	AllowPrivate bool           // private and loopback addresses; for `local up` only
	RootCAs      *x509.CertPool // nil: the machine's own authorities
	// AnswerTimeout is how long an answer is awaited once the call is out, 10 s when zero.
	AnswerTimeout time.Duration
	// KeepFor is how long a connection is kept for the next call to the same
	// host; 0: not at all. A provider that many calls go to has it short, so
	// that no router in between has forgotten the line.
	KeepFor time.Duration
}

const maxAnswerBytes = 64 << 10

// Client makes calls; safe for several goroutines.
type Client struct {
	timeout time.Duration
	http    http.Client
}

// New connects to nobody. The machine's own network is used, since only there
// can the address be looked at after its name is resolved.
func New(cfg Config) *Client {
	if cfg.AnswerTimeout == 0 {
		cfg.AnswerTimeout = 10 * time.Second
	}
	dialer := &net.Dialer{Timeout: 8 * time.Second, Control: channel.Guard(cfg.AllowPrivate)}
	t := &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: cfg.KeepFor == 0, IdleConnTimeout: cfg.KeepFor, MaxIdleConnsPerHost: 32, ForceAttemptHTTP2: cfg.KeepFor != 0,
		DisableCompression: true, TLSHandshakeTimeout: 8 * time.Second, MaxResponseHeaderBytes: maxAnswerBytes,
	}
	return &Client{timeout: cfg.AnswerTimeout, http: http.Client{
		Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Answer is what a server said.
type Answer struct {
	Status     int
	Header     http.Header
	HandedOver time.Time // when the body left
}

// Do sends req with the body in place of its own. Without an answer failed says
// what became of the attempt, as it does when nothing was begun; a call that
// left is unknown then, and idempotent tells whether a repetition does harm.
func (c *Client) Do(claim context.Context, req *http.Request, body []byte, deadline func() bool, idempotent bool) (answer Answer, failed *channel.Outcome) {
	a := &attempt{claim: claim, rest: bytes.NewReader(body), deadline: deadline, timeout: c.timeout}
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(context.WithoutCancel(claim))
	a.stop = context.AfterFunc(claim, a.cancel)
	defer a.end()
	req = req.WithContext(ctx)
	req.Body, req.GetBody, req.ContentLength = a, nil, int64(len(body)) // never sent a second time by the library
	resp, err := c.http.Do(req)
	if err != nil {
		o := a.failed(err, idempotent)
		return Answer{}, &o
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswerBytes) // only its status and headers count
	return Answer{resp.StatusCode, resp.Header, a.handedOver()}, nil
}

// attempt is the body of one call: it asks for the deadline right before its
// last byte goes out. ctx of the claim cuts it until then; afterwards only the
// answer's own time does.
type attempt struct {
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

func (a *attempt) failed(err error, idempotent bool) channel.Outcome {
	switch {
	case a.late.Load():
		return channel.NotBegun(channel.ReasonTooLate)
	case errors.Is(err, channel.ErrForbiddenAddress):
		return channel.Refused(channel.ReasonInvalidAddress, "")
	case a.handed.Load() != 0:
		return channel.Unknown(a.handedOver(), idempotent)
	case a.claim.Err() != nil:
		return channel.NotBegun(channel.ReasonTooLate)
	}
	return channel.NotBegun(channel.ReasonUnreachable)
}
