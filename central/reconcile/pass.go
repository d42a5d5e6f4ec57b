package reconcile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/wire/mesh"
)

// Limits of one pass, so that it ends however much there is; the next goes on.
const (
	maxListed    = 5000    // waiting, undecided and pending ones each
	maxRecheck   = 2000    // live cases looked at again
	maxNew       = 20_000  // entries and decisions that have come
	maxCustomers = 500     // rosters compared
	maxSeen      = 200_000 // units remembered not to be looked at twice
	unitsAtOnce  = 200     // of one snapshot
	wholeWithin  = 10 * time.Second
	quietDays    = 6 // nodes keep an origin's days at least so long
)

// pass is one run.
type pass struct {
	ctx    context.Context
	r      *Reconcile
	book   *Book
	seen   map[Unit]bool
	report Report

	counted bool // whether all decisions are here was looked up in this pass
}

func (p *pass) run(full bool) error {
	live, err := liveCases(p.ctx, p.r.db.Read())
	if err != nil {
		return err
	}
	p.book = NewBook(p.r.cfg.bounds(), p.r.cfg.MaxCases, live)
	for _, step := range []func(bool) error{p.around, p.index, p.walkNew, p.listed, p.recheck, p.sweep, p.prune} {
		if err := step(full); err != nil {
			return err
		}
	}
	return nil
}

// around compares with the nodes: origins, and some of the rosters.
func (p *pass) around(full bool) error {
	held, err := p.held()
	if err != nil {
		return err
	}
	customers, err := p.customers()
	if err != nil {
		return err
	}
	var rosters []Roster
	for _, c := range customers {
		if r, ok := p.roster(c); ok {
			rosters = append(rosters, r)
		}
	}
	asked := time.Now()
	nodes, err := ask(p.ctx, p.r.mesh, held, customers)
	if err != nil {
		return err
	}
	s := Surroundings{Held: held, Nodes: nodes}
	p.report.Nodes, p.report.Answered, p.report.Silent = len(nodes), s.Answered(), s.Silent()
	found, units := s.Judge()
	for _, r := range rosters {
		if f, ok := r.Judge(nodes); ok {
			found, units = append(found, f...), append(units, rosterUnit(r.Customer))
		}
	}
	if err := p.step(units, found); err != nil {
		return err
	}
	return p.hold(asked, s, full)
}

// hold finds out up to when all that was durable is stored here. While one
// target is not reached no later one is set, else a busy central never would.
func (p *pass) hold(asked time.Time, s Surroundings, wait bool) error {
	if p.r.target.durable == nil && s.Answered() > 0 {
		p.r.target = target{asked, s.Durable()}
	}
	for end := time.Now().Add(wholeWithin); p.r.target.durable != nil; {
		held, err := p.held()
		if err != nil {
			return err
		}
		reached := true
		for o, n := range p.r.target.durable {
			reached = reached && held[o].Number >= n
		}
		if reached {
			p.r.until, p.r.target = p.r.target.at, target{}
		} else if wait && time.Now().Before(end) {
			if err := waitFor(p.ctx, 100*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		p.report.Whole = reached
		return nil
	}
	return nil
}

// held are central's cursors.
func (p *pass) held() (map[mesh.Origin]Held, error) {
	l := &loader{ctx: p.ctx, q: p.r.db.Read()}
	held, err := l.marks(`SELECT origin, number, hash FROM cursors`)
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	for o, h := range held {
		table := "entries"
		if o.IsAgreement() {
			table = "decisions"
		}
		var day int64
		err := p.r.db.Read().QueryRowContext(p.ctx, `SELECT day FROM `+table+` WHERE origin = ?1 AND number = ?2`, o.String(), int64(h.Number)).Scan(&day)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("read day of %s: %w", o, err)
		}
		h.Recent = err == nil && int64(mesh.DayOf(time.Now()))-day < quietDays
		held[o] = h
	}
	return held, nil
}

// customers are those whose rosters are compared in this pass: those with live
// cases, those with unsent changes, and the next of the slow round.
func (p *pass) customers() ([]string, error) {
	var list []string
	for u := range p.book.byUnit {
		if c, ok := cutUnit(u, rosterPrefix); ok {
			list = append(list, c)
		}
	}
	add := func(query string, args ...any) error {
		return each(p.ctx, p.r.db.Read(), query, args, func(r row) error {
			var id string
			err := r.Scan(&id)
			list = append(list, id)
			return err
		})
	}
	if err := add(`SELECT DISTINCT customer_id FROM outbox WHERE sent_ms IS NULL LIMIT ?1`, maxCustomers); err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	var after string // the last customer of the pass before
	if err := p.r.db.Read().QueryRowContext(p.ctx, `SELECT coalesce(max(origin), '') FROM walks WHERE walk = 'customers'`).Scan(&after); err != nil {
		return nil, fmt.Errorf("read walk: %w", err)
	}
	before := len(list)
	if err := add(`SELECT id FROM customers WHERE id > ?1 AND revision > 0 ORDER BY id LIMIT ?2`, after, maxCustomers); err != nil {
		return nil, fmt.Errorf("read customers: %w", err)
	}
	last := "" // from the first again
	if len(list)-before == maxCustomers {
		last = list[len(list)-1]
	}
	err := p.r.db.Write(p.ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(p.ctx, `DELETE FROM walks WHERE walk = 'customers'`)
		return err
	})
	if err == nil && last != "" {
		err = p.saveWalk("customers", last, 0)
	}
	slices.Sort(list)
	return slices.Compact(list), err
}

// roster is what central wants of a customer; not ok while it is being made or
// its keys are gone.
func (p *pass) roster(customer string) (Roster, bool) {
	revision, digest, err := p.r.owned.Wanted(p.ctx, customer)
	if err != nil || revision == 0 {
		return Roster{}, false
	}
	return Roster{customer, revision, digest}, true
}

// index brings the index of decisions up to date and looks at what they bear on.
func (p *pass) index(bool) error {
	for {
		units, more, err := p.r.index(p.ctx)
		if err != nil {
			return err
		}
		if !more {
			return p.examine(units)
		}
		// After long times away all is indexed before anything is looked at: what
		// these bear on comes with the walk over what is new, or the slow round.
	}
}

// listed looks at what waits: decisions, entries, notifications.
func (p *pass) listed(bool) error {
	var units []Unit
	positions := func(unit func(mesh.Position) Unit, query string, args ...any) error {
		return each(p.ctx, p.r.db.Read(), query, args, func(r row) error {
			pos, err := scanPosition(r)
			units = append(units, unit(pos))
			return err
		})
	}
	overdue := p.r.until.Add(-time.Duration(p.r.cfg.OverdueSeconds) * time.Second)
	err := errors.Join(
		positions(decisionUnit, `SELECT origin, number FROM waiting ORDER BY origin, number LIMIT ?1`, maxListed),
		positions(entryUnit, `SELECT origin, number FROM entries WHERE ruling IS NULL ORDER BY origin, number LIMIT ?1`, maxListed),
		positions(entryUnit, `SELECT DISTINCT e.entry_origin, e.entry_number FROM (SELECT event_id FROM notifications WHERE state = 'pending' AND planned_ms <= ?1 ORDER BY planned_ms LIMIT ?2) n
			JOIN events e ON e.id = n.event_id`, overdue.UnixMilli(), maxListed))
	if err != nil {
		return fmt.Errorf("read what waits: %w", err)
	}
	return p.examine(units)
}

// recheck looks again at live cases.
func (p *pass) recheck(bool) error {
	var units []Unit
	for _, c := range p.book.Live() {
		if len(units) == maxRecheck {
			break
		}
		units = append(units, c.Unit)
	}
	return p.examine(units)
}

// prune forgets cases that have been closed for long.
func (p *pass) prune(bool) error {
	before := time.Now().AddDate(0, 0, -p.r.cfg.KeepDays).UnixMilli()
	return p.r.db.Write(p.ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(p.ctx, `DELETE FROM cases WHERE state = 'closed' AND closed_ms < ?1`, before)
		return err
	})
}

// examine looks at entries and decisions that were not looked at in this pass.
func (p *pass) examine(units []Unit) error {
	if len(p.seen) > maxSeen {
		clear(p.seen) // looking twice does no harm
	}
	var todo []Unit
	for _, u := range units {
		_, entry := u.position(entryPrefix)
		_, record := u.position(decisionPrefix)
		if (entry || record) && !p.seen[u] {
			p.seen[u] = true
			todo = append(todo, u)
		}
	}
	for part := range slices.Chunk(todo, unitsAtOnce) {
		if err := p.examinePart(part); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) examinePart(units []Unit) error {
	whole := Whole{Until: p.r.until, Decisions: !p.book.Has(DecisionMissing) && !p.book.Has(DecisionDamaged), Bounds: p.r.cfg.bounds()}
	for range 10 {
		found, err := p.judge(units, whole)
		if errors.Is(err, errBusy) {
			for more := true; more && err != nil; {
				var indexErr error
				if _, more, indexErr = p.r.index(p.ctx); indexErr != nil {
					return indexErr
				}
			}
			continue
		} else if err != nil {
			return err
		}
		if len(found) > 0 && whole.Decisions && !p.counted {
			// Before anything is said that a missing decision would explain: is one missing?
			p.counted = true
			missing, err := p.missingDecisions()
			if err != nil {
				return err
			}
			if len(missing) > 0 {
				if err := p.examine(missing); err != nil {
					return err
				}
				whole.Decisions = false
				continue
			}
		}
		return p.step(units, found)
	}
	return errBusy
}

// judge reads one committed state.
func (p *pass) judge(units []Unit, whole Whole) (found []Finding, err error) {
	err = p.r.db.Snapshot(p.ctx, func(q store.Querier) error {
		l, err := newLoader(p.ctx, q, p.r.ring)
		if err != nil {
			return err
		}
		for _, u := range units {
			if pos, ok := u.position(decisionPrefix); ok {
				r, err := l.record(pos)
				if err != nil {
					return err
				}
				found = append(found, r.Judge()...)
				continue
			}
			pos, _ := u.position(entryPrefix)
			d, err := l.dossier(pos)
			if err != nil {
				return err
			}
			found = append(found, d.Judge(whole)...)
		}
		return nil
	})
	return found, err
}

// step makes cases of what was found and stores them.
func (p *pass) step(units []Unit, found []Finding) error {
	p.report.Examined += len(units)
	former, err := formerCases(p.ctx, p.r.db.Read(), p.book.Unknown(found))
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	changes := p.book.Step(now, units, found, former, premises.NewID)
	if len(changes) == 0 {
		return nil
	}
	err = p.r.db.Write(p.ctx, func(tx *sql.Tx) error {
		for _, ch := range changes {
			if err := saveChange(p.ctx, tx, now, ch); err != nil {
				return fmt.Errorf("case of %s at %s: %w", ch.Kind, ch.Place, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, ch := range changes {
		if ch.Noted {
			p.r.log.Warn("reconcile: case "+string(ch.State), "kind", string(ch.Kind), "place", ch.Place, "expected", ch.Expected, "found", ch.Found)
		}
	}
	return nil
}
