package history_test

import (
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/history"
	"vedetta/wire/decision"
)

var at = time.Date(2026, 11, 24, 1, 2, 3, 456e6, time.UTC)

// story is a customer's day, taken in.
func story(t *testing.T) *centraltest.Service {
	t.Helper()
	s := centraltest.NewService(t, at)
	centraltest.Story(s.Mesh, at)
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
		t.Fatal(err)
	}
	return s
}

// An event's messages are the first one and its copies, a copy of a copy too,
// and nobody else's.
func TestFramesOfAnEvent(t *testing.T) {
	s := centraltest.NewService(t, at)
	a := centraltest.Alarm{At: at, Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new"}, Plan: []string{"email"}}
	first := a.Message(s.Mesh)
	a.Verdict(s.Mesh, first)
	second, third := a, a
	second.At, second.Node = at.Add(4*time.Second), "roubaix"
	third.At, third.Node = at.Add(2*time.Second), "limburg"
	p := second.Copy(s.Mesh, first)
	third.Copy(s.Mesh, p)
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
		t.Fatal(err)
	}
	id := decision.EventID(first, 0)
	frames, err := s.History.Frames(t.Context(), centraltest.Customer, id)
	if err != nil || len(frames) != 3 {
		t.Fatalf("%d messages, %v, want 3", len(frames), err)
	}
	for i, node := range []string{"arezzo", "limburg", "roubaix"} {
		f := frames[i]
		if f.Position.Origin.Node != node || !f.Opened || f.Token != "SIA-DCS" || string(f.Raw) == "" || string(f.Data) != "#AB12CD34|Nri1/BA003" {
			t.Errorf("message %d is %+v, want one of %s", i, f, node)
		}
	}
	if frames, err := s.History.Frames(t.Context(), "somebody else", id); err != nil || len(frames) != 0 {
		t.Errorf("another customer sees %d messages, %v", len(frames), err)
	}
}

// Every filter shows what it says, and paging by twos finds each line once.
func TestLogFiltersAndPages(t *testing.T) {
	s := story(t)
	all, err := s.History.Notifications(t.Context(), centraltest.Customer, history.Query{Limit: 1000})
	if err != nil || len(all.Items) < 20 {
		t.Fatalf("%d notifications, %v", len(all.Items), err)
	}
	count := func(fits func(history.Notification) bool) (n int) {
		for _, v := range all.Items {
			if fits(v) {
				n++
			}
		}
		return n
	}
	for name, c := range map[string]struct {
		q    history.LogQuery
		fits func(history.Notification) bool
	}{
		"all":       {history.LogQuery{}, func(history.Notification) bool { return true }},
		"refused":   {history.LogQuery{State: "refused"}, func(n history.Notification) bool { return n.State == "refused" }},
		"webhook":   {history.LogQuery{Channel: "webhook"}, func(n history.Notification) bool { return n.Channel == "webhook" }},
		"both":      {history.LogQuery{Channel: "email", State: "delivered"}, func(n history.Notification) bool { return n.Channel == "email" && n.State == "delivered" }},
		"Anna":      {history.LogQuery{Contact: centraltest.Contact}, func(n history.Notification) bool { return n.ContactID == centraltest.Contact }},
		"nobody":    {history.LogQuery{Contact: "k-nobody"}, func(history.Notification) bool { return false }},
		"no state":  {history.LogQuery{State: "of no kind"}, func(history.Notification) bool { return false }},
		"one panel": {history.LogQuery{Query: history.Query{Account: "5544"}}, nil},
	} {
		seen := map[string]bool{}
		q := c.q
		for q.Limit = 2; ; {
			p, err := s.History.Log(t.Context(), centraltest.Customer, q)
			if err != nil {
				t.Fatal(name, err)
			}
			for _, n := range p.Items {
				if seen[n.ID] || c.fits != nil && !c.fits(n) {
					t.Errorf("%s: %+v twice or wrong", name, n)
				}
				seen[n.ID] = true
			}
			if p.Next == nil {
				break
			}
			q.Cursor = *p.Next
		}
		want := 6 // three events of the shop by two channels
		if c.fits != nil {
			want = count(c.fits)
		}
		if len(seen) != want {
			t.Errorf("%s: %d lines, want %d", name, len(seen), want)
		}
	}
}

func TestDeliveriesTellTheirAttempts(t *testing.T) {
	s := story(t)
	refused, err := s.History.Log(t.Context(), centraltest.Customer, history.LogQuery{State: "refused", Query: history.Query{Limit: 1}})
	if err != nil || len(refused.Items) != 1 {
		t.Fatalf("%+v, %v", refused, err)
	}
	list, err := s.History.Deliveries(t.Context(), centraltest.Customer, refused.Items[0].EventID)
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	d := list[1]
	if d.Channel != "webhook" || d.Rule != "r-all" || d.Due.IsZero() || len(d.Settled) != 1 || d.Settled[0].State != "refused" || d.Settled[0].Reason != "provider_refused" {
		t.Errorf("%+v", d)
	}
}
