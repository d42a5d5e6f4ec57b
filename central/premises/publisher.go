package premises

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
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
	mesh   Nodes
	log    *slog.Logger
	unsent prometheus.Gauge
	lag    atomic.Pointer[Lag]
}

// Lag is how far the mesh is behind what customers have entered.
type Lag struct {
	Entries int
	Seconds float64 // age of the oldest change that was not acknowledged
}

// Nodes are the mesh as one, and each by its name.
type Nodes interface {
	keys.Mesh
	Nodes() []string
	Ask(ctx context.Context, node, method string, request []byte) ([]byte, error)
}

// NewPublisher starts nothing.
func NewPublisher(p *Premises, m Nodes, e env.Env) *Publisher {
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

// Flush sends the newest state of every part that has unsent changes.
func (b *Publisher) Flush(ctx context.Context, now time.Time) error {
	rows, err := b.p.db.Read().QueryContext(ctx, `SELECT DISTINCT customer_id, part FROM outbox WHERE sent_ms IS NULL ORDER BY customer_id, part`)
	if err != nil {
		return fmt.Errorf("read outbox: %w", err)
	}
	type unsent struct {
		customer string
		part     int
	}
	var list []unsent
	for rows.Next() {
		var u unsent
		if err := rows.Scan(&u.customer, &u.part); err != nil {
			return errors.Join(fmt.Errorf("read outbox: %w", err), rows.Close())
		}
		list = append(list, u)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("read outbox: %w", err)
	}
	var errs []error
	for from := 0; from < len(list); { // one customer's trouble doesn't hold up the others
		customer, parts := list[from].customer, []int{}
		for ; from < len(list) && list[from].customer == customer; from++ {
			parts = append(parts, list[from].part)
		}
		if err := b.publish(ctx, now, customer, parts); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// sent is a part that the mesh has acknowledged.
type sent struct {
	part     int
	revision uint64
	index    uint64
}

// publish sends these parts of a customer's roster. They count as sent when
// every node that can be asked has applied them: what is in force holds at each.
func (b *Publisher) publish(ctx context.Context, now time.Time, customer string, parts []int) error {
	var done []sent
	var failed error
	for _, part := range parts {
		s, err := b.send(ctx, customer, part)
		if err != nil {
			failed = err
			break
		}
		done = append(done, s)
	}
	if len(done) == 0 {
		return failed
	}
	index := uint64(0)
	for _, s := range done {
		index = max(index, s.index)
	}
	b.applied(ctx, index)
	err := b.p.db.Write(ctx, func(tx *sql.Tx) error {
		for _, s := range done {
			if _, err := tx.ExecContext(ctx, `UPDATE outbox SET sent_ms = ?3, mesh_index = ?4 WHERE customer_id = ?1 AND part = ?5 AND revision <= ?2 AND sent_ms IS NULL`,
				customer, s.revision, now.UnixMilli(), s.index, s.part); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return errors.Join(failed, fmt.Errorf("note published roster of %s: %w", customer, err))
	}
	b.p.published()
	b.log.Info("roster published", "customer", customer, "parts", len(done), "index", index)
	return failed
}

// appliedWithin bounds the wait for nodes that are held or far behind: they
// follow by themselves, and meanwhile refuse what they don't know.
const appliedWithin = time.Second

// applied waits until every node that answers has applied the index.
func (b *Publisher) applied(ctx context.Context, index uint64) {
	ctx, cancel := context.WithTimeout(ctx, appliedWithin)
	defer cancel()
	request := fmt.Appendf(nil, `{"index":%d}`, index)
	var wg sync.WaitGroup
	for _, node := range b.mesh.Nodes() {
		wg.Go(func() {
			if _, err := b.mesh.Ask(ctx, node, "central.applied", request); err != nil {
				b.log.Debug("a node was not seen to apply a roster", "node", node, "err", err)
			}
		})
	}
	wg.Wait()
}

// send puts one part into the mesh.
func (b *Publisher) send(ctx context.Context, customer string, part int) (sent, error) {
	doc, revision, err := b.p.document(ctx, customer, part)
	if err != nil {
		return sent{}, err
	}
	k, err := b.p.ring.Of(customer)
	if err != nil {
		return sent{}, err
	}
	plain, err := roster.Marshal(doc)
	if err != nil {
		return sent{}, fmt.Errorf("document of %s: %w", customer, err)
	}
	request, err := json.Marshal(struct {
		Customer string `json:"customer"`
		Part     int    `json:"part,omitempty"`
		Revision uint64 `json:"revision"`
		Sealed   []byte `json:"sealed"`
	}{customer, part, revision, seal.SealColumn(k, sealPurpose, plain)})
	if err != nil {
		return sent{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	answer, err := b.mesh.Call(ctx, "central.put", request)
	if err != nil {
		return sent{}, fmt.Errorf("publish roster of %s: %w", customer, err)
	}
	var put struct {
		Index uint64 `json:"index"`
	}
	if err := json.Unmarshal(answer, &put); err != nil {
		return sent{}, fmt.Errorf("publish roster of %s: answer of central.put: %w", customer, err)
	}
	return sent{part, revision, put.Index}, nil
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
			Revision uint64         `json:"revision"`
			Parts    map[int]uint64 `json:"parts"`
		} `json:"documents"`
	}
	if err := json.Unmarshal(answer, &status); err != nil {
		return fmt.Errorf("compare rosters: answer of central.status: %w", err)
	}
	rows, err := b.p.db.Read().QueryContext(ctx, `SELECT customer_id, part, revision,
		EXISTS(SELECT 1 FROM outbox WHERE outbox.customer_id = roster_parts.customer_id AND outbox.part = roster_parts.part AND sent_ms IS NULL)
		FROM roster_parts ORDER BY customer_id, part`)
	if err != nil {
		return fmt.Errorf("compare rosters: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	type other struct {
		theirs uint64
		parts  []int
	}
	behind := map[string]other{}
	for rows.Next() {
		var id string
		var part int
		var ours uint64
		var unsent bool
		if err := rows.Scan(&id, &part, &ours, &unsent); err != nil {
			return fmt.Errorf("compare rosters: %w", err)
		}
		theirs := status.Documents[id].Revision
		if part > 0 {
			theirs = status.Documents[id].Parts[part]
		}
		if theirs > ours || theirs < ours && !unsent {
			o := behind[id]
			behind[id] = other{max(o.theirs, theirs), append(o.parts, part)}
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("compare rosters: %w", err)
	}
	for id, o := range behind {
		b.log.Warn("the mesh has another revision of a roster, publishing anew", "customer", id, "parts", len(o.parts), "mesh_revision", o.theirs)
		if err := b.p.db.Write(ctx, func(tx *sql.Tx) error { return queue(ctx, tx, now, id, o.theirs, o.parts) }); err != nil {
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
