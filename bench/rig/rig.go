// Package rig starts the whole product as real processes, asks it what the
// outside may ask, and ends what it started. It uses only what design promises
// to the outside: command lines, JSON, endpoints. Tests use it through package
// meshtest, load and chaos runs directly.
//
// A Mesh owns the process group it started until Stop returns.
package rig

import (
	"bufio"
	"bytes"
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
	"syscall"
	"time"

	"vedetta/ops/local"
)

// Times that a healthy product keeps with room to spare.
const (
	startWithin = 90 * time.Second
	stopWithin  = 60 * time.Second
	answersIn   = 5 * time.Second
	listsIn     = 2 * time.Minute // a list of everything
)

// Mesh is one running product.
type Mesh struct {
	local.Description
	Dir  string // data folder
	cmd  *exec.Cmd
	done chan error // gets the end of cmd once
}

// Options of Start.
type Options struct {
	Bin    string    // folder of the programs, from Build
	Dir    string    // data folder
	Args   []string  // more arguments of `vedettactl local up`
	ErrOut io.Writer // gets its error lines; nil: nobody
}

// Build builds the programs into dir/bin and returns that folder.
func Build(ctx context.Context, dir string) (string, error) {
	bin := filepath.Join(dir, "bin")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin+"/", "vedetta/node/vedetta-node", "vedetta/central/vedetta-central", "vedetta/ops/vedettactl")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
}

// Start runs `vedettactl local up` on free ports and waits until it says that
// everything is ready.
func Start(ctx context.Context, o Options) (*Mesh, error) {
	base, err := freePorts()
	if err != nil {
		return nil, err
	}
	m := &Mesh{Dir: o.Dir, done: make(chan error, 1)}
	m.cmd = exec.Command(filepath.Join(o.Bin, "vedettactl"), append([]string{"local", "up", "--data", o.Dir, "--base-port", fmt.Sprint(base), "--json"}, o.Args...)...)
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	m.cmd.Stderr = o.ErrOut
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	line := make(chan []byte, 1)
	go func() {
		b, _ := bufio.NewReader(stdout).ReadBytes('\n')
		line <- b
		m.done <- m.cmd.Wait()
	}()
	select {
	case b := <-line:
		if err = json.Unmarshal(b, &m.Description); err != nil {
			err = fmt.Errorf("local up said %q: %w", b, err)
		}
	case <-time.After(startWithin):
		err = fmt.Errorf("local up was not ready within %s", startWithin)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, m.Stop(), errors.New(m.Logs(6000)))
	}
	return m, nil
}

// Stop ends the product in order; the error says that it didn't end well.
func (m *Mesh) Stop() error {
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping local up: %w", err)
	}
	select {
	case err := <-m.done:
		if err != nil {
			return fmt.Errorf("local up ended with %w", err)
		}
		return nil
	case <-time.After(stopWithin):
		return errors.Join(fmt.Errorf("local up did not stop within %s of SIGTERM", stopWithin), m.cmd.Process.Kill())
	}
}

// Logs are the ends of the processes' logs, at most n bytes of each.
func (m *Mesh) Logs(n int) string {
	var out bytes.Buffer
	paths, err := filepath.Glob(filepath.Join(m.Dir, "log", "*.log"))
	if err != nil {
		fmt.Fprintln(&out, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			fmt.Fprintln(&out, err)
			continue
		}
		fmt.Fprintf(&out, "--- %s\n%s\n", filepath.Base(path), b[max(0, len(b)-n):])
	}
	return out.String()
}

// Get reads JSON from one of the product's endpoints.
func (m *Mesh) Get(url string, into any) error {
	return m.get(url, answersIn, func(r io.Reader) error { return json.NewDecoder(r).Decode(into) })
}

// Metric reads one metric of node i; name includes its labels, as it is shown.
func (m *Mesh) Metric(i int, name string) (v float64, err error) {
	err = m.get(m.Nodes[i].Status+"/metrics", answersIn, func(r io.Reader) error {
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

func (m *Mesh) get(url string, within time.Duration, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+m.APIKey)
	res, err := http.DefaultClient.Do(req)
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
	Lags            map[string]struct {
		Entries uint64  `json:"entries"`
		Seconds float64 `json:"seconds"`
	} `json:"lags"`
	Marks map[string]struct {
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

// Level tells by an error whether not all nodes hold the same prefix of every
// origin: same mark, same running hash.
func (m *Mesh) Level() error {
	first, err := m.Status(0)
	if err != nil {
		return err
	}
	for i := 1; i < len(m.Nodes); i++ {
		s, err := m.Status(i)
		if err != nil {
			return err
		}
		if len(s.Marks) != len(first.Marks) {
			return fmt.Errorf("%s holds %d origins, %s %d", s.Node, len(s.Marks), first.Node, len(first.Marks))
		}
		for o, a := range first.Marks {
			if b := s.Marks[o]; a.Flushed != b.Flushed || a.Hash != b.Hash {
				return fmt.Errorf("origin %s: %s at %d, %s at %d", o, first.Node, a.Flushed, s.Node, b.Flushed)
			}
		}
	}
	return nil
}

// freePorts finds a base port whose whole table is free.
func freePorts() (int, error) {
	for base := 20000 + os.Getpid()%200*50; base < 60000; base += 50 {
		if allFree(base) {
			return base, nil
		}
	}
	return 0, errors.New("no free ports")
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
