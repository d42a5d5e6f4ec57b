// Package web holds what every page and answer of central has in common: the
// security headers, the client's address behind a proxy, server-sent events,
// and the recovery of a handler that panics. It keeps nothing.
package web

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"
)

// Policy is the content security policy of every answer: nothing from others,
// nothing inline.
const Policy = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"

// Headers sets the headers that every answer has. secure says that browsers
// reach us by https only.
func Headers(secure bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", Policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store") // pages and answers are personal; static files set their own
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// Recover answers 500 when a handler panics, and logs where. The request's
// path is logged, its query and body never.
func Recover(log *slog.Logger, next http.Handler) http.Handler {
	return Guard(log, next, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
}

// Guard logs where a handler panics and has failed answer in its place. When the
// answer had begun, the connection is cut: what is half written must not look whole.
func Guard(log *slog.Logger, next http.Handler, failed http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(plain http.ResponseWriter, r *http.Request) {
		w := &answer{ResponseWriter: plain}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			// The value may hold what somebody typed: its type must do.
			log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
			if w.begun {
				panic(http.ErrAbortHandler)
			}
			failed(w, r)
		}()
		next.ServeHTTP(w, r)
	})
}

// answer knows whether it has begun.
type answer struct {
	http.ResponseWriter
	begun bool
}

func (a *answer) WriteHeader(status int) {
	a.begun = a.begun || status >= http.StatusOK
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(b)
}

// FlushError is what http.ResponseController calls: it begins an answer too.
func (a *answer) FlushError() error {
	a.begun = true
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Proxies are the networks whose X-Forwarded-For is believed.
type Proxies []netip.Prefix

// Client is the address that a request comes from: the last one of
// X-Forwarded-For that is no proxy of ours, when the peer is one.
func (p Proxies) Client(r *http.Request) netip.Addr {
	peer := peerOf(r)
	if !p.has(peer) {
		return peer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return peer
		}
		if peer = a.Unmap(); !p.has(peer) {
			return peer
		}
	}
	return peer
}

func (p Proxies) has(a netip.Addr) bool {
	for _, n := range p {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

func peerOf(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// Stream writes server-sent events.
type Stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// writeWithin ends a stream whose reader has stopped reading.
const writeWithin = 20 * time.Second

// NewStream begins the answer.
func NewStream(w http.ResponseWriter) *Stream {
	s := &Stream{w, http.NewResponseController(w)}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx must not hold it back
	return s
}

// Send writes one event; data must not hold line breaks.
func (s *Stream) Send(id int64, name string, data []byte) error {
	return s.write("id: %d\nevent: %s\ndata: %s\n\n", id, name, data)
}

// Tell writes one event that can't be come back to; data must not hold line
// breaks.
func (s *Stream) Tell(name string, data []byte) error {
	return s.write("event: %s\ndata: %s\n\n", name, data)
}

// Alive writes a comment; the first also tells how soon to come back.
func (s *Stream) Alive() error { return s.write("retry: 1000\n: alive\n\n") }

func (s *Stream) write(format string, args ...any) error {
	if err := s.rc.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	if _, err := fmt.Fprintf(s.w, format, args...); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	if err := s.rc.Flush(); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	return nil
}
