package ingest_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/central/centraltest"
	"vedetta/central/ingest"
	"vedetta/central/keys"
	"vedetta/cluster/env"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// run follows the feed until the test ends.
func run(t *testing.T, s *centraltest.Service) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Ingest.Run(ctx, s.Mesh)
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

// awaits are the reasons for which decisions wait.
func awaits(t *testing.T, s *centraltest.Service) (list []string) {
	t.Helper()
	rows, err := s.DB.Read().QueryContext(t.Context(), `SELECT awaits FROM waiting ORDER BY origin, number`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var a string
		if err := rows.Scan(&a); err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
	}
	return list
}

// A key that came between two feeds, or while central was down, wakes what
// waits for it with the next feed: no other key needs to come.
func TestRule22_KeyThatCameBetweenFeeds(t *testing.T) {
	s := centraltest.NewService(t, at)
	a := burglary("arezzo")
	a.Verdict(s.Mesh, a.Message(s.Mesh))
	key := s.Mesh.Key(centraltest.Customer)
	s.Mesh.Forget(centraltest.Customer)
	s.Restart(t)
	apply(t, s, s.Mesh.Records())
	if waiting(t, s) != 1 {
		t.Fatalf("%d wait, want 1", waiting(t, s))
	}
	s.Mesh.Learn(centraltest.Customer, key)
	s.Restart(t) // its ring has the key before the feed begins
	run(t, s)
	await(t, func() bool { return waiting(t, s) == 0 })
	if got := transcript(t, s); !strings.Contains(got, "BA new") {
		t.Error(got)
	}
}

// A verdict about a customer that is not here waits, and is shown when the
// customer is inserted while the feed goes on.
func TestVerdictWaitsForItsCustomer(t *testing.T) {
	s := centraltest.NewService(t, at)
	const other = "c-bianchi"
	if _, err := s.Ring.Customer(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	p := s.Mesh.Message(centraltest.Origin("arezzo"), unknownAccount()).Position()
	s.Mesh.Decision(1, at, decision.Record{Customer: other, Verdict: &decision.Verdict{Entry: p, Customer: other, Panel: "p", Ruling: decision.RulingEvents,
		Events: []decision.Event{{Code: "BA"}}}})
	run(t, s)
	await(t, func() bool { return fmt.Sprint(awaits(t, s)) == "[customer c-bianchi]" })
	err := s.DB.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO customers(id, language, created_ms) VALUES(?1, 'it', 1)`, other)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Ingest.CustomerAdded()
	await(t, func() bool { return waiting(t, s) == 0 })
	var events int
	if err := s.DB.Read().QueryRowContext(t.Context(), `SELECT count(*) FROM events WHERE customer_id = ?1`, other).Scan(&events); err != nil || events != 1 {
		t.Errorf("%d events, %v", events, err)
	}
}

// An erased customer's open notifications are settled by decisions under the
// day's key: the state changes, nobody is held up.
func TestRule22_ErasedIsSealedByTheDay(t *testing.T) {
	s := centraltest.NewService(t, at)
	a := burglary("arezzo")
	ids := a.Verdict(s.Mesh, a.Message(s.Mesh))
	centraltest.Settle(s.Mesh, at, ids[0], 1, decision.StateDelivered, "")
	settled := func(id string, attempt int, state decision.State, double bool) {
		s.Mesh.Decision(1, at, decision.Record{Settled: &decision.Settled{Double: double, Outcome: decision.Outcome{Notification: id, Attempt: attempt, State: state}}})
	}
	settled(ids[1], 1, decision.StateErased, false)
	settled(ids[1], 1, decision.StateRefused, true) // late: takes nothing away
	settled(ids[0], 2, decision.StateUnknown, true)
	apply(t, s, s.Mesh.Records())
	if got := transcript(t, s); !strings.Contains(got, "email:delivered/2 webhook:erased/1") || waiting(t, s) != 0 {
		t.Errorf("%s %v", got, awaits(t, s))
	}
	s.Mesh.Decision(1, at, decision.Record{Destroyed: &decision.Destroyed{Customer: centraltest.Customer}})
	apply(t, s, s.Mesh.Records())
	if _, err := s.Ring.Of(centraltest.Customer); err == nil {
		t.Error("the destroyed key is still in the ring")
	}
	if _, err := s.Ring.Of(keys.Central); err != nil {
		t.Error(err)
	}
}

// Events that stand in a further part are shown like the first.
func TestManyEventsInParts(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := centraltest.NewService(t, at)
		a := burglary("limburg")
		p := a.Message(s.Mesh)
		a.Verdict(s.Mesh, p)
		n := decision.Notification{Event: decision.EventID(p, 1), Contact: centraltest.Contact, Channel: "sms", Address: "a-sms", Rule: "r-all"}
		n.ID = decision.NotificationID(n)
		second := a.Event
		second.Index, second.Zone = 1, "007"
		s.Mesh.Decision(1, at, decision.Record{Customer: centraltest.Customer, Part: 1, Verdict: &decision.Verdict{Entry: p, Customer: centraltest.Customer,
			Panel: centraltest.House, Ruling: decision.RulingEvents, Events: []decision.Event{second}, Plan: []decision.Notification{n}}})
		centraltest.Settle(s.Mesh, at, n.ID, 1, decision.StateDelivered, "")
		r := s.Mesh.Records()
		if late { // the entry comes last
			apply(t, s, r[1:])
			r = r[:1]
		}
		apply(t, s, r)
		if got := transcript(t, s); strings.Count(got, "BA") != 2 || !strings.Contains(got, "sms:delivered/1") || waiting(t, s) != 0 {
			t.Errorf("late %v: %s %v", late, got, awaits(t, s))
		}
	}
}

// The further parts of a long plan are kept too, also when they wait.
func TestLongPlanInParts(t *testing.T) {
	for _, late := range []bool{false, true} {
		s := centraltest.NewService(t, at)
		a := burglary("limburg")
		p := a.Message(s.Mesh)
		a.Verdict(s.Mesh, p)
		n := decision.Notification{Event: decision.EventID(p, 0), Contact: centraltest.Contact, Channel: "sms", Address: "a-sms", Rule: "r-all", Step: 1}
		n.ID = decision.NotificationID(n)
		s.Mesh.Decision(1, at, decision.Record{Customer: centraltest.Customer, Part: 1, Verdict: &decision.Verdict{Entry: p, Customer: centraltest.Customer,
			Panel: centraltest.House, Ruling: decision.RulingEvents, Plan: []decision.Notification{n}}})
		centraltest.Settle(s.Mesh, at, n.ID, 1, decision.StateDelivered, "")
		r := s.Mesh.Records()
		if late { // the entry comes last
			apply(t, s, r[1:])
			r = r[:1]
		}
		apply(t, s, r)
		if got := transcript(t, s); !strings.Contains(got, "email:pending/1 webhook:pending/1 sms:delivered/1") || waiting(t, s) != 0 {
			t.Errorf("late %v: %s %v", late, got, awaits(t, s))
		}
	}
}

// Every batch twice, in overlapping chunks, the origins in any order: nothing
// is refused and nothing is counted twice.
func TestEveryBatchTwiceAndOverlapping(t *testing.T) {
	var want string
	for seed := range uint64(6) {
		s := centraltest.NewService(t, at)
		centraltest.Story(s.Mesh, at)
		records := s.Mesh.Records()
		if seed == 0 {
			apply(t, s, records)
			want = transcript(t, s)
			apply(t, s, records)
		}
		rng := rand.New(rand.NewPCG(seed, 2))
		if seed > 0 {
			records = interleave(rng, records)
		}
		for done := 0; done < len(records); {
			end := min(len(records), done+1+rng.IntN(9))
			chunk := records[max(0, done-rng.IntN(20)):end]
			apply(t, s, chunk)
			if rng.IntN(3) == 0 {
				s.Restart(t)
			}
			apply(t, s, append(append([]mesh.Record{}, chunk...), chunk...)) // and twice within one batch
			done = end
		}
		if got := transcript(t, s); got != want || waiting(t, s) != 0 {
			t.Errorf("seed %d: got\n%s\nwant\n%s %v", seed, got, want, awaits(t, s))
		}
	}
}

// Should the cursors be behind the entries, the same entry is taken again and
// another one refused.
func TestEntryStoredAlready(t *testing.T) {
	s := centraltest.NewService(t, at)
	a := burglary("arezzo")
	a.Verdict(s.Mesh, a.Message(s.Mesh))
	apply(t, s, s.Mesh.Records())
	change := func(query string) {
		t.Helper()
		if err := s.DB.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.ExecContext(t.Context(), query); return err }); err != nil {
			t.Fatal(err)
		}
	}
	want := transcript(t, s)
	change(`DELETE FROM cursors`)
	apply(t, s, s.Mesh.Records())
	if got := transcript(t, s); got != want {
		t.Errorf("got %s want %s", got, want)
	}
	change(`DELETE FROM cursors`)
	change(`UPDATE entries SET record = x'00'`)
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err == nil {
		t.Error("another entry at the same position was taken")
	}
}

// A decision that fails half way is taken back whole and kept with the reason;
// what comes after it goes on.
func TestRule22_FailingDecisionHoldsUpNobody(t *testing.T) {
	s := centraltest.NewService(t, at)
	a := burglary("arezzo")
	bad := s.Mesh.Message(centraltest.Origin("arezzo"), unknownAccount()).Position()
	n := decision.Notification{ID: "of-no-event", Event: "no-such-event"}
	s.Mesh.Decision(1, at, decision.Record{Customer: centraltest.Customer, Verdict: &decision.Verdict{Entry: bad, Customer: centraltest.Customer,
		Panel: centraltest.House, Ruling: decision.RulingEvents, Events: []decision.Event{{Code: "XX"}}, Plan: []decision.Notification{n}}})
	a.Verdict(s.Mesh, a.Message(s.Mesh))
	s.Mesh.Decision(1, at.Add(time.Second), decision.Record{Customer: "c-other", Verdict: &decision.Verdict{Entry: bad, Customer: centraltest.Customer}})
	if _, err := s.Ring.Customer(t.Context(), "c-other"); err != nil {
		t.Fatal(err)
	}
	apply(t, s, s.Mesh.Records())
	got := transcript(t, s)
	if strings.Contains(got, "XX") || !strings.Contains(got, "BA new") {
		t.Errorf("the failing decision left something, or held up the next: %s", got)
	}
	list := awaits(t, s)
	if len(list) != 2 || !strings.HasPrefix(list[0], "repair: not applied: put notification of-no-event: ") || !strings.HasPrefix(list[1], "repair: form: ") {
		t.Errorf("%q", list)
	}
	metrics := prometheus.NewRegistry()
	e := env.Quiet(1)
	e.Metrics = metrics
	if err := ingest.New(s.DB, s.Ring, s.History.Hub, s.Premises, s.Discovery, e).Retry(t.Context()); err != nil { // as after a restart
		t.Fatal(err)
	}
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := -1.0
	for _, f := range families {
		if f.GetName() == "vedetta_ingest_repair" {
			counted = f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	if counted != 2 {
		t.Errorf("vedetta_ingest_repair is %v, want 2", counted)
	}
	if err := s.DB.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err == nil {
		t.Error("an error of the store was passed over")
	}
}
