// Package meshtest starts the whole product as real processes for a test, asks
// it what the outside may ask, and ends what it started. It uses only what
// design promises to the outside: command lines, JSON, endpoints.
package meshtest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vedetta/ops/local"
)

// Mesh is one running product.
type Mesh struct {
	local.Description
	Dir string // data folder
	t   *testing.T
	cmd *exec.Cmd
}

// Build builds the programs once for all tests of a package and returns their
// folder; it is meant for TestMain.
func Build(dir string) (string, error) {
	bin := filepath.Join(dir, "bin")
	cmd := exec.Command("go", "build", "-o", bin+"/", "vedetta/node/vedetta-node", "vedetta/central/vedetta-central", "vedetta/ops/vedettactl")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
}

// Start runs `vedettactl local up` with the extra arguments in a new folder on
// free ports and waits until it says that everything is ready. The test's end
// stops it; its logs are printed when the test failed.
func Start(t *testing.T, bin string, args ...string) *Mesh {
	t.Helper()
	m := &Mesh{Dir: t.TempDir(), t: t}
	base := freePorts(t)
	m.cmd = exec.Command(filepath.Join(bin, "vedettactl"), append([]string{"local", "up", "--data", m.Dir, "--base-port", fmt.Sprint(base), "--json"}, args...)...)
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	m.cmd.Stderr = &lineLog{t: t}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.stop)
	line := make(chan string, 1)
	go func() {
		s, _ := bufio.NewReader(stdout).ReadString('\n')
		line <- s
	}()
	select {
	case s := <-line:
		if err := json.Unmarshal([]byte(s), &m.Description); err != nil {
			m.dumpLogs()
			t.Fatalf("local up said %q: %v", s, err)
		}
	case <-time.After(90 * time.Second):
		m.dumpLogs()
		t.Fatal("local up was not ready within 90 s")
	}
	return m
}

func (m *Mesh) stop() {
	if m.t.Failed() {
		m.dumpLogs()
	}
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		m.t.Logf("stopping local up: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- m.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			m.t.Errorf("local up ended with %v", err)
		}
	case <-time.After(60 * time.Second):
		_ = m.cmd.Process.Kill()
		m.t.Error("local up did not stop within 60 s of SIGTERM")
	}
}

func (m *Mesh) dumpLogs() {
	logs, err := filepath.Glob(filepath.Join(m.Dir, "log", "*.log"))
	if err != nil {
		m.t.Log(err)
	}
	for _, path := range logs {
		b, err := os.ReadFile(path)
		if err != nil {
			m.t.Log(err)
			continue
		}
		m.t.Logf("--- %s\n%s", filepath.Base(path), b[max(0, len(b)-6000):])
	}
}

// Get reads JSON from one of the product's endpoints.
func (m *Mesh) Get(url string, into any) error {
	return m.get(url, func(r io.Reader) error { return json.NewDecoder(r).Decode(into) })
}

// Metric reads one metric without labels of node i.
func (m *Mesh) Metric(i int, name string) (v float64, err error) {
	err = m.get(m.Nodes[i].Status+"/metrics", func(r io.Reader) error {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
				v, err = strconv.ParseFloat(text, 64)
				return err
			}
		}
		return errors.Join(fmt.Errorf("metric %s is missing", name), lines.Err())
	})
	return v, err
}

func (m *Mesh) get(url string, read func(io.Reader) error) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+m.APIKey)
	client := &http.Client{Timeout: 5 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 500))
		return fmt.Errorf("GET %s: %s %s", url, res.Status, b)
	}
	return read(res.Body)
}

// Status of a node; the error says that it doesn't answer.
type Status struct {
	Node            string   `json:"node"`
	PID             int      `json:"pid"`
	Ready           bool     `json:"ready"`
	Reasons         []string `json:"reasons"`
	ListenersOpen   bool     `json:"listeners_open"`
	LeaderOf        []int    `json:"leader_of"`
	AgreementLeader *string  `json:"agreement_leader"`
	Marks           map[string]struct {
		Flushed uint64 `json:"flushed"`
		Durable uint64 `json:"durable"`
		Hash    string `json:"hash"`
	} `json:"marks"`
}

// Status asks node i.
func (m *Mesh) Status(i int) (Status, error) {
	var s Status
	return s, m.Get(m.Nodes[i].Status+"/status", &s)
}

// Signal sends a signal to node i's present process.
func (m *Mesh) Signal(i int, sig syscall.Signal) {
	m.t.Helper()
	s, err := m.Status(i)
	if err != nil {
		m.t.Fatalf("node %d: %v", i, err)
	}
	if err := syscall.Kill(s.PID, sig); err != nil {
		m.t.Fatalf("kill %d: %v", s.PID, err)
	}
}

// Await asks again until check says yes, at most within; it fails the test
// with what it last said.
func (m *Mesh) Await(within time.Duration, what string, check func() error) {
	m.t.Helper()
	end := time.Now().Add(within)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			m.t.Fatalf("%s: not within %s: %v", what, within, err)
		}
		<-tick.C
	}
}

// Within waits until the context or the time ends; for a schedule of faults.
func Within(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// freePorts finds a base port whose whole table is free.
func freePorts(t *testing.T) int {
	t.Helper()
	for base := 20000 + os.Getpid()%200*50; base < 60000; base += 50 {
		if allFree(base) {
			return base
		}
	}
	t.Fatal("no free ports")
	return 0
}

func allFree(base int) bool {
	for p := base; p < base+50; p++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p))
		if err != nil {
			return false
		}
		c, err := net.ListenPacket("udp", l.Addr().String())
		_ = l.Close()
		if err != nil {
			return false
		}
		_ = c.Close()
	}
	return true
}

// lineLog passes a process's error lines to the test's log.
type lineLog struct {
	mu sync.Mutex
	t  *testing.T
}

func (l *lineLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.Logf("%s", b)
	return len(b), nil
}
