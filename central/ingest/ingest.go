// Package ingest follows the mesh's journals and keeps central's read models:
// entries by position, events by the mesh's verdicts, notifications by its
// plans, claims and outcomes. It decides nothing itself. An address that its
// provider said is gone is taken out of its contact with the outcome that says
// so, and the changed roster goes down by the outbox like any other.
//
// A batch is one transaction together with the cursors, so that a restart at
// any moment neither loses nor repeats anything; every origin is taken in
// order, without a gap, along its running hash. A decision that can't be
// applied yet (its entry, its plan or its key is not here) waits in the store
// and holds up nobody. What is stored is confirmed to the mesh.
//
// New starts nothing; Run owns its goroutines and ends them with its context.
package ingest

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/central/history"
	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/cluster/env"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Errors that end a feed; another node is asked then.
var (
	ErrGap      = errors.New("the feed left out records")
	ErrDiverged = errors.New("the feed's records differ from what is stored")
	ErrKind     = errors.New("a record's kind is above what this program reads")
)

// Ingest applies records. Apply is called by one goroutine at a time.
type Ingest struct {
	db   *store.DB
	ring *keys.Ring
	hub  *history.Hub
	log  *slog.Logger

	premises *premises.Premises
	held     Held

	applied *prometheus.CounterVec
	waiting prometheus.Gauge
	repair  prometheus.Gauge
	added   chan struct{} // a hint that a customer was inserted, one is enough
	lag     prometheus.Gauge
	state   state
}

// Held keeps where messages are that are nobody's.
type Held interface {
	Note(ctx context.Context, tx *sql.Tx, p mesh.Position, m entry.Message) error
}

// New starts nothing.
func New(db *store.DB, ring *keys.Ring, hub *history.Hub, owned *premises.Premises, held Held, e env.Env) *Ingest {
	i := &Ingest{db: db, ring: ring, hub: hub, premises: owned, held: held, log: e.Log, added: make(chan struct{}, 1),
		applied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "vedetta_ingest_records_total", Help: "Records from the mesh, by kind."}, []string{"kind"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vedetta_ingest_waiting", Help: "Decisions that wait for their entry, plan, customer or key."}),
		repair: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vedetta_ingest_repair", Help: "Decisions that could not be applied and are kept for the operator; counted in vedetta_ingest_waiting too."}),
		lag: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vedetta_follower_lag_seconds", Help: "Time since all that the mesh sent was stored.", ConstLabels: prometheus.Labels{"follower": "ingest"}}),
	}
	e.Metrics.MustRegister(i.applied, i.waiting, i.repair, i.lag)
	return i
}

// Cursors is how far each origin is stored.
func (i *Ingest) Cursors(ctx context.Context) (map[mesh.Origin]uint64, error) {
	rows, err := i.db.Read().QueryContext(ctx, `SELECT origin, number FROM cursors`)
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	out := map[mesh.Origin]uint64{}
	for rows.Next() {
		var text string
		var n int64
		if err := rows.Scan(&text, &n); err != nil {
			return nil, fmt.Errorf("read cursors: %w", err)
		}
		o, err := mesh.ParseOrigin(text)
		if err != nil {
			return nil, fmt.Errorf("read cursors: %w", err)
		}
		out[o] = uint64(n)
	}
	return out, rows.Err()
}

// Apply stores a batch and moves the cursors, all or nothing. Records that are
// stored already are passed over.
func (i *Ingest) Apply(ctx context.Context, records []mesh.Record) error {
	if err := i.haveKeys(ctx, records); err != nil {
		return err
	}
	return i.inBatch(ctx, func(b *batch) error {
		for _, r := range records {
			if err := b.take(r); err != nil {
				return fmt.Errorf("record %s: %w", r.Position(), err)
			}
		}
		return b.saveCursors()
	})
}

// CustomerAdded says that a customer's row was committed: what waited for it
// is applied. It never blocks.
func (i *Ingest) CustomerAdded() {
	select {
	case i.added <- struct{}{}:
	default:
	}
}

// Retry applies what waited for keys and customers that have come since.
func (i *Ingest) Retry(ctx context.Context) error {
	return i.inBatch(ctx, func(b *batch) error {
		rows, err := b.tx.QueryContext(ctx, `SELECT DISTINCT awaits FROM waiting WHERE awaits LIKE 'key %'
			UNION SELECT DISTINCT awaits FROM waiting WHERE awaits IN (SELECT 'customer ' || id FROM customers)`)
		if err != nil {
			return err
		}
		var awaits []string
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return errors.Join(err, rows.Close())
			}
			awaits = append(awaits, s)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		for _, a := range awaits {
			if strings.HasPrefix(a, keyPrefix) {
				id, err := parseKey(a)
				if err == nil {
					_, err = b.i.ring.ByID(id)
				}
				if err != nil {
					continue // still not here
				}
			}
			if err := b.wake(a); err != nil {
				return err
			}
		}
		return nil
	})
}

// inBatch runs fn in one transaction and afterwards tells the followers.
func (i *Ingest) inBatch(ctx context.Context, fn func(*batch) error) error {
	b := &batch{ctx: ctx, i: i, cursors: map[mesh.Origin]*cursor{}, customers: map[string]bool{}}
	var waits, repairs int
	err := i.db.Write(ctx, func(tx *sql.Tx) error {
		b.tx = tx
		if err := fn(b); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(CASE WHEN awaits LIKE 'repair%' THEN 1 ELSE 0 END), 0) FROM waiting`).Scan(&waits, &repairs)
	})
	if err != nil {
		return fmt.Errorf("ingest: %w", err)
	}
	i.waiting.Set(float64(waits))
	i.repair.Set(float64(repairs))
	i.applied.WithLabelValues("message").Add(float64(b.messages))
	i.applied.WithLabelValues("decision").Add(float64(b.decisions))
	for c := range b.customers {
		i.hub.Changed(c)
	}
	if b.ended {
		i.premises.Hint()
	}
	return nil
}

// haveKeys asks the mesh once when a record names a key that is not here, so
// that the transaction never waits for a peer.
func (i *Ingest) haveKeys(ctx context.Context, records []mesh.Record) error {
	for _, r := range records {
		id, err := seal.IDOf(r.Sealed)
		if err != nil {
			continue // found again when it is opened
		}
		if _, err := i.ring.ByID(id); err != nil {
			return i.ring.Refresh(ctx)
		}
	}
	return nil
}

const keyPrefix = "key "

func awaitKey(id seal.KeyID) string { return keyPrefix + id.String() }

func parseKey(awaits string) (id seal.KeyID, err error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(awaits, keyPrefix))
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("waiting for %q: want a key id", awaits)
	}
	copy(id[:], raw)
	return id, nil
}
