package intake

import (
	"crypto/sha256"
	"maps"
	"sync"
	"time"
)

const (
	// noticePeriod is how often something is told that may come at any rate: by
	// each node, of each panel.
	noticePeriod = time.Hour
	// takenPeriod is the same for a panel that has taken its next key.
	takenPeriod = 30 * 24 * time.Hour
)

// notices remembers when what was last told; of known panels it holds no more
// than a few each, of strangers no more than most.
type notices struct {
	period time.Duration
	most   int        // 0: no limit
	mu     sync.Mutex // guards last
	last   map[string]time.Time
}

func newNotices(period time.Duration, most int) notices {
	return notices{period: period, most: most, last: map[string]time.Time{}}
}

// allow tells whether another notice is due, and counts it as given.
func (n *notices) allow(what string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	last, known := n.last[what]
	if known && now.Sub(last) < n.period {
		return false
	}
	if !known && n.most > 0 && len(n.last) >= n.most {
		maps.DeleteFunc(n.last, func(_ string, last time.Time) bool { return now.Sub(last) >= n.period })
		if len(n.last) >= n.most {
			return false
		}
	}
	n.last[what] = now
	return true
}

// takenNotice is the notice of one key of one panel.
func takenNotice(panel string, key []byte) string {
	sum := sha256.Sum256(key)
	return panel + string(sum[:8])
}
