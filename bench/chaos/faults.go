package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"vedetta/bench/rig"
	"vedetta/ops/local"
)

// Struck is one signal that was sent.
type Struck struct {
	Seconds float64   `json:"seconds"` // since the first alarm
	At      time.Time `json:"at"`
	Do      Doing     `json:"do"`
	Node    string    `json:"node"`
	PID     int       `json:"pid"`
	Why     string    `json:"why"`
	Failed  string    `json:"failed,omitempty"` // why the signal could not be sent
}

// striker carries the core's actions out on the processes of a mesh.
type striker struct {
	mesh  *rig.Mesh
	core  *Core
	say   func(format string, args ...any)
	began time.Time

	held   map[int]int // pid that was stopped, by node
	struck []Struck
}

// run strikes until the plan is done or ctx ends; then nobody is held.
func (s *striker) run(ctx context.Context) []Struck {
	defer s.releaseAll()
	for !s.core.Done() {
		select {
		case <-ctx.Done():
			return s.struck
		case <-time.After(time.Until(s.began.Add(s.core.Wake()))):
		}
		v := s.view() // takes a while on a busy machine
		for _, a := range s.core.Step(time.Since(s.began), v) {
			s.strike(a)
		}
	}
	return s.struck
}

// view asks all nodes at once who leads; a held one doesn't answer.
func (s *striker) view() View {
	v := View{Leader: -1, Shards: make([]int, len(s.mesh.Nodes))}
	leaders := make([]string, len(s.mesh.Nodes))
	var wg sync.WaitGroup
	for i := range s.mesh.Nodes {
		if _, held := s.held[i]; held {
			continue
		}
		wg.Go(func() {
			st, err := s.mesh.Status(i)
			if err != nil {
				return
			}
			v.Shards[i] = len(st.LeaderOf)
			if st.AgreementLeader != nil {
				leaders[i] = *st.AgreementLeader
			}
		})
	}
	wg.Wait()
	for _, name := range leaders {
		if name != "" {
			v.Leader = slices.IndexFunc(s.mesh.Nodes, func(n local.NodeDescription) bool { return n.Name == name })
		}
	}
	return v
}

// strike sends one signal to a node's present process.
func (s *striker) strike(a Action) {
	now := time.Now()
	one := Struck{Seconds: now.Sub(s.began).Seconds(), At: now, Do: a.Do, Node: s.mesh.Nodes[a.Node].Name, Why: a.Why}
	signal := map[Doing]syscall.Signal{DoKill: syscall.SIGKILL, DoStop: syscall.SIGSTOP, DoCont: syscall.SIGCONT}[a.Do]
	pid, err := s.process(a.Node)
	if err == nil {
		one.PID, err = pid, syscall.Kill(pid, signal)
	}
	if err != nil {
		one.Failed = err.Error()
	}
	switch a.Do {
	case DoStop:
		s.held[a.Node] = pid
	default:
		delete(s.held, a.Node)
	}
	s.struck = append(s.struck, one)
	s.say("%6.1f s  %s %s (%s) %s", one.Seconds, one.Do, one.Node, one.Why, one.Failed)
}

// releaseAll lets every node go on.
func (s *striker) releaseAll() {
	for _, pid := range s.held {
		// It may be gone; then there is nothing to release.
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// process finds the running process of a node by its command line, which is
// there from its first instant: one that is starting can be struck too.
func (s *striker) process(i int) (int, error) {
	config := filepath.Join(s.mesh.Dir, "config", s.mesh.Nodes[i].Name+".yaml")
	for range 20 {
		paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			return 0, err
		}
		for _, path := range paths {
			line, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(line, []byte(config)) || !strings.Contains(string(line), "vedetta-node") {
				continue // it ended meanwhile, or is another
			}
			return strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
		time.Sleep(10 * time.Millisecond) // it is being started again
	}
	return 0, fmt.Errorf("%s: %w", s.mesh.Nodes[i].Name, errNoProcess)
}

var errNoProcess = errors.New("has no process")
