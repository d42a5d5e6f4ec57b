package link

import (
	"crypto/x509"
	"fmt"
	"net/url"

	"vedetta/wire/mesh"
)

// Roles that a certificate can carry.
const (
	RoleNode     = "node"
	RoleCentral  = "central"
	RoleOperator = "operator"
)

// Identity is who the other side of a connection is, from its certificate.
type Identity struct {
	Name string // 1 to 32 of a-z 0-9 -
	Site string // of a node; empty for others
	Role string // node, central, operator
}

// URI is the identity as it stands in the certificate's URI name, as
// "vedetta://node/arezzo?site=arezzo".
func (id Identity) URI() *url.URL {
	u := &url.URL{Scheme: "vedetta", Host: id.Role, Path: "/" + id.Name}
	if id.Site != "" {
		u.RawQuery = url.Values{"site": {id.Site}}.Encode()
	}
	return u
}

// String is "node arezzo".
func (id Identity) String() string { return id.Role + " " + id.Name }

// Validate says what is wrong with the identity.
func (id Identity) Validate() error {
	switch {
	case id.Role != RoleNode && id.Role != RoleCentral && id.Role != RoleOperator:
		return fmt.Errorf("identity: role %q, want node, central or operator", id.Role)
	case !mesh.ValidNode(id.Name):
		return fmt.Errorf("identity: name %q, want 1 to 32 of a-z, 0-9, dash", id.Name)
	case id.Role == RoleNode && !mesh.ValidNode(id.Site):
		return fmt.Errorf("identity: site %q of node %s, want 1 to 32 of a-z, 0-9, dash", id.Site, id.Name)
	case id.Role != RoleNode && id.Site != "":
		return fmt.Errorf("identity: site %q of %s, want none: only nodes have a site", id.Site, id)
	}
	return nil
}

// IdentityOf reads the identity from a certificate; the chain is the caller's matter.
func IdentityOf(cert *x509.Certificate) (Identity, error) {
	var found []Identity
	for _, u := range cert.URIs {
		if u.Scheme != "vedetta" || len(u.Path) < 2 {
			continue
		}
		found = append(found, Identity{Role: u.Host, Name: u.Path[1:], Site: u.Query().Get("site")})
	}
	if len(found) != 1 {
		return Identity{}, fmt.Errorf("certificate %q has %d names of the form vedetta://role/name, want one", cert.Subject.CommonName, len(found))
	}
	return found[0], found[0].Validate()
}
