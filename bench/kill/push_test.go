package kill

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"vedetta/bench/meshtest"
	"vedetta/bench/verdict"
	"vedetta/ops/panel"
)

// change sends JSON to one of the product's endpoints and reads what it answers.
func change(t *testing.T, m *meshtest.Mesh, method, url, body string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m.APIKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s %v", method, url, res.Status, b, err)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPushServiceInTrouble lets the push service break off after it took a
// message, ask to be left alone, and say that a browser is gone. A repetition
// comes under the same topic; the subscription that has ended leaves the roster
// and is told of; a new one is reached.
func TestPushServiceInTrouble(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin)
	p := newPanel(t, m, true, false)
	defer p.Close()
	var sent []verdict.Alarm
	alarm := func(name string) string {
		t.Helper()
		text := "~push " + name + "~"
		x, err := p.Send(t.Context(), m.Nodes[len(sent)%3].DC09, "SIA-DCS", len(sent)+1, "Nri1/FA001^"+text+"^")
		if err != nil || x.Answer != panel.AnswerACK {
			t.Fatalf("alarm %s: %v %s %v", text, x.Answer, x.Why, err)
		}
		sent = append(sent, verdict.Alarm{Text: text, Acknowledged: true})
		return text
	}
	// settled waits until the alarm's notifications are final and gives that by push.
	settled := func(text string, channels int) (n verdict.Notification, pushed bool) {
		t.Helper()
		m.Await(20*time.Second, text+" settled", func() error {
			r, err := m.Record()
			if err != nil {
				return err
			}
			n, pushed = verdict.Notification{}, false
			final := 0
			for _, e := range r.Events {
				for _, one := range r.Notifications {
					if e.Text != text || one.EventID != e.ID || one.State == "pending" {
						continue
					}
					final++
					if one.Channel == "webpush" {
						n, pushed = one, true
					}
				}
			}
			if final != channels {
				return fmt.Errorf("%d notifications are final, want %d", final, channels)
			}
			return nil
		})
		return n, pushed
	}
	contact := m.Central + "/api/v1/contacts/demo-contact"

	change(t, m, http.MethodPut, m.Catcher+"/fault", `{"push":{"mode":"cut_after","count":1}}`, nil)
	if n, _ := settled(alarm("cut"), 3); n.State != "delivered" {
		t.Errorf("the line was cut after it was taken: %+v", n)
	}
	change(t, m, http.MethodPut, m.Catcher+"/fault", `{"push":{"mode":"throttle","count":1}}`, nil)
	began := time.Now()
	if n, _ := settled(alarm("throttled"), 3); n.State != "delivered" || time.Since(began) < 2*time.Second {
		t.Errorf("asked to wait for 2 s: %+v after %s", n, time.Since(began))
	}
	rep := judge(t, m, sent)
	if rep.Repeated["webpush"] != 1 {
		t.Errorf("%d pushes were repeated, want the one that was cut", rep.Repeated["webpush"])
	}

	change(t, m, http.MethodDelete, m.Catcher+"/push/demo", "", nil)
	if n, _ := settled(alarm("gone"), 3); n.State != "refused" || n.Reason != "gone" {
		t.Errorf("the browser is gone: %+v", n)
	}
	var body struct {
		Push     []json.RawMessage `json:"push"`
		Warnings []struct {
			Code string `json:"code"`
		} `json:"warnings"`
		InForce bool `json:"in_force"`
	}
	m.Await(20*time.Second, "the subscription has left the roster", func() error {
		if err := m.Get(contact, &body); err != nil {
			return err
		}
		if len(body.Push) != 0 || len(body.Warnings) != 1 || body.Warnings[0].Code != "push_ended" || !body.InForce {
			return fmt.Errorf("%d devices, warnings %v, in force %v", len(body.Push), body.Warnings, body.InForce)
		}
		return nil
	})
	if n, pushed := settled(alarm("after"), 2); pushed {
		t.Errorf("sent to a browser that is gone: %+v", n)
	}

	var browser map[string]string
	change(t, m, http.MethodPost, m.Catcher+"/push/subscriptions", "", &browser)
	b, err := json.Marshal(map[string]any{"push": []any{browser}})
	if err != nil {
		t.Fatal(err)
	}
	change(t, m, http.MethodPatch, contact, string(b), &body)
	if len(body.Push) != 1 || len(body.Warnings) != 0 {
		t.Errorf("subscribed again: %+v", body)
	}
	if n, _ := settled(alarm("again"), 3); n.State != "delivered" {
		t.Errorf("the new browser: %+v", n)
	}
}
