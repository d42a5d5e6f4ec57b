package imports

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// central answers as central does, by what it is sent.
func central(t *testing.T) string {
	t.Helper()
	polled := 0
	mux := http.NewServeMux()
	const report = `{"id":%ID%,"encoding":"utf-8","separator":";","rows":2,"new":%NEW%,"updated":0,"unchanged":0,"bad":%BAD%,"faults":%FAULTS%,"in_force":false}`
	fill := func(id, made, bad, faults string) string {
		return strings.NewReplacer("%ID%", id, "%NEW%", made, "%BAD%", bad, "%FAULTS%", faults).Replace(report)
	}
	const faults = `[{"line":3,"column":"Account","position":2,"code":"account_form","expected":"3 to 16 hex digits","value":"=XYZ"},{"line":0,"column":"","position":0,"code":"too_many","expected":"at most 50000","value":null}]`
	mux.HandleFunc("POST /api/v1/panels/import", func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		switch bad := strings.Contains(b.String(), "XYZ"); {
		case r.Header.Get("Authorization") != "Bearer vdt_key":
			w.WriteHeader(401)
			_, _ = w.Write([]byte(`{"title":"Unauthorized","detail":"want an API key"}`))
		case bad && r.URL.Query().Get("dry_run") == "false":
			w.WriteHeader(422)
			_, _ = w.Write([]byte(`{"title":"Unprocessable","report":` + fill("null", "1", "1", faults) + `}`))
		case bad:
			_, _ = w.Write([]byte(fill("null", "1", "1", faults)))
		case r.URL.Query().Get("dry_run") == "true":
			_, _ = w.Write([]byte(fill("null", "2", "0", "[]")))
		default:
			_, _ = w.Write([]byte(fill(`"i1"`, "2", "0", "[]")))
		}
	})
	mux.HandleFunc("GET /api/v1/imports/i1", func(w http.ResponseWriter, _ *http.Request) {
		polled++
		text := fill(`"i1"`, "2", "0", "[]")
		if polled > 1 {
			text = strings.ReplaceAll(text, `"in_force":false`, `"in_force":true`)
		}
		_, _ = w.Write([]byte(text))
	})
	mux.HandleFunc("GET /api/v1/imports/i1/report", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("line;account\r\n")) })
	mux.HandleFunc("GET /api/v1/panels/import/template", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("name;account\r\n")) })
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestImport(t *testing.T) {
	t.Setenv("VEDETTACTL_API_KEY", "vdt_key")
	dir := t.TempDir()
	file := func(text string) string {
		path := filepath.Join(dir, "panels.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	report := filepath.Join(dir, "report.csv")
	url := central(t)
	for _, c := range []struct {
		name   string
		o      Options
		text   string
		code   int
		says   string
		report string
	}{
		{"a try", Options{DryRun: true}, "good", 0, "2 new, 0 updated, 0 as they were, 0 bad\nNothing was written: this was a dry run.\n", ""},
		{"bad rows", Options{DryRun: true, Report: report}, "XYZ", 1, "line 3, column Account (2), \"=XYZ\": want 3 to 16 hex digits\nthe file: want at most 50000\n", "3;Account;2;account_form;3 to 16 hex digits;'=XYZ\r\n"},
		{"bad rows, for good", Options{}, "XYZ", 1, "Nothing is imported while a row is bad.", ""},
		{"done", Options{Wait: 5 * time.Second, Report: report}, "good", 0, "Done: every receiver's roster has them.", "line;account\r\n"},
		{"not waited for", Options{}, "good", 0, "They follow by themselves.", ""},
		{"json", Options{JSON: true, DryRun: true}, "good", 0, `"separator":";"`, ""},
		{"template", Options{Template: true}, "", 0, "name;account\r\n", ""},
		{"no file", Options{File: "/none"}, "", 64, "", ""},
		{"no such central", Options{Central: "http://127.0.0.1:1"}, "good", 69, "", ""},
		{"no address", Options{Central: "127.0.0.1:1"}, "good", 64, "", ""},
		{"no key", Options{KeyFile: file("vdt_other\n")}, "vdt_other\n", 64, "", ""},
	} {
		if c.o.File == "" {
			c.o.File = file(c.text)
		}
		if c.o.Central == "" {
			c.o.Central = url
		}
		var out, errOut bytes.Buffer
		if code := Run(t.Context(), c.o, &out, &errOut); code != c.code || !strings.Contains(out.String(), c.says) || (code == 64 || code == 69) != (errOut.Len() > 0) {
			t.Errorf("%s: exit %d, %s%s; want %d, %q", c.name, code, out.String(), errOut.String(), c.code, c.says)
		}
		if c.report != "" {
			if b, err := os.ReadFile(report); err != nil || !strings.Contains(string(b), c.report) {
				t.Errorf("%s: report %q %v, want %q", c.name, b, err, c.report)
			}
		}
	}
}

// A heading of the file is no formula either in the file of faults.
func TestHeadingIsNoFormula(t *testing.T) {
	r := report{Faults: []fault{{Column: "=1+1"}, {Column: "\t=1+1"}, {Column: "Account"}}}
	if b := string(r.csv()); strings.Count(b, ";'=1+1;") != 1 || !strings.Contains(b, "'\t=1+1") || !strings.Contains(b, ";Account;") {
		t.Errorf("%q", b)
	}
}
