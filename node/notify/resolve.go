package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"vedetta/node/alerting"
	"vedetta/node/attempt"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// Method is the call that a claim's holder answers.
const Method = "notify.resolve"

// formVersion is the version of question and reply.
const formVersion = 1

type question struct {
	Version      int         `json:"v"`
	Notification string      `json:"notification"`
	Attempt      int         `json:"attempt"`
	Holder       mesh.Origin `json:"holder"`
}

type reply struct {
	Version int               `json:"v"`
	Answer  attempt.Answer    `json:"answer"`
	Outcome *decision.Outcome `json:"outcome,omitempty"` // attempt.AnswerDone
}

// Answer answers Method: what became of a claim of this process (rule 24).
func (s *Sender) Answer(req []byte) ([]byte, error) {
	var q question
	if err := json.Unmarshal(req, &q); err != nil {
		return nil, fmt.Errorf("%s: %w", Method, err)
	}
	if q.Version != formVersion {
		return nil, fmt.Errorf("%s: version %d, want %d", Method, q.Version, formVersion)
	}
	r := reply{Version: formVersion, Answer: attempt.AnswerStranger}
	if q.Holder == s.cfg.Self { // rule 17: a former incarnation's claims are a stranger's
		r.Answer, r.Outcome = s.ledger.Ask(attempt.Key{Notification: q.Notification, Attempt: q.Attempt}, time.Now())
	}
	return json.Marshal(r)
}

// resolveOne asks the holder and settles what the table says.
func (s *Sender) resolveOne(ctx context.Context, fence decision.Fence, item alerting.Item) {
	n := item.Notification
	k := attempt.Key{Notification: n.ID, Attempt: item.Attempt}
	r := s.ask(ctx, item)
	if ctx.Err() != nil {
		s.unresolve(k)
		return
	}
	o := decision.Outcome{Notification: n.ID, Attempt: item.Attempt, By: fence.Holder, Fence: &fence}
	if r.Answer == attempt.AnswerDone && r.Outcome != nil {
		o.State, o.Reason, o.NeverBegun, o.Doubt = r.Outcome.State, r.Outcome.Reason, r.Outcome.NeverBegun, r.Outcome.Doubt
		o.ProviderRef, o.HandedOverMs, o.DueMs = r.Outcome.ProviderRef, r.Outcome.HandedOverMs, r.Outcome.DueMs
	} else {
		v, ok := attempt.Resolve(attempt.Facts{Number: item.Attempt, Urgent: n.Urgent, Idempotent: s.idempotent(n.Channel), Doubtful: s.p.Doubtful(n.ID)}, r.Answer)
		if !ok { // the holder settles it; asked again when it is still open
			s.unresolve(k)
			return
		}
		o.State, o.Reason, o.NeverBegun, o.Doubt = v.State, v.Reason, v.NeverBegun, v.Doubt
		if v.State == decision.StatePending {
			o.DueMs = s.p.Clock().Add(v.After).UnixMilli()
		}
	}
	s.log.Info("claim of another resolved", "notification", n.ID, "contact", n.Contact, "channel", n.Channel, "attempt", item.Attempt,
		"holder", item.Holder.String(), "answer", string(r.Answer), "state", string(o.State), "doubt", o.Doubt)
	s.enqueue(settlement{outcome: o, channel: n.Channel, received: item.Received})
}

// ask asks the holder, twice when it doesn't answer.
func (s *Sender) ask(ctx context.Context, item alerting.Item) reply {
	none := reply{Answer: attempt.AnswerNone}
	if item.Holder.Node == s.cfg.Self.Node {
		if item.Holder != s.cfg.Self {
			return reply{Answer: attempt.AnswerStranger} // our own process before this one
		}
		a, o := s.ledger.Ask(attempt.Key{Notification: item.Notification.ID, Attempt: item.Attempt}, time.Now())
		return reply{Answer: a, Outcome: o}
	}
	req, err := json.Marshal(question{formVersion, item.Notification.ID, item.Attempt, item.Holder})
	if err != nil {
		return none
	}
	for try := range 2 {
		if try > 0 {
			select {
			case <-time.After(s.cfg.Ask / 2):
			case <-ctx.Done():
				return none
			}
		}
		r, err := s.askOnce(ctx, item.Holder.Node, req)
		if err == nil {
			return r
		}
		s.log.Debug("holder not reached", "holder", item.Holder.Node, "err", err)
	}
	return none
}

func (s *Sender) askOnce(ctx context.Context, node string, req []byte) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Ask)
	defer cancel()
	var r reply
	b, err := s.p.Caller.Call(ctx, node, Method, req)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", Method, err)
	}
	switch {
	case r.Version != formVersion:
		return r, fmt.Errorf("%s: version %d, want %d", Method, r.Version, formVersion)
	case r.Answer == attempt.AnswerDone && r.Outcome == nil:
		return r, fmt.Errorf("%s: done without an outcome", Method)
	}
	switch r.Answer {
	case attempt.AnswerDone, attempt.AnswerNeverBegun, attempt.AnswerInDoubt, attempt.AnswerUnderWay, attempt.AnswerStranger:
		return r, nil
	}
	return r, fmt.Errorf("%s: answer %q is unknown", Method, r.Answer)
}
