package link_test

import (
	"context"
	"io"
	"testing"
	"time"

	"vedetta/cluster/link"
)

// A peer that is killed and started again at once on the same port is back in
// well under the ping time-out, whichever side dials.
func TestKilledPeerComesBack(t *testing.T) {
	for _, killed := range []string{"arezzo", "roubaix"} {
		t.Run(killed, func(t *testing.T) {
			p := newPair(t, func(a, r *link.Link) {
				for _, l := range []*link.Link{a, r} {
					l.HandleCall("echo", all, echo)
				}
			})
			old, stop, other, survivor := p.sa, p.stopA, "roubaix", p.roub
			if killed == "roubaix" {
				old, stop, other, survivor = p.sr, p.stopR, "arezzo", p.arezzo
			}
			old.mute.Store(true) // no goodbye
			stop()
			old.Close()
			address := old.address()

			peers := map[string]string{"roubaix": p.sr.address()}
			if killed == "roubaix" {
				peers = map[string]string{"arezzo": p.sa.address()}
			}
			cfg := p.a.config(killed, listen(t, address), peers)
			again := newLink(t, cfg, quiet())
			again.HandleCall("echo", all, echo)
			start := time.Now()
			runs(t, again.Run)
			mustWait(t, again, other)
			eventually(t, func() bool {
				ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
				defer cancel()
				_, err := survivor.Call(ctx, killed, "echo", nil)
				return err == nil
			}, func() string { return "no call gets through" })
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("back after %v, want at most 5 s", took)
			}
		})
	}
}

// A newer connection of the same node replaces the older one: its hooks end
// before those of the newer begin.
func TestNewerConnectionReplacesOlder(t *testing.T) {
	begins, ends := make(chan link.Identity, 10), make(chan struct{}, 10)
	p := newPair(t, func(a, r *link.Link) {
		r.OnConnect(func(ctx context.Context, peer link.Identity) {
			begins <- peer
			<-ctx.Done()
			ends <- struct{}{}
		})
	})
	if got := <-begins; got != node("arezzo") {
		t.Fatalf("connected with %v", got)
	}
	s, err := p.roub.Open(within(t, 5*time.Second), "arezzo", link.PurposeCall)
	if err != nil {
		t.Fatal(err)
	}
	second := newLink(t, p.a.config("arezzo", listen(t, "127.0.0.1:0"), map[string]string{"roubaix": p.sr.address()}), quiet())
	p.sa.mute.Store(true) // the older can neither close nor dial
	runs(t, second.Run)
	mustWait(t, second, "roubaix")
	select {
	case <-begins:
	case <-time.After(5 * time.Second):
		t.Fatal("no hook for the newer connection")
	}
	select {
	case <-ends:
	default:
		t.Error("the newer connection's hook began before the older's had ended")
	}
	if _, err := io.ReadAll(s); link.KindOf(err) != link.KindReplaced {
		t.Errorf("the older connection's stream: %v, want replaced", err)
	}
}

func TestStatus(t *testing.T) {
	p := newPair(t, nil)
	eventually(t, func() bool {
		s := p.arezzo.Status()[0]
		return s.Name == "roubaix" && s.Site == "roubaix" && s.Connected && s.RTT > 0 && s.RTT < time.Second &&
			s.Offset.Abs() < 500*time.Millisecond && time.Since(s.LastAnswer) < time.Second
	}, func() string { return "no round trip measured" })
	p.stopR()
	eventually(t, func() bool {
		s := p.arezzo.Status()[0]
		return !s.Connected && s.Problem != "" && !s.LastAnswer.IsZero()
	},
		func() string { return "still connected" })
	if _, err := p.arezzo.Open(within(t, time.Second), "roubaix", testPurpose); link.KindOf(err) != link.KindUnreachable {
		t.Errorf("open without a connection: %v", err)
	}
}

func TestReload(t *testing.T) {
	p := newPair(t, nil)
	p.a.renew(node("arezzo"))
	if err := p.arezzo.Reload(); err != nil {
		t.Fatal(err)
	}
	p.stopR()
	again := newLink(t, p.a.config("roubaix", listen(t, p.sr.address()), map[string]string{"arezzo": p.sa.address()}), quiet())
	runs(t, again.Run)
	mustWait(t, again, "arezzo")
	mustWait(t, p.arezzo, "roubaix")
}
