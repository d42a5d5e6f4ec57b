// Package meshtest is package rig for a test: what goes wrong fails the test,
// and the test's end stops what it started.
package meshtest

import (
	"context"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"vedetta/bench/rig"
)

// Mesh is one running product.
type Mesh struct {
	*rig.Mesh
	t *testing.T
}

// Build builds the programs once for all tests of a package and returns their
// folder; it is meant for TestMain.
func Build(dir string) (string, error) { return rig.Build(context.Background(), dir) }

// Start runs `vedettactl local up` with the extra arguments in a new folder on
// free ports and waits until it says that everything is ready. The test's end
// stops it; its logs are printed when the test failed.
func Start(t *testing.T, bin string, args ...string) *Mesh {
	t.Helper()
	started, err := rig.Start(t.Context(), rig.Options{Bin: bin, Dir: filepath.Join(t.TempDir(), "run"), Args: args, ErrOut: &lineLog{t: t}})
	if err != nil {
		t.Fatal(err)
	}
	m := &Mesh{Mesh: started, t: t}
	t.Cleanup(m.stop)
	return m
}

func (m *Mesh) stop() {
	if m.t.Failed() {
		m.t.Log(m.Logs(6000))
	}
	if err := m.Stop(); err != nil {
		m.t.Error(err)
	}
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
