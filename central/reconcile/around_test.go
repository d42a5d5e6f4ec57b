package reconcile_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/premises"
	"vedetta/central/reconcile"
	"vedetta/wire/roster"
)

// age lets a time pass for what is only watched.
func (b *bench) age(d time.Duration) {
	b.t.Helper()
	b.write(`UPDATE cases SET since_ms = since_ms - ?1`, d.Milliseconds())
}

// What nodes hold otherwise than central, each once found and closed when gone.
func TestDifferencesBetweenNodes(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	b.alarm(ok, ok)
	b.apply()
	o := centraltest.Origin("arezzo")
	for _, c := range []struct {
		name  string
		twist func(node string, a *centraltest.Answer)
		waits time.Duration // how long it must stand
		want  string
	}{
		{"another history", func(node string, a *centraltest.Answer) {
			if k := a.Origins[o]; node == "limburg" {
				k.AtHash = make([]byte, 32)
				a.Origins[o] = k
			}
		}, 0, "hash_differs " + o.String() + " limburg: want central's running hash at number 1, found another"},
		{"a node behind", func(node string, a *centraltest.Answer) {
			if k := a.Origins[o]; node == "roubaix" {
				k.Mark, k.AtHash = 0, nil
				a.Origins[o] = k
			}
		}, 5 * time.Minute, "node_behind " + o.String() + " roubaix: want number 1, found number 0"},
		{"lost by all nodes", func(_ string, a *centraltest.Answer) {
			delete(a.Origins, o)
		}, 0, "mesh_behind " + o.String() + ": want number 1, found number 0"},
		{"an older roster", func(node string, a *centraltest.Answer) {
			if node == "limburg" {
				a.Documents[centraltest.Customer] = centraltest.DocumentSum{}
			}
		}, time.Minute, "roster_behind " + centraltest.Customer + " limburg: want revision 1, found revision 0"},
		{"another roster", func(node string, a *centraltest.Answer) {
			if node == "arezzo" {
				a.Documents[centraltest.Customer] = centraltest.DocumentSum{Revision: 1, Digest: []byte("another")}
			}
		}, time.Minute, "roster_differs " + centraltest.Customer + " arezzo: want central's document of revision 1, found another under the same revision"},
		{"a roster of the future", func(_ string, a *centraltest.Answer) {
			if d := a.Documents[centraltest.Customer]; len(a.Documents) > 0 {
				d.Revision = 7
				a.Documents[centraltest.Customer] = d
			}
		}, time.Minute, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			b.Mesh.Twist(c.twist)
			got := b.faults()
			if c.waits > 0 {
				b.want(got, "")
				b.age(c.waits)
				got = b.faults()
			}
			b.Mesh.Twist(nil)
			healed := b.faults()
			if c.want == "" {
				if strings.Count(got, "roster_differs") != 3 {
					t.Errorf("got %s, want one of every node", got)
				}
			} else {
				b.want(strings.TrimPrefix(got, "open "), c.want)
			}
			b.want(healed, "")
		})
	}
}

func TestASilentNodeIsACaseWhenItStaysSilent(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	b.alarm(ok, ok)
	b.apply()
	b.Mesh.Silence("roubaix", true)
	b.want(b.faults(), "")
	b.age(5 * time.Minute)
	b.want(b.faults(), "open node_silent roubaix: want an answer, found none")
	b.Mesh.Silence("roubaix", false)
	b.want(b.faults(), "")
}

// Lag is no case while it moves, only when it stands.
func TestLagIsACaseWhenItStands(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	b.alarm(ok, ok)
	b.apply()
	one := func() reconcile.Summary {
		t.Helper()
		r, err := b.Pass(t.Context(), false)
		must(t, err)
		return r.Summary
	}
	one()
	for range 5 { // each time central has caught up with what it had lacked, and lacks more
		b.alarm(ok, ok)
		if s := one(); s.Faults != 0 || s.Watched != 2 {
			t.Fatalf("%+v, want two origins watched", s)
		}
		b.age(50 * time.Second)
		b.apply()
		b.alarm(ok, ok)
		if s := one(); s.Faults != 0 {
			t.Fatalf("%+v: a lag that moves is a case", s)
		}
		b.apply()
	}
	if s := one(); s.Faults+s.Watched != 0 {
		t.Fatalf("%+v, want nothing: all is here", s)
	}
	b.alarm(ok, ok)
	one()
	b.age(time.Minute)
	if s := one(); s.Faults != 2 {
		t.Fatalf("%+v, want two origins that stand still", s)
	}
	b.apply()
	if s := one(); s.Faults+s.Watched != 0 {
		t.Fatalf("%+v, want nothing: all is here", s)
	}
}

// While the mesh is down, nothing is said to be late, and what stands here is
// compared all the same.
func TestWithoutTheMesh(t *testing.T) {
	b := newBench(t, reconcile.Config{UndecidedSeconds: 1})
	event, _ := b.alarm(ok, ok)
	b.apply()
	b.want(b.faults(), "")
	b.write(`UPDATE events SET copies = 2`)
	b.Mesh.SetDown(true)
	r, err := b.Pass(t.Context(), true)
	must(t, err)
	if r.Answered != 0 || len(r.Silent) != r.Nodes || r.Nodes == 0 || r.Whole || len(r.Cases) != 1 || r.Cases[0].Place != event+".0" || r.Summary.Watched != 3 {
		t.Errorf("%+v", r)
	}
}

// A change that was published is the same at every node, whatever changed.
func TestRosterDigestFollowsChanges(t *testing.T) {
	b := newBench(t, reconcile.Config{LagSeconds: 1})
	must(t, b.Premises.Edit(t.Context(), time.Now(), centraltest.Customer, func(c *premises.Change) error {
		return c.PutPanel(roster.Panel{ID: "p-new", Name: "Box", Account: "9900", TimeZone: "Europe/Rome"})
	}))
	r, err := b.Pass(t.Context(), true)
	must(t, err)
	if r.Summary.Watched != 3 {
		t.Errorf("%+v, want the roster watched at three nodes", r.Summary)
	}
	must(t, b.Publisher.Flush(t.Context(), time.Now()))
	b.want(b.faults(), "")
	if s := b.Summary(); s.Watched != 0 {
		t.Errorf("%+v", s)
	}
}

// A database that is older than the kept decisions is compared from there on.
func TestWhatCameBeforeIsNotMissed(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	b.alarm(ok, ok)
	b.apply()
	b.write(`DELETE FROM decisions`)
	b.write(`INSERT INTO walks(walk, origin, number, hash) SELECT 'floor', origin, number, hash FROM cursors`)
	b.want(b.faults(), "")
	event, _ := b.alarm(ok, ok)
	b.apply()
	b.want(b.faults(), "")
	b.write(`DELETE FROM events WHERE id = ?1`, event+".0")
	b.want(b.faults(), "open event_missing "+event+".0: want an event, found nothing")
}

// What a pass costs doesn't grow with what stands: the slow round goes on.
func TestTheSlowRoundComesToItsEnd(t *testing.T) {
	b := newBench(t, reconcile.Config{SweepRows: 7})
	for range 10 {
		b.alarm(ok, ok)
	}
	b.apply()
	for i := range 100 {
		r, err := b.Pass(t.Context(), false)
		must(t, err)
		if r.Full {
			if i < 5 { // 10 entries, 30 decisions, 10 events
				t.Errorf("everything was looked at in %d passes of 7 rows", i+1)
			}
			return
		}
		if i > 0 && r.Examined > 7+5+5 { // nodes, origins and rosters every time
			t.Errorf("pass %d looked at %d", i, r.Examined)
		}
	}
	t.Error("the slow round did not end in 100 passes")
}

// A pass that is cut goes on as if it had not been.
func TestAPassThatIsCut(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	event, _ := b.alarm(ok, ok)
	b.apply()
	b.write(`UPDATE events SET copies = 2`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Pass(ctx, true); err == nil {
		t.Error("a cut pass says nothing")
	}
	b.want(b.faults(), "open copies_miscounted "+event+".0: want 1, found 2")
}

// No case tells who somebody is.
func TestCasesNameNobody(t *testing.T) {
	b := newBench(t, reconcile.Config{})
	centraltest.Story(b.Mesh, time.Now())
	b.apply()
	b.write(`UPDATE events SET copies = copies + 1, received_ms = received_ms + 1`)
	b.write(`UPDATE notifications SET state = 'refused'`)
	if b.faults() == "" {
		t.Fatal("nothing found")
	}
	must(t, each(t, b.DB.Read(), func(text string) {
		for _, secret := range []string{"Rossi", "Anna", "Finestra", "AB12CD34", "5544", "vedetta.example", centraltest.Phone} {
			if strings.Contains(text, secret) {
				t.Errorf("a case tells %q: %s", secret, text)
			}
		}
	}))
}

func each(t *testing.T, q interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, fn func(string)) error {
	rows, err := q.QueryContext(t.Context(), `SELECT kind || place || expected || found || coalesce(customer_id, '') FROM cases`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return err
		}
		fn(s)
	}
	return rows.Err()
}
