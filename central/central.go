// Package central is the service that customers see: it holds accounts and
// premises, publishes rosters to the mesh, follows the mesh's journals, and
// shows events and notifications on a page and by an API.
//
// The mesh alerts fully without it. Without the mesh it runs, says that keys
// are missing, and continues where it was once a node is reached. Everything
// personal that it stores is sealed. Run is the wiring and owns all goroutines.
package central

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"vedetta/central/account"
	"vedetta/central/api"
	"vedetta/central/discovery"
	"vedetta/central/history"
	"vedetta/central/ingest"
	"vedetta/central/keys"
	"vedetta/central/panelimport"
	"vedetta/central/portal"
	"vedetta/central/premises"
	"vedetta/central/reconcile"
	"vedetta/central/store"
	"vedetta/central/watch"
	"vedetta/central/web"
	"vedetta/cluster/config"
	"vedetta/cluster/daemon"
	"vedetta/cluster/env"
	"vedetta/cluster/link"
)

// stopWithin bounds the end of requests that are being answered at a stop.
const stopWithin = 5 * time.Second

// Run runs central until ctx ends; then it returns nil. A receive on reload
// reads the certificates again.
func Run(ctx context.Context, cfg Config, reload <-chan os.Signal, logTo io.Writer) error {
	started := time.Now()
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	e := env.Real(slog.New(slog.NewJSONHandler(logTo, &slog.HandlerOptions{Level: level(cfg.Log.Level)})), metrics)

	// Ports first: a second central on the same ones must not touch the data.
	public, err := e.Net.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return daemon.BadConfig{Err: fmt.Errorf("key listen: cannot listen on %s: %w", cfg.Listen, err)}
	}
	defer public.Close() //nolint:errcheck // closed by its server before
	var managed net.Listener
	if cfg.Status.Listen != "" {
		if managed, err = e.Net.Listen(ctx, "tcp", cfg.Status.Listen); err != nil {
			return daemon.BadConfig{Err: fmt.Errorf("key status.listen: cannot listen on %s: %w", cfg.Status.Listen, err)}
		}
		defer managed.Close() //nolint:errcheck // closed by its server before
	}
	token, err := config.Secret("status.token_file", cfg.Status.TokenFile)
	if err != nil {
		return daemon.BadConfig{Err: err}
	}
	proxies, err := cfg.proxies()
	if err != nil {
		return daemon.BadConfig{Err: err}
	}
	var secrets demoSecrets
	if cfg.Demo != (DemoConfig{}) {
		if secrets, err = cfg.Demo.secrets(); err != nil {
			return daemon.BadConfig{Err: err}
		}
	}
	client, err := link.NewClient(cfg.Mesh.client(), e.Split("link"))
	if err != nil {
		return daemon.BadConfig{Err: err}
	}
	db, err := openStore(ctx, filepath.Join(cfg.Data, "central.db"), e.Log)
	if err != nil {
		return daemon.BadStorage{Err: err}
	}
	defer db.Close() //nolint:errcheck // everything is committed

	nodes := newMesh(client, cfg.Mesh.Nodes)
	ring := keys.New(nodes, e.Split("keys"))
	owned := premises.New(premises.Config{AllowPrivate: cfg.Channel.AllowPrivate}, db, ring)
	publisher := premises.NewPublisher(owned, nodes, e.Split("premises"))
	events := history.New(db, ring)
	strangers := discovery.New(db, ring, owned, nodes, e.Split("discovery"))
	follower := ingest.New(db, ring, events.Hub, owned, strangers, e.Split("ingest"))
	accounts, err := account.New(cfg.Account, db, ring)
	if err != nil {
		return err
	}
	imports := panelimport.New(db, ring, owned)
	watching := watch.New(watch.Config{AllowPrivate: cfg.Channel.AllowPrivate}, nodes, events, e.Split("watch"))
	pages, err := portal.New(portal.Config{Secure: cfg.secure(), Proxies: proxies, Receivers: cfg.Portal.receivers()}, portal.Parts{
		Accounts: accounts, History: events, Premises: owned, Mesh: nodes, Watch: watching, Discovery: strangers, Imports: imports}, e.Split("portal").Log)
	if err != nil {
		return err
	}
	site, err := pages.Handler()
	if err != nil {
		return err
	}
	checker := reconcile.New(cfg.Reconcile, db, ring, owned, nodes, e.Split("reconcile"))
	h := &health{checker: checker, started: started, data: cfg.Data, cert: cfg.Mesh.CertFile, token: token, metrics: metrics, peers: client.Status,
		ready: func() []string {
			if !ring.Ready() {
				return []string{reasonKeys}
			}
			return []string{}
		},
		lags: func() map[string]lag {
			entries, seconds := follower.Lag(time.Now())
			out := publisher.Lag()
			return map[string]lag{"ingest": {entries, seconds}, "roster": {out.Entries, out.Seconds}}
		},
	}
	mux := http.NewServeMux()
	mux.Handle("/", site)
	mux.Handle("/api/", api.New(cfg.API, api.Parts{DB: db, Ring: ring, Accounts: accounts, History: events, Premises: owned, Cases: checker, Discovery: strangers, Watch: watching, Mesh: nodes, Client: proxies.Client}, e.Split("api").Log).Handler())
	h.open(mux)

	g, ctx := errgroup.WithContext(ctx)
	if managed != nil {
		m := http.NewServeMux()
		h.open(m)
		h.managed(m)
		g.Go(func() error { return serve(ctx, managed, m) })
	} else {
		h.managed(mux)
	}
	handler := web.Recover(e.Log, web.Headers(cfg.secure(), mux))
	g.Go(func() error { return serve(ctx, public, handler) })
	g.Go(func() error { return ended(client.Run(ctx)) })
	g.Go(func() error { return ended(ring.Run(ctx)) })
	g.Go(func() error { return broken(publisher.Run(ctx)) })
	g.Go(func() error { return broken(follower.Run(ctx, nodes)) })
	g.Go(func() error { return broken(checker.Run(ctx)) })
	g.Go(func() error { return broken(strangers.Run(ctx)) })
	g.Go(func() error { return broken(imports.Run(ctx)) })
	g.Go(func() error { return reloadOn(ctx, reload, client, e.Log) })
	if cfg.Demo != (DemoConfig{}) {
		d := &demo{cfg.Demo, secrets, db, ring, owned, accounts, follower.CustomerAdded}
		g.Go(func() error { return d.Run(ctx) })
	}
	e.Log.Info("central runs", "listen", cfg.Listen, "version", version())
	return g.Wait()
}

func openStore(ctx context.Context, path string, log *slog.Logger) (*store.DB, error) {
	db, err := store.Open(ctx, path)
	if !errors.Is(err, store.ErrNone) {
		return db, err
	}
	log.Warn("there is no database here, an empty one is made", "path", path)
	if err := store.Create(path); err != nil {
		return nil, err
	}
	return store.Open(ctx, path)
}

// serve answers until ctx ends; streams end with it, other requests have a
// moment.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)} // strangers' broken handshakes
	done := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		err := s.Shutdown(late)
		if err != nil {
			err = s.Close()
		}
		done <- err
	})
	err := s.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return <-done
	}
	stop()
	return fmt.Errorf("serve %s: %w", l.Addr(), err)
}

func reloadOn(ctx context.Context, reload <-chan os.Signal, c *link.Client, log *slog.Logger) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-reload:
			if err := c.Reload(); err != nil {
				log.Error("certificates not read again, the former ones stay", "err", err)
			} else {
				log.Info("certificates read again")
			}
		}
	}
}

// ended makes a stop that was asked for no error.
func ended(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// broken is what a follower of the store ended with: nothing, or the disk.
func broken(err error) error {
	if err = ended(err); err != nil {
		return daemon.BadStorage{Err: err}
	}
	return nil
}

func level(name string) slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(name)); err != nil {
		return slog.LevelInfo // checked before; empty is info
	}
	return l
}
