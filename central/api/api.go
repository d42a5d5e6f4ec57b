// Package api is the HTTP API of version 1 for programs of customers: lists of
// events and notifications with cursors, and a stream of both, by API key. The
// shapes are promises (openapi.yaml): absent is null and never left out, lists
// are never null, errors are problems as in RFC 9457. It keeps nothing and owns
// no goroutine; a stream lives in its request.
package api

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"vedetta/central/account"
	"vedetta/central/history"
	"vedetta/central/keys"
	"vedetta/central/web"
)

//go:embed openapi.yaml
var openapi []byte

// Limits of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// API answers below /api/.
type API struct {
	accounts *account.Accounts
	history  *history.History
	log      *slog.Logger
}

// New makes the handler.
func New(a *account.Accounts, h *history.History, log *slog.Logger) *API {
	return &API{a, h, log}
}

// Handler serves everything below /api/.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		w.Write(openapi) //nolint:errcheck // the client is gone
	})
	known := map[string]func(http.ResponseWriter, *http.Request, account.Caller) error{
		"/api/v1/events":        a.events,
		"/api/v1/notifications": a.notifications,
		"/api/v1/events/stream": a.stream,
	}
	for path, fn := range known {
		mux.Handle("GET "+path, a.called(fn))
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", "GET, HEAD")
			problem(w, http.StatusMethodNotAllowed, "only GET is answered here")
		})
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "there is nothing here; /api/v1/openapi.yaml says what there is")
	})
	return mux
}

// called finds out whose key it is and turns errors into problems.
func (a *API) called(fn func(http.ResponseWriter, *http.Request, account.Caller) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			key = ""
		}
		caller, err := a.accounts.Caller(r.Context(), time.Now(), strings.TrimSpace(key))
		if err == nil && !caller.May(account.ScopeRead) {
			problem(w, http.StatusForbidden, "the key lacks the scope "+account.ScopeRead)
			return
		}
		if err == nil {
			err = fn(w, r, caller)
		}
		var bad badParameter
		switch {
		case err == nil, r.Context().Err() != nil:
		case errors.Is(err, account.ErrNobody):
			w.Header().Set("WWW-Authenticate", `Bearer realm="vedetta"`)
			problem(w, http.StatusUnauthorized, "want an API key: Authorization: Bearer "+account.APIKeyPrefix+"...")
		case errors.As(err, &bad):
			problem(w, http.StatusBadRequest, bad.Error())
		case errors.Is(err, keys.ErrMissing), errors.Is(err, keys.ErrUnknown):
			w.Header().Set("Retry-After", "5")
			problem(w, http.StatusServiceUnavailable, "the keys to read this are missing for now; alarms are not affected")
		default:
			a.log.Error("API request failed", "path", r.URL.Path, "err", err)
			problem(w, http.StatusInternalServerError, "")
		}
	})
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
			return q, badParameter{strconv.Quote(name), "want only account, cursor, limit"}
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
