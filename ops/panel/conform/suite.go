// Package conform asks a receiver, whoever made it, what ANSI/SIA DC-09 demands of
// it, clause by clause, and reports what was sent, what was expected and what came.
// It knows the receiver by its address only and needs an account with a key, one
// without, or both, that are there for tests: it sends some 150 messages, all of
// them test events (RP, RX, 602) but for one of an unknown code.
//
// A check that must hold and doesn't is a fault; one that may hold (what the field
// needs and the standard leaves open) is an observation. What can't be asked is
// skipped with its reason. Clauses are named after the public draft of DC-09-2013
// and Annex C of DC-09-2007; "field" is what real panels are known to do.
//
// One connection at a time, but where a check needs more. Goroutines: none.
package conform

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"vedetta/ops/panel"
	"vedetta/wire/dc09"
)

// Level tells what a check's failing means.
type Level string

// Levels.
const (
	Must Level = "must" // the standard demands it
	May  Level = "may"  // it is left open, and panels in the field need it
)

// Verdict of a check.
type Verdict string

// Verdicts.
const (
	Pass        Verdict = "pass"
	Fail        Verdict = "fail"
	Skip        Verdict = "skip"
	Observation Verdict = "observation"
)

// Step is one thing that was sent and what came of it.
type Step struct {
	Sent     string  `json:"sent"`     // hex; empty when nothing was sent
	Expected string  `json:"expected"` // in words
	Came     string  `json:"came"`     // hex; empty for silence
	Note     string  `json:"note"`     // of what came: silence, closed, ...
	Seconds  float64 `json:"seconds"`
}

// Result is one check's outcome.
type Result struct {
	ID      string  `json:"id"`
	Level   Level   `json:"level"`
	Clause  string  `json:"clause"`
	Rule    string  `json:"rule"`
	Verdict Verdict `json:"verdict"`
	Why     string  `json:"why"` // empty when passed
	Steps   []Step  `json:"steps"`
}

// Report is a whole run.
type Report struct {
	To           string   `json:"to"`
	Transport    string   `json:"transport"`
	Passed       int      `json:"passed"`
	Failed       int      `json:"failed"`
	Skipped      int      `json:"skipped"`
	Observed     int      `json:"observed"`
	ClockSeconds *float64 `json:"clock_seconds"` // the receiver's clock minus ours, as far as it was seen
	Results      []Result `json:"results"`
}

// Target is the receiver and how it may be asked.
type Target struct {
	To      string
	Via     panel.Transport
	Secure  *tls.Config
	Plain   *Account // without a key, nil: none
	Keyed   *Account // with one, nil: none
	Timeout time.Duration
	Quiet   time.Duration // silence is believed after it, where nothing else proves it
	Now     func() time.Time

	slow time.Duration // between the segments of a slow message
	idle time.Duration // of a connection without traffic
}

// Account is one that the receiver knows.
type Account struct {
	Number           string
	Prefix, Receiver *string
	Cipher           *dc09.Cipher
}

// check is one clause.
type check struct {
	id     string
	level  Level
	clause string
	rule   string
	needs  need
	run    func(p *probe)
}

// need is what a check can't do without.
type need uint8

const (
	plain  need = 1 << iota // an account without a key
	keyed                   // an account with a key
	stream                  // TCP or TLS
	packet                  // UDP, when the receiver answers there
)

// Run asks everything and tells each result as it comes. The error is errNobody when
// not a single answer came to the first messages.
func Run(ctx context.Context, t Target, tell func(Result)) (Report, error) {
	s := &suite{Target: t, mark: fmt.Sprintf("%04X", t.Now().UnixMilli()&0xFFFF)}
	r := Report{To: t.To, Transport: t.Via.Name(), Results: []Result{}}
	if r.Transport == "tcp" {
		r.Transport = "tcp and udp"
	}
	for _, c := range checks() {
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		res := s.ask(ctx, c)
		s.hear(res)
		r.Results = append(r.Results, res)
		switch res.Verdict {
		case Pass:
			r.Passed++
		case Fail:
			r.Failed++
		case Skip:
			r.Skipped++
		case Observation:
			r.Observed++
		}
		tell(res)
		if s.answers == 0 && s.asked >= 3 {
			return r, errNobody
		}
	}
	if s.noUDP && !t.Via.UDP {
		r.Transport = t.Via.Name()
	}
	if s.offset != nil {
		r.ClockSeconds = new(s.offset.Seconds())
	}
	return r, nil
}

// suite is what checks know of one another.
type suite struct {
	Target
	mark    string // of this run's texts, so that none is a copy of an earlier run's
	seq     int
	number  int
	asked   int // messages sent, until the first answer
	answers int
	offset  *time.Duration // the receiver's clock minus ours
	noUDP   bool           // nobody answered there

	plainUnheard, keyedUnheard string // why the account is asked no more
	unheard                    int    // of the first plain messages
}

// hear draws conclusions of a check about an account as such: one that the receiver
// doesn't know is not blamed on every clause.
func (s *suite) hear(r Result) {
	switch r.ID {
	case "clock":
		if strings.HasPrefix(r.Why, duhToKey) {
			s.keyedUnheard = "the receiver can't decrypt this account's messages, see encrypted"
		}
	case "ack-plain", "ack-contact-id", "ack-null":
		if r.Verdict == Fail && strings.Contains(r.Why, "silence") {
			s.unheard++
		}
		if s.unheard == 3 {
			s.plainUnheard = "no plain message of the account was answered, see ack-plain"
		}
	}
}

func (s *suite) ask(ctx context.Context, c check) Result {
	p := &probe{suite: s, ctx: ctx, level: c.level, verdict: Pass}
	switch {
	case c.needs&plain != 0 && s.Plain == nil:
		p.skip("no account without a key was given (--plain-account)")
	case c.needs&keyed != 0 && s.Keyed == nil:
		p.skip("no account with a key was given (--account with --key)")
	case c.needs&plain != 0 && s.plainUnheard != "":
		p.skip(s.plainUnheard)
	case c.needs&keyed != 0 && s.keyedUnheard != "" && c.id != "encrypted":
		p.skip(s.keyedUnheard)
	case s.main() == nil && c.id != "encrypted":
		p.skip("no account that was given is answered")
	case c.needs&stream != 0 && s.Via.UDP:
		p.skip("only UDP is asked")
	case c.needs&packet != 0 && s.Via.TLS:
		p.skip("only TLS is asked")
	case c.needs&packet != 0 && s.noUDP:
		p.skip("nobody answers over UDP there; the standard leaves UDP to the receiver")
	default:
		c.run(p)
	}
	p.close()
	if p.steps == nil {
		p.steps = []Step{}
	}
	return Result{ID: c.id, Level: c.level, Clause: c.clause, Rule: c.rule, Verdict: p.verdict, Why: p.why, Steps: p.steps}
}

// checks are all, in the order in which they are asked.
func checks() (all []check) {
	for _, group := range [][]check{answerChecks(), frameChecks(), contentChecks(), keyChecks(), timeChecks(), packetChecks()} {
		all = append(all, group...)
	}
	return all
}
