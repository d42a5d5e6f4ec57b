package kill

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"vedetta/bench/meshtest"
	"vedetta/bench/verdict"
	"vedetta/ops/panel"
)

// gossiped is what /status says of gossip.
type gossiped struct {
	Gossip struct {
		Running bool    `json:"running"`
		Problem *string `json:"problem"`
	} `json:"gossip"`
	Peers []struct {
		Name      string `json:"name"`
		Connected bool   `json:"connected"`
		Hint      *struct {
			Alive bool `json:"alive"`
		} `json:"hint"`
	} `json:"peers"`
}

// believes tells whom node i believes dead by gossip, or has heard nothing of,
// while its link to them stands.
func believes(m *meshtest.Mesh, i int) (gossiped, []string, error) {
	var g gossiped
	err := m.Get(m.Nodes[i].Status+"/status", &g)
	var dead []string
	for _, p := range g.Peers {
		if p.Connected && (p.Hint == nil || !p.Hint.Alive) {
			dead = append(dead, p.Name)
		}
	}
	return g, dead, err
}

// TestGossipIsOnlyAHint lets gossip lie: one node comes back with keys of its
// own, so that each side believes the other dead, then another with a keyring
// that is none. All are ready all the same, lead their shards, and alarms are
// acknowledged and alerted once.
func TestGossipIsOnlyAHint(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin, "--restart-after", "0s")
	m.Await(20*time.Second, "gossip agrees with the links", func() error {
		for i := range m.Nodes {
			if _, dead, err := believes(m, i); err != nil || len(dead) > 0 {
				return errors.Join(err, fmt.Errorf("%s believes %v dead", m.Nodes[i].Name, dead))
			}
		}
		return nil
	})
	ring := filepath.Join(m.Dir, "secret", "gossip")
	if err := os.Remove(ring); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(filepath.Join(bin, "vedettactl"), "pki", "gossip-keyring", ring).CombinedOutput(); err != nil {
		t.Fatalf("new keyring: %v\n%s", err, out)
	}
	restart(t, m, 0)
	m.Await(40*time.Second, "gossip is in two parts", func() error {
		_, here, err := believes(m, 0)
		_, there, err2 := believes(m, 2)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		if len(here) != 2 || !slices.Contains(there, m.Nodes[0].Name) {
			return fmt.Errorf("%s believes %v dead, %s %v", m.Nodes[0].Name, here, m.Nodes[2].Name, there)
		}
		return nil
	})
	if err := os.WriteFile(ring, []byte("no keyring\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	restart(t, m, 1)
	m.Await(10*time.Second, "the bad keyring is told", func() error {
		g, _, err := believes(m, 1)
		if err == nil && (g.Gossip.Running || g.Gossip.Problem == nil) {
			err = fmt.Errorf("gossip %+v, want it silent and why", g.Gossip)
		}
		return err
	})

	p := newPanel(t, m, true, false)
	defer p.Close()
	var sent []verdict.Alarm
	for i := range m.Nodes {
		text := fmt.Sprintf("~gossip %d~", i)
		x, err := p.Send(t.Context(), m.Nodes[i].DC09, "SIA-DCS", i+1, "Nri1/BA001^"+text+"^")
		if err != nil || x.Answer != panel.AnswerACK {
			t.Errorf("alarm at %s: %v %s %v", m.Nodes[i].Name, x.Answer, x.Why, err)
		}
		sent = append(sent, verdict.Alarm{Text: text, Acknowledged: x.Answer == panel.AnswerACK})
	}
	judge(t, m, sent)
	m.Await(20*time.Second, "the shards are spread over all", func() error {
		for i := range m.Nodes {
			if s, err := m.Status(i); err != nil || len(s.LeaderOf) < 21 {
				return errors.Join(err, fmt.Errorf("%s leads %d shards, want 21 or 22 of 64", s.Node, len(s.LeaderOf)))
			}
		}
		return nil
	})
}

// restart kills a node and waits until its next process is ready.
func restart(t *testing.T, m *meshtest.Mesh, i int) {
	t.Helper()
	before, err := m.Status(i)
	if err != nil {
		t.Fatal(err)
	}
	m.Signal(i, syscall.SIGKILL)
	m.Await(30*time.Second, "another process of "+m.Nodes[i].Name, func() error {
		s, err := m.Status(i)
		if err == nil && s.PID == before.PID {
			err = errors.New("still the same")
		}
		return err
	})
	awaitReady(m, i)
}

// TestWhatOthersReadOfANode holds the names that rules, Zabbix and reports read
// from a running node that has worked: metrics with their labels, and the keys
// of /status.
func TestWhatOthersReadOfANode(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin)
	p := newPanel(t, m, true, false)
	defer p.Close()
	text := "~names~"
	x, err := p.Send(t.Context(), m.Nodes[0].DC09, "SIA-DCS", 1, "Nri1/BA001^"+text+"^")
	if err != nil || x.Answer != panel.AnswerACK {
		t.Fatalf("%v %v", x.Answer, err)
	}
	judge(t, m, []verdict.Alarm{{Text: text, Acknowledged: true}})
	for _, name := range []string{
		`vedetta_messages_total{answer="ack",reason="stored"}`, "vedetta_ack_seconds_count", "vedetta_ready", `vedetta_follower_lag_seconds{follower="peer roubaix"}`,
		"vedetta_quorum_sites", "vedetta_panels_silent", "vedetta_shards_led", `vedetta_clock_offset_seconds{peer="roubaix"}`, "vedetta_disk_free_bytes",
	} {
		m.Await(15*time.Second, name, func() error { // followers are first compared 10 s after the start
			_, err := m.Metric(0, name)
			return err
		})
	}
	for _, channel := range []string{"email", "webhook", "webpush"} { // at the node that led the panel's shard
		for _, name := range []string{`vedetta_notifications_total{channel="` + channel + `",state="delivered"}`, `vedetta_notification_seconds_count{channel="` + channel + `"}`} {
			if !slices.ContainsFunc([]int{0, 1, 2}, func(i int) bool { v, err := m.Metric(i, name); return err == nil && v > 0 }) {
				t.Errorf("no node counts %s", name)
			}
		}
	}
	var status map[string]json.RawMessage
	if err := m.Get(m.Nodes[0].Status+"/status", &status); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"node", "site", "pid", "ready", "leader_of", "peers", "lags", "version", "cluster_version", "uptime_seconds", "disk_free_bytes", "certificate_expires"} {
		if _, ok := status[key]; !ok {
			t.Errorf("/status has no %s", key)
		}
	}
	var peers []map[string]json.RawMessage
	if err := json.Unmarshal(status["peers"], &peers); err != nil || len(peers) != 2 {
		t.Fatalf("peers %s: %v, want two", status["peers"], err)
	}
	for _, key := range []string{"name", "site", "connected", "rtt_seconds", "clock_offset_seconds"} {
		if _, ok := peers[0][key]; !ok {
			t.Errorf("a peer in /status has no %s", key)
		}
	}
}
