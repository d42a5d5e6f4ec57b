package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/history"
	"vedetta/central/ingest"
	"vedetta/wire/decision"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
)

var at = time.Date(2026, 11, 24, 1, 2, 3, 456e6, time.UTC)

func burglary(node string) centraltest.Alarm {
	return centraltest.Alarm{At: at, Node: node, Plan: []string{"email", "webhook"},
		Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new", Partition: "1", Zone: "003", Text: "Finestra"}}
}

// transcript is what a customer sees, one line per event, oldest first.
func transcript(t *testing.T, s *centraltest.Service) string {
	t.Helper()
	events, err := s.History.Events(t.Context(), centraltest.Customer, history.Query{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(events.Items)
	var out strings.Builder
	for _, e := range events.Items {
		fmt.Fprintf(&out, "%s %s %s %s copies=%d", e.ID, e.Code, e.Qualifier, e.Account, e.Copies)
		list, err := s.History.OfEvent(t.Context(), centraltest.Customer, e.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			fmt.Fprintf(&out, " %s:%s/%d", n.Channel, n.State, n.Attempts)
			if n.Reason != nil {
				fmt.Fprintf(&out, "(%s)", *n.Reason)
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func apply(t *testing.T, s *centraltest.Service, records []mesh.Record) {
	t.Helper()
	if err := s.Ingest.Apply(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func waiting(t *testing.T, s *centraltest.Service) (n int) {
	t.Helper()
	if err := s.DB.Read().QueryRowContext(t.Context(), `SELECT count(*) FROM waiting`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOneAlarm(t *testing.T) {
	s := centraltest.NewService(t, at)
	a := burglary("arezzo")
	ids := a.Verdict(s.Mesh, a.Message(s.Mesh))
	centraltest.Settle(s.Mesh, at.Add(time.Second), ids[0], 1, decision.StateDelivered, "")
	centraltest.Settle(s.Mesh, at.Add(time.Second), ids[1], 1, decision.StatePending, "timeout") // will be repeated
	s.Mesh.Decision(1, at.Add(2*time.Second), decision.Record{Customer: centraltest.Customer, Claimed: &decision.Claimed{Notification: ids[1], Attempt: 2}})
	centraltest.Settle(s.Mesh, at.Add(3*time.Second), ids[1], 2, decision.StateRefused, "provider_refused")
	apply(t, s, s.Mesh.Records())
	want := "arezzo.3-a1b2c3d4e5f60718.1.0 BA new AB12CD34 copies=1 email:delivered/1 webhook:refused/2(provider_refused)\n"
	if got := transcript(t, s); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

// Whatever order the origins come in, and however the records are cut into
// batches, with repeats and with a restart after every batch: the same history.
func TestOrderOfOriginsBatchesAndRestarts(t *testing.T) {
	var want string
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			s := centraltest.NewService(t, at)
			centraltest.Story(s.Mesh, at)
			s.Mesh.Message(centraltest.Origin("roubaix"), unknownAccount())
			rng := rand.New(rand.NewPCG(seed, 1))
			records := s.Mesh.Records()
			if seed > 0 {
				records = interleave(rng, records)
			}
			for done := 0; done < len(records); {
				n := 1 + rng.IntN(len(records)-done)
				from := max(0, done-rng.IntN(5)) // some again
				if seed > 0 {
					records := slices.Clone(records[from : done+n])
					apply(t, s, records)
					s.Restart(t)
				} else {
					apply(t, s, records[done:done+n])
				}
				done += n
			}
			got := transcript(t, s)
			if seed == 0 {
				want = got
			}
			if got != want || strings.Count(got, "\n") != 12 || !strings.Contains(got, "BA new AB12CD34 copies=3") {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if n := waiting(t, s); n != 0 {
				t.Errorf("%d decisions still wait", n)
			}
		})
	}
}

// interleave mixes the origins, each keeping its order.
func interleave(rng *rand.Rand, records []mesh.Record) []mesh.Record {
	by := map[mesh.Origin][]mesh.Record{}
	var origins []mesh.Origin
	for _, r := range records {
		if len(by[r.Origin]) == 0 {
			origins = append(origins, r.Origin)
		}
		by[r.Origin] = append(by[r.Origin], r)
	}
	var out []mesh.Record
	for len(out) < len(records) {
		o := origins[rng.IntN(len(origins))]
		for range 1 + rng.IntN(6) {
			if list := by[o]; len(list) > 0 {
				out, by[o] = append(out, list[0]), list[1:]
			}
		}
	}
	return out
}

func TestDecisionWaitsForItsEntry(t *testing.T) {
	s := centraltest.NewService(t, at)
	a := burglary("limburg")
	p := a.Message(s.Mesh)
	ids := a.Verdict(s.Mesh, p)
	centraltest.Settle(s.Mesh, at.Add(time.Second), ids[0], 1, decision.StateDelivered, "")
	r := s.Mesh.Records()
	apply(t, s, r[1:]) // the agreement's origin is ahead
	if got := transcript(t, s); got != "" || waiting(t, s) != 2 {
		t.Fatalf("shown before the entry is here: %s, %d wait", got, waiting(t, s))
	}
	s.Restart(t)
	apply(t, s, r[:1])
	if got := transcript(t, s); !strings.Contains(got, "email:delivered/1 webhook:pending/1") || waiting(t, s) != 0 {
		t.Errorf("%s %d wait", got, waiting(t, s))
	}
}

// Several decisions in one record: each waits for its own entry, one that can't
// be read is kept for repair by itself, and the others are shown.
func TestRule22_ARunsDecisionsWaitOneByOne(t *testing.T) {
	s := centraltest.NewService(t, at)
	var run []*decision.Verdict
	for _, node := range []string{"arezzo", "roubaix", "limburg"} {
		a := burglary(node)
		run = append(run, a.Decision(a.Message(s.Mesh)))
	}
	broken := s.Mesh.Append(mesh.KindMessage, centraltest.Origin("limburg"), s.Mesh.Key(centraltest.Customer), at, []byte("no entry"))
	run = append(run, burglary("limburg").Decision(broken.Position()))
	s.Mesh.Run(1, at, centraltest.Customer, run...)
	r := s.Mesh.Records() // arezzo, roubaix, limburg, limburg, the run
	apply(t, s, r[4:])
	if got := transcript(t, s); got != "" || waiting(t, s) != 4 {
		t.Fatalf("shown before the entries are here: %s, %d wait, want 4", got, waiting(t, s))
	}
	s.Restart(t)
	apply(t, s, r[1:2])
	if got := transcript(t, s); !strings.HasPrefix(got, "roubaix") || strings.Count(got, "\n") != 1 || waiting(t, s) != 3 {
		t.Fatalf("after roubaix's entry: %q, %d wait, want 3", got, waiting(t, s))
	}
	s.Restart(t)
	apply(t, s, r[2:4])
	apply(t, s, r[:1])
	if got := transcript(t, s); strings.Count(got, "\n") != 3 || waiting(t, s) != 1 {
		t.Fatalf("%q, %d wait; want three events, and the broken one kept", got, waiting(t, s))
	}
	var awaits string
	if err := s.DB.Read().QueryRowContext(t.Context(), `SELECT awaits FROM waiting`).Scan(&awaits); err != nil || !strings.HasPrefix(awaits, "repair: its entry not read") {
		t.Errorf("waits for %q, %v", awaits, err)
	}
	apply(t, s, r[4:]) // again
	if got := transcript(t, s); strings.Count(got, "\n") != 3 {
		t.Errorf("the record came again: %q", got)
	}
}

func TestGapAndDivergenceAreRefused(t *testing.T) {
	s := centraltest.NewService(t, at)
	for range 3 {
		burglary("arezzo").Message(s.Mesh)
	}
	r := s.Mesh.Records()
	if err := s.Ingest.Apply(t.Context(), []mesh.Record{r[0], r[2]}); !errors.Is(err, ingest.ErrGap) {
		t.Errorf("a gap: %v", err)
	}
	if c, _ := s.Ingest.Cursors(t.Context()); len(c) != 0 {
		t.Errorf("a refused batch moved cursors: %v", c)
	}
	other, err := mesh.Encode(r[1].Header, r[1].Sealed, mesh.Hash{1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ingest.Apply(t.Context(), []mesh.Record{r[0], other}); !errors.Is(err, ingest.ErrDiverged) {
		t.Errorf("another running hash: %v", err)
	}
	apply(t, s, r)
	other, _ = mesh.Encode(r[2].Header, r[0].Sealed, r[1].Hash)
	if err := s.Ingest.Apply(t.Context(), []mesh.Record{other}); !errors.Is(err, ingest.ErrDiverged) {
		t.Errorf("another record at the cursor: %v", err)
	}
}

// A key that the mesh doesn't list holds up nobody; when it comes, what waited
// for it is shown.
func TestRule22_MissingKeyHoldsUpNobody(t *testing.T) {
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
	if err := s.Ring.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Ingest.Retry(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := transcript(t, s); !strings.Contains(got, "BA new") || waiting(t, s) != 0 {
		t.Errorf("%q, %d wait", got, waiting(t, s))
	}
}

func TestMeshDownIsTriedAgain(t *testing.T) {
	s := centraltest.NewService(t, at)
	a := burglary("arezzo")
	a.At = at.Add(48 * time.Hour)
	s.Mesh.Message(centraltest.Origin("arezzo"), unknownAccount()) // sealed with a key that is not here yet
	s.Mesh.SetDown(true)
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err == nil {
		t.Fatal("applied without the key and without the mesh")
	}
	if c, _ := s.Ingest.Cursors(t.Context()); len(c) != 0 {
		t.Errorf("cursors moved: %v", c)
	}
}

// A double (rule 18) never takes a delivery away.
func TestRule18_DoubleOutcomes(t *testing.T) {
	s := centraltest.NewService(t, at)
	a := burglary("arezzo")
	ids := a.Verdict(s.Mesh, a.Message(s.Mesh))
	for _, id := range ids {
		centraltest.Settle(s.Mesh, at, id, 2, decision.StateDelivered, "")
		s.Mesh.Decision(1, at, decision.Record{Customer: centraltest.Customer, Settled: &decision.Settled{Double: true,
			Outcome: decision.Outcome{Notification: id, Attempt: 1, State: decision.StateDelivered}}})
	}
	apply(t, s, s.Mesh.Records())
	if got := transcript(t, s); !strings.Contains(got, "email:unknown/2(possibly_twice) webhook:delivered/2") {
		t.Error(got)
	}
}

// The first holder's late word is a delivery; the second attempt, whose holder
// is gone, may be another: unknown, where two would show.
func TestRule24_ArrivedAndPerhapsOnceMore(t *testing.T) {
	s := centraltest.NewService(t, at)
	a := burglary("arezzo")
	for _, id := range a.Verdict(s.Mesh, a.Message(s.Mesh)) {
		for _, o := range []decision.Settled{
			{Outcome: decision.Outcome{Attempt: 1, State: decision.StatePending, Doubt: true}},
			{Outcome: decision.Outcome{Attempt: 1, State: decision.StateDelivered}, Double: true},
			{Outcome: decision.Outcome{Attempt: 2, State: decision.StatePending, Doubt: true}},
		} {
			o.Notification = id
			s.Mesh.Decision(1, at, decision.Record{Customer: centraltest.Customer, Settled: &o})
		}
	}
	apply(t, s, s.Mesh.Records())
	if got := transcript(t, s); !strings.Contains(got, "email:unknown/2(possibly_twice) webhook:delivered/2") {
		t.Error(got)
	}
}

// Run follows the feed, survives a cut, confirms, and shows everything once.
func TestRunFollowsAndConfirms(t *testing.T) {
	s := centraltest.NewService(t, at)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Ingest.Run(ctx, s.Mesh) }()
	centraltest.Story(s.Mesh, at)
	await(t, func() bool { return strings.Count(transcript(t, s), "\n") == 12 })
	s.Mesh.SetDown(true)
	a := burglary("arezzo")
	a.Verdict(s.Mesh, a.Message(s.Mesh))
	s.Mesh.SetDown(false)
	all := s.Mesh.Records()
	last := all[len(all)-1]
	await(t, func() bool { return s.Mesh.Confirmed(last.Origin) == last.Number })
	if got := transcript(t, s); strings.Count(got, "\n") != 13 {
		t.Errorf("13 events wanted:\n%s", got)
	}
	if _, lag := s.Ingest.Lag(time.Now()); lag != 0 {
		t.Errorf("lag %v s", lag)
	}
	if _, lag := s.Ingest.Lag(time.Now().Add(time.Minute)); lag < 59 {
		t.Errorf("lag %v s after a minute of silence", lag)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("run ended with %v", err)
	}
}

// await asks until it is so, for at most 10 s: files and pipes are real here.
func await(t *testing.T, so func() bool) {
	t.Helper()
	limit, tick := time.After(10*time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !so() {
		select {
		case <-limit:
			t.Fatal("not so within 10 s")
		case <-tick.C:
		}
	}
}

func unknownAccount() entry.Message {
	return entry.Message{Received: at.Add(48 * time.Hour), Account: "999", Answer: entry.AnswerSilence, Reason: "unknown_account"}
}
