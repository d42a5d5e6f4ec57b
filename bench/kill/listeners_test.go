package kill

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"vedetta/bench/meshtest"
	"vedetta/ops/panel"
	"vedetta/ops/pki"
)

// TestListenersAndCertificates gives a node a second listener and enters a panel
// there under the demo panel's account: they are two panels, by TCP and by TLS, each
// alerted by its own rule. Then the panels' certificate is renewed while all run.
func TestListenersAndCertificates(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin, "--restart-after", "0s")
	radio, secure := freePort(t), freePort(t)
	path := filepath.Join(m.Dir, "config", m.Nodes[0].Name+".yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var cfg map[string]any
	if err := yaml.Unmarshal(text, &cfg); err != nil {
		t.Fatal(err)
	}
	front := cfg["reception"].(map[string]any)
	front["listeners"] = append(front["listeners"].([]any), map[string]any{"name": "radio", "tcp": radio, "tls": secure})
	if text, err = yaml.Marshal(cfg); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	account := m.Demo.PlainAccount
	house := made(t, m, "/panels", fmt.Sprintf(`{"name":"Radio","listener":"radio","account":%q}`, account))
	made(t, m, "/panels", `{"name":"Solo radio","listener":"radio","account":"cafe02"}`)
	ugo := made(t, m, "/contacts", `{"name":"Ugo Neri","email":"ugo@vedetta.example","language":"en"}`)
	made(t, m, "/rules", fmt.Sprintf(`{"name":"Radio a Ugo","panels":[%q],"categories":["burglary"],"steps":[{"contacts":[%q],"channels":["email"]}]}`, house["id"], ugo["id"]))
	m.Signal(0, syscall.SIGKILL)
	m.Await(30*time.Second, "the node with both listeners", func() error {
		var st struct {
			Ready     bool
			Listeners []struct{ Name, Transport, Address string }
		}
		if err := m.Get(m.Nodes[0].Status+"/status", &st); err != nil {
			return err
		}
		if len(st.Listeners) != 5 || !st.Ready || st.Listeners[4].Address != secure {
			return fmt.Errorf("status %+v", st)
		}
		return nil
	})
	ca := filepath.Join(m.Dir, "pki", "ca.pem")
	send := func(account, to, text string, via panel.Transport) panel.Answer {
		t.Helper()
		p, err := panel.New(panel.Config{Account: account, Via: via, Timeout: 4 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		x, err := p.Send(t.Context(), to, "SIA-DCS", 1, "Nri1/BA001^"+text+"^")
		if err != nil {
			t.Fatal(err)
		}
		return x.Answer
	}
	over := panel.Transport{TLS: true, TLSCA: ca}
	for _, row := range []struct {
		account, to, text string
		via               panel.Transport
		want              panel.Answer
	}{
		{account, m.Nodes[0].DC09, "~at main~", panel.Transport{}, panel.AnswerACK},
		{account, *m.Nodes[0].DC09TLS, "~at main by tls~", over, panel.AnswerACK},
		{account, radio, "~at radio~", panel.Transport{}, panel.AnswerACK},
		{account, secure, "~at radio by tls~", over, panel.AnswerACK},
		{"CAFE02", radio, "~only radio~", panel.Transport{}, panel.AnswerACK},
		{"CAFE02", m.Nodes[0].DC09, "~only radio~", panel.Transport{}, panel.AnswerSilence},
	} {
		if got := send(row.account, row.to, row.text, row.via); got != row.want {
			t.Errorf("%s: %s, want %s", row.text, got, row.want)
		}
	}
	m.Await(20*time.Second, "mails of the radio's alarms only", func() error {
		var mails []struct {
			To   any
			Text string
		}
		if err := m.Get(m.Catcher+"/messages", &mails); err != nil {
			return err
		}
		got := map[string]int{}
		for _, mail := range mails {
			for _, text := range []string{"~at main~", "~at main by tls~", "~at radio~", "~at radio by tls~"} {
				if strings.Contains(mail.Text, text) {
					got[fmt.Sprintf("%v %s", strings.Contains(fmt.Sprint(mail.To), "ugo@"), text)]++
				}
			}
		}
		for _, want := range []string{"false ~at main~", "false ~at main by tls~", "true ~at radio~", "true ~at radio by tls~"} {
			if got[want] != 1 {
				return fmt.Errorf("mails %v, want one of %q", got, want)
			}
		}
		if len(got) != 6 { // the demo contact's rule is for all panels
			return fmt.Errorf("mails %v", got)
		}
		return nil
	})

	// A new certificate in the old one's place is shown within seconds.
	serial := func() string {
		c, err := tls.Dial("tcp", secure, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	before := serial()
	if err := pki.IssueForPanels(filepath.Join(m.Dir, "pki"), []string{"127.0.0.1"}, filepath.Join(m.Dir, "pki", "panels")); err != nil {
		t.Fatal(err)
	}
	m.Await(15*time.Second, "the new certificate", func() error {
		if serial() == before {
			return fmt.Errorf("still the old one")
		}
		return nil
	})
	if got := send(account, secure, "~after renewal~", over); got != panel.AnswerACK {
		t.Errorf("after the renewal: %s", got)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
