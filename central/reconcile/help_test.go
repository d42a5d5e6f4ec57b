package reconcile_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/reconcile"
	"vedetta/cluster/env"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// bench is a service with a reconcile over its real database.
type bench struct {
	*centraltest.Service
	*reconcile.Reconcile
	t testing.TB
}

func newBench(t testing.TB, cfg reconcile.Config) *bench {
	t.Helper()
	s := centraltest.NewService(t, time.Now())
	b := &bench{s, reconcile.New(cfg, s.DB, s.Ring, s.Premises, s.Mesh, env.Quiet(1)), t}
	must(t, s.Publisher.Flush(t.Context(), time.Now()))
	return b
}

// apply brings all that the mesh holds to central.
func (b *bench) apply() {
	b.t.Helper()
	must(b.t, b.Ingest.Apply(b.t.Context(), b.Mesh.Records()))
}

// write changes the database behind everybody's back.
func (b *bench) write(query string, args ...any) {
	b.t.Helper()
	must(b.t, b.DB.Write(b.t.Context(), func(tx *sql.Tx) error {
		r, err := tx.ExecContext(b.t.Context(), query, args...)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return fmt.Errorf("nothing was changed by %s: %w", query, err)
		}
		return nil
	}))
}

// pass makes a full one and returns the cases that stand, one per line.
func (b *bench) pass() string {
	b.t.Helper()
	r, err := b.Pass(b.t.Context(), true)
	must(b.t, err)
	if !r.Full || !r.Whole || r.Nodes != 3 {
		b.t.Fatalf("the pass was not whole: %+v", r)
	}
	var lines []string
	for _, c := range r.Cases {
		lines = append(lines, fmt.Sprintf("%s %s %s: want %s, found %s", c.State, c.Kind, c.Place, c.Expected, c.Found))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// faults is pass without what is only to know.
func (b *bench) faults() string {
	b.t.Helper()
	var lines []string
	for line := range strings.SplitSeq(b.pass(), "\n") {
		if line != "" && !strings.Contains(line, " outcome_unknown ") && !strings.Contains(line, " outcome_double ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func (b *bench) want(got, want string) {
	b.t.Helper()
	if got != want {
		b.t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
}

// alarm is one burglary, decided and with its outcomes; it returns the position
// of its entry and the notifications' ids.
func (b *bench) alarm(outcomes ...decision.State) (entry string, ids []string) {
	b.t.Helper()
	at := time.Now().Add(-time.Second)
	a := centraltest.Alarm{At: at, Plan: []string{"email", "webhook"},
		Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new", Zone: "3", Text: "Finestra"}}
	p := a.Message(b.Mesh)
	ids = a.Verdict(b.Mesh, p)
	for i, o := range outcomes {
		centraltest.Settle(b.Mesh, at, ids[i], 1, o, "")
	}
	return p.String(), ids
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func position(t testing.TB, s string) mesh.Position {
	t.Helper()
	p, err := mesh.ParsePosition(s)
	must(t, err)
	return p
}

// kept are the tables that plantings change, parents first.
var kept = []string{"cursors", "entries", "decisions", "waiting", "events", "notifications"}

// keep copies the tables; what it returns puts them back.
func (b *bench) keep() func() {
	b.t.Helper()
	all := func(format string, list []string) {
		must(b.t, b.DB.Write(b.t.Context(), func(tx *sql.Tx) error {
			for _, table := range list {
				if _, err := tx.ExecContext(b.t.Context(), strings.ReplaceAll(format, "@", table)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	all(`drop table if exists kept_@`, kept)
	all(`CREATE TABLE kept_@ AS SELECT * FROM @`, kept)
	return func() {
		back := slices.Clone(kept)
		slices.Reverse(back)
		all(`DELETE FROM @`, back)
		all(`INSERT INTO @ SELECT * FROM kept_@`, kept)
	}
}
