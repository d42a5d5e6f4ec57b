package kill

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vedetta/bench/meshtest"
	"vedetta/ops/panel"
)

// TestHeldMessagesAreAdopted lets a panel that nobody has entered report a fire
// and a burglary, encrypted, to two nodes of a running product. Nobody answers
// it; the operator sees it, a wrong key is refused, and once adopted both are
// events of the customer's, and mailed.
func TestHeldMessagesAreAdopted(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin)
	key := bytes.Repeat([]byte{0x3c}, 16)
	p, err := panel.New(panel.Config{Account: "F00D01", Key: key, Timeout: 700 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i, data := range []string{"Nri1/FA007^~held fire~^", "Nri1/BA002^~held burglary~^"} {
		for range 2 { // it repeats what isn't answered
			if x, err := p.Send(t.Context(), m.Nodes[i].DC09, "SIA-DCS", i+1, data); err != nil || x.Answer != panel.AnswerSilence {
				t.Fatalf("a stranger was answered %v, %v", x.Answer, err)
			}
		}
	}
	call := func(method, path, body string, want int, into any) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, m.Central+"/api/v1"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+m.Operator.APIKey)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil || resp.StatusCode != want {
			t.Fatalf("%s %s: %s, %v, want %d: %s", method, path, resp.Status, err, want, text)
		}
	}
	var unknown struct {
		Items []struct {
			ID, Account    string
			Count          int
			EncryptedCount int `json:"encrypted_count"`
		}
	}
	m.Await(15*time.Second, "the operator sees four held messages", func() error {
		call("GET", "/unknown-panels", "", 200, &unknown)
		if len(unknown.Items) != 1 || unknown.Items[0].Count != 4 {
			return fmt.Errorf("%+v", unknown.Items)
		}
		return nil
	})
	if u := unknown.Items[0]; u.Account != "F00D01" || u.EncryptedCount != 4 {
		t.Errorf("%+v", u)
	}
	adopt := "/unknown-panels/" + url.PathEscape(unknown.Items[0].ID) + "/adopt"
	var refused, done map[string]any
	call("POST", adopt, `{"customer_id":"demo","name":"Cantina","key":"hex:ffffffffffffffffffffffffffffffff"}`, 422, &refused)
	call("POST", adopt, fmt.Sprintf(`{"customer_id":"demo","name":"Cantina","key":"hex:%x"}`, key), 201, &done)
	m.Await(15*time.Second, "the adoption is done", func() error {
		call("GET", "/adoptions/"+done["id"].(string), "", 200, &done)
		if done["state"] != "done" || done["adopted"] != 4.0 {
			return fmt.Errorf("%+v", done)
		}
		return nil
	})
	m.Await(20*time.Second, "two events, each with its repeat, and a mail of each", func() error {
		var events struct {
			Items []struct {
				Code, Category string
				Copies         int
			}
		}
		if err := m.Get(m.Central+"/api/v1/events?account=F00D01", &events); err != nil {
			return err
		}
		if len(events.Items) != 2 || events.Items[0].Copies != 2 || events.Items[1].Copies != 2 {
			return fmt.Errorf("%+v", events.Items)
		}
		var mails []struct{ Text string }
		if err := m.Get(m.Catcher+"/messages", &mails); err != nil {
			return err
		}
		for _, text := range []string{"~held fire~", "~held burglary~"} {
			n := 0
			for _, mail := range mails {
				if strings.Contains(mail.Text, text) {
					n++
				}
			}
			if n != 1 {
				return fmt.Errorf("%d mails of %s, want 1", n, text)
			}
		}
		return nil
	})
	if x, err := p.Send(t.Context(), m.Nodes[2].DC09, "SIA-DCS", 3, "Nri1/BR002"); err != nil || x.Answer != panel.AnswerACK {
		t.Errorf("the adopted panel is answered %v, %v", x.Answer, err)
	}
	call("GET", "/unknown-panels", "", 200, &unknown)
	if len(unknown.Items) != 0 {
		t.Errorf("adopted, and still unknown: %+v", unknown.Items)
	}
	imported(t, m)
}

// imported enters 1,200 panels by one file, in several parts of the roster, and
// has the last be acknowledged at every node at once.
func imported(t *testing.T, m *meshtest.Mesh) {
	t.Helper()
	var file strings.Builder
	file.WriteString("Nome;Account;Chiave\r\n")
	const n = 1200
	for i := range n {
		fmt.Fprintf(&file, "Condominio %d;%08X;hex:%032x\r\n", i, 0x30000000+i, i+1)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.Central+"/api/v1/panels/import", strings.NewReader(file.String()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m.APIKey)
	req.Header.Set("Content-Type", "text/csv")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var report struct {
		ID      string
		New     int
		InForce bool `json:"in_force"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&report); err != nil || resp.StatusCode != 200 || report.New != n {
		t.Fatalf("%s %+v %v", resp.Status, report, err)
	}
	m.Await(20*time.Second, "the import is in force", func() error {
		if err := m.Get(m.Central+"/api/v1/imports/"+report.ID, &report); err != nil || report.InForce {
			return err
		}
		return fmt.Errorf("%+v", report)
	})
	last := make([]byte, 16)
	last[14], last[15] = n>>8, n&0xff
	p, err := panel.New(panel.Config{Account: fmt.Sprintf("%08X", 0x30000000+n-1), Key: last, Timeout: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range m.Nodes {
		if x, err := p.Send(t.Context(), m.Nodes[i].DC09, "SIA-DCS", i+1, "Nri1/RP"); err != nil || x.Answer != panel.AnswerACK {
			t.Errorf("node %d answers the last panel of the file %v, %v", i, x.Answer, err)
		}
	}
}
