// Package echo is the yardstick: the plainest server that Go makes easy, one
// goroutine a TCP connection and one for all datagrams, which sends back what it
// reads. It parses, stores and promises nothing. What a receiver costs is told by how many exchanges it does
// beside this on the same machine in the same minute.
package echo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
)

// Serve listens on a free loopback port, prints it as one line, and answers until
// ctx ends.
func Serve(ctx context.Context, out io.Writer) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	datagrams, err := lc.ListenPacket(ctx, "udp", l.Addr().String())
	if err != nil {
		return errors.Join(fmt.Errorf("echo: %w", err), l.Close())
	}
	defer context.AfterFunc(ctx, func() { _, _ = l.Close(), datagrams.Close() })()
	go answer(datagrams)
	if _, err := fmt.Fprintln(out, l.Addr()); err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("echo: %w", err)
		}
		go serve(c)
	}
}

func serve(c net.Conn) {
	defer c.Close()
	b := make([]byte, 2048)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

func answer(p net.PacketConn) {
	b := make([]byte, 2048)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return
		}
		if _, err := p.WriteTo(b[:n], from); err != nil {
			return
		}
	}
}
