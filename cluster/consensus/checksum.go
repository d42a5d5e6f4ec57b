package consensus

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// raft-wal checks its checksums only when it recovers, and can't reopen a log
// with a codec of ours (it records every segment as its own codec's). So each
// record carries its checksum in Extensions.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const checksumSize = 4

// sealed is a copy of l with its checksum.
func sealed(l *raft.Log) *raft.Log {
	out := *l
	out.Extensions = binary.BigEndian.AppendUint32(append([]byte(nil), l.Extensions...), checksum(l))
	return &out
}

// unseal checks l and takes the checksum off.
func unseal(l *raft.Log) error {
	n := len(l.Extensions) - checksumSize
	if n < 0 {
		return fmt.Errorf("raft log: entry %d has no checksum: %w", l.Index, wal.ErrCorrupt)
	}
	want := binary.BigEndian.Uint32(l.Extensions[n:])
	if l.Extensions = l.Extensions[:n:n]; n == 0 {
		l.Extensions = nil
	}
	if checksum(l) != want {
		return fmt.Errorf("raft log: checksum of entry %d differs: %w", l.Index, wal.ErrCorrupt)
	}
	return nil
}

// checksum covers index, term, type, extensions and data.
func checksum(l *raft.Log) uint32 {
	var head [25]byte
	binary.BigEndian.PutUint64(head[0:], l.Index)
	binary.BigEndian.PutUint64(head[8:], l.Term)
	head[16] = byte(l.Type)
	binary.BigEndian.PutUint64(head[17:], uint64(len(l.Extensions)))
	sum := crc32.Update(0, castagnoli, head[:])
	sum = crc32.Update(sum, castagnoli, l.Extensions)
	return crc32.Update(sum, castagnoli, l.Data)
}
