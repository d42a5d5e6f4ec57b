package api

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"vedetta/central/account"
	"vedetta/central/premises"
)

// maxBody is the limit of a request's body in bytes.
const maxBody = 1 << 20

// resource is panels, contacts or rules: the same five requests.
type resource[T any] struct {
	path   string
	fresh  func() T
	state  func(*T) *premises.State
	id     func(*T) string
	read   func(map[string]any, *T) error
	patch  func(*T, map[string]any) error
	list   func(*premises.Premises, context.Context, string, premises.Query) (premises.Page[T], error)
	get    func(*premises.Premises, context.Context, string, string) (T, error)
	add    func(*premises.Change, T) (T, error)
	edit   func(*premises.Change, string, string, func(*T) error) (T, error)
	delete func(*premises.Change, string, string) error
}

func (a *API) panels() resource[premises.PanelBody] {
	return resource[premises.PanelBody]{
		path: "/api/v1/panels", fresh: premises.NewPanel, read: readPanel, patch: patchPanel,
		state: func(b *premises.PanelBody) *premises.State { return &b.State }, id: func(b *premises.PanelBody) string { return b.ID },
		list: (*premises.Premises).Panels, get: (*premises.Premises).Panel,
		add: (*premises.Change).AddPanel, edit: (*premises.Change).EditPanel, delete: (*premises.Change).DeletePanel,
	}
}

func (a *API) contacts() resource[premises.ContactBody] {
	return resource[premises.ContactBody]{
		path: "/api/v1/contacts", fresh: premises.NewContact, read: readContact, patch: patchContact,
		state: func(b *premises.ContactBody) *premises.State { return &b.State }, id: func(b *premises.ContactBody) string { return b.ID },
		list: (*premises.Premises).Contacts, get: (*premises.Premises).Contact,
		add: (*premises.Change).AddContact, edit: (*premises.Change).EditContact, delete: (*premises.Change).DeleteContact,
	}
}

func (a *API) rules() resource[premises.RuleBody] {
	return resource[premises.RuleBody]{
		path: "/api/v1/rules", fresh: premises.NewRule, read: readRule, patch: patchRule,
		state: func(b *premises.RuleBody) *premises.State { return &b.State }, id: func(b *premises.RuleBody) string { return b.ID },
		list: (*premises.Premises).Rules, get: (*premises.Premises).Rule,
		add: (*premises.Change).AddRule, edit: (*premises.Change).EditRule, delete: (*premises.Change).DeleteRule,
	}
}

// serve adds a resource's routes.
func serve[T any](a *API, mux *http.ServeMux, s resource[T]) {
	a.route(mux, s.path, map[string]handler{"GET": s.getList(a), "POST": s.post(a)})
	a.route(mux, s.path+"/{id}", map[string]handler{"GET": s.getOne(a), "PATCH": s.patchOne(a), "DELETE": s.deleteOne(a)})
}

func (s resource[T]) getList(a *API) handler {
	return func(w http.ResponseWriter, r *http.Request, c account.Caller) error {
		q := premises.Query{Limit: defaultLimit}
		for name, values := range r.URL.Query() {
			switch name {
			case "cursor":
				q.Cursor = values[0]
			case "limit":
				n, err := strconv.Atoi(values[0])
				if err != nil || n < 1 || n > maxLimit {
					return badParameter{name, fmt.Sprintf("want 1 to %d", maxLimit)}
				}
				q.Limit = n
			default:
				return badParameter{strconv.Quote(clip(name)), "want only cursor, limit"}
			}
		}
		p, err := s.list(a.premises, r.Context(), c.Customer, q)
		if errors.Is(err, premises.ErrCursor) {
			return badParameter{"cursor", err.Error()}
		} else if err != nil {
			return err
		}
		return answer(w, p)
	}
}

func (s resource[T]) getOne(a *API) handler {
	return func(w http.ResponseWriter, r *http.Request, c account.Caller) error {
		b, err := s.get(a.premises, r.Context(), c.Customer, r.PathValue("id"))
		if err != nil {
			return err
		}
		w.Header().Set("ETag", etag(s.state(&b).Tag))
		return answer(w, b)
	}
}

func (s resource[T]) post(a *API) handler {
	return func(w http.ResponseWriter, r *http.Request, c account.Caller) error {
		key, err := repeatKey(r)
		if err != nil {
			return err
		}
		body, m, err := readBody(w, r, "application/json")
		if err != nil {
			return err
		}
		b := s.fresh()
		if err := s.read(m, &b); err != nil {
			return err
		}
		k, err := a.ring.Of(c.Customer)
		if err != nil {
			return err
		}
		var out made
		var repeated bool
		now := time.Now()
		err = a.db.Write(r.Context(), func(tx *sql.Tx) error {
			out, repeated, err = once(r.Context(), tx, k, now, c.Customer, s.path, key, body, func() (made, error) {
				err := a.premises.EditIn(r.Context(), tx, now, c.Customer, func(ch *premises.Change) (err error) {
					b, err = s.add(ch, b)
					return err
				})
				return made{s.id(&b), s.state(&b).Revision}, err
			})
			return err
		})
		if err != nil {
			return err
		}
		if repeated {
			w.Header().Set("Idempotency-Replayed", "true")
			// As it is now; nothing of a deleted contact is kept for repetitions.
			if b, err = s.get(a.premises, r.Context(), c.Customer, out.ID); err != nil {
				return err
			}
		}
		s.state(&b).InForce = a.inForce(r.Context(), c.Customer, out.Revision)
		w.Header().Set("Location", s.path+"/"+out.ID)
		w.Header().Set("ETag", etag(s.state(&b).Tag))
		return answerStatus(w, http.StatusCreated, b)
	}
}

func (s resource[T]) patchOne(a *API) handler {
	return func(w http.ResponseWriter, r *http.Request, c account.Caller) error {
		tags, err := ifMatch(r)
		if err != nil {
			return err
		}
		_, m, err := readBody(w, r, "application/merge-patch+json", "application/json")
		if err != nil {
			return err
		}
		var b T
		err = a.edit(r, c, func(ch *premises.Change) error {
			return anyTag(tags, func(tag string) (err error) {
				b, err = s.edit(ch, r.PathValue("id"), tag, func(b *T) error { return s.patch(b, m) })
				return err
			})
		})
		if err != nil {
			return err
		}
		s.state(&b).InForce = a.inForce(r.Context(), c.Customer, s.state(&b).Revision)
		w.Header().Set("ETag", etag(s.state(&b).Tag))
		return answer(w, b)
	}
}

func (s resource[T]) deleteOne(a *API) handler {
	return func(w http.ResponseWriter, r *http.Request, c account.Caller) error {
		tags, err := ifMatch(r)
		if err != nil {
			return err
		}
		var revision uint64
		err = a.edit(r, c, func(ch *premises.Change) error {
			revision = ch.Revision()
			return anyTag(tags, func(tag string) error { return s.delete(ch, r.PathValue("id"), tag) })
		})
		if err != nil {
			return err
		}
		a.inForce(r.Context(), c.Customer, revision)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

func (a *API) edit(r *http.Request, c account.Caller, fn func(*premises.Change) error) error {
	return a.premises.Edit(r.Context(), time.Now(), c.Customer, fn)
}

// inForce waits a moment for the mesh to have a change, as it nearly always
// does at once. Where it can't be told, it isn't.
func (a *API) inForce(ctx context.Context, customer string, revision uint64) bool {
	a.premises.Hint()
	a.history.Hub.Changed(customer)
	ok, err := a.premises.AwaitInForce(ctx, customer, revision, a.cfg.Await)
	return ok && err == nil
}

// anyTag tries with each tag; nothing is written under a wrong one.
func anyTag(tags []string, fn func(tag string) error) error {
	err := error(premises.ErrTag)
	for _, tag := range tags {
		if err = fn(tag); !errors.Is(err, premises.ErrTag) {
			return err
		}
	}
	return err
}

func etag(tag string) string { return `"` + tag + `"` }

// ifMatch are the tags of If-Match (RFC 9110, 13.1.1); one empty tag fits any
// state. Weak ones never match.
func ifMatch(r *http.Request) ([]string, error) {
	text := strings.Join(r.Header.Values("If-Match"), ",")
	if text == "" || strings.TrimSpace(text) == "*" {
		return []string{""}, nil
	}
	tags := []string{}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		weak := strings.HasPrefix(part, "W/")
		part = strings.TrimPrefix(part, "W/")
		if len(part) < 2 || part[0] != '"' || part[len(part)-1] != '"' || strings.Contains(part[1:len(part)-1], `"`) {
			return nil, badHeader{"If-Match", `want * or tags as given in ETag, such as "abc"`}
		}
		if !weak && part != `""` {
			tags = append(tags, part[1:len(part)-1])
		}
	}
	return tags, nil
}

// readBody reads a JSON object of one of these media types.
func readBody(w http.ResponseWriter, r *http.Request, types ...string) ([]byte, map[string]any, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || !slices.Contains(types, media) || charset != "" && !strings.EqualFold(charset, "utf-8") || r.Header.Get("Content-Encoding") != "" {
		return nil, nil, badMedia{types}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, nil, err
	} else if err != nil {
		return nil, nil, badBody{"it ended early"}
	}
	m, err := decode(body)
	return body, m, err
}

// badHeader is a header that can't be read: 400.
type badHeader struct{ name, want string }

func (b badHeader) Error() string { return "header " + b.name + ": " + b.want }

// badMedia is a body of a kind that isn't read: 415.
type badMedia struct{ types []string }

func (b badMedia) Error() string {
	return "header Content-Type: want " + strings.Join(b.types, " or ") + " in UTF-8, without Content-Encoding"
}
