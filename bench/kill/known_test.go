package kill

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"vedetta/bench/meshtest"
	"vedetta/ops/panel"
)

// TestKnownAddressIsBannedNowhere: a panel that shares its address with a scanner is
// acknowledged at one node; it is not banned at the node that it turns to, nor at the
// first one once that was killed. An address that no panel has is, at both.
func TestKnownAddressIsBannedNowhere(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin, "--restart-after", "0s")
	set := func(i int, lenient string) {
		t.Helper()
		path := filepath.Join(m.Dir, "config", m.Nodes[i].Name+".yaml")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var cfg map[string]any
		if err := yaml.Unmarshal(text, &cfg); err != nil {
			t.Fatal(err)
		}
		front := cfg["reception"].(map[string]any)
		front["never_ban"], front["bans"] = []string{}, map[string]any{"lenient_after_start": lenient}
		if text, err = yaml.Marshal(cfg); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range m.Nodes {
		set(i, "1s")
		m.Signal(i, syscall.SIGHUP)
	}
	shared, lone := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 7)}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}
	// scan is what a browser says; an error when the address is refused.
	scan := func(i int, from net.Addr) error {
		c, err := (&net.Dialer{LocalAddr: from}).DialContext(t.Context(), "tcp", m.Nodes[i].DC09)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\n\r\n"); err != nil {
			return err
		}
		_, err = io.ReadAll(c)
		return err
	}
	scans := func(i int, from net.Addr) (err error) {
		for range 5 {
			err = scan(i, from)
		}
		return err
	}
	alarm := func(i, seq int) error {
		p, err := panel.New(panel.Config{Account: m.Demo.PlainAccount, From: shared, Timeout: 4 * time.Second})
		if err != nil {
			return err
		}
		defer p.Close()
		x, err := p.Send(t.Context(), m.Nodes[i].DC09, "SIA-DCS", seq, fmt.Sprintf("Nri1/BA001^~known %d~^", seq))
		if err == nil && x.Answer != panel.AnswerACK {
			err = fmt.Errorf("%s %s", x.Answer, x.Why)
		}
		return err
	}
	m.Await(10*time.Second, "a ban at the second node", func() error {
		if scans(1, shared) == nil || scans(1, lone) == nil {
			return fmt.Errorf("no ban")
		}
		return nil
	})
	if err := alarm(1, 1); err == nil {
		t.Fatal("the panel's address was banned at the second node, and it was answered")
	}
	if err := alarm(0, 2); err != nil {
		t.Fatalf("at the first node: %v", err)
	}
	m.Await(10*time.Second, "the panel's alarm at the second node", func() error { return alarm(1, 3) })
	if err := scans(1, shared); err != nil {
		t.Errorf("the second node refuses a known panel's address: %v", err)
	}
	if scan(1, lone) == nil {
		t.Error("the ban of another address has ended")
	}

	set(0, "10m") // so that a ban tells: the others' word came
	m.Signal(0, syscall.SIGKILL)
	awaitReady(m, 0)
	if err := scans(0, shared); err != nil {
		t.Errorf("after its kill the first node refuses a known panel's address: %v", err)
	}
	m.Await(10*time.Second, "a ban of another address at the first node", func() error {
		if scans(0, lone) == nil {
			return fmt.Errorf("no ban")
		}
		return nil
	})
	if err := scans(0, shared); err != nil {
		t.Errorf("the first node bans a known panel's address: %v", err)
	}
	if err := alarm(0, 4); err != nil {
		t.Errorf("after its kill, at the first node: %v", err)
	}
	if err := alarm(1, 5); err != nil {
		t.Errorf("at the second node: %v", err)
	}
}
