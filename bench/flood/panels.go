package flood

import (
	"context"
	"io"
	"net"
	"sync"
	"time"

	"vedetta/ops/panel/load"
	"vedetta/wire/dc09"
)

// Ways in which known panels report while they are timed.
const (
	wayLong       = "long"       // one connection for all
	wayPerMessage = "permessage" // one for each message, its making in the time
	wayUDP        = "udp"
)

// The known panels: how many of each way, and how often each sends an event.
const (
	panelsOfWay = 24
	every       = 150 * time.Millisecond
	patience    = 4 * time.Second
)

func ways() []string { return []string{wayLong, wayPerMessage, wayUDP} }

// times are what known panels waited for their ACK; silence counts as patience.
type times struct {
	load.Times
	Silent int
}

// known times known panels for a while: every panel sends by the clock, whatever
// the answers do.
func known(ctx context.Context, to string, panels []load.Panel, window time.Duration) map[string]*times {
	out := map[string]*times{}
	var mu sync.Mutex // guards out and what it holds
	var w sync.WaitGroup
	end := time.Now().Add(window)
	n := 0
	for _, way := range ways() {
		out[way] = &times{}
		for i := range panelsOfWay {
			p := &caller{way: way, to: to, panel: &panels[n]}
			n++
			w.Go(func() {
				defer p.close()
				tick := time.NewTicker(every)
				defer tick.Stop()
				pause(ctx, every*time.Duration(i)/panelsOfWay)
				for time.Now().Before(end) && ctx.Err() == nil {
					took, ok := p.call()
					mu.Lock()
					out[way].Times = append(out[way].Times, uint32(took/time.Microsecond))
					if !ok {
						out[way].Silent++
					}
					mu.Unlock()
					select {
					case <-tick.C:
					case <-ctx.Done():
					}
				}
			})
		}
	}
	w.Wait()
	for _, t := range out {
		t.Sort()
	}
	return out
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// caller is one known panel.
type caller struct {
	way, to string
	panel   *load.Panel
	conn    net.Conn
	frame   []byte
	in      [1024]byte
}

func (c *caller) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// call sends one event; false when no ACK came.
func (c *caller) call() (took time.Duration, ok bool) {
	began := time.Now()
	if c.conn == nil {
		network := "tcp"
		if c.way == wayUDP {
			network = "udp"
		}
		conn, err := net.DialTimeout(network, c.to, patience)
		if err != nil {
			return patience, false
		}
		c.conn = conn
	}
	c.frame = c.panel.Append(c.frame[:0], false, began)
	err := c.conn.SetDeadline(began.Add(patience))
	if err == nil {
		_, err = c.conn.Write(c.frame)
	}
	n := 0
	for err == nil && (n == 0 || c.in[n-1] != '\r') {
		var more int
		more, err = c.conn.Read(c.in[n:])
		n += more
		if more == 0 && err == nil {
			err = io.ErrUnexpectedEOF
		}
	}
	took = time.Since(began)
	f, bad := dc09.ParseFrame(c.in[:n])
	if err != nil || bad != nil || f.Token != dc09.TokenACK {
		c.close()
		return max(took, patience), false
	}
	if c.way == wayPerMessage {
		c.close()
	}
	return took, true
}
