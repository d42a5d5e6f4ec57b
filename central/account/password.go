package account

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/alexedwards/argon2id"
)

// params are fixed, not the machine's: 64 MiB, 3 passes, 1 lane, above OWASP's
// floor and RFC 9106's second choice in memory and passes.
func params() *argon2id.Params {
	return &argon2id.Params{Memory: 64 << 10, Iterations: 3, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// maxHashing bounds the memory of a login flood: 64 MiB each.
const maxHashing = 3

type hasher struct {
	slots chan struct{}
	dummy string // of no password, compared when there is no user
}

func newHasher() (*hasher, error) {
	dummy, err := argon2id.CreateHash(rand.Text(), params())
	if err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	return &hasher{slots: make(chan struct{}, maxHashing), dummy: dummy}, nil
}

func (h *hasher) slot(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a place to hash: %w", ctx.Err())
	}
}

func (h *hasher) make(ctx context.Context, password string) (string, error) {
	if err := h.slot(ctx); err != nil {
		return "", err
	}
	defer func() { <-h.slots }()
	hash, err := argon2id.CreateHash(password, params())
	if err != nil {
		return "", fmt.Errorf("hash: %w", err)
	}
	return hash, nil
}

// check compares; an empty hash takes the time of any other and is wrong.
func (h *hasher) check(ctx context.Context, password, hash string) (bool, error) {
	if err := h.slot(ctx); err != nil {
		return false, err
	}
	defer func() { <-h.slots }()
	exists := hash != ""
	if !exists {
		hash = h.dummy
	}
	good, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("compare hash: %w", err)
	}
	return good && exists, nil
}

func randomToken() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
