package link

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
)

// alpn names the protocol and its version.
const alpn = "vedetta/1"

// certs are the files of one side, read again by reload.
type certs struct {
	certFile, keyFile, caFile string

	mu   sync.RWMutex // guards the fields below
	own  *tls.Certificate
	self Identity
	cas  *x509.CertPool
	seed []byte // of the stateless reset key
}

func loadCerts(certFile, keyFile, caFile string) (*certs, error) {
	c := &certs{certFile: certFile, keyFile: keyFile, caFile: caFile}
	return c, c.reload()
}

// reload reads all files; on an error what was there stays.
func (c *certs) reload() error {
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return fmt.Errorf("link key: %w", err)
	}
	if st, err := os.Stat(c.keyFile); err == nil && st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("link key %s has mode %04o, want 0600", c.keyFile, st.Mode().Perm())
	}
	cert, err := os.ReadFile(c.certFile)
	if err != nil {
		return fmt.Errorf("link certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("link certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	if pair.Leaf == nil {
		return fmt.Errorf("link certificate %s: want one certificate", c.certFile)
	}
	self, err := IdentityOf(pair.Leaf)
	if err != nil {
		return fmt.Errorf("link certificate %s: %w", c.certFile, err)
	}
	ca, err := os.ReadFile(c.caFile)
	if err != nil {
		return fmt.Errorf("link CA: %w", err)
	}
	cas := x509.NewCertPool()
	if !cas.AppendCertsFromPEM(ca) {
		return fmt.Errorf("link CA %s: want a PEM certificate", c.caFile)
	}
	if err := verifyChain(pair.Leaf, cas, x509.ExtKeyUsageClientAuth); err != nil {
		return fmt.Errorf("link certificate %s is not accepted by CA %s: %w", c.certFile, c.caFile, err)
	}
	block, _ := pem.Decode(key)
	seed := sha256.Sum256(append([]byte("vedetta stateless reset\x00"), block.Bytes...))

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own != nil && c.self != self {
		return fmt.Errorf("link certificate %s is of %s, want %s as before", c.certFile, self, c.self)
	}
	c.own, c.self, c.cas = &pair, self, cas
	if c.seed == nil {
		c.seed = seed[:]
	}
	return nil
}

// resetKey is the same after a restart, so that a peer of the process before
// learns at once that its connection is gone.
func (c *certs) resetKey() *quic.StatelessResetKey {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k := quic.StatelessResetKey(c.seed)
	return &k
}

func (c *certs) current() (*tls.Certificate, *x509.CertPool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.own, c.cas
}

// server is the TLS configuration of the listening side.
func (c *certs) server() *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{alpn},
		SessionTicketsDisabled: true,
		ClientAuth:             tls.RequireAnyClientCert, // the chain is verified in VerifyConnection, with the CA of now
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			own, _ := c.current()
			return own, nil
		},
		VerifyConnection: func(s tls.ConnectionState) error {
			_, err := c.peer(s, x509.ExtKeyUsageClientAuth)
			return err
		},
	}
}

// dial is the TLS configuration for dialing the node of that name.
func (c *certs) dial(name string) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		NextProtos:             []string{alpn},
		ServerName:             name,
		SessionTicketsDisabled: true,
		InsecureSkipVerify:     true, // chain and name are verified in VerifyConnection: names are identities, not hosts
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			own, _ := c.current()
			return own, nil
		},
		VerifyConnection: func(s tls.ConnectionState) error {
			id, err := c.peer(s, x509.ExtKeyUsageServerAuth)
			if err == nil && (id.Name != name || id.Role != RoleNode) {
				err = fmt.Errorf("the certificate there is of %s, want node %s", id, name)
			}
			return err
		},
	}
}

// peer verifies the other side's chain and reads who it is.
func (c *certs) peer(s tls.ConnectionState, usage x509.ExtKeyUsage) (Identity, error) {
	if len(s.PeerCertificates) == 0 {
		return Identity{}, errors.New("no certificate, want one of the mesh's CA")
	}
	_, cas := c.current()
	if err := verifyChain(s.PeerCertificates[0], cas, usage); err != nil {
		return Identity{}, err
	}
	return IdentityOf(s.PeerCertificates[0])
}

func verifyChain(leaf *x509.Certificate, cas *x509.CertPool, usage x509.ExtKeyUsage) error {
	_, err := leaf.Verify(x509.VerifyOptions{Roots: cas, CurrentTime: time.Now(), KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}
