package status

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vedetta/cluster/env"
	"vedetta/node/readiness"
)

// healthy is a node whose world is in order; cutOff one that hears nobody.
func healthy() Status {
	return Status{
		Node: "arezzo", Site: "arezzo", PID: 7, Ready: true, ListenersOpen: true, Reasons: []readiness.Reason{}, LeaderOf: []int{0, 1},
		AgreementLeader: new("roubaix"), AgreementTerm: new(uint64(3)), AgreementSeen: new(0.1), Version: "abc", ClusterVersion: 1,
		UptimeSeconds: 90_061, Time: "2026-11-24T20:00:00.000Z", CertificateExpires: new("2028-11-24T20:00:00.000Z"), CertificateWarns: 30 * 86400,
		Sites:  []Site{{"arezzo", []string{"arezzo"}, true}, {"roubaix", []string{"roubaix"}, true}},
		Shards: []Led{{new("arezzo"), 2, []string{"0-1"}}, {new("roubaix"), 62, []string{"2-63"}}}, Gossip: Gossip{Configured: true, Running: true},
		Peers: []Peer{{
			Name: "roubaix", Site: "roubaix", Connected: true, RTT: new(0.024), ClockOffset: new(-0.0012), LastAnswer: new(0.2),
			CertificateExpires: new("2028-11-24T20:00:00.000Z"), Copies: &Copies{Counted: true},
			Hint: &Hint{Alive: true, Since: "2026-11-24T19:00:00.000Z", Started: "2026-11-24T18:00:00.000Z", Version: "abc", FormsMin: 1, FormsMax: 1},
		}},
		Lags:          map[string]Lag{"alerting": {new(uint64(0)), new(0.0)}, "uplink": {new(uint64(12345)), new(0.5)}, "peer roubaix": {new(uint64(0)), new(0.0)}},
		DiskFreeBytes: new(int64(5 << 30)), Disk: Disk{new(int64(5 << 30)), new(int64(10 << 30)), new(0.5), 0.1},
		Clock: Clock{new(0.0004), 2}, Flush: &Flush{100, 0.002, new(0.0016), new(0.0064)},
		Quarantined: []Isolation{}, DamagedFiles: []string{}, Marks: map[string]Mark{"arezzo.1-0000000000000001": {Flushed: 5, Durable: 5}},
	}
}

func cutOff() Status {
	st := healthy()
	st.Ready, st.ListenersOpen, st.Reasons = false, false, []readiness.Reason{readiness.NoMajority}
	st.AgreementLeader, st.AgreementTerm, st.AgreementSeen, st.DiskFreeBytes = nil, nil, nil, nil
	st.Shards = []Led{{nil, 64, []string{"0-63"}}}
	st.Sites[1].Answered = false
	p := &st.Peers[0]
	p.Connected, p.RTT, p.ClockOffset, p.Problem, p.LastAnswer = false, nil, nil, new("no answer to pings for 2s"), new(75.0)
	p.Copies = nil
	st.Lags["peer roubaix"] = Lag{}
	st.Disk, st.Clock.Offset, st.Flush = Disk{FloorShare: 0.1}, nil, nil
	return st
}

func get(t *testing.T, st Status, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	pg, err := newPage()
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{env: env.Quiet(1), page: pg, parts: Parts{
		Status: func() Status { return st }, Verdict: func() readiness.Verdict { return readiness.Verdict{Ready: st.Ready, Reasons: st.Reasons} }}}
	r := httptest.NewRequest("GET", target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	if strings.HasPrefix(target, "/readyz") {
		s.readyz(w, r)
	} else {
		s.status(w, r)
	}
	return w
}

// TestJSONKeys holds the promised keys, and that lists are never null.
func TestJSONKeys(t *testing.T) {
	for name, st := range map[string]Status{"healthy": healthy(), "cut off": cutOff()} {
		w := get(t, st, "/status", "Accept", "*/*")
		var got map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %v, %s", name, err, w.Header())
		}
		for _, key := range []string{"node", "site", "pid", "ready", "leader_of", "peers", "lags", "version", "cluster_version", "uptime_seconds", "disk_free_bytes", "certificate_expires"} {
			if _, ok := got[key]; !ok {
				t.Errorf("%s: /status lacks %q", name, key)
			}
		}
		peer := got["peers"].([]any)[0].(map[string]any)
		for _, key := range []string{"name", "site", "connected", "rtt_seconds", "clock_offset_seconds"} {
			if _, ok := peer[key]; !ok {
				t.Errorf("%s: a peer lacks %q", name, key)
			}
		}
		for follower, lag := range got["lags"].(map[string]any) {
			l := lag.(map[string]any)
			_, entries := l["entries"]
			_, seconds := l["seconds"]
			if len(l) != 2 || !entries || !seconds {
				t.Errorf("%s: lag of %s is %v, want entries and seconds", name, follower, l)
			}
		}
		for _, list := range []string{"reasons", "leader_of", "peers", "sites", "shards", "quarantined", "damaged_files"} {
			if _, ok := got[list].([]any); !ok {
				t.Errorf("%s: %s is %v, want a list", name, list, got[list])
			}
		}
	}
}

func TestReadyz(t *testing.T) {
	if w := get(t, cutOff(), "/readyz"); w.Code != 503 || !strings.Contains(w.Body.String(), `"no_majority"`) {
		t.Errorf("readyz %d %s", w.Code, w.Body.String())
	}
	if w := get(t, healthy(), "/readyz"); w.Code != 200 || !strings.Contains(w.Body.String(), `"ready": true`) {
		t.Errorf("readyz %d %s", w.Code, w.Body.String())
	}
}

// TestPageSaysHowThingsStand in both languages.
func TestPageSaysHowThingsStand(t *testing.T) {
	disagreeing := healthy()
	disagreeing.Peers[0].Hint.Alive = false
	ending := healthy()
	ending.CertificateExpires = new("2026-12-01T20:00:00.000Z")
	ending.Peers[0].CertificateExpires = new("2026-11-20T20:00:00.000Z")
	full := healthy()
	full.Disk.FreeShare = new(0.12)
	for _, tt := range []struct {
		name string
		st   Status
		lang string
		want []string
		not  []string
	}{
		{"healthy", healthy(), "en", []string{"Ready.", "Nothing else needs attention", "Datacenters that answer: 2 of 2", "round trip 24.0 ms", "1 d 1 h", "−1.2 ms", "12\u202f345", "2-63", "5.0 GiB free of 10.0 GiB (50 %)", "99 of 100 within 6.4 ms", "2028-11-24"}, []string{"unknown", "differs from the link", "Not ready"}},
		{"healthy", healthy(), "it", []string{"Pronto.", "Datacenter che rispondono: 2 su 2", "andata e ritorno 24,0 ms", "5,0 GiB liberi"}, []string{"sconosciuto", "Ready"}},
		{"cut off", cutOff(), "en", []string{"Not ready: this node acknowledges nobody", "cannot reach a majority", "firewall", "ports are closed", "nobody known", "64 shards are led by nobody", "last answer 1 min 15 s ago", "no answer to pings", "unknown", "differs from the link", "Gossip believes roubaix alive"}, []string{"no_majority", "Ready."}},
		{"cut off", cutOff(), "it", []string{"Non pronto", "firewall", "sconosciuto", "Il gossip crede vivo roubaix"}, nil},
		{"gossip lies", disagreeing, "en", []string{"Ready.", "Gossip believes roubaix dead, but the link to it works", "differs from the link"}, nil},
		{"certificates", ending, "en", []string{"certificate: until 2026-12-01 20:00 UTC (7 days)", "The certificate of roubaix: ended on 2026-11-20", "vedettactl pki issue"}, nil},
		{"disk", full, "en", []string{"12 % is free, below 10 %"}, nil},
	} {
		body := get(t, tt.st, "/status?lang="+tt.lang, "Accept", "text/html,application/xhtml+xml").Body.String()
		for _, text := range tt.want {
			if !strings.Contains(body, text) {
				t.Errorf("%s in %s: lacks %q", tt.name, tt.lang, text)
			}
		}
		for _, text := range append(tt.not, "%!", "<no value>", "MISSING") {
			if strings.Contains(body, text) {
				t.Errorf("%s in %s: shows %q", tt.name, tt.lang, text)
			}
		}
	}
}

// TestPolicy: no script, nothing from elsewhere, and the style that is there is the one allowed.
func TestPolicy(t *testing.T) {
	w := get(t, healthy(), "/status", "Accept", "text/html")
	body, policy := w.Body.String(), w.Header().Get("Content-Security-Policy")
	_, rest, _ := strings.Cut(body, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	if !strings.Contains(policy, "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"';") {
		t.Errorf("policy %q doesn't allow the page's own style", policy)
	}
	for _, no := range []string{"<script", " style=", " onclick=", "http://", "https://"} {
		if strings.Contains(body, no) {
			t.Errorf("the page holds %q", no)
		}
	}
}

func TestLanguage(t *testing.T) {
	for _, tt := range []struct{ query, accept, want string }{
		{"", "", "en"}, {"", "it", "it"}, {"", "it-IT,it;q=0.9,en;q=0.8", "it"}, {"", "fr, de;q=0.9", "en"},
		{"", "en;q=0.3, it;q=0.7", "it"}, {"", "it;q=x, en;q=0.1", "en"}, {"?lang=it", "en", "it"}, {"?lang=en", "it", "en"}, {"?lang=xx", "it", "it"},
	} {
		r := httptest.NewRequest("GET", "/status"+tt.query, nil)
		r.Header.Set("Accept-Language", tt.accept)
		if got := language(r); got != tt.want {
			t.Errorf("%q with %q: %s, want %s", tt.query, tt.accept, got, tt.want)
		}
	}
}

func TestManagementIsForLoopbackOrToken(t *testing.T) {
	s := &Server{cfg: Config{Token: "t0ken"}, env: env.Quiet(1), parts: Parts{Status: func() Status { return Status{} }}}
	h := s.managed(http.HandlerFunc(s.status))
	for _, tt := range []struct {
		from, host, auth string
		want             int
	}{
		{"127.0.0.1:5", "127.0.0.1:7713", "", 200}, {"[::1]:5", "localhost:7713", "", 200}, {"192.0.2.1:5", "localhost:7713", "", 403},
		{"192.0.2.1:5", "node.example", "Bearer wrong", 403}, {"192.0.2.1:5", "node.example", "Bearer t0ken", 200},
		{"127.0.0.1:5", "evil.example:7713", "", 403}, {"127.0.0.1:5", "evil.example:7713", "Bearer t0ken", 200}, // a name that leads here
	} {
		r := httptest.NewRequest("GET", "/status", nil)
		r.RemoteAddr, r.Host = tt.from, tt.host
		r.Header.Set("Authorization", tt.auth)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.want {
			t.Errorf("from %s to %s with %q: %d, want %d", tt.from, tt.host, tt.auth, w.Code, tt.want)
		}
	}
}

// TestWarningsGravestFirst: damage stands above a slow follower.
func TestWarningsGravestFirst(t *testing.T) {
	st := healthy()
	st.DamagedFiles, st.Lags["uplink"] = []string{"2026-11-24.db: record 23"}, Lag{new(uint64(9)), new(99.0)}
	all, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	got := warnings(st, all["en"])
	if len(got) != 2 || !strings.Contains(got[0], "record 23") || !slices.Contains(got[1:], "Central: not yet confirmed: 9 entries behind, for 1 min 39 s.") {
		t.Errorf("warnings %q", got)
	}
}

// TestBansAreListedAndLifted: only by who may, only by DELETE, and what can't be
// read is refused with what was expected.
func TestBansAreListedAndLifted(t *testing.T) {
	var asked []string
	s, err := New(t.Context(), Config{Listen: "127.0.0.1:0", Token: "t0ken"}, env.Quiet(1), Parts{
		Bans: func() []Ban { return []Ban{{Address: "192.0.2.1/32", Why: "not_dc09", Level: 1}} },
		Lift: func(p netip.Prefix) []string { asked = append(asked, p.String()); return []string{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	for _, row := range []struct {
		method, query string
		code          int
		says          string
	}{
		{"GET", "", 200, `"address": "192.0.2.1/32"`},
		{"DELETE", "?address=192.0.2.1", 200, `"lifted": []`},
		{"DELETE", "?address=::ffff:192.0.2.2", 200, `"lifted"`},
		{"DELETE", "?address=2001:db8::/64", 200, `"lifted"`},
		{"DELETE", "?address=arezzo", 400, "192.0.2.1"},
		{"DELETE", "", 400, "want an address"},
		{"POST", "?address=192.0.2.1", 405, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), row.method, "http://"+s.listener.Addr().String()+"/bans"+row.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != row.code || !strings.Contains(string(b), row.says) {
			t.Errorf("%s %s: %d %s, %v; want %d and %q", row.method, row.query, res.StatusCode, b, err, row.code, row.says)
		}
	}
	if want := []string{"192.0.2.1/32", "192.0.2.2/32", "2001:db8::/64"}; !slices.Equal(asked, want) {
		t.Errorf("lifted %v, want %v", asked, want)
	}
}
