package discovery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"vedetta/central/history"
	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/wire/dc09"
	"vedetta/wire/entry"
)

// Request is what an operator says of an unknown panel.
type Request struct {
	Customer string
	PanelID  string             // a panel that it is already; empty: New becomes one
	New      premises.PanelBody // listener and account are the messages' own
	Tell     entry.Tell
	Anyway   bool // adopt though no held message opens with the key
}

// Adoption is one adoption and how far it is.
type Adoption struct {
	ID       string         `json:"id"`
	Customer string         `json:"customer_id"`
	Panel    string         `json:"panel_id"`
	Tell     entry.Tell     `json:"tell"`
	Time     history.Time   `json:"time"`
	State    string         `json:"state"`   // running, done
	Total    int            `json:"total"`   // held messages that belong to it, repeats included
	Adopted  int            `json:"adopted"` // journaled as the panel's
	Polls    int            `json:"polls"`   // link tests, which report nothing
	Waiting  int            `json:"waiting"`
	Left     map[string]int `json:"left"` // by reason: they stay held
}

// tried is how many held messages a key is tried on, newest first.
const tried = 500

// Adopt makes an unknown panel a customer's, in one transaction with the panel
// itself when it is new. It refuses, with faults that name the field, a body
// that can't be taken and a key that opens none of the held messages. The
// messages follow: Run hands them to the mesh.
func (d *Discovery) Adopt(ctx context.Context, now time.Time, id string, r Request) (Adoption, error) {
	unknown, err := d.Panel(ctx, now, id)
	if err != nil {
		return Adoption{}, err
	}
	if r.Tell == "" {
		r.Tell = entry.TellRecent
	}
	var f premises.Faults
	if !r.Tell.Known() {
		f.Add("tell", "one_of", "recent, all, none")
	}
	if err := d.known(ctx, r, &f); err != nil {
		return Adoption{}, err
	}
	if len(f) > 0 {
		return Adoption{}, f
	}
	own, err := d.ring.Own()
	if err != nil {
		return Adoption{}, err
	}
	number := premises.NumberIndex(own, unknown.Listener, unknown.Account)
	ring, err := d.keysOf(ctx, r)
	if err != nil {
		return Adoption{}, err
	}
	if !r.Anyway {
		if err := d.try(ctx, now, number, ring, &f); err != nil {
			return Adoption{}, err
		}
		if len(f) > 0 {
			return Adoption{}, f
		}
	}
	made := premises.NewID()
	err = d.db.Write(ctx, func(tx *sql.Tx) error {
		panel, revision := r.PanelID, uint64(0)
		if panel == "" {
			b := r.New
			b.Listener, b.Account = unknown.Listener, unknown.Account
			err := d.premises.EditIn(ctx, tx, now, r.Customer, func(c *premises.Change) (err error) {
				b, err = c.AddPanel(b)
				return err
			})
			if err != nil {
				return err
			}
			panel, revision = b.ID, b.Revision
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO adoptions(id, customer_id, panel_id, number_index, tell, revision, at_ms, until_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`,
			made, r.Customer, panel, number, string(r.Tell), int64(revision), now.UnixMilli(), now.Add(after).UnixMilli())
		if err != nil {
			return fmt.Errorf("begin adoption: %w", err)
		}
		seq, err := res.LastInsertId()
		if err != nil {
			return err
		}
		// All of the account: to which panel each belongs is for the mesh to say.
		_, err = tx.ExecContext(ctx, `UPDATE held SET adoption = ?2, listed = 0, outcome = NULL WHERE number_index = ?1 AND listed = 1 AND received_ms >= ?3`,
			number, seq, cutoff(now))
		if err != nil {
			return fmt.Errorf("begin adoption: %w", err)
		}
		return nil
	})
	if err != nil {
		return Adoption{}, err
	}
	d.premises.Hint()
	d.wake()
	return d.Adoption(ctx, made)
}

// known refuses a customer or a panel that does not exist.
func (d *Discovery) known(ctx context.Context, r Request, f *premises.Faults) error {
	var n int
	if err := d.db.Read().QueryRowContext(ctx, `SELECT count(*) FROM customers WHERE id = ?1`, r.Customer).Scan(&n); err != nil {
		return fmt.Errorf("find customer: %w", err)
	}
	if n == 0 {
		f.Add("customer_id", "no_customer")
		return nil
	}
	if r.PanelID == "" {
		return nil
	}
	if _, err := d.premises.Panel(ctx, r.Customer, r.PanelID); errors.Is(err, premises.ErrNone) {
		f.Add("panel_id", "no_panel_of")
	} else if err != nil {
		return err
	}
	return nil
}

// keysOf are the keys that the panel has, or will have; none also when they
// can't be read, which premises says.
func (d *Discovery) keysOf(ctx context.Context, r Request) ([][]byte, error) {
	if r.PanelID == "" {
		key, _, err := dc09.ParseKey(r.New.Key)
		if err != nil {
			return nil, nil
		}
		return [][]byte{key}, nil
	}
	k, err := d.ring.Of(r.Customer)
	if err != nil {
		return nil, err
	}
	p, _, err := premises.Panel(ctx, d.db.Read(), k, r.Customer, r.PanelID)
	more := p.Settings()
	return [][]byte{p.Key, more.NextKey, more.PreviousKey}, err
}

// try says so when the panel's messages are encrypted and its keys open none.
func (d *Discovery) try(ctx context.Context, now time.Time, number []byte, ring [][]byte, f *premises.Faults) error {
	var ciphers []*dc09.Cipher
	for _, key := range ring {
		if c, err := dc09.NewCipher(key); err == nil { // of another length: premises refuses it
			ciphers = append(ciphers, c)
		}
	}
	encrypted, plain := 0, 0
	err := d.held(ctx, d.db.Read(), now, number, func(m entry.Message) bool {
		frame, err := dc09.ParseFrame(m.Raw)
		switch {
		case err != nil || frame.Kind() == dc09.KindPoll && !frame.Encrypted:
			return true
		case !frame.Encrypted:
			plain++
			return true
		}
		encrypted++
		for _, c := range ciphers {
			if _, err := frame.Open(nil, c); err == nil {
				encrypted = 0
				return false
			}
		}
		return true
	})
	switch {
	case err != nil || encrypted == 0:
		return err
	case len(ciphers) > 0:
		f.Add("key", "held_unopened", encrypted)
	case plain == 0:
		f.Add("key", "held_encrypted", encrypted)
	}
	return nil
}

// held hands the account's newest held messages to fn until it says false.
func (d *Discovery) held(ctx context.Context, q store.Querier, now time.Time, number []byte, fn func(entry.Message) bool) error {
	rows, err := q.QueryContext(ctx, `SELECT entries.record FROM held JOIN entries ON entries.origin = held.origin AND entries.number = held.number
		WHERE number_index = ?1 AND listed = 1 AND received_ms >= ?2 ORDER BY received_ms DESC LIMIT ?3`, number, cutoff(now), tried)
	if err != nil {
		return fmt.Errorf("read held messages: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err below
	for rows.Next() {
		var stored []byte
		if err := rows.Scan(&stored); err != nil {
			return fmt.Errorf("read held messages: %w", err)
		}
		m, ok, err := d.open(stored)
		if err != nil {
			return err
		}
		if ok && !fn(m) {
			return nil
		}
	}
	return rows.Err()
}

// Adoption is one adoption, or ErrNone.
func (d *Discovery) Adoption(ctx context.Context, id string) (Adoption, error) {
	a := Adoption{ID: id, Left: map[string]int{}}
	err := d.db.Snapshot(ctx, func(q store.Querier) error {
		var seq, atMs int64
		var done sql.NullInt64
		err := q.QueryRowContext(ctx, `SELECT seq, customer_id, panel_id, tell, at_ms, done_ms FROM adoptions WHERE id = ?1`, id).
			Scan(&seq, &a.Customer, &a.Panel, &a.Tell, &atMs, &done)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNone
		} else if err != nil {
			return fmt.Errorf("read adoption: %w", err)
		}
		a.Time, a.State = at(atMs), "running"
		if done.Valid {
			a.State = "done"
		}
		rows, err := q.QueryContext(ctx, `SELECT coalesce(outcome, ''), count(*) FROM held WHERE adoption = ?1 GROUP BY outcome`, seq)
		if err != nil {
			return fmt.Errorf("read adoption: %w", err)
		}
		defer rows.Close() //nolint:errcheck // Err below
		for rows.Next() {
			var outcome string
			var n int
			if err := rows.Scan(&outcome, &n); err != nil {
				return fmt.Errorf("read adoption: %w", err)
			}
			a.Total += n
			switch outcome {
			case "":
				a.Waiting = n
			case outcomeAdopted:
				a.Adopted = n
			case outcomePoll:
				a.Polls = n
			default:
				a.Left[outcome] = n
			}
		}
		return rows.Err()
	})
	return a, err
}

// Await waits until the adoption is done, at most so long.
func (d *Discovery) Await(ctx context.Context, id string, most time.Duration) (Adoption, error) {
	end := time.Now().Add(most)
	for {
		a, err := d.Adoption(ctx, id)
		if err != nil || a.State == "done" || time.Now().After(end) {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
