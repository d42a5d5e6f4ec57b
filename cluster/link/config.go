package link

import (
	"errors"
	"fmt"
	"net"

	"vedetta/wire/mesh"
)

// Config is what a node's link is told.
type Config struct {
	Name   string            // this node's; must be the certificate's
	Listen string            // UDP host:port
	Peers  map[string]string // the other nodes: name -> host:port; only these are dialed or accepted as nodes

	CertFile string // PEM, made by `vedettactl pki`
	KeyFile  string // PEM, mode 0600
	CAFile   string // PEM, the mesh's own CA

	// Conn replaces the socket of Listen, for tests; the link closes it.
	Conn net.PacketConn
}

// Validate says what is wrong, with the field's name.
func (c Config) Validate() error {
	var errs []error
	if !mesh.ValidNode(c.Name) {
		errs = append(errs, fmt.Errorf("name %q: want 1 to 32 of a-z, 0-9, dash", c.Name))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil && c.Conn == nil {
		errs = append(errs, fmt.Errorf("listen %q: want host:port", c.Listen))
	}
	if _, ok := c.Peers[c.Name]; ok {
		errs = append(errs, fmt.Errorf("peers: %s is this node itself, want the others only", c.Name))
	}
	return errors.Join(append(errs, validatePeers(c.Peers), validateFiles(c.CertFile, c.KeyFile, c.CAFile))...)
}

// ClientConfig is what a client, central or operator, is told. Its name and
// role are those of its certificate.
type ClientConfig struct {
	Nodes map[string]string // all nodes: name -> host:port

	CertFile string
	KeyFile  string
	CAFile   string

	// Conn replaces a socket of the system's choice, for tests.
	Conn net.PacketConn
}

// Validate says what is wrong, with the field's name.
func (c ClientConfig) Validate() error {
	var none error
	if len(c.Nodes) == 0 {
		none = errors.New("nodes: want at least one name and address")
	}
	return errors.Join(none, validatePeers(c.Nodes), validateFiles(c.CertFile, c.KeyFile, c.CAFile))
}

func validatePeers(peers map[string]string) error {
	var errs []error
	for name, addr := range peers {
		if !mesh.ValidNode(name) {
			errs = append(errs, fmt.Errorf("peers: name %q: want 1 to 32 of a-z, 0-9, dash", name))
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			errs = append(errs, fmt.Errorf("peers: address %q of %s: want host:port", addr, name))
		}
	}
	return errors.Join(errs...)
}

func validateFiles(cert, key, ca string) error {
	var errs []error
	for _, f := range [][2]string{{"cert", cert}, {"key", key}, {"ca", ca}} {
		if f[1] == "" {
			errs = append(errs, fmt.Errorf("%s file: want a path, as made by `vedettactl pki`", f[0]))
		}
	}
	return errors.Join(errs...)
}
