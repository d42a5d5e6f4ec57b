package email

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"vedetta/cluster/env"
	"vedetta/node/channel"
	"vedetta/wire/decision"
)

// script is a first hop that tells each line of the mail's data as it comes, and
// does as it is told after the dot.
func script(t *testing.T, lines chan<- string, afterDot func(net.Conn)) string {
	return hop(t, func(c net.Conn) {
		say := func(s string) { c.Write([]byte(s + "\r\n")) }
		say("220 hop")
		in := bufio.NewScanner(c)
		for data := false; in.Scan(); {
			switch line := in.Text(); {
			case data && line == ".":
				afterDot(c)
				data = false
			case data:
				select {
				case lines <- line:
				default:
				}
			case strings.HasPrefix(line, "DATA"):
				say("354 go on")
				data = true
			case strings.HasPrefix(line, "QUIT"):
				say("500 no farewell here")
			default:
				say("250 well")
			}
		}
	})
}

// tapped dials as the machine does and keeps the connection.
type tapped struct {
	env.Net
	conn net.Conn
}

func (n *tapped) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := n.Net.DialContext(ctx, network, address)
	n.conn = c
	return c, err
}

func over(t *testing.T, address string) (*Channel, *tapped) {
	t.Helper()
	e := env.Quiet(1)
	net := &tapped{Net: e.Net}
	e.Net = net
	ch, err := New(Config{Address: address, From: "alarm@vedetta.example", AnswerTimeout: 5 * time.Second}, e)
	if err != nil {
		t.Fatal(err)
	}
	return ch, net
}

func well(c net.Conn) { c.Write([]byte("250 2.0.0 queued as 7\r\n")) }

// The last look at the claim is made when all but the dot is out.
func TestRule23_TheLastLookIsRightBeforeTheDot(t *testing.T) {
	lines := make(chan string, 10_000)
	ch, _ := over(t, script(t, lines, well))
	asked := 0
	got := ch.Send(t.Context(), sample(), func() bool {
		asked++
		end := time.After(5 * time.Second)
		for {
			select {
			case line := <-lines:
				if strings.HasPrefix(line, "--") && strings.HasSuffix(line, "--") {
					return true // the mail's last line is there
				}
			case <-end:
				t.Error("asked before the mail's last line was out")
				return true
			}
		}
	})
	if got.State != decision.StateDelivered || asked != 1 {
		t.Errorf("outcome %+v, asked %d times", got, asked)
	}
}

// After the dot the claim's time is over and means nothing: the answer is awaited.
func TestRule23_TheAnswerIsAwaitedBeyondTheClaim(t *testing.T) {
	answer := make(chan struct{})
	ch, _ := over(t, script(t, nil, func(c net.Conn) { <-answer; well(c) }))
	ctx, cancel := context.WithCancel(t.Context())
	got := ch.Send(ctx, sample(), func() bool {
		time.AfterFunc(50*time.Millisecond, func() { cancel(); close(answer) })
		return true
	})
	if got.State != decision.StateDelivered || !strings.Contains(got.ProviderRef, "queued as 7") {
		t.Errorf("outcome %+v, want delivered", got)
	}
}

// A farewell that fails after the 250 changes nothing.
func TestRule23_FailedFarewellIsDelivered(t *testing.T) {
	for name, after := range map[string]func(net.Conn){
		"refused": well,
		"cut":     func(c net.Conn) { well(c); c.Close() },
	} {
		ch, _ := over(t, script(t, nil, after))
		if got := ch.Send(t.Context(), sample(), yes); got.State != decision.StateDelivered {
			t.Errorf("%s: outcome %+v, want delivered", name, got)
		}
	}
}

// A line that takes not one byte of the dot has handed nothing over.
func TestRule23_NoByteOfTheDotIsNotBegun(t *testing.T) {
	ch, net := over(t, script(t, nil, well))
	got := ch.Send(t.Context(), sample(), func() bool { net.conn.Close(); return true })
	if got.State != decision.StatePending || got.Reason != channel.ReasonUnreachable {
		t.Errorf("outcome %+v, want not begun", got)
	}
}

// A claim that is given up before its time cuts the connection at once.
func TestRule23_GivenUpIsCut(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ch, _ := over(t, hop(t, func(c net.Conn) {
		c.Write([]byte("220 hop\r\n"))
		line := make([]byte, 100)
		c.Read(line) // EHLO: the connection stands
		cancel()
		c.Read(line)
	}))
	done := make(chan channel.Outcome, 1)
	go func() { done <- ch.Send(ctx, sample(), yes) }()
	select {
	case got := <-done:
		if got.State != decision.StatePending || got.Reason != channel.ReasonTooLate {
			t.Errorf("outcome %+v", got)
		}
	case <-time.After(5 * time.Second):
		t.Error("the connection is not cut")
	}
}
