// Package portal is what people see in the browser: the login page and the one
// live page of events with their notifications, in Italian and English. Pages
// are rendered here and complete without script; where script runs, a small
// file of our own keeps the page up to date from a stream. Nothing is inline,
// nothing comes from third parties, and the only cookies are those of session
// and language. It keeps nothing and owns no goroutine.
package portal

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"vedetta/central/account"
	"vedetta/central/history"
	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/central/web"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// Config of the portal; Secure and Proxies are the program's.
type Config struct {
	Secure  bool // browsers come by https: cookies say so
	Proxies web.Proxies
}

// Portal serves the pages.
type Portal struct {
	cfg      Config
	accounts *account.Accounts
	history  *history.History
	premises *premises.Premises
	words    *Words
	pages    *template.Template
	log      *slog.Logger
}

// New reads the embedded texts and templates.
func New(cfg Config, a *account.Accounts, h *history.History, p *premises.Premises, log *slog.Logger) (*Portal, error) {
	w, err := LoadWords()
	if err != nil {
		return nil, err
	}
	t, err := template.ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return &Portal{cfg, a, h, p, w, t, log}, nil
}

// Handler serves everything that no other part does.
func (p *Portal) Handler() (http.Handler, error) {
	static, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	files := http.StripPrefix("/static/", http.FileServerFS(static))
	mux.HandleFunc("GET /static/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=300")
		files.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /login", p.loginPage)
	mux.HandleFunc("POST /login", p.login)
	mux.HandleFunc("POST /logout", p.logout)
	mux.HandleFunc("POST /language", p.language)
	mux.HandleFunc("GET /{$}", p.user(p.live))
	mux.HandleFunc("GET /live", p.user(p.stream))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p.render(w, r, http.StatusNotFound, "message.html", p.page(r, "not_found.title", "not_found.text"))
	})
	// A form of another site is refused; cookies are SameSite=Lax besides.
	limited := http.MaxBytesHandler(mux, 64<<10)
	return http.NewCrossOriginProtection().Handler(limited), nil
}

// page is what every page's template gets.
type page struct {
	Lang     Language
	Title    string
	Text     string
	Path     string // to come back to after a change of language
	LoggedIn bool
	Content  any
}

// T is a text of the page's language.
func (p page) T(key string, args ...any) string { return p.Lang.T(key, args...) }

func (p *Portal) page(r *http.Request, title, text string) page {
	l := p.words.Of(r)
	pg := page{Lang: l, Title: l.T(title), Path: r.URL.RequestURI()}
	if text != "" {
		pg.Text = l.T(text)
	}
	return pg
}

// render writes a page whole or not at all.
func (p *Portal) render(w http.ResponseWriter, r *http.Request, status int, name string, pg page) {
	var b bytes.Buffer
	if err := p.pages.ExecuteTemplate(&b, name, pg); err != nil {
		p.log.Error("page not rendered", "page", name, "err", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", pg.Lang.Code)
	h.Set("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(b.Bytes()) //nolint:errcheck // the client is gone
	}
}

// user serves fn to who is logged in, and sends all others to the login page.
func (p *Portal) user(fn func(http.ResponseWriter, *http.Request, account.User) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, err := p.accounts.Session(r.Context(), time.Now(), p.token(r))
		if errors.Is(err, account.ErrNobody) {
			if r.Header.Get("Accept") == "text/event-stream" {
				w.WriteHeader(http.StatusNoContent) // a browser's stream then doesn't come back
				return
			}
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		if err == nil {
			err = fn(w, r, u)
		}
		p.failed(w, r, err)
	}
}

func (p *Portal) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case err == nil, r.Context().Err() != nil:
	case errors.Is(err, history.ErrCursor):
		p.render(w, r, http.StatusBadRequest, "message.html", p.page(r, "not_found.title", "not_found.text"))
	case errors.Is(err, keys.ErrMissing), errors.Is(err, keys.ErrUnknown):
		w.Header().Set("Retry-After", "5")
		p.render(w, r, http.StatusServiceUnavailable, "message.html", p.page(r, "unavailable.title", "unavailable.text"))
	default:
		p.log.Error("page failed", "path", r.URL.Path, "err", err)
		p.render(w, r, http.StatusInternalServerError, "message.html", p.page(r, "failed.title", "failed.text"))
	}
}
