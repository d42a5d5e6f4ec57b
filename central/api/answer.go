package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"vedetta/central/history"
)

type reader[T any] func(ctx context.Context, customer string, q history.Query) (history.Page[T], error)

// answer writes v whole or not at all.
func answer(w http.ResponseWriter, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(b.Bytes()) //nolint:errcheck // the client is gone
	return nil
}

// problem is an error as in RFC 9457.
func problem(w http.ResponseWriter, status int, detail string) {
	b, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail,omitempty"`
	}{"about:blank", http.StatusText(status), status, detail})
	if err != nil {
		b = nil // these types can always be encoded
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	w.Write(append(b, '\n')) //nolint:errcheck // the client is gone
}
