// Package catcher is a real mail server, webhook receiver and push service
// that keeps what arrived, so that people and tests can look at it. It is the
// browsers behind the push service as well and opens what they would. Its
// checks of push are its own: what sends is not judged by what it was made
// with. `vedettactl local up` runs one in place of the Internet.
//
// It promises to keep a message before it answers for it, also over a restart
// when a file is configured, and never to pass anything on. Faults can be
// asked for (PUT /fault), such as "did it, then cut the line". It holds what
// it is sent in plain: give it made-up data only.
//
// # HTTP
//
//	GET    /messages   [{"id","to","subject","text","html","headers","received"}], oldest first
//	GET    /webhooks   [{"id","headers","body","received"}], id is the webhook-id
//	GET    /pushes     [{"id","topic","tag","payload","headers","received"}], opened; id is the notification's; one topic may stand there several times
//	POST   /hook       takes a webhook; every path below it as well
//	POST   /push/subscriptions  a new browser: {"endpoint","p256dh","auth"}; {"application_server_key"} binds it to a VAPID key
//	POST   /push/{id}  takes a push message; DELETE ends the subscription, 410 from then on
//	GET    /           the same for people
//	DELETE /           forgets everything but the browsers; DELETE /messages, /webhooks and /pushes one kind
//	GET, PUT /fault    {"mail":Fault,"webhook":Fault,"push":Fault}
//
// # File, version 1
//
// One JSON object per line: {"v":1,"kind":"message"|"webhook"|"push"|"device"|"clear", ...}. A
// last line without its end is what a crash left; it is cut off at start.
package catcher

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/cluster/env"
)

// Config says where the catcher listens and what it keeps.
type Config struct {
	HTTP string      // host:port
	SMTP string      // host:port
	File string      // JSON lines; empty: memory only
	TLS  *tls.Config // offers STARTTLS with it; nil: plain only
	// Faults that hold from the start.
	Faults Faults
}

// Catcher is both servers and what they have kept.
type Catcher struct {
	cfg    Config
	env    env.Env
	shelf  *shelf
	faults *faultBox
	ready  chan struct{} // closed once both addresses are bound; the fields below are set before
	http   net.Addr
	smtp   net.Addr
}

// New reads the file; it opens no socket.
func New(cfg Config, e env.Env) (*Catcher, error) {
	s, err := openShelf(cfg.File)
	if err != nil {
		return nil, err
	}
	f, err := newFaultBox(cfg.Faults)
	if err != nil {
		return nil, err
	}
	return &Catcher{cfg: cfg, env: e, shelf: s, faults: f, ready: make(chan struct{})}, nil
}

// Run listens and serves until ctx ends. It is called once.
func (c *Catcher) Run(ctx context.Context) error {
	defer c.shelf.close()
	web, err := c.env.Net.Listen(ctx, "tcp", c.cfg.HTTP)
	if err != nil {
		return fmt.Errorf("catcher: HTTP on %s: %w", c.cfg.HTTP, err)
	}
	mail, err := c.env.Net.Listen(ctx, "tcp", c.cfg.SMTP)
	if err != nil {
		web.Close()
		return fmt.Errorf("catcher: SMTP on %s: %w", c.cfg.SMTP, err)
	}
	c.http, c.smtp = web.Addr(), mail.Addr()
	close(c.ready)

	g, ctx := errgroup.WithContext(ctx)
	hs := &http.Server{
		Handler: c.handler(ctx), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	ms := c.mailServer(ctx)
	g.Go(func() error {
		if err := hs.Serve(web); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("catcher: HTTP: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		if err := ms.Serve(mail); err != nil && ctx.Err() == nil {
			return fmt.Errorf("catcher: SMTP: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		err := errors.Join(hs.Close(), ms.Close())
		mail.Close() // a Serve that begins after Close would listen for ever
		return err
	})
	return g.Wait()
}

// Addresses waits until both ports are bound and returns them.
func (c *Catcher) Addresses(ctx context.Context) (web, mail string, err error) {
	select {
	case <-c.ready:
		return c.http.String(), c.smtp.String(), nil
	case <-ctx.Done():
		return "", "", fmt.Errorf("catcher: not listening yet: %w", ctx.Err())
	}
}

// SetFaults changes what goes wrong from now on.
func (c *Catcher) SetFaults(f Faults) error { return c.faults.set(f) }

// Messages are the mails kept, oldest first.
func (c *Catcher) Messages() []Message { m, _, _ := c.shelf.list(); return m }

// Webhooks are the calls kept, oldest first.
func (c *Catcher) Webhooks() []Webhook { _, w, _ := c.shelf.list(); return w }

// Pushes are the push messages kept, oldest first.
func (c *Catcher) Pushes() []Push { _, _, p := c.shelf.list(); return p }
