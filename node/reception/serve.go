package reception

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/wire/dc09"
)

// session is one time of being open.
type session struct {
	*Reception
	work     context.Context // of handlers; outlives the listeners by cfg.Drain
	buffered atomic.Int64    // bytes of all connections' buffers

	mu     sync.Mutex
	conns  map[net.Conn]struct{} // guarded by mu
	closed bool                  // guarded by mu; no connection may be added
}

// serve takes frames until the listeners are to be closed or ctx ends, and returns
// when all its goroutines have. An error is a socket's that failed by itself.
func (r *Reception) serve(ctx context.Context, all sockets, changed <-chan struct{}) error {
	work, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	s := &session{Reception: r, work: work, conns: make(map[net.Conn]struct{})}
	g, stop := errgroup.WithContext(ctx)
	r.setOpened(true)
	for _, one := range all {
		if one.stream != nil {
			g.Go(func() error { return s.accept(stop, one) })
		} else {
			g.Go(func() error { return s.datagrams(stop, one) })
		}
	}
	g.Go(func() error {
		select {
		case <-stop.Done():
		case <-changed:
		}
		r.setOpened(false)
		s.hangUp()
		for _, one := range all {
			if one.stream != nil {
				one.stream.Close()
			} else {
				one.packet.SetReadDeadline(time.Unix(1, 0)) // closed after its last answer
			}
		}
		timer := time.AfterFunc(r.cfg.Drain, giveUp)
		context.AfterFunc(work, func() { timer.Stop() })
		return errDone
	})
	err := g.Wait()
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// errDone ends the others without being a fault.
var errDone = errors.New("closed on purpose")

func (r *Reception) setOpened(open bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened = open
}

// hangUp lets every connection end after the frame that it is at.
func (s *session) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for c := range s.conns {
		c.SetReadDeadline(time.Unix(1, 0))
	}
}

// ended tells that hangUp was called.
func (s *session) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// add makes a connection known to hangUp; false when it came too late.
func (s *session) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *session) remove(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// setReadDeadline is c's, unless hangUp was called.
func (s *session) setReadDeadline(c net.Conn, t time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	return c.SetReadDeadline(t) == nil
}

// accept takes connections until the listener is closed, and waits for them.
func (s *session) accept(stop context.Context, one socket) error {
	var g sync.WaitGroup
	defer g.Wait()
	for wait := time.Duration(0); ; {
		c, err := one.stream.Accept()
		switch {
		case err == nil:
			wait = 0
		case s.ended() || stop.Err() != nil || errors.Is(err, net.ErrClosed):
			return nil
		case isTemporary(err):
			wait = min(max(5*time.Millisecond, 2*wait), time.Second)
			s.env.Log.Warn("cannot accept", "listener", one.listener, "error", err)
			pause(stop, wait)
			continue
		default:
			return fmt.Errorf("reception: listener %s: %s: %w", one.listener, one.transport, err)
		}
		peer := addrPort(c.RemoteAddr())
		guest, out, why := s.guests.Enter(peer.Addr(), c, time.Now())
		if out != nil {
			s.metrics.refused.WithLabelValues(reasonRoom).Inc()
			out.Close()
		}
		if guest == nil {
			s.turnedAway(dc09.Reason(why), Source{Transport: one.transport, Listener: one.listener, Peer: peer})
			reset(c)
			continue
		}
		g.Go(func() {
			defer func() { s.guests.Leave(guest, time.Now()) }()
			s.connection(c, guest, Source{Transport: one.transport, Listener: one.listener, Peer: peer})
		})
	}
}

// reset closes without taking leave: it costs us nothing afterwards.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}
