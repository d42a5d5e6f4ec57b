package account

import (
	"net/netip"
	"sync"
	"time"
)

// Try is one attempt to log in.
type Try struct {
	Address netip.Addr
	Account string // keyed hash of the e-mail
}

// Limiter counts failed logins in a window. An address that fails too often
// with one account is refused for that account, so that one person doesn't lock
// out an office behind one address; one that fails far more often is refused for
// all. An account that is tried too often is refused to addresses that never
// succeeded with it, so that strangers can't lock its owner out. An account that
// doesn't exist counts like one that does: the answers tell nothing. Attempts
// are counted before they are checked, so that many at once gain nothing. Kept
// in memory only, ten minutes.
type Limiter struct {
	perLogin, perAddress, perAccount int
	window                           time.Duration

	mu        sync.Mutex // guards the maps
	logins    map[known]*count
	addresses map[netip.Prefix]*count
	accounts  map[string]*count
	good      map[known]time.Time
	swept     time.Time
}

type known struct {
	network netip.Prefix
	account string
}

type count struct {
	n    int
	from time.Time
}

// NewLimiter makes a limiter with limits per window: of one account from one
// address, of one address, of one account from unknown addresses.
func NewLimiter(perLogin, perAddress, perAccount int, window time.Duration) *Limiter {
	return &Limiter{perLogin: perLogin, perAddress: perAddress, perAccount: perAccount, window: window,
		logins: map[known]*count{}, addresses: map[netip.Prefix]*count{}, accounts: map[string]*count{}, good: map[known]time.Time{}}
}

// network is what one attacker has: an IPv4 address, an IPv6 /64.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// Allow counts the try and tells whether it may be checked.
func (l *Limiter) Allow(now time.Time, t Try) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	net := network(t.Address)
	a := counter(l.addresses, net, now, l.window)
	if a.n >= l.perAddress {
		return false
	}
	login := counter(l.logins, known{net, t.Account}, now, l.window)
	if login.n >= l.perLogin {
		return false
	}
	if _, ok := l.good[known{net, t.Account}]; !ok {
		c := counter(l.accounts, t.Account, now, l.window)
		if c.n >= l.perAccount {
			return false
		}
		c.n++
	}
	a.n++
	login.n++
	return true
}

// Return takes a try back that was never checked.
func (l *Limiter) Return(t Try) {
	l.mu.Lock()
	defer l.mu.Unlock()
	net := network(t.Address)
	if c, ok := l.addresses[net]; ok && c.n > 0 {
		c.n--
	}
	if c, ok := l.logins[known{net, t.Account}]; ok && c.n > 0 {
		c.n--
	}
	if _, ok := l.good[known{net, t.Account}]; ok {
		return
	}
	if c, ok := l.accounts[t.Account]; ok && c.n > 0 {
		c.n--
	}
}

// Success takes the try back and remembers the network as the account's own.
func (l *Limiter) Success(now time.Time, t Try) {
	l.Return(t)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.good[known{network(t.Address), t.Account}] = now
}

func counter[K comparable](m map[K]*count, key K, now time.Time, window time.Duration) *count {
	c, ok := m[key]
	if !ok || now.Sub(c.from) >= window {
		c = &count{from: now}
		m[key] = c
	}
	return c
}

// sweep forgets what is over; good networks after 90 days.
func (l *Limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < l.window {
		return
	}
	l.swept = now
	for k, c := range l.addresses {
		if now.Sub(c.from) >= l.window {
			delete(l.addresses, k)
		}
	}
	for k, c := range l.logins {
		if now.Sub(c.from) >= l.window {
			delete(l.logins, k)
		}
	}
	for k, c := range l.accounts {
		if now.Sub(c.from) >= l.window {
			delete(l.accounts, k)
		}
	}
	for k, at := range l.good {
		if now.Sub(at) >= 90*24*time.Hour {
			delete(l.good, k)
		}
	}
}
