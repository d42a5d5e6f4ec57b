package journal

import (
	"errors"
	"fmt"
	"sort"

	"go.etcd.io/bbolt"

	"vedetta/wire/mesh"
)

// Read returns records of one origin from number from up to upTo, but not above
// the mark and, after the first, not more than maxBytes. What was committed last
// comes from memory, the rest is copied from the files and its CRC is checked. A
// damaged record gives a Damaged error that names file and place, with the good
// records before it.
func (j *Journal) Read(o mesh.Origin, from, upTo uint64, maxBytes int) ([]mesh.Record, error) {
	if from == 0 {
		return nil, errors.New("read: want numbers from 1")
	}
	var records []mesh.Record
	for maxBytes > 0 || len(records) == 0 {
		got, err := j.remembered(o, from, upTo, maxBytes, len(records) == 0), error(nil)
		if len(got) == 0 {
			f, last := j.place(o, from)
			if f == nil || from > upTo {
				return records, nil
			}
			got, err = f.read(o, from, min(last, upTo), maxBytes, len(records) == 0)
		}
		if records == nil {
			records = got
		} else {
			records = append(records, got...)
		}
		if err != nil || len(got) == 0 {
			return records, err
		}
		for i := range got {
			maxBytes -= len(got[i].Bytes)
		}
		from = got[len(got)-1].Number + 1
	}
	return records, nil
}

// place returns the file that holds a number below the mark and the last number
// of the origin's run in it; nil when there is none.
func (j *Journal) place(o mesh.Origin, number uint64) (*dayFile, uint64) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	s := j.origins[o]
	if s == nil || number > s.mark {
		return nil, 0
	}
	i := sort.Search(len(s.spans), func(i int) bool { return s.spans[i].last >= number })
	if i == len(s.spans) || s.spans[i].first > number {
		return nil, 0
	}
	return j.files[s.spans[i].day], s.spans[i].last
}

func (j *Journal) fileOf(o mesh.Origin, number uint64) *dayFile {
	f, _ := j.place(o, number)
	return f
}

// chunkBytes is how much memory the copies of records share, so that thousands
// of them are few things to the collector of garbage.
const chunkBytes = 32 << 10

// read is bounded: a read transaction that stays open would hold back the writer.
func (f *dayFile) read(o mesh.Origin, from, last uint64, maxBytes int, one bool) ([]mesh.Record, error) {
	var raw [][]byte
	var chunk []byte
	err := guard(f.path, func() error {
		return f.db.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket(recordBucket(o))
			if b == nil {
				return &Damaged{File: f.path, Origin: o, Number: from, Err: errors.New("its bucket is missing")}
			}
			c := b.Cursor()
			number := from
			for k, v := c.Seek(numberKey(from)); number <= last; k, v = c.Next() {
				if string(k) != string(numberKey(number)) {
					return &Damaged{File: f.path, Origin: o, Number: number, Err: fmt.Errorf("it is missing, next key is % x", k)}
				}
				if maxBytes -= len(v); maxBytes < 0 && !(one && number == from) {
					return nil
				}
				if cap(chunk)-len(chunk) < len(v) {
					chunk = make([]byte, 0, max(len(v), min(chunkBytes, len(v)*int(min(last-number+1, chunkBytes)))))
				}
				from := len(chunk)
				chunk = append(chunk, v...)
				raw = append(raw, chunk[from:len(chunk):len(chunk)])
				number++
			}
			return nil
		})
	})
	records := make([]mesh.Record, 0, len(raw))
	for i, b := range raw {
		r, damaged := checkedRecord(f.path, o, from+uint64(i), b)
		if damaged != nil {
			return records, damaged
		}
		records = append(records, r)
	}
	return records, err
}
