package agreement

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"github.com/prometheus/client_golang/prometheus"

	"vedetta/cluster/env"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// Journal is where decisions are written: cluster/journal.
type Journal interface {
	// AcceptAsync queues records of one origin in order and returns at once.
	// Numbers that are there are compared and skipped, what lies above a gap
	// waits for the catch-up. An error is final: other bytes are stored, or the
	// journal has stopped.
	AcceptAsync(records []mesh.Record) error
	// WaitMark returns nil once the origin is flushed without a gap up to number.
	WaitMark(ctx context.Context, o mesh.Origin, number uint64) error
	// MarkAndHash is how far that is, and the running hash there.
	MarkAndHash(o mesh.Origin) (uint64, mesh.Hash)
}

// Config of the agreement on one node.
type Config struct {
	// SnapshotWait is how long a snapshot waits for its decisions to be flushed
	// before Raft is told to try again later. Zero means 30 s.
	SnapshotWait time.Duration
}

// FSM is the agreement under hashicorp/raft: a raft.BatchingFSM whose results
// are of type Result, or an error once it has stopped. Read it through View.
type FSM struct {
	cfg     Config
	env     env.Env
	keys    KeyOpener
	journal Journal

	running context.Context // done when nothing more will be applied; its cause says why
	stop    context.CancelCauseFunc

	mu      sync.RWMutex // guards the variables below
	state   *State
	changed chan struct{}
	decided func(o mesh.Origin, first, last uint64, verdicts [][]decision.Verdict)
}

// ErrStopped means that this node applies nothing any more.
var ErrStopped = errors.New("agreement has stopped on this node")

// NewFSM makes the shell around an empty state; Raft restores into it.
func NewFSM(cfg Config, keys KeyOpener, j Journal, e env.Env) (*FSM, error) {
	if cfg.SnapshotWait < 0 {
		return nil, errors.New("agreement: want no negative snapshot_wait")
	}
	if cfg.SnapshotWait == 0 {
		cfg.SnapshotWait = 30 * time.Second
	}
	f := &FSM{cfg: cfg, env: e, keys: keys, journal: j, state: NewState(keys), changed: make(chan struct{})}
	f.running, f.stop = context.WithCancelCause(context.Background())
	return f, f.register(e.Metrics)
}

// View is what the others read.
func (f *FSM) View() *View { return &View{f} }

// Decided sets the hook that gets what is decided as it is applied here, in
// order: which numbers of the agreement's origin a command took, and what it
// said about entries. It must neither wait nor ask View, and may keep nothing of
// the verdicts but strings and arrays. What was applied before stands in the day
// files; after Restore, and after a gap there, numbers don't follow.
func (f *FSM) Decided(fn func(o mesh.Origin, first, last uint64, verdicts [][]decision.Verdict)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decided = fn
}

// Run waits until the state machine can't go on and returns why, or until ctx
// is done; afterwards nothing is applied and no snapshot waits. A caller that
// gets an error ends the process: it comes back by recovery.
func (f *FSM) Run(ctx context.Context) error {
	select {
	case <-f.running.Done():
		return context.Cause(f.running)
	case <-ctx.Done():
		f.stop(ErrStopped)
		return nil
	}
}

// Apply is ApplyBatch of one.
func (f *FSM) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies commands and hands their records to the journal in order,
// without waiting: a snapshot is what waits (rule 16).
func (f *FSM) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	var records []mesh.Record
	f.mu.Lock()
	err := context.Cause(f.running)
	for i, l := range logs {
		if err == nil && l.Type == raft.LogCommand {
			var r Result
			var rs []mesh.Record
			if r, rs, err = f.state.Apply(l.Index, l.Data); err == nil {
				out[i], records = r, append(records, rs...)
				if len(rs) > 0 && f.decided != nil {
					f.decided(rs[0].Origin, rs[0].Number, rs[len(rs)-1].Number, f.state.verdicts)
				}
				continue
			}
			f.env.Log.Error("the agreement can't go on at this node", "index", l.Index, "error", err)
			f.stop(err)
		}
		if err != nil {
			out[i] = err
		}
	}
	// Inside the lock: a reader that sees a decision finds it in the journal's queue.
	if e := f.journal.AcceptAsync(records); e != nil {
		f.env.Log.Error("decisions can't be written", "error", e)
		f.stop(fmt.Errorf("write decisions: %w", e))
	}
	close(f.changed)
	f.changed = make(chan struct{})
	f.mu.Unlock()
	return out
}

// Snapshot copies the state; Persist writes it.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	if err := context.Cause(f.running); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return &snapshot{f, f.state.Image()}, nil
}

// Restore replaces the state by a snapshot's. The journal may have more than
// the snapshot (a restart) or less (it came from another node): what is applied
// from here on waits above the gap until the catch-up has closed it (rule 16).
func (f *FSM) Restore(r io.ReadCloser) error {
	b, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	s, err := Restore(f.keys, b)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	if n, h := f.journal.MarkAndHash(s.tail.Origin); n != 0 && n == s.tail.Number && h != s.tail.Hash {
		return fmt.Errorf("restore: running hash of %s differs at %d from what is stored", s.tail.Origin, n)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state = s
	close(f.changed)
	f.changed = make(chan struct{})
	return nil
}

type snapshot struct {
	f     *FSM
	image Image
}

// Persist writes the snapshot once all decisions up to its index are flushed
// here: from then on the log before it may go (rule 16).
func (s *snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.persist(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (s *snapshot) persist(sink io.Writer) error {
	ctx, cancel := context.WithTimeout(s.f.running, s.f.cfg.SnapshotWait)
	defer cancel()
	if t := s.image.Tail(); t.Number > 0 {
		if err := s.f.journal.WaitMark(ctx, t.Origin, t.Number); err != nil {
			return fmt.Errorf("snapshot waits for its decisions: %w", err)
		}
		if n, h := s.f.journal.MarkAndHash(t.Origin); n == t.Number && h != t.Hash {
			err := fmt.Errorf("running hash of %s differs at %d from what is stored", t.Origin, n)
			s.f.stop(err)
			return err
		}
	}
	b, err := s.image.Encode()
	if err != nil {
		return err
	}
	if _, err := sink.Write(b); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// Release frees nothing.
func (s *snapshot) Release() {}

func (f *FSM) register(r prometheus.Registerer) error {
	gauge := func(name, help string, value func(v *View) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(f.View()) })
	}
	for _, c := range []prometheus.Collector{
		gauge("vedetta_open_notifications", "Notifications without a final state.", func(v *View) float64 { n, _ := v.Oldest(); return float64(n) }),
		gauge("vedetta_oldest_open_seconds", "Age of the oldest open notification, by the agreement's clock.", func(v *View) float64 { _, age := v.Oldest(); return age.Seconds() }),
		gauge("vedetta_agreement_unflushed", "Decisions applied but not flushed here without a gap.", func(v *View) float64 { return float64(v.Unflushed()) }),
	} {
		if err := r.Register(c); err != nil {
			return fmt.Errorf("agreement metrics: %w", err)
		}
	}
	return nil
}
