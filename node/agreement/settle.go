package agreement

import (
	"vedetta/wire/decision"
)

// settle records outcomes, each for itself (rule 18). One record follows the
// other, so that two outcomes of one notification in one command see each other.
func (s *State) settle(c decision.Settle, b *batch) (Result, error) {
	var result Result
	for _, o := range c.Outcomes {
		r, err := s.settleOne(o, b)
		if err != nil {
			return Result{}, err
		}
		result.Outcomes = append(result.Outcomes, r)
	}
	return result, nil
}

// subject is the notification of an outcome, open or final.
type subject struct {
	open     *Open
	closed   *Closed
	attempts []Attempt
	customer string
	shard    byte
}

func (s *State) subject(id string) (subject, Reason) {
	if o := s.open[id]; o != nil {
		return subject{o, nil, o.Attempts, o.Customer, o.Shard}, ""
	}
	c := s.closed[id]
	switch {
	case c == nil:
		return subject{}, ReasonUnknown
	case len(c.Attempts) == 0: // compacted, or never claimed: all is said
		return subject{}, ReasonSettled
	}
	return subject{nil, c, c.Attempts, c.Customer, c.Shard}, ""
}

func (s *State) settleOne(o decision.Outcome, b *batch) (Settled, error) {
	sub, reason := s.subject(o.Notification)
	if reason != "" {
		return Settled{Reason: reason}, nil
	}
	if reason = s.checkOutcome(o, sub); reason != "" {
		return Settled{Reason: reason}, nil
	}
	own := sub.attempts[o.Attempt-1].Holder == o.By
	// A second attempt stands beside this one when one was begun after it, or
	// when the notification is final by another's word than this attempt's.
	double := own && sub.attempts[o.Attempt-1].State != "" && o.Attempt < len(sub.attempts)
	if o.State == decision.StatePending && !o.NeverBegun && o.DueMs == 0 {
		o.DueMs = s.clock
	}
	text, customer := o, sub.customer
	if _, gone := s.gone[customer]; gone { // only that it ended may be kept
		text = decision.Outcome{Notification: o.Notification, Attempt: o.Attempt, By: o.By, State: o.State, NeverBegun: o.NeverBegun}
		customer = ""
	}
	b.add(draft{shard: sub.shard, record: decision.Record{Customer: customer, Settled: &decision.Settled{Outcome: text, Double: double}}})
	reason, err := b.commit()
	if err != nil || reason != "" {
		b.drafts = nil
		return Settled{Reason: reason}, err
	}
	return Settled{State: s.settled(o, sub, own), Double: double}, nil
}

// checkOutcome tells why an outcome can't be recorded, or nothing.
func (s *State) checkOutcome(o decision.Outcome, sub subject) Reason {
	switch o.State {
	case decision.StatePending, decision.StateDelivered, decision.StateRefused, decision.StateUnknown, decision.StateCancelled:
	default:
		return ReasonBad
	}
	if o.NeverBegun && o.State != decision.StatePending {
		return ReasonBad
	}
	if o.Attempt < 1 || o.Attempt > len(sub.attempts) {
		return ReasonAttempt
	}
	a := sub.attempts[o.Attempt-1]
	if o.By == a.Holder { // at any time, once
		if a.Reported {
			return ReasonSettled
		}
		return ""
	}
	switch { // another's, resolved by the present holder
	case o.Fence == nil:
		return ReasonAttempt
	case o.Fence.Holder != o.By || o.Fence.Shard != sub.shard || !s.holds(*o.Fence):
		return ReasonOldEpoch
	case sub.closed != nil || a.State != "":
		return ReasonSettled
	case s.clock < a.resolvableMs():
		return ReasonTooEarly
	}
	return ""
}

// settled carries a recorded outcome into the state and returns the
// notification's state after it.
func (s *State) settled(o decision.Outcome, sub subject, own bool) decision.State {
	a := &sub.attempts[o.Attempt-1]
	first := a.State == ""
	a.State = o.State
	a.Reported = a.Reported || own
	a.Doubt = o.Doubt && !o.NeverBegun // what an earlier one left in doubt stands with that one
	if sub.closed != nil {
		s.correct(o, sub.closed)
		return sub.closed.State
	}
	_, under := sub.open.Claim()
	switch {
	case sub.open.arrived() && under == 0: // a late word may have come before this one
		end := decision.StateDelivered
		if sub.open.twice() {
			end = decision.StateUnknown
		}
		s.close(sub.open, end)
		return end
	case !first || under != 0: // a late one; the attempt under way decides
		return decision.StatePending
	case o.State == decision.StatePending:
		sub.open.DueMs = max(o.DueMs, s.clock)
		return decision.StatePending
	}
	s.close(sub.open, o.State)
	return o.State
}

// correct lets the holder's own word stand against what was only supposed:
// unknown or expired becomes delivered or refused, unless another attempt may
// have been handed over too: then there may be two, and it stays unknown.
func (s *State) correct(o decision.Outcome, c *Closed) {
	last := o.Attempt == len(c.Attempts)
	supposed := c.State == decision.StateUnknown || c.State == decision.StateExpired
	for i, a := range c.Attempts {
		supposed = supposed && (i == o.Attempt-1 || c.Once || !a.mayHaveArrived())
	}
	if supposed && (o.State == decision.StateDelivered || last && o.State == decision.StateRefused) {
		c.State = o.State
	}
	c.compact()
}
