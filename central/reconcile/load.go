package reconcile

import (
	"context"
	"crypto/hmac"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// loader reads dossiers of one committed state.
type loader struct {
	ctx  context.Context
	q    store.Querier
	ring *keys.Ring

	cursors, floors map[mesh.Origin]Held
	fresh           map[Subject][]stored // applied, and come after the last were indexed
	freshCopies     map[mesh.Position][]mesh.Position
}

// stored is one decision: which of the record's.
type stored struct {
	record []byte
	item   int // from 1 in a run, else 0
}

// errBusy: more has come than is looked up one by one; it is indexed first.
var errBusy = errors.New("many decisions have come meanwhile")

// maxFresh is how many unindexed decisions a snapshot is judged with.
const maxFresh = 4 * chunk

func newLoader(ctx context.Context, q store.Querier, ring *keys.Ring) (*loader, error) {
	l := &loader{ctx: ctx, q: q, ring: ring}
	var err error
	if l.cursors, err = l.marks(`SELECT origin, number, hash FROM cursors`); err != nil {
		return nil, err
	}
	if l.floors, err = l.marks(`SELECT origin, number, hash FROM walks WHERE walk = 'floor'`); err != nil {
		return nil, err
	}
	return l, l.readFresh()
}

// readFresh reads what ingest has applied since the index was brought up to
// date: without it the read models would be ahead of their decisions.
func (l *loader) readFresh() error {
	l.fresh, l.freshCopies = map[Subject][]stored{}, map[mesh.Position][]mesh.Position{}
	n := 0
	waits, err := l.waiting(`SELECT w.origin, w.number, w.item FROM waiting w JOIN decisions d ON d.origin = w.origin AND d.number = w.number
		WHERE d.subject IS NULL OR d.subject >= 'key ' AND d.subject < 'key!'`)
	if err != nil {
		return err
	}
	return each(l.ctx, l.q, `SELECT origin, number, record FROM decisions WHERE (subject IS NULL OR subject >= 'key ' AND subject < 'key!') ORDER BY origin, number`, nil, func(r row) error {
		if n++; n > maxFresh {
			return errBusy
		}
		var u unread
		err := r.Scan(&u.origin, &u.number, &u.stored)
		if err != nil || waits[item{u.origin, u.number, 0}] {
			return err
		}
		if _, u.about, err = subjectsOf(l.ring, u.stored); err != nil {
			return err
		}
		for _, a := range u.about {
			if waits[item{u.origin, u.number, a.item}] {
				continue
			}
			l.fresh[a.subject] = append(l.fresh[a.subject], stored{u.stored, a.item})
			if p, ok := Unit(a.subject).position(entryPrefix); ok && !a.copyOf.IsZero() {
				l.freshCopies[a.copyOf] = append(l.freshCopies[a.copyOf], p)
			}
		}
		return nil
	})
}

// item is one decision's place: of a run, which one, else 0.
type item struct {
	origin string
	number int64
	item   int
}

func (l *loader) waiting(query string) (map[item]bool, error) {
	out := map[item]bool{}
	err := each(l.ctx, l.q, query, nil, func(r row) error {
		var i item
		err := r.Scan(&i.origin, &i.number, &i.item)
		out[i] = true
		return err
	})
	return out, err
}

func (l *loader) marks(query string) (map[mesh.Origin]Held, error) {
	out := map[mesh.Origin]Held{}
	err := each(l.ctx, l.q, query, nil, func(r row) error {
		var text string
		var n int64
		var hash []byte
		if err := r.Scan(&text, &n, &hash); err != nil {
			return err
		}
		o, err := mesh.ParseOrigin(text)
		if err != nil {
			return err
		}
		h := Held{Number: uint64(n)}
		copy(h.Hash[:], hash)
		out[o] = h
		return nil
	})
	return out, err
}

func (l *loader) passed(p mesh.Position) bool { return p.Number <= l.cursors[p.Origin].Number }
func (l *loader) floor(p mesh.Position) bool  { return p.Number <= l.floors[p.Origin].Number }

// whole decodes a stored record and looks whether it continues the one before.
func (l *loader) whole(table string, p mesh.Position, stored []byte) (mesh.Record, bool, error) {
	r, err := mesh.Decode(stored)
	if err != nil || r.Position() != p {
		return r, false, nil
	}
	var before mesh.Hash
	if p.Number > 1 {
		var bytes []byte
		err := l.q.QueryRowContext(l.ctx, `SELECT record FROM `+table+` WHERE origin = ?1 AND number = ?2`, p.Origin.String(), int64(p.Number-1)).Scan(&bytes)
		switch f := l.floors[p.Origin]; {
		case errors.Is(err, sql.ErrNoRows) && f.Number == p.Number-1:
			before = f.Hash
		case errors.Is(err, sql.ErrNoRows):
			return r, true, nil // the one before is missing, and said to be
		case err != nil:
			return r, false, fmt.Errorf("read %s: %w", p, err)
		default:
			b, err := mesh.Decode(bytes)
			if err != nil {
				return r, true, nil // that one is damaged
			}
			before = b.Hash
		}
	}
	return r, r.Follows(before), nil
}

// record is one decision by itself.
func (l *loader) record(p mesh.Position) (Record, error) {
	r := Record{At: p, Passed: l.passed(p), Floor: l.floor(p)}
	var stored []byte
	var awaits sql.NullString
	err := l.q.QueryRowContext(l.ctx, `SELECT d.record, w.awaits FROM decisions d LEFT JOIN waiting w ON w.origin = d.origin AND w.number = d.number
		WHERE d.origin = ?1 AND d.number = ?2 ORDER BY w.item LIMIT 1`, p.Origin.String(), int64(p.Number)).Scan(&stored, &awaits)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	} else if err != nil {
		return r, fmt.Errorf("read decision %s: %w", p, err)
	}
	r.Here, r.Awaits = true, awaits.String
	_, r.Whole, err = l.whole("decisions", p, stored)
	return r, err
}

// dossier is one entry with all that belongs to it.
func (l *loader) dossier(p mesh.Position) (Dossier, error) {
	d := Dossier{Entry: p, Passed: l.passed(p), Floor: l.floor(p)}
	if err := l.entry(&d); err != nil {
		return d, fmt.Errorf("entry %s: %w", p, err)
	}
	if d.Floor {
		return d, nil
	}
	if err := l.decided(&d, Subject(entryPrefix+p.String())); err != nil {
		return d, fmt.Errorf("decisions about %s: %w", p, err)
	}
	var planned []string
	for _, x := range d.Decided {
		if x.Verdict == nil {
			continue
		}
		for _, n := range x.Verdict.Plan {
			planned = append(planned, n.ID)
		}
	}
	for _, id := range planned {
		if err := l.decided(&d, Subject(notificationPrefix+id)); err != nil {
			return d, fmt.Errorf("decisions about notification %s: %w", id, err)
		}
	}
	n, err := l.copies(p, 0)
	if err != nil {
		return d, fmt.Errorf("copies of %s: %w", p, err)
	}
	d.Copies = n
	if err := l.shown(&d); err != nil {
		return d, fmt.Errorf("what is shown of %s: %w", p, err)
	}
	return d, nil
}

func (l *loader) entry(d *Dossier) error {
	var stored []byte
	var day int64
	var ruling, origin sql.NullString
	var number sql.NullInt64
	err := l.q.QueryRowContext(l.ctx, `SELECT record, day, ruling, copy_origin, copy_number FROM entries WHERE origin = ?1 AND number = ?2`,
		d.Entry.Origin.String(), int64(d.Entry.Number)).Scan(&stored, &day, &ruling, &origin, &number)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	e := &EntryRow{Ruling: decision.Ruling(ruling.String), Received: mesh.Day(day).Time()}
	d.Row = e
	if o, err := mesh.ParseOrigin(origin.String); err == nil && number.Valid {
		e.CopyOf = mesh.Position{Origin: o, Number: uint64(number.Int64)}
	}
	r, whole, err := l.whole("entries", d.Entry, stored)
	if e.Whole = whole; err != nil || !whole {
		return err
	}
	plain, _, err := l.ring.OpenRecord(r)
	if errors.Is(err, keys.ErrMissing) {
		return err
	} else if err != nil {
		return nil // its key is destroyed, or it is not for us to read: the decision has what matters
	}
	if m, err := entry.Unmarshal(plain); err == nil {
		e.Message, e.Received = &m, m.Received
	}
	return nil
}

// decided adds the applied decisions with a subject, in their order.
func (l *loader) decided(d *Dossier, s Subject) error {
	var list []stored
	err := each(l.ctx, l.q, `SELECT record, 0 AS item, origin, number FROM decisions d WHERE subject = ?1
			AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.origin = d.origin AND w.number = d.number)
		UNION ALL SELECT d.record, i.item, d.origin, d.number FROM run_items i JOIN decisions d ON d.origin = i.origin AND d.number = i.number WHERE i.subject = ?1
			AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.origin = i.origin AND w.number = i.number AND w.item IN (0, i.item))
		ORDER BY origin, number`,
		[]any{string(s)}, func(r row) error {
			var x stored
			var origin string
			var number int64
			err := r.Scan(&x.record, &x.item, &origin, &number)
			list = append(list, x)
			return err
		})
	for _, x := range append(list, l.fresh[s]...) {
		err = errors.Join(err, l.addDecided(d, x))
	}
	return err
}

// addDecided opens a decision; one that can't be opened hides what it says. A
// damaged one is a case of its own.
func (l *loader) addDecided(d *Dossier, x stored) error {
	rec, err := mesh.Decode(x.record)
	if err != nil {
		d.Hidden = true
		return nil
	}
	plain, _, err := l.ring.OpenRecord(rec)
	if errors.Is(err, keys.ErrMissing) {
		return err
	} else if err != nil {
		d.Hidden = true
		return nil
	}
	list, err := decision.DecodeRecords(plain)
	if err != nil || x.item > len(list) {
		d.Hidden = true
		return nil
	}
	d.Decided = append(d.Decided, Decided{rec.Position(), list[max(x.item, 1)-1]})
	return nil
}

// copies counts the applied decisions that an entry repeats this one.
func (l *loader) copies(p mesh.Position, depth int) (n int, err error) {
	if depth > 100 {
		return 0, nil // ingest says so
	}
	list := append([]mesh.Position(nil), l.freshCopies[p]...)
	err = each(l.ctx, l.q, `SELECT subject FROM decisions WHERE copy_of = ?1
		AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.origin = decisions.origin AND w.number = decisions.number)`, []any{p.String()}, func(r row) error {
		var s string
		if err := r.Scan(&s); err != nil {
			return err
		}
		if of, ok := Unit(s).position(entryPrefix); ok {
			list = append(list, of)
		}
		return nil
	})
	for _, c := range list {
		more, err := l.copies(c, depth+1)
		if err != nil {
			return 0, err
		}
		n += 1 + more
	}
	return n, err
}

// shown reads the read models' rows of the entry.
func (l *loader) shown(d *Dossier) error {
	type event struct {
		EventRow
		index, sealed []byte
	}
	var events []event
	err := each(l.ctx, l.q, `SELECT id, customer_id, received_ms, copies, account_index, sealed_body FROM events WHERE entry_origin = ?1 AND entry_number = ?2 ORDER BY seq`,
		[]any{d.Entry.Origin.String(), int64(d.Entry.Number)}, func(r row) error {
			var e event
			err := r.Scan(&e.ID, &e.Customer, &e.ReceivedMs, &e.Copies, &e.index, &e.sealed)
			events = append(events, e)
			return err
		})
	if err != nil {
		return err
	}
	for _, e := range events {
		k, err := l.ring.Of(e.Customer)
		if errors.Is(err, keys.ErrMissing) {
			return err
		}
		if err != nil {
			d.Hidden = true
			continue
		}
		if opened(k, "event:"+e.ID, e.sealed, &e.Body) { // a body that can't be opened differs in all its fields
			e.Found = hmac.Equal(e.index, premises.AccountIndex(k, e.Body.Account))
		}
		d.Events = append(d.Events, e.EventRow)
		if err := l.notifications(d, e.ID); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) notifications(d *Dossier, event string) error {
	return each(l.ctx, l.q, `SELECT id, customer_id, event_id, planned_ms, state, attempts, sealed_body FROM notifications WHERE event_id = ?1 ORDER BY seq`,
		[]any{event}, func(r row) error {
			var n NotificationRow
			var sealed []byte
			if err := r.Scan(&n.ID, &n.Customer, &n.Event, &n.PlannedMs, &n.State, &n.Attempts, &sealed); err != nil {
				return err
			}
			if k, err := l.ring.Of(n.Customer); err != nil {
				d.Hidden = true
			} else {
				opened(k, "notification:"+n.ID, sealed, &n.Body)
			}
			d.Notifications = append(d.Notifications, n)
			return nil
		})
}

func opened(k seal.Key, purpose string, sealed []byte, out any) bool {
	plain, err := seal.OpenColumn(k, purpose, sealed)
	return err == nil && json.Unmarshal(plain, out) == nil
}

type row interface{ Scan(...any) error }

// each calls fn for every row.
func each(ctx context.Context, q store.Querier, query string, args []any, fn func(row) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := fn(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}
