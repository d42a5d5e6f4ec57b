package link

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
)

// Waits between attempts to dial: doubled from the first to the last, each
// between half and whole by chance.
const (
	firstRedial = 100 * time.Millisecond
	lastRedial  = time.Second
	dialTimeout = 3 * time.Second
)

func (e *endpoint) dialLoop(ctx context.Context, tr *quic.Transport, p *peer) {
	wait := firstRedial
	said := ""
	for ctx.Err() == nil {
		c, err := e.dial(ctx, tr, p)
		if err == nil {
			said, wait = "", firstRedial
			e.serve(ctx, c)
		} else if ctx.Err() == nil {
			p.mu.Lock()
			p.problem = err.Error()
			p.mu.Unlock()
			if text := err.Error(); text != said { // once per reason, not ten times a second
				said = text
				e.env.Log.Warn("link cannot connect", "node", p.name, "address", p.addr, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + time.Duration(p.rand.Int64N(int64(wait/2)))):
		}
		if wait *= 2; wait > lastRedial {
			wait = lastRedial
		}
	}
}

// dial connects and exchanges hellos.
func (e *endpoint) dial(ctx context.Context, tr *quic.Transport, p *peer) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addr, err := resolve(ctx, p.addr)
	if err != nil {
		return nil, wrap(p.name, "resolve "+p.addr, err)
	}
	qc, err := tr.Dial(ctx, addr, e.certs.dial(p.name), quicConfig())
	if err != nil {
		return nil, wrap(p.name, "connect", err)
	}
	id, err := IdentityOf(qc.ConnectionState().TLS.PeerCertificates[0])
	if err != nil {
		qc.CloseWithError(codeRefused, err.Error())
		return nil, wrap(p.name, "connect", err)
	}
	c := newConnection(e, qc, id)
	if err := c.greet(ctx); err != nil {
		// The listening side judges us after our handshake is over: what it says is the reason.
		if e, ok := errors.AsType[*quic.ApplicationError](err); ok {
			err = e
		} else if e, ok := errors.AsType[*quic.TransportError](err); ok {
			err = e
		}
		return nil, wrap(p.name, "connect", err)
	}
	return c, nil
}

func resolve(ctx context.Context, address string) (*net.UDPAddr, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, &net.AddrError{Err: "want a port number", Addr: address}
	}
	if ip := net.ParseIP(host); ip != nil {
		return &net.UDPAddr{IP: ip, Port: int(n)}, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	best := ips[0]
	for _, ip := range ips {
		if ip.Unmap().Is4() { // a socket for all addresses takes both, one for IPv4 only this
			best = ip
			break
		}
	}
	return &net.UDPAddr{IP: best.Unmap().AsSlice(), Port: int(n)}, nil
}
