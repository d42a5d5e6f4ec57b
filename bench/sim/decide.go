package sim

import (
	"encoding/json"
	"fmt"
	"time"

	"vedetta/node/agreement"
	"vedetta/node/alerting"
	"vedetta/node/leadership"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// shard is what a process knows of a shard that it leads.
type shard struct {
	leads   bool
	fence   decision.Fence
	number  uint64 // decisions that must be read before deciding (rule 16)
	busy    bool   // a proposal is under way
	scanned map[mesh.Origin]uint64
	queue   []mesh.Record
	copies  map[mesh.Position]mesh.Position // refused as copies
	since   time.Time                       // the queue's front was read then
}

// content is what an entry carries; the simulation seals nothing.
type content struct {
	Message  int    `json:"message"`
	Customer string `json:"customer"`
	Panel    string `json:"panel"`
	Sequence int    `json:"sequence"`
	Received int64  `json:"received"` // Unix milliseconds
	Urgent   bool   `json:"urgent"`
	Silent   bool   `json:"silent"` // no rule is about this panel
}

func contentOf(r mesh.Record) content {
	var c content
	if err := json.Unmarshal(r.Sealed, &c); err != nil {
		panic(fmt.Sprintf("sim: content of %s: %v", r.Position(), err))
	}
	return c
}

// renew tells the Raft leader twice a second that this process is there.
func (p *process) renew() {
	r := leadership.Renewal{Holder: p.self, Ready: p.w.net.reaches(p)}
	for _, n := range p.w.shards {
		if s := &p.shards[n]; s.leads && len(s.queue) > 0 {
			r.UndecidedMs = max(r.UndecidedMs, p.w.now.Sub(s.since).Milliseconds())
		}
	}
	if l := p.w.log.leader; l == p {
		p.w.log.assigner.Renew(p.w.now, r)
	} else if l != nil {
		p.w.net.send(p, l.node, func() {
			if p.w.log.leader == l {
				p.w.log.assigner.Renew(p.w.now, r)
			}
		})
	}
	p.w.after(500*time.Millisecond, p, p.renew)
}

func (p *process) decideLoop() {
	p.decide()
	p.w.after(p.w.between(50*time.Millisecond, 150*time.Millisecond), p, p.decideLoop)
}

// wake has the process look soon at what has become durable.
func (p *process) wake() { p.w.after(time.Millisecond, p, p.decide) }

// decide goes over the shards that this process leads.
func (p *process) decide() {
	p.feed()
	v := p.fsm.View()
	var parts []part
	for _, n := range p.w.shards {
		s := &p.shards[n]
		fence, _ := v.Lead(n)
		leads := fence.Holder == p.self
		if leads != s.leads || fence != s.fence {
			_, number := v.Decided()
			*s = shard{leads: leads, fence: fence, number: number, scanned: map[mesh.Origin]uint64{}, copies: map[mesh.Position]mesh.Position{}}
			if leads {
				p.w.note("lead %s %d %d\n", p, n, fence.Epoch)
			}
		}
		if leads && !s.busy {
			p.read(s, v)
			if one, ok := p.draft(s, v); ok {
				parts = append(parts, one)
			}
		}
	}
	if len(parts) > 0 {
		p.proposeAll(parts)
	}
}

// feed takes decisions into the index of copies, in their order.
func (p *process) feed() {
	o := mesh.Agreement(1)
	records := p.disk.records[o]
	for ; p.fed < uint64(len(records)); p.fed++ {
		list, ok := p.w.decision(p, records[p.fed])
		if !ok {
			return // its key is not applied here yet
		}
		for _, d := range list {
			if d.Verdict != nil && d.Part == 0 {
				p.copies.NoteVerdict(*d.Verdict)
			}
		}
	}
}

// whole tells whether all was read that was decided before this epoch.
func (p *process) whole(s *shard) bool { return p.fed >= s.number }

// read queues what has become durable (rule 6).
func (p *process) read(s *shard, v *agreement.View) {
	for _, o := range sortedOrigins(p.disk.records) {
		if o.IsAgreement() {
			continue
		}
		at, ok := s.scanned[o]
		if !ok {
			at = v.Cursor(s.fence.Shard, o)
		}
		mark, _ := p.disk.mark(o)
		to := min(mark, p.quorum.Durable(o))
		if p.w.plant == PlantNotDurable {
			to = mark
		}
		for ; at < to; at++ {
			if r := p.disk.records[o][at]; r.Shard == s.fence.Shard {
				if len(s.queue) == 0 {
					s.since = p.w.now
				}
				s.queue = append(s.queue, r)
			}
		}
		s.scanned[o] = at
	}
}

// part is what a process decides for one shard, in a command with others.
type part struct {
	s       *shard
	fence   decision.Fence
	cmd     decision.Decide
	taken   int // of the queue's front
	claimed []*decision.Notification
}

// draft decides the queue's front.
func (p *process) draft(s *shard, v *agreement.View) (part, bool) {
	if len(s.queue) == 0 || !p.whole(s) {
		return part{}, false
	}
	n := min(len(s.queue), 16)
	front := s.queue[:n:n]
	cmd := decision.Decide{Fence: s.fence}
	pending := alerting.NewCopies()
	reach := map[mesh.Origin]uint64{}
	for _, r := range front {
		if r.Number <= v.Cursor(s.fence.Shard, r.Origin) {
			continue // decided before
		}
		cmd.Entries = append(cmd.Entries, p.verdict(r, s, pending))
		reach[r.Origin] = s.scanned[r.Origin]
	}
	if len(cmd.Entries) == 0 {
		s.queue = s.queue[n:]
		return part{}, false
	}
	for _, r := range s.queue[n:] {
		if to, ok := reach[r.Origin]; ok && r.Number-1 < to {
			reach[r.Origin] = r.Number - 1
		}
	}
	for _, o := range sortedOrigins(reach) {
		cmd.Moves = append(cmd.Moves, decision.Move{Origin: o, From: v.Cursor(s.fence.Shard, o), To: reach[o]})
	}
	s.busy = true
	return part{s, s.fence, cmd, n, p.claimNow(cmd.Entries, v)}, true
}

// proposeAll has the agreement decide all parts in one command, each by itself.
func (p *process) proposeAll(parts []part) {
	var all decision.DecideShards
	for _, one := range parts {
		all.Decides = append(all.Decides, one.cmd)
	}
	if len(parts) > 1 {
		p.w.rare["shards decided together"]++
	}
	from := p.w.now // before the proposal (rule 23)
	p.propose(all, func(r agreement.Result, err error) {
		results := make([]agreement.Result, len(parts))
		for i := range results {
			results[i].Refusal = r.Refusal
		}
		for _, own := range r.Shards {
			results[own.At].Refusal, results[own.At].Claims = own.Refusal, own.Claims
		}
		for i, one := range parts {
			p.decided(one, results[i], err, from)
		}
	})
}

// decided takes the answer for one shard.
func (p *process) decided(one part, r agreement.Result, err error, from time.Time) {
	s := one.s
	if s.fence != one.fence { // another epoch has begun meanwhile
		p.w.rare["decision answered in another epoch"]++
	} else {
		s.busy = false
	}
	if err == nil && r.Refusal == nil {
		for _, v := range one.cmd.Entries {
			p.copies.NoteVerdict(v)
		}
		if s.fence == one.fence {
			s.queue, s.since = s.queue[one.taken:], p.w.now
		}
		p.begun(one.cmd.Entries, r, from)
		return
	}
	for _, n := range one.claimed {
		p.slots[n.Channel]++
		if err != nil {
			p.abandoned[n.ID] = true
		}
	}
	if s.fence == one.fence {
		p.refused(s, r, err)
	}
}

// refused says how to go on: look anew, or take the agreement's word for a copy.
func (p *process) refused(s *shard, r agreement.Result, err error) {
	if err == nil {
		p.w.rare["decision refused: "+string(r.Refusal.Reason)]++
		switch r.Refusal.Reason {
		case agreement.ReasonCopy:
			s.copies[r.Refusal.Entry] = r.Refusal.CopyOf
			return
		case agreement.ReasonOldEpoch, agreement.ReasonCursor, agreement.ReasonStale:
		default:
			p.w.broken("%s: decision refused: %s", p, r.Refusal.Reason)
		}
	}
	s.scanned, s.queue = map[mesh.Origin]uint64{}, nil
}

// verdict drafts one entry.
func (p *process) verdict(r mesh.Record, s *shard, pending *alerting.Copies) decision.Verdict {
	c := contentOf(r)
	received := time.UnixMilli(c.Received)
	v := decision.Verdict{Entry: r.Position(), Customer: c.Customer, Panel: c.Panel, Identity: r.Identity[:], ReceivedMs: c.Received, Sequence: c.Sequence,
		Late: p.w.now.Sub(received) > alerting.LateAfter}
	e := alerting.Entry{Position: v.Entry, Identity: r.Identity, Panel: c.Panel, Sequence: c.Sequence, Received: received}
	j := alerting.Judgement{CopyOf: s.copies[v.Entry]}
	if j.CopyOf.IsZero() {
		j = p.copies.Judge(e, pending)
	}
	if !j.CopyOf.IsZero() {
		v.Ruling, v.CopyOf = decision.RulingCopy, j.CopyOf
		pending.Note(e, j.CopyOf)
		if j.CopyOf.Origin.Node != v.Entry.Origin.Node {
			p.w.rare["copy at another node"]++
		}
		return v
	}
	if v.Late {
		p.w.rare["late event"]++
	}
	pending.Note(e, v.Entry)
	v.Ruling, v.Fresh = decision.RulingEvents, j.Fresh
	v.Events = []decision.Event{{Standard: "SIA-DCS", Code: "FA", Qualifier: "new", Category: "fire"}}
	v.Plan = p.plan(v, c)
	return v
}

// plan tells two channels at once, and for life safety a second contact later.
// Of some panels nobody is told: such plain events are decided in runs.
func (p *process) plan(v decision.Verdict, c content) []decision.Notification {
	if c.Silent {
		p.w.rare["event of which nobody is told"]++
		return nil
	}
	due := p.fsm.View().Clock()
	var out []decision.Notification
	add := func(contact, channel string, step int, at time.Time) {
		n := decision.Notification{Event: decision.EventID(v.Entry, 0), Contact: contact, Channel: channel, Address: "a", Rule: "r", Step: step, DueMs: at.UnixMilli(), Urgent: c.Urgent}
		n.ID = decision.NotificationID(n)
		out = append(out, n)
	}
	add("k1", "email", 0, due)
	add("k1", "webhook", 0, due)
	if c.Urgent {
		add("k2", "email", 1, due.Add(15*time.Second))
	}
	return out
}

// claimNow claims, in the command that plans them, what is due and has a slot.
func (p *process) claimNow(entries []decision.Verdict, v *agreement.View) (claimed []*decision.Notification) {
	now := v.Clock().UnixMilli()
	for i := range entries {
		for j := range entries[i].Plan {
			n := &entries[i].Plan[j]
			if n.DueMs <= now && p.slots[n.Channel] > 0 && !p.abandoned[n.ID] {
				p.slots[n.Channel]--
				n.Claimed = true
				claimed = append(claimed, n)
			}
		}
	}
	return claimed
}

func (p *process) begun(entries []decision.Verdict, r agreement.Result, from time.Time) {
	next := 0
	for i := range entries {
		for _, n := range entries[i].Plan {
			if !n.Claimed {
				continue
			}
			number := 0
			if next < len(r.Claims) {
				number = r.Claims[next].Attempt
			}
			next++
			if number == 0 {
				p.slots[n.Channel]++
				continue
			}
			p.begin(n, number, from)
		}
	}
}

// decision reads a record of the agreement's origin; not ok while its key is
// not applied at p.
func (w *World) decision(p *process, r mesh.Record) (list []decision.Record, ok bool) {
	id, err := seal.IDOf(r.Sealed)
	if err != nil {
		w.broken("decision %s: %v", r.Position(), err)
		return nil, false
	}
	k := w.keys[id]
	if k == nil {
		key, _, state := p.fsm.View().Key(id)
		if state != agreement.KeyPresent {
			return nil, false
		}
		k = key.For(r.Origin)
		w.keys[id] = k
	}
	plain, err := k.Open(r.Header, r.Sealed)
	if err != nil {
		w.broken("decision %s can't be opened: %v", r.Position(), err)
		return nil, false
	}
	list, err = decision.DecodeRecords(plain)
	if err != nil {
		w.broken("decision %s can't be read: %v", r.Position(), err)
	}
	return list, err == nil
}

func (p *process) dueLoop() {
	p.due()
	p.w.after(200*time.Millisecond, p, p.dueLoop)
}

// due claims what is due, has others' claims resolved, and withdraws own ones
// that will never be begun.
func (p *process) due() {
	if p.asking > 0 {
		return // the look before waits for its claims and withdrawals
	}
	v := p.fsm.View()
	clock := v.Clock()
	var withdraw decision.Settle
	for _, n := range p.w.shards {
		s := &p.shards[n]
		fence, _ := v.Lead(n)
		leads := s.leads && fence == s.fence && p.whole(s)
		claim := decision.Claim{Fence: fence}
		var chosen []decision.Notification
		for _, o := range v.Open(n) {
			held, number := o.Claim()
			switch {
			case number != 0 && held.Holder == p.self:
				if p.orphan(o.ID, number) {
					withdraw.Outcomes = append(withdraw.Outcomes, decision.Outcome{Notification: o.ID, Attempt: number, By: p.self,
						State: decision.StatePending, NeverBegun: true, DueMs: clock.UnixMilli()})
				}
			case !leads:
			case number != 0:
				if clock.UnixMilli()-held.ClockMs >= agreement.ResolveMs {
					p.resolve(fence, o, number, held.Holder)
				}
			case o.DueMs <= clock.UnixMilli() && p.slots[o.Channel] > 0:
				p.slots[o.Channel]--
				chosen = append(chosen, o.Notification)
				claim.Notifications = append(claim.Notifications, o.ID)
			}
		}
		if len(chosen) > 0 {
			p.claim(claim, chosen)
		}
	}
	if len(withdraw.Outcomes) > 0 {
		p.w.rare["claim withdrawn as never begun"]++
		p.asking++
		p.propose(withdraw, func(r agreement.Result, err error) {
			p.asking--
			if err == nil && r.Refusal == nil {
				for _, o := range withdraw.Outcomes {
					delete(p.abandoned, o.Notification)
				}
			}
		})
	}
}

func (p *process) claim(cmd decision.Claim, chosen []decision.Notification) {
	from := p.w.now // before the proposal (rule 23)
	p.asking++
	p.propose(cmd, func(r agreement.Result, err error) {
		p.asking--
		for i, n := range chosen {
			if err == nil && r.Refusal == nil && i < len(r.Claims) && r.Claims[i].Attempt > 0 {
				delete(p.abandoned, n.ID)
				p.begin(n, r.Claims[i].Attempt, from)
				continue
			}
			p.slots[n.Channel]++
			if err != nil {
				p.abandoned[n.ID] = true
			}
		}
	})
}

// orphan tells whether an own claim will never be begun.
func (p *process) orphan(id string, number int) bool {
	k := attemptKey(id, number)
	name := fmt.Sprintf("%s/%d", id, number)
	if p.ledger.Holds(k) {
		delete(p.orphans, name)
		return false
	}
	if p.abandoned[id] {
		return true
	}
	at, ok := p.orphans[name]
	if !ok {
		p.orphans[name] = p.w.now
	}
	return ok && p.w.now.Sub(at) >= 12*time.Second
}
