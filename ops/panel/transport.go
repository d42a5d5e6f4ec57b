package panel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// Transport is how a panel reaches a receiver, as flags; TCP when none is given.
type Transport struct {
	UDP         bool   `name:"udp" help:"Over UDP."`
	TLS         bool   `name:"tls" help:"Over TLS."`
	TLSCA       string `name:"tls-ca" placeholder:"FILE" help:"PEM file of the authorities that the receiver's certificate may come from; the system's when left out, and on a loopback address any."`
	TLSName     string `name:"tls-name" placeholder:"NAME" help:"Name in the receiver's certificate; the host of the address when left out."`
	TLSInsecure bool   `name:"tls-insecure" help:"Take any certificate: then it is not known who answers."`
}

// Name is tcp, udp or tls.
func (t Transport) Name() string {
	switch {
	case t.UDP:
		return "udp"
	case t.TLS:
		return "tls"
	}
	return "tcp"
}

// Config of TLS; nil when it isn't TLS.
func (t Transport) Config() (*tls.Config, error) {
	switch {
	case t.TLS && t.UDP:
		return nil, errors.New("--tls and --udp: want one of them")
	case !t.TLS && (t.TLSCA != "" || t.TLSName != "" || t.TLSInsecure):
		return nil, errors.New("--tls-ca, --tls-name, --tls-insecure: want --tls with them")
	case !t.TLS:
		return nil, nil
	case t.TLSCA != "" && t.TLSInsecure:
		return nil, errors.New("--tls-ca and --tls-insecure: want one of them")
	}
	c := &tls.Config{ServerName: t.TLSName, InsecureSkipVerify: t.TLSInsecure}
	if t.TLSCA != "" {
		b, err := os.ReadFile(t.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("--tls-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("--tls-ca %s: no certificate in it, want PEM", t.TLSCA)
		}
	}
	return c, nil
}

// Dial connects within the time, from a local address when one is given; secure is
// what Config gave. Over UDP nothing is sent yet.
func (t Transport) Dial(ctx context.Context, to string, secure *tls.Config, within time.Duration, from net.Addr) (net.Conn, error) {
	d := &net.Dialer{Timeout: within, KeepAlive: -1, LocalAddr: from}
	switch {
	case t.UDP:
		return d.DialContext(ctx, "udp", to)
	case t.TLS:
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		if t.TLSCA == "" && t.TLSName == "" && onThisMachine(to) {
			// The local mesh's certificate is of its own authority, and nobody stands between.
			secure = secure.Clone()
			secure.InsecureSkipVerify = true
		}
		return (&tls.Dialer{NetDialer: d, Config: secure}).DialContext(ctx, "tcp", to)
	}
	return d.DialContext(ctx, "tcp", to)
}

func onThisMachine(to string) bool {
	host, _, err := net.SplitHostPort(to)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}
