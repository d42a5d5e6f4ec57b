package portal

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"time"

	"vedetta/central/account"
	"vedetta/central/history"
	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/central/web"
)

// page is what every page's template gets.
type page struct {
	Lang     Language
	Title    string
	Text     string
	Path     string // to come back to after a change of language
	Section  string // of the navigation: events, log, panels, contacts, rules, account
	LoggedIn bool
	Notice   string // what was done just now
	Problems int    // of the form: the title says so
	Scripts  []string
	Content  any
}

// T is a text of the page's language.
func (p page) T(key string, args ...any) string { return p.Lang.T(key, args...) }

// N is a text of the page's language that depends on a number.
func (p page) N(key string, n int, args ...any) string { return p.Lang.N(key, n, args...) }

// visit is one request of somebody who is logged in.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	user account.User
	lang Language
}

// page begins a page of the section; title is a key.
func (v visit) page(section, title string, args ...any) page {
	pg := page{Lang: v.lang, Title: v.lang.T(title, args...), Path: v.r.URL.RequestURI(), Section: section, LoggedIn: true}
	if v.r.Method == http.MethodPost { // a page that answers a form can't be come back to
		pg.Path = "/"
		if back := v.r.Header.Get("Referer"); back != "" {
			if _, path, ok := strings.Cut(back, v.r.Host); ok {
				pg.Path = local(path)
			}
		}
	}
	if done := v.r.URL.Query().Get("done"); done != "" {
		pg.Notice = v.lang.Or("done."+done, "")
	}
	return pg
}

// to redirects after a form was carried out; done says what, by a word of the
// closed list "done.", never by a name.
func (v visit) to(path, done string) error {
	if done != "" {
		path += "?done=" + done
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// problem is a page that only says something, to anybody.
func (p *Portal) problem(w http.ResponseWriter, r *http.Request, status int, key string) {
	u, err := p.accounts.Session(r.Context(), time.Now(), p.token(r))
	l := p.words.Of(r, u.Language)
	pg := page{Lang: l, Title: l.T(key + ".title"), Text: l.T(key + ".text"), Path: "/", LoggedIn: err == nil}
	if r.Method == http.MethodGet {
		pg.Path = r.URL.RequestURI()
	}
	p.render(w, r, status, "message.html", pg)
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

var errNotFound = errors.New("there is no such thing of this customer")

// user serves fn to who is logged in, and sends all others to the login page,
// from where they come back.
func (p *Portal) user(fn func(visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		u, err := p.accounts.Session(r.Context(), time.Now(), p.token(r))
		if errors.Is(err, account.ErrNobody) {
			p.nobody(w, r)
			return
		}
		if err == nil && r.Method == http.MethodPost {
			err = r.ParseForm()
		}
		if err == nil {
			err = fn(visit{w, r, u, p.words.Of(r, u.Language)})
		}
		p.failed(w, r, err)
	}
}

func (p *Portal) nobody(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Accept") == "text/event-stream":
		w.WriteHeader(http.StatusNoContent) // a browser's stream then doesn't come back
	case r.Method == http.MethodPost: // what was typed is lost: said, not hidden
		pg := p.loginView(r, loginForm{Next: "/"})
		pg.Text = pg.T("login.ended")
		p.render(w, r, http.StatusUnauthorized, "login.html", pg)
	case r.URL.RequestURI() == "/":
		http.Redirect(w, r, "/login", http.StatusSeeOther)
	default:
		http.Redirect(w, r, loginFor(r.URL.RequestURI()), http.StatusSeeOther)
	}
}

func (p *Portal) failed(w http.ResponseWriter, r *http.Request, err error) {
	var large *http.MaxBytesError
	switch {
	case err == nil, r.Context().Err() != nil:
	case errors.Is(err, errNotFound), errors.Is(err, history.ErrCursor), errors.Is(err, premises.ErrCursor):
		p.problem(w, r, http.StatusNotFound, "not_found")
	case errors.As(err, &large):
		p.problem(w, r, http.StatusRequestEntityTooLarge, "too_large")
	case errors.Is(err, keys.ErrMissing), errors.Is(err, keys.ErrUnknown):
		w.Header().Set("Retry-After", "5")
		p.problem(w, r, http.StatusServiceUnavailable, "unavailable")
	default:
		// The value may hold what somebody typed: its type must do.
		p.log.Error("page failed", "method", r.Method, "path", r.URL.Path, "err", err)
		p.problem(w, r, http.StatusInternalServerError, "failed")
	}
}

// safely answers a page of ours when a handler panics before its answer has
// begun.
func (p *Portal) safely(next http.Handler) http.Handler {
	return web.Guard(p.log, next, func(w http.ResponseWriter, r *http.Request) {
		p.problem(w, r, http.StatusInternalServerError, "failed")
	})
}

// local is path when it leads to a page of ours, else the first page. Browsers
// drop tabs and line ends, so that "/\t/host" would be another's.
func local(path string) string {
	odd := func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, odd) {
		return "/"
	}
	return path
}
