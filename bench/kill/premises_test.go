package kill

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"vedetta/bench/meshtest"
	"vedetta/ops/panel"
)

// made makes something by the API, and wants it in force.
func made(t *testing.T, m *meshtest.Mesh, path, body string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.Central+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m.APIKey)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", fmt.Sprintf("once%s%x", path, crc32.ChecksumIEEE([]byte(body))))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil || resp.StatusCode != http.StatusCreated || v["in_force"] != true {
		t.Fatalf("%s: %s, %v, want it made and in force: %s", path, resp.Status, err, text)
	}
	return v
}

// TestRule15_PremisesByAPI enters a panel, a contact and a rule by the API of a
// running product. The answers say that they are in force; from then on an
// alarm of that panel is known at every node, planned by that rule, mailed to
// that contact, and shown with its outcome.
func TestRule15_PremisesByAPI(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin)
	post := func(path, body string) map[string]any { t.Helper(); return made(t, m, path, body) }
	key := bytes.Repeat([]byte{0x5a}, 16)
	house := post("/panels", fmt.Sprintf(`{"name":"Magazzino","account":"beef01","key":"hex:%x","zones":[{"number":"1","name":"Portone"}]}`, key))
	ugo := post("/contacts", `{"name":"Ugo Neri","email":"ugo@vedetta.example","language":"en"}`)
	post("/rules", fmt.Sprintf(`{"name":"Furto a Ugo","panels":[%q],"categories":["burglary"],"steps":[{"contacts":[%q],"channels":["email"]}]}`, house["id"], ugo["id"]))

	p, err := panel.New(panel.Config{Account: "BEEF01", Key: key, Timeout: 4 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range m.Nodes { // at once, at each: the answer has promised it
		if x, err := p.Send(t.Context(), m.Nodes[i].DC09, "SIA-DCS", i+1, fmt.Sprintf("Nri1/BA001^~api %d~^", i)); err != nil || x.Answer != panel.AnswerACK {
			t.Fatalf("node %d: %v %v", i, x.Answer, err)
		}
	}
	m.Await(20*time.Second, "a mail to the new contact for each alarm", func() error {
		var mails []struct {
			To   any    `json:"to"`
			Text string `json:"text"`
		}
		if err := m.Get(m.Catcher+"/messages", &mails); err != nil {
			return err
		}
		for i := range m.Nodes {
			n := 0
			for _, mail := range mails {
				if strings.Contains(fmt.Sprint(mail.To), "ugo@vedetta.example") && strings.Contains(mail.Text, fmt.Sprintf("~api %d~", i)) && strings.Contains(mail.Text, "Portone") {
					n++
				}
			}
			if n != 1 {
				return fmt.Errorf("%d mails of alarm %d to the new contact, want 1", n, i)
			}
		}
		return nil
	})
	m.Await(20*time.Second, "the outcomes by API", func() error {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.Central+"/api/v1/notifications?account=BEEF01&limit=1000", nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+m.APIKey)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var list struct {
			Items []struct {
				Contact string `json:"contact_id"`
				State   string `json:"state"`
			} `json:"items"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
			return err
		}
		delivered := 0
		for _, n := range list.Items {
			if n.Contact == ugo["id"] && n.State == "delivered" {
				delivered++
			}
		}
		if delivered != len(m.Nodes) {
			return fmt.Errorf("%d delivered to the new contact, want %d", delivered, len(m.Nodes))
		}
		return nil
	})
}
