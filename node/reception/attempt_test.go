package reception

import (
	"net"
	"sync"
	"testing"

	"vedetta/wire/dc09"
)

// watcher keeps what it saw, as the rules of Observer allow.
type watcher struct {
	mu   sync.Mutex
	seen []string
}

func (w *watcher) Attempted(a Attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := a.From.Transport + " " + a.Verdict.Word + " " + string(a.Verdict.Reason) + " " + a.Frame.Account
	if a.Received.IsZero() || (a.Bad == nil) != (a.Frame.Raw != "") {
		line = "incomplete: " + line
	}
	w.seen = append(w.seen, line)
}

func (w *watcher) has(line string) func() bool {
	return func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, s := range w.seen {
			if s == line {
				return true
			}
		}
		return false
	}
}

// Every attempt is seen, with what it was answered: frames and what is none, over
// TCP and UDP.
func TestObserverSeesEveryAttempt(t *testing.T) {
	w := &watcher{}
	r := made(t, on("127.0.0.1:0"), friendly(), &echo{})
	r.Observe(w)
	serve(t, r)
	for _, network := range []string{"tcp", "udp"} {
		c, err := net.Dial(network, r.AddressOf("main", TCP).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		bad := frame(t, "AAA", dc09.ASCII)
		bad[1] ^= 1
		for _, b := range [][]byte{frame(t, "AAA", dc09.ASCII), frame(t, "DEAD", dc09.ASCII), bad} {
			if _, err := c.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []string{" duh  AAA", " silence  DEAD", " silence bad_crc "} {
			await(t, w.has(network+want))
		}
	}
}
