package link

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// Frames of the control stream.
const (
	frameSize  = 17
	frameHello = 1
	framePing  = 2
	framePong  = 3

	helloTimeout  = 3 * time.Second
	headerTimeout = 5 * time.Second // for a stream's first two bytes
)

// connection is one QUIC connection after its hellos.
type connection struct {
	e       *endpoint
	quic    *quic.Conn
	id      Identity // the other side
	control *stream
	pulse   *pulse
	wg      sync.WaitGroup // streams, pings
	ended   chan struct{}  // closed when the hooks have returned
}

func newConnection(e *endpoint, qc *quic.Conn, id Identity) *connection {
	return &connection{e: e, quic: qc, id: id, pulse: newPulse(), ended: make(chan struct{})}
}

// greet is the dialer's half of the hellos.
func (c *connection) greet(ctx context.Context) error {
	s, err := c.openStream(ctx, PurposeControl)
	if err == nil {
		c.control = s
		s.SetDeadline(time.Now().Add(helloTimeout))
		defer s.SetDeadline(time.Time{})
		stop := context.AfterFunc(ctx, s.Abort)
		defer stop()
		if _, err = s.Write(hello()); err == nil {
			err = c.checkHello()
		}
	}
	if err != nil {
		c.quic.CloseWithError(codeProtocol, "hello failed")
	}
	return err
}

// welcome is the listener's half.
func (c *connection) welcome(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	qs, err := c.quic.AcceptStream(ctx)
	if err == nil {
		c.control = &stream{Stream: qs, conn: c.quic, peer: c.id}
		c.control.SetDeadline(time.Now().Add(helloTimeout))
		defer c.control.SetDeadline(time.Time{})
		qs.SetPriority(PurposeControl.urgency(), true)
		var header [2]byte
		if _, err = io.ReadFull(c.control, header[:]); err == nil {
			if Purpose(header[1]) != PurposeControl {
				err = fmt.Errorf("first stream has purpose %d, want control", header[1])
			} else if err = c.checkHello(); err == nil {
				_, err = c.control.Write(hello())
			}
		}
	}
	if err != nil {
		c.quic.CloseWithError(codeProtocol, err.Error())
		return fmt.Errorf("hello of %s: %w", c.id, err)
	}
	return nil
}

func hello() []byte {
	return append([]byte{frameHello, Version, Version}, make([]byte, frameSize-3)...)
}

func (c *connection) checkHello() error {
	var f [frameSize]byte
	if _, err := io.ReadFull(c.control, f[:]); err != nil {
		return err
	}
	if f[0] != frameHello {
		return errorf(KindProtocol, c.id.Name, "hello", "frame of type %d, want %d", f[0], frameHello)
	}
	if f[1] > Version || f[2] < Version {
		err := errorf(KindVersion, c.id.Name, "hello", "it speaks protocol versions %d to %d, want %d among them", f[1], f[2], Version)
		c.quic.CloseWithError(codeVersion, err.Error())
		return err
	}
	return nil
}

// run serves streams and pings until the connection or ctx ends; the hooks
// start when those of the connection that this one replaced have returned.
func (c *connection) run(ctx context.Context, older *connection) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(c.quic.Context(), cancel)
	defer stop()

	c.wg.Go(func() { c.acceptStreams(ctx) })
	pongs := make(chan uint64, 16)
	c.wg.Go(func() { c.readPulse(pongs) })
	c.wg.Go(func() { c.sendPulse(ctx, pongs) })
	c.wg.Go(func() {
		defer close(c.ended)
		if older != nil {
			<-older.ended
		}
		if c.id.Role != RoleNode || ctx.Err() != nil {
			return
		}
		var hooks sync.WaitGroup
		for _, hook := range c.e.hooks {
			hooks.Go(func() { hook(ctx, c.id) })
		}
		hooks.Wait()
	})
	<-ctx.Done()
	if c.quic.Context().Err() == nil {
		c.quic.CloseWithError(codeClosing, c.e.self.String()+" is stopping")
	}
	c.wg.Wait()
}

func (c *connection) acceptStreams(ctx context.Context) {
	for {
		qs, err := c.quic.AcceptStream(ctx)
		if err != nil {
			return
		}
		c.wg.Go(func() { c.serveStream(ctx, &stream{Stream: qs, conn: c.quic, peer: c.id}) })
	}
}

// serveStream runs the purpose's function: a clean end when it returns nil, an
// abort otherwise.
func (c *connection) serveStream(ctx context.Context, s *stream) {
	s.SetReadDeadline(time.Now().Add(headerTimeout))
	var header [2]byte
	if _, err := io.ReadFull(s, header[:]); err != nil {
		s.cancel(codeProtocol)
		return
	}
	s.SetReadDeadline(time.Time{})
	purpose := Purpose(header[1])
	h, ok := c.e.handlers[purpose]
	if header[0] != Version || !ok || !slices.Contains(h.roles, c.id.Role) {
		c.e.refused.WithLabelValues("stream").Inc()
		c.e.env.Log.Warn("link stream refused", "peer", c.id.String(), "version", header[0], "purpose", purpose)
		s.cancel(codeRefused)
		return
	}
	s.Stream.SetPriority(purpose.urgency(), true)
	if err := h.fn(ctx, c.id, s); err != nil {
		c.e.env.Log.Debug("link stream ended", "peer", c.id.String(), "purpose", purpose, "error", err)
		s.Abort()
		return
	}
	s.Close()
}

// openStream opens a stream and writes its header.
func (c *connection) openStream(ctx context.Context, purpose Purpose) (*stream, error) {
	qs, err := c.quic.OpenStreamSync(ctx)
	if err != nil {
		if ctx.Err() != nil && c.quic.Context().Err() == nil {
			return nil, wrap(c.id.Name, "open stream", err)
		}
		return nil, &Error{Kind: KindUnreachable, Peer: c.id.Name, Doing: "open stream", Err: err}
	}
	qs.SetPriority(purpose.urgency(), true)
	s := &stream{Stream: qs, conn: c.quic, peer: c.id}
	if _, err := s.Write([]byte{Version, byte(purpose)}); err != nil {
		s.Abort()
		return nil, err
	}
	return s, nil
}

func controlFrame(kind byte, id uint64, wall int64) []byte {
	f := append(make([]byte, 0, frameSize), kind)
	f = binary.BigEndian.AppendUint64(f, id)
	return binary.BigEndian.AppendUint64(f, uint64(wall))
}
