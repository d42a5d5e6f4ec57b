package strangers

import (
	"net/netip"
	"slices"
	"time"
)

// growth is how much longer each ban is than the one before.
const growth = 4

// Offend counts an offence of a guest against its network; true when the network
// is banned from now on. Of guests that have shown a known account, and of networks
// that are exempt or known, nothing is counted; while lenient, nobody is banned.
func (c *Core) Offend(g *Guest, o Offence, now time.Time) (banned bool) {
	if g.Proven() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.exempt(g.addr) || c.isKnown(g.net, now) {
		return false
	}
	return c.offend(g.net, o, now)
}

func (c *Core) offend(n network, o Offence, now time.Time) bool {
	r, have := c.seen[n]
	if !have && !c.room(now) || now.Before(r.until) {
		return false
	}
	r.points = r.pointsAt(now) + o.points()
	r.at = now
	banned := r.points >= banAt && !c.lenient(now)
	r.points = min(r.points, banAt) // while lenient: then the next offence bans
	if banned {
		r.level = r.levelAt(now, c.cfg.Forget) + 1
		r.points, r.why, r.refused = 0, o, 0
		r.since, r.until = now, now.Add(c.length(r.level))
	}
	c.seen[n] = r
	return banned
}

// length of the level-th ban.
func (c *Core) length(level int32) time.Duration {
	d := c.cfg.First
	for ; level > 1 && d < c.cfg.Longest; level-- {
		d *= growth
	}
	return min(d, c.cfg.Longest)
}

func (r record) pointsAt(now time.Time) float64 {
	return max(0, r.points-leak*now.Sub(r.at).Minutes())
}

func (r record) levelAt(now time.Time, forget time.Duration) int32 {
	if r.level == 0 || now.Before(r.until) {
		return r.level
	}
	return max(0, r.level-int32(min(now.Sub(r.until)/forget, 1000)))
}

// keep stores a record, or drops one that says nothing any more.
func (c *Core) keep(n network, r record, now time.Time) {
	if r.open == 0 && r.pointsAt(now) == 0 && r.levelAt(now, c.cfg.Forget) == 0 {
		delete(c.seen, n)
		return
	}
	c.seen[n] = r
}

// sweepEvery bounds how often all records are looked at.
const sweepEvery = time.Minute

// room tells whether another record may be made; the emptied ones go first, then
// any that is neither banned nor open.
func (c *Core) room(now time.Time) bool {
	if now.Sub(c.swept) >= sweepEvery {
		c.swept = now
		for n, r := range c.seen {
			c.keep(n, r, now)
		}
	}
	if len(c.seen) < maxNetworks {
		return true
	}
	looked := 0
	for n, r := range c.seen {
		if r.open == 0 && !now.Before(r.until) {
			delete(c.seen, n)
			return true
		}
		if looked++; looked == 16 {
			break
		}
	}
	return false
}

// Ban is a network that is refused.
type Ban struct {
	Network netip.Prefix
	Since   time.Time
	Until   time.Time
	Why     Offence // that led to it
	Level   int     // 1 for the first
	Refused int64   // connections since
}

// Bans lists those in force, the newest first.
func (c *Core) Bans(now time.Time) []Ban {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []Ban{}
	for n, r := range c.seen {
		if now.Before(r.until) {
			out = append(out, Ban{n.prefix(), r.since, r.until, r.why, int(r.level), r.refused})
		}
	}
	slices.SortFunc(out, func(a, b Ban) int {
		if !a.Since.Equal(b.Since) {
			return b.Since.Compare(a.Since)
		}
		return a.Network.Addr().Compare(b.Network.Addr())
	})
	return out
}

// Lift ends the bans of all networks that p touches and forgets what stood against
// them; it returns those that were banned.
func (c *Core) Lift(p netip.Prefix, now time.Time) []netip.Prefix {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lift(p, now)
}

func (c *Core) lift(p netip.Prefix, now time.Time) []netip.Prefix {
	out := []netip.Prefix{}
	for n, r := range c.seen {
		if !n.prefix().Overlaps(p) {
			continue
		}
		if now.Before(r.until) {
			out = append(out, n.prefix())
		}
		r.points, r.level, r.until = 0, 0, time.Time{}
		c.keep(n, r, now)
	}
	slices.SortFunc(out, func(a, b netip.Prefix) int { return a.Addr().Compare(b.Addr()) })
	return out
}

// Configure takes other limits; bans of networks that are exempt now end.
func (c *Core) Configure(cfg Config, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cfg = cfg.withDefaults()
	for _, p := range c.cfg.NeverBan {
		c.lift(p, now)
	}
}
