// Package pki makes the mesh's own CA and the certificates of nodes, central
// and operators. A certificate says who its holder is (link.Identity); only the
// holder of the CA's folder can make one. It never overwrites a CA, writes keys
// with mode 0600, and puts a file in place whole or not at all.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"vedetta/cluster/link"
)

// Names of the files, in the CA's folder and in one for a holder.
const (
	CAFile   = "ca.pem"
	CAKey    = "ca.key" // only in the CA's folder
	CertFile = "cert.pem"
	KeyFile  = "key.pem"
)

// Validity of what is made, from an hour ago so that clocks may differ.
const (
	CAValidity   = 10 * 365 * 24 * time.Hour
	CertValidity = 2 * 365 * 24 * time.Hour
	backdated    = time.Hour
)

// MakeCA makes a CA in dir, which must not have one.
func MakeCA(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, CAKey)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("CA in %s: there is one already, want a folder without %s", dir, CAKey)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("CA: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("CA key: %w", err)
	}
	t, err := template("Vedetta mesh CA", CAValidity)
	if err != nil {
		return err
	}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("CA certificate: %w", err)
	}
	if err := writeKey(filepath.Join(dir, CAKey), key); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, CAFile), "CERTIFICATE", der, 0o644)
}

// Issue makes a new key and certificate for id with the CA in dir, and puts
// cert.pem, key.pem and ca.pem into the folder out, in place of older ones.
// hosts are names and addresses for outside tools; the link goes by id alone.
func Issue(dir string, id link.Identity, hosts []string, out string) error {
	if err := id.Validate(); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	t, err := template(id.Role+"/"+id.Name, CertValidity)
	if err != nil {
		return err
	}
	t.URIs = append(t.URIs, id.URI())
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if id.Role == link.RoleNode {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return issue(dir, t, hosts, out)
}

// IssueForPanels is Issue for what panels are shown by TLS: the certificate names
// hosts, the first one foremost, and is nobody's in the mesh.
func IssueForPanels(dir string, hosts []string, out string) error {
	if len(hosts) == 0 {
		return errors.New("certificate for panels: want the names or addresses that panels report to")
	}
	t, err := template(hosts[0], CertValidity)
	if err != nil {
		return err
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return issue(dir, t, hosts, out)
}

// issue fills in and signs what is the same for all.
func issue(dir string, t *x509.Certificate, hosts []string, out string) error {
	id := t.Subject.CommonName
	ca, caKey, err := loadCA(dir)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("key of %s: %w", id, err)
	}
	if t.NotAfter.After(ca.NotAfter) {
		t.NotAfter = ca.NotAfter
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca, &key.PublicKey, caKey)
	if err != nil {
		return fmt.Errorf("certificate of %s: %w", id, err)
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return fmt.Errorf("certificate of %s: %w", id, err)
	}
	return errors.Join(
		writeKey(filepath.Join(out, KeyFile), key),
		writeFile(filepath.Join(out, CertFile), "CERTIFICATE", der, 0o644),
		writeFile(filepath.Join(out, CAFile), "CERTIFICATE", ca.Raw, 0o644),
	)
}

func template(name string, validity time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("serial number: %w", err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(validity),
	}, nil
}

func loadCA(dir string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	cert, err := readFile(filepath.Join(dir, CAFile), "CERTIFICATE")
	if err != nil {
		return nil, nil, err
	}
	ca, err := x509.ParseCertificate(cert)
	if err != nil {
		return nil, nil, fmt.Errorf("CA certificate in %s: %w", dir, err)
	}
	der, err := readFile(filepath.Join(dir, CAKey), "PRIVATE KEY")
	if err != nil {
		return nil, nil, err
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, nil, fmt.Errorf("CA key in %s: %w", dir, err)
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(ca.PublicKey) {
		return nil, nil, fmt.Errorf("CA in %s: %s is not the key of %s", dir, CAKey, CAFile)
	}
	return ca, key, nil
}
