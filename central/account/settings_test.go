package account_test

import (
	"errors"
	"strings"
	"testing"

	"vedetta/central/account"
	"vedetta/central/centraltest"
)

// A password is changed only by who knows it, ends the other sessions, and
// guessing it here is as slow as at the login.
func TestChangePassword(t *testing.T) {
	s := centraltest.NewService(t, at)
	login := func(password string) (string, error) {
		return s.Accounts.Login(t.Context(), at, from("192.0.2.1"), centraltest.Email, password)
	}
	here, err := login(centraltest.Password)
	if err != nil {
		t.Fatal(err)
	}
	other, err := login(centraltest.Password)
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.Accounts.Session(t.Context(), at, here)
	if err != nil {
		t.Fatal(err)
	}
	const next = "quattro parole a caso"
	for _, c := range []struct {
		present, next string
		want          error
	}{
		{centraltest.Password, "short", account.ErrShort},
		{centraltest.Password, strings.Repeat("x", account.MaxPassword+1), account.ErrLong},
		{centraltest.Password, centraltest.Password, account.ErrSame},
		{centraltest.Password, strings.ToUpper(centraltest.Email), account.ErrSame},
		{"a guess", next, account.ErrWrong},
		{centraltest.Password, next, nil},
	} {
		if err := s.Accounts.ChangePassword(t.Context(), at, from("192.0.2.1"), u, here, c.present, c.next); !errors.Is(err, c.want) {
			t.Errorf("from %q to %.20q: %v, want %v", c.present, c.next, err, c.want)
		}
	}
	if _, err := s.Accounts.Session(t.Context(), at, other); !errors.Is(err, account.ErrNobody) {
		t.Errorf("another session goes on: %v", err)
	}
	if _, err := s.Accounts.Session(t.Context(), at, here); err != nil {
		t.Errorf("this session ended: %v", err)
	}
	if _, err := login(centraltest.Password); !errors.Is(err, account.ErrWrong) {
		t.Errorf("the former password: %v", err)
	}
	if _, err := login(next); err != nil {
		t.Errorf("the new password: %v", err)
	}
	for range 20 {
		err = s.Accounts.ChangePassword(t.Context(), at, from("192.0.2.9"), u, here, "a guess", "another fine password")
	}
	if !errors.Is(err, account.ErrTooMany) {
		t.Errorf("after 20 guesses: %v", err)
	}
}

func TestLanguageIsKept(t *testing.T) {
	s := centraltest.NewService(t, at)
	token, err := s.Accounts.Login(t.Context(), at, from("192.0.2.1"), centraltest.Email, centraltest.Password)
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.Accounts.Session(t.Context(), at, token)
	if err != nil || u.Language != "" {
		t.Fatalf("%+v %v", u, err)
	}
	if err := s.Accounts.SetLanguage(t.Context(), u.ID, "en"); err != nil {
		t.Fatal(err)
	}
	if u, err = s.Accounts.Session(t.Context(), at, token); err != nil || u.Language != "en" {
		t.Errorf("%+v %v", u, err)
	}
}
