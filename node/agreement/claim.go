package agreement

import (
	"vedetta/wire/decision"
)

// claim takes open steps for sending. The fence is for all, the answer for each.
func (s *State) claim(c decision.Claim, b *batch) (Result, error) {
	if !s.holds(c.Fence) {
		return refuse(ReasonOldEpoch), nil
	}
	var result Result
	taken := map[string]bool{}
	for _, id := range c.Notifications {
		o := s.byShard[c.Shard][id]
		reason := s.claimable(o, id)
		if reason == "" && taken[id] {
			reason = ReasonClaimed
		}
		if reason != "" {
			result.Claims = append(result.Claims, Claimed{Reason: reason})
			continue
		}
		taken[id] = true
		n := len(o.Attempts) + 1
		result.Claims = append(result.Claims, Claimed{Attempt: n})
		b.add(draft{shard: o.Shard, record: decision.Record{Customer: o.Customer, Claimed: &decision.Claimed{
			Notification: id, Attempt: n, Holder: c.Holder, Epoch: c.Epoch}}})
	}
	if reason, err := b.commit(); err != nil || reason != "" {
		return refuse(reason), err
	}
	for id := range taken {
		o := s.open[id]
		o.Attempts = append(o.Attempts, Attempt{Holder: c.Holder, Epoch: c.Epoch, ClockMs: s.clock})
	}
	return result, nil
}

func (s *State) claimable(o *Open, id string) Reason {
	if o == nil {
		if s.closed[id] != nil {
			return ReasonClosed
		}
		return ReasonUnknown
	}
	if _, n := o.Claim(); n != 0 {
		return ReasonClaimed
	}
	return ""
}
