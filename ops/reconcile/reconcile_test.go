package reconcile

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const faulty = `{"full":true,"whole":true,"nodes":3,"nodes_answered":3,"examined":12,"faults":1,"to_know":1,"watched":2,"more":0,"cases":[
{"id":"c1","severity":"fault","state":"reopened","owner":"central","place":"n1","expected":"state delivered","found":"state pending","since":"2026-11-24T01:02:03.000Z","sentence":"a notification is shown otherwise than it was decided","advice":"look"},
{"id":"c2","severity":"to_know","state":"open","owner":"customer","place":"n2","expected":"an outcome that is known","found":"unknown","since":"2026-11-24T01:02:03.000Z","sentence":"nobody can know","advice":"nothing"}]}`

func TestWhatIsSaidAndTheExitCode(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		status, code int
		want         []string
	}{
		{"clean", `{"full":true,"whole":true,"nodes":3,"nodes_answered":3,"examined":12,"cases":[]}`, 200, 0, []string{"Compared with 3 of 3 nodes; 12 things looked at.\n\nNo open fault.\n"}},
		{"a fault", faulty, 200, 1, []string{
			"FAULT (back again): a notification is shown otherwise than it was decided.\n  at n1: expected state delivered, found state pending\n  since 2026-11-24 01:02:03 UTC",
			"owner central, case c1\n  What to do: look.\n", "TO KNOW: nobody can know.", "Open faults: 1. To know: 1. Watched, not yet standing long enough to be a case: 2.\n"}},
		{"no node", `{"full":true,"nodes":3,"cases":[]}`, 200, 69, []string{"Compared with 0 of 3 nodes", "No node answered central"}},
		{"a node is away", `{"full":true,"whole":true,"nodes":3,"nodes_answered":2,"nodes_silent":["limburg"],"cases":[]}`, 200, 0,
			[]string{"Compared with 2 of 3 nodes", "No answer from limburg: what only it could show is not judged."}},
		{"not whole", `{"nodes":3,"nodes_answered":1,"cases":[]}`, 200, 0, []string{"not all: the rest follows", "Central had not yet received all that was durable"}},
		{"no keys", `{"error":"central has no keys"}`, 503, 1, []string{"central answered 503 Service Unavailable: central has no keys"}},
		{"a stranger's server", `hello`, 200, 1, []string{"central's answer: "}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.Path != "/reconcile" || r.Header.Get("Authorization") != "Bearer secret" {
					t.Errorf("asked %s %s", r.Method, r.URL)
				}
				w.WriteHeader(c.status)
				io.WriteString(w, c.answer)
			}))
			defer srv.Close()
			token := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			code := Run(t.Context(), Options{Central: srv.URL + "/", TokenFile: token, Timeout: 5 * time.Second}, &out, &out)
			if code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			for _, w := range c.want {
				if !strings.Contains(out.String(), w) {
					t.Errorf("said\n%s\nwant in it\n%s", out.String(), w)
				}
			}
		})
	}
}

func TestExplain(t *testing.T) {
	var asked string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		asked = r.URL.Path + " " + r.Header.Get("Content-Type") + " " + string(b)
		io.WriteString(w, `{"case":"c1","state":"explained"}`)
	}))
	defer srv.Close()
	var out bytes.Buffer
	if code := Run(t.Context(), Options{Central: srv.URL, Timeout: time.Second, Explain: "c1", Note: "known"}, &out, &out); code != 0 || asked != `/reconcile/explain application/json {"case":"c1","note":"known"}` {
		t.Errorf("exit code %d, asked %s, said %s", code, asked, out.String())
	}
	if code := Run(t.Context(), Options{Central: srv.URL, Timeout: time.Second, Explain: "c1"}, &out, &out); code != 64 {
		t.Errorf("without a note: exit code %d", code)
	}
}

func TestNobodyAnswers(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if code := Run(ctx, Options{Central: "http://127.0.0.1:1", Timeout: time.Second}, &out, &out); code != 69 {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}
