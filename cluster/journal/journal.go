package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vedetta/cluster/env"
	"vedetta/wire/mesh"
)

// Move says that an origin's mark has moved: everything up to Mark is flushed
// without a gap, and Hash is the running hash there.
type Move struct {
	Origin mesh.Origin
	Mark   uint64
	Hash   mesh.Hash
}

// Journal is one node's journal. Its methods may be used by many goroutines.
type Journal struct {
	cfg     Config
	env     env.Env
	disk    string
	lock    *os.File
	metrics metrics

	outgoing func([]mesh.Record) // set before Run
	flushed  func([]Move)        // set before Run
	stall    func()              // tests only: called where a flush would hang

	mu      sync.RWMutex // guards the group below; the writer alone changes it
	origins map[mesh.Origin]*originState
	files   map[mesh.Day]*dayFile
	changed chan struct{}         // closed and replaced when a mark moves
	halted  map[mesh.Origin]error // agreement origins that diverged
	recent  recent                // the last commits' records

	queue queue
	seen  seenTable

	dead        chan struct{} // closed at the end of the journal
	deadOnce    sync.Once
	deadErr     error // set before dead is closed
	running     atomic.Bool
	commitStart atomic.Int64 // nanoseconds since base; 0 = no commit under way
	base        time.Time    // for monotonic time
}

// originState is where an origin stands on this disk.
type originState struct {
	mark   uint64
	hash   mesh.Hash // running hash at mark
	day    mesh.Day  // day of the record at mark
	spans  []span    // in order; the unbroken run
	beyond bool      // files may hold records above the mark

	recent [][]mesh.Record // the newest up to mark, by commit, without a gap; may be none
}

// span is a part of an origin's run inside one day file.
type span struct {
	day         mesh.Day
	first, last uint64
}

func (s *originState) advance(day mesh.Day, first, last uint64, hash mesh.Hash) {
	if n := len(s.spans); n > 0 && s.spans[n-1].day == day {
		s.spans[n-1].last = last
	} else {
		s.spans = append(s.spans, span{day, first, last})
	}
	s.mark, s.hash, s.day = last, hash, day
}

func newJournal(cfg Config, e env.Env) *Journal {
	j := &Journal{
		cfg: cfg, env: e, base: time.Now().Add(-time.Second),
		origins: map[mesh.Origin]*originState{}, files: map[mesh.Day]*dayFile{},
		changed: make(chan struct{}), halted: map[mesh.Origin]error{}, dead: make(chan struct{}),
	}
	j.queue.wake = make(chan struct{}, 1)
	j.recent.limit = recentBytes
	j.seen.init()
	j.metrics = newMetrics(j)
	return j
}

// DiskID is the name that the data folder got when it was made (rule 28).
func (j *Journal) DiskID() string { return j.disk }

// Begin starts this process's incarnation: its origin is flushed before it is
// returned, and Append may be used from now on (rule 1). Once per Open.
func (j *Journal) Begin(node string) (mesh.Origin, error) {
	if !mesh.ValidNode(node) || node == mesh.AgreementNode {
		return mesh.Origin{}, fmt.Errorf("begin incarnation: node %q, want 1 to 32 of a-z, 0-9, dash", node)
	}
	if !j.Own().IsZero() {
		return mesh.Origin{}, errors.New("begin incarnation: it has already begun")
	}
	var known uint64
	for o := range j.Marks() {
		if o.Node == node {
			known = max(known, o.Incarnation)
		}
	}
	o, err := nextIncarnation(j.cfg.Dir, node, known)
	if err != nil {
		return mesh.Origin{}, err
	}
	j.queue.begin(o)
	return o, nil
}

// Own is this process's origin, zero before Begin.
func (j *Journal) Own() mesh.Origin { return j.queue.ownOrigin() }

// Outgoing sets the hook that gets own records before they are committed, so
// that the peers' flushes overlap with ours. Before Run only.
func (j *Journal) Outgoing(fn func([]mesh.Record)) { j.outgoing = fn }

// Flushed sets the hook that gets every move of marks. Before Run only.
func (j *Journal) Flushed(fn func([]Move)) { j.flushed = fn }

// Marks returns the mark of every origin that has one.
func (j *Journal) Marks() map[mesh.Origin]uint64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	m := make(map[mesh.Origin]uint64, len(j.origins))
	for o, s := range j.origins {
		if s.mark > 0 {
			m[o] = s.mark
		}
	}
	return m
}

// Table returns every origin's mark with its running hash, in order of origins.
func (j *Journal) Table() []Move {
	j.mu.RLock()
	t := make([]Move, 0, len(j.origins))
	for o, s := range j.origins {
		if s.mark > 0 {
			t = append(t, Move{o, s.mark, s.hash})
		}
	}
	j.mu.RUnlock()
	slices.SortFunc(t, func(a, b Move) int { return a.Origin.Compare(b.Origin) })
	return t
}

// MarkAndHash returns an origin's mark and the running hash there, both zero
// when nothing of it is known.
func (j *Journal) MarkAndHash(o mesh.Origin) (uint64, mesh.Hash) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	if s := j.origins[o]; s != nil {
		return s.mark, s.hash
	}
	return 0, mesh.Hash{}
}

// Changed returns a channel that is closed at the next move of any mark. Take
// it before looking at the marks.
func (j *Journal) Changed() <-chan struct{} {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.changed
}

// WaitMark returns nil once the origin's mark has reached number.
func (j *Journal) WaitMark(ctx context.Context, o mesh.Origin, number uint64) error {
	for {
		j.mu.RLock()
		changed, halted := j.changed, j.halted[o]
		s := j.origins[o]
		reached := number == 0 || s != nil && s.mark >= number
		j.mu.RUnlock()
		switch {
		case reached:
			return nil
		case halted != nil:
			return halted
		}
		select {
		case <-changed:
		case <-j.dead:
			return j.deadErr
		case <-ctx.Done():
			return fmt.Errorf("wait for mark %d of %s: %w", number, o, context.Cause(ctx))
		}
	}
}

// die ends the journal: everything that waits gets err, nothing is retried.
func (j *Journal) die(err error) {
	j.deadOnce.Do(func() {
		j.deadErr = err
		close(j.dead)
		for _, it := range j.queue.close() {
			it.finish(err)
		}
	})
}

// Close gives the folder back. Run must have ended, unless it never ran.
func (j *Journal) Close() error {
	if j.running.Load() {
		return errors.New("close journal: Run has not ended")
	}
	j.die(ErrStopped)
	var errs []error
	for _, f := range j.files {
		errs = append(errs, f.db.Close())
	}
	j.metrics.unregister(j.env.Metrics)
	if j.lock != nil {
		errs = append(errs, j.lock.Close())
	}
	return errors.Join(errs...)
}
