package account_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"vedetta/central/account"
	"vedetta/central/centraltest"
)

var at = time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC)

func from(address string) account.Client {
	return account.Client{Address: netip.MustParseAddr(address)}
}

func TestSession(t *testing.T) {
	s := centraltest.NewService(t, at)
	token, err := s.Accounts.Login(t.Context(), at, from("192.0.2.1"), centraltest.Email, centraltest.Password)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		want  error
	}{{time.Minute, nil}, {11 * time.Hour, nil}, {22 * time.Hour, nil}, {35 * time.Hour, account.ErrNobody}} {
		u, err := s.Accounts.Session(t.Context(), at.Add(c.after), token)
		if !errors.Is(err, c.want) || err == nil && u.Customer != centraltest.Customer {
			t.Errorf("after %v: %+v %v, want %v", c.after, u, err, c.want)
		}
	}
	token, err = s.Accounts.Login(t.Context(), at, from("192.0.2.1"), centraltest.Email, centraltest.Password)
	if err != nil {
		t.Fatal(err)
	}
	for day := range 31 { // used each hour, it still ends
		_, err = s.Accounts.Session(t.Context(), at.Add(time.Duration(day)*24*time.Hour), token)
		for h := range 24 {
			if err != nil {
				break
			}
			_, err = s.Accounts.Session(t.Context(), at.Add(time.Duration(24*day+h)*time.Hour), token)
		}
	}
	if !errors.Is(err, account.ErrNobody) {
		t.Errorf("after 31 days of use: %v", err)
	}
}

func TestUnknownUserIsAsWrongAsAPassword(t *testing.T) {
	s := centraltest.NewService(t, at)
	for _, email := range []string{"nobody@vedetta.example", centraltest.Email, ""} {
		if _, err := s.Accounts.Login(t.Context(), at, from("192.0.2.1"), email, "guess"); !errors.Is(err, account.ErrWrong) {
			t.Errorf("%q: %v", email, err)
		}
	}
}

func TestSameEmailOnce(t *testing.T) {
	s := centraltest.NewService(t, at)
	err := s.DB.Write(t.Context(), func(tx *sql.Tx) error {
		return s.Accounts.AddUser(t.Context(), tx, at, centraltest.Customer, "MARIA.rossi@vedetta.example", "x", "owner")
	})
	if err == nil {
		t.Error("a second user with the same e-mail")
	}
}

func TestAPIKeys(t *testing.T) {
	s := centraltest.NewService(t, at)
	key := account.NewAPIKey()
	if err := account.CheckAPIKey(key); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Accounts.Caller(t.Context(), at, key); !errors.Is(err, account.ErrNobody) {
		t.Errorf("a key that was never added: %v", err)
	}
	c, err := s.Accounts.Caller(t.Context(), at, centraltest.APIKey)
	if err != nil || c.Customer != centraltest.Customer || !c.May(account.ScopeRead) {
		t.Errorf("%+v %v", c, err)
	}
	for _, bad := range []string{"", "vdt_", "vdt_short", "key_" + key[4:], key + "!"} {
		if account.CheckAPIKey(bad) == nil {
			t.Errorf("%q has the form of a key", bad)
		}
	}
}

func TestLimiter(t *testing.T) {
	address := func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("203.0.113.%d", i)) }
	l := account.NewLimiter(10, 3, 5, 10*time.Minute)
	owner := account.Try{Address: address(200), Account: "a"}
	if !l.Allow(at, owner) {
		t.Fatal("first try")
	}
	l.Success(at, owner)
	for i := range 3 {
		if !l.Allow(at, account.Try{Address: address(1), Account: fmt.Sprint(i)}) {
			t.Fatal("within the limit of an address")
		}
	}
	if l.Allow(at, account.Try{Address: address(1), Account: "z"}) {
		t.Error("an address above its limit")
	}
	for i := range 5 {
		if !l.Allow(at, account.Try{Address: address(10 + i), Account: "a"}) {
			t.Fatal("within the limit of an account")
		}
	}
	if l.Allow(at, account.Try{Address: address(30), Account: "a"}) {
		t.Error("an account above its limit, from a new address")
	}
	if !l.Allow(at, owner) {
		t.Error("the owner is locked out by others")
	}
	if !l.Allow(at.Add(10*time.Minute), account.Try{Address: address(1), Account: "z"}) {
		t.Error("after the window")
	}
	// One IPv6 network is one attacker.
	for i := range 3 {
		l.Allow(at, account.Try{Address: netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i)), Account: fmt.Sprint("v6", i)})
	}
	if l.Allow(at, account.Try{Address: netip.MustParseAddr("2001:db8::ffff"), Account: "w"}) {
		t.Error("another address of the same /64")
	}
	if !l.Allow(at, account.Try{Address: netip.MustParseAddr("2001:db8:0:1::1"), Account: "w"}) {
		t.Error("another /64")
	}
}

// One person who forgot a password doesn't lock out the others behind the same
// address; a stranger's guesses at many accounts end at the address's bound.
func TestLimiterOfAnOffice(t *testing.T) {
	office := netip.MustParseAddr("203.0.113.7")
	l := account.NewLimiter(10, 100, 20, 10*time.Minute)
	try := func(who string) bool { return l.Allow(at, account.Try{Address: office, Account: who}) }
	for i := range 10 {
		if !try("forgetful") {
			t.Fatalf("try %d is refused", i)
		}
	}
	if try("forgetful") {
		t.Error("an eleventh try with one account from one address")
	}
	if !try("colleague") {
		t.Error("a colleague is locked out by somebody else's failures")
	}
	for i := range 89 {
		if !try(fmt.Sprint("guess ", i)) {
			t.Fatalf("guess %d is refused below the bound of an address", i)
		}
	}
	if try("one more") {
		t.Error("an address above its bound")
	}
	if !l.Allow(at.Add(10*time.Minute), account.Try{Address: office, Account: "forgetful"}) {
		t.Error("after the window")
	}
}
