package link_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go/testutils/simnet"

	"vedetta/cluster/link"
)

// cuttable is a network that can be cut.
type cuttable struct {
	simnet.PerfectRouter
	cut atomic.Bool
}

func (c *cuttable) SendPacket(p simnet.Packet) error {
	if c.cut.Load() {
		return nil
	}
	return c.PerfectRouter.SendPacket(p)
}

// A peer that stops answering is disconnected after 2 s, which the hooks and
// calls in flight see, and is dialed again when the way is whole.
func TestSilenceDisconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t) // certificates of the bubble's year 2000
		router := &cuttable{}
		net12 := &simnet.Simnet{Router: router}
		at := func(host byte) (*simnet.SimConn, string) {
			addr := &net.UDPAddr{IP: net.IPv4(10, 0, 0, host), Port: 7700}
			return net12.NewEndpoint(addr, simnet.NodeBiDiLinkSettings{Latency: 12 * time.Millisecond}), addr.String()
		}
		ca, addrA := at(1)
		cr, addrR := at(2)
		if err := net12.Start(); err != nil {
			t.Fatal(err)
		}
		defer net12.Close()
		arezzo := newLink(t, a.config("arezzo", ca, map[string]string{"roubaix": addrR}), quiet())
		roubaix := newLink(t, a.config("roubaix", cr, map[string]string{"arezzo": addrA}), quiet())
		lives := make(chan time.Duration, 4)
		for _, l := range []*link.Link{arezzo, roubaix} {
			l.OnConnect(func(ctx context.Context, _ link.Identity) {
				start := time.Now()
				<-ctx.Done()
				lives <- time.Since(start)
			})
		}
		roubaix.HandleCall("hang", all, func(ctx context.Context, _ link.Identity, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 2)
		go func() { ended <- arezzo.Run(ctx) }()
		go func() { ended <- roubaix.Run(ctx) }()
		if err := arezzo.Wait(ctx, "roubaix"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		s := arezzo.Status()[0]
		if !s.Connected || s.RTT < 20*time.Millisecond || s.RTT > 60*time.Millisecond || s.Offset.Abs() > 20*time.Millisecond {
			t.Errorf("after 10 s: %+v", s)
		}
		router.cut.Store(true)
		start := time.Now()
		_, err := arezzo.Call(ctx, "roubaix", "hang", nil)
		if took := time.Since(start); link.KindOf(err) != link.KindBroken || took < time.Second || took > 2600*time.Millisecond {
			t.Errorf("call over a cut line ended after %v with %v, want broken after about 2 s", took, err)
		}
		time.Sleep(time.Minute)
		for range 2 {
			if d := <-lives; d < 11*time.Second || d > 13*time.Second {
				t.Errorf("a hook lived %v, want 10 s and the 2 s of silence", d)
			}
		}
		if arezzo.Status()[0].Connected || roubaix.Status()[0].Connected {
			t.Error("connected over a cut line")
		}
		router.cut.Store(false)
		start = time.Now()
		wait, stop := context.WithTimeout(ctx, 10*time.Second)
		defer stop()
		if err := roubaix.Wait(wait, "arezzo"); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("connected %v after the line was whole", took)
		}
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}
