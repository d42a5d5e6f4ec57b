package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"vedetta/central/account"
	"vedetta/central/history"
	"vedetta/central/reconcile"
)

// Cases lists a customer's own cases, newest first.
type Cases interface {
	OfCustomer(ctx context.Context, customer, cursor string, limit int) (list []reconcile.Shown, next string, err error)
}

// caseItem is a case as the outside reads it.
type caseItem struct {
	ID         string        `json:"id"`
	Kind       string        `json:"kind"`
	Severity   string        `json:"severity"`
	State      string        `json:"state"`
	Owner      string        `json:"owner"`
	Place      string        `json:"place"`
	Expected   string        `json:"expected"`
	Found      string        `json:"found"`
	SinceTime  history.Time  `json:"since_time"`
	OpenedTime history.Time  `json:"opened_time"`
	ClosedTime *history.Time `json:"closed_time"`
	History    []caseNote    `json:"history"`
}

type caseNote struct {
	Time  history.Time `json:"time"`
	State string       `json:"state"`
	Found string       `json:"found"`
}

func (a *API) listCases(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	if _, ok := r.URL.Query()["account"]; ok {
		return badParameter{"account", "want only cursor, limit"}
	}
	q, err := query(r)
	if err != nil {
		return err
	}
	list, next, err := a.cases.OfCustomer(r.Context(), c.Customer, q.Cursor, q.Limit)
	if errors.Is(err, reconcile.ErrCursor) {
		return badParameter{"cursor", err.Error()}
	} else if err != nil {
		return err
	}
	p := history.Page[caseItem]{Items: []caseItem{}}
	for _, s := range list {
		p.Items = append(p.Items, itemOf(s))
	}
	if next != "" {
		p.Next = &next
	}
	return answer(w, p)
}

func itemOf(s reconcile.Shown) caseItem {
	v := caseItem{ID: s.ID, Kind: string(s.Kind), Severity: string(s.Kind.Severity()), State: string(s.State), Owner: string(s.Kind.Owner()), Place: s.Place,
		Expected: s.Expected, Found: s.Found, SinceTime: history.Time(s.Since), OpenedTime: history.Time(s.Opened), ClosedTime: caseTime(s.Closed), History: []caseNote{}}
	for _, n := range s.History {
		v.History = append(v.History, caseNote{history.Time(n.Time), string(n.State), n.Found})
	}
	return v
}

func caseTime(t time.Time) *history.Time {
	if t.IsZero() {
		return nil
	}
	v := history.Time(t)
	return &v
}
