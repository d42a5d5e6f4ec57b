package api_test

import (
	"strings"
	"testing"

	"vedetta/central/centraltest"
)

// TestImportByAPI: a try, a refusal with its report, an import, and what it did
// as a file; a reader's key can't, another customer's sees nothing.
func TestImportByAPI(t *testing.T) {
	c := newClient(t)
	const csv = "text/csv; charset=utf-8"
	post := func(path, body string) reply { return c.do("POST", path, body, "Content-Type", csv) }
	good := "Nome;Account\r\nMagazzino;BEEF01\r\nUfficio;BEEF02\r\n"
	r := c.want(post("/panels/import?dry_run=true", good), 200, "")
	if r.body["new"] != 2.0 || r.body["id"] != nil || r.body["dry_run"] != true {
		t.Errorf("%s", r.text)
	}
	r = c.want(post("/panels/import?dry_run=true", good+";XYZ\r\n"), 200, "")
	if r.body["bad"] != 1.0 || len(r.body["faults"].([]any)) != 2 {
		t.Errorf("%s", r.text)
	}
	r = c.want(post("/panels/import", good+";XYZ\r\n"), 422, "")
	if report, _ := r.body["report"].(map[string]any); report == nil || report["bad"] != 1.0 {
		t.Errorf("%s", r.text)
	}
	made := c.want(post("/panels/import", good), 200, "")
	if made.body["new"] != 2.0 || made.header.Get("Location") != "/api/v1/imports/"+made.id() {
		t.Errorf("%s", made.text)
	}
	if r = c.want(post("/panels/import", good), 200, ""); r.body["unchanged"] != 2.0 || r.body["id"] != nil {
		t.Errorf("again: %s", r.text)
	}
	if err := c.s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if r = c.want(c.do("GET", "/imports/"+made.id(), ""), 200, ""); r.body["in_force"] != true {
		t.Errorf("%s", r.text)
	}
	c.want(c.do("GET", "/imports/none", ""), 404, "")
	if r = c.want(c.do("GET", "/imports/"+made.id()+"/report", ""), 200, ""); !strings.Contains(r.text, "BEEF02;Ufficio;new;") || r.header.Get("Content-Disposition") == "" {
		t.Errorf("%s", r.text)
	}
	if r = c.want(c.do("GET", "/panels/import/template", ""), 200, ""); !strings.HasPrefix(r.text, "\ufeffname;account;") {
		t.Errorf("%s", r.text)
	}
	c.want(post("/panels/import?dry=true", good), 400, "")
	c.want(post("/panels/import?update=perhaps", good), 400, "")
	c.want(c.do("POST", "/panels/import", good), 415, "")
	c.key = centraltest.OperatorKey // without the scope write
	c.want(post("/panels/import", good), 403, "")
}
