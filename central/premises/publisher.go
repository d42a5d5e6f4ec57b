package premises

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/central/keys"
	"vedetta/central/store"
	"vedetta/cluster/env"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// sealPurpose is under what documents travel; the nodes open it by this name.
const sealPurpose = "roster"

// digestPurpose is under what a node digests the document it has applied.
const digestPurpose = "roster digest"

// Digest is by what a document here is compared with one at a node: keyed with
// the customer's key, it tells nothing without it.
func Digest(k seal.Key, document []byte) []byte { return k.Index(digestPurpose, string(document)) }

// Publisher carries roster documents to the mesh. A document is sent again
// until the mesh has answered; sending one twice does nothing there, as a
// revision counts once.
type Publisher struct {
	p      *Premises
	mesh   keys.Mesh
	log    *slog.Logger
	unsent prometheus.Gauge
	lag    atomic.Pointer[Lag]
}

// Lag is how far the mesh is behind what customers have entered.
type Lag struct {
	Entries int
	Seconds float64 // age of the oldest change that was not acknowledged
}

// NewPublisher starts nothing.
func NewPublisher(p *Premises, m keys.Mesh, e env.Env) *Publisher {
	b := &Publisher{p: p, mesh: m, log: e.Log, unsent: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "vedetta_roster_unsent", Help: "Changes of rosters that the mesh has not acknowledged."})}
	e.Metrics.MustRegister(b.unsent)
	b.lag.Store(&Lag{})
	return b
}

// Lag is as of the last round.
func (b *Publisher) Lag() Lag { return *b.lag.Load() }

// Run publishes until ctx ends. It returns only ctx's error, or a fatal one of
// the disk below.
func (b *Publisher) Run(ctx context.Context) error {
	var compared, warned bool
	for {
		err := b.round(ctx, time.Now(), &compared)
		if store.Fatal(err) {
			return err
		}
		if err != nil && ctx.Err() == nil && !warned {
			b.log.Warn("rosters not published, will be tried again", "err", err)
		}
		warned = err != nil
		wait := 30 * time.Second // a wake that was missed
		if err != nil {
			wait = time.Second
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-b.p.queue:
		case <-time.After(wait):
		}
	}
}

// round compares once per run what the mesh has with what we want, then sends
// what is unsent.
func (b *Publisher) round(ctx context.Context, now time.Time, compared *bool) error {
	defer b.measure(ctx, now)
	if !*compared {
		if err := b.Compare(ctx, now); err != nil {
			return err
		}
		*compared = true
	}
	return b.Flush(ctx, now)
}

// Flush sends every customer's newest document that has unsent changes.
func (b *Publisher) Flush(ctx context.Context, now time.Time) error {
	customers, err := list(ctx, b.p.db.Read(), `SELECT DISTINCT customer_id FROM outbox WHERE sent_ms IS NULL ORDER BY customer_id`)
	if err != nil {
		return fmt.Errorf("read outbox: %w", err)
	}
	var errs []error
	for _, c := range customers { // one customer's trouble doesn't hold up the others
		if err := b.send(ctx, now, c); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (b *Publisher) send(ctx context.Context, now time.Time, customer string) error {
	doc, revision, err := b.p.Document(ctx, customer)
	if err != nil {
		return err
	}
	k, err := b.p.ring.Of(customer)
	if err != nil {
		return err
	}
	plain, err := roster.Marshal(doc)
	if err != nil {
		return fmt.Errorf("document of %s: %w", customer, err)
	}
	request, err := json.Marshal(struct {
		Customer string `json:"customer"`
		Revision uint64 `json:"revision"`
		Sealed   []byte `json:"sealed"`
	}{customer, revision, seal.SealColumn(k, sealPurpose, plain)})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	answer, err := b.mesh.Call(ctx, "central.put", request)
	if err != nil {
		return fmt.Errorf("publish roster of %s: %w", customer, err)
	}
	var put struct {
		Index uint64 `json:"index"`
	}
	if err := json.Unmarshal(answer, &put); err != nil {
		return fmt.Errorf("publish roster of %s: answer of central.put: %w", customer, err)
	}
	err = b.p.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE outbox SET sent_ms = ?3, mesh_index = ?4 WHERE customer_id = ?1 AND revision <= ?2 AND sent_ms IS NULL`,
			customer, revision, now.UnixMilli(), put.Index)
		return err
	})
	if err != nil {
		return fmt.Errorf("note published roster of %s: %w", customer, err)
	}
	b.p.published()
	b.log.Info("roster published", "customer", customer, "revision", revision, "index", put.Index)
	return nil
}

// Compare queues again every document whose revision in the mesh is not ours:
// the mesh began anew, or this store was restored from a backup.
func (b *Publisher) Compare(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	answer, err := b.mesh.Call(ctx, "central.status", []byte("{}"))
	if err != nil {
		return fmt.Errorf("compare rosters: %w", err)
	}
	var status struct {
		Documents map[string]struct {
			Revision uint64 `json:"revision"`
		} `json:"documents"`
	}
	if err := json.Unmarshal(answer, &status); err != nil {
		return fmt.Errorf("compare rosters: answer of central.status: %w", err)
	}
	rows, err := b.p.db.Read().QueryContext(ctx, `SELECT id, revision,
		EXISTS(SELECT 1 FROM outbox WHERE outbox.customer_id = customers.id AND sent_ms IS NULL) FROM customers WHERE revision > 0`)
	if err != nil {
		return fmt.Errorf("compare rosters: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	behind := map[string]uint64{}
	for rows.Next() {
		var id string
		var ours uint64
		var unsent bool
		if err := rows.Scan(&id, &ours, &unsent); err != nil {
			return fmt.Errorf("compare rosters: %w", err)
		}
		if theirs := status.Documents[id].Revision; theirs > ours || theirs < ours && !unsent {
			behind[id] = theirs
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("compare rosters: %w", err)
	}
	for id, theirs := range behind {
		b.log.Warn("the mesh has another revision of a roster, publishing anew", "customer", id, "mesh_revision", theirs)
		if err := b.p.db.Write(ctx, func(tx *sql.Tx) error { return queue(ctx, tx, now, id, theirs) }); err != nil {
			return fmt.Errorf("compare rosters: %w", err)
		}
	}
	return nil
}

func (b *Publisher) measure(ctx context.Context, now time.Time) {
	var l Lag
	var oldest int64
	err := b.p.db.Read().QueryRowContext(ctx, `SELECT count(*), coalesce(min(created_ms), ?1) FROM outbox WHERE sent_ms IS NULL`, now.UnixMilli()).Scan(&l.Entries, &oldest)
	if err != nil {
		return
	}
	l.Seconds = float64(now.UnixMilli()-oldest) / 1000
	b.unsent.Set(float64(l.Entries))
	b.lag.Store(&l)
}

func list(ctx context.Context, q store.Querier, query string, args ...any) ([]string, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err below
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}
