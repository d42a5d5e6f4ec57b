package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"vedetta/cluster/env"
	"vedetta/wire/mesh"
)

// Open takes the data folder for this process, opens every day file and finds
// the marks. It starts nothing, creates nothing but the lock and deletes
// nothing. A damaged file is an error that names it.
func Open(cfg Config, e env.Env) (*Journal, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	var disk diskDocument
	err := readDocument(filepath.Join(cfg.Dir, diskFile), &disk)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("open %s: %w", cfg.Dir, ErrMissing)
	case err != nil:
		return nil, fmt.Errorf("open journal: %w", err)
	case disk.Version != folderVersion || len(disk.Disk) != 32:
		return nil, fmt.Errorf("open journal: %s has version %d and disk id %q, want version %d and 32 hex digits", diskFile, disk.Version, disk.Disk, folderVersion)
	}
	j := newJournal(cfg, e)
	j.disk = disk.Disk
	if j.lock, err = lockFolder(cfg.Dir, cfg.LockWait); err != nil {
		return nil, err
	}
	if err := errors.Join(j.load(), j.metrics.register(e.Metrics)); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

func (j *Journal) load() error {
	entries, err := os.ReadDir(filepath.Join(j.cfg.Dir, dayFolder))
	if err != nil {
		return fmt.Errorf("open journal: %w", err)
	}
	var days []mesh.Day
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".db")
		if !ok {
			continue // left over from making a file, or an operator's
		}
		t, err := time.Parse(time.DateOnly, name)
		if err != nil {
			return fmt.Errorf("open journal: %s: want a name such as 2026-11-24.db", filepath.Join(dayFolder, e.Name()))
		}
		days = append(days, mesh.DayOf(t))
	}
	slices.Sort(days)
	var errs []error // all damaged files are named at once
	for _, day := range days {
		f, err := openDayFile(j.cfg.Dir, day)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		j.files[day] = f
		if err := guard(f.path, func() error { return f.db.View(func(tx *bbolt.Tx) error { return j.loadFile(f, tx) }) }); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// loadFile continues every origin's unbroken run through one file (rule 2).
func (j *Journal) loadFile(f *dayFile, tx *bbolt.Tx) error {
	rows := tx.Bucket(bucketOrigins).Cursor()
	for k, v := rows.First(); k != nil; k, v = rows.Next() {
		o, rest, err := mesh.ReadOrigin(k)
		if err != nil || len(rest) != 0 {
			return &Damaged{File: f.path, Err: fmt.Errorf("row of an origin: % x", k)}
		}
		r, err := decodeRow(v)
		if err != nil {
			return &Damaged{File: f.path, Origin: o, Err: err}
		}
		b := tx.Bucket(recordBucket(o))
		if b == nil {
			return &Damaged{File: f.path, Origin: o, Number: r.first, Err: errors.New("its bucket is missing")}
		}
		if err := j.loadOrigin(f, o, r, b); err != nil {
			return err
		}
	}
	return j.loadSeen(f, tx)
}

func (j *Journal) loadOrigin(f *dayFile, o mesh.Origin, r row, b *bbolt.Bucket) error {
	s := j.origins[o]
	if s == nil {
		s = &originState{}
		j.origins[o] = s
	}
	if s.beyond || r.first != s.mark+1 || r.before != s.hash {
		if !s.beyond {
			j.env.Log.Warn("the run of an origin is broken before a day file; the missing part will be fetched",
				"origin", o.String(), "mark", s.mark, "file", f.path, "first", r.first)
		}
		s.beyond = true
		return nil
	}
	c := b.Cursor()
	k, v := c.Last()
	if r.holes {
		k, v = endOfRun(c, r.first)
	}
	if len(k) != 8 {
		return &Damaged{File: f.path, Origin: o, Number: r.first, Err: fmt.Errorf("last key % x, want 8 bytes", k)}
	}
	number := binary.BigEndian.Uint64(k)
	last, err := checkedRecord(f.path, o, number, append([]byte(nil), v...))
	if err != nil {
		return err
	}
	if r.holes {
		if end, _ := b.Cursor().Last(); binary.BigEndian.Uint64(end) != number {
			s.beyond = true
		}
	}
	s.advance(f.day, r.first, number, last.Hash)
	return nil
}

// endOfRun walks from first to the last key without a hole.
func endOfRun(c *bbolt.Cursor, first uint64) (k, v []byte) {
	k, v = c.Seek(numberKey(first))
	for next := first + 1; k != nil; next++ {
		nk, nv := c.Next()
		if len(nk) != 8 || binary.BigEndian.Uint64(nk) != next {
			break
		}
		k, v = nk, nv
	}
	return k, v
}

// checkedRecord decodes what was stored at a place and checks that it belongs there.
func checkedRecord(path string, o mesh.Origin, number uint64, b []byte) (mesh.Record, error) {
	r, err := mesh.Decode(b)
	if err == nil && (r.Origin != o || r.Number != number) {
		err = fmt.Errorf("it holds %s: %w", r.Position(), mesh.ErrDamaged)
	}
	if err != nil {
		return mesh.Record{}, &Damaged{File: path, Origin: o, Number: number, Err: err}
	}
	return r, nil
}
