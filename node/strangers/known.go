package strangers

import (
	"net/netip"
	"time"
)

// tellAgain is after how long a network that still is known becomes news once more.
// With ages that are rounded up by two minutes at most, other nodes know it for
// KnownFor less an hour at least.
const tellAgain = int64(57 * time.Minute / time.Second)

// acquaintance is a known network.
type acquaintance struct {
	at, told uint32 // unix seconds of the last acknowledgement, and of the last one that was news
	sure     bool   // one of them came over a connection, or had a key
}

// Known is a network with a panel acknowledged, as one node tells it to another.
type Known struct {
	Network uint64        // an IPv4 address in the lower 32 bits, or the upper half of an IPv6 address
	Age     time.Duration // of the acknowledgement
	Sure    bool          // nobody forged it
}

// Start says that the process begins, knowing nothing: for cfg.Lenient nobody is
// banned, or until another node has told all that it knows.
func (c *Core) Start(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = now
}

// Lenient tells that nobody is banned yet, so that what is known here isn't all.
func (c *Core) Lenient(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lenient(now)
}

func (c *Core) lenient(now time.Time) bool {
	return !c.started.IsZero() && now.Before(c.started.Add(c.cfg.Lenient))
}

// Acknowledged says that a known panel's datagram was acknowledged. keyed: it was
// encrypted, so that nobody forged it; when all places are taken, others are not noted.
func (c *Core) Acknowledged(addr netip.Addr, keyed bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(networkOf(addr), keyed, now)
}

// note remembers a known panel's network, and forgets what stood against it.
func (c *Core) note(n network, sure bool, now time.Time) { c.raise(n, now.Unix(), sure, now) }

// raise is note with the second of the acknowledgement; true when it ended a ban.
func (c *Core) raise(n network, at int64, sure bool, now time.Time) (lifted bool) {
	c.turn(now)
	k, have := c.acquaintance(n)
	if have && at <= int64(k.at) && (k.sure || !sure) {
		return false // as well known as before: nothing stands against it
	}
	into := c.known[0]
	if _, here := into[n]; !here && at < c.since.Unix() {
		into = c.known[1] // so that it is forgotten in time
	}
	if _, have := into[n]; !have && (len(into) >= 2*maxKnown || len(into) >= maxKnown && !sure) {
		return false
	}
	k.at, k.sure = uint32(max(at, int64(k.at))), k.sure || sure
	if at-int64(k.told) >= tellAgain {
		k.told = uint32(at)
		c.tell(n)
	}
	into[n] = k
	if r, have := c.seen[n]; have && (r.points > 0 || r.level > 0) {
		lifted = now.Before(r.until)
		r.points, r.level, r.until = 0, 0, time.Time{}
		c.keep(n, r, now)
	}
	return lifted
}

// turn begins a new generation when its time has come; the one before the last goes.
func (c *Core) turn(now time.Time) {
	if now.Sub(c.since) > c.cfg.KnownFor {
		c.known[0], c.known[1], c.since = map[network]acquaintance{}, c.known[0], now
	}
}

func (c *Core) acquaintance(n network) (k acquaintance, have bool) {
	if k, have = c.known[0][n]; !have {
		k, have = c.known[1][n]
	}
	return k, have
}

func (c *Core) isKnown(n network, now time.Time) bool {
	k, have := c.acquaintance(n)
	return have && c.fresh(k, now)
}

func (c *Core) fresh(k acquaintance, now time.Time) bool {
	return now.Unix()-int64(k.at) <= int64(c.cfg.KnownFor/time.Second)
}

func (c *Core) tell(n network) {
	if len(c.news) >= maxNews {
		c.news = append(c.news[:0], c.news[maxNews/2:]...) // who is further behind is told all
	}
	c.news = append(c.news, n)
	c.told++
}

// atOnce bounds for how many networks a panel's connection waits.
const atOnce = 1024

// News are the networks that became known, here or by another node's word, since an
// earlier call that returned upto = after; whole: they are all that are known, since
// after is 0 or too long ago. Of more than maxTold the sure ones go first.
func (c *Core) News(after uint64, now time.Time) (list []Known, upto uint64, whole bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	upto = c.told
	first := c.told - uint64(len(c.news))
	if after >= first && after <= upto {
		for _, n := range c.news[after-first:] {
			if k, have := c.acquaintance(n); have && c.fresh(k, now) {
				list = append(list, c.said(n, k, now))
			}
		}
		return list, upto, false
	}
	var unsure []Known
	seen := 0
	for _, generation := range []map[network]acquaintance{c.known[0], c.known[1]} {
		for n := range generation {
			if seen++; seen%atOnce == 0 { // a panel's turn; what it adds is news
				c.mu.Unlock()
				c.mu.Lock()
			}
			switch k, have := c.acquaintance(n); {
			case !have || !c.fresh(k, now):
			case k.sure && len(list) < maxTold:
				list = append(list, c.said(n, k, now))
			case !k.sure && len(unsure) < maxTold:
				unsure = append(unsure, c.said(n, k, now))
			}
		}
	}
	return append(list, unsure[:min(len(unsure), maxTold-len(list))]...), upto, true
}

func (c *Core) said(n network, k acquaintance, now time.Time) Known {
	return Known{uint64(n), time.Duration(max(0, now.Unix()-int64(k.at))) * time.Second, k.sure}
}

// Hear takes over what another node told, and returns how many bans it ended.
// complete: it is all that a node knows that has been there for long enough, so that
// this one needs not be lenient any longer.
func (c *Core) Hear(list []Known, complete bool, now time.Time) (lifted int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, k := range list {
		if i%atOnce == atOnce-1 {
			c.mu.Unlock()
			c.mu.Lock()
		}
		if k.Age <= c.cfg.KnownFor && c.raise(network(k.Network), now.Add(-k.Age).Unix(), k.Sure, now) {
			lifted++
		}
	}
	if complete {
		c.started = time.Time{}
	}
	return lifted
}
