package replica

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/wire/mesh"
)

// outgoing gets own records before they are committed here, on the writer's
// goroutine, so that the flushes overlap.
func (r *Replica) outgoing(records []mesh.Record) {
	bytes := 0
	for i := range records {
		bytes += len(records[i].Bytes)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.peers {
		if !p.connected {
			continue
		}
		if p.liveBytes+bytes > maxLiveQueue {
			r.metrics.dropped.Add(float64(len(records))) // its catch-up brings them
			continue
		}
		p.live = append(p.live, records...)
		p.liveBytes += bytes
		wake(p.liveWake)
	}
}

// sendLive sends own records to one peer until ctx ends.
func (r *Replica) sendLive(ctx context.Context, p *peer) error {
	s, err := r.openStream(ctx, p.name, link.PurposeLive)
	if err != nil {
		return err
	}
	defer s.Abort()
	defer context.AfterFunc(ctx, s.Abort)()
	if _, err := s.Write([]byte{streamVersion}); err != nil {
		return err
	}
	var b []byte
	for {
		r.mu.Lock()
		records := p.live
		p.live, p.liveBytes = nil, 0
		r.mu.Unlock()
		for len(records) > 0 {
			b, records = appendFrame(b[:0], records)
			if _, err := s.Write(b); err != nil {
				return err
			}
		}
		if cap(b) > 2*maxFrameBytes {
			b = nil
		}
		select {
		case <-p.liveWake:
		case <-ctx.Done():
			return nil
		}
	}
}

// openStream opens a stream within a bound; ctx is only for the opening.
func (r *Replica) openStream(ctx context.Context, peer string, purpose link.Purpose) (link.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, streamTimeout)
	defer cancel()
	return r.link.Open(ctx, peer, purpose)
}

// serveLive takes a peer's own records.
func (r *Replica) serveLive(ctx context.Context, from link.Identity, s link.Stream) error {
	defer context.AfterFunc(ctx, s.Abort)()
	in := bufio.NewReaderSize(s, 64<<10)
	version, err := in.ReadByte()
	if err != nil {
		return fmt.Errorf("live from %s: %w", from.Name, noEOF(err))
	}
	if version != streamVersion {
		return fmt.Errorf("live from %s: version %d, want %d", from.Name, version, streamVersion)
	}
	for {
		records, err := readFrame(in)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("live from %s: %w", from.Name, err)
		}
		for len(records) > 0 {
			o, n := records[0].Origin, 1
			for n < len(records) && records[n].Origin == o {
				n++
			}
			if o.Node != from.Name {
				return fmt.Errorf("live from %s: record of %s, want only its own", from.Name, o)
			}
			r.offer(journal.LaneLive, o, records[:n], nil)
			records = records[n:]
		}
	}
}

// serveCatchUp gives a peer any origin's records up to our mark.
func (r *Replica) serveCatchUp(ctx context.Context, from link.Identity, s link.Stream) error {
	defer context.AfterFunc(ctx, s.Abort)()
	_ = s.SetDeadline(time.Now().Add(streamTimeout))
	q, err := readRequest(bufio.NewReader(s))
	if err != nil {
		return fmt.Errorf("catch-up for %s: %w", from.Name, err)
	}
	answer, err := r.answer(q, from.Name)
	if err != nil {
		return fmt.Errorf("catch-up for %s: %w", from.Name, err)
	}
	if _, err := s.Write([]byte{answer}); err != nil || answer != answerRecords {
		return err
	}
	next := q.from
	var b []byte
	for {
		records, err := r.journal.Read(q.origin, next, ^uint64(0), catchUpBytes)
		if err != nil {
			return fmt.Errorf("catch-up for %s: %w", from.Name, err)
		}
		if len(records) > 0 {
			next = records[len(records)-1].Number + 1
		}
		end := len(records) == 0
		for first := true; first || len(records) > 0; first = false {
			b, records = appendFrame(b[:0], records)
			_ = s.SetDeadline(time.Now().Add(streamTimeout))
			if _, err := s.Write(b); err != nil {
				return fmt.Errorf("catch-up for %s: %w", from.Name, err)
			}
		}
		if end {
			return nil
		}
	}
}

// answer compares histories before any record is given.
func (r *Replica) answer(q request, peer string) (byte, error) {
	mark, _ := r.journal.MarkAndHash(q.origin)
	var before mesh.Hash
	if q.from > 1 && q.from-1 <= mark {
		records, err := r.journal.Read(q.origin, q.from-1, q.from-1, 1)
		if err != nil || len(records) != 1 {
			return 0, fmt.Errorf("read %s number %d: %w", q.origin, q.from-1, err)
		}
		before = records[0].Hash
	}
	switch {
	case q.from-1 <= mark && before != q.before:
		r.quarantine(q.origin, fmt.Sprintf("running hash at number %d differs from that of node %s", q.from-1, peer))
		return answerDiffers, nil
	case r.isQuarantined(q.origin):
		return answerQuarantined, nil
	}
	return answerRecords, nil
}

const catchUpBytes = 64 << 10 // one read transaction, one frame
