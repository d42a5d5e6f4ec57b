package portal_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"vedetta/bench/watchtest"
	"vedetta/central/centraltest"
	"vedetta/wire/dc09"
)

// slips has the house's panel fail in the ways that are met most, and then
// succeed; limburg can't be reached.
func slips(t *testing.T, s *centraltest.Service, now time.Time) *watchtest.Nodes {
	t.Helper()
	nodes := watchtest.New(t, s, now)
	s.Mesh.SetWatch("limburg", nil)
	const account, key = "AB12CD34", "panel-key-secret"
	frame := func(account, key string, seq int, off time.Duration) []byte {
		return watchtest.Frame(t, account, "Nri1/BA003^Finestra dello studio^", key, seq, now.Add(off))
	}
	crc := frame(account, key, 6, 0)
	crc[3] ^= 1
	for i, c := range []watchtest.Come{
		{Raw: []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), From: "127.0.0.1"},
		{Raw: frame("AB12CD43", "", 1, 0), Word: watchtest.Silence, Reason: dc09.ReasonUnknown, From: "127.0.0.1"},
		{Raw: frame("777777", "", 1, 0), Word: watchtest.Silence, Reason: dc09.ReasonUnknown, From: "127.0.0.1"},
		{Raw: frame("AB12CD34", "", 2, 0), Word: watchtest.Silence, Reason: dc09.ReasonPlain},
		{Raw: frame(account, "another key 1234", 3, 0), Word: watchtest.DUH, Reason: dc09.ReasonUndecryptable, Answer: []byte("\n9E5C0019\"DUH\"0003L0#AB12CD34[]\r")},
		{Raw: frame(account, key, 4, -2*time.Hour-35*time.Second), Word: watchtest.NAK, Reason: dc09.ReasonTime, Answer: []byte("\n4E320027\"NAK\"0000R0L0A0[]_16:03:10,11-24-2026\r"), Node: "roubaix"},
		{Raw: crc},
		{Raw: frame(account, key, 7, 0), Word: watchtest.Silence, Reason: dc09.ReasonNotReady, Node: "roubaix"},
	} {
		c.At = now.Add(time.Duration(i-10) * 7 * time.Second)
		nodes.Came(c)
	}
	return nodes
}

func TestWatchPage(t *testing.T) {
	now := time.Now()
	s, srv := site(t, now)
	slips(t, s, now)
	for language, want := range map[string][]string{
		"it": {"Villa Rossi trasmette", "Che cosa fare:", "la chiave inserita qui (AES-128, controllo ", "non lo apre", "indietro di 2 h 0 min", "fuso orario", "AB12CD43. Qui, per questa centrale, è inserito AB12CD34",
			"••••77", "TLS su una porta", "Limburg: non raggiunto", "Arezzo: in ascolto", "somma di controllo sbagliata (ascii)", "non è cifrato", "NAK, ora sbagliata"},
		"en": {"Villa Rossi reports", "the key entered here (AES-128, check ", "does not open it", "2 h 0 min behind ours", "time zone", "account AB12CD43. Here, AB12CD34 is entered", "began TLS", "Limburg: not reached"},
	} {
		c := browser(t)
		login(t, c, srv.URL, centraltest.Password)
		post(t, c, srv.URL+"/language", map[string][]string{"to": {language}, "back": {"/"}})
		r, body := get(t, c, srv.URL+"/panels/"+centraltest.House+"/watch")
		if r.StatusCode != http.StatusOK {
			t.Fatal(r.Status, body)
		}
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s: %q is missing", language, w)
			}
		}
		for _, never := range []string{"panel-key-secret", "777777", ">watch.", "{0}"} {
			if strings.Contains(body, never) {
				t.Errorf("%s: %q is on the page", language, never)
			}
		}
		if r, body = get(t, c, srv.URL+"/panels/"+centraltest.House); r.StatusCode != http.StatusOK || !strings.Contains(body, `href="/panels/p-house/watch"`) {
			t.Errorf("the panel's page doesn't lead there: %s", r.Status)
		}
		if r, _ = get(t, c, srv.URL+"/panels/p-none/watch"); r.StatusCode != http.StatusNotFound {
			t.Errorf("no such panel: %s", r.Status)
		}
	}
	if r, _ := get(t, browser(t), srv.URL+"/panels/"+centraltest.House+"/watch"); r.Request.URL.Path != "/login" {
		t.Errorf("without a session: %s", r.Request.URL)
	}
}

func TestWatchStream(t *testing.T) {
	now := time.Now()
	s, srv := site(t, now)
	nodes := slips(t, s, now)
	c := browser(t)
	login(t, c, srv.URL, centraltest.Password)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/panels/"+centraltest.House+"/watch/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func(name string) map[string]any {
		t.Helper()
		last := ""
		for lines.Scan() {
			if n, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				last = n
			}
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && last == name {
				m := map[string]any{}
				if err := json.Unmarshal([]byte(data), &m); err != nil {
					t.Fatal(err)
				}
				return m
			}
		}
		t.Fatal("the stream ended", lines.Err())
		return nil
	}
	for range 8 {
		next("attempt")
	}
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "AB12CD34", "Nri1/RP000", "panel-key-secret", 9, now), Word: watchtest.ACK, Reason: "stored"})
	m := next("attempt")
	if html := m["html"].(string); !strings.Contains(html, "tone-good") || !strings.Contains(html, "#AB12CD34|Nri1/RP000") || m["spoken"] == "" {
		t.Errorf("%v", m)
	}
	post(t, c, srv.URL+"/logout", nil)
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "AB12CD34", "Nri1/RP000", "panel-key-secret", 10, now), Word: watchtest.ACK, Reason: "stored"})
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "event: attempt") {
			t.Error("an attempt is shown to who has logged out")
		}
	}
}
