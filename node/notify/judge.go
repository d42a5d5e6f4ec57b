package notify

import (
	"time"

	"vedetta/node/channel"
	"vedetta/wire/decision"
)

// backoff is when the next attempt is due after the n-th. The last one repeats.
// Together they reach past the 48 hours for which a step may be open (rule 14).
var backoff = []time.Duration{
	time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour,
}

// openAtMost is how long attempts go on, a little less than a step may be open:
// then the true end is recorded before the agreement records "expired".
const openAtMost = 47 * time.Hour

// next is the wait after the attempt-th attempt; false when there is none.
func next(attempt int) (time.Duration, bool) {
	var sum, wait time.Duration
	for i := range attempt {
		wait = backoff[min(i, len(backoff)-1)]
		sum += wait
	}
	return wait, sum <= openAtMost
}

// attempt is what judge knows of one attempt.
type attempt struct {
	number     int
	urgent     bool
	idempotent bool
	doubtful   bool // nothing proves that no earlier attempt was handed over
}

// verdict is what is to be recorded, without who and which.
type verdict struct {
	state      decision.State
	reason     string
	neverBegun bool
	doubt      bool
	after      time.Duration // state pending: when the next attempt is due
}

// judge turns what a channel says into what is recorded of this process's own attempt.
func judge(a attempt, o channel.Outcome) verdict {
	doubtful := a.doubtful && !a.idempotent
	switch o.State {
	case decision.StateDelivered:
		if doubtful {
			return verdict{state: decision.StateUnknown, reason: channel.ReasonPossiblyTwice}
		}
		return verdict{state: decision.StateDelivered}
	case decision.StateRefused:
		if o.Retry {
			return patient(a, again(a, verdict{reason: o.Reason}, decision.StateRefused), o.After)
		}
		if a.doubtful {
			return verdict{state: decision.StateUnknown, reason: channel.ReasonNoAnswer}
		}
		return verdict{state: decision.StateRefused, reason: o.Reason}
	case decision.StatePending:
		return again(a, verdict{reason: o.Reason, neverBegun: true}, decision.StatePending)
	case decision.StateCancelled:
		if a.doubtful {
			return verdict{state: decision.StateUnknown, reason: channel.ReasonNoAnswer}
		}
		return verdict{state: decision.StateCancelled, reason: o.Reason}
	}
	switch { // unknown
	case a.idempotent:
		return again(a, verdict{reason: o.Reason, doubt: true}, decision.StateUnknown)
	case doubtful:
		return verdict{state: decision.StateUnknown, reason: channel.ReasonPossiblyTwice} // twice in doubt is enough
	case a.urgent:
		return again(a, verdict{reason: channel.ReasonPossiblyTwice, doubt: true}, decision.StateUnknown)
	}
	return verdict{state: decision.StateUnknown, reason: o.Reason}
}

// again leaves the notification open for another attempt, or ends it as end
// when its time is over; pending: the agreement ends it as expired.
func again(a attempt, v verdict, end decision.State) verdict {
	v.doubt = v.doubt || a.doubtful
	wait, ok := next(a.number)
	if !ok && v.doubt {
		end = decision.StateUnknown
	}
	if !ok && end != decision.StatePending {
		return verdict{state: end, reason: v.reason}
	}
	v.state, v.after = decision.StatePending, wait
	return v
}

// patientAtMost bounds how long a provider may ask us to wait; life safety
// tries again sooner, whatever it asks.
const (
	patientAtMost       = time.Hour
	patientAtMostUrgent = 30 * time.Second
)

// patient keeps away from a provider as long as it asked to be left alone.
func patient(a attempt, v verdict, asked time.Duration) verdict {
	most := patientAtMost
	if a.urgent {
		most = patientAtMostUrgent
	}
	if v.state == decision.StatePending {
		v.after = max(v.after, min(asked, most))
	}
	return v
}

// Answer is what is known of another process's attempt.
type Answer string

// Answers.
const (
	AnswerDone       Answer = "done"        // its outcome is in the answer
	AnswerNeverBegun Answer = "never_begun" // and never begins
	AnswerInDoubt    Answer = "in_doubt"    // its last byte left and no answer will come
	AnswerUnderWay   Answer = "under_way"   // its last byte left; the holder waits and will settle
	AnswerStranger   Answer = "stranger"    // the node lives, the process that held it does not
	AnswerNone       Answer = "none"        // the holder can't be reached
)

// goneAtMost is the attempt after which a mail whose holders keep vanishing is
// not repeated any more.
const goneAtMost = 5

// resolve is the table of rule 24 for an attempt of another process, done
// apart. ok is false when the holder is to be waited for.
func resolve(a attempt, answer Answer) (v verdict, ok bool) {
	doubt := verdict{state: decision.StatePending, reason: channel.ReasonNoAnswer, doubt: true}
	if !a.idempotent {
		doubt.reason = channel.ReasonPossiblyTwice
	}
	switch answer {
	case AnswerUnderWay, AnswerDone:
		return verdict{}, false
	case AnswerNeverBegun:
		return verdict{state: decision.StatePending, neverBegun: true, doubt: a.doubtful}, true
	case AnswerInDoubt:
		if a.idempotent || a.urgent && !a.doubtful {
			return doubt, true
		}
		return verdict{state: decision.StateUnknown, reason: doubtReason(a)}, true
	}
	if a.doubtful && !a.idempotent && a.number >= goneAtMost {
		return verdict{state: decision.StateUnknown, reason: channel.ReasonPossiblyTwice}, true
	}
	return doubt, true
}

func doubtReason(a attempt) string {
	if a.doubtful {
		return channel.ReasonPossiblyTwice
	}
	return channel.ReasonNoAnswer
}
