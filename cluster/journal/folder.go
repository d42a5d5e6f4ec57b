package journal

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"vedetta/wire/mesh"
)

const (
	diskFile        = "disk.json"
	incarnationFile = "incarnation.json"
	lockFile        = "lock"
	dayFolder       = "journal"
	folderVersion   = 1
)

type diskDocument struct {
	Version int    `json:"version"`
	Disk    string `json:"disk"`
}

type incarnationDocument struct {
	Version     int    `json:"version"`
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	Random      string `json:"random"`
}

// Create makes a new data folder with a disk id of its own (rule 28). It fails
// with ErrExists when dir already holds one, and changes nothing then.
func Create(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, dayFolder), 0o700); err != nil {
		return fmt.Errorf("create data folder: %w", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, diskFile)); err == nil {
		return fmt.Errorf("create %s: %w", dir, ErrExists)
	}
	days, err := os.ReadDir(filepath.Join(dir, dayFolder))
	if err != nil {
		return fmt.Errorf("create data folder: %w", err)
	}
	if len(days) > 0 {
		return fmt.Errorf("create %s: %s is missing but day files are there: %w", dir, diskFile, ErrExists)
	}
	return NewDisk(dir)
}

// NewDisk gives the folder a new disk id: what it holds stays, and the node
// counts as a new one (rule 28). For a folder that holds less than its peers
// have seen of it; Raft's own folder must have been discarded before.
func NewDisk(dir string) error {
	var id [16]byte
	rand.Read(id[:])
	return writeDocument(filepath.Join(dir, diskFile), diskDocument{Version: folderVersion, Disk: hex.EncodeToString(id[:])})
}

// DiskID reads the disk id of a folder that may be in use, or damaged elsewhere.
func DiskID(dir string) (string, error) {
	var d diskDocument
	if err := readDocument(filepath.Join(dir, diskFile), &d); err != nil {
		return "", fmt.Errorf("disk id of %s: %w", dir, err)
	}
	if d.Version != folderVersion || d.Disk == "" {
		return "", fmt.Errorf("disk id of %s: version %d, want %d and an id", dir, d.Version, folderVersion)
	}
	return d.Disk, nil
}

// Exists tells whether dir holds a data folder made by Create.
func Exists(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, diskFile))
	return err == nil
}

// writeDocument replaces path by v as JSON: temporary file, flush, rename,
// flush of the folder.
func writeDocument(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return flushFolder(filepath.Dir(path))
}

func readDocument(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return &Damaged{File: path, Err: err}
	}
	return nil
}

// flushFolder makes names in dir durable.
func flushFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("flush folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("flush folder %s: %w", dir, err)
	}
	return nil
}

// lockFolder holds dir for this process until the file is closed.
func lockFolder(dir string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock data folder %s: %w", dir, err), f.Close())
		}
		if !time.Now().Before(end) {
			return nil, errors.Join(fmt.Errorf("%s: %w", dir, ErrInUse), f.Close())
		}
	}
}

// nextIncarnation reads the counter of dir, raises it and flushes it (rule 1).
func nextIncarnation(dir, node string, atLeast uint64) (mesh.Origin, error) {
	path := filepath.Join(dir, incarnationFile)
	var last incarnationDocument
	err := readDocument(path, &last)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return mesh.Origin{}, fmt.Errorf("begin incarnation: %w", err)
	case last.Version != folderVersion:
		return mesh.Origin{}, fmt.Errorf("begin incarnation: %s has version %d, want %d", path, last.Version, folderVersion)
	case last.Node != node:
		return mesh.Origin{}, fmt.Errorf("begin incarnation: data folder %s belongs to node %q, not to %q", dir, last.Node, node)
	}
	var random [8]byte
	rand.Read(random[:])
	o := mesh.Origin{Node: node, Incarnation: max(last.Incarnation, atLeast) + 1, Random: binary.BigEndian.Uint64(random[:])}
	err = writeDocument(path, incarnationDocument{
		Version: folderVersion, Node: node, Incarnation: o.Incarnation, Random: hex.EncodeToString(random[:]),
	})
	if err != nil {
		return mesh.Origin{}, fmt.Errorf("begin incarnation: %w", err)
	}
	return o, nil
}

// DiskFree returns the bytes that an unprivileged process may still write to
// the data folder's file system, and its size.
func (j *Journal) DiskFree() (free, total uint64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(j.cfg.Dir, &s); err != nil {
		return 0, 0, fmt.Errorf("free space of %s: %w", j.cfg.Dir, err)
	}
	return s.Bavail * uint64(s.Bsize), s.Blocks * uint64(s.Bsize), nil
}
