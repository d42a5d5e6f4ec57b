package local

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vedetta/cluster/env"
)

func TestTakenPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	base := l.Addr().(*net.TCPAddr).Port - offsetNodes - offsetDC09 // arezzo's DC-09
	if base < 1024 || base > 65000 {
		t.Fatalf("port %d leaves no room for the table", base)
	}
	err = Up(t.Context(), Options{Data: t.TempDir(), BasePort: base}, env.Quiet(1), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "arezzo DC-09") && !strings.Contains(err.Error(), "is taken") {
		t.Errorf("error %v, want the port and whose it is", err)
	}
}

func TestDataFolderInUseIsNamed(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock(filepath.Join(dir, "local.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	err = Up(t.Context(), Options{Data: dir, BasePort: 30000}, env.Quiet(1), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "another local mesh") || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want it to name the folder", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("a refused start left %v, %v", left, err)
	}
}

func TestBasePortIsChecked(t *testing.T) {
	for _, port := range []int{0, 80, 65500} {
		if err := Up(t.Context(), Options{Data: t.TempDir(), BasePort: port}, env.Quiet(1), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "--base-port") {
			t.Errorf("base port %d: error %v", port, err)
		}
	}
}

// TestSecretsAreKept: a second start is the same mesh, with the same logins.
func TestSecretsAreKept(t *testing.T) {
	p := plan{data: t.TempDir(), base: 30000}
	if err := os.MkdirAll(p.path("secret"), 0o700); err != nil {
		t.Fatal(err)
	}
	var first []byte
	for range 2 {
		if err := secretFile(p.path("secret", "api_key"), 32); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(p.path("secret", "api_key"))
		if err != nil || first != nil && string(first) != string(b) {
			t.Errorf("key %q, was %q, %v", b, first, err)
		}
		first = b
	}
	if st, err := os.Stat(p.path("secret", "api_key")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", st.Mode(), err)
	}
}
