package ingest

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

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
		_, err := b.tx.ExecContext(b.ctx, `INSERT INTO entries(origin, number, day, record) VALUES(?1, ?2, ?3, ?4)`,
			r.Origin.String(), int64(r.Number), int64(r.Day), r.Bytes)
		if err != nil {
			return fmt.Errorf("store entry: %w", err)
		}
		return b.wake("entry " + r.Position().String())
	case mesh.KindDecision:
		b.decisions++
		return b.decide(r)
	}
	return fmt.Errorf("kind %d: %w", r.Kind, ErrKind)
}

// waits says what a decision waits for; empty means that it was applied.
type waits string

func (b *batch) decide(r mesh.Record) error {
	w, err := b.apply(r)
	if err != nil || w == "" {
		return err
	}
	_, err = b.tx.ExecContext(b.ctx, `INSERT INTO waiting(origin, number, awaits, record) VALUES(?1, ?2, ?3, ?4)
		ON CONFLICT(origin, number) DO UPDATE SET awaits = ?3`, r.Origin.String(), int64(r.Number), string(w), r.Bytes)
	if err != nil {
		return fmt.Errorf("let it wait: %w", err)
	}
	return nil
}

// wake applies what waited for this, in the order in which it was decided.
func (b *batch) wake(awaits string) error {
	rows, err := b.tx.QueryContext(b.ctx, `DELETE FROM waiting WHERE awaits = ?1 RETURNING origin, number, record`, awaits)
	if err != nil {
		return fmt.Errorf("wake: %w", err)
	}
	var woken []mesh.Record
	for rows.Next() {
		var origin string
		var number int64
		var bytes []byte
		if err := rows.Scan(&origin, &number, &bytes); err != nil {
			return errors.Join(err, rows.Close())
		}
		r, err := mesh.Decode(bytes)
		if err != nil {
			return errors.Join(fmt.Errorf("waiting decision %s.%d: %w", origin, number, err), rows.Close())
		}
		woken = append(woken, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("wake: %w", err)
	}
	sortRecords(woken)
	for _, r := range woken {
		if err := b.decide(r); err != nil {
			return fmt.Errorf("waiting decision %s: %w", r.Position(), err)
		}
	}
	return nil
}

func sortRecords(list []mesh.Record) {
	slices.SortFunc(list, func(a, b mesh.Record) int {
		return cmp.Or(a.Origin.Compare(b.Origin), cmp.Compare(a.Number, b.Number))
	})
}
