package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vedetta/central/premises"
)

// APIKeyPrefix begins every key, so that one that leaked is recognised. After
// it come at least 256 random bits in base64url or hex.
const APIKeyPrefix = "vdt_"

// minKeyRest is the length of 256 bits in base64url.
const minKeyRest = 43

// Scopes of version 1. All is every scope over what is the customer's own, those
// of later versions too; operator is never in it.
const (
	ScopeAll   = "all"
	ScopeRead  = "read"
	ScopeWrite = "write" // panels, contacts and rules; without read it can't look at them

	ScopeOperator = "operator" // what is nobody's yet, and the customers that it is given to
)

// Caller is who an API key belongs to.
type Caller struct {
	Customer string
	Scopes   []string
}

// May tells whether the key has the scope.
func (c Caller) May(scope string) bool {
	return slices.Contains(c.Scopes, scope) || scope != ScopeOperator && slices.Contains(c.Scopes, ScopeAll)
}

// NewAPIKey draws a key; it is shown once and stored as its SHA-256.
func NewAPIKey() string { return APIKeyPrefix + randomToken() }

// CheckAPIKey tells whether a key has the form of one.
func CheckAPIKey(key string) error {
	rest, ok := strings.CutPrefix(key, APIKeyPrefix)
	if !ok || len(rest) < minKeyRest || strings.ContainsFunc(rest, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) {
		return fmt.Errorf("want %s followed by 256 random bits in base64url or hex", APIKeyPrefix)
	}
	return nil
}

// AddAPIKey stores a key for a customer.
func (a *Accounts) AddAPIKey(ctx context.Context, tx *sql.Tx, now time.Time, customer, key string, scopes ...string) error {
	if err := CheckAPIKey(key); err != nil {
		return fmt.Errorf("API key: %w", err)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO api_keys(id, customer_id, hash, scopes, created_ms) VALUES(?1, ?2, ?3, ?4, ?5)`,
		premises.NewID(), customer, hashOf(key), strings.Join(scopes, " "), now.UnixMilli())
	if err != nil {
		return fmt.Errorf("add API key: %w", err)
	}
	return nil
}

// Caller finds whose key it is, or ErrNobody.
func (a *Accounts) Caller(ctx context.Context, now time.Time, key string) (Caller, error) {
	var c Caller
	if CheckAPIKey(key) != nil {
		return c, ErrNobody
	}
	var scopes string
	err := a.db.Read().QueryRowContext(ctx, `SELECT customer_id, scopes FROM api_keys WHERE hash = ?1 AND (expires_ms IS NULL OR expires_ms > ?2)`,
		hashOf(key), now.UnixMilli()).Scan(&c.Customer, &scopes)
	if errors.Is(err, sql.ErrNoRows) {
		return Caller{}, ErrNobody
	} else if err != nil {
		return Caller{}, fmt.Errorf("find API key: %w", err)
	}
	c.Scopes = strings.Fields(scopes)
	return c, nil
}
