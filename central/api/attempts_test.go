package api_test

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"vedetta/bench/watchtest"
	"vedetta/central/centraltest"
	"vedetta/wire/dc09"
	"vedetta/wire/decision"
	wire "vedetta/wire/watch"
)

func TestAttemptsOfAPanel(t *testing.T) {
	c := newClient(t)
	nodes := watchtest.New(t, c.s, time.Now())
	c.s.Mesh.SetWatch("limburg", nil)
	now := time.Now()
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "AB12CD34", "Nri1/BA003", "another key 1234", 1, now), Word: watchtest.DUH, Reason: dc09.ReasonUndecryptable, At: now.Add(-time.Minute)})
	nodes.Came(watchtest.Come{Node: "roubaix", Raw: watchtest.Frame(t, "AB12CD34", "Nri1/BA003", "panel-key-secret", 2, now.Add(-2*time.Hour)), Word: watchtest.NAK, Reason: dc09.ReasonTime, At: now.Add(-50 * time.Second)})
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "5544", "Nri1/BA003", "", 3, now), Word: watchtest.Silence, Reason: dc09.ReasonNotDurable})  // the shop's
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "AB12CD35", "Nri1/BA003", "", 4, now), Word: watchtest.Silence, Reason: dc09.ReasonUnknown}) // from an address that nobody proved
	nodes.Came(watchtest.Come{From: "127.0.0.1", Raw: []byte("GET / HTTP/1.1\r\nCookie: session=secret\r\n"), At: now.Add(-30 * time.Second)})     // from where we come
	nodes.Came(watchtest.Come{From: "127.0.0.1", Raw: watchtest.Frame(t, "AB12CD43", "Nri1/BA003", "", 5, now), Word: watchtest.Silence, Reason: dc09.ReasonUnknown})
	r := c.want(c.do("GET", "/panels/"+centraltest.House+"/attempts", ""), 200, "")
	var page struct {
		Items []wire.Attempt
		Nodes []struct {
			Node     string
			Watching bool
		}
	}
	if err := json.Unmarshal([]byte(r.text), &page); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range page.Items {
		got = append(got, a.Node+" "+a.Reason+" "+a.Relation)
	}
	if want := "arezzo unknown_account near, arezzo not_dc09 address, roubaix time panel, arezzo undecryptable panel"; strings.Join(got, ", ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, ", "), want)
	}
	if page.Items[3].What == "" || page.Items[3].WhatIt == "" || strings.Contains(r.text, "session=secret") || strings.Contains(r.text, "panel-key") {
		t.Errorf("%s", r.text)
	}
	for _, n := range page.Nodes {
		if n.Watching != (n.Node != "limburg") {
			t.Errorf("%s watching: %v", n.Node, n.Watching)
		}
	}
	c.want(c.do("GET", "/panels/p-none/attempts", ""), 404, "")
	c.want(c.do("GET", "/panels/"+centraltest.House+"/attempts?since=1", ""), 400, "")
	c.want(c.do("GET", "/panels/p-none/attempts/stream", ""), 404, "")
	c.want(c.do("GET", "/attempts", ""), 403, "")
	c.want(c.do("GET", "/attempts/stream", ""), 403, "")

	c.key = centraltest.OperatorKey
	for path, want := range map[string]int{"/attempts": 6, "/attempts?account=AB12CD34": 4, "/attempts?account=5544": 1} {
		list, _ := c.want(c.do("GET", path, ""), 200, "").body["items"].([]any)
		if len(list) != want {
			t.Errorf("%s: %d attempts, want %d: %v", path, len(list), want, list)
		}
	}
	c.want(c.do("GET", "/attempts?account=x", ""), 400, "")
	c.want(c.do("GET", "/panels/"+centraltest.House+"/attempts", ""), 403, "")
}

// followed is an attempts stream's events.
type followed struct{ lines *bufio.Scanner }

func (f followed) next(t *testing.T, name string) string {
	t.Helper()
	last := ""
	for f.lines.Scan() {
		if n, ok := strings.CutPrefix(f.lines.Text(), "event: "); ok {
			last = n
		}
		if data, ok := strings.CutPrefix(f.lines.Text(), "data: "); ok && last == name {
			return data
		}
	}
	t.Fatal("the stream ended", f.lines.Err())
	return ""
}

// A message that is taken is told at once, and again with its event; its copy
// as a copy.
func TestAttemptsAsTheyCome(t *testing.T) {
	s, srv := serve(t)
	now := time.Now()
	nodes := watchtest.New(t, s, now)
	resp, _ := get(t, srv.URL+"/api/v1/panels/"+centraltest.House+"/attempts/stream", centraltest.APIKey)
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	defer resp.Body.Close()
	f := followed{bufio.NewScanner(resp.Body)}
	for range 4 { // nobody, and then each
		f.next(t, "nodes")
	}
	alarm := centraltest.Alarm{At: now, Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new"}}
	told := func() (a wire.Attempt) {
		t.Helper()
		if err := json.Unmarshal([]byte(f.next(t, "attempt")), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	raw := watchtest.Frame(t, "AB12CD34", "Nri1/BA003", "panel-key-secret", 7, now)
	first := alarm.Message(s.Mesh)
	nodes.Came(watchtest.Come{Raw: raw, Word: watchtest.ACK, Reason: "stored", Entry: first, Answer: []byte("\nACK\r")})
	a := told()
	if a.EventID != nil || *a.Entry != first.String() || *a.Decoded.Data != "#AB12CD34|Nri1/BA003" || a.Answered.Text != `\nACK\r` {
		t.Errorf("at once: %+v", a)
	}
	alarm.Verdict(s.Mesh, first)
	apply(t, s)
	again := told()
	if again.ID != a.ID || again.EventID == nil || *again.EventID != decision.EventID(first, 0) || *again.Copy {
		t.Errorf("then: %+v", again)
	}
	second := alarm.Copy(s.Mesh, first)
	apply(t, s)
	nodes.Came(watchtest.Come{Node: "roubaix", Raw: raw, Word: watchtest.ACK, Reason: "stored", Entry: second})
	a = told()
	if a.EventID == nil || *a.EventID != *again.EventID || !*a.Copy || !strings.Contains(a.What, "repeats") {
		t.Errorf("the copy: %+v", a)
	}
}

// A key that loses the operator's scope, or is withdrawn, is shown no attempt more.
func TestAttemptsEndWithTheKeysScope(t *testing.T) {
	for name, change := range map[string]string{"scope lost": `UPDATE api_keys SET scopes = 'all'`, "withdrawn": `DELETE FROM api_keys`} {
		s, srv := serve(t)
		nodes := watchtest.New(t, s, time.Now())
		r, _ := get(t, srv.URL+"/api/v1/attempts/stream", centraltest.OperatorKey)
		lines := bufio.NewScanner(r.Body)
		f := followed{lines}
		for range 4 { // nobody, and then each
			f.next(t, "nodes")
		}
		err := s.DB.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), change)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "AB12CD34", "Nri1/BA003", "panel-key-secret", 7, time.Now()), Word: watchtest.ACK, Reason: "stored"})
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "event: attempt") {
				t.Errorf("%s: an attempt was shown", name)
				break
			}
		}
		r.Body.Close()
	}
}
