package agreement

import (
	"cmp"
	"maps"
	"slices"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// Open is a notification without a final state. At every moment it has an
// owner, the holder of its shard or of its claim, and a next time (rule 14).
type Open struct {
	decision.Notification           // DueMs is the present one
	Customer              string    `json:"customer"`
	Panel                 string    `json:"panel"` // roster id
	Shard                 byte      `json:"shard"`
	Verdict               uint64    `json:"verdict"` // number, in the agreement's origin, of the record that holds its event
	OpenedMs              int64     `json:"opened"`  // agreement's clock
	Attempts              []Attempt `json:"attempts,omitempty"`
}

// Attempt is one claim and what is known of it. Attempts count from 1.
type Attempt struct {
	Holder   mesh.Origin    `json:"holder"`
	Epoch    uint64         `json:"epoch"`
	ClockMs  int64          `json:"clock"`              // of the claim; from the next epoch on, that epoch's
	State    decision.State `json:"state,omitempty"`    // empty while it is open
	Reported bool           `json:"reported,omitempty"` // by its own holder, which is heard once
	Doubt    bool           `json:"doubt,omitempty"`    // nothing proves that it was not handed over (rule 24)
}

// Claim is the attempt under way, and its number; 0 when there is none.
func (o *Open) Claim() (Attempt, int) {
	if n := len(o.Attempts); n > 0 && o.Attempts[n-1].State == "" {
		return o.Attempts[n-1], n
	}
	return Attempt{}, 0
}

// mayHaveArrived tells whether nothing proves that the attempt was not handed
// over. One that is under way says nothing yet.
func (a Attempt) mayHaveArrived() bool {
	return a.Doubt || a.State == decision.StateDelivered || a.State == decision.StateUnknown
}

// doubtful tells whether an attempt now would perhaps be a second one (rule 24).
func (o *Open) doubtful() bool { return slices.ContainsFunc(o.Attempts, Attempt.mayHaveArrived) }

// arrived tells whether the holder of an attempt says that it was delivered.
func (o *Open) arrived() bool { return slices.ContainsFunc(o.Attempts, Attempt.arrived) }

// twice tells whether more than one attempt may have been handed over, where
// that shows.
func (o *Open) twice() bool {
	n := 0
	for _, a := range o.Attempts {
		if a.mayHaveArrived() {
			n++
		}
	}
	return n > 1 && !decision.ShowsOnce(o.Channel)
}

func (a Attempt) arrived() bool { return a.Reported && a.State == decision.StateDelivered }

// resolvableMs is the agreement's clock from which another process may resolve
// the attempt: under the epoch that followed its own nobody begins it any more,
// and what was begun is out or cut by then (rules 23, 24). Later epochs don't
// put it off.
func (a Attempt) resolvableMs() int64 { return a.ClockMs + ResolveMs }

// Closed is what is kept of a final notification for ClosedMs: enough to
// refuse its id and to record a late outcome (rule 18).
type Closed struct {
	State    decision.State `json:"state"`
	ClockMs  int64          `json:"clock"` // agreement's, when it became final
	Shard    byte           `json:"shard"`
	Customer string         `json:"customer,omitempty"` // empty, as are the attempts, when every attempt was reported
	Attempts []Attempt      `json:"attempts,omitempty"`
	Once     bool           `json:"once,omitempty"` // its channel shows one, however often it was sent
}

// plan opens a notification, with its first claim when it comes with one.
func (s *State) plan(f decision.Fence, v decision.Verdict, verdict uint64, n decision.Notification) {
	o := &Open{Notification: n, Customer: v.Customer, Panel: v.Panel, Shard: f.Shard, Verdict: verdict, OpenedMs: s.clock}
	o.Claimed = false
	if n.Claimed {
		o.Attempts = []Attempt{{Holder: f.Holder, Epoch: f.Epoch, ClockMs: s.clock}}
	}
	s.put(o)
}

func (s *State) put(o *Open) {
	s.open[o.ID] = o
	s.byShard[o.Shard][o.ID] = o
}

// close makes a notification final.
func (s *State) close(o *Open, state decision.State) {
	c := &Closed{State: state, ClockMs: s.clock, Shard: o.Shard, Customer: o.Customer, Attempts: o.Attempts, Once: decision.ShowsOnce(o.Channel)}
	c.compact()
	delete(s.open, o.ID)
	delete(s.byShard[o.Shard], o.ID)
	s.closed[o.ID] = c
}

func (c *Closed) compact() {
	if !slices.ContainsFunc(c.Attempts, func(a Attempt) bool { return !a.Reported }) {
		c.Customer, c.Attempts = "", nil
	}
}

// expire drops what is over and ends the notifications that are open too long,
// oldest first. It runs once a minute of the agreement's clock.
func (s *State) expire(b *batch) error {
	var old []*Open
	for _, o := range s.open {
		if s.clock-o.OpenedMs >= OpenMs {
			old = append(old, o)
		}
	}
	slices.SortFunc(old, func(a, b *Open) int {
		return cmp.Or(cmp.Compare(a.OpenedMs, b.OpenedMs), cmp.Compare(a.ID, b.ID))
	})
	for _, o := range old {
		b.add(draft{shard: o.Shard, record: decision.Record{Customer: o.Customer, Settled: &decision.Settled{Outcome: decision.Outcome{
			Notification: o.ID, Attempt: len(o.Attempts), State: decision.StateExpired, Reason: "expired"}}}})
	}
	if reason, err := b.commit(); err != nil || reason != "" {
		return cmp.Or(err, error(&Refusal{Reason: reason})) // an open step's customer has its keys
	}
	for _, o := range old {
		s.close(o, decision.StateExpired)
	}
	s.windows.drop(s.clock)
	maps.DeleteFunc(s.closed, func(_ string, c *Closed) bool { return s.clock-c.ClockMs >= ClosedMs })
	maps.DeleteFunc(s.proposals, func(_ decision.ProposalID, p proposal) bool { return p.UntilMs < s.clock })
	return nil
}

func (o *Open) clone() Open {
	c := *o
	c.Attempts = slices.Clone(c.Attempts)
	return c
}
