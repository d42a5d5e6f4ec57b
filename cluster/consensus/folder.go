package consensus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	logPrefix    = "log-"
	newSuffix    = ".new"
	tmpSuffix    = ".tmp" // of a snapshot that wasn't finished
	snapshotsDir = "snapshots"
)

func logName(n uint64) string { return fmt.Sprintf("%s%08d", logPrefix, n) }

// recoverFolder makes dir what it should be, whatever it was left as, and
// gives the number of the log folder to open. Start is recovery: a compaction
// that didn't get its name is removed, a log that has a successor too.
func recoverFolder(dir string) (number uint64, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, fmt.Errorf("raft folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fmt.Errorf("raft folder: %w", err)
	}
	var remove []string
	for _, e := range entries {
		name, ours := strings.CutPrefix(e.Name(), logPrefix)
		if !ours {
			continue
		}
		if strings.HasSuffix(name, newSuffix) {
			remove = append(remove, e.Name())
			continue
		}
		n, err := strconv.ParseUint(name, 10, 64)
		if err != nil || logName(n) != e.Name() || !e.IsDir() {
			return 0, fmt.Errorf("raft folder %s: %q is no log folder, want %s", dir, e.Name(), logName(1))
		}
		number = max(number, n)
	}
	for n := uint64(1); n < number; n++ {
		remove = append(remove, logName(n))
	}
	snaps := filepath.Join(dir, snapshotsDir)
	unfinished, err := filepath.Glob(filepath.Join(snaps, "*"+tmpSuffix))
	if err != nil {
		return 0, fmt.Errorf("raft folder: %w", err)
	}
	for _, name := range unfinished {
		if err := os.RemoveAll(name); err != nil {
			return 0, fmt.Errorf("raft folder: %w", err)
		}
	}
	for _, name := range remove {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return 0, fmt.Errorf("raft folder: %w", err)
		}
	}
	if number == 0 {
		number = 1
		if err := os.Mkdir(filepath.Join(dir, logName(1)), 0o700); err != nil {
			return 0, fmt.Errorf("raft folder: %w", err)
		}
	}
	return number, syncFolder(dir)
}

// Discard removes Raft's whole folder, for a node that comes back with a new
// disk id. The mesh is its copy.
func Discard(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("discard raft folder: %w", err)
	}
	return syncFolder(filepath.Dir(dir))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("flush folder %s: %w", dir, err)
	}
	return nil
}
