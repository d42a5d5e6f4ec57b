package flood

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/bench/stand"
)

// HoldOptions of `vedetta-bench hold`.
type HoldOptions struct {
	Connections int           `default:"40000" help:"Open at once on one node."`
	Idle        time.Duration `default:"20s" help:"How long they stay before the last look."`
}

// holdBound is the promise, in bytes.
const holdBound = 1 << 30

// Hold opens connections to one node from many addresses, has each take a message of
// a known panel, weighs the node at each step and times panels beside them.
func Hold(ctx context.Context, o HoldOptions, bin string, out io.Writer) (err error) {
	asked := o.Connections
	if files, err := openFiles(uint64(asked) + reserve); err != nil {
		return err
	} else if files < uint64(asked)+reserve {
		o.Connections = int(files) - reserve
		fmt.Fprintf(out, "this process may not raise its limit of %d open files (ulimit -n): %d connections are held instead of %d\n", files, o.Connections, asked)
	}
	m, err := started(ctx, bin, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Stop(), os.RemoveAll(m.Dir)) }()
	to, pid := m.Nodes[0].DC09, m.Nodes[0].PID
	most, least := int64(0), int64(0)
	weigh := func(what string) error {
		rss, err := stand.RSS(pid)
		if most = max(most, rss); least == 0 {
			least = rss
		}
		fmt.Fprintf(out, "%-46s %6.0f MiB resident", what, float64(rss)/(1<<20))
		for _, part := range []string{"stack_inuse", "heap_inuse", "heap_idle", "heap_released"} {
			v, bad := m.Metric(0, "go_memstats_"+part+"_bytes")
			err = errors.Join(err, bad)
			fmt.Fprintf(out, "  %s %.0f", part, v/(1<<20))
		}
		fmt.Fprintln(out)
		return err
	}
	if err := weigh("idle node"); err != nil {
		return err
	}
	conns := make([]net.Conn, o.Connections)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}
		}
	}()
	began := time.Now()
	// 400 to an address: a stranger's address may have 500.
	err = each(o.Connections, 64, func(i int) error {
		d := net.Dialer{Timeout: 10 * time.Second, KeepAlive: -1, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 2, byte(i/400>>8), byte(1+i/400))}}
		c, err := d.DialContext(ctx, "tcp", to)
		conns[i] = c
		return err
	})
	if err != nil {
		return fmt.Errorf("connection: %w", err)
	}
	dialled := time.Since(began)
	if err := weigh(fmt.Sprintf("%d connections that said nothing", o.Connections)); err != nil {
		return err
	}
	began = time.Now()
	err = each(len(m.Panels), 64, func(p int) error { // one panel, its connections one after the other
		for i := p; i < len(conns); i += len(m.Panels) {
			c := caller{way: wayLong, panel: &m.Panels[p], conn: conns[i]}
			if _, ok := c.call(); !ok {
				return fmt.Errorf("connection %d got no ACK", i)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := weigh("each has had an event acknowledged"); err != nil {
		return err
	}
	fmt.Fprintf(out, "opened in %.1f s, acknowledged in %.1f s\n", dialled.Seconds(), time.Since(began).Seconds())
	pause(ctx, o.Idle)
	if err := weigh(fmt.Sprintf("%s later", o.Idle)); err != nil {
		return err
	}
	var open float64
	if open, err = m.Metric(0, `vedetta_reception_connections{listener="main",transport="tcp"}`); err != nil {
		return err
	}
	for way, t := range known(ctx, to, m.Panels, 3*time.Second) {
		fmt.Fprintf(out, "beside them: %-10s p50 %5.1f ms, p99 %5.1f ms, %d silent of %d\n", way, float64(t.At(.5).Microseconds())/1000, float64(t.At(.99).Microseconds())/1000, t.Silent, len(t.Times))
	}
	one := float64(most-least) / float64(o.Connections)
	verdict := "holds"
	switch {
	case most > holdBound || int(open) < o.Connections:
		verdict = "FALLS SHORT"
	case o.Connections < asked:
		verdict = fmt.Sprintf("not measured at %d; by these figures %.0f MiB", asked, (float64(least)+one*float64(asked))/(1<<20))
	}
	fmt.Fprintf(out, "%d open, most %.0f MiB, %.1f KiB for each, bound %d MiB  %s\n", int(open), float64(most)/(1<<20), one/1024, holdBound>>20, verdict)
	return nil
}

// each calls do for 0 to n-1, so many at once, and returns the first error.
func each(n, workers int, do func(int) error) error {
	var g errgroup.Group
	g.SetLimit(workers)
	for i := range n {
		g.Go(func() error { return do(i) })
	}
	return g.Wait()
}

// reserve is what a node, and this process, open besides the connections.
const reserve = 2000

// openFiles raises what this process and those that it starts may open to n, or
// leaves it where it may not; it returns what it is.
func openFiles(n uint64) (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	if l.Cur >= n {
		return l.Cur, nil
	}
	more := syscall.Rlimit{Cur: n, Max: max(n, l.Max)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more); err == nil {
		return n, nil
	}
	l.Cur = l.Max
	return l.Cur, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
}
