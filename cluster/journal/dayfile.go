package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"vedetta/wire/mesh"
)

const (
	fileVersion = 1
	fillPercent = 0.95    // keys only ascend
	mmapBytes   = 1 << 30 // address space, so that remapping never waits for readers
	holes       = 1       // flag of an origin's row
	lastDay     = mesh.Day(2932896)
)

var (
	bucketMeta    = []byte("meta")
	bucketOrigins = []byte("origins")
	bucketSeen    = []byte("seen")
	keyVersion    = []byte("version")
	keyDay        = []byte("day")
)

// dayFile is one open bbolt file.
type dayFile struct {
	day  mesh.Day
	path string
	db   *bbolt.DB
}

func dayPath(dir string, day mesh.Day) string {
	return filepath.Join(dir, dayFolder, day.String()+".db")
}

// createDayFile makes the file of day: under a temporary name, closed, renamed,
// the folder flushed, then opened without leave to create (rule 2).
func createDayFile(dir string, day mesh.Day) (*dayFile, error) {
	path := dayPath(dir, day)
	tmp := path + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("create day file: %w", err)
	}
	err := guard(tmp, func() error {
		db, err := bbolt.Open(tmp, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
		if err != nil {
			return err
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			meta, err := tx.CreateBucket(bucketMeta)
			if err != nil {
				return err
			}
			_, err1 := tx.CreateBucket(bucketOrigins)
			_, err2 := tx.CreateBucket(bucketSeen)
			return errors.Join(err1, err2, meta.Put(keyVersion, []byte{fileVersion}),
				meta.Put(keyDay, binary.BigEndian.AppendUint32(nil, uint32(day))))
		})
		return errors.Join(err, db.Close())
	})
	if err != nil {
		return nil, fmt.Errorf("create day file %s: %w", tmp, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return nil, fmt.Errorf("create day file: %w", err)
	}
	if err := flushFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	return openDayFile(dir, day)
}

// openDayFile opens an existing file; it never creates one.
func openDayFile(dir string, day mesh.Day) (*dayFile, error) {
	f := &dayFile{day: day, path: dayPath(dir, day)}
	if info, err := os.Stat(f.path); err != nil {
		return nil, fmt.Errorf("open day file: %w", err)
	} else if info.Size() == 0 {
		return nil, &Damaged{File: f.path, Err: errors.New("it is empty")}
	}
	err := guard(f.path, func() (err error) {
		f.db, err = bbolt.Open(f.path, 0o600, &bbolt.Options{
			Timeout: time.Second, FreelistType: bbolt.FreelistMapType, InitialMmapSize: mmapBytes,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				return os.OpenFile(name, flag&^os.O_CREATE, mode)
			},
		})
		if err != nil {
			return err
		}
		return f.db.View(f.checkMeta)
	})
	if err != nil && f.db != nil {
		_ = f.db.Close()
	}
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("day file %s: %w", f.path, ErrInUse)
	case errors.Is(err, mesh.ErrVersion), errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("open day file %s: %w", f.path, err)
	}
	if d := (*Damaged)(nil); errors.As(err, &d) {
		return nil, d
	}
	return nil, &Damaged{File: f.path, Err: err}
}

func (f *dayFile) checkMeta(tx *bbolt.Tx) error {
	meta, origins, seen := tx.Bucket(bucketMeta), tx.Bucket(bucketOrigins), tx.Bucket(bucketSeen)
	if meta == nil {
		return errors.New("bucket meta is missing")
	}
	if v := meta.Get(keyVersion); len(v) != 1 || v[0] != fileVersion {
		if len(v) == 1 && v[0] > fileVersion {
			return fmt.Errorf("day file version %d, want at most %d: %w", v[0], fileVersion, mesh.ErrVersion)
		}
		return fmt.Errorf("day file version % x, want %d", v, fileVersion)
	}
	if d := meta.Get(keyDay); len(d) != 4 || mesh.Day(binary.BigEndian.Uint32(d)) != f.day {
		return fmt.Errorf("it says day % x, want %s as in its name", d, f.day)
	}
	if origins == nil || seen == nil {
		return errors.New("bucket origins or seen is missing")
	}
	return nil
}

// row is what a file says about one origin.
type row struct {
	first  uint64
	before mesh.Hash // running hash before first
	holes  bool
}

func (r row) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, r.first)
	b = append(b, r.before[:]...)
	if r.holes {
		return append(b, holes)
	}
	return append(b, 0)
}

func decodeRow(b []byte) (row, error) {
	if len(b) != 8+mesh.HashSize+1 {
		return row{}, fmt.Errorf("origin's row has %d bytes, want %d", len(b), 8+mesh.HashSize+1)
	}
	r := row{first: binary.BigEndian.Uint64(b), holes: b[8+mesh.HashSize]&holes != 0}
	copy(r.before[:], b[8:])
	if r.first == 0 {
		return row{}, errors.New("origin's row begins at number 0, want from 1")
	}
	return r, nil
}

func recordBucket(o mesh.Origin) []byte { return o.Append([]byte("r")) }

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), n) }

// put adds records of one origin, ascending without a gap, whose running hash
// before the first is before. A number that is already there is left alone.
func (f *dayFile) put(tx *bbolt.Tx, before mesh.Hash, records []mesh.Record) error {
	first, o := records[0].Number, records[0].Origin
	name, key := recordBucket(o), o.Append(nil)
	rows := tx.Bucket(bucketOrigins)
	b := tx.Bucket(name)
	var last uint64
	if b == nil {
		var err error
		if b, err = tx.CreateBucket(name); err != nil {
			return err
		}
		if err := rows.Put(key, row{first: first, before: before}.encode()); err != nil {
			return err
		}
	} else if k, _ := b.Cursor().Last(); len(k) == 8 {
		last = binary.BigEndian.Uint64(k)
	}
	if last != 0 && last+1 != first { // beside records that were there before a gap closed
		r, err := decodeRow(rows.Get(key))
		if err != nil {
			return err
		}
		if first < r.first {
			r.first, r.before = first, before
		}
		r.holes = true
		if err := rows.Put(key, r.encode()); err != nil {
			return err
		}
	}
	b.FillPercent = fillPercent
	for i := range records {
		k := numberKey(records[i].Number)
		if records[i].Number <= last && b.Get(k) != nil {
			continue
		}
		if err := b.Put(k, records[i].Bytes); err != nil {
			return err
		}
	}
	return nil
}

// get returns a copy of one record's bytes, nil when it isn't there.
func (f *dayFile) get(o mesh.Origin, number uint64) (found []byte, err error) {
	err = guard(f.path, func() error {
		return f.db.View(func(tx *bbolt.Tx) error {
			if b := tx.Bucket(recordBucket(o)); b != nil {
				if v := b.Get(numberKey(number)); v != nil {
					found = append([]byte(nil), v...)
				}
			}
			return nil
		})
	})
	return found, err
}

// guard turns a panic inside bbolt, which is how it meets damaged pages, into
// a Damaged error; so too a fault in mapped memory behind a truncated file.
func guard(path string, fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		if p := recover(); p != nil {
			err = &Damaged{File: path, Err: fmt.Errorf("reading it failed: %v", p)}
		}
	}()
	return fn()
}
