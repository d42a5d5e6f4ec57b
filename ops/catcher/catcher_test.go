package catcher

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vedetta/cluster/env"
)

func start(t *testing.T, cfg Config) (c *Catcher, web, mail string, stop func()) {
	t.Helper()
	cfg.HTTP, cfg.SMTP = "127.0.0.1:0", "127.0.0.1:0"
	c, err := New(cfg, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	web, mail, err = c.Addresses(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c, "http://" + web, mail, stop
}

func send(t *testing.T, mail, body string) error {
	t.Helper()
	return smtp.SendMail(mail, nil, "a@example.it", []string{"anna@example.it", "bea@example.it"}, []byte(strings.ReplaceAll(body, "\n", "\r\n")))
}

const sampleMail = `From: a@example.it
To: anna@example.it
Subject: =?utf-8?q?ALLARME_=C3=A8?=
Message-ID: <n1@example.it>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

PORTA =C3=A8 aperta
.dot
--b
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PGI+UE9SVEE8L2I+PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==
--b--
`

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(b)
}

func do(t *testing.T, method, url, body string) int {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("webhook-id", "n1")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	r.Body.Close()
	return r.StatusCode
}

func TestMailsAreKept(t *testing.T) {
	_, web, mail, _ := start(t, Config{})
	if _, b := get(t, web+"/messages"); b != "[]\n" {
		t.Errorf("nothing came, and the list is %q", b)
	}
	if err := send(t, mail, sampleMail); err != nil {
		t.Fatal(err)
	}
	_, b := get(t, web+"/messages")
	var list []map[string]any
	if err := json.Unmarshal([]byte(b), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v: %s", err, b)
	}
	m := list[0]
	if m["id"] != "1" || m["to"] != "anna@example.it,bea@example.it" || m["subject"] != "ALLARME è" || m["text"] != "PORTA è aperta\n.dot" || !strings.Contains(m["html"].(string), "<b>PORTA</b>") {
		t.Errorf("mail %v", m)
	}
	if h := m["headers"].(map[string]any); h["Message-Id"] != "<n1@example.it>" {
		t.Errorf("headers %v", h)
	}
	if at, err := time.Parse("2006-01-02T15:04:05.000Z", m["received"].(string)); err != nil || time.Since(at) > time.Minute {
		t.Errorf("received %v, %v", m["received"], err)
	}
	r, page := get(t, web+"/")
	if r.StatusCode != 200 || !strings.Contains(page, "ALLARME è") || strings.Contains(page, "<script") || strings.Contains(page, "//") && strings.Contains(page, "http") {
		t.Errorf("page: %d\n%s", r.StatusCode, page)
	}
	r, html := get(t, web+"/messages/1/html")
	if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "sandbox") || !strings.Contains(html, "PORTA") {
		t.Errorf("mail's page: %q %s", csp, html)
	}
}

func TestHalfAMailIsNone(t *testing.T) {
	c, _, mail, _ := start(t, Config{})
	conn, err := net.Dial("tcp", mail)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nSubject: x\r\n\r\nhalf")
	conn.(*net.TCPConn).CloseWrite()
	io.Copy(io.Discard, conn)
	if n := len(c.Messages()); n != 0 {
		t.Errorf("%d mails kept without a final dot", n)
	}
}

func TestWebhooksAreKept(t *testing.T) {
	_, web, _, _ := start(t, Config{})
	if code := do(t, "POST", web+"/hook/anything", `{"a":"è"}`); code != 200 {
		t.Fatalf("status %d", code)
	}
	_, b := get(t, web+"/webhooks")
	var list []struct {
		ID      string            `json:"id"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	if err := json.Unmarshal([]byte(b), &list); err != nil || len(list) != 1 || list[0].ID != "n1" || list[0].Body != `{"a":"è"}` || list[0].Headers["webhook-id"] != "n1" {
		t.Errorf("%v: %s", err, b)
	}
	if _, b := get(t, web+"/pushes"); b != "[]\n" {
		t.Errorf("pushes %q", b)
	}
	if code := do(t, "POST", web+"/hook", strings.Repeat("x", maxHookBytes+1)); code != 400 && code != 0 {
		t.Errorf("a body above the bound: %d", code)
	}
}

func TestFaults(t *testing.T) {
	c, web, mail, _ := start(t, Config{})
	if code := do(t, "PUT", web+"/fault", `{"webhook":{"mode":"cut_after","count":1},"mail":{"mode":"unwanted","count":1}}`); code != 200 {
		t.Fatalf("PUT /fault: %d", code)
	}
	if code := do(t, "POST", web+"/hook", "{}"); code != 0 || len(c.Webhooks()) != 1 {
		t.Errorf("did it, then cut: status %d, kept %d", code, len(c.Webhooks()))
	}
	if code := do(t, "POST", web+"/hook", "{}"); code != 200 {
		t.Errorf("the fault lasted longer than its count: %d", code)
	}
	if err := send(t, mail, sampleMail); err == nil || !strings.Contains(err.Error(), "550") {
		t.Errorf("unwanted: %v", err)
	}
	for _, bad := range []string{"", "[]", `{"sms":{}}`, `{"mail":{"mode":"odd"}}`, `{"mail":{"delay_seconds":-1}}`} {
		if code := do(t, "PUT", web+"/fault", bad); code != 400 {
			t.Errorf("PUT /fault %q: %d", bad, code)
		}
	}
}

func TestFileKeepsOverRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catcher.jsonl")
	_, web, mail, stop := start(t, Config{File: path})
	if err := send(t, mail, sampleMail); err != nil {
		t.Fatal(err)
	}
	do(t, "POST", web+"/hook", "{}")
	stop()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"v":1,"kind":"mess`) // a crash in the middle of a line
	f.Close()

	c, web, mail, stop := start(t, Config{File: path})
	if len(c.Messages()) != 1 || len(c.Webhooks()) != 1 {
		t.Fatalf("after a restart: %d mails, %d webhooks", len(c.Messages()), len(c.Webhooks()))
	}
	send(t, mail, sampleMail)
	if ms := c.Messages(); len(ms) != 2 || ms[1].ID != "2" {
		t.Errorf("mails %d", len(ms))
	}
	if code := do(t, "DELETE", web+"/messages", ""); code != 204 {
		t.Errorf("DELETE: %d", code)
	}
	stop()
	c, _, _, _ = start(t, Config{File: path})
	if len(c.Messages()) != 0 || len(c.Webhooks()) != 1 {
		t.Errorf("after clearing mails: %d mails, %d webhooks", len(c.Messages()), len(c.Webhooks()))
	}
	os.WriteFile(path, []byte("nonsense\n"), 0o600)
	if _, err := New(Config{File: path}, env.Quiet(1)); err == nil {
		t.Error("a damaged file was taken")
	}
}

func TestPortInUseIsSaid(t *testing.T) {
	_, web, _, _ := start(t, Config{})
	c, err := New(Config{HTTP: strings.TrimPrefix(web, "http://"), SMTP: "127.0.0.1:0"}, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Run: %v", err)
	}
}
