package bans

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// node answers as a node's /bans does, to who brings the token.
func node(t *testing.T) string {
	t.Helper()
	banned := true
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bans", func(w http.ResponseWriter, r *http.Request) {
		if !banned {
			_, _ = w.Write([]byte(`{"bans": []}`))
			return
		}
		_, _ = w.Write([]byte(`{"bans": [{"address":"192.0.2.1/32","since":"2026-11-24T20:00:00.000Z","until":"2026-11-24T20:04:00.000Z","why":"not_dc09","level":2,"refused":17}]}`))
	})
	mux.HandleFunc("DELETE /bans", func(w http.ResponseWriter, r *http.Request) {
		switch a := r.URL.Query().Get("address"); {
		case a == "arezzo":
			http.Error(w, "address: want an address", http.StatusBadRequest)
		case a == "192.0.2.1" && banned:
			banned = false
			_, _ = w.Write([]byte(`{"lifted": ["192.0.2.1/32"]}`))
		default:
			_, _ = w.Write([]byte(`{"lifted": []}`))
		}
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t0ken" {
			http.Error(w, "want loopback or the management token", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestListAndLift(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("t0ken\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nodes := Nodes{Status: []string{node(t), node(t) + "/"}, TokenFile: token}
	var out, errOut bytes.Buffer
	list := func(n Nodes) int { out.Reset(); errOut.Reset(); return n.List(t.Context(), &out, &errOut) }
	lift := func(n Nodes, a string) int {
		out.Reset()
		errOut.Reset()
		return Lift{n, a}.Run(t.Context(), &out, &errOut)
	}
	if code := list(nodes); code != 0 || strings.Count(out.String(), "192.0.2.1/32  2026-11-24 20:04:00 UTC  not_dc09  2      17") != 2 {
		t.Errorf("list: exit %d\n%s%s", code, &out, &errOut)
	}
	asJSON := nodes
	asJSON.JSON = true
	var got struct{ Bans []Ban }
	if code := list(asJSON); code != 0 || json.Unmarshal(out.Bytes(), &got) != nil || len(got.Bans) != 2 || got.Bans[1].Node != nodes.Status[1] {
		t.Errorf("list --json: exit %d\n%s%s", code, &out, &errOut)
	}
	if code := lift(nodes, "192.0.2.1"); code != 0 || strings.Count(out.String(), "no longer banned") != 2 {
		t.Errorf("lift: exit %d\n%s%s", code, &out, &errOut)
	}
	if code := lift(nodes, "192.0.2.1"); code != 1 || !strings.Contains(errOut.String(), "not banned") {
		t.Errorf("lift again: exit %d\n%s%s", code, &out, &errOut)
	}
	if code := list(nodes); code != 0 || !strings.Contains(out.String(), "Nobody") {
		t.Errorf("list of none: exit %d\n%s%s", code, &out, &errOut)
	}
	if code := lift(nodes, "arezzo"); code != 64 || !strings.Contains(errOut.String(), "want an address") {
		t.Errorf("no address: exit %d\n%s%s", code, &out, &errOut)
	}
	for want, n := range map[int]Nodes{1: {Status: nodes.Status[:1]}, 69: {Status: []string{"http://127.0.0.1:1"}}, 64: {Status: []string{"arezzo"}}} {
		if code := list(n); code != want || errOut.Len() == 0 || strings.Contains(out.String(), "Nobody") {
			t.Errorf("%v: exit %d, want %d\n%s%s", n.Status, code, want, &out, &errOut)
		}
	}
}
