package ingest

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vedetta/central/keys"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// keepChanges is how many changes the streams can go back.
const keepChanges = 200_000

type cursor struct {
	number uint64
	hash   mesh.Hash
	moved  bool
}

// batch is one transaction of records.
type batch struct {
	ctx       context.Context
	tx        *sql.Tx
	i         *Ingest
	cursors   map[mesh.Origin]*cursor
	customers map[string]bool // whose history changed
	ended     bool            // an address was taken out of its contact
	messages  int
	decisions int
}

func (b *batch) cursor(o mesh.Origin) (*cursor, error) {
	if c, ok := b.cursors[o]; ok {
		return c, nil
	}
	c := &cursor{}
	var n int64
	var hash []byte
	err := b.tx.QueryRowContext(b.ctx, `SELECT number, hash FROM cursors WHERE origin = ?1`, o.String()).Scan(&n, &hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read cursor: %w", err)
	}
	c.number = uint64(n)
	copy(c.hash[:], hash)
	b.cursors[o] = c
	return c, nil
}

func (b *batch) saveCursors() error {
	for o, c := range b.cursors {
		if !c.moved {
			continue
		}
		_, err := b.tx.ExecContext(b.ctx, `INSERT INTO cursors(origin, number, hash) VALUES(?1, ?2, ?3)
			ON CONFLICT(origin) DO UPDATE SET number = ?2, hash = ?3`, o.String(), int64(c.number), c.hash[:])
		if err != nil {
			return fmt.Errorf("move cursor of %s: %w", o, err)
		}
	}
	// Followers come back within minutes; who has been away longer reads the lists.
	_, err := b.tx.ExecContext(b.ctx, `DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - ?1`, keepChanges)
	if err != nil {
		return fmt.Errorf("forget old changes: %w", err)
	}
	return nil
}

// take stores the next record of its origin.
func (b *batch) take(r mesh.Record) error {
	c, err := b.cursor(r.Origin)
	if err != nil {
		return err
	}
	switch {
	case r.Number < c.number:
		return nil
	case r.Number == c.number:
		if r.Hash != c.hash {
			return fmt.Errorf("running hash: %w", ErrDiverged)
		}
		return nil
	case r.Number != c.number+1:
		return fmt.Errorf("want number %d: %w", c.number+1, ErrGap)
	case !r.Follows(c.hash):
		return fmt.Errorf("running hash: %w", ErrDiverged)
	}
	c.number, c.hash, c.moved = r.Number, r.Hash, true
	switch r.Kind {
	case mesh.KindMessage:
		b.messages++
		if err := b.storeEntry(r); err != nil {
			return err
		}
		return b.wake("entry " + r.Position().String())
	case mesh.KindDecision:
		b.decisions++
		if err := b.storeDecision(r); err != nil {
			return err
		}
		return b.decide(r)
	}
	return fmt.Errorf("kind %d: %w", r.Kind, ErrKind)
}

// storeEntry writes an entry once. The cursor passes over what is stored; should
// a row stand above it all the same, it must hold the same bytes.
func (b *batch) storeEntry(r mesh.Record) error {
	res, err := b.tx.ExecContext(b.ctx, `INSERT INTO entries(origin, number, day, record) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(origin, number) DO NOTHING`,
		r.Origin.String(), int64(r.Number), int64(r.Day), r.Bytes)
	if err != nil {
		return fmt.Errorf("store entry: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	var stored []byte
	err = b.tx.QueryRowContext(b.ctx, `SELECT record FROM entries WHERE origin = ?1 AND number = ?2`, r.Origin.String(), int64(r.Number)).Scan(&stored)
	if err != nil {
		return fmt.Errorf("read stored entry: %w", err)
	}
	if !bytes.Equal(stored, r.Bytes) {
		return fmt.Errorf("stored entry: %w", ErrDiverged)
	}
	return nil
}

// storeDecision keeps a decision's bytes, whatever becomes of it: reconcile
// holds the read models against them.
func (b *batch) storeDecision(r mesh.Record) error {
	_, err := b.tx.ExecContext(b.ctx, `INSERT INTO decisions(origin, number, day, record) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(origin, number) DO NOTHING`,
		r.Origin.String(), int64(r.Number), int64(r.Day), r.Bytes)
	if err != nil {
		return fmt.Errorf("store decision: %w", err)
	}
	return nil
}

// waits says what a decision waits for; empty means that it was applied.
type waits string

func (b *batch) decide(r mesh.Record) error { return b.decideItem(r, 0) }

// decideItem carries out one decision of a run, or with 0 a whole record.
func (b *batch) decideItem(r mesh.Record, item int) error {
	w, err := b.try(r, func() (waits, error) { return b.apply(r, item) })
	if err != nil || w == "" {
		return err
	}
	if item > 0 {
		return b.park(r.Origin.String(), r.Number, item, w, nil)
	}
	return b.park(r.Origin.String(), r.Number, 0, w, r.Bytes)
}

// try takes back what a decision wrote that could not be carried out to its
// end, and keeps it for repair: one never holds up the others.
func (b *batch) try(r mesh.Record, apply func() (waits, error)) (waits, error) {
	if _, err := b.tx.ExecContext(b.ctx, `SAVEPOINT decision`); err != nil {
		return "", fmt.Errorf("begin decision: %w", err)
	}
	w, err := apply()
	if err != nil {
		if stops(err) {
			return "", err // the whole batch is taken back
		}
		if _, err := b.tx.ExecContext(b.ctx, `ROLLBACK TO decision`); err != nil {
			return "", fmt.Errorf("take decision back: %w", err)
		}
		w = b.damaged(r.Position(), "not applied", err)
	}
	if _, err := b.tx.ExecContext(b.ctx, `RELEASE decision`); err != nil {
		return "", fmt.Errorf("end decision: %w", err)
	}
	return w, nil
}

// stops tells whether err is not the record's own fault: the store, the keys
// that can't be asked for now, a later form (rule 4), or the end of the program.
// Of SQLite's errors only a violated constraint is the record's.
func stops(err error) bool {
	const constraint = 19 // primary result code SQLITE_CONSTRAINT
	var coded interface{ Code() int }
	if errors.As(err, &coded) {
		return coded.Code()&0xff != constraint
	}
	for _, stop := range []error{context.Canceled, context.DeadlineExceeded, keys.ErrMissing, decision.ErrVersion, sql.ErrTxDone, sql.ErrConnDone, driver.ErrBadConn} {
		if errors.Is(err, stop) {
			return true
		}
	}
	return false
}

// damaged says so, for the operator, and what waits for nothing that comes by
// itself: it is kept with the reason, and no cursor stands still for it (rule 22).
func (b *batch) damaged(p mesh.Position, what string, err error) waits {
	b.i.log.Error("decision kept for repair: "+what, "record", p.String(), "err", err)
	reason := fmt.Sprintf("repair: %s: %v", what, err)
	return waits(reason[:min(len(reason), 400)])
}

// park lets a record wait, or one decision of a run, whose bytes are stored with
// the decisions.
func (b *batch) park(origin string, number uint64, item int, w waits, record []byte) error {
	if record == nil {
		record = []byte{}
	}
	_, err := b.tx.ExecContext(b.ctx, `INSERT INTO waiting(origin, number, item, awaits, record) VALUES(?1, ?2, ?3, ?4, ?5)
		ON CONFLICT(origin, number, item) DO UPDATE SET awaits = ?4`, origin, int64(number), item, strings.ToValidUTF8(string(w), ""), record)
	if err != nil {
		return fmt.Errorf("let it wait: %w", err)
	}
	return nil
}

// woken is what waited, and waits no more.
type woken struct {
	origin string
	number int64
	item   int
	bytes  []byte
	record mesh.Record
}

// wake applies what waited for this, in the order in which it was decided.
func (b *batch) wake(awaits string) error {
	list, err := b.wakes(awaits)
	if err != nil || len(list) == 0 {
		return err
	}
	var good []woken
	for _, k := range list {
		if k.item > 0 {
			err := b.tx.QueryRowContext(b.ctx, `SELECT record FROM decisions WHERE origin = ?1 AND number = ?2`, k.origin, k.number).Scan(&k.bytes)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return fmt.Errorf("wake: %w", err)
			}
		}
		var err error
		if k.record, err = mesh.Decode(k.bytes); err == nil {
			good = append(good, k)
			continue
		}
		b.i.log.Error("decision kept for repair: stored form not read", "origin", k.origin, "number", k.number, "err", err)
		if err := b.park(k.origin, uint64(k.number), k.item, waits("repair: stored form not read"), k.bytes); err != nil {
			return err
		}
	}
	slices.SortFunc(good, func(a, b woken) int {
		return cmp.Or(a.record.Origin.Compare(b.record.Origin), cmp.Compare(a.number, b.number), cmp.Compare(a.item, b.item))
	})
	for _, k := range good {
		if err := b.decideItem(k.record, k.item); err != nil {
			return fmt.Errorf("waiting decision %s: %w", k.record.Position(), err)
		}
	}
	return nil
}

// wakes takes what waited for this out of the table.
func (b *batch) wakes(awaits string) (list []woken, err error) {
	rows, err := b.tx.QueryContext(b.ctx, `DELETE FROM waiting WHERE awaits = ?1 RETURNING origin, number, item, record`, awaits)
	if err != nil {
		return nil, fmt.Errorf("wake: %w", err)
	}
	for rows.Next() {
		var k woken
		if err := rows.Scan(&k.origin, &k.number, &k.item, &k.bytes); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		list = append(list, k)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("wake: %w", err)
	}
	return list, nil
}
