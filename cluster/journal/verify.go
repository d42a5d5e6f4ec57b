package journal

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"vedetta/wire/mesh"
)

// Report is what Verify found. Files are compared between nodes by origin, day,
// last number and running hash, never by their bytes (rule 2).
type Report struct {
	Files  []FileReport `json:"files"`
	Faults []string     `json:"faults"` // empty when all is well
}

// FileReport describes one day file.
type FileReport struct {
	Path    string         `json:"path"`
	Day     string         `json:"day"`
	Origins []OriginReport `json:"origins"`
}

// OriginReport describes one origin's part of a day file.
type OriginReport struct {
	Origin mesh.Origin `json:"origin"`
	First  uint64      `json:"first"`
	Last   uint64      `json:"last"`
	Count  uint64      `json:"count"`
	Hash   string      `json:"hash"` // running hash at Last, hex
}

// Verify reads everything: bbolt's own check of each file, every record's CRC
// and running hash, the order of numbers and days. It changes nothing and goes
// on after a fault. The error is only that it could not finish.
func (j *Journal) Verify(ctx context.Context) (Report, error) {
	j.mu.RLock()
	files := make([]*dayFile, 0, len(j.files))
	for _, f := range j.files {
		files = append(files, f)
	}
	j.mu.RUnlock()
	slices.SortFunc(files, func(a, b *dayFile) int { return int(a.day) - int(b.day) })
	v := &verifier{report: Report{Files: []FileReport{}, Faults: []string{}}, ends: map[mesh.Origin]OriginReport{}, hashes: map[mesh.Origin]mesh.Hash{}}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return v.report, fmt.Errorf("verify: %w", context.Cause(ctx))
		}
		v.file(ctx, f)
	}
	return v.report, nil
}

type verifier struct {
	report Report
	ends   map[mesh.Origin]OriginReport
	hashes map[mesh.Origin]mesh.Hash
}

func (v *verifier) fault(path, format string, args ...any) {
	v.report.Faults = append(v.report.Faults, path+": "+fmt.Sprintf(format, args...))
}

func (v *verifier) file(ctx context.Context, f *dayFile) {
	out := FileReport{Path: f.path, Day: f.day.String(), Origins: []OriginReport{}}
	err := guard(f.path, func() error {
		return f.db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				v.fault(f.path, "%v", err)
			}
			c := tx.Bucket(bucketOrigins).Cursor()
			for k, val := c.First(); k != nil; k, val = c.Next() {
				o, _, err := mesh.ReadOrigin(k)
				if err != nil {
					v.fault(f.path, "row % x: %v", k, err)
					continue
				}
				r, err := decodeRow(val)
				b := tx.Bucket(recordBucket(o))
				if err != nil || b == nil {
					v.fault(f.path, "origin %s: row % x, bucket there: %t", o, val, b != nil)
					continue
				}
				out.Origins = append(out.Origins, v.origin(ctx, f, o, r, b))
			}
			return ctx.Err()
		})
	})
	if err != nil {
		v.fault(f.path, "%v", err)
	}
	v.report.Files = append(v.report.Files, out)
}

func (v *verifier) origin(ctx context.Context, f *dayFile, o mesh.Origin, r row, b *bbolt.Bucket) OriginReport {
	out := OriginReport{Origin: o, First: r.first}
	if end := v.ends[o]; end.Last+1 != r.first || v.hashes[o] != r.before {
		v.fault(f.path, "origin %s begins at %d, the files before end at %d, or the running hash differs", o, r.first, end.Last)
	}
	hash, next := r.before, r.first
	c := b.Cursor()
	for k, raw := c.First(); k != nil && ctx.Err() == nil; k, raw = c.Next() {
		if len(k) != 8 || binary.BigEndian.Uint64(k) != next {
			v.fault(f.path, "origin %s: key % x, want number %d", o, k, next)
			if len(k) != 8 {
				continue
			}
			next = binary.BigEndian.Uint64(k)
		}
		rec, err := checkedRecord(f.path, o, next, append([]byte(nil), raw...))
		switch {
		case err != nil:
			v.fault(f.path, "origin %s number %d: %v", o, next, err)
		case rec.Day != f.day:
			v.fault(f.path, "origin %s number %d is of day %s", o, next, rec.Day)
		case !rec.Follows(hash):
			v.fault(f.path, "origin %s number %d: the running hash is broken", o, next)
		}
		if err == nil {
			hash = rec.Hash
		}
		out.Last, out.Count = next, out.Count+1
		next++
	}
	out.Hash = fmt.Sprintf("%x", hash)
	v.ends[o], v.hashes[o] = out, hash
	return out
}
