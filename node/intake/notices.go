package intake

import (
	"sync"
	"time"
)

// noticePeriod is how often a panel's owner is told, by each node, that a plain
// message came though the panel has a key.
const noticePeriod = time.Hour

// notices remembers when each panel was last told about; it holds no more
// panels than the roster has.
type notices struct {
	mu   sync.Mutex // guards last
	last map[string]time.Time
}

// allow tells whether another notice is due, and counts it as given.
func (n *notices) allow(panel string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last, ok := n.last[panel]; ok && now.Sub(last) < noticePeriod {
		return false
	}
	n.last[panel] = now
	return true
}
