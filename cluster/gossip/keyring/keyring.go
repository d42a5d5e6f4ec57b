// Package keyring reads and changes the file of keys that gossip is encrypted
// with: a text file of mode 0600, the same at every node. What is sent is
// encrypted with the first key, what comes is opened with any of them, so that
// keys can be changed one step at a time while all nodes run:
//
//	add    a new key, last      then copy the file to every node and reload it
//	use    the newest becomes the first     copy, reload
//	drop   all but the first are removed    copy, reload
//
// A node that was down during a step comes back as long as the key it has is
// still in the others' files: drop only when every node has the new one.
// The file is
//
//	vedetta gossip keyring 1
//	<32 bytes in base64, the first key>
//	<older or newer keys, one a line>
//
// Empty lines and lines that begin with # are left out. A change puts the file
// in place whole or not at all. Keys appear in no error.
package keyring

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	header  = "vedetta gossip keyring 1"
	keySize = 32 // AES-256
	maxKeys = 8
	mode    = fs.FileMode(0o600)
)

// Step is one change of a keyring file.
type Step string

// Steps, in the order of a rotation.
const (
	New  Step = "new"  // a new file with one key
	Add  Step = "add"  // a new key at the end
	Use  Step = "use"  // the last key becomes the first
	Drop Step = "drop" // all but the first are removed
)

// Load reads a file; the first key is the one to encrypt with. All have 32 bytes.
func Load(path string) ([][]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("gossip keyring: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("gossip keyring %s has mode %04o, want 0600", path, st.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("gossip keyring: %w", err)
	}
	keys, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("gossip keyring %s: %w", path, err)
	}
	return keys, nil
}

func parse(b []byte) ([][]byte, error) {
	lines := strings.Split(string(b), "\n")
	if strings.TrimSpace(lines[0]) != header {
		return nil, fmt.Errorf("line 1: want %q", header)
	}
	var keys [][]byte
	for i, line := range lines[1:] {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := base64.StdEncoding.Strict().DecodeString(line)
		switch {
		case err != nil || len(key) != keySize:
			return nil, fmt.Errorf("line %d: want %d bytes in base64", i+2, keySize)
		case has(keys, key):
			return nil, fmt.Errorf("line %d: the key stands above already, want each once", i+2)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 || len(keys) > maxKeys {
		return nil, fmt.Errorf("%d keys, want 1 to %d", len(keys), maxKeys)
	}
	return keys, nil
}

func has(keys [][]byte, key []byte) bool {
	for _, k := range keys {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
}

// Change takes one step with the file at path and returns how many keys it has
// afterwards.
func Change(path string, step Step) (int, error) {
	var keys [][]byte
	if step == New {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return 0, fmt.Errorf("gossip keyring %s: there is one already, want a new file; to rotate keys take the steps add, use, drop", path)
		}
	} else {
		var err error
		if keys, err = Load(path); err != nil {
			return 0, err
		}
	}
	switch n := len(keys); {
	case step == New || step == Add:
		if n == maxKeys {
			return 0, fmt.Errorf("gossip keyring %s has %d keys, want fewer than %d: take the steps use and drop first", path, n, maxKeys)
		}
		key := make([]byte, keySize)
		rand.Read(key)
		keys = append(keys, key)
	case step == Use && n > 1:
		keys = append([][]byte{keys[n-1]}, keys[:n-1]...)
	case step == Drop && n > 1:
		keys = keys[:1]
	case step == Use || step == Drop:
		return 0, fmt.Errorf("gossip keyring %s has one key, want the step add first", path)
	default:
		return 0, fmt.Errorf("step %q: want new, add, use or drop", string(step))
	}
	return len(keys), write(path, keys)
}

func write(path string, keys [][]byte) error {
	var text strings.Builder
	text.WriteString(header + "\n")
	for _, k := range keys {
		text.WriteString(base64.StdEncoding.EncodeToString(k) + "\n")
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write gossip keyring: %w", err)
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.WriteString(text.String())
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		var dir *os.File
		if dir, err = os.Open(filepath.Dir(path)); err == nil {
			err = errors.Join(dir.Sync(), dir.Close())
		}
	}
	if err != nil {
		return fmt.Errorf("write gossip keyring %s: %w", path, err)
	}
	return nil
}
