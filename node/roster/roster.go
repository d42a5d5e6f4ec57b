// Package roster knows every customer's panels, contacts and rules, as the
// newest documents in the agreement say, and finds the panel of a message.
//
// Readers (intake, alerting, notify) never wait and never lock: they get a
// snapshot that doesn't change any more. A document that can't be opened is
// counted and named by its customer's id; all others are served, and that
// customer's former document stays until it can be opened or is destroyed.
//
// New starts nothing; Run follows the agreement until its context ends and is
// the only writer.
package roster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/cluster/env"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// syncPause is how far the roster may lie behind what is applied.
const syncPause = 5 * time.Millisecond

// Purpose under which documents are sealed (seal.OpenColumn).
const Purpose = "roster"

// Document is one part of a customer's roster as the agreement has it.
type Document struct {
	Customer string
	Part     int // 0: contacts, rules and the first panels; others: more panels
	Revision uint64
	Index    uint64 // agreement index at which it was put
	Sealed   []byte
}

// partOf names a document.
type partOf struct {
	customer string
	part     int
}

// Source is the agreement's view. Its answers are consistent with one another
// only within Documents.
type Source interface {
	// Documents returns the documents put after the given agreement index, how
	// many there are in all, and the index that this answer reflects.
	Documents(after uint64) (changed []Document, count int, index uint64)
	// HasDocument tells whether the customer has a roster: false once destroyed.
	HasDocument(customer string) bool
	// CustomerKey is the key of a customer, false when it has none or it is destroyed.
	CustomerKey(customer string) (seal.Key, bool)
	// Changed is closed at the next change of the agreement's state.
	Changed() <-chan struct{}
}

// Roster holds the newest snapshot.
type Roster struct {
	source Source
	log    *slog.Logger
	now    atomic.Pointer[Snapshot]
	follow func(customer string, index uint64, was, is []roster.Panel)
	failed map[partOf]Document // could not be opened; of Run's goroutine
	latest uint64              // index of the newest document seen; of Run's goroutine

	unopened prometheus.Gauge
	panels   prometheus.Gauge
}

// New makes an empty roster that will follow source.
func New(source Source, e env.Env) *Roster {
	r := &Roster{
		source: source,
		log:    e.Log,
		failed: make(map[partOf]Document),
		unopened: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vedetta_roster_unopened", Help: "Roster documents that could not be opened with their customer's key."}),
		panels: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "vedetta_roster_panels", Help: "Panels in the roster."}),
	}
	e.Metrics.MustRegister(r.unopened, r.panels)
	r.now.Store(newSnapshot())
	return r
}

// Follow sets who is told of every document's change, in Sync's goroutine after
// the snapshot has it: the panels of one part of a customer's roster before and
// now, and the agreement index of what it is now. A panel that is gone from it
// may stand in another part. Call it before Run.
func (r *Roster) Follow(fn func(customer string, index uint64, was, is []roster.Panel)) {
	r.follow = fn
}

// Snapshot is the roster as of now; it never changes.
func (r *Roster) Snapshot() *Snapshot { return r.now.Load() }

// Index is the agreement index that the roster reflects.
func (r *Roster) Index() uint64 { return r.now.Load().index }

// Find is Snapshot().Find.
func (r *Roster) Find(listener string, prefix, receiver *string, account string) (Match, Kind) {
	return r.now.Load().Find(listener, prefix, receiver, account)
}

// Run follows the agreement until ctx ends; it returns ctx's error only.
func (r *Roster) Run(ctx context.Context) error {
	retry := time.NewTicker(5 * time.Second) // documents that failed, and a change that was missed
	defer retry.Stop()
	for {
		changed := r.source.Changed() // before looking, so that no change is lost
		r.Sync()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			// Commands come by the hundred; documents seldom.
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(syncPause):
			}
		case <-retry.C:
		}
	}
}

// Sync takes over what changed since the last call. Run calls it; tests and
// the wiring, before Run, may.
func (r *Roster) Sync() {
	docs, count, index := r.source.Documents(r.latest)
	old := r.now.Load()
	if len(docs) == 0 && len(r.failed) == 0 && count == old.documents {
		r.now.Store(&Snapshot{max(index, old.index), old.tables})
		return
	}
	next := newBuilder(old)
	for _, d := range docs {
		r.latest = max(r.latest, d.Index)
		r.failed[partOf{d.Customer, d.Part}] = d
	}
	// A customer's first part comes first: without its rules nobody would be told
	// of what the other parts' panels send, and no word said of it.
	for _, of := range slices.SortedFunc(maps.Keys(r.failed), func(a, b partOf) int { return cmp.Compare(a.part, b.part) }) {
		d := r.failed[of]
		if !r.source.HasDocument(of.customer) {
			delete(r.failed, of)
			continue
		}
		k, doc, err := r.open(d)
		if err == nil && of.part > 0 && !next.has(of.customer) {
			err = errNoRules
		}
		if err != nil {
			r.log.Error("roster document not opened, its former one stays", "customer", of.customer, "part", of.part, "revision", d.Revision, "err", err)
			continue
		}
		delete(r.failed, of)
		next.put(d, doc, k)
	}
	if next.documents+len(r.failed) != count { // some were destroyed, or some failed ones have a former one
		old.each(func(l *Loaded) {
			if !r.source.HasDocument(l.Doc.ID) {
				next.drop(l.Doc.ID)
			}
		})
	}
	r.unopened.Set(float64(len(r.failed)))
	r.panels.Set(float64(next.panels))
	r.now.Store(next.done(max(index, old.index)))
	if r.follow != nil {
		for _, c := range next.moved {
			r.follow(c.customer, c.index, c.was, c.is)
		}
	}
}

// Why a document isn't taken, besides what is wrong with it.
var (
	errNoKey   = errors.New("customer has no key")
	errNoRules = errors.New("the customer's first part isn't there")
)

func (r *Roster) open(d Document) (k seal.Key, doc roster.Customer, err error) {
	k, ok := r.source.CustomerKey(d.Customer)
	if !ok {
		return k, doc, fmt.Errorf("document of customer %s: %w", d.Customer, errNoKey)
	}
	plain, err := seal.OpenColumn(k, Purpose, d.Sealed)
	if err != nil {
		return k, doc, fmt.Errorf("document of customer %s: %w", d.Customer, err)
	}
	if doc, err = roster.Unmarshal(plain); err != nil {
		return k, doc, fmt.Errorf("document of customer %s: %w", d.Customer, err)
	}
	if doc.Part != d.Part {
		return k, doc, fmt.Errorf("document of customer %s: part %d, want %d", d.Customer, doc.Part, d.Part)
	}
	doc.ID = d.Customer // what the agreement says holds
	return k, doc, nil
}
