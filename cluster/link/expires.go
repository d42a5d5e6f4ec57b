package link

import "time"

// CertificateExpires is the end of the present certificate's validity.
func (l *Link) CertificateExpires() time.Time {
	cert, _ := l.e.certs.current()
	if cert == nil || cert.Leaf == nil {
		return time.Time{}
	}
	return cert.Leaf.NotAfter
}

// certificateExpires is the end of the other side's certificate's validity.
func (c *connection) certificateExpires() time.Time {
	if certs := c.quic.ConnectionState().TLS.PeerCertificates; len(certs) > 0 {
		return certs[0].NotAfter
	}
	return time.Time{}
}
