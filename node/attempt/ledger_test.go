package attempt

import (
	"testing"
	"time"

	"vedetta/wire/decision"
)

var k = Key{"n1", 1}

func TestRule23_AgeCountsFromBeforeTheProposal(t *testing.T) {
	from := time.Now()
	for name, one := range map[string]struct {
		age  time.Duration
		want bool
	}{"at once": {0, true}, "9.9 s": {9900 * time.Millisecond, true}, "10 s": {10 * time.Second, false}, "an hour": {time.Hour, false}} {
		l := NewLedger()
		l.Begin(k, from)
		if got := l.MayHandOver(k, from.Add(one.age), 10*time.Second); got != one.want {
			t.Errorf("%s: %v, want %v", name, got, one.want)
		}
	}
}

func TestRule23_ClocksThatPartVoidEveryClaim(t *testing.T) {
	for _, d := range []time.Duration{1001 * time.Millisecond, -1001 * time.Millisecond, time.Hour} {
		if !apart(5*time.Second, 5*time.Second+d) {
			t.Errorf("clocks apart by %s are trusted", d)
		}
	}
	for _, d := range []time.Duration{0, time.Second, -time.Second} {
		if apart(5*time.Second, 5*time.Second+d) {
			t.Errorf("clocks apart by %s are not trusted", d)
		}
	}
	l, now := NewLedger(), time.Now()
	l.Begin(k, now)
	l.VoidAll(now.Add(time.Second))
	if l.MayHandOver(k, now.Add(2*time.Second), 10*time.Second) {
		t.Error("a claim from before the jump was handed over")
	}
	fresh := Key{"n2", 1}
	l.Begin(fresh, now.Add(3*time.Second))
	if !l.MayHandOver(fresh, now.Add(4*time.Second), 10*time.Second) {
		t.Error("a claim from after the jump was not")
	}
}

func TestRule24_WhatAHolderAnswers(t *testing.T) {
	now := time.Now()
	hand := func(l *Ledger) bool { return l.MayHandOver(k, now, 10*time.Second) }

	l := NewLedger()
	if a, _ := l.Ask(k, now); a != AnswerNeverBegun {
		t.Errorf("never heard of: %s", a)
	}
	if l.Begin(k, now) || hand(l) {
		t.Error("begun after never begun was promised")
	}

	l = NewLedger()
	l.Begin(k, now)
	if a, _ := l.Ask(k, now); a != AnswerNeverBegun {
		t.Errorf("held, last byte not out: %s", a)
	}
	if hand(l) {
		t.Error("handed over after never begun was promised")
	}
	if l.Done(k, decision.Outcome{}) || l.Holds(k) {
		t.Error("an attempt that was given away is still ours")
	}

	l = NewLedger()
	l.Begin(k, now)
	if !hand(l) || hand(l) {
		t.Error("the last byte may leave exactly once")
	}
	if a, _ := l.Ask(k, now); a != AnswerUnderWay {
		t.Errorf("last byte out: %s", a)
	}
	if !l.Done(k, decision.Outcome{State: delivered}) || !l.Holds(k) {
		t.Error("done, not settled: not held")
	}
	if a, o := l.Ask(k, now); a != AnswerDone || o == nil || o.State != delivered {
		t.Errorf("done: %s %+v", a, o)
	}
	l.Settled(k, now)
	if l.Holds(k) {
		t.Error("settled, and still held")
	}
	if a, _ := l.Ask(k, now.Add(time.Minute)); a != AnswerDone {
		t.Errorf("settled: %s", a)
	}
	l.Forget(now.Add(2 * remember))
	if len(l.attempts) != 0 {
		t.Error("settled attempts are kept for ever")
	}
}
