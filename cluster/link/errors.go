package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/quic-go/quic-go"
)

// Kind says what went wrong, in a word that callers decide by and that is fit
// for the wire. Functions given to HandleCall may answer with kinds of their own.
type Kind string

// Kinds of this package; the list is only appended to.
const (
	KindUnreachable Kind = "unreachable"    // there is no connection: nothing was sent, it may be tried again
	KindBroken      Kind = "broken"         // the connection ended on the way: what was sent may have been done
	KindCancelled   Kind = "cancelled"      // a side aborted the stream
	KindTimeout     Kind = "timeout"        // the caller's time was up: what was sent may have been done
	KindRefused     Kind = "refused"        // certificate, role, purpose or method isn't accepted: nothing was done
	KindVersion     Kind = "version"        // no protocol version in common
	KindReplaced    Kind = "replaced"       // a newer connection of the same node took over
	KindClosing     Kind = "closing"        // the other side is stopping
	KindProtocol    Kind = "protocol"       // bytes that this version can't read
	KindTooLong     Kind = "too_long"       // request or answer above MaxCallBytes
	KindAddress     Kind = "address_in_use" // the listening address is taken
	KindFailed      Kind = "failed"         // the other side's function failed without a kind
)

// Error is what this side found out. Peer is the other side's name, if known.
type Error struct {
	Kind  Kind
	Peer  string
	Doing string
	Err   error
}

func (e *Error) Error() string {
	s := "link"
	if e.Peer != "" {
		s += " to " + e.Peer
	}
	if e.Doing != "" {
		s += ": " + e.Doing
	}
	s += ": " + string(e.Kind)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// CallError is an answer of the other side's function. A function given to
// HandleCall returns one to choose the kind; other errors become KindFailed.
type CallError struct {
	Kind Kind
	Text string
}

func (e *CallError) Error() string { return string(e.Kind) + ": " + e.Text }

// KindOf is the kind of an error of this package, or "" for others.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*CallError](err); ok {
		return e.Kind
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return ""
}

// NothingDone tells whether err proves that the other side did nothing, so
// that the same may be sent again.
func NothingDone(err error) bool {
	k := KindOf(err)
	return k == KindUnreachable || k == KindRefused || k == KindVersion
}

// Codes on the wire, for connections and streams; never used again.
const (
	codeNone     = 0
	codeRefused  = 1
	codeVersion  = 2
	codeReplaced = 3
	codeClosing  = 4
	codeProtocol = 5
	codeTimeout  = 6
	codeAborted  = 7
)

func kindOfCode(code uint64) Kind {
	switch code {
	case codeRefused:
		return KindRefused
	case codeVersion:
		return KindVersion
	case codeReplaced:
		return KindReplaced
	case codeClosing:
		return KindClosing
	case codeProtocol:
		return KindProtocol
	}
	return KindBroken
}

// wrap gives err its kind. Clean end, deadlines and nil pass as they are, so
// that io and net users see what they expect.
func wrap(peer, doing string, err error) error {
	if err == nil || err == io.EOF || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	kind := KindBroken
	if e, ok := errors.AsType[*quic.StreamError](err); ok {
		kind = KindCancelled
		if e.Remote && e.ErrorCode == codeRefused {
			kind = KindRefused
		}
	} else if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
		kind = kindOfCode(uint64(e.ErrorCode))
		if kind == KindRefused && doing != "connect" {
			kind = KindBroken // an established connection: nothing is known about what was sent
		}
	} else if e, ok := errors.AsType[*quic.TransportError](err); ok && e.ErrorCode >= 0x100 && e.ErrorCode < 0x200 {
		kind = KindRefused // TLS alert: certificate or ALPN
	} else if errors.Is(err, context.DeadlineExceeded) {
		kind = KindTimeout
	} else if errors.Is(err, context.Canceled) {
		kind = KindCancelled
	}
	return &Error{Kind: kind, Peer: peer, Doing: doing, Err: err}
}

func errorf(kind Kind, peer, doing, format string, args ...any) *Error {
	return &Error{Kind: kind, Peer: peer, Doing: doing, Err: fmt.Errorf(format, args...)}
}
