package kill

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vedetta/bench/meshtest"
	"vedetta/bench/verdict"
	"vedetta/ops/panel"
)

// poller is a panel that polls one of two addresses, as often as was agreed.
type poller struct {
	account string
	to      []string
	cut     atomic.Bool
}

func (p *poller) run(ctx context.Context, t *testing.T, every time.Duration) {
	sender, err := panel.New(panel.Config{Account: p.account, Timeout: time.Second})
	if err != nil {
		t.Error(err)
		return
	}
	defer sender.Close()
	for n := 1; ctx.Err() == nil; n++ {
		for _, to := range p.to {
			if p.cut.Load() {
				break
			}
			if x, err := sender.Send(ctx, to, "NULL", n%10000, ""); err == nil && x.Answer == panel.AnswerACK {
				break
			}
		}
		meshtest.Within(ctx, every)
	}
}

// silence is an event of supervision as central shows it.
type silence struct {
	Account   string `json:"account"`
	Standard  string `json:"standard"`
	Code      string `json:"code"`
	Category  string `json:"category"`
	Qualifier string `json:"qualifier"`
	Origin    string `json:"origin"`
}

// TestRule30_WithOneSiteDownForGood: one datacenter is frozen for good; a panel
// that is cut with it is reported within its interval and grace and one interval
// more; so is one that is cut later, though a judge is killed meanwhile (and the majority with it, which is an outage
// of ours and not counted), and the others raise nothing. Nor does the start of
// all three nodes anew.
func TestRule30_WithOneSiteDownForGood(t *testing.T) {
	long(t)
	const interval, grace = 9 * time.Second, 4 * time.Second
	m := meshtest.Start(t, bin, "--restart-after", "1s")
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	pollers := map[string]*poller{}
	for i, account := range []string{"511E0001", "511E0002", "511E0003", "511E0004"} { // they report to arezzo, roubaix, limburg and roubaix first
		p := &poller{account: account, to: addresses(m, []int{0, 1, 2, 1}[i])[:2]}
		pollers[account] = p
		wg.Go(func() { p.run(ctx, t, interval/3) })
		made(t, m, "/panels", fmt.Sprintf(`{"name":"Prova %d","account":%q,"poll_seconds":%d,"grace_seconds":%d}`, i, account, int(interval.Seconds()), int(grace.Seconds())))
	}
	events := func() (list []silence) {
		var page struct{ Items []silence }
		if err := m.Get(m.Central+"/api/v1/events?limit=1000", &page); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			if e.Category == "communication" {
				list = append(list, e)
			}
		}
		slices.Reverse(list)
		return list
	}
	quiet := func(d time.Duration, n int, what string) {
		t.Helper()
		meshtest.Within(ctx, d)
		if l := events(); len(l) != n {
			t.Fatalf("%s: %+v, want %d events of supervision", what, l, n)
		}
	}
	quiet(grace, 0, "all poll")

	frozen := 1
	gone, err := m.Status(frozen)
	if err != nil {
		t.Fatal(err)
	}
	m.Signal(frozen, syscall.SIGSTOP)
	defer func() { _ = syscall.Kill(gone.PID, syscall.SIGCONT) }() // so that it can be ended
	began := time.Now()
	const with = "511E0004"
	pollers[with].cut.Store(true) // the panel goes together with the site that heard it
	m.Await(interval+grace+interval, "the panel that went with its site is reported within interval, grace and an interval", func() error {
		if l := events(); len(l) != 1 || l[0].Account != with {
			return fmt.Errorf("%+v", l)
		}
		return nil
	})
	t.Logf("the panel that went with its site: reported %s after it was cut", time.Since(began).Round(100*time.Millisecond))
	quiet(8*time.Second, 1, "roubaix is gone, its other panel turned to limburg")

	began = time.Now()
	const cut = "511E0002"
	pollers[cut].cut.Store(true)
	meshtest.Within(ctx, 5*time.Second)
	m.Signal(2, syscall.SIGKILL) // it judged, and with it goes the majority for some seconds
	m.Await(interval+grace+interval+15*time.Second, "the cut panel is reported", func() error {
		if l := events(); len(l) != 2 {
			return fmt.Errorf("%d events of supervision", len(l))
		}
		return nil
	})
	t.Logf("reported %s after it was cut", time.Since(began).Round(100*time.Millisecond))
	if e := events()[1]; e.Account != cut || e.Standard != "VEDETTA" || e.Code != "350" || e.Qualifier != "new" || !strings.HasPrefix(e.Origin, "agreement.1.") {
		t.Fatalf("%+v, want 350 of the panel that was cut, from the agreement", e)
	}
	m.Await(10*time.Second, "the metric of silent panels", func() error {
		if v, err := m.Metric(0, "vedetta_panels_silent"); err != nil || v != 2 {
			return fmt.Errorf("%v %v, want 2", v, err)
		}
		return nil
	})

	m.Signal(0, syscall.SIGKILL)
	m.Signal(2, syscall.SIGKILL)
	if err := syscall.Kill(gone.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	quiet(interval+grace+8*time.Second, 2, "all nodes were started anew")
	pollers[cut].cut.Store(false)
	m.Await(20*time.Second, "the panel is heard again", func() error {
		if l := events(); len(l) != 3 || l[2].Account != cut || l[2].Code != "350" || l[2].Qualifier != "restore" {
			return fmt.Errorf("%+v", l)
		}
		return nil
	})
	m.Await(20*time.Second, "the silence was mailed, once", func() error {
		caught, err := m.Caught()
		if err != nil {
			return err
		}
		if n := len(slices.DeleteFunc(caught, func(h verdict.Handed) bool { return h.Channel != "email" || !strings.Contains(h.Body, cut) })); n != 1 {
			return fmt.Errorf("%d mails about the panel, want one: the rule is about what is new", n)
		}
		return nil
	})
	quiet(grace, 3, "in the end")
}
