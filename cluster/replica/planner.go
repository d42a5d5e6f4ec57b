package replica

import (
	"time"

	"vedetta/wire/mesh"
)

// planner decides which catch-ups to begin. It is stepped.
type planner struct {
	grace, agreementGrace time.Duration
	lags                  map[mesh.Origin]*lag
	retry                 map[attempt]time.Time // not before
}

type lag struct {
	ours    uint64
	since   time.Time // ours has stood still since
	pulling bool
	now     bool // begin without grace
}

type attempt struct {
	peer   string
	origin mesh.Origin
}

// offer is a connected peer that is ahead of us.
type offer struct {
	peer string
	mark uint64
}

// want is an origin of which somebody has more than we.
type want struct {
	origin mesh.Origin
	ours   uint64
	home   bool // the origin's own node is connected: live delivery is likely
	offers []offer
}

// step returns the catch-ups to begin now and when to look again, zero for
// never. An origin that is not among the wants is level and forgotten.
func (p *planner) step(now time.Time, wants []want) (begin []attempt, again time.Time) {
	running := 0
	seen := map[mesh.Origin]bool{}
	for _, w := range wants {
		seen[w.origin] = true
		if l := p.lags[w.origin]; l == nil {
			p.lags[w.origin] = &lag{ours: w.ours, since: now}
		} else if l.pulling {
			running++
		} else if w.ours > l.ours {
			l.ours, l.since = w.ours, now
		}
	}
	for o, l := range p.lags {
		if !seen[o] && !l.pulling {
			delete(p.lags, o)
		}
	}
	later := func(t time.Time) {
		if again.IsZero() || t.Before(again) {
			again = t
		}
	}
	for _, w := range wants {
		l := p.lags[w.origin]
		if l.pulling {
			continue
		}
		if due := l.since.Add(p.graceOf(w)); !l.now && due.After(now) {
			later(due)
			continue
		}
		best := -1
		for i, o := range w.offers {
			if t := p.retry[attempt{o.peer, w.origin}]; t.After(now) {
				later(t)
			} else if best < 0 || o.mark > w.offers[best].mark {
				best = i
			}
		}
		if best < 0 || running >= maxCatchUps {
			continue // the end of a catch-up makes us look again
		}
		running++
		l.pulling, l.now = true, false
		begin = append(begin, attempt{w.offers[best].peer, w.origin})
	}
	return begin, again
}

func (p *planner) graceOf(w want) time.Duration {
	switch {
	case w.origin.IsAgreement():
		return p.agreementGrace
	case w.home:
		return p.grace
	}
	return 0
}

// hurry begins an origin's catch-up without grace: a peer has just connected.
func (p *planner) hurry(o mesh.Origin, ours uint64, now time.Time) {
	if p.lags[o] == nil {
		p.lags[o] = &lag{ours: ours, since: now}
	}
	p.lags[o].now = true
}

// ended takes the end of a catch-up; one that failed or brought nothing is not
// repeated with that peer for a while.
func (p *planner) ended(a attempt, good bool, ours uint64, now time.Time) {
	if l := p.lags[a.origin]; l != nil {
		l.pulling, l.ours, l.since = false, ours, now
	}
	if good {
		delete(p.retry, a)
	} else {
		p.retry[a] = now.Add(retryAfter)
	}
	for k, t := range p.retry {
		if !t.After(now) {
			delete(p.retry, k)
		}
	}
}
