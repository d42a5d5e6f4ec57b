package sim

import (
	"bytes"
	"fmt"
	"slices"

	"vedetta/node/agreement"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// broken notes a promise that does not hold.
func (w *World) broken(format string, args ...any) {
	if len(w.faults) < 20 {
		w.faults = append(w.faults, fmt.Sprintf("%s: ", w.now.Format("15:04:05.000"))+fmt.Sprintf(format, args...))
	}
}

// decided checks that what is decided is durable (rule 6).
func (w *World) decided(d decision.Decide) {
	for _, v := range d.Entries {
		if have := w.holding(nil, v.Entry); have <= len(w.nodes)/2 {
			w.broken("entry %s is decided, and %d of %d disks hold it", v.Entry, have, len(w.nodes))
		}
	}
}

// holding is how many sites have flushed an entry, as far as p can know it: a
// disk that was lost counts until p has heard of the one that came instead;
// without p, for good.
func (w *World) holding(p *process, pos mesh.Position) (have int) {
	flushed := func(d *disk) bool { return d != nil && uint64(len(d.records[pos.Origin])) >= pos.Number }
	for _, n := range w.nodes {
		switch {
		case flushed(n.disk):
			have++
		case p == nil:
			if slices.ContainsFunc(n.lost, flushed) {
				have++
			}
		case p.disks[n] != n.disk.id && slices.ContainsFunc(n.lost, func(d *disk) bool { return d.id == p.disks[n] && flushed(d) }):
			have++
		}
	}
	return have
}

// judge looks at the healed mesh: disks, states, and what the world saw.
func (w *World) judge() {
	first := w.nodes[0]
	for _, n := range w.nodes {
		if n.proc == nil || n.proc.held {
			w.broken("%s is not back", n.name)
			return
		}
	}
	w.sameEverywhere()
	verdicts := map[mesh.Position]decision.Verdict{}
	plans := map[string]decision.Notification{}
	for _, r := range first.disk.records[mesh.Agreement(1)] {
		list, _ := w.decision(first.proc, r)
		for _, d := range list {
			if d.Verdict == nil {
				continue
			}
			if _, twice := verdicts[d.Verdict.Entry]; twice && d.Part == 0 {
				w.broken("entry %s was decided twice", d.Verdict.Entry)
			}
			verdicts[d.Verdict.Entry] = *d.Verdict
			for _, n := range d.Verdict.Plan {
				plans[n.ID] = n
			}
		}
	}
	w.judgeMessages(verdicts)
	w.judgeNotifications(plans)
}

// sameEverywhere: equal histories, equal states.
func (w *World) sameEverywhere() {
	first := w.nodes[0]
	want := w.state(first.proc)
	for _, n := range w.nodes[1:] {
		for _, o := range sortedOrigins(union(first.disk.records, n.disk.records)) {
			a, ah := first.disk.mark(o)
			b, bh := n.disk.mark(o)
			if a != b || ah != bh {
				w.broken("after healing %s has %d of %s, %s has %d", first.name, a, o, n.name, b)
			}
		}
		if !bytes.Equal(want, w.state(n.proc)) {
			w.broken("after healing the agreement's state differs between %s (%d) and %s (%d)", first.name, first.proc.fsm.View().Index(), n.name, n.proc.fsm.View().Index())
		}
	}
}

func union(a, b map[mesh.Origin][]mesh.Record) map[mesh.Origin]bool {
	out := map[mesh.Origin]bool{}
	for o := range a {
		out[o] = true
	}
	for o := range b {
		out[o] = true
	}
	return out
}

func (w *World) state(p *process) []byte {
	s, err := p.fsm.Snapshot()
	if err != nil {
		w.broken("%s: %v", p, err)
		return nil
	}
	var b sink
	if err := s.Persist(&b); err != nil {
		w.broken("%s: %v", p, err)
	}
	return b.Bytes()
}

// judgeMessages: what was acknowledged is on every disk and became one event,
// however often and wherever it was sent.
func (w *World) judgeMessages(verdicts map[mesh.Position]decision.Verdict) {
	events := make([]int, len(w.messages))
	entries := make([]int, len(w.messages))
	disk := w.nodes[0].disk
	for _, o := range sortedOrigins(disk.records) {
		if o.IsAgreement() {
			continue
		}
		for _, r := range disk.records[o] {
			id := contentOf(r).Message
			entries[id]++
			switch v, decided := verdicts[r.Position()]; {
			case !decided:
				w.broken("entry %s of message %d is durable and was never decided", r.Position(), id)
			case v.Ruling == decision.RulingEvents:
				events[id]++
			}
		}
	}
	for _, m := range w.messages {
		switch {
		case m.acked && entries[m.id] == 0:
			w.broken("message %d was acknowledged and is lost", m.id)
		case !m.heard:
			w.broken("message %d was never acknowledged, though the mesh had time to heal", m.id)
		case events[m.id] != 1:
			w.broken("message %d became %d events", m.id, events[m.id])
		}
	}
}

// judgeNotifications: every planned one has an end, and the end is true.
func (w *World) judgeNotifications(plans map[string]decision.Notification) {
	v := w.nodes[0].proc.fsm.View()
	for _, n := range sortedPlans(plans) {
		taken := len(w.providers[n.Channel].taken[n.ID])
		state, ok := v.Final(n.ID)
		switch {
		case !ok && v.Clock().UnixMilli() < dueOf(v, n.ID):
			w.rare["waits for its next attempt"]++
		case !ok:
			w.broken("notification %s (%s) has no end: %+v", n.ID, n.Channel, attemptsOf(v, n.ID))
		case state == decision.StateDelivered && taken == 0:
			w.broken("notification %s (%s) is called delivered, and its provider never saw it", n.ID, n.Channel)
		case state == decision.StateUnknown:
			w.rare["unknown"]++
		case taken > 1 && n.Channel == "email":
			w.broken("notification %s (%s) was taken %d times and is called %s", n.ID, n.Channel, taken, state)
		case taken > 0 && state != decision.StateDelivered:
			w.broken("notification %s (%s) was taken and is called %s", n.ID, n.Channel, state)
		}
		if taken > 1 && n.Channel == "email" {
			w.rare["second mail"]++
		}
	}
	for channel, pr := range w.providers {
		for id := range pr.taken {
			if _, planned := plans[id]; !planned {
				w.broken("%s took %s, which nobody planned", channel, id)
			}
		}
	}
}

// dueOf is when an open notification that nobody holds is due.
func dueOf(v *agreement.View, id string) int64 {
	o, _ := v.Notification(id)
	if _, held := o.Claim(); held != 0 {
		return 0
	}
	return o.DueMs
}

func attemptsOf(v *agreement.View, id string) []agreement.Attempt {
	o, _ := v.Notification(id)
	return o.Attempts
}
