package sim

import (
	"time"

	"vedetta/node/agreement"
	"vedetta/node/attempt"
	"vedetta/node/channel"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

func attemptKey(id string, number int) attempt.Key {
	return attempt.Key{Notification: id, Attempt: number}
}

// handOver is rule 23's bound.
const handOver = 10 * time.Second

// mode is how a provider behaves now.
type mode int

const (
	modeGood mode = iota
	modeBusy      // says not now
	modeDown      // can't be reached
	modeMute      // takes the message and cuts the line
)

// provider is the world outside: it counts what it took, by notification id.
type provider struct {
	mode  mode
	taken map[string][]time.Time
}

// begin sends one attempt; a slot was taken for it.
func (p *process) begin(n decision.Notification, number int, from time.Time) {
	asked := from
	if p.w.plant == PlantAgeFromCommit {
		from = p.w.now
	}
	k := attemptKey(n.ID, number)
	if !p.ledger.Begin(k, from) {
		p.slots[n.Channel]++
		return
	}
	facts := p.facts(n, number) // asked while the notification is surely open
	p.w.failpoint(p, "claimed, not connected")
	p.w.after(p.w.between(5*time.Millisecond, 300*time.Millisecond), p, func() {
		pr := p.w.providers[n.Channel]
		if pr.mode == modeDown {
			p.w.after(2*time.Second, p, func() { p.finish(n, k, facts, channel.NotBegun(channel.ReasonUnreachable)) })
			return
		}
		if p.fsm.View().Arrived(n.ID) {
			p.w.rare["not sent again: it had arrived"]++
			p.finish(n, k, facts, channel.NotBegun(channel.ReasonArrived))
			return
		}
		if !p.ledger.MayHandOver(k, p.w.now, handOver) {
			p.w.rare["claim too old for its last byte"]++
			p.finish(n, k, facts, channel.NotBegun(channel.ReasonTooLate))
			return
		}
		if age := p.w.now.Sub(asked); age >= handOver {
			p.w.broken("%s hands %s over %s after its claim was proposed", p, n.ID, age)
		}
		p.w.failpoint(p, "allowed, last byte not out")
		p.w.after(p.w.between(0, 3*time.Millisecond), p, func() { p.lastByte(n, k, facts, pr) })
	})
}

func (p *process) lastByte(n decision.Notification, k attempt.Key, facts attempt.Facts, pr *provider) {
	handed := p.w.now
	if pr.mode == modeBusy {
		p.w.after(20*time.Millisecond, p, func() { p.finish(n, k, facts, channel.NotNow(channel.ReasonProviderBusy, "")) })
		return
	}
	pr.taken[n.ID] = append(pr.taken[n.ID], p.w.now)
	p.w.note("taken %s %s\n", n.ID, k.Notification)
	p.w.failpoint(p, "taken, no answer yet")
	if pr.mode == modeMute {
		p.w.after(5*time.Second, p, func() { p.finish(n, k, facts, channel.Unknown(handed, n.Channel == "webhook")) })
		return
	}
	p.w.after(p.w.between(5*time.Millisecond, 200*time.Millisecond), p, func() { p.finish(n, k, facts, channel.Delivered("ref", handed)) })
}

// finish judges what became of an attempt, and settles it until it is answered.
func (p *process) finish(n decision.Notification, k attempt.Key, facts attempt.Facts, out channel.Outcome) {
	v := attempt.Judge(facts, out)
	o := decision.Outcome{Notification: n.ID, Attempt: k.Attempt, By: p.self, State: v.State, Reason: v.Reason, NeverBegun: v.NeverBegun, Doubt: v.Doubt}
	if v.State == decision.StatePending {
		o.DueMs = p.fsm.View().Clock().Add(v.After).UnixMilli()
	}
	if !p.ledger.Done(k, o) {
		p.slots[n.Channel]++
		return
	}
	p.w.failpoint(p, "answered, not settled")
	p.settle(o, func() {
		p.ledger.Settled(k, p.w.now)
		p.slots[n.Channel]++
	})
}

func (p *process) facts(n decision.Notification, number int) attempt.Facts {
	return attempt.Facts{Number: number, Urgent: n.Urgent, Idempotent: n.Channel == "webhook", Doubtful: p.fsm.View().Doubtful(n.ID)}
}

// settle proposes an outcome until the agreement has answered.
func (p *process) settle(o decision.Outcome, done func()) {
	p.propose(decision.Settle{Outcomes: []decision.Outcome{o}}, func(r agreement.Result, err error) {
		if err != nil || r.Refusal != nil {
			p.settle(o, done)
			return
		}
		if s := r.Outcomes[0]; s.Reason != "" {
			p.w.rare["outcome refused: "+string(s.Reason)]++
		} else if s.Double {
			p.w.rare["outcome beside a second attempt"]++
		}
		done()
	})
}

// resolve asks the holder of an open claim, and settles what the table says.
func (p *process) resolve(fence decision.Fence, o agreement.Open, number int, holder mesh.Origin) {
	k := attemptKey(o.ID, number)
	if p.resolving[k] {
		return
	}
	p.resolving[k] = true
	answered := false
	answer := func(a attempt.Answer, out *decision.Outcome) {
		if answered {
			return
		}
		answered = true
		p.w.rare["holder's answer: "+string(a)]++
		r := decision.Outcome{Notification: o.ID, Attempt: number, By: p.self, Fence: &fence}
		if a == attempt.AnswerDone && out != nil {
			r.State, r.Reason, r.NeverBegun, r.Doubt, r.DueMs = out.State, out.Reason, out.NeverBegun, out.Doubt, out.DueMs
		} else {
			v, ok := attempt.Resolve(p.facts(o.Notification, number), a)
			if !ok {
				p.w.after(2*time.Second, p, func() { delete(p.resolving, k) })
				return
			}
			r.State, r.Reason, r.NeverBegun, r.Doubt = v.State, v.Reason, v.NeverBegun, v.Doubt
			if v.State == decision.StatePending {
				r.DueMs = p.fsm.View().Clock().Add(v.After).UnixMilli()
			}
		}
		p.settle(r, func() { delete(p.resolving, k) })
	}
	home := p.w.node(holder.Node)
	if home == p.node {
		answer(attempt.AnswerStranger, nil) // an own process before this one
		return
	}
	if home.proc != nil {
		q := home.proc
		p.w.net.send(p, home, func() {
			a, out := attempt.AnswerStranger, (*decision.Outcome)(nil)
			if q.self == holder {
				a, out = q.ledger.Ask(k, p.w.now)
			}
			p.w.net.send(q, p.node, func() { answer(a, out) })
		})
	}
	p.w.after(2*time.Second, p, func() { answer(attempt.AnswerNone, nil) })
}
