package api_test

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"vedetta/central/api"
	"vedetta/central/centraltest"
	"vedetta/central/web"
	"vedetta/wire/decision"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

var at = time.Date(2026, 11, 24, 1, 2, 3, 456e6, time.UTC)

func serve(t *testing.T) (*centraltest.Service, *httptest.Server) {
	t.Helper()
	s := centraltest.NewService(t, at)
	srv := httptest.NewServer(api.New(api.Config{Await: -1}, api.Parts{DB: s.DB, Ring: s.Ring, Accounts: s.Accounts, History: s.History, Premises: s.Premises, Discovery: s.Discovery, Watch: s.Watch, Mesh: s.Mesh, Client: web.Proxies{}.Client}, slog.New(slog.DiscardHandler)).Handler())
	t.Cleanup(srv.Close)
	t.Cleanup(srv.CloseClientConnections)
	return s, srv
}

func get(t *testing.T, url, key string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return resp, ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func apply(t *testing.T, s *centraltest.Service) {
	t.Helper()
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
		t.Fatal(err)
	}
}

// The shapes are promises: golden files.
func TestShapes(t *testing.T) {
	c := newClient(t)
	s := c.s
	full := centraltest.Alarm{At: at, Plan: []string{"email", "webhook"}, Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new",
		Partition: "1", Zone: "003", User: "4", Text: "Finestra <1>", PanelMs: at.Add(-1500 * time.Millisecond).UnixMilli(),
		Extended: []string{"Vhttps://example.org/a,https://example.org/b", "X012W30", "Y45N15", "K"}}}
	ids := full.Verdict(s.Mesh, full.Message(s.Mesh))
	centraltest.Settle(s.Mesh, at.Add(1200*time.Millisecond), ids[0], 1, decision.StateDelivered, "")
	centraltest.Settle(s.Mesh, at.Add(1300*time.Millisecond), ids[1], 1, decision.StateRefused, "provider_refused")
	bare := centraltest.Alarm{At: at.Add(time.Minute), Panel: centraltest.Shop, Plan: []string{"email"},
		Event: decision.Event{Standard: "ADM-CID", Code: "999", Category: "other", Qualifier: "ongoing"}}
	bare.Verdict(s.Mesh, bare.Message(s.Mesh))
	apply(t, s)
	for _, name := range []string{"events", "notifications"} {
		r, body := get(t, c.url+"/api/v1/"+name, centraltest.APIKey)
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %s", name, r.Status)
		}
		pretty, err := json.MarshalIndent(json.RawMessage(body), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		pretty = append(pretty, '\n')
		file := "testdata/" + name + ".json"
		if *rewrite {
			if err := os.WriteFile(file, pretty, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(pretty) != string(want) {
			t.Errorf("%s differs from %s (rewrite with -rewrite):\n%s", name, file, pretty)
		}
		c.want(c.do("GET", "/"+name, ""), 200, "")
	}
}

func TestEmptyListsAreNotNull(t *testing.T) {
	_, srv := serve(t)
	for _, name := range []string{"events", "notifications"} {
		if _, body := get(t, srv.URL+"/api/v1/"+name, centraltest.APIKey); body != `{"items":[],"next":null}`+"\n" {
			t.Errorf("%s: %s", name, body)
		}
	}
}

// Pages: every event once, newest first, whatever arrives meanwhile.
func TestPages(t *testing.T) {
	s, srv := serve(t)
	for i := range 25 { // times repeat: the order must still be strict
		a := centraltest.Alarm{At: at.Add(time.Duration(i/3) * time.Second), Plan: []string{"email"}, Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new"}}
		if i%5 == 0 {
			a.Panel = centraltest.Shop
		}
		a.Verdict(s.Mesh, a.Message(s.Mesh))
	}
	apply(t, s)
	for _, name := range []string{"events", "notifications"} {
		for account, want := range map[string]int{"": 25, "ab12cd34": 20, "5544": 5, "ABCD": 0} {
			seen := map[string]bool{}
			cursor := ""
			for {
				_, body := get(t, srv.URL+"/api/v1/"+name+"?limit=4&account="+account+cursor, centraltest.APIKey)
				if account == "" {
					_, body = get(t, srv.URL+"/api/v1/"+name+"?limit=4"+cursor, centraltest.APIKey)
				}
				var p struct {
					Items []struct{ ID string }
					Next  *string
				}
				if err := json.Unmarshal([]byte(body), &p); err != nil {
					t.Fatal(err, body)
				}
				for _, e := range p.Items {
					if seen[e.ID] {
						t.Fatalf("%s shown twice", e.ID)
					}
					seen[e.ID] = true
				}
				if p.Next == nil {
					break
				}
				cursor = "&cursor=" + *p.Next
			}
			if len(seen) != want {
				t.Errorf("%s of account %q: %d, want %d", name, account, len(seen), want)
			}
		}
	}
}

func TestProblems(t *testing.T) {
	s, srv := serve(t)
	for _, c := range []struct {
		path, key string
		status    int
	}{
		{"/api/v1/events", "", 401}, {"/api/v1/events", "vdt_" + strings.Repeat("0", 64), 401}, {"/api/v1/events", "x", 401},
		{"/api/v1/events?limit=0", centraltest.APIKey, 400}, {"/api/v1/events?limit=1001", centraltest.APIKey, 400}, {"/api/v1/events?limit=x", centraltest.APIKey, 400},
		{"/api/v1/events?cursor=x", centraltest.APIKey, 400}, {"/api/v1/events?account=xyz", centraltest.APIKey, 400}, {"/api/v1/events?acount=123", centraltest.APIKey, 400},
		{"/api/v1/events/stream?after=x", centraltest.APIKey, 400}, {"/api/v1/nothing", centraltest.APIKey, 404},
	} {
		r, body := get(t, srv.URL+c.path, c.key)
		var p struct {
			Type, Title string
			Status      int
		}
		if err := json.Unmarshal([]byte(body), &p); err != nil || r.StatusCode != c.status || p.Status != c.status || p.Type != "about:blank" || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s %s", c.path, r.Status, body)
		}
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/api/v1/events", nil)
	r, err := http.DefaultClient.Do(req)
	if err != nil || r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") == "" {
		t.Errorf("POST: %v %v", r.Status, err)
	}
	r.Body.Close()
	if r, body := get(t, srv.URL+"/api/v1/openapi.yaml", ""); r.StatusCode != 200 || !strings.HasPrefix(body, "openapi: 3.1") {
		t.Errorf("openapi.yaml: %s", r.Status)
	}
	// Keys that are missing are said, not hidden.
	s.Mesh.Forget(centraltest.Customer)
	s.Ring.Destroyed(centraltest.Customer, 0)
	if r, body := get(t, srv.URL+"/api/v1/events", centraltest.APIKey); r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "keys") {
		t.Errorf("without keys: %s %s", r.Status, body)
	}
}

// The stream continues after the last id that was read.
func TestStreamContinues(t *testing.T) {
	s, srv := serve(t)
	read := func(lines *bufio.Scanner, n int) (names, ids []string) {
		for len(names) < n && lines.Scan() {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				ids = append(ids, id)
			}
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				names = append(names, name)
			}
		}
		return names, ids
	}
	r, _ := get(t, srv.URL+"/api/v1/events/stream", centraltest.APIKey)
	lines := bufio.NewScanner(r.Body)
	lines.Scan() // it has begun
	a := centraltest.Alarm{At: at, Plan: []string{"email", "webhook"}, Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new"}}
	ids := a.Verdict(s.Mesh, a.Message(s.Mesh))
	apply(t, s)
	names, seqs := read(lines, 3)
	if fmt.Sprint(names) != "[event notification notification]" {
		t.Fatal(names)
	}
	r.Body.Close()
	centraltest.Settle(s.Mesh, at, ids[1], 1, decision.StateDelivered, "")
	apply(t, s)
	r, _ = get(t, srv.URL+"/api/v1/events/stream", centraltest.APIKey, "Last-Event-ID", seqs[1])
	defer r.Body.Close()
	names, _ = read(bufio.NewScanner(r.Body), 1)
	if fmt.Sprint(names) != "[notification]" {
		t.Fatal(names)
	}
}

// A key that is withdrawn ends the streams it has begun, before the next event.
func TestStreamEndsWithItsKey(t *testing.T) {
	s, srv := serve(t)
	r, _ := get(t, srv.URL+"/api/v1/events/stream", centraltest.APIKey)
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	lines.Scan() // it has begun
	err := s.DB.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DELETE FROM api_keys`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	a := centraltest.Alarm{At: at, Plan: []string{"email"}, Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new"}}
	a.Verdict(s.Mesh, a.Message(s.Mesh))
	apply(t, s)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "event: ") {
			t.Fatal("an event was sent under a withdrawn key")
		}
	}
}
