package discovery

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"vedetta/central/store"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
)

// Outcomes that the mesh gives (node/intake) and that mean more here than that
// a message stays held.
const (
	outcomeAdopted = "adopted"
	outcomePoll    = "poll"
	outcomeNoPanel = "no_panel" // the node may not have applied the roster yet
)

const (
	batch       = 100              // messages of one call: each is flushed at a majority before the next
	callWithin  = 30 * time.Second // of a batch
	rosterGrace = 20 * time.Second // how long a node that knows no such panel may be behind
	lookAgain   = 5 * time.Second
	forgetEvery = time.Hour
)

type running struct {
	seq      int64
	customer string
	panel    string
	tell     entry.Tell
	revision uint64
	atMs     int64
	untilMs  int64
}

// Run carries adoptions out until ctx ends. It returns only ctx's error, or a
// fatal one of the disk below.
func (d *Discovery) Run(ctx context.Context) error {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	said := ""
	var forgot time.Time
	for {
		err := d.Carry(ctx, time.Now())
		if now := time.Now(); err == nil && now.Sub(forgot) >= forgetEvery {
			if err = d.Forget(ctx, now); err == nil {
				forgot = now
			}
		}
		if store.Fatal(err) {
			return err
		}
		text := ""
		if err != nil && ctx.Err() == nil {
			if text = err.Error(); text != said {
				d.log.Warn("an adoption was not carried out, it is tried again", "err", err)
			}
		}
		said = text
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-d.hint:
		case <-tick.C:
		}
	}
}

// Carry does what can be done now of every adoption that is under way.
func (d *Discovery) Carry(ctx context.Context, now time.Time) error {
	rows, err := d.db.Read().QueryContext(ctx, `SELECT seq, customer_id, panel_id, tell, revision, at_ms, until_ms FROM adoptions WHERE done_ms IS NULL ORDER BY seq`)
	if err != nil {
		return fmt.Errorf("read adoptions: %w", err)
	}
	var list []running
	for rows.Next() {
		var r running
		if err := rows.Scan(&r.seq, &r.customer, &r.panel, &r.tell, &r.revision, &r.atMs, &r.untilMs); err != nil {
			return errors.Join(err, rows.Close())
		}
		list = append(list, r)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("read adoptions: %w", err)
	}
	var errs []error
	for _, r := range list { // one's trouble doesn't hold up the others
		if err := d.carry(ctx, now, r); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (d *Discovery) carry(ctx context.Context, now time.Time, r running) error {
	inForce, err := d.premises.AwaitInForce(ctx, r.customer, r.revision, 2*time.Second)
	if err != nil || !inForce {
		return err // the publisher says what is wrong
	}
	for {
		next, err := d.next(ctx, r.seq)
		if err != nil {
			return err
		}
		if len(next) == 0 {
			return d.done(ctx, now, r.seq)
		}
		again, err := d.ask(ctx, now, r, next)
		if err != nil || again {
			return err
		}
	}
}

// next are the oldest messages without an outcome.
func (d *Discovery) next(ctx context.Context, seq int64) (list []mesh.Position, err error) {
	rows, err := d.db.Read().QueryContext(ctx, `SELECT origin, number FROM held WHERE adoption = ?1 AND outcome IS NULL ORDER BY received_ms, origin, number LIMIT ?2`, seq, batch)
	if err != nil {
		return nil, fmt.Errorf("read held messages: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	for rows.Next() {
		var origin string
		var number int64
		if err := rows.Scan(&origin, &number); err != nil {
			return nil, fmt.Errorf("read held messages: %w", err)
		}
		o, err := mesh.ParseOrigin(origin)
		if err != nil {
			return nil, err
		}
		list = append(list, mesh.Position{Origin: o, Number: uint64(number)})
	}
	return list, rows.Err()
}

// ask has a node adopt a batch and keeps what it says; again means that the
// rest is worth another try in a while.
func (d *Discovery) ask(ctx context.Context, now time.Time, r running, list []mesh.Position) (again bool, err error) {
	request, err := json.Marshal(struct {
		Version  int             `json:"version"`
		Customer string          `json:"customer"`
		Panel    string          `json:"panel"`
		Tell     entry.Tell      `json:"tell"`
		Entries  []mesh.Position `json:"entries"`
	}{1, r.customer, r.panel, r.tell, list})
	if err != nil {
		return false, err
	}
	bounded, cancel := context.WithTimeout(ctx, callWithin)
	defer cancel()
	answer, err := d.mesh.Call(bounded, "central.adopt", request)
	if err != nil {
		return false, fmt.Errorf("adopt messages: %w", err)
	}
	var out struct {
		Entries []struct {
			Entry   mesh.Position `json:"entry"`
			Outcome string        `json:"outcome"`
		} `json:"entries"`
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		return false, fmt.Errorf("answer of central.adopt: %w", err)
	}
	if len(out.Entries) == 0 {
		return false, errors.New("answer of central.adopt: no entry")
	}
	err = d.db.Write(ctx, func(tx *sql.Tx) error {
		for _, e := range out.Entries {
			if e.Outcome == outcomeNoPanel && now.UnixMilli() < r.atMs+rosterGrace.Milliseconds() {
				again = true
				continue
			}
			listed := e.Outcome != outcomeAdopted && e.Outcome != outcomePoll
			if _, err := tx.ExecContext(ctx, `UPDATE held SET outcome = ?3, listed = ?4 WHERE origin = ?1 AND number = ?2 AND outcome IS NULL`,
				e.Entry.Origin.String(), int64(e.Entry.Number), e.Outcome, listed); err != nil {
				return fmt.Errorf("note adopted messages: %w", err)
			}
		}
		return nil
	})
	return again, err
}

// done ends an adoption that has no message without an outcome.
func (d *Discovery) done(ctx context.Context, now time.Time, seq int64) error {
	err := d.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE adoptions SET done_ms = ?2 WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM held WHERE adoption = ?1 AND outcome IS NULL)`, seq, now.UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("end adoption: %w", err)
	}
	return nil
}
