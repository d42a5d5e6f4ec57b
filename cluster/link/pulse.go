package link

import (
	"context"
	"encoding/binary"
	"io"
	"sync"
	"time"
)

// Pings are sent this often, and silence this long closes a connection.
const (
	PingInterval = 500 * time.Millisecond
	PingTimeout  = 2 * time.Second

	pulseSamples = 8 // the quickest of so many answers gives the clock offset
)

// pulse is what a connection's pings have shown. It is stepped: times are
// arguments. Wall clocks are compared, waiting is measured monotonically.
type pulse struct {
	mu      sync.Mutex // guards the fields below
	next    uint64
	sent    map[uint64]time.Time
	samples []sample
	last    time.Time // when the last answer came
}

type sample struct{ rtt, offset time.Duration }

func newPulse() *pulse { return &pulse{sent: map[uint64]time.Time{}, last: time.Now()} }

// ping numbers a ping sent now.
func (p *pulse) ping(now time.Time) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	p.sent[p.next] = now
	for id, at := range p.sent {
		if now.Sub(at) > PingTimeout {
			delete(p.sent, id)
		}
	}
	return p.next
}

// pong notes the answer to a ping, which says the other side's wall clock.
func (p *pulse) pong(id uint64, wall int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.sent[id]
	if !ok {
		return
	}
	delete(p.sent, id)
	rtt := now.Sub(at)
	p.samples = append(p.samples, sample{rtt, time.Duration(wall - at.Add(rtt/2).UnixNano())})
	if len(p.samples) > pulseSamples {
		p.samples = p.samples[1:]
	}
	if now.After(p.last) {
		p.last = now
	}
}

func (p *pulse) silent(now time.Time) bool { return now.Sub(p.lastAnswer()) >= PingTimeout }

func (p *pulse) lastAnswer() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// measured gives the latest round trip and the offset of the quickest.
func (p *pulse) measured() (rtt, offset time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, s := range p.samples {
		if i == 0 || s.rtt <= rtt {
			rtt, offset = s.rtt, s.offset
		}
	}
	if n := len(p.samples); n > 0 {
		rtt = p.samples[n-1].rtt
	}
	return rtt, offset
}

// sendPulse is the only writer of the control stream after the hellos.
func (c *connection) sendPulse(ctx context.Context, pongs <-chan uint64) {
	tick := time.NewTicker(PingInterval)
	defer tick.Stop()
	frame := controlFrame(framePing, c.pulse.ping(time.Now()), 0)
	for {
		c.control.SetWriteDeadline(time.Now().Add(PingTimeout))
		if _, err := c.control.Write(frame); err != nil {
			c.quic.CloseWithError(codeTimeout, "control stream doesn't take a ping")
			return
		}
		select {
		case <-ctx.Done():
			return
		case id := <-pongs:
			frame = controlFrame(framePong, id, time.Now().UnixNano())
		case <-tick.C:
			now := time.Now()
			if c.pulse.silent(now) {
				c.quic.CloseWithError(codeTimeout, "no answer to pings for "+PingTimeout.String())
				return
			}
			frame = controlFrame(framePing, c.pulse.ping(now), 0)
		}
	}
}

func (c *connection) readPulse(pongs chan<- uint64) {
	var f [frameSize]byte
	for {
		if _, err := io.ReadFull(c.control, f[:]); err != nil {
			c.quic.CloseWithError(codeProtocol, "control stream ended")
			return
		}
		id := binary.BigEndian.Uint64(f[1:])
		switch f[0] {
		case framePing:
			select {
			case pongs <- id:
			default: // more pings than can be answered: the newer ones count
			}
		case framePong:
			c.pulse.pong(id, int64(binary.BigEndian.Uint64(f[9:])), time.Now())
		}
	}
}
