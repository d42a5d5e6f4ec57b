package kill

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"vedetta/bench/meshtest"
	"vedetta/bench/verdict"
	"vedetta/ops/panel"
)

// TestRule28_EmptiedNodeComesBack takes a node's disk away while it is dead. It
// comes back with a new disk id, is filled by the others and admitted: from
// then on its flush and its vote carry the mesh when another node is gone.
func TestRule28_EmptiedNodeComesBack(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin, "--restart-after", "3s")
	p := newPanel(t, m, true, false)
	defer p.Close()
	var sent []verdict.Alarm
	alarm := func(to ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		text := fmt.Sprintf("~disk %d~", len(sent))
		x, err := p.SendUntilACK(ctx, to, "SIA-DCS", len(sent)+1, "Nri1/BA001^"+text+"^")
		if err != nil || x.Answer != panel.AnswerACK {
			t.Fatalf("alarm %s to %v: %v %s %v", text, to, x.Answer, x.Why, err)
		}
		sent = append(sent, verdict.Alarm{Text: text, Acknowledged: true})
	}
	for i := range 6 {
		alarm(m.Nodes[i%3].DC09)
	}
	m.Signal(0, syscall.SIGKILL)
	empty(t, m, 0)
	alarm(m.Nodes[1].DC09) // the new disk lacks this one and all before

	awaitReady(m, 0)
	level(t, m)
	alarm(m.Nodes[0].DC09)
	m.Await(30*time.Second, "the new disk has the old one's vote", func() error {
		v, err := m.Metric(0, "vedetta_raft_voter")
		if err == nil && v != 1 {
			err = fmt.Errorf("voter %v, want 1", v)
		}
		return err
	})

	// Two disks are left of three: the new one's mark and vote must count.
	gone, err := m.Status(1)
	if err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	m.Signal(1, syscall.SIGSTOP)
	resume := func() { _ = syscall.Kill(gone.PID, syscall.SIGCONT) } // a stopped process hears no SIGTERM
	defer resume()
	alarm(m.Nodes[2].DC09, m.Nodes[0].DC09)
	alarm(m.Nodes[0].DC09, m.Nodes[2].DC09)
	m.Await(30*time.Second, "all alerted by the two", func() error {
		return reached(m, sent, "email", "webhook", "webpush")
	})
	t.Logf("all alerted %v after the stop", time.Since(stopped))
	resume()
	awaitReady(m, 1)
	judge(t, m, sent)
}

// empty takes the folder of a node that was just killed and makes a new one,
// before the node is started again.
func empty(t *testing.T, m *meshtest.Mesh, i int) {
	t.Helper()
	data := filepath.Join(m.Dir, "node", m.Nodes[i].Name)
	old, err := os.ReadFile(filepath.Join(data, "disk.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(data); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(filepath.Join(bin, "vedetta-node"), "init", "--data", data).CombinedOutput()
	if err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	if now, err := os.ReadFile(filepath.Join(data, "disk.json")); err != nil || string(now) == string(old) {
		t.Fatalf("disk id %s after %s: %v", now, old, err)
	}
}
