// Package status answers what a machine or a person asks of one node over
// HTTP: /healthz (alive), /readyz (would acknowledge an alarm now), /metrics
// and /status. The first two are open; the others are for loopback or for who
// brings the token. It reads what it is given and changes nothing, but for /bans:
// there an operator lifts one.
package status

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"vedetta/cluster/daemon"
	"vedetta/cluster/env"
	"vedetta/node/readiness"
)

// Config is where and to whom it answers.
type Config struct {
	Listen  string
	Token   string // empty: /metrics and /status to loopback only
	Profile bool   // serve /debug/pprof/ too, to loopback only
}

// Parts are what is asked at every request.
type Parts struct {
	Gather  prometheus.Gatherer
	Verdict func() readiness.Verdict // for /readyz, which is asked often
	Status  func() Status
	Bans    func() []Ban                // all that are in force
	Lift    func(netip.Prefix) []string // ends those that it touches and names them
}

// Server answers the endpoints.
type Server struct {
	cfg      Config
	env      env.Env
	parts    Parts
	page     *page
	listener net.Listener
}

// New binds the address, so that a taken port is known before anything starts;
// Run serves.
func New(ctx context.Context, cfg Config, e env.Env, parts Parts) (*Server, error) {
	pg, err := newPage()
	if err != nil {
		return nil, err
	}
	l, err := e.Net.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("status.listen %s: %w", cfg.Listen, err)
	}
	return &Server{cfg: cfg, env: e, parts: parts, page: pg, listener: l}, nil
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.managed(promhttp.HandlerFor(s.parts.Gather, promhttp.HandlerOpts{})))
	mux.Handle("GET /status", s.managed(http.HandlerFunc(s.status)))
	mux.Handle("GET /bans", s.managed(http.HandlerFunc(s.bans)))
	mux.Handle("DELETE /bans", s.managed(http.HandlerFunc(s.lift)))
	if s.cfg.Profile {
		runtime.SetMutexProfileFraction(20)
		runtime.SetBlockProfileRate(int(100 * time.Microsecond))
		mux.Handle("GET /debug/pprof/", loopback(http.HandlerFunc(pprof.Index)))
		mux.Handle("GET /debug/pprof/profile", loopback(http.HandlerFunc(pprof.Profile)))
		mux.Handle("GET /debug/pprof/trace", loopback(http.HandlerFunc(pprof.Trace)))
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("status.listen: %w", err)
	}
	return nil
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"alive": true})
}

func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	v := s.parts.Verdict()
	code := http.StatusOK
	if !v.Ready {
		code = http.StatusServiceUnavailable
	}
	writeJSON(w, code, map[string]any{"ready": v.Ready, "reasons": v.Reasons})
}

// loopback lets nobody else pass: a profile shows what is in memory.
func loopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !daemon.FromThisMachine(r) {
			http.Error(w, "profiles are for loopback only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// managed lets loopback and the token's bearer pass.
func (s *Server) managed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if daemon.FromThisMachine(r) {
			next.ServeHTTP(w, r)
			return
		}
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || s.cfg.Token == "" || subtle.ConstantTimeCompare([]byte(token), []byte(s.cfg.Token)) != 1 {
			http.Error(w, "want loopback, by an address or as localhost, or the management token (status.token_file)", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	st := s.parts.Status()
	if wantsPage(r) {
		if err := s.page.write(w, r, st); err != nil {
			s.env.Log.Warn("status page not written", "error", err)
		}
		return
	}
	writeJSON(w, http.StatusOK, st)
}

func (s *Server) bans(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"bans": s.parts.Bans()})
}

// lift takes ?address=, an address or a network. It is a DELETE so that no page in
// an operator's browser can ask for it unasked.
func (s *Server) lift(w http.ResponseWriter, r *http.Request) {
	text := r.URL.Query().Get("address")
	network, err := netip.ParsePrefix(text)
	if a, bad := netip.ParseAddr(text); bad == nil {
		a = a.Unmap().WithZone("")
		network, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil {
		http.Error(w, "address: want an address such as 192.0.2.1 or a network such as 2001:db8::/64", http.StatusBadRequest)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"lifted": s.parts.Lift(network)})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	// The reader may be gone; there is nobody to tell.
	_ = enc.Encode(v)
}
