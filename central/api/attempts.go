package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"vedetta/central/account"
	"vedetta/central/watch"
	"vedetta/central/web"
	wire "vedetta/wire/watch"
)

// attemptPage is what the datacenters keep; nodes says which of them were asked
// in vain.
type attemptPage struct {
	Items []wire.Attempt `json:"items"`
	Nodes []watch.Node   `json:"nodes"`
}

// ofPanel is the view of the panel that the request names.
func (a *API) ofPanel(r *http.Request, c account.Caller) (watch.View, error) {
	for name := range r.URL.Query() {
		return watch.View{}, badParameter{strconv.Quote(clip(name)), "want none"}
	}
	b, err := a.premises.Panel(r.Context(), c.Customer, r.PathValue("id"))
	if err != nil {
		return watch.View{}, err
	}
	addresses, err := a.watch.Addresses(r.Context(), time.Now(), c.Customer, b.ID, b.Account, a.client(r))
	return watch.View{Customer: c.Customer, Panel: b.ID, Addresses: addresses}, err
}

// ofAll is an operator's view: everything, or what names or resembles an account.
func (a *API) ofAll(r *http.Request, c account.Caller) (watch.View, error) {
	v := watch.View{Customer: c.Customer, All: true}
	for name, values := range r.URL.Query() {
		if name != "account" {
			return v, badParameter{strconv.Quote(clip(name)), "want only account"}
		}
		if v.Account = values[0]; !accountForm(v.Account) {
			return v, badParameter{name, "want 3 to 16 hex digits"}
		}
	}
	return v, nil
}

func (a *API) attempts(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	v, err := a.ofPanel(r, c)
	if err != nil {
		return err
	}
	return a.recent(w, r, v)
}

func (a *API) allAttempts(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	v, err := a.ofAll(r, c)
	if err != nil {
		return err
	}
	return a.recent(w, r, v)
}

func (a *API) recent(w http.ResponseWriter, r *http.Request, v watch.View) error {
	list, nodes, err := a.watch.Recent(r.Context(), v)
	if err != nil {
		return err
	}
	return answer(w, attemptPage{list, nodes})
}

func (a *API) followAttempts(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	v, err := a.ofPanel(r, c)
	if err != nil {
		return err
	}
	return a.followView(w, r, v)
}

func (a *API) followAllAttempts(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	v, err := a.ofAll(r, c)
	if err != nil {
		return err
	}
	return a.followView(w, r, v)
}

// followView sends what is kept and what comes. The answer begins with the
// first thing to tell, so that a refusal can still be one.
func (a *API) followView(w http.ResponseWriter, r *http.Request, v watch.View) error {
	var s *web.Stream
	err := a.watch.Follow(r.Context(), v, func(u watch.Update) error {
		if s == nil {
			s = web.NewStream(w)
			if err := s.Alive(); err != nil {
				return err
			}
		}
		c, err := a.caller(r)
		switch {
		case err != nil:
			return err // the key was withdrawn meanwhile
		case v.All && !c.May(account.ScopeOperator):
			return errors.New("the key has lost its scope")
		case !v.All:
			if _, err := a.premises.Panel(r.Context(), v.Customer, v.Panel); err != nil {
				return err // deleted meanwhile
			}
		}
		return tell(s, u)
	})
	if s == nil {
		return err
	}
	if r.Context().Err() == nil {
		a.log.Info("watch ended", "err", err)
	}
	return nil // the answer has begun
}

func tell(s *web.Stream, u watch.Update) error {
	name, data := "", any(nil)
	switch {
	case u.Attempt != nil:
		name, data = "attempt", u.Attempt
	case u.Nodes != nil:
		name, data = "nodes", u.Nodes
	case u.Lost > 0:
		name, data = "lost", map[string]int{"attempts": u.Lost}
	default:
		return s.Alive()
	}
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return s.Tell(name, b)
}
