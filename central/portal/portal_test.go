package portal_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"vedetta/central/centraltest"
	"vedetta/central/panelimport"
	"vedetta/central/portal"
	"vedetta/central/web"
)

// site serves the portal over a store with a customer's day in it.
func site(t *testing.T, now time.Time) (*centraltest.Service, *httptest.Server) {
	t.Helper()
	s := centraltest.NewService(t, now)
	centraltest.Story(s.Mesh, now)
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
		t.Fatal(err)
	}
	return s, serve(t, s, portal.Config{})
}

func serve(t *testing.T, s *centraltest.Service, cfg portal.Config) *httptest.Server {
	t.Helper()
	p, err := portal.New(cfg, portal.Parts{Accounts: s.Accounts, History: s.History, Premises: s.Premises, Mesh: s.Mesh, Watch: s.Watch,
		Discovery: s.Discovery, Imports: panelimport.New(s.DB, s.Ring, s.Premises)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h, err := p.Handler()
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(web.Headers(cfg.Secure, h))
	t.Cleanup(srv.Close)
	t.Cleanup(srv.CloseClientConnections)
	return srv
}

func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 20 * time.Second}
}

func get(t *testing.T, c *http.Client, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return do(t, c, req)
}

func post(t *testing.T, c *http.Client, to string, form url.Values, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return do(t, c, req)
}

func do(t *testing.T, c *http.Client, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func login(t *testing.T, c *http.Client, base, password string) (*http.Response, string) {
	t.Helper()
	return post(t, c, base+"/login", url.Values{"email": {" maria.rossi@VEDETTA.example "}, "password": {password}})
}

func TestLoginPageAndLogout(t *testing.T) {
	_, srv := site(t, time.Now())
	c := browser(t)
	if r, body := get(t, c, srv.URL+"/", "Accept-Language", "it-IT,it;q=0.9"); r.Request.URL.Path != "/login" || !strings.Contains(body, "Accedi") {
		t.Fatalf("without a session: %s\n%s", r.Request.URL, body)
	}
	if r, body := login(t, c, srv.URL, "wrong"); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "role=\"alert\"") {
		t.Fatalf("wrong password: %s\n%s", r.Status, body)
	}
	r, body := login(t, c, srv.URL, centraltest.Password)
	if r.StatusCode != 200 || r.Request.URL.Path != "/" {
		t.Fatalf("login: %s %s", r.Status, r.Request.URL)
	}
	for _, want := range []string{"Villa Rossi", "Anna Rossi", "Contatto finestra &lt;studio&gt; &amp; persiana", "3 · " + centraltest.ZoneName, "ricevuto 3 volte", "Consegnato", "Rifiutato"} {
		if !strings.Contains(body, want) {
			t.Errorf("live page lacks %q", want)
		}
	}
	if n := strings.Count(body, "<li class=\"event "); n != 12 {
		t.Errorf("%d events, want 12", n)
	}
	if _, body := get(t, c, srv.URL+"/?panel="+centraltest.Shop); strings.Count(body, "<li class=\"event ") != 3 || !strings.Contains(body, "Eventi · Oreficeria") {
		t.Error("choice of a panel")
	}
	u, _ := url.Parse(srv.URL)
	for _, ck := range c.Jar.Cookies(u) {
		if len(ck.Value) < 43 && ck.Name == "vedetta" {
			t.Errorf("session token of %d characters", len(ck.Value))
		}
	}
	old := c.Jar.Cookies(u)
	c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if clear := r.Response.Header.Get("Clear-Site-Data"); clear != "" && strings.Contains(clear, "storage") {
			t.Errorf("a log-out clears %s: the device's push subscription would end in silence", clear)
		}
		return nil
	}
	if r, _ := post(t, c, srv.URL+"/logout", nil); r.Request.URL.Path != "/login" {
		t.Errorf("logout led to %s", r.Request.URL)
	}
	c.Jar.SetCookies(u, old)
	if r, _ := get(t, c, srv.URL+"/"); r.Request.URL.Path != "/login" {
		t.Error("a session outlived its log-out")
	}
}

func TestSessionCookie(t *testing.T) {
	s, _ := site(t, time.Now())
	for _, secure := range []bool{false, true} {
		srv := serve(t, s, portal.Config{Secure: secure})
		c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		r, _ := login(t, c, srv.URL, centraltest.Password)
		var session *http.Cookie
		for _, ck := range r.Cookies() {
			session = ck
		}
		if session == nil || !session.HttpOnly || session.SameSite != http.SameSiteLaxMode || session.Secure != secure || strings.HasPrefix(session.Name, "__Host-") != secure || session.Path != "/" || session.Domain != "" {
			t.Errorf("secure %v: %+v", secure, session)
		}
		if hsts := r.Header.Get("Strict-Transport-Security") != ""; hsts != secure {
			t.Errorf("HSTS %v, want %v", hsts, secure)
		}
	}
}

func TestBruteForce(t *testing.T) {
	_, srv := site(t, time.Now())
	c := browser(t)
	for i := range 10 {
		if r, _ := login(t, c, srv.URL, "guess"); r.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("guess %d: %s", i, r.Status)
		}
	}
	if r, _ := login(t, c, srv.URL, centraltest.Password); r.StatusCode != http.StatusTooManyRequests || r.Header.Get("Retry-After") == "" {
		t.Fatalf("after 10 failures: %s", r.Status)
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	_, srv := site(t, time.Now())
	form := url.Values{"email": {centraltest.Email}, "password": {centraltest.Password}}
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		for _, path := range []string{"/login", "/logout", "/language"} {
			if r, _ := post(t, browser(t), srv.URL+path, form, header...); r.StatusCode != http.StatusForbidden {
				t.Errorf("%s with %v: %s", path, header, r.Status)
			}
		}
	}
}

func TestLanguageComesBackOnlyHere(t *testing.T) {
	_, srv := site(t, time.Now())
	c := browser(t)
	if _, body := post(t, c, srv.URL+"/language", url.Values{"to": {"en"}, "back": {"/login"}}, "Accept-Language", "it"); !strings.Contains(body, `lang="en"`) || !strings.Contains(body, "Log in") {
		t.Error("language is not kept")
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, back := range []string{"//evil.example", "https://evil.example", `/\evil.example`, "/\t/evil.example", "/\x00/evil.example", "/\x7f", ""} {
		if r, _ := post(t, c, srv.URL+"/language", url.Values{"to": {"it"}, "back": {back}}); r.Header.Get("Location") != "/" {
			t.Errorf("back %q leads to %q", back, r.Header.Get("Location"))
		}
	}
}

// Every page: the policy, nothing inline, nothing from others, labels that exist.
func TestPagesKeepThePolicy(t *testing.T) {
	_, srv := site(t, time.Now())
	c := browser(t)
	login(t, c, srv.URL, centraltest.Password)
	pages := map[string]*http.Client{"/": c, "/?panel=" + centraltest.Shop: c, "/nothing": c, "/login": browser(t)}
	for path, client := range pages {
		r, body := get(t, client, srv.URL+path)
		if got := r.Header.Get("Content-Security-Policy"); got != web.Policy || strings.Contains(got, "unsafe") {
			t.Errorf("%s: policy %q", path, got)
		}
		doc, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for n := range doc.Descendants() {
			for _, a := range n.Attr {
				if a.Key == "id" {
					if ids[a.Val] {
						t.Errorf("%s: id %q twice", path, a.Val)
					}
					ids[a.Val] = true
				}
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
					t.Errorf("%s: inline %s on <%s>", path, a.Key, n.Data)
				}
				if (a.Key == "src" || a.Key == "href" || a.Key == "action") && !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
					t.Errorf("%s: <%s %s=%q> leaves the site", path, n.Data, a.Key, a.Val)
				}
			}
			if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "style") && n.FirstChild != nil {
				t.Errorf("%s: inline <%s>", path, n.Data)
			}
		}
		for n := range doc.Descendants() {
			for _, a := range n.Attr {
				if (a.Key == "for" || a.Key == "aria-describedby") && !ids[a.Val] {
					t.Errorf("%s: %s=%q names nothing", path, a.Key, a.Val)
				}
			}
		}
	}
	for _, file := range []string{"style.css", "live.js", "icons.svg", "icon.svg"} {
		r, body := get(t, c, srv.URL+"/static/"+file)
		if r.StatusCode != 200 || strings.Contains(body, "http://") && !strings.Contains(file, "svg") || strings.Contains(body, "eval(") {
			t.Errorf("%s: %s", file, r.Status)
		}
	}
}
