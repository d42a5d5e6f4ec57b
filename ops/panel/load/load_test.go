package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"vedetta/bench/echo"
	"vedetta/wire/dc09"
)

// receiver answers every frame as tell says, on a free port.
func receiver(t *testing.T, tell func(f dc09.Frame) []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				var cut dc09.Cutter
				for {
					n, err := c.Read(cut.Space())
					cut.Advance(n)
					if f, bad := cut.Next(); bad == nil {
						if _, err := c.Write(tell(f)); err != nil {
							return
						}
					}
					if err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

func panels(t *testing.T, n int, key []byte) (out []Panel) {
	t.Helper()
	for i := range n {
		p, err := NewPanel(fmt.Sprintf("BE%04d", i), fmt.Sprintf("~t%d.", i), key)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func plan(t *testing.T, key []byte, to ...string) Plan {
	return Plan{To: to, Panels: panels(t, 4, key), Workers: 4, Warm: 10 * time.Millisecond, Window: 100 * time.Millisecond, Patience: 200 * time.Millisecond}
}

// TestEchoAndReceiverAreAskedAlike: both ways of connecting, plain and encrypted,
// events and polls.
func TestEchoAndReceiverAreAskedAlike(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w := io.Pipe()
	go func() { w.CloseWithError(echo.Serve(ctx, w)) }()
	echoAt, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	key := []byte("0123456789abcdef")
	cipher, err := dc09.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	at := receiver(t, func(f dc09.Frame) []byte { return f.AppendACK(nil, cipher, time.Now().UTC()) })
	for _, per := range []bool{false, true} {
		for _, poll := range []bool{false, true} {
			for _, k := range [][]byte{nil, key} {
				for _, is := range []bool{false, true} {
					p := plan(t, k, at)
					p.PerMessage, p.Poll, p.Echo = per, poll, is
					p.Window, p.Patience = 300*time.Millisecond, 5*time.Second // others may use the machine
					if is {
						p.To = []string{strings.TrimSpace(echoAt)}
					}
					res, err := Run(ctx, p)
					if err != nil || res.Exchanges == 0 || res.Silent+res.Wrong > 0 || !is && res.Checked == 0 {
						t.Errorf("per message %v, poll %v, key %v, echo %v: %+v, %v", per, poll, k != nil, is, res, err)
					}
				}
			}
		}
	}
}

// TestDatagrams: the echo server and a receiver over UDP; what is lost is counted,
// and its panel goes on with a socket of its own.
func TestDatagrams(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r, w := io.Pipe()
	go func() { w.CloseWithError(echo.Serve(ctx, w)) }()
	echoAt, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	at, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	go func() {
		b := make([]byte, 2048)
		for lost := false; ; {
			n, from, err := at.ReadFrom(b)
			if err != nil {
				return
			}
			f, err := dc09.ParseFrame(b[:n])
			if err != nil || f.Number() == 3 && !lost {
				lost = true
				continue
			}
			if _, err := at.WriteTo(f.AppendACK(nil, nil, time.Now().UTC()), from); err != nil {
				return
			}
		}
	}()
	for to, lost := range map[string]int{strings.TrimSpace(echoAt): 0, at.LocalAddr().String(): 1} {
		p := plan(t, nil, to)
		p.UDP, p.Echo, p.Window, p.Patience = true, lost == 0, 1500*time.Millisecond, 5*time.Second
		res, err := Run(ctx, p)
		if err != nil || res.Exchanges == 0 || res.Silent != lost || res.Wrong > 0 {
			t.Errorf("%+v, %v; want %d lost", res, err, lost)
		}
	}
}

// TestBadAnswersAreCounted: an answer that isn't the message's own is no exchange.
func TestBadAnswersAreCounted(t *testing.T) {
	for name, tell := range map[string]func(dc09.Frame) []byte{
		"duh":            func(f dc09.Frame) []byte { return f.AppendDUH(nil) },
		"nak":            func(f dc09.Frame) []byte { return f.AppendNAK(nil, time.Now()) },
		"silence":        func(dc09.Frame) []byte { return nil },
		"bad crc":        func(f dc09.Frame) []byte { b := f.AppendACK(nil, nil, time.Now()); b[1] ^= 1; return b },
		"other sequence": func(f dc09.Frame) []byte { f.Sequence = "0000"; return answerTo(t, "0000") },
	} {
		p := plan(t, nil, receiver(t, tell))
		res, err := Run(t.Context(), p)
		if err != nil || res.Silent+res.Wrong == 0 || res.FirstWhy == "" {
			t.Errorf("%s: %+v, %v; want it counted", name, res, err)
		}
		if name != "bad crc" && res.Exchanges > 0 {
			t.Errorf("%s: %d exchanges, want none", name, res.Exchanges)
		}
	}
}

func answerTo(t *testing.T, seq string) []byte {
	t.Helper()
	l := "0"
	b, err := dc09.Message{Token: dc09.TokenACK, Prefix: &l, Account: "BE0000"}.AppendFrame(nil, nil)
	if err != nil || !strings.Contains(string(b), seq) {
		t.Errorf("%q, %v", b, err)
	}
	return b
}

func TestPaceTellsWhatWasAcknowledged(t *testing.T) {
	at := receiver(t, func(f dc09.Frame) []byte { return f.AppendACK(nil, nil, time.Now()) })
	sent, err := Pace(t.Context(), []string{at}, panels(t, 3, nil), time.Millisecond, 50)
	seen := map[string]bool{}
	for _, s := range sent {
		seen[s.Text] = true
	}
	if err != nil || len(seen) != 50 {
		t.Errorf("%d distinct of %d, %v; want 50", len(seen), len(sent), err)
	}
	at = receiver(t, func(f dc09.Frame) []byte { return f.AppendDUH(nil) })
	if _, err := Pace(t.Context(), []string{at}, panels(t, 3, nil), time.Millisecond, 5); err == nil {
		t.Error("five refusals gave no error")
	}
}

func TestTimes(t *testing.T) {
	ts := Times{4000, 1000, 3000, 2000}
	ts.Sort()
	for p, want := range map[float64]time.Duration{0: time.Millisecond, .25: time.Millisecond, .5: 2 * time.Millisecond, .75: 3 * time.Millisecond, .99: 4 * time.Millisecond, 1: 4 * time.Millisecond} {
		if got := ts.At(p); got != want {
			t.Errorf("at %v: %s, want %s", p, got, want)
		}
	}
	if Times(nil).At(.5) != 0 {
		t.Error("of none: want zero")
	}
}
