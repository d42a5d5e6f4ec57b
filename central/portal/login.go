package portal

import (
	"errors"
	"net/http"
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
}

func (p *Portal) loginPage(w http.ResponseWriter, r *http.Request) {
	if _, err := p.accounts.Session(r.Context(), time.Now(), p.token(r)); err == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	pg := p.page(r, "login.title", "")
	pg.Content = loginForm{}
	p.render(w, r, http.StatusOK, "login.html", pg)
}

func (p *Portal) login(w http.ResponseWriter, r *http.Request) {
	email, password := strings.TrimSpace(r.PostFormValue("email")), r.PostFormValue("password")
	again := func(status int, text string) {
		pg := p.page(r, "login.title", "")
		pg.Content = loginForm{Email: email, Error: pg.T(text)}
		p.render(w, r, status, "login.html", pg)
	}
	if email == "" || password == "" || len(email) > 320 || len(password) > 1024 {
		again(http.StatusUnprocessableEntity, "login.wrong")
		return
	}
	from := account.Client{Address: p.cfg.Proxies.Client(r), Agent: r.UserAgent()}
	token, err := p.accounts.Login(r.Context(), time.Now(), from, email, password)
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
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

func (p *Portal) logout(w http.ResponseWriter, r *http.Request) {
	if err := p.accounts.Logout(r.Context(), p.token(r)); err != nil {
		p.failed(w, r, err)
		return
	}
	p.setSession(w, "")
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

const languageCookie = "vedetta_language"

// language sets the language's cookie and goes back to the page.
func (p *Portal) language(w http.ResponseWriter, r *http.Request) {
	if to := r.PostFormValue("to"); p.words.Has(to) {
		http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: to, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, Secure: p.cfg.Secure, SameSite: http.SameSiteLaxMode})
	}
	back := r.PostFormValue("back")
	if !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n") {
		back = "/"
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}
