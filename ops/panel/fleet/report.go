package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"vedetta/ops/panel"
	"vedetta/ops/panel/load"
)

// Report is what came of a run. Latency is of messages without a fault, from when
// they were due to their ACK, repetitions included.
type Report struct {
	To             []string             `json:"to"`
	Transport      string               `json:"transport"`
	Connection     string               `json:"connection"` // long, per-message
	Profile        string               `json:"profile"`
	Fault          string               `json:"fault"`
	Seed           uint64               `json:"seed"`
	Panels         int                  `json:"panels"`
	Accounts       int                  `json:"accounts"`
	Keyed          int                  `json:"keyed_accounts"`
	Seconds        float64              `json:"seconds"`
	RateAsked      *float64             `json:"rate_asked"`     // messages per second; null: as fast as answers come
	Rate           float64              `json:"rate"`           // acknowledged per second
	Messages       int                  `json:"messages"`       // begun
	Sent           int                  `json:"sent"`           // frames, with repetitions
	Acknowledged   int                  `json:"acknowledged"`   // messages
	Repeated       int                  `json:"repeated"`       // of these, not at the first try
	Unacknowledged int                  `json:"unacknowledged"` // messages
	LeftOut        int                  `json:"left_out"`       // due, never begun: their panel was still waiting
	Answers        map[panel.Answer]int `json:"answers"`        // of frames without a planted fault, or that must be acknowledged in spite of it
	Latency        Latency              `json:"latency_seconds"`
	StartLag       float64              `json:"start_lag_seconds"` // the most that a message began after it was due
	Faults         []Fault              `json:"faults"`
	First          string               `json:"first"` // what was not acknowledged, and why
}

// Latency of acknowledgements; null when there are none.
type Latency struct {
	P50  *float64 `json:"p50"`
	P90  *float64 `json:"p90"`
	P99  *float64 `json:"p99"`
	P999 *float64 `json:"p999"`
	Max  *float64 `json:"max"`
}

// Fault is what came of one planted kind.
type Fault struct {
	Name       string `json:"fault"`
	Expected   string `json:"expected"`
	Sent       int    `json:"sent"`
	AsExpected int    `json:"as_expected"`
	Otherwise  int    `json:"otherwise"`
	First      string `json:"first"` // that was otherwise
}

func (r *run) report(units []*unit, took time.Duration) Report {
	rep := Report{To: r.To, Transport: r.Via.Name(), Connection: pick(r.PerMessage, "per-message", "long"), Profile: r.Profile, Fault: r.Fault, Seed: r.Seed,
		Panels: r.Panels, Accounts: min(len(r.accounts), r.Panels), LeftOut: r.leftOut, Seconds: took.Round(time.Millisecond).Seconds(),
		Answers: map[panel.Answer]int{panel.AnswerACK: 0, panel.AnswerNAK: 0, panel.AnswerDUH: 0, panel.AnswerSilence: 0, panel.AnswerWrong: 0}, Faults: []Fault{}}
	if r.rate > 0 {
		rep.RateAsked = &r.rate
	}
	for _, a := range r.accounts[:rep.Accounts] {
		if len(a.key) > 0 {
			rep.Keyed++
		}
	}
	var times load.Times
	lag := time.Duration(0)
	for _, u := range units {
		rep.Messages += u.messages
		rep.Sent += u.sent
		rep.Acknowledged += u.acknowledged
		rep.Repeated += u.again
		for a, n := range u.answers {
			rep.Answers[a] += n
		}
		times = append(times, u.times...)
		lag = max(lag, u.lag)
		if rep.First == "" {
			rep.First = u.firstWhy
		}
	}
	for _, f := range faults {
		sum := Fault{Name: f.name, Expected: f.expected}
		for _, u := range units {
			if x := u.faults[f.name]; x != nil {
				sum.Sent += x.sent
				sum.Otherwise += x.otherwise
				if sum.First == "" {
					sum.First = x.first
				}
			}
		}
		if sum.AsExpected = sum.Sent - sum.Otherwise; sum.Sent > 0 {
			rep.Faults = append(rep.Faults, sum)
		}
	}
	rep.Unacknowledged = rep.Messages - rep.Acknowledged
	rep.StartLag = lag.Round(time.Microsecond).Seconds()
	rep.Rate = float64(rep.Acknowledged) / min(took, r.Duration).Seconds() // an early end is shorter
	if len(times) > 0 {
		times.Sort()
		at := func(p float64) *float64 { return new(times.At(p).Seconds()) }
		rep.Latency = Latency{at(.5), at(.9), at(.99), at(.999), at(1)}
	}
	return rep
}

// answered tells whether anything came at all.
func (r Report) answered() bool {
	return r.Answers[panel.AnswerACK]+r.Answers[panel.AnswerNAK]+r.Answers[panel.AnswerDUH]+r.Answers[panel.AnswerWrong] > 0
}

// sound tells whether all was as it must be.
func (r Report) sound() bool {
	for _, f := range r.Faults {
		if f.Otherwise > 0 {
			return false
		}
	}
	return r.Unacknowledged == 0 && r.Answers[panel.AnswerWrong] == 0 && r.LeftOut == 0
}

// Command loads, prints and returns the exit code.
func Command(ctx context.Context, o Options, out, errOut io.Writer) int {
	p, err := o.plan()
	if err != nil {
		fmt.Fprintln(errOut, "panel load:", err)
		return ExitUsage
	}
	r, err := p.load(ctx, errOut)
	if err != nil {
		fmt.Fprintln(errOut, "panel load:", err)
	}
	if o.JSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		err = e.Encode(r)
	} else {
		err = print(out, r)
	}
	switch {
	case err != nil:
		fmt.Fprintln(errOut, "panel load:", err)
		return ExitFault
	case r.Messages > 0 && !r.answered():
		fmt.Fprintf(errOut, "panel load: nobody answered: %s\n", r.First)
		return ExitNobody
	case !r.sound():
		return ExitFault
	}
	return ExitDone
}

func print(out io.Writer, r Report) error {
	var b strings.Builder
	asked := "as fast as answers came"
	if r.RateAsked != nil {
		asked = fmt.Sprintf("%.4g messages/s asked for", *r.RateAsked)
	}
	fmt.Fprintf(&b, "%d panels (accounts: %d, %d of them with a key) to %s over %s, %s connections, profile %s, fault %s, seed %d\n",
		r.Panels, r.Accounts, r.Keyed, strings.Join(r.To, ", "), r.Transport, r.Connection, r.Profile, r.Fault, r.Seed)
	fmt.Fprintf(&b, "  %.1f s, %s; %.1f/s acknowledged\n", r.Seconds, asked, r.Rate)
	fmt.Fprintf(&b, "  messages   %d: %d acknowledged (%d after repetition), %d not\n", r.Messages, r.Acknowledged, r.Repeated, r.Unacknowledged)
	if r.LeftOut > 0 {
		fmt.Fprintf(&b, "             %d more were due and never begun: their panels were still waiting for answers\n", r.LeftOut)
	}
	fmt.Fprintf(&b, "  answers   ")
	for _, a := range []panel.Answer{panel.AnswerACK, panel.AnswerNAK, panel.AnswerDUH, panel.AnswerSilence, panel.AnswerWrong} {
		fmt.Fprintf(&b, " %s %d ", a, r.Answers[a])
	}
	fmt.Fprintf(&b, "\n  latency    ")
	if l := r.Latency; l.P50 == nil {
		b.WriteString("no message without a fault was acknowledged\n")
	} else {
		fmt.Fprintf(&b, "p50 %s  p90 %s  p99 %s  p99.9 %s  max %s (from when a message was due)\n", ms(l.P50), ms(l.P90), ms(l.P99), ms(l.P999), ms(l.Max))
	}
	if r.StartLag > .1 {
		fmt.Fprintf(&b, "             a message began %.3g s late at the most: its panel waited for an answer, or this machine is too slow\n", r.StartLag)
	}
	for _, f := range r.Faults {
		fmt.Fprintf(&b, "  %-10s %d: %d as expected (%s)", f.Name, f.Sent, f.AsExpected, f.Expected)
		if f.Otherwise > 0 {
			fmt.Fprintf(&b, ", %d OTHERWISE, the first: %s", f.Otherwise, f.First)
		}
		b.WriteString("\n")
	}
	if r.First != "" {
		fmt.Fprintf(&b, "  the first that was not acknowledged: %s\n", r.First)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func ms(s *float64) string { return fmt.Sprintf("%.3g ms", *s*1000) }
