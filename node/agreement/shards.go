package agreement

import (
	"slices"

	"vedetta/wire/decision"
)

// decideShards is decide for several shards at once: each is accepted or refused
// by itself, as a whole, in their order. Their plain verdicts go into runs, one
// customer's together (rule 31).
func (s *State) decideShards(c decision.DecideShards, b *batch) (Result, error) {
	if len(c.Decides) == 0 || len(c.Decides) > Shards {
		return refuse(ReasonBad), nil
	}
	var there [Shards]bool
	for i := range c.Decides {
		shard := c.Decides[i].Shard
		if shard >= Shards || there[shard] {
			return refuse(ReasonBad), nil
		}
		there[shard] = true
	}
	var result Result
	var taken []*tentative
	defer s.windows.done()
	planned := map[string]bool{}
	for i := range c.Decides {
		before := len(s.windows.changes)
		t, r := s.check(c.Decides[i], planned)
		if r == nil {
			r = s.sealable(t)
		}
		if r != nil {
			s.windows.takeBack(before)
			result.Shards = append(result.Shards, ShardResult{At: i, Refusal: r})
			continue
		}
		if claims := s.draft(t, b, true); len(claims) > 0 {
			result.Shards = append(result.Shards, ShardResult{At: i, Claims: claims})
		}
		taken = append(taken, t)
	}
	if reason, err := b.commit(); err != nil || reason != "" { // sealable has looked: it never gives a reason
		s.windows.takeBack(0)
		return refuse(reason), err
	}
	for _, t := range taken {
		s.take(t)
		s.verdicts = append(s.verdicts, t.entries)
	}
	return result, nil
}

// sealable looks before anything is drafted whether every record will have its
// key and fit: a refusal must be of its own shard alone.
func (s *State) sealable(t *tentative) *Refusal {
	last := ""
	for i := range t.entries {
		v := &t.entries[i]
		if i == 0 || v.Customer != last {
			last = v.Customer
			if _, reason, err := s.sealingKey(v.Customer); reason != "" && err == nil {
				return &Refusal{Reason: reason, Entry: v.Entry, Customer: v.Customer}
			}
		}
		if !s.fits(t.decide.Shard, v) {
			return &Refusal{Reason: ReasonTooLarge, Entry: v.Entry, Customer: v.Customer}
		}
	}
	return nil
}

// fits tells whether every part of a verdict fits into a record.
func (s *State) fits(shard byte, v *decision.Verdict) bool {
	most := 1024 + 6*(len(v.Customer)+len(v.Panel))
	for i := range v.Events {
		most += eventBytes(&v.Events[i])
	}
	for i := range v.Plan {
		most += planBytes(&v.Plan[i])
	}
	if most <= maxPlain {
		return true
	}
	parts := &batch{s: s}
	addVerdict(parts, shard, v)
	return !slices.ContainsFunc(parts.drafts, func(d draft) bool { return len(d.encode(s.clock)) > maxPlain })
}
