package seal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMeshKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mesh")
	if err := NewMeshKeyFile(path); err != nil {
		t.Fatal(err)
	}
	m, err := LoadMeshKey(path)
	if err != nil || m == (MeshKey{}) {
		t.Fatalf("load: %v", err)
	}
	if err := NewMeshKeyFile(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("made over an existing key: %v", err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o666, 0o700, 0o400} {
		os.Chmod(path, mode)
		if _, err := LoadMeshKey(path); err == nil || !strings.Contains(err.Error(), "0600") {
			t.Errorf("mode %o: %v, want it refused", mode, err)
		}
	}
	if _, err := LoadMeshKey(filepath.Dir(path)); err == nil {
		t.Error("a folder was read as a key")
	}
	os.Chmod(path, 0o600)
	good, _ := os.ReadFile(path)
	for name, bad := range map[string]string{
		"empty": "", "short": string(good[:len(good)-3]), "long": string(good) + "00\n", "no word": string(good[len(meshKeyWord):]),
		"not hex": strings.Repeat("z", len(good)), "other version": strings.Replace(string(good), "key-1", "key-2", 1),
	} {
		os.WriteFile(path, []byte(bad), 0o600)
		_, err := LoadMeshKey(path)
		if err == nil {
			t.Errorf("%s: loaded", name)
		} else if len(bad) > 40 && strings.Contains(err.Error(), strings.TrimSpace(bad[len(bad)-20:])) {
			t.Errorf("%s: the error repeats the key: %v", name, err)
		}
	}
}

func TestWrapIsBoundToOwnerAndID(t *testing.T) {
	m, k := MeshKey(NewKey().Data), NewKey()
	wrapped, err := m.Wrap(k, "customer-1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := m.Unwrap(k.ID, "customer-1", wrapped); err != nil || got != k {
		t.Fatalf("unwrap: %v", err)
	}
	if _, err := m.Unwrap(k.ID, "customer-2", wrapped); !errors.Is(err, ErrRefused) {
		t.Errorf("other owner: %v", err)
	}
	if _, err := m.Unwrap(NewKey().ID, "customer-1", wrapped); !errors.Is(err, ErrRefused) {
		t.Errorf("other id: %v", err)
	}
	if _, err := MeshKey(NewKey().Data).Unwrap(k.ID, "customer-1", wrapped); !errors.Is(err, ErrWrongKey) {
		t.Errorf("other mesh key: %v", err)
	}
	if _, err := m.Wrap(Key{}, "customer-1"); err == nil {
		t.Error("a key without id was wrapped")
	}
}

func TestTokenIsBoundToItsRow(t *testing.T) {
	c := NewContactKey()
	token, err := c.Encrypt("contact-1", "email", "anna@example.it")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(token, "anna") {
		t.Error("the token shows its value")
	}
	if got, err := c.Decrypt(token, "contact-1", "email"); err != nil || got != "anna@example.it" {
		t.Fatalf("decrypt: %q, %v", got, err)
	}
	for name, err := range map[string]error{
		"moved to another contact": second(c.Decrypt(token, "contact-2", "email")),
		"moved to another field":   second(c.Decrypt(token, "contact-1", "phone")),
		"other key":                second(NewContactKey().Decrypt(token, "contact-1", "email")),
		"cut":                      second(c.Decrypt(token[:len(token)-8], "contact-1", "email")),
		"empty":                    second(c.Decrypt("", "contact-1", "email")),
	} {
		if !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v, want ErrRefused", name, err)
		} else if strings.Contains(err.Error(), "anna") {
			t.Errorf("%s: the error tells the value", name)
		}
	}
	if _, err := c.Encrypt("contact-1", "email", "\xff"); err == nil {
		t.Error("bytes that JSON would change were encrypted")
	}
}

func TestContactKeyIsBoundToItsContact(t *testing.T) {
	k, c := NewKey(), NewContactKey()
	wrapped := c.Wrap(k, "contact-1")
	if got, err := UnwrapContactKey(k, "contact-1", wrapped); err != nil || got != c {
		t.Fatalf("unwrap: %v", err)
	}
	if _, err := UnwrapContactKey(k, "contact-2", wrapped); !errors.Is(err, ErrRefused) {
		t.Errorf("other contact: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
