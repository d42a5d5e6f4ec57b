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
