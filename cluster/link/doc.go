// Package link holds one authenticated QUIC connection to each other node and
// gives the parts above it streams and calls by the peer's name.
//
// It promises: a peer is who its certificate says (own CA, mutual TLS 1.3, no
// 0-RTT, no resumption); a stream that was aborted shows as an error and never
// as a clean end; a peer that doesn't answer pings for 2 s is disconnected and
// dialed again; a newer connection of a node replaces its older one. Errors are
// an *Error or, from the other side's function, a *CallError: both have a Kind
// by which a caller decides.
//
// It does not: retry a call, keep what was sent over a connection that broke, or
// know what streams carry. All goroutines belong to Run.
//
// # Protocol, version 1 (ALPN "vedetta/1")
//
// The node with the smaller name dials; central and operators always dial.
// The dialer opens the control stream first; every stream begins with
//
//	offset size
//	0      1    version, 1
//	1      1    purpose (Purpose)
//
// The control stream goes on with one hello from each side, the dialer's first,
// and then with pings, each answered by a pong with the same id:
//
//	hello  0 1  type 1   1 1  lowest, 2 1 highest protocol version spoken   3 14  zero
//	ping   0 1  type 2   1 8  id                                            9 8   zero
//	pong   0 1  type 3   1 8  id   9 8  answering wall clock, Unix nanoseconds
//
// A hello without a common version, a name that isn't configured or a role that
// isn't accepted closes the connection with a code (Kind) and a text. A call is
// one stream of purpose call:
//
//	request   0 1  length n of the method   1 n  method   1+n 4  length m   5+n m  request
//	answer    0 1  0 good                   1 4  length m 5 m    answer
//	          0 1  1 failed                 1 1  length k 2 k    kind       2+k 2  length t   4+k t  text
//
// Each side ends its direction cleanly after its last byte. Integers are big endian.
package link
