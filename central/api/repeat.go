package api

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"vedetta/wire/seal"
)

// keepAnswers is how long a request with an Idempotency-Key is known again;
// afterwards it is deleted at the next one that is new.
const keepAnswers = 24 * time.Hour

// maxRepeatKey bounds the client's key, in characters.
const maxRepeatKey = 255

// errOtherBody says that the key came with another request before.
var errOtherBody = errors.New("this Idempotency-Key came with another body before")

// made is what a POST has made, kept sealed for repetitions: where it is and
// nothing of what was said in it, so that it ends when the thing is deleted.
type made struct {
	ID       string `json:"id"`
	Revision uint64 `json:"revision"`
}

// repeatKey is the request's Idempotency-Key (draft-ietf-httpapi-idempotency-key-header):
// a string, with or without quotes.
func repeatKey(r *http.Request) (string, error) {
	list := r.Header.Values("Idempotency-Key")
	if len(list) == 0 {
		return "", nil
	}
	key := strings.TrimSpace(list[0])
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if len(list) > 1 || key == "" || len(key) > maxRepeatKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", badHeader{"Idempotency-Key", fmt.Sprintf("want one key of 1 to %d visible ASCII characters", maxRepeatKey)}
	}
	return key, nil
}

// once carries fn out unless a request with the same key was carried out
// before; then what that made is told again. Both in the caller's transaction, so
// that of two that come at once one waits for the other.
func once(ctx context.Context, tx *sql.Tx, k seal.Key, now time.Time, customer, path, key string, body []byte, fn func() (made, error)) (m made, repeated bool, err error) {
	if key == "" {
		m, err = fn()
		return m, false, err
	}
	index, request := k.Index("idempotency", path+"\x00"+key), k.Index("idempotency request", string(body))
	purpose := "idempotency:" + base64.RawURLEncoding.EncodeToString(index)
	var before, sealed []byte
	err = tx.QueryRowContext(ctx, `SELECT request_index, sealed_answer FROM idempotency WHERE customer_id = ?1 AND key_index = ?2 AND created_ms > ?3`,
		customer, index, now.Add(-keepAnswers).UnixMilli()).Scan(&before, &sealed)
	switch {
	case err == nil && string(before) != string(request):
		return m, false, errOtherBody
	case err == nil:
		plain, err := seal.OpenColumn(k, purpose, sealed)
		if err == nil {
			err = json.Unmarshal(plain, &m)
		}
		return m, true, err
	case !errors.Is(err, sql.ErrNoRows):
		return m, false, fmt.Errorf("find answer: %w", err)
	}
	if m, err = fn(); err != nil {
		return m, false, err
	}
	plain, err := json.Marshal(m)
	if err != nil {
		return m, false, err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM idempotency WHERE created_ms <= ?1`, now.Add(-keepAnswers).UnixMilli()); err != nil {
		return m, false, fmt.Errorf("delete old answers: %w", err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO idempotency(customer_id, key_index, request_index, sealed_answer, created_ms) VALUES(?1, ?2, ?3, ?4, ?5)`,
		customer, index, request, seal.SealColumn(k, purpose, plain), now.UnixMilli())
	if err != nil {
		return m, false, fmt.Errorf("keep answer: %w", err)
	}
	return m, false, nil
}
