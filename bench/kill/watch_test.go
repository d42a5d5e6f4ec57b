package kill

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"vedetta/bench/meshtest"
	"vedetta/wire/dc09"
	wire "vedetta/wire/watch"
)

// slip is one attempt of an installer's panel, and what he must read of it.
type slip struct {
	name     string
	node     int
	network  string // tcp when empty
	raw      []byte
	reason   string
	relation string
	says     string // part of the sentence
	do       string // part of what to do
	answer   string // token of the answer, empty: none
}

// TestInstallerUnderstands has a panel fail at a running product in each way an
// installer can bring about, while `vedettactl panels watch` runs. Each attempt
// is told within seconds, with its reason, the evidence and what to do; nothing
// of another customer's or stranger's panel is told.
func TestInstallerUnderstands(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin)
	key := []byte("k9#fQ2z!vW7m&Lp4")
	house := made(t, m, "/panels", fmt.Sprintf(`{"name":"Magazzino","account":"beef01","key":"hex:%x"}`, key))
	made(t, m, "/panels", `{"name":"Vecchia","account":"beef99"}`)
	keyed, plain := watching(t, m, "beef01"), watching(t, m, "BEEF99")

	now := time.Now().UTC()
	digits := []byte(strings.ToUpper(hex.EncodeToString(key)))
	badCRC := frame(t, "BEEF01", "Nri1/BA001", key, 5, now)
	badCRC[2] ^= 1
	told := map[string]bool{}
	for _, s := range []slip{
		{name: "wrong key", raw: frame(t, "BEEF01", "Nri1/BA001", []byte("another Key 9@!x"), 1, now), reason: "undecryptable", says: "does not open it", do: "same key again", answer: "DUH"},
		{name: "the key as characters", node: 1, raw: frame(t, "BEEF01", "Nri1/BA001", digits, 2, now), reason: "undecryptable", says: "takes its digits as characters", do: "text:", answer: "DUH"},
		{name: "wrong clock", node: 2, raw: frame(t, "BEEF01", "Nri1/BA001", key, 3, now.Add(-2*time.Hour)), reason: "time", says: "2 h 0 min behind ours", do: "time zone", answer: "NAK"},
		{name: "wrong account, right key", node: 1, raw: frame(t, "BEEF10", "Nri1/BA001", key, 4, now), reason: "unknown_account", relation: wire.Opened, says: "names account BEEF10. Here, BEEF01", do: "Correct the account"},
		{name: "another account, no key", raw: frame(t, "777777", "Nri1/SECRET", nil, 4, now), reason: "unknown_account", relation: wire.Address, says: "••••77", do: "digit by digit"},
		{name: "bad CRC", raw: badCRC, reason: "bad_crc", says: "The checksum is wrong", do: "antenna"},
		{name: "plain though there is a key", raw: frame(t, "BEEF01", "Nri1/BA001", nil, 6, now), reason: "plain_refused", says: "not encrypted, though a key", do: "Switch encryption on"},
		{name: "another protocol", node: 1, raw: []byte("F#123456\r\n"), reason: "not_dc09", relation: wire.Address, says: "galaxy-sia", do: "SIA-IP"},
		{name: "TLS to a plain port", raw: []byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), reason: "not_dc09", relation: wire.Address, says: "began TLS", do: "TLS off"},
		{name: "a datagram cut short", node: 2, network: "udp", raw: frame(t, "BEEF01", "Nri1/BA001", key, 7, now)[:60], reason: "incomplete", says: "ends too early", do: "TCP rather than UDP"},
		{name: "not a message", raw: reframe(t, strings.Replace(string(frame(t, "BEEF01", "Nri1/BA001", nil, 7, now)), "SIA-DCS", "ACK", 1)), reason: "not_a_message", says: "An answer of a receiver", do: "another receiver"},
		{name: "unknown token", raw: reframe(t, strings.Replace(string(frame(t, "BEEF99", "Nri1/BA001", nil, 8, now)), "SIA-DCS", "XYZ-1", 1)), reason: "unknown_token", says: "Messages of type XYZ-1", do: "SIA-DCS or ADM-CID", answer: "DUH"},
		{name: "at last", raw: frame(t, "BEEF01", "Nri1/BA001", key, 9, now), reason: "stored", says: "Taken and acknowledged", answer: "ACK"},
	} {
		s.send(t, m)
		w := keyed
		if s.name == "unknown token" {
			w = plain
		}
		began := time.Now()
		a := w.next(t, s.name, func(a wire.Attempt) bool { return a.Reason == s.reason && !told[a.ID] })
		told[a.ID] = true // it is told once more when its event is known
		if s.relation == "" {
			s.relation = wire.Own
		}
		answered := ""
		if a.Answered != nil {
			answered = a.Answered.Text
		}
		if a.Relation != s.relation || !strings.Contains(a.What, s.says) || !strings.Contains(a.Do, s.do) || a.WhatIt == "" || a.Node != m.Nodes[s.node].Name ||
			(answered == "") != (s.answer == "") || !strings.Contains(answered, s.answer+`"`) && s.answer != "" {
			t.Errorf("%s: %+v", s.name, a)
		}
		t.Logf("%s: told after %s: %s", s.name, time.Since(began).Round(time.Millisecond), a.What)
	}

	// The same message at another node is told as what it is, a copy of that event.
	event := *keyed.next(t, "the event", func(a wire.Attempt) bool { return a.Reason == "stored" && a.EventID != nil }).EventID
	slip{node: 1, raw: frame(t, "BEEF01", "Nri1/BA001", key, 9, now)}.send(t, m)
	if a := keyed.next(t, "the copy", func(a wire.Attempt) bool { return a.Copy != nil && *a.Copy }); *a.EventID != event || !strings.Contains(a.What, "repeats") {
		t.Errorf("the copy of event %s: %+v", event, a)
	}

	// Two datacenters stop: the third says that it could not acknowledge.
	pids := []int{}
	for _, i := range []int{1, 2} {
		s, err := m.Status(i)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, s.PID)
		m.Signal(i, syscall.SIGSTOP)
	}
	m.Await(5*time.Second, "the first not ready", func() error {
		s, err := m.Status(0)
		if err == nil && s.Ready {
			err = fmt.Errorf("ready")
		}
		return err
	})
	slip{raw: frame(t, "BEEF01", "Nri1/BA002", key, 10, time.Now())}.send(t, m)
	if a := keyed.next(t, "not ready", func(a wire.Attempt) bool { return a.Reason == "not_ready" }); a.Relation != wire.Own || *a.Decoded.Data != "#BEEF01|Nri1/BA002" {
		t.Errorf("not ready: %+v", a)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}

	// Whoever comes later still sees what was refused, and another's key sees nothing.
	var page struct{ Items []wire.Attempt }
	if status := getJSON(t, m, "/panels/"+house["id"].(string)+"/attempts", &page); status != http.StatusOK || len(page.Items) < 6 {
		t.Errorf("%d, %d attempts are kept", status, len(page.Items))
	}
	if all := keyed.text + plain.text; strings.Contains(all, "SECRET") || strings.Contains(all, "777777") || strings.Contains(all, string(key)) || strings.Contains(all, hex.EncodeToString(key)) {
		t.Error("what must not be told was told")
	}
	if strings.Contains(plain.text, "BEEF01") || strings.Contains(plain.text, "BEEF10") {
		t.Error("the other panel's attempts were told")
	}
}

// send sends it as a panel does, and takes what comes back.
func (s slip) send(t *testing.T, m *meshtest.Mesh) {
	t.Helper()
	network := s.network
	if network == "" {
		network = "tcp"
	}
	c, err := net.Dial(network, m.Nodes[s.node].DC09)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(s.raw); err != nil {
		t.Fatal(err)
	}
	wait := 300 * time.Millisecond
	if s.answer != "" {
		wait = 4 * time.Second
	}
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Read(make([]byte, 1024)) // silence is one of the answers
}

// frame is a panel's message, encrypted when there is a key.
func frame(t *testing.T, account, data string, key []byte, seq int, at time.Time) []byte {
	t.Helper()
	zero := "0"
	msg := dc09.Message{Token: dc09.TokenSIA, Sequence: seq, Prefix: &zero, Account: account, Blocks: "[#" + account + "|" + data + "]"}
	var cipher *dc09.Cipher
	if key != nil {
		msg.Time = at
		var err error
		if cipher, err = dc09.NewCipher(key); err != nil {
			t.Fatal(err)
		}
	}
	b, err := msg.AppendFrame(nil, cipher)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// reframe gives changed bytes their CRC and length again.
func reframe(t *testing.T, raw string) []byte {
	t.Helper()
	body := strings.TrimSuffix(raw[9:], "\r")
	return []byte(fmt.Sprintf("\n%04X%04X%s\r", dc09.CRC([]byte(body)), len(body), body))
}

// watcher is a `vedettactl panels watch --json` that runs.
type watcher struct {
	lines chan string
	text  string
}

// watching starts one; what was refused before is told at its begin.
func watching(t *testing.T, m *meshtest.Mesh, account string) *watcher {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "vedettactl"), "panels", "watch", account, "--api", m.Central, "--key", m.APIKey, "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // ended by the test's context
	w := &watcher{lines: make(chan string, 1000)}
	go func() {
		defer close(w.lines)
		in := bufio.NewScanner(out)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			w.lines <- in.Text()
		}
	}()
	return w
}

// next is the next attempt that is looked for, within ten seconds.
func (w *watcher) next(t *testing.T, what string, want func(wire.Attempt) bool) wire.Attempt {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case line, ok := <-w.lines:
			if !ok {
				t.Fatalf("%s: the watch ended", what)
			}
			w.text += line + "\n"
			var a wire.Attempt
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			if want(a) {
				return a
			}
		case <-late:
			t.Fatalf("%s: not told within 10 s; told so far:\n%s", what, w.text)
		}
	}
}

func getJSON(t *testing.T, m *meshtest.Mesh, path string, into any) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.Central+"/api/v1"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m.APIKey)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}
