package reception

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vedetta/wire/dc09"
)

// echo acknowledges every frame plainly and remembers what it got.
type echo struct {
	mu   sync.Mutex
	got  []string
	from []Source
}

func (e *echo) Handle(_ context.Context, f dc09.Frame, from Source) Verdict {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.got = append(e.got, f.Raw)
	e.from = append(e.from, from)
	if f.Account == "DEAD" {
		return Verdict{Word: WordSilence}
	}
	return Verdict{Answer: f.AppendDUH(nil), Word: WordDUH, Panel: f.Account, Known: true}
}

// start runs a reception on a free port with short times and waits until it is open.
func start(t *testing.T, h Handler) (r *Reception, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := on(address)
	cfg.FrameTime, cfg.IdleTime = 300*time.Millisecond, 2*time.Second
	r = made(t, cfg, friendly(), h)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		goleak.VerifyNone(t)
	})
	r.SetOpen(true)
	await(t, func() bool { return dials(address) == nil })
	return r, address
}

func dials(address string) error {
	c, err := net.Dial("tcp", address)
	if err == nil {
		err = c.Close()
	}
	return err
}

func await(t *testing.T, ok func() bool) {
	t.Helper()
	end := time.Now().Add(5 * time.Second)
	for !ok() {
		if time.Now().After(end) {
			t.Fatal("not within 5 s")
		}
		<-time.After(5 * time.Millisecond)
	}
}

func frame(t *testing.T, account string, form dc09.Form) []byte {
	t.Helper()
	l := "0"
	b, err := dc09.Message{Form: form, Token: "SIA-DCS", Sequence: 7, Prefix: &l, Account: account, Blocks: "[#" + account + "|Nri1/BA001]"}.AppendFrame(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func answer(t *testing.T, raw []byte) []byte {
	t.Helper()
	f, err := dc09.ParseFrame(raw)
	if err != nil {
		t.Fatal(err)
	}
	return f.AppendDUH(nil)
}

func TestFramesSplitAnywhereAndManyInOneSegment(t *testing.T) {
	_, address := start(t, &echo{})
	stream := append(append(frame(t, "AAA", dc09.ASCII), frame(t, "BBB", dc09.Binary)...), frame(t, "CCC", dc09.ASCIICR)...)
	var want []byte
	for _, f := range [][]byte{frame(t, "AAA", dc09.ASCII), frame(t, "BBB", dc09.Binary), frame(t, "CCC", dc09.ASCIICR)} {
		want = append(want, answer(t, f)...)
	}
	for _, size := range []int{1, 7, len(stream)} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(stream); at += size {
			if _, err := c.Write(stream[at:min(at+size, len(stream))]); err != nil {
				t.Fatal(err)
			}
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("in pieces of %d: %q, %v; want %q", size, got, err, want)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestUDPAnswersFromTheSamePort(t *testing.T) {
	h := &echo{}
	_, address := start(t, h)
	c, err := net.Dial("udp", address) // connected: only that address and port is heard
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, junk := range []string{"GET / HTTP/1.1\r\n", "", "\n0000"} {
		if _, err := c.Write([]byte(junk)); err != nil {
			t.Fatal(err)
		}
	}
	f := frame(t, "AAA", dc09.ASCII)
	if _, err := c.Write(f); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1000)
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := c.Read(b)
	if err != nil || !bytes.Equal(b[:n], answer(t, f)) {
		t.Errorf("answer %q, %v", b[:n], err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.from) != 1 || h.from[0].Transport != "udp" || h.from[0].Peer.String() != c.LocalAddr().String() {
		t.Errorf("source %+v, want udp from %s", h.from, c.LocalAddr())
	}
}

func TestStrangersAreClosedSilently(t *testing.T) {
	_, address := start(t, &echo{})
	for name, send := range map[string]string{
		"http":          "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"tls":           "\x16\x03\x01\x02\x00",
		"half a frame":  "\nA18D0027\"ADM-CID\"0001",
		"endless frame": "\nA18D0027\"" + strings.Repeat("A", 20000),
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		// The other side may close while we still write.
		_, _ = c.Write([]byte(send))
		if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(c)
		if len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: got %q, %v; want a silent close", name, b, err)
		}
		_ = c.Close()
	}
}

func TestClosedPortsRefuseAndReopen(t *testing.T) {
	r, address := start(t, &echo{})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r.SetOpen(false)
	await(t, func() bool { return errors.Is(dials(address), syscall.ECONNREFUSED) })
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("an open connection was not closed")
	}
	r.SetOpen(true)
	await(t, func() bool { return dials(address) == nil })
}

func TestTakenPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := made(t, on(l.Addr().String()), friendly(), &echo{})
	r.SetOpen(true)
	if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "main") || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("error %v, want listener and address", err)
	}
}

// TestAPollingPanelIsNotIdle: each frame gives it its time again, though not every
// one moves the deadline; then silence ends the connection, hardly too early.
func TestAPollingPanelIsNotIdle(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than the idle time")
	}
	_, address := start(t, &echo{})
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 256)
	tick := time.NewTicker(100 * time.Millisecond) // some moves of the deadline are saved
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < 2500*time.Millisecond; <-tick.C {
		if _, err := c.Write(frame(t, "AAA", dc09.ASCII)); err != nil {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
		if _, err := c.Read(b); err != nil {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
	}
	last := time.Now()
	if err := c.SetReadDeadline(last.Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err = c.Read(b)
	if took := time.Since(last); !errors.Is(err, io.EOF) || took < 1500*time.Millisecond {
		t.Errorf("ended after %s of silence with %v, want about 2 s and our FIN", took, err)
	}
}
