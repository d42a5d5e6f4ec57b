package supervision

import (
	"time"

	"vedetta/wire/decision"
)

// retry is after how long a panel is looked at again whose change was not
// decided.
const retry = 2 * second

// Change is what is to be decided of a panel.
type Change struct {
	Panel, Customer string
	From, To        decision.Silent
	Heard           [paths]time.Duration // age of the last message; negative: never, as far as is known
	Counted         time.Duration        // age of the moment before which it may have been heard; negative: it was not
	Supervised      bool                 // false: it no longer is, and nothing is to be told
}

// Known is what the agreement has of one shard's silent panels, by roster id.
type Known map[string]Raised

// Raised is one of them.
type Raised struct {
	Customer string
	Silent   decision.Silent
	Primary  time.Duration // for how long SilentPrimary has been set
}

// Judgement is one look at the panels of all led shards.
type Judgement struct {
	c       *Core
	now     tick
	horizon tick
	judges  bool
	floor   [256]tick
	mesh    tick
	served  tick
	anew    bool // some floor has become earlier: all deadlines are computed again
}

// Judge begins a look at the led shards. judges is false while it can't be
// known who is silent.
func (c *Core) Judge(now time.Time) *Judgement {
	c.mu.Lock()
	defer c.mu.Unlock()
	j := &Judgement{c: c, now: c.tick(now)}
	j.horizon, j.judges = c.horizon(j.now)
	j.floor, j.mesh = c.floors(j.now)
	for i := range j.floor {
		j.anew = j.anew || j.floor[i] < c.floor[i]
	}
	j.anew = j.anew || j.mesh < c.mesh
	c.floor, c.mesh, j.served = j.floor, j.mesh, c.served
	return j
}

// Judges tells whether enough is known to judge.
func (j *Judgement) Judges() bool { return j.judges }

// Leave ends this node's judging of a shard.
func (j *Judgement) Leave(shard byte) {
	s := &j.c.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wheel.stop(s)
	s.known = nil
}

// Shard lists what is to be decided of a shard that this node leads: at most so
// many changes, the rest comes with the next look. known is kept until then.
func (j *Judgement) Shard(shard byte, known Known, most int) []Change {
	if !j.judges {
		return nil
	}
	s := &j.c.shards[shard]
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.wheel.turning || j.anew {
		s.wheel.start(s, j.horizon.back(second))
	}
	s.restored(known)
	var out []Change
	change := func(r *row, from decision.Silent, to decision.Silent) {
		if from != to && len(out) < most {
			out = append(out, j.change(r, from, to))
		}
	}
	s.wheel.turn(s, j.horizon, func(i uint32, r *row) {
		if r.within[Primary] == 0 {
			return
		}
		was := known[r.id]
		to := j.judge(r, was)
		if to&^was.Silent == 0 { // what is heard again is found below
			s.wheel.put(s, i, j.deadline(r, was))
			return
		}
		change(r, was.Silent, to)
		s.wheel.put(s, i, j.horizon+retry)
	})
	for id, was := range known {
		r, _ := s.find(keyOf(id))
		if r == nil || r.id != id || r.within[Primary] == 0 {
			if len(out) < most {
				out = append(out, Change{Panel: id, Customer: was.Customer, From: was.Silent})
			}
			continue
		}
		if to := j.judge(r, was); was.Silent&^to != 0 {
			change(r, was.Silent, to)
		}
	}
	return out
}

// restored takes over what is silent now. A path that isn't any more is due
// sooner than its panel stands in the wheel for, since what is silent waits for
// a message only: such a panel is looked at at once.
func (s *shard) restored(known Known) {
	for id, was := range s.known {
		if was.Silent&^known[id].Silent == 0 {
			continue
		}
		if r, i := s.find(keyOf(id)); r != nil && r.id == id {
			s.wheel.early(s, i)
		}
	}
	s.known = known
}

func (j *Judgement) change(r *row, from, to decision.Silent) Change {
	c := Change{Panel: r.id, Customer: r.customer, From: from, To: to, Supervised: true, Counted: j.c.counted(r, j.served, j.now)}
	for p, t := range r.heard {
		c.Heard[p] = -1
		if t > 0 {
			c.Heard[p] = (j.now - min(j.now, t)).duration()
		}
	}
	return c
}

// forgotten tells whether a panel that nobody knows to have been heard may have
// been, before all nodes were started anew. Not when some node was in service
// before this one began, for longer than the panel may be silent: what it was
// told it passed on, and what it forgot it has told to be silent.
func (c *Core) forgotten(r *row, served tick) bool {
	return r.before && served+max(r.within[Primary], r.within[Alternative])+60*second > c.started
}

// counted is the age of the moment before which a panel may have been heard.
func (c *Core) counted(r *row, served, now tick) time.Duration {
	if !c.forgotten(r, served) {
		return -1
	}
	return (now - min(now, c.started)).duration()
}

// base is from when a path's silence counts.
func (j *Judgement) base(r *row, p Path) tick {
	own := r.heard[p]
	if own == 0 || r.changed {
		own = max(own, r.since)
	}
	at := max(own, j.mesh)
	if by := r.by[p]; by != nobody {
		at = max(at, min(j.floor[by], own+2*r.within[p]))
	}
	return at
}

// due is when a path becomes silent, and how long it may be; while the primary
// path is silent the alternative is judged by the primary's times.
func (j *Judgement) due(r *row, p Path, was Raised) (at, within tick) {
	within = r.within[p]
	base := j.base(r, p)
	if r.heard == [paths]tick{} && !j.c.forgotten(r, j.served) {
		return max(base+within, r.since+j.c.unheard), within
	}
	if p == Alternative && was.Silent&decision.SilentPrimary != 0 && r.within[Primary] < within {
		within = r.within[Primary]
		base = max(base, j.now.back(span(was.Primary)))
	}
	return base + within, within
}

// deadline is when the row is to be looked at next.
func (j *Judgement) deadline(r *row, was Raised) tick {
	at := tick(0)
	for p := range paths {
		if r.within[p] == 0 || was.Silent&bit(r, p) != 0 {
			continue
		}
		if d, _ := j.due(r, p, was); at == 0 || d < at {
			at = d
		}
	}
	if at == 0 {
		return j.horizon + 60*second
	}
	return at
}

// bit is what tells that a path is silent.
func bit(r *row, p Path) decision.Silent {
	switch {
	case p == Alternative:
		return decision.SilentAlternative
	case r.within[Alternative] > 0:
		return decision.SilentPrimary
	}
	return decision.SilentAll | decision.SilentNever
}

// judge is what of a panel is silent now. A path that was said to be is so until
// a message is newer than its time, as of now: the horizon of a judge that has just
// started may lie before the silence.
func (j *Judgement) judge(r *row, was Raised) (to decision.Silent) {
	all := true
	for p := range paths {
		if r.within[p] == 0 {
			continue
		}
		at, within := j.due(r, p, was)
		silent := at <= j.horizon
		if was.Silent&bit(r, p) != 0 {
			silent = r.heard[p]+within <= max(j.horizon, j.now.back(5*second))
		}
		if !silent {
			all = false
		} else if r.within[Alternative] > 0 {
			to |= bit(r, p)
		}
	}
	if !all {
		return to
	}
	switch had := was.Silent & (decision.SilentAll | decision.SilentNever); {
	case had != 0:
		return to | had
	case r.heard == [paths]tick{} && !j.c.forgotten(r, j.served):
		return to | decision.SilentNever
	}
	return to | decision.SilentAll
}
