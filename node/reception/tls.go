package reception

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// TLS is how panels are met that encrypt their connection. It is no proof of who
// the panel is, only of who we are: panels have no certificates.
type TLS struct {
	Certificates  []Pair        // chosen by the name that the panel asks for; the first for those that ask for none
	MinVersion    string        // 1.0, 1.1, 1.2 or 1.3; 1.2
	OldCiphers    bool          // offer RSA key exchange and CBC too, which old panels need and which are weaker
	HandshakeTime time.Duration // from the connection to the end of the handshake; 10s
}

// Pair is a certificate, with its chain, and its key: PEM files.
type Pair struct{ CertFile, KeyFile string }

func (t TLS) version() (uint16, error) {
	switch t.MinVersion {
	case "1.0":
		return tls.VersionTLS10, nil
	case "1.1":
		return tls.VersionTLS11, nil
	case "", "1.2":
		return tls.VersionTLS12, nil
	case "1.3":
		return tls.VersionTLS13, nil
	}
	return 0, fmt.Errorf("reception.tls.min_version: %q, want 1.0, 1.1, 1.2 or 1.3", t.MinVersion)
}

// Certificate is one that panels are shown now.
type Certificate struct {
	File    string
	Names   []string // that it is for
	Expires time.Time
}

// certificates are the files, as they were last read.
type certificates struct {
	cfg TLS

	mu     sync.Mutex
	config *tls.Config   // guarded by mu; nil without certificates
	shown  []Certificate // guarded by mu
	stamp  string        // guarded by mu; of the files that were read, or found bad
}

// reload reads all files; on an error what was there stays.
func (c *certificates) reload() error {
	if len(c.cfg.Certificates) == 0 {
		return nil
	}
	stamp := c.look()
	config, shown, err := c.read()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stamp = stamp
	if err != nil {
		return err
	}
	c.config, c.shown = config, shown
	return nil
}

func (c *certificates) read() (*tls.Config, []Certificate, error) {
	version, err := c.cfg.version()
	if err != nil {
		return nil, nil, err
	}
	config := &tls.Config{MinVersion: version}
	if c.cfg.OldCiphers {
		config.CipherSuites = oldCiphers()
	}
	var shown []Certificate
	for i, p := range c.cfg.Certificates {
		key := fmt.Sprintf("reception.tls.certificates[%d]", i)
		st, err := os.Stat(p.KeyFile)
		if err != nil {
			return nil, nil, fmt.Errorf("%s.key_file: %w", key, err)
		}
		if st.Mode().Perm()&0o007 != 0 {
			return nil, nil, fmt.Errorf("%s.key_file: %s has mode %04o, want 0600 or 0640", key, p.KeyFile, st.Mode().Perm())
		}
		pair, err := tls.LoadX509KeyPair(p.CertFile, p.KeyFile)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %s with %s: %w", key, p.CertFile, p.KeyFile, err)
		}
		config.Certificates = append(config.Certificates, pair)
		shown = append(shown, Certificate{File: p.CertFile, Names: namesOf(pair.Leaf), Expires: pair.Leaf.NotAfter})
	}
	return config, shown, nil
}

func namesOf(leaf *x509.Certificate) []string {
	names := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// oldCiphers are those of crypto/tls with RSA key exchange and CBC among them; RC4
// and 3DES stay out.
func oldCiphers() (ids []uint16) {
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !strings.Contains(s.Name, "RC4") && !strings.Contains(s.Name, "3DES") {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// look is what the file system says of the files; another text when one changed.
func (c *certificates) look() string {
	var b strings.Builder
	for _, p := range c.cfg.Certificates {
		for _, path := range []string{p.CertFile, p.KeyFile} {
			st, err := os.Stat(path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				b.WriteString("missing;")
			case err == nil:
				fmt.Fprintf(&b, "%d %d;", st.Size(), st.ModTime().UnixNano())
			}
		}
	}
	return b.String()
}

func (c *certificates) changed() bool {
	now := c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	return now != c.stamp
}

func (c *certificates) current() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.config
}

// Certificates are those that panels are shown now.
func (r *Reception) Certificates() []Certificate {
	r.certs.mu.Lock()
	defer r.certs.mu.Unlock()
	return r.certs.shown
}

// ReloadCertificates reads the files again; what can't be read leaves the old ones
// in force. Connections stay as they are.
func (r *Reception) ReloadCertificates() error { return r.certs.reload() }

// lookEvery is how often the certificates' files are looked at.
const lookEvery = 5 * time.Second

// followCertificates reads them again when a file changed. A renewal writes two
// files: in between they don't fit, and the next look finds them whole.
func (r *Reception) followCertificates(ctx context.Context) error {
	if len(r.cfg.TLS.Certificates) == 0 {
		return nil
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !r.certs.changed() {
			continue
		}
		if err := r.certs.reload(); err != nil {
			r.env.Log.Error("certificate for panels not read again; the old one stays", "error", err)
			continue
		}
		r.env.Log.Info("certificate for panels read again")
	}
}
