package api_test

import (
	"database/sql"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"vedetta/central/api"
	"vedetta/central/centraltest"
	"vedetta/central/reconcile"
	"vedetta/cluster/env"
)

// A customer reads the cases about what is its own, and no others.
func TestCasesOfACustomer(t *testing.T) {
	s := centraltest.NewService(t, time.Now())
	checker := reconcile.New(reconcile.Config{}, s.DB, s.Ring, s.Premises, s.Mesh, env.Quiet(1))
	srv := httptest.NewServer(api.New(api.Config{Await: -1}, api.Parts{DB: s.DB, Ring: s.Ring, Accounts: s.Accounts, History: s.History, Premises: s.Premises, Cases: checker},
		slog.New(slog.DiscardHandler)).Handler())
	t.Cleanup(srv.Close)
	c := &client{t, s, srv.URL, centraltest.APIKey, contract(t)}
	if r := c.do(http.MethodGet, "/cases", ""); r.status != 200 || len(r.body["items"].([]any)) != 0 {
		t.Fatalf("%d %s", r.status, r.text)
	}
	centraltest.Story(s.Mesh, time.Now())
	apply(t, s)
	err := s.DB.Write(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(t.Context(), `UPDATE events SET copies = copies + 3`); err != nil {
			return err
		}
		_, err := tx.ExecContext(t.Context(), `DELETE FROM entries WHERE number = 3`) // nobody's own
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := checker.Pass(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for path := "/cases?limit=2"; path != ""; {
		r := c.do(http.MethodGet, path, "")
		if r.status != 200 {
			t.Fatalf("%d %s", r.status, r.text)
		}
		for _, x := range r.body["items"].([]any) {
			item := x.(map[string]any)
			if item["kind"] == "entry_missing" || seen[item["id"].(string)] {
				t.Errorf("%v", item)
			}
			seen[item["id"].(string)] = true
		}
		path = ""
		if next, ok := r.body["next"].(string); ok {
			path = "/cases?limit=2&cursor=" + next
		}
	}
	if len(seen) < 8 {
		t.Errorf("%d cases, want one of each event and the unknown outcome", len(seen))
	}
	for _, bad := range []string{"?account=5544", "?cursor=x", "?limit=0"} {
		if r := c.do(http.MethodGet, "/cases"+bad, ""); r.status != 400 {
			t.Errorf("%s: %d %s", bad, r.status, r.text)
		}
	}
}
