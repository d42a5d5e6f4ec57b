package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"vedetta/central/account"
	"vedetta/central/discovery"
	"vedetta/central/history"
	"vedetta/central/keys"
	"vedetta/central/panelimport"
	"vedetta/central/premises"
	"vedetta/central/watch"
)

type reader[T any] func(ctx context.Context, customer string, q history.Query) (history.Page[T], error)

// answer writes v whole or not at all.
func answer(w http.ResponseWriter, v any) error { return answerStatus(w, http.StatusOK, v) }

func answerStatus(w http.ResponseWriter, status int, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(b.Bytes()) //nolint:errcheck // the client is gone
	return nil
}

// trouble is an error as in RFC 9457.
type trouble struct {
	Type   string          `json:"type"`
	Title  string          `json:"title"`
	Status int             `json:"status"`
	Detail string          `json:"detail,omitempty"`
	Errors premises.Faults `json:"errors,omitempty"` // every field that can't be taken
	Rules  []string        `json:"rules,omitempty"`  // ids of the rules that stand in the way

	Report *panelimport.Report `json:"report,omitempty"` // of an import that was refused
}

func problem(w http.ResponseWriter, status int, detail string) {
	trouble{Status: status, Detail: detail}.write(w)
}

func (t trouble) write(w http.ResponseWriter) {
	t.Type, t.Title = "about:blank", http.StatusText(t.Status)
	b, err := json.Marshal(t)
	if err != nil {
		b = nil // these types can always be encoded
	}
	w.Header().Del("ETag")
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(t.Status)
	w.Write(append(b, '\n')) //nolint:errcheck // the client is gone
}

// refuse turns an error into a problem; false when it is none that a client
// has a part in.
func refuse(w http.ResponseWriter, err error) bool {
	t := trouble{Detail: err.Error()}
	var (
		faults    premises.Faults
		use       premises.InUse
		parameter badParameter
		header    badHeader
		body      badBody
		media     badMedia
		large     *http.MaxBytesError
	)
	hasFaults := errors.As(err, &faults)
	switch {
	case errors.Is(err, account.ErrNobody):
		w.Header().Set("WWW-Authenticate", `Bearer realm="vedetta"`)
		t.Status, t.Detail = http.StatusUnauthorized, "want an API key: Authorization: Bearer "+account.APIKeyPrefix+"..."
	case errors.Is(err, discovery.ErrCursor):
		t.Status, t.Detail = http.StatusBadRequest, badParameter{"cursor", err.Error()}.Error()
	case errors.As(err, &parameter), errors.As(err, &header), errors.As(err, &body):
		t.Status = http.StatusBadRequest
	case errors.As(err, &media):
		t.Status = http.StatusUnsupportedMediaType
		h := "Accept-Post"
		if len(media.types) > 1 {
			h = "Accept-Patch"
		}
		w.Header().Set(h, strings.Join(media.types, ", "))
	case errors.As(err, &large):
		t.Status, t.Detail = http.StatusRequestEntityTooLarge, fmt.Sprintf("want a body of at most %d bytes", large.Limit)
	case errors.Is(err, premises.ErrNone), errors.Is(err, discovery.ErrNone), errors.Is(err, panelimport.ErrNone):
		t.Status = http.StatusNotFound
	case errors.Is(err, premises.ErrTag):
		t.Status, t.Detail = http.StatusPreconditionFailed, err.Error()+": read it again"
	case errors.As(err, &use):
		t.Status, t.Detail, t.Rules = http.StatusConflict, "rules depend on it; change or delete them first", use.Rules
	case errors.Is(err, premises.ErrTaken):
		t.Status, t.Detail, t.Errors = http.StatusConflict, premises.ErrTaken.Error(), faults
	case hasFaults:
		t.Status, t.Detail, t.Errors = http.StatusUnprocessableEntity, "fields can't be taken as they are", faults
	case errors.Is(err, errOtherBody):
		t.Status = http.StatusUnprocessableEntity
		t.Errors.Add("Idempotency-Key", "key_reused")
	case errors.Is(err, watch.ErrBusy):
		w.Header().Set("Retry-After", "5")
		t.Status = http.StatusTooManyRequests
	case errors.Is(err, keys.ErrMissing), errors.Is(err, keys.ErrUnknown):
		w.Header().Set("Retry-After", "5")
		t.Status, t.Detail = http.StatusServiceUnavailable, "the keys for this are missing for now; alarms are not affected"
	default:
		return false
	}
	t.write(w)
	return true
}
