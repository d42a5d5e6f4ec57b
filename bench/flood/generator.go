package flood

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"vedetta/wire/dc09"
)

// Kinds of floods, as they are measured.
const (
	KindConnect  = "connect"  // connections that are closed at once
	KindGarbage  = "garbage"  // connections that speak HTTP, TLS or noise and wait
	KindSlow     = "slow"     // connections that hold half a frame
	KindDatagram = "datagram" // junk, wrong CRCs, unknown accounts and known ones with a wrong key
	KindAll      = "all"      // all at once; connections share their rate
)

// Generator is the flood: `vedetta-bench strangers`. It runs until it is stopped,
// and prints what it reached.
type Generator struct {
	To        string `required:"" help:"host:port of the node, TCP and UDP; loopback only."`
	Kind      string `enum:"connect,garbage,slow,datagram,all" default:"all" help:"connect, garbage, slow, datagram or all."`
	Rate      int    `default:"2000" help:"Connections per second, in all."`
	Held      int    `default:"5000" help:"Half frames held at once."`
	Datagrams int    `default:"20000" help:"Datagrams per second."`
	Account   string `default:"BE000001" help:"A known account with a key, whose datagrams are forged."`
}

// Reached is what a generator did.
type Reached struct {
	Connections int64   `json:"connections"`
	Datagrams   int64   `json:"datagrams"`
	Refused     int64   `json:"refused"` // connections that were not taken, or reset
	Behind      int64   `json:"behind"`  // that were due and not sent: the generator had no time
	Answers     int64   `json:"answers"` // bytes that came back to datagrams
	Sent        int64   `json:"sent"`    // bytes of datagrams
	Seconds     float64 `json:"seconds"`
}

func (r *Reached) add(o Reached) {
	r.Connections, r.Datagrams, r.Refused, r.Behind = r.Connections+o.Connections, r.Datagrams+o.Datagrams, r.Refused+o.Refused, r.Behind+o.Behind
	r.Answers, r.Sent, r.Seconds = r.Answers+o.Answers, r.Sent+o.Sent, r.Seconds+o.Seconds
}

type storm struct {
	Generator
	connections, datagrams, refused, behind, answers, sent atomic.Int64
}

// Run floods until ctx ends. The first line says that it has begun.
func (g Generator) Run(ctx context.Context, out io.Writer) error {
	host, _, err := net.SplitHostPort(g.To)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return fmt.Errorf("--to %q: want a loopback address and port", g.To)
	}
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 10) // without it the figures are harder to meet
	if g.Kind == KindAll {
		g.Rate /= 3
	}
	s := &storm{Generator: g}
	began := time.Now()
	if _, err := fmt.Fprintln(out, "flooding"); err != nil {
		return err
	}
	var w sync.WaitGroup
	for kind, run := range map[string]func(context.Context){KindConnect: s.connect, KindGarbage: s.garbage, KindSlow: s.slow, KindDatagram: s.datagram} {
		if g.Kind == kind || g.Kind == KindAll {
			w.Go(func() { run(ctx) })
		}
	}
	w.Wait()
	return json.NewEncoder(out).Encode(Reached{s.connections.Load(), s.datagrams.Load(), s.refused.Load(), s.behind.Load(), s.answers.Load(), s.sent.Load(), time.Since(began).Seconds()})
}

// pace calls do at a rate, by several workers; what they don't manage is behind.
func (s *storm) pace(ctx context.Context, rate, workers int, do func()) {
	work := make(chan struct{}, rate/20+1)
	var w sync.WaitGroup
	for range workers {
		w.Go(func() {
			for range work {
				do()
			}
		})
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	begin, done := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			close(work)
			w.Wait()
			return
		case <-tick.C:
		}
		for due := int(time.Since(begin).Seconds() * float64(rate)); done < due; done++ {
			select {
			case work <- struct{}{}:
			default:
				s.behind.Add(1)
			}
		}
	}
}

// source is any of 4,096 addresses.
func source() net.IP {
	n := rand.IntN(4096)
	return net.IPv4(127, 1, byte(n>>8), byte(1+n%250))
}

func (s *storm) dial(ctx context.Context) net.Conn {
	d := net.Dialer{Timeout: 2 * time.Second, KeepAlive: -1, LocalAddr: &net.TCPAddr{IP: source()}}
	c, err := d.DialContext(ctx, "tcp", s.To)
	if err != nil {
		s.refused.Add(1)
		return nil
	}
	s.connections.Add(1)
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		c.Close()
		return nil
	}
	return c
}

func (s *storm) connect(ctx context.Context) {
	s.pace(ctx, s.Rate, 16, func() {
		if c := s.dial(ctx); c != nil {
			c.Close()
		}
	})
}

func (s *storm) garbage(ctx context.Context) {
	words := []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "\x03\x00\x00\x13\x0e\xe0", "\x01\x02\x03\x04\x05\x06\x07\x08\x09"}
	s.pace(ctx, s.Rate, 64, func() {
		c := s.dial(ctx)
		if c == nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(c, words[rand.IntN(len(words))])
		if _, err := io.Copy(io.Discard, c); err != nil {
			s.refused.Add(1)
		}
	})
}

// slow holds half frames; where one is closed another takes its place.
func (s *storm) slow(ctx context.Context) {
	held := make(chan net.Conn, s.Held)
	s.pace(ctx, s.Rate, 16, func() {
		if len(held) >= s.Held-16 {
			c := <-held
			_ = c.SetReadDeadline(time.Now().Add(time.Microsecond))
			if _, err := c.Read(make([]byte, 1)); os.IsTimeout(err) { // still open: one byte more
				if _, err := io.WriteString(c, "x"); err == nil {
					held <- c
					return
				}
			}
			c.Close()
		}
		if c := s.dial(ctx); c != nil {
			if _, err := io.WriteString(c, "\nA18D0FFF\"SIA-DCS\"0001L0#1234["); err != nil {
				c.Close()
				return
			}
			held <- c
		}
	})
	for len(held) > 0 {
		(<-held).Close()
	}
}

// datagram sends junk from many addresses, as forged sources are.
func (s *storm) datagram(ctx context.Context) {
	var all []*net.UDPConn
	to, err := net.ResolveUDPAddr("udp", s.To)
	if err != nil {
		return
	}
	for range 64 {
		c, err := net.DialUDP("udp", &net.UDPAddr{IP: source()}, to)
		if err != nil {
			continue
		}
		defer c.Close()
		all = append(all, c)
	}
	var w sync.WaitGroup
	for _, c := range all {
		w.Go(func() {
			for b := make([]byte, 2048); ; {
				n, err := c.Read(b)
				if err != nil && ctx.Err() != nil {
					return
				}
				s.answers.Add(int64(n))
			}
		})
	}
	junk := s.junk()
	s.pace(ctx, s.Datagrams, 4, func() {
		n, err := all[rand.IntN(len(all))].Write(junk[rand.IntN(len(junk))])
		if err == nil {
			s.datagrams.Add(1)
			s.sent.Add(int64(n))
		}
	})
	for _, c := range all {
		_ = c.SetReadDeadline(time.Now())
	}
	w.Wait()
}

func (s *storm) junk() (all [][]byte) {
	l := "0"
	add := func(account string, key []byte, spoil bool) {
		var cipher *dc09.Cipher
		if key != nil {
			cipher, _ = dc09.NewCipher(key)
		}
		b, err := dc09.Message{Token: "SIA-DCS", Sequence: rand.IntN(10000), Prefix: &l, Account: account, Blocks: "[#" + account + "|Nri1/BA001]", Time: time.Now().UTC()}.AppendFrame(nil, cipher)
		if err != nil {
			return
		}
		if spoil {
			b[2] ^= 1
		}
		all = append(all, b)
	}
	for range 100 {
		noise := make([]byte, 1+rand.IntN(400))
		for i := range noise {
			noise[i] = byte(rand.Uint32())
		}
		all = append(all, noise)
		add(fmt.Sprintf("%06X", rand.IntN(1<<24)), nil, false) // nobody's
		add(s.Account, nil, true)                              // wrong CRC
		add(s.Account, []byte("0123456789abcdef"), false)      // wrong key
	}
	return all
}
