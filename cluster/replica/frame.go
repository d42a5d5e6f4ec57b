package replica

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"vedetta/cluster/journal"
	"vedetta/wire/mesh"
)

const (
	streamVersion   = 1
	maxFrameRecords = 4096
	maxFrameBytes   = 1 << 20 // the last record may go beyond
	maxRecordBytes  = mesh.MaxSealedBytes + 256
	maxMessageBytes = 8 << 20
	flagTable       = 1
)

// appendFrame appends a frame with as many of the records as fit and returns
// the rest.
func appendFrame(b []byte, records []mesh.Record) (frame []byte, rest []mesh.Record) {
	at := len(b)
	b = append(b, make([]byte, 8)...)
	n := 0
	for n < len(records) && n < maxFrameRecords && len(b)-at < maxFrameBytes {
		b = binary.BigEndian.AppendUint32(b, uint32(len(records[n].Bytes)))
		b = append(b, records[n].Bytes...)
		n++
	}
	binary.BigEndian.PutUint32(b[at:], uint32(n))
	binary.BigEndian.PutUint32(b[at+4:], uint32(len(b)-at-8))
	return b, records[n:]
}

// readFrame reads one frame; no records mean the end.
func readFrame(r *bufio.Reader) ([]mesh.Record, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	count, size := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[4:])
	if count > maxFrameRecords || size > maxFrameBytes+maxRecordBytes+4 || (count == 0) != (size == 0) {
		return nil, fmt.Errorf("frame of %d records in %d bytes, want at most %d in %d", count, size, maxFrameRecords, maxFrameBytes)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, noEOF(err)
	}
	records := make([]mesh.Record, 0, count)
	for range count {
		if len(b) < 4 || uint32(len(b)-4) < binary.BigEndian.Uint32(b) {
			return nil, fmt.Errorf("frame: record of %d bytes is cut short", len(b))
		}
		n := binary.BigEndian.Uint32(b)
		rec, err := mesh.Decode(b[4 : 4+n : 4+n])
		if err != nil {
			return nil, fmt.Errorf("frame: %w", err)
		}
		records, b = append(records, rec), b[4+n:]
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("frame: %d bytes after the last record", len(b))
	}
	return records, nil
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// message is what a node tells of itself on the stream of marks.
type message struct {
	table         bool // the whole, else only what moved
	disk          string
	configuration uint64 // rule 29; 0 for now
	term, index   uint64
	marks         []journal.Move
}

func (m message) append(b []byte) []byte {
	at := len(b)
	b = append(b, 0, 0, 0, 0, streamVersion, 0, byte(len(m.disk)))
	if m.table {
		b[at+5] = flagTable
	}
	b = append(b, m.disk...)
	b = binary.BigEndian.AppendUint64(b, m.configuration)
	b = binary.BigEndian.AppendUint64(b, m.term)
	b = binary.BigEndian.AppendUint64(b, m.index)
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.marks)))
	for _, k := range m.marks {
		b = k.Origin.Append(b)
		b = binary.BigEndian.AppendUint64(b, k.Mark)
		b = append(b, k.Hash[:]...)
	}
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

func readMessage(r *bufio.Reader) (message, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return message{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxMessageBytes {
		return message{}, fmt.Errorf("marks: message of %d bytes, want at most %d", size, maxMessageBytes)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return message{}, noEOF(err)
	}
	return decodeMessage(b)
}

func decodeMessage(b []byte) (message, error) {
	if len(b) < 3 || len(b) < 3+int(b[2])+28 {
		return message{}, fmt.Errorf("marks: message of %d bytes is cut short", len(b))
	}
	if b[0] != streamVersion {
		return message{}, fmt.Errorf("marks: version %d, want %d", b[0], streamVersion)
	}
	m := message{table: b[1]&flagTable != 0, disk: string(b[3 : 3+b[2]])}
	b = b[3+int(b[2]):]
	m.configuration, m.term, m.index = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[16:])
	count := binary.BigEndian.Uint32(b[24:])
	b = b[28:]
	for range count {
		o, rest, err := mesh.ReadOrigin(b)
		if err != nil {
			return message{}, fmt.Errorf("marks: %w", err)
		}
		if len(rest) < 8+mesh.HashSize {
			return message{}, fmt.Errorf("marks: mark of %s is cut short", o)
		}
		k := journal.Move{Origin: o, Mark: binary.BigEndian.Uint64(rest)}
		copy(k.Hash[:], rest[8:])
		m.marks, b = append(m.marks, k), rest[8+mesh.HashSize:]
	}
	if len(b) > 0 {
		return message{}, fmt.Errorf("marks: %d bytes after the last mark", len(b))
	}
	return m, nil
}

// request asks for an origin's records from a number on. It says the running
// hash before it, so that histories that differ show at both ends.
type request struct {
	origin mesh.Origin
	from   uint64
	before mesh.Hash
}

// The answer's first byte.
const (
	answerRecords     = 0 // frames follow
	answerDiffers     = 1 // another running hash is here at that place
	answerQuarantined = 2 // the origin is not served here
)

func (q request) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(q.origin.Append(append(b, streamVersion)), q.from)
	return append(b, q.before[:]...)
}

func readRequest(r *bufio.Reader) (q request, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return q, noEOF(err)
	}
	if head[0] != streamVersion {
		return q, fmt.Errorf("catch-up: version %d, want %d", head[0], streamVersion)
	}
	b := make([]byte, 1+int(head[1])+16+8+mesh.HashSize)
	b[0] = head[1]
	if _, err := io.ReadFull(r, b[1:]); err != nil {
		return q, noEOF(err)
	}
	o, rest, err := mesh.ReadOrigin(b)
	if err != nil {
		return q, fmt.Errorf("catch-up: %w", err)
	}
	q.origin, q.from = o, binary.BigEndian.Uint64(rest)
	copy(q.before[:], rest[8:])
	if q.from == 0 {
		return q, fmt.Errorf("catch-up of %s: want numbers from 1", o)
	}
	return q, nil
}
