package reception

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"vedetta/cluster/env"
	"vedetta/node/strangers"
	"vedetta/wire/dc09"
)

// run serves cfg until the test ends, opened, and returns its address by name.
func run(t *testing.T, cfg Config, h Handler) *Reception {
	t.Helper()
	r := made(t, cfg, friendly(), h)
	serve(t, r)
	return r
}

// serve runs r, opened, until the test ends.
func serve(t *testing.T, r *Reception) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	r.SetOpen(true)
	await(t, r.Opened)
}

// friendly bans nobody who comes from this machine.
func friendly() strangers.Config {
	return strangers.Config{NeverBan: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
}

func made(t *testing.T, cfg Config, limits strangers.Config, h Handler) *Reception {
	t.Helper()
	r, err := New(cfg, h, strangers.New(limits), env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func on(address string) Config {
	return Config{Listeners: []Listener{{Name: "main", TCP: address, UDP: address}}}
}

// A socket on all addresses answers from the one that was asked: panels behind NAT
// take no answer from another.
func TestUDPAnswersFromTheAddressThatWasAsked(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0"} {
		port := run(t, on(address), &echo{}).AddressOf("main", TCP).Port()
		for _, to := range []string{"127.0.0.1", "127.0.0.9"} {
			c, err := net.Dial("udp", netip.AddrPortFrom(netip.MustParseAddr(to), port).String())
			if err != nil {
				t.Fatal(err)
			}
			f := frame(t, "AAA", dc09.ASCII)
			if _, err := c.Write(f); err != nil {
				t.Fatal(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 200)
			if n, err := c.Read(b); err != nil || !bytes.Equal(b[:n], answer(t, f)) {
				t.Errorf("%s asked at %s: %q %v", address, to, b[:n], err)
			}
			c.Close()
		}
	}
}

// What a stranger still had to say must not turn the FIN into a RST.
func TestStrangerGetsFIN(t *testing.T) {
	r := run(t, on("127.0.0.1:0"), &echo{})
	c, err := net.Dial("tcp", r.AddressOf("main", TCP).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\n" + strings.Repeat("x", 20_000))); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
		t.Fatalf("%q, %v; want an end without a word", b, err)
	}
	if got := testutil.ToFloat64(r.metrics.refused.WithLabelValues("not_dc09")); got != 1 {
		t.Errorf("%v counted as not_dc09, want 1", got)
	}
}

func TestSlowFrameIsLetGoAndIdleConnectionIsNot(t *testing.T) {
	cfg := on("127.0.0.1:0")
	cfg.FrameTime = 200 * time.Millisecond
	r := run(t, cfg, &echo{})
	idle, err := net.Dial("tcp", r.AddressOf("main", TCP).String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	slow, err := net.Dial("tcp", r.AddressOf("main", TCP).String())
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	f := frame(t, "AAA", dc09.ASCII)
	began := time.Now()
	for i := range f { // one byte each 20 ms: never idle, never whole
		if _, err := slow.Write(f[i : i+1]); err != nil {
			break
		}
		<-time.After(20 * time.Millisecond)
		if time.Since(began) > 600*time.Millisecond {
			break
		}
	}
	if b, _ := io.ReadAll(slow); len(b) > 0 {
		t.Errorf("a trickle was answered %q", b)
	}
	if got := testutil.ToFloat64(r.metrics.refused.WithLabelValues(reasonFrameTime)); got != 1 {
		t.Errorf("%v counted as %s, want 1", got, reasonFrameTime)
	}
	// Silent bytes between frames are no frame, and the idle one is still served.
	if _, err := idle.Write([]byte("\r\n")); err != nil {
		t.Fatal(err)
	}
	<-time.After(300 * time.Millisecond)
	if _, err := idle.Write(f); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(answer(t, f)))
	if _, err := io.ReadFull(idle, b); err != nil {
		t.Errorf("the idle connection was closed: %v", err)
	}
}

// slowHandler holds every frame until it is told to answer.
type slowHandler struct{ begun, answer chan struct{} }

func (h *slowHandler) Handle(ctx context.Context, f dc09.Frame, _ Source) Verdict {
	h.begun <- struct{}{}
	select {
	case <-h.answer:
		return Verdict{Answer: f.AppendDUH(nil), Word: WordDUH}
	case <-ctx.Done():
		return Verdict{Word: WordSilence}
	}
}

// A message in work when the listeners close is still answered, over TCP and UDP.
func TestFramesInWorkAreAnsweredAfterClosing(t *testing.T) {
	for _, network := range []string{"tcp", "udp"} {
		h := &slowHandler{make(chan struct{}), make(chan struct{})}
		r := run(t, on("127.0.0.1:0"), h)
		c, err := net.Dial(network, r.AddressOf("main", TCP).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		f := frame(t, "AAA", dc09.ASCII)
		if _, err := c.Write(f); err != nil {
			t.Fatal(err)
		}
		<-h.begun
		r.SetOpen(false)
		await(t, func() bool { return !r.Opened() })
		close(h.answer)
		if err := c.SetReadDeadline(time.Now().Add(3 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, len(answer(t, f)))
		if _, err := io.ReadFull(c, b); err != nil || !bytes.Equal(b, answer(t, f)) {
			t.Errorf("%s: %q %v", network, b, err)
		}
	}
}

func TestHandlerIsGivenUpAfterDrain(t *testing.T) {
	h := &slowHandler{make(chan struct{}), make(chan struct{})}
	cfg := on("127.0.0.1:0")
	cfg.Drain = 50 * time.Millisecond
	r := run(t, cfg, h)
	c, err := net.Dial("tcp", r.AddressOf("main", TCP).String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(frame(t, "AAA", dc09.ASCII)); err != nil {
		t.Fatal(err)
	}
	<-h.begun
	r.SetOpen(false)
	if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
		t.Errorf("%q, %v; want an end without an answer", b, err)
	}
}

func TestConfigSaysWhatIsWrong(t *testing.T) {
	good := on(":0").Listeners
	for want, cfg := range map[string]Config{
		"reception.listeners:":               {},
		"reception.listeners[0].name":        {Listeners: []Listener{{TCP: ":0"}}},
		"reception.listeners[1].name":        {Listeners: append(good, good...)},
		"reception.listeners[0]: no address": {Listeners: []Listener{{Name: "main"}}},
		"reception.listeners[0].tcp":         on("127.0.0.1"),
		"reception.listeners[0].udp":         {Listeners: []Listener{{Name: "main", UDP: "127.0.0.1:x"}}},
		"reception.listeners[0].tls":         {Listeners: []Listener{{Name: "main", TLS: "nowhere"}}},
		"reception.tls.certificates: empty":  {Listeners: []Listener{{Name: "main", TLS: ":0"}}},
		"reception.tls.certificates[0].key_": {Listeners: good, TLS: TLS{Certificates: []Pair{{"none", "none"}}}},
		"reception.tls.min_version":          {Listeners: good, TLS: TLS{MinVersion: "2.0"}},
		"reception.idle_time":                {Listeners: good, IdleTime: -1},
		"reception.handshake_time":           {Listeners: good, TLS: TLS{HandshakeTime: -1}},
		"reception.buffered_bytes":           {Listeners: good, Buffered: -1},
	} {
		_, err := New(cfg, &echo{}, strangers.New(strangers.Config{}), env.Quiet(1))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
