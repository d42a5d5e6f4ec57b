package consensus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"vedetta/cluster/link"
)

const (
	streamVersion = 1
	headerTimeout = 2 * time.Second // for a stream's ids
)

// ErrOtherTarget: a stream was meant for another disk of this node (rule 28).
var ErrOtherTarget = errors.New("raft stream is meant for another server")

// streams is raft's StreamLayer over the link. Its addresses are server ids.
type streams struct {
	self    string
	link    *link.Link
	refused prometheus.Counter

	in     chan net.Conn
	done   chan struct{} // closed by Close
	closed sync.Once
}

func newStreams(self string, l *link.Link, refused prometheus.Counter) *streams {
	return &streams{self: self, link: l, refused: refused, in: make(chan net.Conn), done: make(chan struct{})}
}

// Accept gives raft the next stream that is meant for this server.
func (s *streams) Accept() (net.Conn, error) {
	select {
	case c := <-s.in:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *streams) Close() error {
	s.closed.Do(func() { close(s.done) })
	return nil
}

// Addr is the server's id.
func (s *streams) Addr() net.Addr { return serverAddr(s.self) }

type serverAddr string

func (serverAddr) Network() string  { return "vedetta" }
func (a serverAddr) String() string { return string(a) }

// Dial opens a stream to the server of that id, and to no other disk of its node.
func (s *streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	st, err := s.link.Open(ctx, nodeOf(string(address)), link.PurposeRaft)
	if err != nil {
		return nil, err
	}
	b := append([]byte{streamVersion, byte(len(address))}, address...)
	b = append(append(b, byte(len(s.self))), s.self...)
	if _, err := st.Write(b); err != nil {
		st.Abort()
		return nil, err
	}
	return &conn{Stream: st}, nil
}

// serve hands a peer's stream to raft and waits until raft is done with it.
func (s *streams) serve(ctx context.Context, from link.Identity, st link.Stream) error {
	st.SetReadDeadline(time.Now().Add(headerTimeout))
	target, source, err := readIDs(st)
	if err != nil {
		return fmt.Errorf("raft stream of %s: %w", from.Name, err)
	}
	if target != s.self || nodeOf(source) != from.Name {
		s.refused.Inc()
		return fmt.Errorf("raft stream of %s for %q at %s: %w", source, target, s.self, ErrOtherTarget)
	}
	st.SetReadDeadline(time.Time{})
	c := &conn{Stream: st, done: make(chan struct{})}
	select {
	case s.in <- c:
	case <-s.done:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-c.done:
	case <-s.done:
	case <-ctx.Done():
	}
	return net.ErrClosed // a raft stream never ends cleanly: whoever still reads must see an error
}

func readIDs(r io.Reader) (target, source string, err error) {
	var version [1]byte
	if _, err := io.ReadFull(r, version[:]); err != nil {
		return "", "", err
	}
	if version[0] != streamVersion {
		return "", "", fmt.Errorf("stream version %d, want %d", version[0], streamVersion)
	}
	var ids [2]string
	for i := range ids {
		var n [1]byte
		if _, err := io.ReadFull(r, n[:]); err != nil {
			return "", "", err
		}
		b := make([]byte, n[0])
		if _, err := io.ReadFull(r, b); err != nil {
			return "", "", err
		}
		ids[i] = string(b)
	}
	return ids[0], ids[1], nil
}

// conn is a stream as raft has it: closing aborts both directions, so that a
// message cut in two is never taken for an end.
type conn struct {
	link.Stream
	once sync.Once
	done chan struct{} // of accepted ones
}

func (c *conn) Close() error {
	c.Abort()
	c.once.Do(func() {
		if c.done != nil {
			close(c.done)
		}
	})
	return nil
}

// guarded is the transport that raft gets: votes are refused while this server
// has no configuration. hashicorp/raft would grant them (rule 28).
type guarded struct {
	*raft.NetworkTransport
	in chan raft.RPC
}

func newGuarded(t *raft.NetworkTransport) *guarded { return &guarded{t, make(chan raft.RPC)} }

// Consumer gives raft what pump let through.
func (g *guarded) Consumer() <-chan raft.RPC { return g.in }

// pump passes requests on until done is closed.
func (g *guarded) pump(done <-chan struct{}, member func() bool) {
	for {
		var rpc raft.RPC
		select {
		case rpc = <-g.NetworkTransport.Consumer():
		case <-done:
			return
		}
		if refusal := refuseVote(rpc, member); refusal != nil {
			rpc.Respond(refusal, nil)
			continue
		}
		select {
		case g.in <- rpc:
		case <-done:
			return
		}
	}
}

// refuseVote is the answer to a request for a vote that may not be given.
func refuseVote(rpc raft.RPC, member func() bool) any {
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}
	switch req := rpc.Command.(type) {
	case *raft.RequestVoteRequest:
		if !member() {
			return &raft.RequestVoteResponse{RPCHeader: header, Term: req.Term}
		}
	case *raft.RequestPreVoteRequest:
		if !member() {
			return &raft.RequestPreVoteResponse{RPCHeader: header, Term: req.Term}
		}
	}
	return nil
}
