package intake

import (
	"maps"
	"sync"
	"time"
)

// noticePeriod is how often something is told that may come at any rate: by
// each node, of each panel.
const noticePeriod = time.Hour

// notices remembers when each panel was last told about; of known ones it holds
// no more than the roster has, of strangers no more than most.
type notices struct {
	most int        // 0: no limit
	mu   sync.Mutex // guards last
	last map[string]time.Time
}

// allow tells whether another notice is due, and counts it as given.
func (n *notices) allow(panel string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	last, known := n.last[panel]
	if known && now.Sub(last) < noticePeriod {
		return false
	}
	if !known && n.most > 0 && len(n.last) >= n.most {
		maps.DeleteFunc(n.last, func(_ string, last time.Time) bool { return now.Sub(last) >= noticePeriod })
		if len(n.last) >= n.most {
			return false
		}
	}
	n.last[panel] = now
	return true
}
