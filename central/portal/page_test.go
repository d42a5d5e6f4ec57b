package portal

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/premises"
	"vedetta/wire/roster"
)

// A handler that panics is answered with a page in the person's language, and
// neither what was asked nor the value of the panic is logged.
func TestPanicIsAPage(t *testing.T) {
	s := centraltest.NewService(t, time.Now())
	var log bytes.Buffer
	p, err := New(Config{}, Parts{Accounts: s.Accounts, History: s.History, Premises: s.Premises, Mesh: s.Mesh, Watch: s.Watch}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	h := p.safely(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("planted") }))
	r := httptest.NewRequest(http.MethodGet, "/panels?secret=1", nil)
	r.Header.Set("Accept-Language", "en")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "Something went wrong") || strings.Contains(w.Body.String(), "planted") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "panic=string") || !strings.Contains(log.String(), "page_test.go") || strings.Contains(log.String(), "planted") || strings.Contains(log.String(), "secret") {
		t.Errorf("log: %s", log.String())
	}
}

// A customer with thousands of panels can still open and save a rule.
func TestRuleFormOfManyPanels(t *testing.T) {
	now := time.Now()
	s := centraltest.NewService(t, now)
	err := s.Premises.Edit(t.Context(), now, centraltest.Customer, func(c *premises.Change) error {
		for i := range maxTicks + 100 {
			if err := c.PutPanel(roster.Panel{ID: fmt.Sprintf("p%d", i), Name: fmt.Sprintf("Panel %d", i), Account: fmt.Sprintf("%06X", i), TimeZone: "UTC"}); err != nil {
				return err
			}
		}
		_, err := c.EditRule("r-all", "", func(b *premises.RuleBody) error { b.Panels = []string{"p7"}; return nil })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Config{}, Parts{Accounts: s.Accounts, History: s.History, Premises: s.Premises, Mesh: s.Mesh, Watch: s.Watch}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Premises.Rule(t.Context(), centraltest.Customer, "r-all")
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	v := visit{w: w, r: httptest.NewRequest(http.MethodGet, "/rules/r-all", nil), lang: lang(t, "en")}
	v.user.Customer = centraltest.Customer
	if err := p.showRule(v, b.ID, b.Tag, ruleValues(b), b, nil); err != nil {
		t.Fatal(err)
	}
	body := w.Body.String()
	if n := strings.Count(body, `name="panels"`); n != 1 || !strings.Contains(body, `value="p7" checked`) || !strings.Contains(body, "too many panels") {
		t.Errorf("%d panels are listed, want the rule's own one", n)
	}
	ruleOf(url.Values{"panels": {"p7"}, "steps": {"0"}}, &b)
	if len(b.Panels) != 1 {
		t.Errorf("saved with %v", b.Panels)
	}
}
