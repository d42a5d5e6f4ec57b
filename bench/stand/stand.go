// Package stand is the test stand of the bench: the real product, first whole,
// as `vedettactl local up` runs it, then its three nodes alone on the same data,
// as their configurations say. It gives them customers whose panels have no
// rules, and tells what the processes weigh. What it starts it ends, by process
// id; the caller owns that by Stop.
package stand

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vedetta/bench/rig"
	"vedetta/ops/local"
	"vedetta/ops/panel/load"
)

// Stand is the product under the bench.
type Stand struct {
	*rig.Mesh
	Panels  []load.Panel // without rules, 1,000
	Profile bool         // the nodes alone serve their profiles
	Environ []string     // more environment of the nodes alone, as KEY=value
	bin     string
	whole   bool
	nodes   []*Process
	client  *http.Client
}

// Whole starts the whole product in a new folder; took is from the command to
// all parts ready, the making of keys and certificates included.
func Whole(ctx context.Context, bin, dir string) (m *Stand, took time.Duration, err error) {
	m = &Stand{bin: bin, whole: true, client: &http.Client{Timeout: 30 * time.Second}}
	began := time.Now()
	if m.Mesh, err = rig.Start(ctx, rig.Options{Bin: bin, Dir: dir, ErrOut: os.Stderr}); err != nil {
		return nil, 0, err
	}
	took = time.Since(began)
	if err := m.addCustomers(ctx); err != nil {
		return nil, 0, errors.Join(err, m.Stop())
	}
	return m, took, nil
}

// NodesAlone stops what runs and starts the three nodes without central; took is
// from the first process's start to the last node's ready.
func (m *Stand) NodesAlone(ctx context.Context) (took time.Duration, err error) {
	if err := m.Stop(); err != nil {
		return 0, err
	}
	began := time.Now()
	for i, n := range m.Nodes {
		p, err := m.startNode(ctx, n.Name)
		if err != nil {
			return 0, errors.Join(err, m.Stop())
		}
		m.nodes = append(m.nodes, p)
		m.Nodes[i].PID = p.PID()
	}
	for _, n := range m.Nodes {
		if err := m.awaitReady(ctx, n); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// Restart stops node i and starts it again beside the others; took is from its
// start to its ready.
func (m *Stand) Restart(ctx context.Context, i int) (took time.Duration, err error) {
	if err := m.nodes[i].Stop(); err != nil {
		return 0, err
	}
	n := m.Nodes[i]
	began := time.Now()
	p, err := m.startNode(ctx, n.Name)
	if err != nil {
		return 0, err
	}
	m.nodes[i], m.Nodes[i].PID = p, p.PID()
	err = m.awaitReady(ctx, n)
	return time.Since(began), err
}

func (m *Stand) startNode(ctx context.Context, name string) (*Process, error) {
	environ := slices.Clone(m.Environ)
	if m.Profile {
		environ = append(environ, "VEDETTA_STATUS_PROFILE=true")
	}
	return Start(ctx, environ, filepath.Join(m.Dir, "log", name+".log"), filepath.Join(m.bin, "vedetta-node"), "run", "--config", filepath.Join(m.Dir, "config", name+".yaml"))
}

func (m *Stand) awaitReady(ctx context.Context, n local.NodeDescription) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := m.get(ctx, n.Status+"/readyz", io.Discard)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s was not ready within a minute: %w", n.Name, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends what this stand runs.
func (m *Stand) Stop() error {
	if m.whole {
		m.whole = false
		return m.Mesh.Stop()
	}
	errs := make(chan error, len(m.nodes))
	for _, p := range m.nodes {
		go func() { errs <- p.Stop() }()
	}
	var all []error
	for range m.nodes {
		all = append(all, <-errs)
	}
	m.nodes = nil
	return errors.Join(all...)
}

// Addresses are where panels report to.
func (m *Stand) Addresses() (to []string) {
	for _, n := range m.Nodes {
		to = append(to, n.DC09)
	}
	return to
}

// Lag is how many durable entries wait for their decision, over all nodes.
func (m *Stand) Lag() (entries uint64, err error) {
	for i := range m.Nodes {
		st, err := m.Status(i)
		if err != nil {
			return 0, err
		}
		l := st.Lags["alerting"]
		entries += l.Entries
		if l.Entries == 0 && l.Seconds > 0.2 {
			entries++ // waits to be read
		}
	}
	return entries, nil
}

// Settle waits until nothing is left to be decided; it says what it found at
// first and how long that took.
func (m *Stand) Settle(ctx context.Context, within time.Duration) (left uint64, took time.Duration, err error) {
	began := time.Now()
	for first := true; ; first = false {
		n, err := m.Lag()
		if err != nil {
			return left, 0, err
		}
		if first {
			left = n
		}
		if n == 0 {
			return left, time.Since(began), nil
		}
		if time.Since(began) > within {
			return left, time.Since(began), fmt.Errorf("%d entries are still undecided after %s", n, within)
		}
		select {
		case <-ctx.Done():
			return left, 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// JSON reads one of the product's endpoints.
func (m *Stand) JSON(ctx context.Context, url string, into any) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(m.get(ctx, url, w)) }()
	defer r.Close()
	return json.NewDecoder(r).Decode(into)
}

// Keep writes what a URL answers to a file.
func (m *Stand) Keep(ctx context.Context, url, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(m.get(ctx, url, f), f.Close())
}

func (m *Stand) get(ctx context.Context, url string, to io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := m.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, res.Status)
	}
	_, err = io.Copy(to, res.Body)
	return err
}
