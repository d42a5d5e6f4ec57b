package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"vedetta/wire/seal"
)

// Bounds of a password, in characters and in bytes. Length is what counts; no
// mix of signs is asked for.
const (
	MinPassword = 12
	MaxPassword = 1024
)

// Errors of a change of password.
var (
	ErrShort = fmt.Errorf("password: want at least %d characters", MinPassword)
	ErrLong  = fmt.Errorf("password: want at most %d bytes", MaxPassword)
	ErrSame  = errors.New("password: want another than before, and not the e-mail")
)

// Email is the user's own address. Personal: shown to the user, never logged.
func (a *Accounts) Email(ctx context.Context, u User) (string, error) {
	var sealed []byte
	if err := a.db.Read().QueryRowContext(ctx, `SELECT sealed_email FROM users WHERE id = ?1`, u.ID).Scan(&sealed); err != nil {
		return "", fmt.Errorf("find user: %w", err)
	}
	k, err := a.ring.Of(u.Customer)
	if err != nil {
		return "", err
	}
	plain, err := seal.OpenColumn(k, "user.email:"+u.ID, sealed)
	return string(plain), err
}

// SetLanguage keeps the user's choice: it or en.
func (a *Accounts) SetLanguage(ctx context.Context, user, language string) error {
	err := a.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE users SET language = ?2 WHERE id = ?1`, user, language)
		return err
	})
	if err != nil {
		return fmt.Errorf("set language: %w", err)
	}
	return nil
}

// ChangePassword checks the present password, sets the next one, and ends all
// of the user's sessions but the one of the token. Guessing the present one is
// as slow as at the login (ErrWrong, ErrTooMany).
func (a *Accounts) ChangePassword(ctx context.Context, now time.Time, from Client, u User, token, present, next string) error {
	email, err := a.Email(ctx, u)
	if err != nil {
		return err
	}
	switch {
	case utf8.RuneCountInString(next) < MinPassword:
		return ErrShort
	case len(next) > MaxPassword:
		return ErrLong
	case next == present, strings.EqualFold(next, email):
		return ErrSame
	}
	own, err := a.ring.Own()
	if err != nil {
		return err
	}
	k, err := a.ring.Of(u.Customer)
	if err != nil {
		return err
	}
	index := loginIndex(own, email)
	try := Try{Address: from.Address, Account: string(index)}
	if !a.limit.Allow(now, try) {
		return ErrTooMany
	}
	_, hash, err := a.find(ctx, index)
	if err == nil {
		var good bool
		if good, err = a.hashing.check(ctx, present, hash); err == nil && !good {
			return ErrWrong // Allow has counted it
		}
	}
	if err != nil {
		a.limit.Return(try)
		return err
	}
	a.limit.Success(now, try)
	made, err := a.Hash(ctx, next)
	if err != nil {
		return err
	}
	err = a.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE users SET sealed_hash = ?2 WHERE id = ?1`, u.ID, seal.SealColumn(k, "user.hash:"+u.ID, []byte(made))); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_id = ?1 AND token_hash <> ?2`, u.ID, hashOf(token))
		return err
	})
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	return nil
}
