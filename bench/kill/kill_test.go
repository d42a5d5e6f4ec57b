package kill

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"vedetta/bench/meshtest"
	"vedetta/bench/verdict"
	"vedetta/ops/panel"
)

var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "vedetta-kill-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if bin, err = meshtest.Build(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// long skips what needs minutes of real processes in short runs only; CI is
// never short.
func long(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes for minutes; run without -short")
	}
}

// addresses of the nodes, beginning with node i: a panel's list.
func addresses(m *meshtest.Mesh, i int) []string {
	var to []string
	for k := range m.Nodes {
		to = append(to, m.Nodes[(i+k)%len(m.Nodes)].DC09)
	}
	return to
}

// newPanel is the demo panel with a key, or the one without.
func newPanel(t *testing.T, m *meshtest.Mesh, encrypted, udp bool) *panel.Panel {
	t.Helper()
	cfg := panel.Config{Account: m.Demo.PlainAccount, Via: panel.Transport{UDP: udp}, Timeout: 4 * time.Second}
	if encrypted {
		key, err := hex.DecodeString(m.Demo.Key)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Account, cfg.Key = m.Demo.Account, key
	}
	p, err := panel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestKillEachNodeInTurn sends 500 distinct alarms to all three nodes over TCP
// and UDP, encrypted and plain, while each node in turn is killed and started
// again. Every acknowledged alarm must be in every node's journal and in
// central, and be delivered once by each channel.
func TestKillEachNodeInTurn(t *testing.T) {
	long(t)
	const alarms, workers = 500, 10
	m := meshtest.Start(t, bin, "--restart-after", "2s")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()

	var mu sync.Mutex
	var sent []verdict.Alarm
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			p := newPanel(t, m, w%2 == 0, w%4 >= 2)
			defer p.Close()
			for i := range alarms / workers {
				text := fmt.Sprintf("~kill %d-%d~", w, i)
				x, err := p.SendUntilACK(ctx, addresses(m, (w+i)%3), "SIA-DCS", w*(alarms/workers)+i+1, "Nri1/BA001^"+text+"^")
				if err != nil {
					t.Errorf("alarm %s: %v", text, err)
				}
				mu.Lock()
				sent = append(sent, verdict.Alarm{Text: text, Acknowledged: x.Answer == panel.AnswerACK})
				mu.Unlock()
				meshtest.Within(ctx, 600*time.Millisecond)
			}
		})
	}
	for i := range m.Nodes {
		meshtest.Within(ctx, 3*time.Second)
		m.Signal(i, syscall.SIGKILL)
		t.Logf("killed %s", m.Nodes[i].Name)
		meshtest.Within(ctx, 4*time.Second)
		awaitReady(m, i)
	}
	wg.Wait()
	judge(t, m, sent)
}

func awaitReady(m *meshtest.Mesh, i int) {
	m.Await(30*time.Second, m.Nodes[i].Name+" ready again", func() error {
		s, err := m.Status(i)
		if err == nil && !(s.Ready && s.ListenersOpen) {
			err = fmt.Errorf("ready %v, listeners open %v, %v", s.Ready, s.ListenersOpen, s.Reasons)
		}
		return err
	})
}

// judge waits until all is settled and level, and applies the verdict.
func judge(t *testing.T, m *meshtest.Mesh, sent []verdict.Alarm) verdict.Report {
	t.Helper()
	var rep verdict.Report
	m.Await(60*time.Second, "every alarm settled at central", func() error {
		r, err := m.Record()
		if err != nil {
			return err
		}
		r.Alarms = sent
		rep = verdict.Judge(r)
		if len(rep.Breaches) > 0 {
			return errors.New(fmt.Sprint(len(rep.Breaches), " breaches, the first: ", rep.Breaches[0]))
		}
		return nil
	})
	t.Logf("%+v", rep)
	if rep.Acknowledged != rep.Alarms {
		t.Errorf("%d of %d alarms were acknowledged in the end", rep.Acknowledged, rep.Alarms)
	}
	level(t, m)
	return rep
}

// level waits until all nodes hold the same prefix of every origin: same mark,
// same running hash.
func level(t *testing.T, m *meshtest.Mesh) {
	t.Helper()
	m.Await(30*time.Second, "all journals equal", m.Level)
}

// reached tells whether every alarm came to the catcher by each channel. How
// often is the verdict's to judge: a sender that is stopped between the last
// byte and its outcome leaves a second mail behind, rightly.
func reached(m *meshtest.Mesh, sent []verdict.Alarm, channels ...string) error {
	handed, err := m.Caught()
	if err != nil {
		return err
	}
	type arrival struct{ channel, text string }
	arrived := map[arrival]bool{}
	for _, h := range handed {
		arrived[arrival{h.Channel, verdict.Marked(h.Body)}] = true
	}
	for _, c := range channels {
		for _, a := range sent {
			if !arrived[arrival{c, a.Text}] {
				return fmt.Errorf("alarm %s did not arrive by %s; %d things arrived in all", a.Text, c, len(handed))
			}
		}
	}
	return nil
}

// TestLostACK repeats a message as a panel does whose ACK was lost: newly
// stamped and encrypted, to the same and to another node.
func TestLostACK(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin)
	text := "~lost ack~"
	for _, i := range []int{0, 0, 1, 2} {
		p := newPanel(t, m, true, i == 1)
		x, err := p.Send(t.Context(), m.Nodes[i].DC09, "SIA-DCS", 77, "Nri1/FA003^"+text+"^")
		if err != nil || x.Answer != panel.AnswerACK {
			t.Fatalf("node %d: %v %s %v", i, x.Answer, x.Why, err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	judge(t, m, []verdict.Alarm{{Text: text, Acknowledged: true}})
	m.Await(10*time.Second, "four copies counted", func() error {
		r, err := m.Record()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(r.Events, func(e verdict.Event) bool { return e.Text == text })
		if i < 0 || r.Events[i].Copies != 4 {
			return fmt.Errorf("events %+v, want one with 4 copies", r.Events)
		}
		return nil
	})
}

// TestTwoNodesStopped stops two nodes: the third is not ready, acknowledges
// nothing and closes its listeners; when they return it recovers by itself.
func TestTwoNodesStopped(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin)
	m.Signal(1, syscall.SIGSTOP)
	second, err := m.Status(2)
	if err != nil {
		t.Fatal(err)
	}
	first, err := m.Status(0)
	if err != nil {
		t.Fatal(err)
	}
	stopped := []int{m.Nodes[1].PID, second.PID}
	m.Signal(2, syscall.SIGSTOP)
	m.Await(5*time.Second, "arezzo not ready", func() error {
		s, err := m.Status(0)
		if err == nil && (s.Ready || !slices.Contains(s.Reasons, "no_majority")) {
			err = fmt.Errorf("ready %v, reasons %v", s.Ready, s.Reasons)
		}
		return err
	})
	p := newPanel(t, m, true, false)
	defer p.Close()
	if x, err := p.Send(t.Context(), m.Nodes[0].DC09, "SIA-DCS", 1, "Nri1/BA001^~minority~^"); err != nil || x.Answer != panel.AnswerSilence {
		t.Errorf("cut off from the majority, the node answered %v %v", x.Answer, err)
	}
	m.Await(15*time.Second, "arezzo's listeners closed", func() error {
		c, err := net.DialTimeout("tcp", m.Nodes[0].DC09, time.Second)
		if err == nil {
			_ = c.Close()
			return errors.New("still open")
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
		return nil
	})
	for _, pid := range stopped {
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	for i := range m.Nodes {
		awaitReady(m, i)
	}
	if s, err := m.Status(0); err != nil || s.PID != first.PID {
		t.Errorf("arezzo is process %d, was %d (%v): it should have recovered by itself", s.PID, first.PID, err)
	}
	text := "~after minority~"
	x, err := p.SendUntilACK(t.Context(), addresses(m, 0), "SIA-DCS", 2, "Nri1/BA001^"+text+"^")
	if err != nil {
		t.Fatal(err)
	}
	judge(t, m, []verdict.Alarm{{Text: text, Acknowledged: x.Answer == panel.AnswerACK}})
}

// TestCentralStopped stops central for a minute while alarms arrive: all are
// acknowledged and alerted meanwhile, and shown once when it is back.
func TestCentralStopped(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin)
	if err := syscall.Kill(m.CentralPID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p := newPanel(t, m, true, false)
	defer p.Close()
	var sent []verdict.Alarm
	for i := range 30 {
		text := fmt.Sprintf("~central %d~", i)
		x, err := p.Send(t.Context(), m.Nodes[i%3].DC09, "SIA-DCS", i+1, "Nri1/BA001^"+text+"^")
		if err != nil || x.Answer != panel.AnswerACK {
			t.Errorf("alarm %d without central: %v %s %v", i, x.Answer, x.Why, err)
		}
		sent = append(sent, verdict.Alarm{Text: text, Acknowledged: x.Answer == panel.AnswerACK})
		meshtest.Within(t.Context(), time.Second)
	}
	m.Await(20*time.Second, "all alerted without central", func() error {
		return reached(m, sent, "email", "webhook", "webpush")
	})
	meshtest.Within(t.Context(), time.Minute-time.Since(began))
	if err := syscall.Kill(m.CentralPID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	judge(t, m, sent)
}
