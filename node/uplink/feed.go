package uplink

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"vedetta/wire/mesh"
)

// Limits of the feed.
const (
	chunkBytes = 256 << 10 // read from the journal at once
	keepAlive  = time.Second
	lineBytes  = 1 << 20 // longest cursor line
)

// Journals is what the feed reads: every origin this node holds, up to its
// durable mark.
type Journals interface {
	Origins() []mesh.Origin
	Durable(o mesh.Origin) uint64
	MarkAndHash(o mesh.Origin) (uint64, mesh.Hash) // flushed here without a gap, and the running hash there
	DurableChanged() <-chan struct{}               // closed at the next rise; take it before looking
	Changed() <-chan struct{}                      // the same of what is flushed here
	Read(o mesh.Origin, from, upTo uint64, maxBytes int) ([]mesh.Record, error)
}

// cursorLine is what central sends: where it stands, at first to read from
// there, later as a confirmation.
type cursorLine struct {
	Cursors map[mesh.Origin]uint64 `json:"cursors"`
}

// confirmed keeps the highest confirmation of each origin; the mutex guards it.
type confirmed struct {
	mu    sync.Mutex
	marks map[mesh.Origin]uint64
	dirty bool
}

func (c *confirmed) note(marks map[mesh.Origin]uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for o, n := range marks {
		if n > c.marks[o] {
			c.marks[o], c.dirty = n, true
		}
	}
}

// take returns the confirmations when there are new ones since the last take.
func (c *confirmed) take() map[mesh.Origin]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil
	}
	c.dirty = false
	out := make(map[mesh.Origin]uint64, len(c.marks))
	for o, n := range c.marks {
		out[o] = n
	}
	return out
}

// again has the next take return what the last one gave.
func (c *confirmed) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty = true
}

// Feed sends central every record above its cursors and up to the durable
// marks, and follows. It ends with the stream or ctx.
func (u *Uplink) Feed(ctx context.Context, stream io.ReadWriter) error {
	in := bufio.NewReader(stream)
	first, err := readLine(in)
	if err != nil {
		return fmt.Errorf("feed: cursors: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		for {
			line, err := readLine(in)
			if err != nil {
				cancel(err)
				return
			}
			u.confirmed.note(line.Cursors)
		}
	}()
	cursors := first.Cursors
	if cursors == nil {
		cursors = map[mesh.Origin]uint64{}
	}
	u.confirmed.note(cursors)
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	out := bufio.NewWriterSize(stream, 64<<10)
	for {
		changed, flushed := u.journals.DurableChanged(), u.journals.Changed()
		sent, behind, err := u.sendNew(out, cursors)
		if err != nil {
			return fmt.Errorf("feed: %w", err)
		}
		if sent {
			if err := out.Flush(); err != nil {
				return fmt.Errorf("feed: %w", err)
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			continue
		}
		if !behind {
			flushed = nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-changed:
		case <-flushed:
		case <-tick.C:
			if _, err := out.Write([]byte{0, 0, 0, 0}); err != nil {
				return fmt.Errorf("feed: %w", err)
			}
			if err := out.Flush(); err != nil {
				return fmt.Errorf("feed: %w", err)
			}
		}
	}
}

// sendNew writes one chunk of every origin that has more and moves the
// cursors. The agreement comes last: what it decides about has then been sent.
// behind: something is durable that isn't flushed here yet.
func (u *Uplink) sendNew(out *bufio.Writer, cursors map[mesh.Origin]uint64) (sent, behind bool, err error) {
	origins := u.journals.Origins()
	slices.SortFunc(origins, func(a, b mesh.Origin) int {
		if a.IsAgreement() != b.IsAgreement() {
			if a.IsAgreement() {
				return 1
			}
			return -1
		}
		return a.Compare(b)
	})
	for _, o := range origins {
		durable := u.journals.Durable(o)
		if cursors[o] >= durable {
			continue
		}
		records, err := u.journals.Read(o, cursors[o]+1, durable, chunkBytes)
		if err != nil {
			return sent, behind, err
		}
		behind = behind || len(records) == 0
		for _, r := range records {
			if err := writeFrame(out, r.Bytes); err != nil {
				return sent, behind, err
			}
			cursors[o], sent = r.Number, true
		}
	}
	return sent, behind, nil
}

func writeFrame(w *bufio.Writer, b []byte) error {
	var head [4]byte
	binary.BigEndian.PutUint32(head[:], uint32(len(b)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

func readLine(r *bufio.Reader) (cursorLine, error) {
	var line cursorLine
	var b []byte
	for {
		part, err := r.ReadSlice('\n')
		b = append(b, part...)
		if err == nil {
			break
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
		if len(b) > lineBytes {
			return line, fmt.Errorf("line is longer than %d bytes", lineBytes)
		}
	}
	return line, json.Unmarshal(b, &line)
}
