// Package account knows who may come in: users with password and session, and
// API keys. A user's e-mail and password hash are sealed with the customer's
// key and found by a keyed hash under central's own; tokens and API keys are
// stored as SHA-256 only.
//
// It promises that guessing is slow: failures are counted by address and by
// account apart (Limiter), every try costs one argon2id hash whether the user
// exists or not, and at most a few hashes run at once. No goroutines.
package account

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/wire/seal"
)

// Config of accounts; zero means default.
type Config struct {
	SessionSeconds     int `koanf:"session_seconds"`      // a session ends after this; 2592000 (30 days)
	SessionIdleSeconds int `koanf:"session_idle_seconds"` // and after this without a request; 43200 (12 hours)
	FailuresLogin      int `koanf:"failures_login"`       // failed logins of one account from one address (IPv6: /64) in 10 minutes; 10
	FailuresAddress    int `koanf:"failures_address"`     // failed logins of one address, whatever the account: an office or a mobile network shares one; 100
	FailuresAccount    int `koanf:"failures_account"`     // failed logins of one account from addresses that never logged in to it; 20
}

// WithDefaults fills what is zero.
func (c Config) WithDefaults() Config {
	set := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	set(&c.SessionSeconds, 30*24*3600)
	set(&c.SessionIdleSeconds, 12*3600)
	set(&c.FailuresLogin, 10)
	set(&c.FailuresAddress, 100)
	set(&c.FailuresAccount, 20)
	return c
}

// Errors that a login page decides by.
var (
	ErrWrong   = errors.New("e-mail or password is wrong")
	ErrTooMany = errors.New("too many failed logins")
	ErrNobody  = errors.New("nobody is logged in")
)

// Roles of users. An operator also sees what is nobody's, and gives it to customers.
const (
	RoleOwner    = "owner"
	RoleOperator = "operator"
)

// User is who is logged in.
type User struct {
	ID       string
	Customer string
	Role     string
	Language string // the user's choice, it or en; empty: none
}

// Operator tells whether the user runs the service, besides being of a customer.
func (u User) Operator() bool { return u.Role == RoleOperator }

// Accounts is safe for several goroutines.
type Accounts struct {
	db      *store.DB
	ring    *keys.Ring
	cfg     Config
	limit   *Limiter
	hashing *hasher
}

// New starts nothing.
func New(cfg Config, db *store.DB, ring *keys.Ring) (*Accounts, error) {
	cfg = cfg.WithDefaults()
	h, err := newHasher()
	if err != nil {
		return nil, err
	}
	return &Accounts{db: db, ring: ring, cfg: cfg, hashing: h, limit: NewLimiter(cfg.FailuresLogin, cfg.FailuresAddress, cfg.FailuresAccount, 10*time.Minute)}, nil
}

// Hash makes the stored form of a password.
func (a *Accounts) Hash(ctx context.Context, password string) (string, error) {
	return a.hashing.make(ctx, password)
}

// AddUser adds a user whose password was hashed by Hash.
func (a *Accounts) AddUser(ctx context.Context, tx *sql.Tx, now time.Time, customer, email, hash, role string) error {
	own, err := a.ring.Own()
	if err != nil {
		return err
	}
	k, err := a.ring.Of(customer)
	if err != nil {
		return err
	}
	id := premises.NewID()
	_, err = tx.ExecContext(ctx, `INSERT INTO users(id, customer_id, login_index, sealed_email, sealed_hash, role, created_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)`,
		id, customer, loginIndex(own, email), seal.SealColumn(k, "user.email:"+id, []byte(email)), seal.SealColumn(k, "user.hash:"+id, []byte(hash)), role, now.UnixMilli())
	if err != nil {
		return fmt.Errorf("add user: %w", err)
	}
	return nil
}

func loginIndex(own seal.Key, email string) []byte {
	return own.Index("login", strings.ToLower(strings.TrimSpace(email)))
}

// Client is where a request comes from.
type Client struct {
	Address netip.Addr
	Agent   string
}

// Login checks a password and begins a session; token is the cookie's value.
func (a *Accounts) Login(ctx context.Context, now time.Time, from Client, email, password string) (token string, err error) {
	own, err := a.ring.Own()
	if err != nil {
		return "", err
	}
	index := loginIndex(own, email)
	try := Try{Address: from.Address, Account: string(index)}
	if !a.limit.Allow(now, try) {
		return "", ErrTooMany
	}
	user, hash, err := a.find(ctx, index)
	if err != nil {
		a.limit.Return(try)
		return "", err
	}
	good, err := a.hashing.check(ctx, password, hash) // also without a user, so that the time tells nothing
	if err != nil {
		a.limit.Return(try)
		return "", err
	}
	if !good || user.ID == "" {
		return "", ErrWrong // Allow has counted it
	}
	a.limit.Success(now, try)
	return a.begin(ctx, now, user, from)
}

// find gives the user and the password's hash; an empty user when there is none.
func (a *Accounts) find(ctx context.Context, index []byte) (u User, hash string, err error) {
	var sealed []byte
	err = a.db.Read().QueryRowContext(ctx, `SELECT id, customer_id, role, sealed_hash FROM users WHERE login_index = ?1`, index).
		Scan(&u.ID, &u.Customer, &u.Role, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, "", nil
	} else if err != nil {
		return User{}, "", fmt.Errorf("find user: %w", err)
	}
	k, err := a.ring.Of(u.Customer)
	if err != nil {
		return User{}, "", err
	}
	plain, err := seal.OpenColumn(k, "user.hash:"+u.ID, sealed)
	return u, string(plain), err
}

func (a *Accounts) begin(ctx context.Context, now time.Time, u User, from Client) (string, error) {
	k, err := a.ring.Of(u.Customer)
	if err != nil {
		return "", err
	}
	client, err := json.Marshal(map[string]string{"address": from.Address.String(), "agent": from.Agent})
	if err != nil {
		return "", err
	}
	token := randomToken()
	hash := hashOf(token)
	err = a.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires_ms < ?1 OR seen_ms < ?2`, now.UnixMilli(), now.UnixMilli()-a.idleMs()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions(token_hash, user_id, created_ms, seen_ms, expires_ms, sealed_client) VALUES(?1, ?2, ?3, ?3, ?4, ?5)`,
			hash, u.ID, now.UnixMilli(), now.UnixMilli()+int64(a.cfg.SessionSeconds)*1000, seal.SealColumn(k, "session:"+u.ID, client))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("begin session: %w", err)
	}
	return token, nil
}

func (a *Accounts) idleMs() int64 { return int64(a.cfg.SessionIdleSeconds) * 1000 }

// Session finds who a cookie's token belongs to, or ErrNobody.
func (a *Accounts) Session(ctx context.Context, now time.Time, token string) (User, error) {
	var u User
	if token == "" {
		return u, ErrNobody
	}
	hash := hashOf(token)
	var seen, expires int64
	err := a.db.Read().QueryRowContext(ctx, `SELECT users.id, users.customer_id, users.role, users.language, sessions.seen_ms, sessions.expires_ms
		FROM sessions JOIN users ON users.id = sessions.user_id WHERE token_hash = ?1`, hash).Scan(&u.ID, &u.Customer, &u.Role, &u.Language, &seen, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, ErrNobody
	} else if err != nil {
		return User{}, fmt.Errorf("find session: %w", err)
	}
	at := now.UnixMilli()
	if at > expires || at > seen+a.idleMs() {
		return User{}, ErrNobody
	}
	if at > seen+60_000 { // once a minute is enough
		err := a.db.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `UPDATE sessions SET seen_ms = ?2 WHERE token_hash = ?1`, hash, at)
			return err
		})
		if err != nil {
			return User{}, fmt.Errorf("note session: %w", err)
		}
	}
	return u, nil
}

// Logout ends a session; one that is not there is no error.
func (a *Accounts) Logout(ctx context.Context, token string) error {
	hash := hashOf(token)
	err := a.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE token_hash = ?1`, hash)
		return err
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}
