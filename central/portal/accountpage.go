package portal

import (
	"errors"
	"net/http"
	"time"

	"vedetta/central/account"
)

// accountPage is the user's own settings.
type accountPage struct {
	*form
	Email              string
	Present, Next, Rep input
}

func (p *Portal) account(v visit) error { return p.showAccount(v, nil) }

// Errors of the change of password that only the page can see.
var errRepeat = errors.New("the new password was typed differently")

// changePassword changes it and ends the other sessions.
func (p *Portal) changePassword(v visit) error {
	present, next := v.r.PostFormValue("present"), v.r.PostFormValue("next")
	err := errRepeat
	if next == v.r.PostFormValue("repeat") {
		err = p.accounts.ChangePassword(v.r.Context(), time.Now(), p.client(v.r), v.user, p.token(v.r), present, next)
	}
	if err != nil {
		return p.showAccount(v, err)
	}
	return v.to("/account", "password")
}

func (p *Portal) showAccount(v visit, err error) error {
	email, failed := p.accounts.Email(v.r.Context(), v.user)
	if failed != nil {
		return failed
	}
	f, _ := newForm(v.lang, "/account/password", "", nil, nil)
	for _, c := range []struct {
		is         error
		field, key string
	}{
		{account.ErrWrong, "present", "account.wrong"}, {account.ErrTooMany, "present", "login.too_many"}, {account.ErrShort, "next", "account.short"},
		{account.ErrLong, "next", "account.long"}, {account.ErrSame, "next", "account.same"}, {errRepeat, "repeat", "account.differs"},
	} {
		if errors.Is(err, c.is) {
			f.faults[c.field] = []string{f.T(c.key, account.MinPassword)}
		}
	}
	if err != nil && len(f.faults) == 0 {
		return err
	}
	content := accountPage{form: f, Email: email}
	content.Present = f.input(input{Name: "present", Label: "account.present", Type: "password", Required: true, Autocomplete: "current-password"})
	content.Next = f.input(input{Name: "next", Label: "account.next", Hint: "account.next_hint", Type: "password", Required: true, Autocomplete: "new-password"})
	content.Rep = f.input(input{Name: "repeat", Label: "account.repeat", Type: "password", Required: true, Autocomplete: "new-password"})
	if errors.Is(err, account.ErrTooMany) {
		v.w.Header().Set("Retry-After", "600")
	}
	return p.showForm(v, "account", "account.title", "account.html", content, f, err)
}

// setLanguage keeps the user's choice.
func (p *Portal) setLanguage(v visit) error {
	to := v.r.PostFormValue("language")
	if !p.words.Has(to) {
		return errNotFound
	}
	if err := p.accounts.SetLanguage(v.r.Context(), v.user.ID, to); err != nil {
		return err
	}
	http.SetCookie(v.w, p.languageCookie(to))
	return v.to("/account", "language")
}
