package consensus

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/metadb"
)

// LogStore is what stands under Raft: log, and the few stable values (term,
// vote). StoreLogs, DeleteRange, Set and SetUint64 return after a flush; their
// errors are final. Records have consecutive indexes.
type LogStore interface {
	raft.MonotonicLogStore
	raft.LogStore
	raft.StableStore
	Close() error
}

// maxFlush is how long a write may take before the process ends: a hanging
// disk at a leader would otherwise stop all elections.
const maxFlush = 3 * time.Second

// segmentSize is allocated at once for each file of the log.
const segmentSize = 8 << 20

// walLog is one log folder.
type walLog struct {
	*wal.WAL
	meta *metadb.BoltMetaDB
}

func openWAL(dir string, log hclog.Logger) (*walLog, error) {
	meta := &metadb.BoltMetaDB{}
	w, err := wal.Open(dir, wal.WithLogger(log), wal.WithMetaStore(meta), wal.WithSegmentSize(segmentSize))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("raft log %s: %w", dir, err), meta.Close())
	}
	return &walLog{w, meta}, nil
}

// StoreLog stores one record with its checksum.
func (w *walLog) StoreLog(l *raft.Log) error { return w.StoreLogs([]*raft.Log{l}) }

// StoreLogs stores records with their checksums.
func (w *walLog) StoreLogs(logs []*raft.Log) error {
	out := make([]*raft.Log, len(logs))
	for i, l := range logs {
		out[i] = sealed(l)
	}
	return w.WAL.StoreLogs(out)
}

// GetLog reads a record and checks it.
func (w *walLog) GetLog(index uint64, l *raft.Log) error {
	if err := w.WAL.GetLog(index, l); err != nil {
		return err
	}
	return unseal(l)
}

// Close closes the meta database too, which raft-wal leaves open.
func (w *walLog) Close() error { return errors.Join(w.WAL.Close(), w.meta.Close()) }

// store is the log that Raft has: the current folder's, which a compaction
// replaces while Raft runs. After a failed write all further ones fail.
type store struct {
	dir    string
	log    hclog.Logger
	failed chan error // first failed write, of size 1

	base  time.Time
	since atomic.Int64 // when the write under way began, in ns since base; 0 none
	step  func(string) // told each step of a compaction, for tests; may be nil

	mu     sync.RWMutex // guards which log is current: held for reading during every use
	number uint64
	inner  LogStore
	broken error // a write failed
}

var _ LogStore = (*store)(nil)

func openStore(dir string, log hclog.Logger) (*store, error) {
	n, err := recoverFolder(dir)
	if err != nil {
		return nil, err
	}
	w, err := openWAL(filepath.Join(dir, logName(n)), log)
	if err != nil {
		return nil, err
	}
	return &store{dir: dir, log: log, failed: make(chan error, 1), base: time.Now(), number: n, inner: w}, nil
}

func (s *store) IsMonotonic() bool { return true }

func (s *store) FirstIndex() (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.inner.FirstIndex()
}

func (s *store) LastIndex() (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.inner.LastIndex()
}

func (s *store) GetLog(index uint64, l *raft.Log) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.inner.GetLog(index, l)
}

func (s *store) Get(key []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.inner.Get(key)
}

func (s *store) GetUint64(key []byte) (uint64, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.inner.GetUint64(key)
}

func (s *store) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

func (s *store) StoreLogs(logs []*raft.Log) error {
	return s.write("store", func(in LogStore) error { return in.StoreLogs(logs) })
}

func (s *store) DeleteRange(from, to uint64) error {
	return s.write("delete", func(in LogStore) error { return in.DeleteRange(from, to) })
}

func (s *store) Set(key, val []byte) error {
	return s.write("set", func(in LogStore) error { return in.Set(key, val) })
}

func (s *store) SetUint64(key []byte, val uint64) error {
	return s.write("set", func(in LogStore) error { return in.SetUint64(key, val) })
}

func (s *store) write(doing string, f func(LogStore) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.broken != nil {
		return s.broken
	}
	s.since.Store(int64(time.Since(s.base)) + 1)
	err := f(s.inner)
	s.since.Store(0)
	if err != nil {
		err = fmt.Errorf("raft log: %s: %w", doing, err)
		s.fail(err)
	}
	return err
}

// fail makes err the reason for the end of Run.
func (s *store) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// hanging tells how long the write under way has taken.
func (s *store) hanging() time.Duration {
	since := s.since.Load()
	if since == 0 {
		return 0
	}
	return time.Since(s.base) - time.Duration(since)
}

func (s *store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = errors.New("raft log is closed")
	return s.inner.Close()
}

func (s *store) stepped(name string) {
	if s.step != nil {
		s.step(name)
	}
}

// stable values that Raft keeps; a compaction takes them along.
var stableKeys = []string{"CurrentTerm", "LastVoteTerm", "LastVoteCand"}

// compact copies what lies above index into a new folder, flushes it, gives it
// its name and removes the old one. Raft waits meanwhile. What is true if we
// die: before the rename the old folder is the log, and the new one is removed
// at start; after it the new one is, and the old one is removed at start.
func (s *store) compact(index uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	next := s.number + 1
	final := filepath.Join(s.dir, logName(next))
	fresh := final + newSuffix
	if err := errors.Join(os.RemoveAll(fresh), os.Mkdir(fresh, 0o700), syncFolder(s.dir)); err != nil {
		return fmt.Errorf("compact raft log: %w", err)
	}
	s.stepped("folder made")
	if err := s.copyTo(fresh, index); err != nil {
		return fmt.Errorf("compact raft log: %w", err)
	}
	s.stepped("copied and flushed")
	if err := errors.Join(os.Rename(fresh, final), syncFolder(s.dir)); err != nil {
		return s.breakWith(fmt.Errorf("compact raft log: switch: %w", err)) // which folder a restart takes isn't known
	}
	s.stepped("switched")
	w, err := openWAL(final, s.log)
	if err != nil {
		return s.breakWith(fmt.Errorf("compact raft log: open what was copied: %w", err))
	}
	if err := s.inner.Close(); err != nil {
		s.log.Warn("close the old log", "error", err)
	}
	s.inner, s.number = w, next
	s.stepped("opened")
	for n := next - 1; n > 0; n-- { // also one that an earlier compaction failed to remove
		old := filepath.Join(s.dir, logName(n))
		if _, err := os.Stat(old); errors.Is(err, os.ErrNotExist) {
			break
		}
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("compact raft log: remove the old one: %w", err)
		}
	}
	if err := syncFolder(s.dir); err != nil {
		return fmt.Errorf("compact raft log: %w", err)
	}
	s.stepped("old removed")
	return nil
}

// breakWith ends all writing; the caller holds mu.
func (s *store) breakWith(err error) error {
	s.broken = err
	s.fail(err)
	return err
}

// copyTo fills a new log folder and closes it flushed.
func (s *store) copyTo(dir string, index uint64) (err error) {
	w, err := openWAL(dir, s.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close(), syncFolder(dir)) }()
	for _, key := range stableKeys {
		val, err := s.inner.Get([]byte(key))
		if err != nil {
			return err
		}
		if val != nil {
			if err := w.Set([]byte(key), val); err != nil {
				return err
			}
		}
	}
	s.stepped("term and vote copied")
	first, err := s.inner.FirstIndex()
	if err != nil {
		return err
	}
	last, err := s.inner.LastIndex()
	if err != nil || last == 0 {
		return err
	}
	batch, size := []*raft.Log{}, 0
	for i := max(first, index+1); i <= last; i++ {
		l := new(raft.Log)
		if err := s.inner.GetLog(i, l); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		batch, size = append(batch, l), size+len(l.Data)
		if i == last || size > 1<<20 || len(batch) == 512 {
			if err := w.StoreLogs(batch); err != nil {
				return fmt.Errorf("entry %d: %w", i, err)
			}
			batch, size = nil, 0
		}
	}
	return nil
}
