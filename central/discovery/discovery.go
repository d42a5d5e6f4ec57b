// Package discovery shows what panels that nobody has entered have sent, and
// gives it to a panel: an unknown panel is adopted in one step and takes its
// held messages of the last 7 days with it.
//
// It keeps where held messages are, never what they say: that is read from the
// entry each time, under the key of its day, and is gone with that key. Which
// events come of an adopted message the mesh decides; here stands only which
// messages belong to which adoption and what became of each. An adoption is
// one transaction with its panel, and is carried out until every message has
// an outcome, through restarts.
//
// New starts nothing; Run is the only goroutine.
package discovery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/cluster/env"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Keep is how far back held messages are shown and adopted: days' keys live as
// long (journal.retention_days of the nodes).
const Keep = 7 * 24 * time.Hour

// after is how long after an adoption a message may be held that belongs to it:
// a node had not applied the new roster when it came.
const after = time.Minute

// Errors that callers decide by.
var (
	ErrNone   = errors.New("there is no unknown panel with this id; it may have been adopted, or be over 7 days old")
	ErrCursor = errors.New("want a cursor as given in next")
)

// Discovery is safe for several goroutines.
type Discovery struct {
	db       *store.DB
	ring     *keys.Ring
	premises *premises.Premises
	mesh     keys.Mesh
	log      *slog.Logger
	hint     chan struct{} // an adoption was begun, one is enough
}

// New starts nothing.
func New(db *store.DB, ring *keys.Ring, p *premises.Premises, m keys.Mesh, e env.Env) *Discovery {
	return &Discovery{db: db, ring: ring, premises: p, mesh: m, log: e.Log, hint: make(chan struct{}, 1)}
}

func (d *Discovery) wake() {
	select {
	case d.hint <- struct{}{}:
	default:
	}
}

// groupIndex is what an unknown panel is known by: all that a message says of
// where it comes from.
func groupIndex(own seal.Key, m entry.Message) []byte {
	part := func(s *string) string {
		if s == nil {
			return "-"
		}
		return "=" + *s
	}
	return own.Index("held panel", strings.ToUpper(strings.Join([]string{m.Listener, part(m.Prefix), part(m.Receiver), m.Account}, "\x00")))
}

// Note keeps where a held message is, in the transaction that takes over the
// mesh's decision about it. When its account was adopted a moment before it
// came, it goes with that adoption.
func (d *Discovery) Note(ctx context.Context, tx *sql.Tx, p mesh.Position, m entry.Message) error {
	own, err := d.ring.Own()
	if err != nil {
		return err
	}
	number := premises.NumberIndex(own, m.Listener, m.Account)
	received := m.Received.UnixMilli()
	var adoption sql.NullInt64
	err = tx.QueryRowContext(ctx, `SELECT max(seq) FROM adoptions WHERE number_index = ?1 AND until_ms >= ?2`, number, received).Scan(&adoption)
	if err != nil {
		return fmt.Errorf("note held message: %w", err)
	}
	listed := 1
	if adoption.Valid {
		listed = 0
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO held(origin, number, group_index, number_index, received_ms, encrypted, poll, listed, adoption)
		VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT(origin, number) DO NOTHING`,
		p.Origin.String(), int64(p.Number), groupIndex(own, m), number, received, m.Encrypted, dc09.KindOf(m.Token) == dc09.KindPoll, listed, adoption)
	if err == nil && adoption.Valid {
		_, err = tx.ExecContext(ctx, `UPDATE adoptions SET done_ms = NULL WHERE seq = ?1`, adoption.Int64)
		d.wake() // too early by a moment; Run looks again
	}
	if err != nil {
		return fmt.Errorf("note held message: %w", err)
	}
	return nil
}

// Forget deletes rows that nobody can read any more.
func (d *Discovery) Forget(ctx context.Context, now time.Time) error {
	err := d.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM held WHERE received_ms < ?1`, now.Add(-Keep-24*time.Hour).UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("forget held messages: %w", err)
	}
	return nil
}

// open reads a held message; ok is false when nobody can any more.
func (d *Discovery) open(stored []byte) (m entry.Message, ok bool, err error) {
	r, err := mesh.Decode(stored)
	if err != nil {
		return m, false, fmt.Errorf("stored entry: %w", err)
	}
	plain, _, err := d.ring.OpenRecord(r)
	switch {
	case errors.Is(err, keys.ErrUnknown):
		return m, false, nil
	case err != nil:
		return m, false, err
	}
	m, err = entry.Unmarshal(plain)
	return m, err == nil, err
}
