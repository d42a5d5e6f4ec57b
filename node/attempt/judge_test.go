package attempt

import (
	"testing"
	"time"

	"vedetta/node/channel"
	"vedetta/wire/decision"
)

const (
	delivered = decision.StateDelivered
	refused   = decision.StateRefused
	unknown   = decision.StateUnknown
	pending   = decision.StatePending
	cancelled = decision.StateCancelled
)

func TestRule24_WhatIsRecordedOfAnOwnAttempt(t *testing.T) {
	mail, urgent, hook := Facts{Number: 1}, Facts{Number: 1, Urgent: true}, Facts{Number: 1, Idempotent: true}
	doubtful := func(a Facts) Facts { a.Number, a.Doubtful = 2, true; return a }
	last := func(a Facts) Facts { a.Number = 40; return a }
	now := time.Now()
	ok, no, busy, gone := channel.Delivered("ref", now), channel.Refused("no", ""), channel.NotNow("busy", ""), channel.NotBegun("gone")
	lost, lostHook := channel.Unknown(now, false), channel.Unknown(now, true)
	for name, one := range map[string]struct {
		a    Facts
		o    channel.Outcome
		want Verdict
	}{
		"delivered":                              {mail, ok, Verdict{State: delivered}},
		"refused":                                {mail, no, Verdict{State: refused, Reason: "no"}},
		"not now":                                {mail, busy, Verdict{State: pending, Reason: "busy", After: time.Second}},
		"not begun":                              {mail, gone, Verdict{State: pending, Reason: "gone", NeverBegun: true, After: time.Second}},
		"mail in doubt":                          {mail, lost, Verdict{State: unknown, Reason: channel.ReasonNoAnswer}},
		"mail in doubt, life safety: again":      {urgent, lost, Verdict{State: pending, Reason: channel.ReasonPossiblyTwice, Doubt: true, After: time.Second}},
		"repeated mail is delivered: unknown":    {doubtful(urgent), ok, Verdict{State: unknown, Reason: channel.ReasonPossiblyTwice}},
		"repeated mail is refused: unknown":      {doubtful(urgent), no, Verdict{State: unknown, Reason: channel.ReasonNoAnswer}},
		"repeated mail in doubt: enough":         {doubtful(urgent), lost, Verdict{State: unknown, Reason: channel.ReasonPossiblyTwice}},
		"repeated mail not now: doubt stays":     {doubtful(urgent), busy, Verdict{State: pending, Reason: "busy", Doubt: true, After: 5 * time.Second}},
		"repeated mail not begun: doubt stays":   {doubtful(urgent), gone, Verdict{State: pending, Reason: "gone", NeverBegun: true, Doubt: true, After: 5 * time.Second}},
		"webhook in doubt: again":                {hook, lostHook, Verdict{State: pending, Reason: channel.ReasonNoAnswer, Doubt: true, After: time.Second}},
		"repeated webhook is delivered: it is":   {doubtful(hook), ok, Verdict{State: delivered}},
		"repeated webhook is refused: unknown":   {doubtful(hook), no, Verdict{State: unknown, Reason: channel.ReasonNoAnswer}},
		"time over, said not now":                {last(mail), busy, Verdict{State: refused, Reason: "busy"}},
		"time over, webhook in doubt":            {last(hook), lostHook, Verdict{State: unknown, Reason: channel.ReasonNoAnswer}},
		"time over, never begun: left to expire": {last(mail), gone, Verdict{State: pending, Reason: "gone", NeverBegun: true, After: 4 * time.Hour}},
		"time over, never begun, but in doubt":   {Facts{Number: 40, Doubtful: true}, gone, Verdict{State: unknown, Reason: "gone"}},
		"contact is gone":                        {mail, channel.Outcome{State: cancelled, Reason: channel.ReasonNoAddress}, Verdict{State: cancelled, Reason: channel.ReasonNoAddress}},
		"contact is gone, but in doubt":          {doubtful(mail), channel.Outcome{State: cancelled, Reason: channel.ReasonNoAddress}, Verdict{State: unknown, Reason: channel.ReasonNoAnswer}},
	} {
		if got := Judge(one.a, one.o); got != one.want {
			t.Errorf("%s: %+v, want %+v", name, got, one.want)
		}
	}
}

func TestRule24_WhatIsRecordedOfAnothersAttempt(t *testing.T) {
	mail, urgent, hook := Facts{Number: 1}, Facts{Number: 1, Urgent: true}, Facts{Number: 1, Idempotent: true}
	doubtful := func(a Facts) Facts { a.Number, a.Doubtful = 2, true; return a }
	repeat := Verdict{State: pending, Reason: channel.ReasonPossiblyTwice, Doubt: true}
	repeatHook := Verdict{State: pending, Reason: channel.ReasonNoAnswer, Doubt: true}
	never := Verdict{State: pending, NeverBegun: true}
	for name, one := range map[string]struct {
		a      Facts
		answer Answer
		want   Verdict
		ok     bool
	}{
		"mail: never begun":                   {mail, AnswerNeverBegun, never, true},
		"mail: never begun, doubt stays":      {doubtful(mail), AnswerNeverBegun, Verdict{State: pending, NeverBegun: true, Doubt: true}, true},
		"mail: under way":                     {mail, AnswerUnderWay, Verdict{}, false},
		"mail: in doubt":                      {mail, AnswerInDoubt, Verdict{State: unknown, Reason: channel.ReasonNoAnswer}, true},
		"mail: holder gone":                   {mail, AnswerNone, repeat, true},
		"mail: another incarnation":           {mail, AnswerStranger, repeat, true},
		"mail: holder gone, for the fifth":    {Facts{Number: 5, Doubtful: true}, AnswerNone, Verdict{State: unknown, Reason: channel.ReasonPossiblyTwice}, true},
		"life safety: in doubt":               {urgent, AnswerInDoubt, repeat, true},
		"life safety: in doubt, the second":   {doubtful(urgent), AnswerInDoubt, Verdict{State: unknown, Reason: channel.ReasonPossiblyTwice}, true},
		"life safety: holder gone":            {urgent, AnswerNone, repeat, true},
		"webhook: never begun":                {hook, AnswerNeverBegun, never, true},
		"webhook: in doubt":                   {hook, AnswerInDoubt, repeatHook, true},
		"webhook: holder gone":                {hook, AnswerNone, repeatHook, true},
		"webhook: holder gone, for the tenth": {Facts{Number: 10, Doubtful: true, Idempotent: true}, AnswerNone, repeatHook, true},
		"webhook: under way":                  {hook, AnswerUnderWay, Verdict{}, false},
	} {
		if got, ok := Resolve(one.a, one.answer); got != one.want || ok != one.ok {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, ok, one.want, one.ok)
		}
	}
}

func TestProviderThatAsksToWait(t *testing.T) {
	for name, one := range map[string]struct {
		a     Facts
		asked time.Duration
		want  time.Duration
	}{
		"said nothing":            {Facts{Number: 1}, 0, time.Second},
		"shorter than our own":    {Facts{Number: 3}, 2 * time.Second, 30 * time.Second},
		"longer":                  {Facts{Number: 1}, 40 * time.Second, 40 * time.Second},
		"a day":                   {Facts{Number: 1}, 24 * time.Hour, time.Hour},
		"a day, life safety":      {Facts{Number: 1, Urgent: true}, 24 * time.Hour, 30 * time.Second},
		"life safety, own longer": {Facts{Number: 4, Urgent: true}, 24 * time.Hour, 2 * time.Minute},
	} {
		o := channel.NotNow("busy", "")
		o.After = one.asked
		if got := Judge(one.a, o); got.State != pending || got.After != one.want {
			t.Errorf("%s: %+v, want again after %s", name, got, one.want)
		}
	}
	o := channel.NotNow("busy", "")
	o.After = time.Hour
	if got := Judge(Facts{Number: 40}, o); got.State != refused || got.After != 0 {
		t.Errorf("time over: %+v", got)
	}
}

func TestRule14_AttemptsGoOnForTwoDays(t *testing.T) {
	var sum, before time.Duration
	n := 1
	for ; ; n++ {
		wait, ok := next(n)
		if !ok {
			break
		}
		if wait < before {
			t.Errorf("attempt %d: wait fell to %s", n, wait)
		}
		sum, before = sum+wait, wait
	}
	if sum < 40*time.Hour || sum > 48*time.Hour {
		t.Errorf("attempts end after %s, want shortly before 48 h", sum)
	}
	if w, _ := next(1); w > 5*time.Second {
		t.Errorf("first repetition after %s", w)
	}
}
