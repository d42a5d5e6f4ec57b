package agreement

import (
	"maps"
	"slices"
	"strconv"

	sharding "vedetta/node/identity"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// maxSilences bounds the panels of one Supervise.
const maxSilences = 1024

// Silence is a panel of which something is silent (rule 30).
type Silence struct {
	Customer  string          `json:"customer"`
	Silent    decision.Silent `json:"silent"`
	SinceMs   int64           `json:"since"`             // agreement's clock when the first bit was set
	PrimaryMs int64           `json:"primary,omitempty"` // and SilentPrimary; 0 while it is not set
}

// supervise records what fell silent and what is heard again: each panel's
// verdict and plan are one record, whose own place is the event's (rule 30).
func (s *State) supervise(c decision.Supervise, b *batch) (Result, error) {
	if !s.holds(c.Fence) {
		return refuse(ReasonOldEpoch), nil
	}
	if len(c.Panels) == 0 || len(c.Panels) > maxSilences {
		return refuse(ReasonBad), nil
	}
	seen := make(map[string]bool, len(c.Panels))
	for _, p := range c.Panels {
		if seen[p.Panel] || !p.WellFormed() || sharding.Shard(p.Panel) != c.Shard || len(p.Plan) > maxPlan {
			return Result{Refusal: &Refusal{Reason: ReasonBad, Customer: p.Customer}}, nil
		}
		seen[p.Panel] = true
	}
	type planned struct {
		verdict decision.Verdict
		number  uint64
		parts   map[string]int
		change  decision.Silence
	}
	var taken []planned
	result := Result{Taken: make([]bool, len(c.Panels))}
	for i, p := range c.Panels {
		if !s.silenceFits(c, p) {
			continue
		}
		v := s.silenceVerdict(p, len(b.drafts))
		if r := s.checkPlan(v, map[string]bool{}, func(r Reason) *Refusal { return &Refusal{Reason: r, Customer: p.Customer} }); r != nil {
			return Result{Refusal: r}, nil
		}
		at := planned{v, v.Entry.Number, nil, p}
		at.parts = addVerdict(b, c.Shard, &at.verdict)
		taken = append(taken, at)
		result.Taken[i] = true
	}
	if len(taken) == 0 {
		return result, nil
	}
	if reason, err := b.commit(); err != nil || reason != "" {
		return refuse(reason), err
	}
	for _, t := range taken {
		s.setSilence(c.Shard, t.change)
		for _, n := range t.verdict.Plan {
			s.plan(c.Fence, t.verdict, t.number+uint64(t.parts[n.Event]), n)
		}
	}
	return result, nil
}

// silenceFits tells whether a change follows from what stands.
func (s *State) silenceFits(c decision.Supervise, p decision.Silence) bool {
	_, keys := s.keys[p.Customer]
	now := s.silent[c.Shard][p.Panel]
	return keys && now.Silent == p.From && (p.From == 0 || now.Customer == p.Customer) && s.rosters[p.Customer] <= c.RosterIndex
}

// silenceVerdict is the verdict whose entry is its own record, the one that
// comes after so many drafts; from there its notifications have their ids (rule 10).
func (s *State) silenceVerdict(p decision.Silence, drafts int) decision.Verdict {
	at := mesh.Position{Origin: s.tail.Origin, Number: s.tail.Number + uint64(drafts) + 1}
	v := decision.Verdict{Entry: at, Customer: p.Customer, Panel: p.Panel, ReceivedMs: s.clock, Ruling: decision.RulingEvents,
		Events: p.Events, Plan: slices.Clone(p.Plan)}
	for i := range v.Plan {
		n := &v.Plan[i]
		index, _ := strconv.Atoi(n.Event)
		n.Event = decision.EventID(at, index)
		n.ID = decision.NotificationID(*n)
	}
	return v
}

func (s *State) setSilence(shard byte, p decision.Silence) {
	if p.To == 0 {
		delete(s.silent[shard], p.Panel)
		return
	}
	was := s.silent[shard][p.Panel]
	now := Silence{Customer: p.Customer, Silent: p.To, SinceMs: was.SinceMs, PrimaryMs: was.PrimaryMs}
	if p.From == 0 {
		now.SinceMs = s.clock
	}
	switch {
	case p.To&decision.SilentPrimary == 0:
		now.PrimaryMs = 0
	case p.From&decision.SilentPrimary == 0:
		now.PrimaryMs = s.clock
	}
	if s.silent[shard] == nil {
		s.silent[shard] = map[string]Silence{}
	}
	s.silent[shard][p.Panel] = now
}

// forgetSilence drops what is known of a destroyed customer's panels.
func (s *State) forgetSilence(customer string) {
	for _, panels := range s.silent {
		maps.DeleteFunc(panels, func(_ string, v Silence) bool { return v.Customer == customer })
	}
}

// Silent are the panels of a shard of which something is silent, by roster id.
func (v *View) Silent(shard byte) map[string]Silence {
	if shard >= Shards {
		return nil
	}
	return read(v, func(s *State) map[string]Silence { return maps.Clone(s.silent[shard]) })
}

// SilentPanel is one panel's; false while nothing of it is silent.
func (v *View) SilentPanel(panel string) (Silence, bool) {
	a := read(v, func(s *State) Silence { return s.silent[sharding.Shard(panel)][panel] })
	return a, a.Silent != 0
}

// CountSilent counts the panels of which every path is silent, in the whole mesh.
func (v *View) CountSilent() int {
	return read(v, func(s *State) (n int) {
		for _, panels := range s.silent {
			for _, p := range panels {
				if p.Silent&(decision.SilentAll|decision.SilentNever) != 0 {
					n++
				}
			}
		}
		return n
	})
}
