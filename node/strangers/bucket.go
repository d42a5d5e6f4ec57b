package strangers

import (
	"net/netip"
	"time"
)

// bucket lets so many a second pass, and ten seconds' worth at once.
type bucket struct {
	left float64
	at   time.Time
}

const burstSeconds = 10

func (b *bucket) take(perSecond int, now time.Time) bool {
	most := float64(perSecond) * burstSeconds
	if b.at.IsZero() {
		b.left = most
	} else {
		b.left = min(most, b.left+float64(perSecond)*max(0, now.Sub(b.at).Seconds()))
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// Hold tells whether one more message of an unknown account may be kept. Datagrams
// have a share of their own: with forged sources they must not take the place of a
// panel that is being installed. Neither must one address, which may be known and so
// never banned: it has a tenth.
func (c *Core) Hold(addr netip.Addr, datagram bool, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if datagram {
		return c.heldUDP.take(c.cfg.HeldUDP, now)
	}
	if now.Sub(c.holding) >= burstSeconds*time.Second {
		clear(c.heldOf)
		c.holding = now
	}
	n := networkOf(addr)
	if !c.exempt(addr.Unmap()) && c.heldOf[n] >= max(1, c.cfg.Held*burstSeconds/10) || !c.held.take(c.cfg.Held, now) {
		return false
	}
	c.heldOf[n]++
	return true
}

// knownMore is how many times the strangers' share one known network has.
const knownMore = 5

// Handshake tells whether a TLS handshake may begin: it costs a signature. Networks
// that are not known share a bucket; each known one has knownMore times as much for
// itself: enough when all panels behind a carrier's address come back, and no stranger
// among them, or who knows one account, keeps the processors busy.
func (c *Core) Handshake(addr netip.Addr, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := networkOf(addr)
	switch {
	case c.exempt(addr.Unmap()):
		return true
	case !c.isKnown(n, now):
		return c.handshakes.take(c.cfg.Handshakes, now)
	case now.Sub(c.greeting) >= burstSeconds*time.Second:
		clear(c.greeted)
		c.greeting = now
	}
	if c.greeted[n] >= c.cfg.Handshakes*burstSeconds*knownMore {
		return false
	}
	c.greeted[n]++
	return true
}
