package reconcile

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"vedetta/central/keys"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Subject is what a decision is about, in the column decisions.subject.
type Subject string

// Subjects: "entry " and a position (as the entry's unit), "notification " and
// an id, "key " and the id of a key that is missing, none, or run: then what it is
// about stands in run_items.
const (
	notificationPrefix         = "notification "
	keyPrefix                  = "key "
	none               Subject = "none"
	run                Subject = "run"
)

// about is what one decision of a record is about.
type about struct {
	item    int // from 1 in a run, else 0
	subject Subject
	copyOf  mesh.Position
}

// subjectsOf reads a stored record: what it is about as a whole, and in a run
// what each decision is about. What can't be read for another reason than its
// key is about nothing that can be judged; a case of its own says so.
func subjectsOf(ring *keys.Ring, stored []byte) (whole Subject, list []about, err error) {
	only := func(s Subject) (Subject, []about, error) { return s, []about{{subject: s}}, nil }
	r, err := mesh.Decode(stored)
	if err != nil {
		return only(none)
	}
	plain, _, err := ring.OpenRecord(r)
	switch {
	case errors.Is(err, keys.ErrMissing):
		return "", nil, err
	case errors.Is(err, keys.ErrUnknown):
		id, err := seal.IDOf(r.Sealed)
		if err != nil {
			return only(none)
		}
		return only(Subject(keyPrefix + id.String()))
	case err != nil:
		return only(none)
	}
	decisions, err := decision.DecodeRecords(plain)
	switch {
	case errors.Is(err, decision.ErrVersion):
		return "", nil, err // rule 4
	case err != nil:
		return only(none)
	case decisions[0].Version != decision.RunVersion:
		a := subjectOf(decisions[0])
		return a.subject, []about{a}, nil
	}
	for i, d := range decisions {
		a := subjectOf(d)
		a.item = i + 1
		list = append(list, a)
	}
	return run, list, nil
}

func subjectOf(d decision.Record) (a about) {
	switch {
	case d.Verdict != nil:
		if d.Verdict.Ruling == decision.RulingCopy {
			a.copyOf = d.Verdict.CopyOf
		}
		a.subject = Subject(entryUnit(d.Verdict.Entry))
	case d.Claimed != nil:
		a.subject = Subject(notificationPrefix + d.Claimed.Notification)
	case d.Settled != nil:
		a.subject = Subject(notificationPrefix + d.Settled.Notification)
	default:
		a.subject = none
	}
	return a
}

// chunk is how many rows are read at once.
const chunk = 500

type unread struct {
	origin string
	number int64
	stored []byte
	whole  Subject
	about  []about
}

// index reads decisions that were not read yet, and those whose key was
// missing, and notes what each is about. It returns the entries to look at,
// and whether there may be more.
func (r *Reconcile) index(ctx context.Context) (units []Unit, more bool, err error) {
	var list []unread
	collect := func(query string, args ...any) error {
		return each(ctx, r.db.Read(), query, args, func(row row) error {
			var u unread
			err := row.Scan(&u.origin, &u.number, &u.stored)
			list = append(list, u)
			return err
		})
	}
	if err := collect(`SELECT origin, number, record FROM decisions WHERE subject IS NULL ORDER BY origin, number LIMIT ?1`, chunk); err != nil {
		return nil, false, fmt.Errorf("read decisions: %w", err)
	}
	if more = len(list) == chunk; !more {
		come, err := r.keysCome(ctx)
		if err != nil {
			return nil, false, err
		}
		for _, s := range come {
			if err := collect(`SELECT origin, number, record FROM decisions WHERE subject = ?1 ORDER BY origin, number LIMIT ?2`, string(s), chunk); err != nil {
				return nil, false, fmt.Errorf("read decisions: %w", err)
			}
		}
	}
	var news []unread
	for _, u := range list {
		if u.whole, u.about, err = subjectsOf(r.ring, u.stored); err != nil {
			return nil, false, err
		}
		news = append(news, u)
	}
	if len(news) == 0 {
		return nil, false, nil
	}
	err = r.db.Write(ctx, func(tx *sql.Tx) error {
		for _, u := range news {
			copyOf := sql.NullString{String: u.about[0].copyOf.String(), Valid: !u.about[0].copyOf.IsZero()} // in a run nothing repeats
			if _, err := tx.ExecContext(ctx, `UPDATE decisions SET subject = ?3, copy_of = ?4 WHERE origin = ?1 AND number = ?2`, u.origin, u.number, string(u.whole), copyOf); err != nil {
				return err
			}
			for _, a := range u.about {
				if a.item == 0 {
					continue
				}
				if _, err := tx.ExecContext(ctx, `INSERT INTO run_items(subject, origin, number, item) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING`, string(a.subject), u.origin, u.number, a.item); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("note subjects: %w", err)
	}
	for _, u := range news {
		more, err := r.touched(ctx, u)
		if err != nil {
			return nil, false, err
		}
		units = append(units, more...)
	}
	return units, more, nil
}

// keysCome are the subjects of decisions whose key was missing and is here now.
func (r *Reconcile) keysCome(ctx context.Context) (list []Subject, err error) {
	err = each(ctx, r.db.Read(), `SELECT DISTINCT subject FROM decisions WHERE subject >= 'key ' AND subject < 'key!'`, nil, func(row row) error {
		var s string
		if err := row.Scan(&s); err != nil {
			return err
		}
		raw, err := hex.DecodeString(strings.TrimPrefix(s, keyPrefix))
		var id seal.KeyID
		if err != nil || copy(id[:], raw) != len(id) {
			return nil
		}
		if _, err := r.ring.ByID(id); err == nil {
			list = append(list, Subject(s))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read missing keys: %w", err)
	}
	return list, nil
}

// touched are the units that a record bears on: its own, its entries', and
// that of the entry which its entry repeats.
func (r *Reconcile) touched(ctx context.Context, u unread) ([]Unit, error) {
	o, err := mesh.ParseOrigin(u.origin)
	if err != nil {
		return nil, err
	}
	units := []Unit{decisionUnit(mesh.Position{Origin: o, Number: uint64(u.number)})}
	for _, a := range u.about {
		if p, ok := Unit(a.subject).position(entryPrefix); ok {
			units = append(units, entryUnit(p))
			if !a.copyOf.IsZero() {
				root, err := r.root(ctx, a.copyOf)
				if err != nil {
					return nil, err
				}
				units = append(units, entryUnit(root))
			}
			continue
		}
		p, ok, err := r.entryOf(ctx, a.subject)
		if err != nil {
			return units, err
		}
		if ok {
			units = append(units, entryUnit(p))
		}
	}
	return units, nil
}

// entryOf finds the entry of a notification's event, if it is shown.
func (r *Reconcile) entryOf(ctx context.Context, s Subject) (mesh.Position, bool, error) {
	id, ok := strings.CutPrefix(string(s), notificationPrefix)
	if !ok {
		return mesh.Position{}, false, nil
	}
	var origin string
	var number int64
	err := r.db.Read().QueryRowContext(ctx, `SELECT e.entry_origin, e.entry_number FROM notifications n JOIN events e ON e.id = n.event_id WHERE n.id = ?1`, id).Scan(&origin, &number)
	if errors.Is(err, sql.ErrNoRows) {
		return mesh.Position{}, false, nil // planned and not shown: the entry's own round finds it
	} else if err != nil {
		return mesh.Position{}, false, fmt.Errorf("find entry of notification: %w", err)
	}
	o, err := mesh.ParseOrigin(origin)
	return mesh.Position{Origin: o, Number: uint64(number)}, err == nil, err
}

// root follows copies of copies to the entry that has the events.
func (r *Reconcile) root(ctx context.Context, p mesh.Position) (mesh.Position, error) {
	for range 100 {
		var of sql.NullString
		err := r.db.Read().QueryRowContext(ctx, `SELECT copy_of FROM decisions WHERE subject = ?1 AND copy_of IS NOT NULL LIMIT 1`, string(entryUnit(p))).Scan(&of)
		if errors.Is(err, sql.ErrNoRows) {
			return p, nil
		} else if err != nil {
			return p, fmt.Errorf("follow copies: %w", err)
		}
		if p, err = mesh.ParsePosition(of.String); err != nil {
			return p, err
		}
	}
	return p, nil
}
