package notify

import (
	"context"
	"time"

	"vedetta/node/agreement"
	"vedetta/node/attempt"
	"vedetta/wire/decision"
)

// settlement is an outcome on its way to the agreement.
type settlement struct {
	outcome  decision.Outcome
	channel  string
	received time.Time
	own      bool // of an attempt of this process
	slot     bool // holds a slot of the channel until the agreement has answered
}

// settleAtOnce bounds the outcomes of one command.
const settleAtOnce = 64

// settleAgain is how long to wait before an outcome is proposed anew that the
// agreement could not take now.
const settleAgain = 500 * time.Millisecond

// enqueue puts outcomes in line: those of channels that can't repeat unseen
// before the others, since only their loss shows as a second message.
func (s *Sender) enqueue(list ...settlement) {
	s.mu.Lock()
	for _, one := range list {
		if s.idempotent(one.channel) {
			s.outcomes = append(s.outcomes, one)
		} else {
			s.outcomesFirst = append(s.outcomesFirst, one)
		}
	}
	s.mu.Unlock()
	wake(s.settle)
}

// nextOutcomes takes a batch from the line; more tells that some are left.
func (s *Sender) nextOutcomes() (batch []settlement, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range []*[]settlement{&s.outcomesFirst, &s.outcomes} {
		n := min(settleAtOnce-len(batch), len(*line))
		batch = append(batch, (*line)[:n]...)
		*line = (*line)[n:]
	}
	return batch, len(s.outcomesFirst)+len(s.outcomes) > 0
}

// settlers is how many proposals of outcomes are under way at once: a slow one
// must not hold back those of mails that a kill would leave in doubt. Outcomes
// of different attempts are independent, and one of an attempt is in one batch.
const settlers = 4

// runSettler proposes outcomes, batched while a proposal is under way.
func (s *Sender) runSettler(ctx context.Context) error {
	for {
		batch, more := s.nextOutcomes()
		if more {
			wake(s.settle) // another settler
		}
		if len(batch) == 0 {
			select {
			case <-s.settle:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		later, err := s.propose(ctx, batch)
		if err != nil {
			return err
		}
		if len(later) > 0 {
			select {
			case <-time.After(settleAgain):
			case <-ctx.Done():
				return ctx.Err()
			}
			s.enqueue(later...)
		}
	}
}

// propose returns what must be proposed anew, under another id: the agreement
// has said that this one changed nothing.
func (s *Sender) propose(ctx context.Context, batch []settlement) (later []settlement, err error) {
	var cmd decision.Settle
	for _, one := range batch {
		cmd.Outcomes = append(cmd.Outcomes, one.outcome)
	}
	r, err := s.p.Proposer.Propose(ctx, cmd)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		s.log.Warn("outcomes not settled yet", "outcomes", len(batch), "err", err)
		return batch, nil
	}
	if r.Refusal != nil {
		switch {
		case r.Refusal.Reason != agreement.ReasonBad: // stale, or not founded yet
			return batch, nil
		case len(batch) > 1: // one is bad: find it
			for _, one := range batch {
				l, err := s.propose(ctx, []settlement{one})
				if err != nil {
					return nil, err
				}
				later = append(later, l...)
			}
			return later, nil
		}
		s.log.Error("outcome refused", "notification", batch[0].outcome.Notification, "reason", string(r.Refusal.Reason))
		s.settled(batch[0], "")
		return nil, nil
	}
	for i, one := range batch {
		var got agreement.Settled
		if i < len(r.Outcomes) {
			got = r.Outcomes[i]
		}
		switch got.Reason {
		case "":
			s.settled(one, got.State)
		case agreement.ReasonDayKey:
			later = append(later, one)
		default: // settled by another, forgotten, an old epoch, too early: asked again by who leads
			s.log.Info("outcome not taken", "notification", one.outcome.Notification, "attempt", one.outcome.Attempt, "reason", string(got.Reason))
			s.settled(one, "")
		}
	}
	return later, nil
}

// settled notes that the agreement has answered; state is empty when it recorded nothing.
func (s *Sender) settled(one settlement, state decision.State) {
	k := attempt.Key{Notification: one.outcome.Notification, Attempt: one.outcome.Attempt}
	if one.slot {
		s.slots.give(one.channel)
	}
	if one.own {
		s.ledger.Settled(k, time.Now())
		s.ended()
	} else {
		s.unresolve(k)
	}
	if state == "" || state == decision.StatePending {
		return
	}
	s.metrics.ended(one.channel, state)
	if at := one.outcome.HandedOverMs; at != 0 && state == decision.StateDelivered {
		s.metrics.took(one.channel, time.UnixMilli(at).Sub(one.received))
	}
}

func (s *Sender) unresolve(k attempt.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.resolving, k)
}
