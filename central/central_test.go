package central

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vedetta/cluster/daemon"
	"vedetta/cluster/link"
	"vedetta/ops/pki"
)

// folder holds certificates, secrets and a configuration whose nodes nobody runs.
func folder(t *testing.T, listen string) (dir, config string) {
	t.Helper()
	dir = t.TempDir()
	if err := pki.MakeCA(dir); err != nil {
		t.Fatal(err)
	}
	if err := pki.Issue(dir, link.Identity{Name: "central", Role: "central"}, []string{"127.0.0.1"}, filepath.Join(dir, "central")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"password": "geheim geheim", "api_key": "vdt_" + strings.Repeat("0f", 32), "panel_key": strings.Repeat("AB", 16), "webhook_secret": "whsec_x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config = filepath.Join(dir, "central.yaml")
	text := fmt.Sprintf(`data: %[1]s/data
listen: %[2]s
mesh:
  nodes: {arezzo: "127.0.0.1:1", roubaix: "127.0.0.1:2"}
  cert_file: %[1]s/central/cert.pem
  key_file: %[1]s/central/key.pem
  ca_file: %[1]s/ca.pem
demo:
  email: demo@vedetta.example
  password_file: %[1]s/password
  api_key_file: %[1]s/api_key
  account: A1B2C3D4
  plain_account: 1234ABCD
  panel_key_file: %[1]s/panel_key
  contact_email: contact@vedetta.example
  webhook_url: http://127.0.0.1:9/hook
  webhook_secret_file: %[1]s/webhook_secret
`, dir, listen)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, config
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a command line of central and returns its exit code.
func start(ctx context.Context, args, environ []string, out, errOut io.Writer) int {
	w := &daemon.World{Ctx: ctx, Environ: environ, Out: out, ErrOut: errOut}
	return daemon.Main(w, "vedetta-central", "", Commands(), args)
}

// Without the mesh central runs, and says what is missing.
func TestRunsWithoutTheMesh(t *testing.T) {
	listen := free(t)
	_, config := folder(t, listen)
	ctx, cancel := context.WithCancel(t.Context())
	var log bytes.Buffer
	ended := make(chan int, 1)
	go func() { ended <- start(ctx, []string{"run", "--config", config}, nil, io.Discard, &log) }()
	get := func(path string, header ...string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listen+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			if req.Header.Set(header[i], header[i+1]); header[i] == "Host" {
				req.Host = header[i+1]
			}
		}
		limit := time.After(10 * time.Second)
		for {
			r, err := http.DefaultClient.Do(req)
			if err == nil {
				defer r.Body.Close()
				b, err := io.ReadAll(r.Body)
				if err != nil {
					t.Fatal(err)
				}
				return r.StatusCode, string(b)
			}
			select {
			case <-limit:
				t.Fatalf("%s: %v", path, err)
			case code := <-ended:
				t.Fatalf("ended with %d: %s", code, log.String())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	if code, _ := get("/healthz"); code != 200 {
		t.Errorf("healthz %d", code)
	}
	if code, body := get("/readyz"); code != 503 || body != `{"ready":false,"reasons":["keys_missing"]}`+"\n" {
		t.Errorf("readyz %d %s", code, body)
	}
	code, body := get("/status")
	var s map[string]any
	if err := json.Unmarshal([]byte(body), &s); err != nil || code != 200 {
		t.Fatalf("status %d %s", code, body)
	}
	for _, key := range []string{"node", "site", "pid", "ready", "leader_of", "peers", "lags", "version", "cluster_version", "uptime_seconds", "disk_free_bytes", "certificate_expires", "reconcile"} {
		if _, ok := s[key]; !ok {
			t.Errorf("status lacks %s", key)
		}
	}
	if code, _ := get("/status", "X-Forwarded-For", "203.0.113.9"); code != http.StatusForbidden {
		t.Errorf("status through a proxy: %d", code)
	}
	if code, _ := get("/status", "Host", "evil.example"); code != http.StatusForbidden {
		t.Errorf("status under a stranger's name that leads here: %d", code)
	}
	if code, body := get("/metrics"); code != 200 || !strings.Contains(body, "vedetta_follower_lag_seconds") {
		t.Errorf("metrics %d", code)
	}
	if code, body := get("/login"); code != 200 || !strings.Contains(body, "Vedetta") {
		t.Errorf("login %d", code)
	}
	if code, _ := get("/api/v1/openapi.yaml"); code != 200 {
		t.Errorf("openapi %d", code)
	}
	var second bytes.Buffer
	if code := start(t.Context(), []string{"run", "--config", config}, nil, io.Discard, &second); code != daemon.ExitConfig || !strings.Contains(second.String(), "key listen") || !strings.Contains(second.String(), listen) {
		t.Errorf("a second one on the same port: %d %s", code, second.String())
	}
	cancel()
	select {
	case code := <-ended:
		if code != daemon.ExitStopped {
			t.Errorf("stopped with %d: %s", code, log.String())
		}
	case <-time.After(10 * time.Second):
		t.Fatal("does not stop")
	}
	for _, personal := range []string{"demo@vedetta", "contact@vedetta", "A1B2C3D4"} {
		if strings.Contains(log.String(), personal) {
			t.Errorf("%s stands in the log", personal)
		}
	}
}

func TestBadConfigurations(t *testing.T) {
	_, good := folder(t, "127.0.0.1:0")
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, from, to string
		environ        []string
		want           []string
	}{
		{"unknown key", "listen:", "listn:", nil, []string{"central.yaml", "listn", "listen"}},
		{"no port", "listen: 127.0.0.1:0", "listen: here", nil, []string{"central.yaml", "key listen", "host:port"}},
		{"account", "account: A1B2C3D4", "account: XYZ", nil, []string{"key demo.account", "hex digits"}},
		{"environment over file", "", "", []string{"VEDETTA_LISTEN=nowhere"}, []string{"key listen", "nowhere"}},
		{"unknown variable", "", "", []string{"VEDETTA_LISTN=1"}, []string{"VEDETTA_LISTN"}},
		{"no node", `nodes: {arezzo: "127.0.0.1:1", roubaix: "127.0.0.1:2"}`, "nodes: {}", nil, []string{"key mesh", "nodes"}},
		{"secret file", "password_file: ", "password_file: /nowhere", nil, []string{"key demo.password_file"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "central.yaml")
			if err := os.WriteFile(file, []byte(strings.Replace(string(text), c.from, c.to, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			code := start(t.Context(), []string{"run", "--config", file}, c.environ, io.Discard, &out)
			if code != daemon.ExitConfig {
				t.Errorf("exit %d, want %d", code, daemon.ExitConfig)
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%q is not in: %s", want, out.String())
				}
			}
		})
	}
	var out bytes.Buffer
	if code := start(t.Context(), []string{"run", "--config", good, "--check-config"}, nil, &out, &out); code != 0 || !strings.Contains(out.String(), "good") {
		t.Errorf("check: %d %s", code, out.String())
	}
	out.Reset()
	if code := start(t.Context(), []string{"run", "--config", good, "--print-config"}, nil, &out, &out); code != 0 || !strings.Contains(out.String(), "session_seconds: 2592000") || strings.Contains(out.String(), "geheim") {
		t.Errorf("print: %d %s", code, out.String())
	}
}

// A disk that can't be used ends the program with the code for that.
func TestDamagedStore(t *testing.T) {
	dir, config := folder(t, free(t))
	path := filepath.Join(dir, "data", "central.db")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	damaged := []byte(strings.Repeat("damaged ", 1000))
	if err := os.WriteFile(path, damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := start(t.Context(), []string{"run", "--config", config}, nil, io.Discard, &out); code != daemon.ExitStorage || !strings.Contains(out.String(), path) {
		t.Errorf("exit %d: %s", code, out.String())
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, damaged) {
		t.Error("the damaged file was changed")
	}
}

// Reconcile is asked for and told only where the status is.
func TestReconcileIsAskedAtTheManagementAddress(t *testing.T) {
	listen := free(t)
	_, config := folder(t, listen)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- start(ctx, []string{"run", "--config", config}, nil, io.Discard, io.Discard) }()
	post := func(path, kind, body string, header ...string) (int, string) {
		t.Helper()
		limit := time.After(10 * time.Second)
		for {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listen+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", kind)
			for i := 0; i < len(header); i += 2 {
				req.Header.Set(header[i], header[i+1])
			}
			r, err := http.DefaultClient.Do(req)
			if err == nil {
				defer r.Body.Close()
				b, err := io.ReadAll(r.Body)
				if err != nil {
					t.Fatal(err)
				}
				return r.StatusCode, string(b)
			}
			select {
			case <-limit:
				t.Fatal(err)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	const j = "application/json"
	if code, body := post("/reconcile", j, "", "X-Forwarded-For", "192.0.2.1"); code != http.StatusForbidden {
		t.Errorf("through a proxy: %d %s", code, body)
	}
	for _, c := range []struct {
		path, kind, body string
		code             int
		want             string
	}{
		{"/reconcile", j, "", 503, "no node has answered"},
		{"/reconcile/explain", "text/plain", `{"case":"c","note":"n"}`, 415, "application/json"},
		{"/reconcile/explain", j, `{"case":"c"}`, 400, "note"},
		{"/reconcile/explain", j, `[`, 400, "want"},
		{"/reconcile/explain", j, `{"case":"c","note":"` + strings.Repeat("x", 2001) + `"}`, 400, "2000 bytes"},
	} {
		if code, body := post(c.path, c.kind, c.body); code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("%s %s %.40s: %d %s, want %d and %q", c.path, c.kind, c.body, code, body, c.code, c.want)
		}
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("ended with %d", code)
	}
}
