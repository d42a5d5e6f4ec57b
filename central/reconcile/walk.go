package reconcile

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"vedetta/wire/mesh"
)

// maxGap is how many missing numbers of one gap become cases.
const maxGap = 100

func scanPosition(r row) (mesh.Position, error) {
	var origin string
	var number int64
	if err := r.Scan(&origin, &number); err != nil {
		return mesh.Position{}, err
	}
	o, err := mesh.ParseOrigin(origin)
	return mesh.Position{Origin: o, Number: uint64(number)}, err
}

func cutUnit(u Unit, prefix string) (string, bool) { return strings.CutPrefix(string(u), prefix) }

func (p *pass) walkAt(walk, lane string) (uint64, error) {
	var n int64
	err := p.r.db.Read().QueryRowContext(p.ctx, `SELECT number FROM walks WHERE walk = ?1 AND origin = ?2`, walk, lane).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read walk %s: %w", walk, err)
	}
	return uint64(n), nil
}

func (p *pass) saveWalk(walk, lane string, n uint64) error {
	return p.r.db.Write(p.ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(p.ctx, `INSERT INTO walks(walk, origin, number, hash) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(walk, origin) DO UPDATE SET number = ?3`,
			walk, lane, int64(n), []byte{})
		return err
	})
}

// lanes are the stored origins, the agreement's first: whether decisions are
// missing is known before what follows from them is judged.
func (p *pass) lanes() ([]mesh.Origin, map[mesh.Origin]Held, error) {
	l := &loader{ctx: p.ctx, q: p.r.db.Read()}
	cursors, err := l.marks(`SELECT origin, number, hash FROM cursors`)
	if err != nil {
		return nil, nil, fmt.Errorf("read cursors: %w", err)
	}
	list := slices.SortedFunc(maps.Keys(cursors), func(a, b mesh.Origin) int {
		if a.IsAgreement() != b.IsAgreement() {
			if a.IsAgreement() {
				return -1
			}
			return 1
		}
		return a.Compare(b)
	})
	return list, cursors, nil
}

// walkNew looks at what was stored since the last pass.
func (p *pass) walkNew(bool) error {
	list, cursors, err := p.lanes()
	if err != nil {
		return err
	}
	left := maxNew
	for _, o := range list {
		for left > 0 {
			n, err := p.stretch("new", o, cursors[o].Number, chunk)
			if err != nil {
				return err
			}
			left -= n
			if n < chunk {
				break
			}
		}
	}
	return nil
}

// stretch looks at the next rows of an origin, up to its cursor, and says how
// many there were: fewer than asked for at the end.
func (p *pass) stretch(walk string, o mesh.Origin, upTo uint64, limit int) (int, error) {
	at, err := p.walkAt(walk, o.String())
	if err != nil {
		return 0, err
	}
	if floor, err := p.walkAt("floor", o.String()); err != nil {
		return 0, err
	} else if o.IsAgreement() {
		at = max(at, floor)
	}
	if at >= upTo {
		return 0, nil
	}
	table, subject, unit := "entries", "''", entryUnit
	if o.IsAgreement() {
		table, subject, unit = "decisions", "coalesce(subject, '')", decisionUnit
	}
	var units []Unit
	last, rows := at, 0
	missing := func(next uint64) {
		for n := last + 1; n < next && n <= last+maxGap; n++ {
			units = append(units, unit(mesh.Position{Origin: o, Number: n}))
		}
	}
	err = each(p.ctx, p.r.db.Read(), `SELECT number, `+subject+` FROM `+table+` WHERE origin = ?1 AND number > ?2 AND number <= ?3 ORDER BY number LIMIT ?4`,
		[]any{o.String(), int64(at), int64(upTo), limit}, func(r row) error {
			var number int64
			var about Unit
			if err := r.Scan(&number, &about); err != nil {
				return err
			}
			missing(uint64(number))
			last = uint64(number)
			rows++
			units = append(units, unit(mesh.Position{Origin: o, Number: last}))
			if of, ok := about.position(entryPrefix); ok && of.Origin.IsAgreement() { // the agreement's own events have no entry to come by
				units = append(units, about)
			}
			return nil
		})
	if err != nil {
		return 0, fmt.Errorf("walk %s: %w", o, err)
	}
	if rows < limit {
		missing(upTo + 1)
		last = upTo
	}
	if err := p.examine(units); err != nil {
		return rows, err
	}
	return rows, p.saveWalk(walk, o.String(), last)
}

// sweep goes on with the slow round over everything stored, and begins it anew
// when it has come to its end. A full pass begins it and comes to its end.
func (p *pass) sweep(full bool) error {
	if full {
		if err := p.endRound(time.Time{}); err != nil {
			return err
		}
	}
	left := p.r.cfg.SweepRows
	list, cursors, err := p.lanes()
	if err != nil {
		return err
	}
	for _, o := range list {
		for full || left > 0 {
			limit := chunk
			if !full {
				limit = min(limit, left)
			}
			n, err := p.stretch("sweep", o, cursors[o].Number, limit)
			if err != nil {
				return err
			}
			left -= n
			if n < limit {
				break
			}
		}
	}
	for full || left > 0 {
		n, err := p.stray()
		if err != nil {
			return err
		}
		left -= n
		if n < chunk {
			p.report.Full = true
			return p.endRound(time.Now())
		}
	}
	return nil
}

// stray looks at the next events whose entry isn't stored: no walk over the
// entries would come by them.
func (p *pass) stray() (rows int, err error) {
	at, err := p.walkAt("sweep", "events")
	if err != nil {
		return 0, err
	}
	last := int64(at)
	var units []Unit
	err = each(p.ctx, p.r.db.Read(), `SELECT seq, entry_origin, entry_number, EXISTS(SELECT 1 FROM entries WHERE origin = entry_origin AND number = entry_number)
		FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2`, []any{last, chunk}, func(r row) error {
		var origin string
		var number int64
		var here bool
		if err := r.Scan(&last, &origin, &number, &here); err != nil {
			return err
		}
		rows++
		if o, err := mesh.ParseOrigin(origin); err == nil && !here && number > 0 {
			units = append(units, entryUnit(mesh.Position{Origin: o, Number: uint64(number)}))
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("walk events: %w", err)
	}
	if err := p.examine(units); err != nil {
		return rows, err
	}
	return rows, p.saveWalk("sweep", "events", uint64(last))
}

// endRound has the slow round begin anew, and notes when it ended, if it did.
func (p *pass) endRound(at time.Time) error {
	err := p.r.db.Write(p.ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(p.ctx, `DELETE FROM walks WHERE walk = 'sweep'`)
		return err
	})
	if err != nil || at.IsZero() {
		return err
	}
	return p.saveWalk("full", "", uint64(at.UnixMilli()))
}

// missingDecisions are those that central's cursors have passed and that are
// not stored.
func (p *pass) missingDecisions() (units []Unit, err error) {
	list, cursors, err := p.lanes()
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		if !o.IsAgreement() {
			continue
		}
		floor, err := p.walkAt("floor", o.String())
		if err != nil {
			return nil, err
		}
		var have int64
		err = p.r.db.Read().QueryRowContext(p.ctx, `SELECT count(*) FROM decisions WHERE origin = ?1 AND number > ?2 AND number <= ?3`,
			o.String(), int64(floor), int64(cursors[o].Number)).Scan(&have)
		if err != nil {
			return nil, fmt.Errorf("count decisions: %w", err)
		}
		if uint64(have) == cursors[o].Number-floor {
			continue
		}
		last := floor
		gap := func(next uint64) {
			for n := last + 1; n < next && n <= last+maxGap; n++ {
				units = append(units, decisionUnit(mesh.Position{Origin: o, Number: n}))
			}
		}
		err = each(p.ctx, p.r.db.Read(), `SELECT number FROM decisions WHERE origin = ?1 AND number > ?2 AND number <= ?3 ORDER BY number`,
			[]any{o.String(), int64(floor), int64(cursors[o].Number)}, func(r row) error {
				var n int64
				err := r.Scan(&n)
				gap(uint64(n))
				last = uint64(n)
				return err
			})
		if err != nil {
			return nil, fmt.Errorf("look for missing decisions: %w", err)
		}
		gap(cursors[o].Number + 1)
	}
	return units, nil
}
