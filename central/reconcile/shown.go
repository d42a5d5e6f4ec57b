package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"vedetta/central/history"
	"vedetta/wire/decision"
)

// events compares a verdict's events with those that are shown.
func (j *judge) events(v *decision.Verdict) {
	want := map[string]decision.Event{}
	if v.Ruling == decision.RulingEvents && v.Customer != "" {
		for _, e := range v.Events {
			want[decision.EventID(v.Entry, e.Index)] = e
		}
	}
	shown := map[string]bool{}
	for _, row := range j.d.Events {
		shown[row.ID] = true
		e, ok := want[row.ID]
		if !ok {
			j.add(EventExtra, row.ID, row.Customer, "no such event", "an event")
			continue
		}
		if fields := j.differing(v, e, row); len(fields) > 0 {
			j.add(EventDiffers, row.ID, v.Customer, "as decided", "other "+strings.Join(fields, ", "))
		}
		if n := 1 + j.d.Copies; row.Copies != n {
			if row.Copies < n {
				j.add(CopiesDiffer, row.ID, v.Customer, fmt.Sprint(n), fmt.Sprint(row.Copies))
			} else {
				j.absence(CopiesDiffer, row.ID, v.Customer, fmt.Sprint(n), fmt.Sprint(row.Copies))
			}
		}
	}
	for _, e := range v.Events {
		id := decision.EventID(v.Entry, e.Index)
		if _, ok := want[id]; ok && !shown[id] {
			j.add(EventMissing, id, v.Customer, "an event", "nothing")
		}
	}
}

// differing names the fields of an event that are not as decided, never their
// contents. The zone's name is the customer's own word of that moment, and no
// part of the decision.
func (j *judge) differing(v *decision.Verdict, e decision.Event, row EventRow) []string {
	b := row.Body
	received, account, prefix, receiver := v.ReceivedMs, b.Account, b.Prefix, b.Receiver
	if j.d.Row != nil && j.d.Row.Message != nil {
		m := j.d.Row.Message
		received, account, prefix, receiver = m.Received.UnixMilli(), m.Account, m.Prefix, m.Receiver
	}
	var out []string
	for _, f := range []struct {
		name string
		same bool
	}{
		{"customer", row.Customer == v.Customer}, {"received time", row.ReceivedMs == received}, {"account", b.Account == account && row.Found},
		{"prefix", equal(b.Prefix, prefix)}, {"receiver", equal(b.Receiver, receiver)}, {"panel", b.Panel == v.Panel},
		{"standard", b.Standard == e.Standard}, {"code", b.Code == e.Code}, {"qualifier", b.Qualifier == e.Qualifier}, {"category", b.Category == e.Category},
		{"partition", b.Partition == e.Partition}, {"zone", b.Zone == e.Zone}, {"user", b.User == e.User}, {"text", b.Text == e.Text},
		{"panel time", b.PanelMs == e.PanelMs}, {"lateness", b.Late == v.Late},
	} {
		if !f.same {
			out = append(out, f.name)
		}
	}
	return out
}

func equal(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// course is one notification as the decisions have it.
type course struct {
	plan     decision.Notification
	customer string
	planned  int64 // agreement's clock
	claimed  map[int]string
	claimMs  int64 // of the last claim
	state    decision.State
	attempts int
	settled  []history.Attempt
	due      int64
	twice    int // an attempt that two have claimed; 0 none
	unheld   int // an attempt with an outcome and without a claim; 0 none
	doubles  int
	erased   bool // an outcome came when the customer's key was destroyed: the body can't show it
}

// courses follows every planned notification through the decisions, in order.
func (j *judge) courses() (byID map[string]*course, order []string) {
	byID = map[string]*course{}
	for _, d := range j.d.Decided {
		switch {
		case d.Verdict != nil:
			for _, n := range d.Verdict.Plan {
				if byID[n.ID] != nil {
					continue
				}
				c := &course{plan: n, customer: d.Customer, planned: d.PlannedMs(), claimed: map[int]string{}, state: decision.StatePending, due: n.DueMs}
				if n.Claimed {
					c.claimed[1], c.attempts, c.claimMs = "", 1, d.ClockMs
				}
				byID[n.ID] = c
				order = append(order, n.ID)
			}
		case d.Claimed != nil:
			if c := byID[d.Claimed.Notification]; c != nil {
				c.claim(*d.Claimed, d.ClockMs)
			}
		case d.Settled != nil:
			if c := byID[d.Settled.Notification]; c != nil {
				c.settle(*d.Settled, d.ClockMs, d.Customer == "")
			}
		}
	}
	return byID, order
}

func (c *course) claim(cl decision.Claimed, clock int64) {
	holder := fmt.Sprint(cl.Holder.String(), " ", cl.Epoch)
	if was, ok := c.claimed[cl.Attempt]; ok && was != "" && was != holder {
		c.twice = cl.Attempt
	}
	c.claimed[cl.Attempt] = holder // the plan's own first claim is said once more, with its holder
	c.attempts, c.claimMs = max(c.attempts, cl.Attempt), clock
}

// settle applies an outcome. The first that is final stands; a later one says
// more only where the first was not the attempt's own proven end (rules 18, 24).
func (c *course) settle(s decision.Settled, clock int64, sealedByDay bool) {
	if _, ok := c.claimed[s.Attempt]; !ok && !s.By.IsZero() {
		c.unheld = s.Attempt
	}
	if s.Double {
		c.doubles++
	}
	c.attempts = max(c.attempts, s.Attempt)
	c.erased = c.erased || sealedByDay
	c.settled = append(c.settled, history.Attempt{Number: s.Attempt, State: string(s.State), Reason: s.Reason, ProviderRef: s.ProviderRef, HandedOverMs: s.HandedOverMs, Double: s.Double})
	if s.State == decision.StatePending && c.state == decision.StatePending {
		c.due = max(s.DueMs, clock)
	}
	beside := c.state != decision.StatePending && (s.Double || s.State == decision.StatePending)
	reached := c.state == decision.StateDelivered || c.state == decision.StateUnknown
	switch {
	case beside && !s.MayHaveArrived():
	case beside && sealedByDay && c.state == decision.StateDelivered:
	case beside && !sealedByDay && reached && !decision.ShowsOnce(c.plan.Channel):
		c.state = decision.StateUnknown
	case beside && (s.State == decision.StatePending || !sealedByDay && c.state == decision.StateDelivered):
	default:
		c.state = s.State
	}
}

// notifications compares plans, claims and outcomes with what is shown.
func (j *judge) notifications() {
	courses, order := j.courses()
	shown := map[string]NotificationRow{}
	events := map[string]bool{}
	for _, e := range j.d.Events {
		events[e.ID] = true
	}
	for _, n := range j.d.Notifications {
		shown[n.ID] = n
		if courses[n.ID] == nil {
			j.absence(NotificationExtra, n.ID, n.Customer, "no such step in the plan", "a notification")
		}
	}
	for _, id := range order {
		c := courses[id]
		j.sent(id, c)
		row, ok := shown[id]
		switch {
		case ok:
			j.notification(c, row)
		case events[c.plan.Event]: // without its event it can't be shown: one case is enough
			j.add(NotificationMissing, id, c.customer, "a notification", "nothing")
		}
	}
}

// sent judges the decisions about a notification by themselves.
func (j *judge) sent(id string, c *course) {
	if c.twice > 0 {
		j.add(ClaimedTwice, id, c.customer, "one holder", fmt.Sprintf("two claims of attempt %d", c.twice))
	}
	if c.unheld > 0 {
		j.absence(OutcomeUnclaimed, id, c.customer, "a claim before the outcome", fmt.Sprintf("an outcome of attempt %d without a claim", c.unheld))
	}
	if c.doubles > 0 {
		j.add(OutcomeDouble, id, c.customer, "one outcome", fmt.Sprintf("%d more beside it", c.doubles))
	}
	if c.state == decision.StateUnknown {
		j.add(OutcomeUnknown, id, c.customer, "an outcome that is known", "unknown")
	}
	since := time.UnixMilli(max(c.due, c.claimMs, c.planned))
	if c.state == decision.StatePending && j.w.past(since, j.w.Bounds.Overdue) {
		found := fmt.Sprintf("none after %d attempts", c.attempts)
		j.add(OutcomeOverdue, id, c.customer, "an outcome within "+j.w.Bounds.Overdue.String(), found)
		j.found[len(j.found)-1].Since = since
	}
}

// notification compares one with its row.
func (j *judge) notification(c *course, row NotificationRow) {
	differs := func(what, expected, found string) {
		// What is shown beyond the decisions held here may follow from one that is missing.
		j.absence(NotificationDiffers, row.ID, c.customer, what+" "+expected, what+" "+found)
	}
	b, p := row.Body, c.plan
	switch {
	case row.State != c.state:
		differs("state", string(c.state), string(row.State))
	case row.Attempts != c.attempts:
		differs("attempts", fmt.Sprint(c.attempts), fmt.Sprint(row.Attempts))
	case row.Customer != c.customer:
		differs("customer", c.customer, row.Customer)
	case row.Event != p.Event:
		differs("event", p.Event, row.Event)
	case row.PlannedMs != c.planned:
		differs("time", time.UnixMilli(c.planned).UTC().Format(time.RFC3339Nano), time.UnixMilli(row.PlannedMs).UTC().Format(time.RFC3339Nano))
	case b.Contact != p.Contact || b.Channel != p.Channel || b.Address != p.Address || b.Rule != p.Rule || b.Step != p.Step || b.Repetition != p.Repetition || b.Urgent != p.Urgent:
		differs("plan", "as decided", "another")
	case !c.erased && !slices.Equal(b.Attempts, c.settled):
		differs("outcomes", fmt.Sprint(len(c.settled), " as decided"), fmt.Sprint(len(b.Attempts), " others"))
	}
}
