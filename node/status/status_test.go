package status

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"vedetta/cluster/env"
	"vedetta/node/readiness"
)

func TestPageStyleHash(t *testing.T) {
	m := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(pageText)
	sum := sha256.Sum256([]byte(m[1]))
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != pageStyleHash {
		t.Errorf("page.html's style changed: set pageStyleHash to %s", got)
	}
}

func TestStatusAsJSONAndPage(t *testing.T) {
	st := Status{Node: "arezzo", Site: "arezzo", Reasons: []readiness.Reason{readiness.NoMajority},
		LeaderOf: []int{}, Peers: []Peer{{Name: "roubaix"}}, Lags: map[string]Lag{"uplink": {Entries: 3}}}
	s := &Server{env: env.Quiet(1), snapshot: func() Status { return st }}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/status", nil)
	s.status(w, r)
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"node", "site", "pid", "ready", "leader_of", "peers", "lags", "version", "cluster_version", "uptime_seconds", "disk_free_bytes", "certificate_expires"} {
		if _, ok := got[key]; !ok {
			t.Errorf("/status lacks %q", key)
		}
	}
	w = httptest.NewRecorder()
	r.Header.Set("Accept", "text/html")
	s.status(w, r)
	if !strings.Contains(w.Body.String(), "Not ready") || !strings.Contains(w.Body.String(), "no_majority") {
		t.Errorf("page: %s", w.Body.String())
	}
	w = httptest.NewRecorder()
	s.readyz(w, r)
	if w.Code != 503 || !strings.Contains(w.Body.String(), `"no_majority"`) {
		t.Errorf("readyz %d %s", w.Code, w.Body.String())
	}
}

func TestManagementIsForLoopbackOrToken(t *testing.T) {
	s := &Server{cfg: Config{Token: "t0ken"}, env: env.Quiet(1), snapshot: func() Status { return Status{} }}
	h := s.managed(httptestHandler(s))
	for _, tt := range []struct {
		from, auth string
		want       int
	}{
		{"127.0.0.1:5", "", 200}, {"[::1]:5", "", 200}, {"192.0.2.1:5", "", 403},
		{"192.0.2.1:5", "Bearer wrong", 403}, {"192.0.2.1:5", "Bearer t0ken", 200},
	} {
		r := httptest.NewRequest("GET", "/status", nil)
		r.RemoteAddr = tt.from
		r.Header.Set("Authorization", tt.auth)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("from %s with %q: %d, want %d", tt.from, tt.auth, w.Code, tt.want)
		}
	}
}

func httptestHandler(s *Server) http.HandlerFunc { return s.status }
