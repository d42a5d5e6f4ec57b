package chaos

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"vedetta/bench/verdict"
	"vedetta/wire/mesh"
)

// readDisk reads what a stopped node holds, from its day files alone: bucket
// "r" and the origin, key the number, value the entry's bytes (see the file's
// format in cluster/journal). An entry whose CRC is wrong is not held.
func readDisk(data string) (verdict.Journal, error) {
	files, err := filepath.Glob(filepath.Join(data, "journal", "*.db"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no day files", data)
	}
	held := verdict.Journal{}
	for _, path := range files {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		err = db.View(func(tx *bbolt.Tx) error {
			return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
				if name[0] != 'r' {
					return nil
				}
				origin, _, err := mesh.ReadOrigin(name[1:])
				if err != nil {
					return nil // "meta" and its like begin otherwise; a name that is no origin holds no entries
				}
				return b.ForEach(func(k, v []byte) error {
					r, err := mesh.Decode(v)
					if err != nil || r.Origin != origin || len(k) != 8 || r.Number != binary.BigEndian.Uint64(k) {
						return nil
					}
					held[r.Position().String()] = sha256.Sum256(v)
					return nil
				})
			})
		})
		if err := errors.Join(err, db.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return held, nil
}
