package ingest

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/central/store"
	"vedetta/wire/mesh"
)

// Source opens a feed at any node. It sends what lies above the cursors of the
// first line, up to the durable marks, as frames of a 4-byte length and a
// record's bytes, and an empty frame each second when there is nothing.
type Source interface {
	OpenFeed(ctx context.Context) (io.ReadWriteCloser, error)
}

// Limits of a feed.
const (
	maxFrame   = mesh.MaxSealedBytes + 1<<10
	maxBatch   = 256             // records of one transaction
	quietAfter = 5 * time.Second // without a frame the node is taken for gone
)

var errQuiet = errors.New("no frame for 5 s")

// state is what Lag tells; written by Run's goroutines.
type state struct {
	mu      sync.Mutex
	wholeAt time.Time // when last nothing was left to store
	queued  int
}

// Lag is how far central is behind the mesh: records received and not stored,
// and the time since nothing was left. Before the first feed it counts from the start.
func (i *Ingest) Lag(now time.Time) (entries int, seconds float64) {
	i.state.mu.Lock()
	defer i.state.mu.Unlock()
	if i.state.wholeAt.IsZero() {
		return i.state.queued, 0
	}
	if since := now.Sub(i.state.wholeAt).Seconds(); since > 2 { // the node's own keep-alive is each second
		return i.state.queued, since
	}
	return i.state.queued, 0
}

func (i *Ingest) note(queued int, now time.Time) {
	i.state.mu.Lock()
	defer i.state.mu.Unlock()
	i.state.queued = queued
	if queued == 0 || i.state.wholeAt.IsZero() {
		i.state.wholeAt = now
	}
}

// Run follows one node after the other until ctx ends. It returns only ctx's
// error, or a fatal one of the disk below.
func (i *Ingest) Run(ctx context.Context, s Source) error {
	i.note(0, time.Now())
	wait := 200 * time.Millisecond
	said := ""
	for {
		began := time.Now()
		err := i.follow(ctx, s)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if store.Fatal(err) {
			return fmt.Errorf("ingest: %w", err)
		}
		if time.Since(began) > 10*time.Second {
			wait, said = 200*time.Millisecond, ""
		}
		if text := err.Error(); text != said { // the same trouble is said once
			i.log.Warn("feed ended, will be opened again", "err", err)
			said = text
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, 3*time.Second)
		_, lag := i.Lag(time.Now())
		i.lag.Set(lag)
	}
}

// follow reads one feed to its end.
func (i *Ingest) follow(ctx context.Context, s Source) error {
	if !i.ring.Ready() {
		if err := i.ring.Refresh(ctx); err != nil {
			return err
		}
	}
	cursors, err := i.Cursors(ctx)
	if err != nil {
		return err
	}
	stream, err := s.OpenFeed(ctx)
	if err != nil {
		return fmt.Errorf("open feed: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, func() { stream.Close() }) // ends reading and writing
	defer stop()
	if err := writeCursors(stream, cursors); err != nil {
		return errors.Join(err, stream.Close())
	}
	records := make(chan mesh.Record, maxBatch)
	confirm := make(chan map[mesh.Origin]uint64, 1)
	g.Go(func() error { return read(ctx, stream, records) })
	g.Go(func() error { return confirmTo(ctx, stream, confirm) })
	g.Go(func() error { return i.store(ctx, records, confirm) })
	return g.Wait()
}

// read hands on the records of the frames; a zero record is a keep-alive.
func read(ctx context.Context, r io.Reader, out chan<- mesh.Record) error {
	in := bufio.NewReaderSize(r, 64<<10)
	var head [4]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return fmt.Errorf("read feed: %w", err)
		}
		var rec mesh.Record
		if n := binary.BigEndian.Uint32(head[:]); n > maxFrame {
			return fmt.Errorf("read feed: a frame of %d bytes, want at most %d", n, maxFrame)
		} else if n > 0 {
			b := make([]byte, n)
			if _, err := io.ReadFull(in, b); err != nil {
				return fmt.Errorf("read feed: %w", err)
			}
			var err error
			if rec, err = mesh.Decode(b); err != nil {
				return fmt.Errorf("read feed: %w", err)
			}
		}
		select {
		case out <- rec:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// store applies what has come, as much at once as there is.
func (i *Ingest) store(ctx context.Context, in <-chan mesh.Record, confirm chan map[mesh.Origin]uint64) error {
	changed := i.ring.Changed()
	// What waits may have come between two feeds, or before a restart: Changed
	// and added tell only what comes from here on.
	if err := i.Retry(ctx); err != nil {
		return err
	}
	quiet := time.NewTimer(quietAfter)
	defer quiet.Stop()
	for {
		var batch []mesh.Record
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-quiet.C:
			return errQuiet
		case <-changed:
			changed = i.ring.Changed()
			if err := i.Retry(ctx); err != nil {
				return err
			}
			continue
		case <-i.added:
			if err := i.Retry(ctx); err != nil {
				return err
			}
			continue
		case r := <-in:
			batch = gather(r, in)
		}
		quiet.Reset(quietAfter)
		if len(batch) > 0 {
			i.note(len(batch)+len(in), time.Now())
			if err := i.Apply(ctx, batch); err != nil {
				return err
			}
			offer(confirm, batch)
		}
		if len(in) == 0 {
			i.note(0, time.Now())
			i.lag.Set(0)
		}
	}
}

func gather(first mesh.Record, in <-chan mesh.Record) []mesh.Record {
	var batch []mesh.Record
	add := func(r mesh.Record) {
		if len(r.Bytes) > 0 {
			batch = append(batch, r)
		}
	}
	add(first)
	for len(batch) < maxBatch {
		select {
		case r := <-in:
			add(r)
		default:
			return batch
		}
	}
	return batch
}

// offer leaves the newest cursors for the confirming goroutine, together with
// those it has not taken yet.
func offer(confirm chan map[mesh.Origin]uint64, batch []mesh.Record) {
	var next map[mesh.Origin]uint64
	select {
	case next = <-confirm:
	default:
		next = map[mesh.Origin]uint64{}
	}
	for _, r := range batch {
		next[r.Origin] = max(next[r.Origin], r.Number)
	}
	confirm <- next // store alone sends, so there is room
}

// confirmTo tells the node what is stored, at most five times a second.
func confirmTo(ctx context.Context, w io.Writer, in <-chan map[mesh.Origin]uint64) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case cursors := <-in:
			if err := writeCursors(w, cursors); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func writeCursors(w io.Writer, cursors map[mesh.Origin]uint64) error {
	line, err := json.Marshal(struct {
		Cursors map[mesh.Origin]uint64 `json:"cursors"`
	}{cursors})
	if err != nil {
		return err
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("send cursors: %w", err)
	}
	return nil
}
