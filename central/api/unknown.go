package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"vedetta/central/account"
	"vedetta/central/discovery"
	"vedetta/central/premises"
	"vedetta/wire/entry"
)

// maxUnknown is the longest page of unknown panels: each has its last messages.
const maxUnknown = 200

func (a *API) listUnknown(w http.ResponseWriter, r *http.Request, _ account.Caller) error {
	limit, cursor := 50, ""
	for name, values := range r.URL.Query() {
		switch name {
		case "cursor":
			cursor = values[0]
		case "limit":
			n, err := strconv.Atoi(values[0])
			if err != nil || n < 1 || n > maxUnknown {
				return badParameter{name, fmt.Sprintf("want 1 to %d", maxUnknown)}
			}
			limit = n
		default:
			return badParameter{strconv.Quote(clip(name)), "want only cursor, limit"}
		}
	}
	page, err := a.discovery.List(r.Context(), time.Now(), limit, cursor)
	if err != nil {
		return err
	}
	return answer(w, page)
}

func (a *API) oneUnknown(w http.ResponseWriter, r *http.Request, _ account.Caller) error {
	p, err := a.discovery.Panel(r.Context(), time.Now(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return answer(w, p)
}

// adopt answers when the panel is the customer's; its messages follow within a
// moment, and the answer waits for them a while.
func (a *API) adopt(w http.ResponseWriter, r *http.Request, _ account.Caller) error {
	_, m, err := readBody(w, r, "application/json")
	if err != nil {
		return err
	}
	q, err := readAdoption(m)
	if err != nil {
		return err
	}
	done, err := a.discovery.Adopt(r.Context(), time.Now(), r.PathValue("id"), q)
	if err != nil {
		return err
	}
	a.history.Hub.Changed(done.Customer)
	if done, err = a.discovery.Await(r.Context(), done.ID, a.cfg.Await); err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/adoptions/"+done.ID)
	return answerStatus(w, http.StatusCreated, done)
}

func (a *API) adoption(w http.ResponseWriter, r *http.Request, _ account.Caller) error {
	done, err := a.discovery.Adoption(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return answer(w, done)
}

// listCustomers is whom a panel can be given to.
func (a *API) listCustomers(w http.ResponseWriter, r *http.Request, _ account.Caller) error {
	list, err := a.accounts.Customers(r.Context())
	if err != nil {
		return err
	}
	return answer(w, struct {
		Items []account.Customer `json:"items"`
	}{list})
}

// readAdoption reads whose the panel becomes, and either which panel it is
// already or what a new one is to be.
func readAdoption(m map[string]any) (discovery.Request, error) {
	q := discovery.Request{New: premises.NewPanel()}
	var f premises.Faults
	o := &object{m: m, faults: &f}
	o.text("customer_id", &q.Customer)
	o.text("panel_id", &q.PanelID)
	tell := string(entry.TellRecent)
	o.text("tell", &tell)
	q.Tell = entry.Tell(tell)
	o.flag("anyway", &q.Anyway)
	if q.Customer == "" {
		f.Add("customer_id", "required")
	}
	for _, own := range []string{"listener", "account"} {
		if _, given := o.take(own); given {
			f.Add(own, "read_only")
		}
	}
	panel := map[string]any{}
	for name, v := range m {
		switch name {
		case "customer_id", "panel_id", "tell", "anyway", "listener", "account":
		default:
			panel[name] = v
		}
	}
	if q.PanelID != "" {
		o.rest()
		return q, fault(f)
	}
	if err := readPanel(panel, &q.New); err != nil {
		more, ok := err.(premises.Faults)
		if !ok {
			return q, err
		}
		f = append(f, more...)
	}
	return q, fault(f)
}
