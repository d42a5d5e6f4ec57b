package pki

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vedetta/cluster/link"
)

func TestIssue(t *testing.T) {
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca")
	id := link.Identity{Name: "arezzo", Site: "arezzo", Role: link.RoleNode}
	if err := Issue(ca, id, nil, dir); err == nil {
		t.Error("issued without a CA")
	}
	if err := MakeCA(ca); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(filepath.Join(ca, CAKey))
	if err := MakeCA(ca); err == nil || !strings.Contains(err.Error(), "there is one already") {
		t.Errorf("second CA in the same folder: %v", err)
	}
	if after, _ := os.ReadFile(filepath.Join(ca, CAKey)); string(after) != string(before) {
		t.Error("the CA's key was overwritten")
	}
	out := filepath.Join(dir, "arezzo")
	for range 2 { // renewing works
		if err := Issue(ca, id, []string{"127.0.0.1", "arezzo.example"}, out); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(out, CertFile), filepath.Join(out, KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := link.IdentityOf(pair.Leaf); err != nil || got != id {
		t.Errorf("identity %+v, %v, want %+v", got, err, id)
	}
	for _, key := range []string{filepath.Join(out, KeyFile), filepath.Join(ca, CAKey)} {
		if st, err := os.Stat(key); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v, want mode 0600", key, st.Mode(), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(out, ".*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	for _, bad := range []link.Identity{
		{Name: "A", Site: "x", Role: link.RoleNode}, {Name: "a", Role: link.RoleNode},
		{Name: "a", Role: "admin"}, {Name: "a", Site: "x", Role: link.RoleCentral},
	} {
		if err := Issue(ca, bad, nil, filepath.Join(dir, "bad")); err == nil {
			t.Errorf("issued for %+v", bad)
		}
	}
}
