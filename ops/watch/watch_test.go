package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vedetta/bench/watchtest"
	"vedetta/central/api"
	"vedetta/central/centraltest"
	"vedetta/central/web"
	"vedetta/wire/dc09"
	"vedetta/wire/decision"
)

// output is what was printed so far.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (o *output) await(t *testing.T, want string) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for !strings.Contains(o.String(), want) {
		if time.Now().After(end) {
			t.Fatalf("%q is not there: %s", want, o)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func serve(t *testing.T) (*centraltest.Service, *watchtest.Nodes, Options) {
	t.Helper()
	s := centraltest.NewService(t, time.Now())
	nodes := watchtest.New(t, s, time.Now())
	srv := httptest.NewServer(api.New(api.Config{Await: -1}, api.Parts{DB: s.DB, Ring: s.Ring, Accounts: s.Accounts, History: s.History, Premises: s.Premises,
		Discovery: s.Discovery, Watch: s.Watch, Client: web.Proxies{}.Client}, slog.New(slog.DiscardHandler)).Handler())
	t.Cleanup(srv.Close)
	t.Cleanup(srv.CloseClientConnections)
	return s, nodes, Options{Account: "ab12cd34", API: srv.URL, Key: centraltest.APIKey, Language: "en"}
}

const key = "panel-key-secret"

func TestOnce(t *testing.T) {
	s, nodes, o := serve(t)
	s.Mesh.SetWatch("limburg", nil)
	now := time.Now()
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "AB12CD34", "Nri1/BA003", "another key 1234", 1, now), Word: watchtest.DUH, Reason: dc09.ReasonUndecryptable, Answer: []byte("\nDUH\r"), At: now.Add(-time.Minute)})
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "AB12CD34", "Nri1/BA003", key, 2, now.Add(-time.Hour)), Word: watchtest.NAK, Reason: dc09.ReasonTime, Node: "roubaix"})
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "AB12CD34", "Nri1/BA003^\x1b]0;title\a\x1b[2J\u009b31m\u202e^", key, 3, now), Word: watchtest.DUH, Reason: dc09.ReasonUndecryptable})
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "9999", "Nri1/BA003", "", 2, now), Word: watchtest.Silence, Reason: dc09.ReasonUnknown})
	o.Once = true
	for language, want := range map[string][]string{
		"en": {`Panel "Villa Rossi"`, "arezzo, tcp from 203.0.113.77:40001: DUH (undecryptable)", "does not open it", "Enter the same key again", "SIA-DCS, encrypted, sequence 0001, account AB12CD34, L0",
			`answer  \nDUH\r`, "roubaix, tcp", "NAK (time)", "1 h 0 min behind ours", "#AB12CD34|Nri1/BA003", "its clock "},
		"it": {"non lo apre", "indietro di 1 h 0 min"},
	} {
		o.Language = language
		var out, errOut bytes.Buffer
		if code := Run(t.Context(), o, &out, &errOut); code != exitDone {
			t.Fatalf("exit %d: %s", code, &errOut)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%q is missing in %s", w, &out)
			}
		}
		if strings.ContainsAny(out.String(), "\x1b\a\u009b\u202e") || !strings.Contains(out.String(), `^\x1b]0;title\a\x1b[2J\u009b31m\u202e^`) {
			t.Errorf("what a panel says steers the terminal: %q", out.String())
		}
		if strings.Contains(out.String(), "9999") || strings.Contains(out.String()+errOut.String(), key) || !strings.Contains(errOut.String(), "not reached, what comes there is not seen: limburg") {
			t.Errorf("%s%s", &out, &errOut)
		}
	}
	o.JSON = true
	var out, errOut bytes.Buffer
	if code := Run(t.Context(), o, &out, &errOut); code != exitDone || errOut.Len() > 0 {
		t.Fatalf("exit %d: %s", code, &errOut)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines, want 3: %s", len(lines), &out)
	}
	var a map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &a); err != nil || a["reason"] != "undecryptable" || a["what"] == "" {
		t.Errorf("%v %v", a, err)
	}
	o.JSON, o.Everybody, o.Account, o.Key = false, true, "9999", centraltest.OperatorKey
	out.Reset()
	if code := Run(t.Context(), o, &out, &errOut); code != exitDone || !strings.Contains(out.String(), "account 9999") || strings.Contains(out.String(), "AB12CD34") {
		t.Errorf("an operator: exit %d: %s", code, &out)
	}
}

func TestLive(t *testing.T) {
	s, nodes, o := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	var out, errOut output
	done := make(chan int, 1)
	go func() { done <- Run(ctx, o, &out, &errOut) }()
	errOut.await(t, "watching: arezzo, limburg, roubaix")
	now := time.Now()
	alarm := centraltest.Alarm{At: now, Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new"}}
	first := alarm.Message(s.Mesh)
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "AB12CD34", "Nri1/BA003", key, 7, now), Word: watchtest.ACK, Reason: "stored", Entry: first})
	out.await(t, "ACK (stored)")
	alarm.Verdict(s.Mesh, first)
	second := alarm.Copy(s.Mesh, first)
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
		t.Fatal(err)
	}
	out.await(t, "event "+decision.EventID(first, 0))
	nodes.Came(watchtest.Come{Node: "roubaix", Raw: watchtest.Frame(t, "AB12CD34", "Nri1/BA003", key, 7, now), Word: watchtest.ACK, Reason: "stored", Entry: second})
	out.await(t, "repeats a message")
	s.Mesh.SetWatch("limburg", nil)
	cancel()
	if code := <-done; code != exitDone {
		t.Errorf("Ctrl-C: exit %d", code)
	}
	if n := strings.Count(out.String(), "ACK (stored)"); n != 2 {
		t.Errorf("two attempts were told %d times: %s", n, &out)
	}
}

func TestRefusals(t *testing.T) {
	_, _, good := serve(t)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(centraltest.APIKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Options)
		code   int
		says   string
	}{
		"key from a file":     {func(o *Options) { o.Key, o.KeyFile = "", file }, exitDone, ""},
		"no key":              {func(o *Options) { o.Key = "" }, exitUsage, "--key"},
		"key file missing":    {func(o *Options) { o.KeyFile = file + "x" }, exitUsage, "--key-file"},
		"wrong key":           {func(o *Options) { o.Key = "vdt_wrong" }, exitFault, "401"},
		"slip in the account": {func(o *Options) { o.Account = "AB12CD43" }, exitFault, `these resemble it: AB12CD34 "Villa Rossi" L0`},
		"unknown account":     {func(o *Options) { o.Account = "777777" }, exitFault, "enter it first"},
		"not an operator":     {func(o *Options) { o.Everybody = true }, exitFault, "403"},
		"no URL":              {func(o *Options) { o.API = "localhost" }, exitUsage, "--api"},
		"nobody there":        {func(o *Options) { o.API = "http://127.0.0.1:1" }, exitNobody, "refused"},
	} {
		o := good
		o.Once = true
		c.change(&o)
		var out, errOut bytes.Buffer
		if code := Run(t.Context(), o, &out, &errOut); code != c.code || !strings.Contains(errOut.String(), c.says) || strings.Contains(errOut.String(), o.Key) && o.Key != "" {
			t.Errorf("%s: exit %d, want %d: %s", name, code, c.code, &errOut)
		}
	}
}
