package decision

import (
	"fmt"
)

// RunVersion of the form that EncodeRun writes, and the highest in which several
// verdicts stand in one record.
const RunVersion = 2

// runMark stands behind the version: what follows is a run. What else may be
// written like this is a new version.
const runMark = 1

// Run is several plain verdicts about entries of one customer in one record, in
// the order in which they were decided (rules 16, 31).
type Run struct {
	ClockMs  int64
	Customer string
	Verdicts []Verdict // Plain, of this customer
}

// Plain tells whether a verdict may stand in a run: a known panel's message with
// what it reports, of which nobody is told and which repeats nothing.
func (v *Verdict) Plain() bool {
	return v.Ruling == RulingEvents && v.Customer != "" && v.Panel != "" && len(v.Plan) == 0 && v.CopyOf.IsZero() && !v.Entry.IsZero()
}

// EncodeRun makes the plaintext of a run's record; equal runs give equal bytes.
// Its verdicts are Plain and of its customer.
func EncodeRun(clockMs int64, customer string, verdicts []*Verdict) []byte {
	p := pack(64 + 128*len(verdicts))
	p.b = append(p.b, RunVersion, runMark)
	p.int(clockMs)
	p.text(customer)
	p.uint(uint64(len(verdicts)))
	for _, v := range verdicts {
		p.verdict(v, false)
	}
	return p.b
}

// readRun reads what EncodeRun made.
func readRun(b []byte) (r Run, err error) {
	u := unpacker{b: b[2:]}
	r.ClockMs = u.int()
	r.Customer = u.text()
	r.Verdicts = make([]Verdict, u.count(leastVerdict))
	for i := range r.Verdicts {
		v := &r.Verdicts[i]
		u.verdict(v, false)
		v.Customer = r.Customer
		if u.bad == "" && !v.Plain() {
			u.fail(fmt.Sprintf("verdict about %s is not plain", v.Entry))
		}
	}
	if len(r.Verdicts) == 0 {
		u.fail("no verdict")
	}
	return r, u.end()
}

// DecodeRecords reads one record's plaintext, of EncodeRecord or EncodeRun, as
// single decisions in their order: at least one unless there is an error.
func DecodeRecords(b []byte) ([]Record, error) {
	if len(b) < 2 || b[0] == '{' || b[0] > ' ' { // JSON, or nothing that is known
		r, err := decodeRecord(b)
		return []Record{r}, err
	}
	switch {
	case b[0] > RunVersion:
		return nil, fmt.Errorf("decision record of version %d, want at most %d: %w", b[0], RunVersion, ErrVersion)
	case b[0] != RunVersion || b[1] != runMark:
		return nil, fmt.Errorf("decision record of version %d, form %d: %w", b[0], b[1], ErrForm)
	}
	run, err := readRun(b)
	if err != nil {
		return nil, fmt.Errorf("run of decisions: %w", err)
	}
	out := make([]Record, len(run.Verdicts))
	for i := range run.Verdicts {
		out[i] = Record{Version: RunVersion, ClockMs: run.ClockMs, Customer: run.Customer, Verdict: &run.Verdicts[i]}
	}
	return out, nil
}
