package attempt

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

// Facts is what is known of one attempt of a notification.
type Facts struct {
	Number     int
	Urgent     bool
	Idempotent bool
	Doubtful   bool // nothing proves that no earlier attempt was handed over
}

// Verdict is what is to be recorded of an attempt, without who and which.
type Verdict struct {
	State      decision.State
	Reason     string
	NeverBegun bool
	Doubt      bool
	After      time.Duration // state pending: when the next attempt is due
}

// Judge turns what a channel says into what is recorded of this process's own attempt.
func Judge(a Facts, o channel.Outcome) Verdict {
	doubtful := a.Doubtful && !a.Idempotent
	switch o.State {
	case decision.StateDelivered:
		if doubtful {
			return Verdict{State: decision.StateUnknown, Reason: channel.ReasonPossiblyTwice}
		}
		return Verdict{State: decision.StateDelivered}
	case decision.StateRefused:
		if o.Retry {
			return patient(a, again(a, Verdict{Reason: o.Reason}, decision.StateRefused), o.After)
		}
		if a.Doubtful {
			return Verdict{State: decision.StateUnknown, Reason: channel.ReasonNoAnswer}
		}
		return Verdict{State: decision.StateRefused, Reason: o.Reason}
	case decision.StatePending:
		return again(a, Verdict{Reason: o.Reason, NeverBegun: true}, decision.StatePending)
	case decision.StateCancelled:
		if a.Doubtful {
			return Verdict{State: decision.StateUnknown, Reason: channel.ReasonNoAnswer}
		}
		return Verdict{State: decision.StateCancelled, Reason: o.Reason}
	}
	switch { // unknown
	case a.Idempotent:
		return again(a, Verdict{Reason: o.Reason, Doubt: true}, decision.StateUnknown)
	case doubtful:
		return Verdict{State: decision.StateUnknown, Reason: channel.ReasonPossiblyTwice} // twice in doubt is enough
	case a.Urgent:
		return again(a, Verdict{Reason: channel.ReasonPossiblyTwice, Doubt: true}, decision.StateUnknown)
	}
	return Verdict{State: decision.StateUnknown, Reason: o.Reason}
}

// again leaves the notification open for another attempt, or ends it as end
// when its time is over; pending: the agreement ends it as expired.
func again(a Facts, v Verdict, end decision.State) Verdict {
	v.Doubt = v.Doubt || a.Doubtful
	wait, ok := next(a.Number)
	if !ok && v.Doubt {
		end = decision.StateUnknown
	}
	if !ok && end != decision.StatePending {
		return Verdict{State: end, Reason: v.Reason}
	}
	v.State, v.After = decision.StatePending, wait
	return v
}

// patientAtMost bounds how long a provider may ask us to wait; life safety
// tries again sooner, whatever it asks.
const (
	patientAtMost       = time.Hour
	patientAtMostUrgent = 30 * time.Second
)

// patient keeps away from a provider as long as it asked to be left alone.
func patient(a Facts, v Verdict, asked time.Duration) Verdict {
	most := patientAtMost
	if a.Urgent {
		most = patientAtMostUrgent
	}
	if v.State == decision.StatePending {
		v.After = max(v.After, min(asked, most))
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

// Resolve is the table of rule 24 for an attempt of another process, done
// apart. ok is false when the holder is to be waited for.
func Resolve(a Facts, answer Answer) (v Verdict, ok bool) {
	doubt := Verdict{State: decision.StatePending, Reason: channel.ReasonNoAnswer, Doubt: true}
	if !a.Idempotent {
		doubt.Reason = channel.ReasonPossiblyTwice
	}
	switch answer {
	case AnswerUnderWay, AnswerDone:
		return Verdict{}, false
	case AnswerNeverBegun:
		return Verdict{State: decision.StatePending, NeverBegun: true, Doubt: a.Doubtful}, true
	case AnswerInDoubt:
		if a.Idempotent || a.Urgent && !a.Doubtful {
			return doubt, true
		}
		return Verdict{State: decision.StateUnknown, Reason: doubtReason(a)}, true
	}
	if a.Doubtful && !a.Idempotent && a.Number >= goneAtMost {
		return Verdict{State: decision.StateUnknown, Reason: channel.ReasonPossiblyTwice}, true
	}
	return doubt, true
}

func doubtReason(a Facts) string {
	if a.Doubtful {
		return channel.ReasonPossiblyTwice
	}
	return channel.ReasonNoAnswer
}
