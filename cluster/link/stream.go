package link

import (
	"net"
	"time"

	"github.com/quic-go/quic-go"
)

// Version of the protocol that this program speaks.
const Version = 1

// Purpose says what a stream is for; numbers are never used again.
type Purpose byte

// Purposes of version 1.
const (
	PurposeControl Purpose = 1 // hello and pings, of this package
	PurposeCall    Purpose = 2 // one request and its answer, of this package
	PurposeRaft    Purpose = 3 // package consensus
	PurposeLive    Purpose = 4 // own records as they come (package replica)
	PurposeMarks   Purpose = 5 // marks of all origins (package replica)
	PurposeCatchUp Purpose = 6 // backlog (package replica); sent after all others
	PurposeFeed    Purpose = 7 // records up to the durable marks, for central
	PurposeWatch   Purpose = 8 // attempts of panels as they come, for who watches (node/watch); sent after all others
)

// urgency orders what is sent when the way is narrow: 0 first, 7 last.
func (p Purpose) urgency() int8 {
	switch p {
	case PurposeControl:
		return 0
	case PurposeRaft, PurposeLive, PurposeMarks:
		return 1
	case PurposeCall:
		return 2
	case PurposeFeed:
		return 4
	}
	return 6
}

// Stream is one ordered two-way stream to a peer. Reading reports io.EOF only
// when the other side ended its direction with Close or CloseWrite; an aborted
// or broken stream reports an *Error. Deadlines report os.ErrDeadlineExceeded.
//
// It is a net.Conn. Close and CloseWrite must not run beside a Write; Abort,
// CancelRead and CancelWrite may run at any time.
type Stream interface {
	net.Conn            // Close ends both directions: what was written arrives, with a clean end
	CloseWrite() error  // ends our direction cleanly
	CancelWrite()       // our direction ends with an error at the other side
	CancelRead()        // we read no more; the other side's writing fails
	Abort()             // CancelRead and CancelWrite
	Identity() Identity // the other side
}

type stream struct {
	*quic.Stream
	conn *quic.Conn
	peer Identity
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	return n, wrap(s.peer.Name, "read", err)
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.Stream.Write(p)
	return n, wrap(s.peer.Name, "write", err)
}

func (s *stream) CloseWrite() error { return wrap(s.peer.Name, "close", s.Stream.Close()) }

func (s *stream) Close() error {
	err := s.CloseWrite()
	s.CancelRead()
	return err
}

func (s *stream) CancelRead()  { s.Stream.CancelRead(codeAborted) }
func (s *stream) CancelWrite() { s.Stream.CancelWrite(codeAborted) }

func (s *stream) Abort() { s.cancel(codeAborted) }

func (s *stream) cancel(code quic.StreamErrorCode) {
	s.Stream.CancelRead(code)
	s.Stream.CancelWrite(code)
}

func (s *stream) Identity() Identity                 { return s.peer }
func (s *stream) LocalAddr() net.Addr                { return s.conn.LocalAddr() }
func (s *stream) RemoteAddr() net.Addr               { return s.conn.RemoteAddr() }
func (s *stream) SetDeadline(t time.Time) error      { return s.Stream.SetDeadline(t) }
func (s *stream) SetReadDeadline(t time.Time) error  { return s.Stream.SetReadDeadline(t) }
func (s *stream) SetWriteDeadline(t time.Time) error { return s.Stream.SetWriteDeadline(t) }
