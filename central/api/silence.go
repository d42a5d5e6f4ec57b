package api

import (
	"net/http"
	"strconv"

	"vedetta/central/account"
	"vedetta/central/silence"
)

// supervision is how the panel stands that the request names.
func (a *API) supervision(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	for name := range r.URL.Query() {
		return badParameter{strconv.Quote(clip(name)), "want none"}
	}
	b, err := a.premises.Panel(r.Context(), c.Customer, r.PathValue("id"))
	if err != nil {
		return err
	}
	state, err := silence.Of(r.Context(), a.mesh, b.ID)
	if err != nil {
		a.log.Warn("not known how a panel stands", "panel", b.ID, "err", err)
	}
	return answer(w, state)
}
