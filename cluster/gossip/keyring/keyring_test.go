package keyring

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRotation takes a file through a whole rotation.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gossip")
	step := func(s Step, want int) [][]byte {
		t.Helper()
		n, err := Change(path, s)
		if err != nil || n != want {
			t.Fatalf("%s: %d keys, %v; want %d", s, n, err, want)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Fatalf("%s: mode %v, %v; want 0600", s, st.Mode(), err)
		}
		keys, err := Load(path)
		if err != nil || len(keys) != want {
			t.Fatalf("after %s: %d keys, %v; want %d", s, len(keys), err, want)
		}
		return keys
	}
	made := step(New, 1)
	added := step(Add, 2)
	if !bytes.Equal(added[0], made[0]) {
		t.Error("add changed the key that is sent with, want it kept until use")
	}
	used := step(Use, 2)
	if !bytes.Equal(used[0], added[1]) || !bytes.Equal(used[1], made[0]) {
		t.Error("use: want the newest key first and the old one kept")
	}
	if left := step(Drop, 1); !bytes.Equal(left[0], used[0]) {
		t.Error("drop: want the first key kept")
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "gossip")
	if _, err := Change(path, Add); err == nil {
		t.Error("added to no file")
	}
	if _, err := Change(path, New); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	for _, s := range []Step{New, Use, Drop, "other"} {
		if _, err := Change(path, s); err == nil {
			t.Errorf("step %q was taken", s)
		}
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("a refused step changed the file")
	}
	key := strings.Split(string(before), "\n")[1]
	for name, text := range map[string]string{
		"empty": "", "no header": key, "no key": header + "\n", "short": header + "\nAAAA\n",
		"twice": header + "\n" + key + "\n" + key + "\n", "not base64": header + "\n" + key[:43] + "!\n",
		"later version": "vedetta gossip keyring 2\n" + key,
	} {
		bad := filepath.Join(dir, "bad")
		if err := os.WriteFile(bad, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(bad)
		if err == nil || strings.Contains(err.Error(), key[:20]) {
			t.Errorf("%s: error %v, want one that shows no key", name, err)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("mode 0640: error %v", err)
	}
}
