package notify

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
	mail, urgent, hook := attempt{number: 1}, attempt{number: 1, urgent: true}, attempt{number: 1, idempotent: true}
	doubtful := func(a attempt) attempt { a.number, a.doubtful = 2, true; return a }
	last := func(a attempt) attempt { a.number = 40; return a }
	now := time.Now()
	ok, no, busy, gone := channel.Delivered("ref", now), channel.Refused("no", ""), channel.NotNow("busy", ""), channel.NotBegun("gone")
	lost, lostHook := channel.Unknown(now, false), channel.Unknown(now, true)
	for name, one := range map[string]struct {
		a    attempt
		o    channel.Outcome
		want verdict
	}{
		"delivered":                              {mail, ok, verdict{state: delivered}},
		"refused":                                {mail, no, verdict{state: refused, reason: "no"}},
		"not now":                                {mail, busy, verdict{state: pending, reason: "busy", after: time.Second}},
		"not begun":                              {mail, gone, verdict{state: pending, reason: "gone", neverBegun: true, after: time.Second}},
		"mail in doubt":                          {mail, lost, verdict{state: unknown, reason: channel.ReasonNoAnswer}},
		"mail in doubt, life safety: again":      {urgent, lost, verdict{state: pending, reason: channel.ReasonPossiblyTwice, doubt: true, after: time.Second}},
		"repeated mail is delivered: unknown":    {doubtful(urgent), ok, verdict{state: unknown, reason: channel.ReasonPossiblyTwice}},
		"repeated mail is refused: unknown":      {doubtful(urgent), no, verdict{state: unknown, reason: channel.ReasonNoAnswer}},
		"repeated mail in doubt: enough":         {doubtful(urgent), lost, verdict{state: unknown, reason: channel.ReasonPossiblyTwice}},
		"repeated mail not now: doubt stays":     {doubtful(urgent), busy, verdict{state: pending, reason: "busy", doubt: true, after: 5 * time.Second}},
		"repeated mail not begun: doubt stays":   {doubtful(urgent), gone, verdict{state: pending, reason: "gone", neverBegun: true, doubt: true, after: 5 * time.Second}},
		"webhook in doubt: again":                {hook, lostHook, verdict{state: pending, reason: channel.ReasonNoAnswer, doubt: true, after: time.Second}},
		"repeated webhook is delivered: it is":   {doubtful(hook), ok, verdict{state: delivered}},
		"repeated webhook is refused: unknown":   {doubtful(hook), no, verdict{state: unknown, reason: channel.ReasonNoAnswer}},
		"time over, said not now":                {last(mail), busy, verdict{state: refused, reason: "busy"}},
		"time over, webhook in doubt":            {last(hook), lostHook, verdict{state: unknown, reason: channel.ReasonNoAnswer}},
		"time over, never begun: left to expire": {last(mail), gone, verdict{state: pending, reason: "gone", neverBegun: true, after: 4 * time.Hour}},
		"time over, never begun, but in doubt":   {attempt{number: 40, doubtful: true}, gone, verdict{state: unknown, reason: "gone"}},
		"contact is gone":                        {mail, channel.Outcome{State: cancelled, Reason: channel.ReasonNoAddress}, verdict{state: cancelled, reason: channel.ReasonNoAddress}},
		"contact is gone, but in doubt":          {doubtful(mail), channel.Outcome{State: cancelled, Reason: channel.ReasonNoAddress}, verdict{state: unknown, reason: channel.ReasonNoAnswer}},
	} {
		if got := judge(one.a, one.o); got != one.want {
			t.Errorf("%s: %+v, want %+v", name, got, one.want)
		}
	}
}

func TestRule24_WhatIsRecordedOfAnothersAttempt(t *testing.T) {
	mail, urgent, hook := attempt{number: 1}, attempt{number: 1, urgent: true}, attempt{number: 1, idempotent: true}
	doubtful := func(a attempt) attempt { a.number, a.doubtful = 2, true; return a }
	repeat := verdict{state: pending, reason: channel.ReasonPossiblyTwice, doubt: true}
	repeatHook := verdict{state: pending, reason: channel.ReasonNoAnswer, doubt: true}
	never := verdict{state: pending, neverBegun: true}
	for name, one := range map[string]struct {
		a      attempt
		answer Answer
		want   verdict
		ok     bool
	}{
		"mail: never begun":                   {mail, AnswerNeverBegun, never, true},
		"mail: never begun, doubt stays":      {doubtful(mail), AnswerNeverBegun, verdict{state: pending, neverBegun: true, doubt: true}, true},
		"mail: under way":                     {mail, AnswerUnderWay, verdict{}, false},
		"mail: in doubt":                      {mail, AnswerInDoubt, verdict{state: unknown, reason: channel.ReasonNoAnswer}, true},
		"mail: holder gone":                   {mail, AnswerNone, repeat, true},
		"mail: another incarnation":           {mail, AnswerStranger, repeat, true},
		"mail: holder gone, for the fifth":    {attempt{number: 5, doubtful: true}, AnswerNone, verdict{state: unknown, reason: channel.ReasonPossiblyTwice}, true},
		"life safety: in doubt":               {urgent, AnswerInDoubt, repeat, true},
		"life safety: in doubt, the second":   {doubtful(urgent), AnswerInDoubt, verdict{state: unknown, reason: channel.ReasonPossiblyTwice}, true},
		"life safety: holder gone":            {urgent, AnswerNone, repeat, true},
		"webhook: never begun":                {hook, AnswerNeverBegun, never, true},
		"webhook: in doubt":                   {hook, AnswerInDoubt, repeatHook, true},
		"webhook: holder gone":                {hook, AnswerNone, repeatHook, true},
		"webhook: holder gone, for the tenth": {attempt{number: 10, doubtful: true, idempotent: true}, AnswerNone, repeatHook, true},
		"webhook: under way":                  {hook, AnswerUnderWay, verdict{}, false},
	} {
		if got, ok := resolve(one.a, one.answer); got != one.want || ok != one.ok {
			t.Errorf("%s: %+v, %v; want %+v, %v", name, got, ok, one.want, one.ok)
		}
	}
}

func TestProviderThatAsksToWait(t *testing.T) {
	for name, one := range map[string]struct {
		a     attempt
		asked time.Duration
		want  time.Duration
	}{
		"said nothing":            {attempt{number: 1}, 0, time.Second},
		"shorter than our own":    {attempt{number: 3}, 2 * time.Second, 30 * time.Second},
		"longer":                  {attempt{number: 1}, 40 * time.Second, 40 * time.Second},
		"a day":                   {attempt{number: 1}, 24 * time.Hour, time.Hour},
		"a day, life safety":      {attempt{number: 1, urgent: true}, 24 * time.Hour, 30 * time.Second},
		"life safety, own longer": {attempt{number: 4, urgent: true}, 24 * time.Hour, 2 * time.Minute},
	} {
		o := channel.NotNow("busy", "")
		o.After = one.asked
		if got := judge(one.a, o); got.state != pending || got.after != one.want {
			t.Errorf("%s: %+v, want again after %s", name, got, one.want)
		}
	}
	o := channel.NotNow("busy", "")
	o.After = time.Hour
	if got := judge(attempt{number: 40}, o); got.state != refused || got.after != 0 {
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

func TestSlotsKeepRoomForLifeSafety(t *testing.T) {
	s := newSlots(map[string]int{"email": 4})
	for i := range 3 {
		if !s.take("email", false) {
			t.Fatalf("slot %d was not given", i)
		}
	}
	if s.take("email", false) {
		t.Error("the last slot went to something that can wait")
	}
	if !s.take("email", true) || s.take("email", true) {
		t.Error("life safety didn't get exactly the last slot")
	}
	s.give("email")
	if !s.take("email", true) {
		t.Error("a slot given back was not given again")
	}
	if s.take("fax", true) {
		t.Error("a slot of a channel that is not there")
	}
	s.give("email")
	s.close()
	if s.take("email", true) {
		t.Error("a slot while draining")
	}
}
