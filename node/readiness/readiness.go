// Package readiness judges whether this node would acknowledge an alarm now,
// and whether its panel listeners stand open (rule 9, design: "cut off from the
// majority"). It is a stepped core: no clock, no goroutine, no I/O. What is
// true after Step: a node that is not ready acknowledges nobody, and one that
// was cut off for CloseAfter refuses connections, so that panels turn to
// another address in milliseconds.
package readiness

import "time"

// Bounds of rule 9 and of the closing of listeners.
const (
	AnswerWithin = 2 * time.Second  // a site counts when it answered a round trip this lately
	LeaderWithin = 30 * time.Second // an agreement leader was seen this lately
	CloseAfter   = 10 * time.Second // without a majority: listeners close
	ReopenAfter  = 5 * time.Second  // of stable readiness: they open again
)

// Reason is why a node is not ready, as /readyz prints it.
type Reason string

// Reasons; a closed list.
const (
	NoMajority  Reason = "no_majority"
	DiskFull    Reason = "disk_full"
	Clock       Reason = "clock"
	Recovering  Reason = "recovering"
	Draining    Reason = "draining"
	Upgrading   Reason = "upgrading"
	KeysMissing Reason = "keys_missing"
)

// Facts are what a step judges by.
type Facts struct {
	Sites      int           // configured sites
	Answering  int           // sites, ours included, that answered within AnswerWithin
	LeaderSeen time.Time     // last sign of an agreement leader; zero: never
	Member     bool          // this node's disk id counts (rule 28)
	Caught     bool          // the roster and the agreement's copy are applied
	Quarantine bool          // a file of ours failed its check
	DiskFree   float64       // share of the disk that is free, 0 to 1
	DiskFloor  float64       // below this share no alarm is accepted
	Keys       bool          // the mesh key opens the agreement's keys
	ClockOff   time.Duration // offset to the median of the peers
	ClockBound time.Duration // 0: not judged
	Draining   bool
}

// Core remembers since when things hold. The zero value is a node that was
// never ready and whose listeners are closed.
type Core struct {
	ready      bool
	readySince time.Time
	lostSince  time.Time // start of the present lack of a majority
	lost       bool
	open       bool
	wasOpen    bool // listeners have been open before: reopening waits
}

// Verdict is what is true after a step.
type Verdict struct {
	Ready   bool
	Open    bool     // panel listeners stand open
	Reasons []Reason // why not ready; empty when ready, never nil
}

// Step judges the facts at now.
func (c *Core) Step(now time.Time, f Facts) Verdict {
	reasons := f.reasons(now)
	ready := len(reasons) == 0
	if ready && !c.ready {
		c.readySince = now
	}
	c.ready = ready
	lost := !f.majority(now)
	if lost && !c.lost {
		c.lostSince = now
	}
	c.lost = lost
	switch {
	case f.Draining:
		c.open = false
	case c.open && lost && now.Sub(c.lostSince) >= CloseAfter:
		c.open = false
	case !c.open && ready && (!c.wasOpen || now.Sub(c.readySince) >= ReopenAfter):
		c.open, c.wasOpen = true, true
	}
	return Verdict{Ready: ready, Open: c.open, Reasons: reasons}
}

func (f Facts) majority(now time.Time) bool {
	return f.Sites > 0 && f.Answering >= f.Sites/2+1 &&
		!f.LeaderSeen.IsZero() && now.Sub(f.LeaderSeen) <= LeaderWithin
}

func (f Facts) reasons(now time.Time) []Reason {
	r := []Reason{}
	if !f.majority(now) {
		r = append(r, NoMajority)
	}
	if f.DiskFree < f.DiskFloor {
		r = append(r, DiskFull)
	}
	if f.ClockBound > 0 && (f.ClockOff > f.ClockBound || f.ClockOff < -f.ClockBound) {
		r = append(r, Clock)
	}
	if !f.Member || !f.Caught || f.Quarantine {
		r = append(r, Recovering)
	}
	if f.Draining {
		r = append(r, Draining)
	}
	if !f.Keys {
		r = append(r, KeysMissing)
	}
	return r
}
