package portal

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"vedetta/central/account"
)

func (p *Portal) cookieName() string {
	if p.cfg.Secure {
		return "__Host-vedetta" // the browser takes it from us alone
	}
	return "vedetta"
}

func (p *Portal) token(r *http.Request) string {
	c, err := r.Cookie(p.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

// setSession sets or, with an empty token, deletes the session's cookie. It
// ends with the browser; the session itself ends at the server.
func (p *Portal) setSession(w http.ResponseWriter, token string) {
	c := &http.Cookie{Name: p.cookieName(), Value: token, Path: "/", HttpOnly: true, Secure: p.cfg.Secure, SameSite: http.SameSiteLaxMode}
	if token == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// loginForm is what the login page shows beside its texts.
type loginForm struct {
	Email string
	Error string
	Next  string // page to go to afterwards
}

// loginFor is the login page that leads to path afterwards.
func loginFor(path string) string { return "/login?" + url.Values{"next": {path}}.Encode() }

func (p *Portal) loginView(r *http.Request, f loginForm) page {
	l := p.words.Of(r, "")
	pg := page{Lang: l, Title: l.T("login.title"), Text: l.T("login.intro"), Path: "/login", Content: f}
	if f.Next != "/" {
		pg.Path = loginFor(f.Next)
	}
	return pg
}

func (p *Portal) loginPage(w http.ResponseWriter, r *http.Request) {
	next := local(r.URL.Query().Get("next"))
	if _, err := p.accounts.Session(r.Context(), time.Now(), p.token(r)); err == nil {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	p.render(w, r, http.StatusOK, "login.html", p.loginView(r, loginForm{Next: next}))
}

func (p *Portal) login(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.failed(w, r, err)
		return
	}
	email, password := strings.TrimSpace(r.PostFormValue("email")), r.PostFormValue("password")
	next := local(r.PostFormValue("next"))
	again := func(status int, text string) {
		pg := p.loginView(r, loginForm{Email: email, Next: next})
		pg.Content = loginForm{Email: email, Next: next, Error: pg.T(text)}
		pg.Problems = 1
		p.render(w, r, status, "login.html", pg)
	}
	if email == "" || password == "" || len(email) > 320 || len(password) > account.MaxPassword {
		again(http.StatusUnprocessableEntity, "login.wrong")
		return
	}
	token, err := p.accounts.Login(r.Context(), time.Now(), p.client(r), email, password)
	switch {
	case errors.Is(err, account.ErrWrong):
		again(http.StatusUnprocessableEntity, "login.wrong")
	case errors.Is(err, account.ErrTooMany):
		w.Header().Set("Retry-After", "600")
		again(http.StatusTooManyRequests, "login.too_many")
	case err != nil:
		p.failed(w, r, err)
	default:
		if old := p.token(r); old != "" { // a session never outlives the next login on the same device
			if err := p.accounts.Logout(r.Context(), old); err != nil {
				p.log.Error("former session not ended", "err", err)
			}
		}
		p.setSession(w, token)
		http.Redirect(w, r, next, http.StatusSeeOther)
	}
}

func (p *Portal) client(r *http.Request) account.Client {
	return account.Client{Address: p.cfg.Proxies.Client(r), Agent: r.UserAgent()}
}

func (p *Portal) logout(w http.ResponseWriter, r *http.Request) {
	if err := p.accounts.Logout(r.Context(), p.token(r)); err != nil {
		p.failed(w, r, err)
		return
	}
	p.setSession(w, "")
	w.Header().Set("Clear-Site-Data", `"cache"`) // never "storage": that would end the device's push subscription, and nobody would know
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

const languageCookie = "vedetta_language"

// language keeps the choice, with the user who is logged in and in a cookie,
// and goes back to the page.
func (p *Portal) language(w http.ResponseWriter, r *http.Request) {
	if to := r.PostFormValue("to"); p.words.Has(to) {
		http.SetCookie(w, p.languageCookie(to))
		u, err := p.accounts.Session(r.Context(), time.Now(), p.token(r))
		if err == nil {
			err = p.accounts.SetLanguage(r.Context(), u.ID, to)
		}
		if err != nil && !errors.Is(err, account.ErrNobody) {
			p.failed(w, r, err)
			return
		}
	}
	http.Redirect(w, r, local(r.PostFormValue("back")), http.StatusSeeOther)
}

func (p *Portal) languageCookie(code string) *http.Cookie {
	return &http.Cookie{Name: languageCookie, Value: code, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: p.cfg.Secure, SameSite: http.SameSiteLaxMode}
}
