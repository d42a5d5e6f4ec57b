// Package api is the HTTP API of version 1 for programs of customers, by API
// key: events and notifications with cursors and as a stream, and panels,
// contacts and rules to read and change, and reconcile's cases about them.
//
// The shapes are promises (openapi.yaml): absent is null and never left out,
// lists are never null, errors are problems as in RFC 9457 that name every
// faulty field. A POST with an Idempotency-Key has its effect once; a PATCH or
// DELETE with If-Match only on the state that was read. What may be entered is
// for premises to say. It owns no goroutine; a stream lives in its request.
package api

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedetta/central/account"
	"vedetta/central/discovery"
	"vedetta/central/history"
	"vedetta/central/keys"
	"vedetta/central/panelimport"
	"vedetta/central/premises"
	"vedetta/central/silence"
	"vedetta/central/store"
	"vedetta/central/watch"
	"vedetta/central/web"
)

//go:embed openapi.yaml
var openapi []byte

// Limits of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Config of the API; zero means default.
type Config struct {
	Await time.Duration `koanf:"await"` // how long a change waits for the mesh to have it before it is answered; 2s, less than nothing: not at all
}

// WithDefaults fills what is zero.
func (c Config) WithDefaults() Config {
	if c.Await == 0 {
		c.Await = 2 * time.Second
	}
	return c
}

// Parts are what the API stands on.
type Parts struct {
	DB       *store.DB
	Ring     *keys.Ring
	Accounts *account.Accounts
	History  *history.History
	Premises *premises.Premises
	Cases    Cases

	Discovery *discovery.Discovery
	Watch     *watch.Watch
	Mesh      silence.Mesh
	Client    func(*http.Request) netip.Addr // address that a request comes from
}

// API answers below /api/.
type API struct {
	mesh     silence.Mesh
	cfg      Config
	db       *store.DB
	ring     *keys.Ring
	accounts *account.Accounts
	history  *history.History
	premises *premises.Premises
	cases    Cases
	log      *slog.Logger
	routes   []string

	discovery *discovery.Discovery
	watch     *watch.Watch
	client    func(*http.Request) netip.Addr
	imports   *panelimport.Importer
}

// New makes the handler.
func New(cfg Config, p Parts, log *slog.Logger) *API {
	return &API{cfg: cfg.WithDefaults(), db: p.DB, ring: p.Ring, accounts: p.Accounts, history: p.History, premises: p.Premises, cases: p.Cases, discovery: p.Discovery, watch: p.Watch, mesh: p.Mesh, client: p.Client, imports: panelimport.New(p.DB, p.Ring, p.Premises), log: log}
}

// handler answers a request of a known caller.
type handler func(http.ResponseWriter, *http.Request, account.Caller) error

// Handler serves everything below /api/.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		w.Write(openapi) //nolint:errcheck // the client is gone
	})
	a.route(mux, "/api/v1/events", map[string]handler{"GET": a.events})
	a.route(mux, "/api/v1/notifications", map[string]handler{"GET": a.notifications})
	a.route(mux, "/api/v1/cases", map[string]handler{"GET": a.listCases})
	a.route(mux, "/api/v1/events/stream", map[string]handler{"GET": a.stream})
	a.route(mux, importPath, map[string]handler{"POST": a.importPanels})
	a.route(mux, "/api/v1/panels/import/template", map[string]handler{"GET": a.importTemplate})
	a.route(mux, "/api/v1/imports/{id}", map[string]handler{"GET": a.oneImport})
	a.route(mux, "/api/v1/imports/{id}/report", map[string]handler{"GET": a.importReport})
	a.operatorRoute(mux, "/api/v1/unknown-panels", map[string]handler{"GET": a.listUnknown})
	a.operatorRoute(mux, "/api/v1/unknown-panels/{id}", map[string]handler{"GET": a.oneUnknown})
	a.operatorRoute(mux, "/api/v1/unknown-panels/{id}/adopt", map[string]handler{"POST": a.adopt})
	a.operatorRoute(mux, "/api/v1/adoptions/{id}", map[string]handler{"GET": a.adoption})
	a.operatorRoute(mux, "/api/v1/customers", map[string]handler{"GET": a.listCustomers})
	a.route(mux, "/api/v1/panels/{id}/supervision", map[string]handler{"GET": a.supervision})
	a.route(mux, "/api/v1/panels/{id}/attempts", map[string]handler{"GET": a.attempts})
	a.route(mux, "/api/v1/panels/{id}/attempts/stream", map[string]handler{"GET": a.followAttempts})
	a.operatorRoute(mux, "/api/v1/attempts", map[string]handler{"GET": a.allAttempts})
	a.operatorRoute(mux, "/api/v1/attempts/stream", map[string]handler{"GET": a.followAllAttempts})
	serve(a, mux, a.panels())
	a.route(mux, "/api/v1/panels/{id}/promote-key", map[string]handler{"POST": a.promoteKey})
	serve(a, mux, a.contacts())
	serve(a, mux, a.rules())
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "there is nothing here; /api/v1/openapi.yaml says what there is")
	})
	return mux
}

// route answers a path's methods, and refuses the others.
func (a *API) route(mux *http.ServeMux, path string, methods map[string]handler) {
	a.routeFor(mux, path, "", methods)
}

// operatorRoute answers keys of operators only.
func (a *API) operatorRoute(mux *http.ServeMux, path string, methods map[string]handler) {
	a.routeFor(mux, path, account.ScopeOperator, methods)
}

// routeFor asks for the scope, or for the one that the method needs.
func (a *API) routeFor(mux *http.ServeMux, path, needed string, methods map[string]handler) {
	allow := []string{}
	for method, fn := range methods {
		scope := account.ScopeWrite
		if method == http.MethodGet {
			scope = account.ScopeRead
			allow = append(allow, http.MethodHead)
		}
		if needed != "" {
			scope = needed
		}
		allow = append(allow, method)
		mux.Handle(method+" "+path, a.called(scope, fn))
		a.routes = append(a.routes, method+" "+path)
	}
	slices.Sort(allow)
	list := strings.Join(allow, ", ")
	refuse := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", list)
		problem(w, http.StatusMethodNotAllowed, "only "+list+" are answered here")
	}
	if path != importPath {
		mux.HandleFunc(path, refuse)
		return
	}
	// A pattern for every method would contend with that of a panel's id.
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		mux.HandleFunc(method+" "+path, refuse)
	}
}

// importPath has the form of a panel's path, and is none.
const importPath = "/api/v1/panels/import"

// Routes lists method and path of everything that Handler answers with a key.
func (a *API) Routes() []string { return slices.Clone(a.routes) }

// called finds out whose key it is and turns errors into problems.
func (a *API) called(scope string, fn handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := a.caller(r)
		if err == nil && !caller.May(scope) {
			problem(w, http.StatusForbidden, "the key lacks the scope "+scope)
			return
		}
		if err == nil {
			err = fn(w, r, caller)
		}
		if err == nil || r.Context().Err() != nil || refuse(w, err) {
			return
		}
		a.log.Error("API request failed", "method", r.Method, "path", r.Pattern, "err", err)
		problem(w, http.StatusInternalServerError, "")
	})
}

// caller is whose key the request has brought.
func (a *API) caller(r *http.Request) (account.Caller, error) {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		key = ""
	}
	return a.accounts.Caller(r.Context(), time.Now(), strings.TrimSpace(key))
}

// badParameter says which query parameter is wrong and what was expected.
type badParameter struct{ name, want string }

func (b badParameter) Error() string { return "query parameter " + b.name + ": " + b.want }

func (a *API) events(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	return list(w, r, c, a.history.Events)
}

func (a *API) notifications(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	return list(w, r, c, a.history.Notifications)
}

func list[T any](w http.ResponseWriter, r *http.Request, c account.Caller, read reader[T]) error {
	q, err := query(r)
	if err != nil {
		return err
	}
	p, err := read(r.Context(), c.Customer, q)
	if errors.Is(err, history.ErrCursor) {
		return badParameter{"cursor", err.Error()}
	} else if err != nil {
		return err
	}
	return answer(w, p)
}

func query(r *http.Request) (history.Query, error) {
	q := history.Query{Limit: defaultLimit}
	for name, values := range r.URL.Query() {
		v := values[0]
		switch name {
		case "account":
			if !accountForm(v) {
				return q, badParameter{name, "want 3 to 16 hex digits"}
			}
			q.Account = v
		case "cursor":
			q.Cursor = v
		case "limit":
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > maxLimit {
				return q, badParameter{name, fmt.Sprintf("want 1 to %d", maxLimit)}
			}
			q.Limit = n
		default:
			return q, badParameter{strconv.Quote(clip(name)), "want only account, cursor, limit"}
		}
	}
	return q, nil
}

func accountForm(s string) bool {
	if len(s) < 3 || len(s) > 16 {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", c) })
}

// stream sends what is new or changed as it comes. Without Last-Event-ID (or
// ?after=) it begins now.
func (a *API) stream(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	after, err := lastEventID(r)
	if err != nil {
		return err
	}
	if after < 0 {
		if after, err = a.history.LastChange(r.Context(), c.Customer); err != nil {
			return err
		}
	}
	s := web.NewStream(w)
	if err := s.Alive(); err != nil {
		return nil // the client is gone
	}
	err = a.history.Follow(r.Context(), c.Customer, after, func(changes []history.Change) error {
		if _, err := a.caller(r); err != nil {
			return err // the key was withdrawn meanwhile
		}
		if len(changes) == 0 {
			return s.Alive()
		}
		for _, ch := range changes {
			data, err := a.changed(r, c.Customer, ch)
			if err != nil {
				return err
			}
			if data == nil {
				continue
			}
			if err := s.Send(ch.Seq, ch.Name, data); err != nil {
				return err
			}
		}
		return nil
	})
	if r.Context().Err() == nil {
		a.log.Info("stream ended", "err", err)
	}
	return nil // the answer has begun, a problem can't be sent any more
}

func (a *API) changed(r *http.Request, customer string, ch history.Change) ([]byte, error) {
	if ch.Name == history.ChangePanel {
		b, err := a.premises.Panel(r.Context(), customer, ch.Ref)
		if errors.Is(err, premises.ErrNone) {
			return json.Marshal(map[string]any{"id": ch.Ref, "deleted": true})
		} else if err != nil {
			return nil, err
		}
		return json.Marshal(b)
	}
	if ch.Name == history.ChangeNotification {
		n, ok, err := a.history.Notification(r.Context(), customer, ch.Ref)
		if err != nil || !ok {
			return nil, err
		}
		return json.Marshal(n)
	}
	e, ok, err := a.history.Event(r.Context(), customer, ch.Ref)
	if err != nil || !ok {
		return nil, err
	}
	return json.Marshal(e)
}

func lastEventID(r *http.Request) (int64, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("after")
	}
	if text == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, badParameter{"after", "want an id as the stream gave it"}
	}
	return n, nil
}
