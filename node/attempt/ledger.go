package attempt

import (
	"sync"
	"time"

	"vedetta/wire/decision"
)

// Key names one attempt of this process.
type Key struct {
	Notification string
	Attempt      int
}

// phase of an attempt in this process.
type phase int

const (
	phaseHeld      phase = iota // taken by Begin, its last byte is not out
	phaseOut                    // its last byte is on its way: no way back
	phaseDone                   // its outcome is known
	phaseForbidden              // somebody was told that it never begins
)

type held struct {
	phase   phase
	ageFrom time.Time
	outcome decision.Outcome // of phaseDone
	settled bool             // the agreement has answered
	until   time.Time        // settled and forbidden ones are forgotten then
}

// remember is how long an attempt is remembered when nothing more is expected
// of it. Who resolves has applied what was settled long before.
const remember = time.Hour

// Ledger is what this process knows of its attempts. It is stepped: now is an
// argument. All methods are atomic, so that "may I write the last byte" and
// "it never begins" exclude one another.
type Ledger struct {
	mu       sync.Mutex
	attempts map[Key]*held
	void     time.Time // claims whose age counts from this instant or before are void (clocks)
}

// NewLedger knows of no attempt.
func NewLedger() *Ledger { return &Ledger{attempts: map[Key]*held{}} }

// Begin takes an attempt; false when it is forbidden or already here.
func (l *Ledger) Begin(k Key, ageFrom time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attempts[k] != nil {
		return false
	}
	l.attempts[k] = &held{ageFrom: ageFrom}
	return true
}

// MayHandOver is asked right before the last byte. After true there is no way back.
func (l *Ledger) MayHandOver(k Key, now time.Time, limit time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.attempts[k]
	if h == nil || h.phase != phaseHeld || Spent(h.ageFrom, now) >= limit || Diverged(h.ageFrom, now) || !h.ageFrom.After(l.void) {
		return false
	}
	h.phase = phaseOut
	return true
}

// Done notes the outcome; false when the attempt was given away meanwhile, so
// that its outcome is somebody else's to settle.
func (l *Ledger) Done(k Key, o decision.Outcome) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.attempts[k]
	if h == nil || h.phase == phaseForbidden {
		return false
	}
	h.phase, h.outcome = phaseDone, o
	return true
}

// Settled notes that the agreement has answered for the attempt.
func (l *Ledger) Settled(k Key, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.attempts[k]; h != nil {
		h.settled, h.until = true, now.Add(remember)
	}
}

// Holds tells whether the attempt is here and its outcome not settled.
func (l *Ledger) Holds(k Key) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.attempts[k]
	return h != nil && h.phase != phaseForbidden && !h.settled
}

// Ask is the holder's answer (rule 24). An attempt whose last byte is not out
// is given up here and now: never begun is a promise.
func (l *Ledger) Ask(k Key, now time.Time) (Answer, *decision.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.attempts[k]
	if h == nil {
		h = &held{}
		l.attempts[k] = h
	}
	switch h.phase {
	case phaseOut:
		return AnswerUnderWay, nil
	case phaseDone:
		o := h.outcome
		return AnswerDone, &o
	}
	h.phase, h.until = phaseForbidden, now.Add(48*time.Hour) // as long as any step is open
	return AnswerNeverBegun, nil
}

// VoidAll makes every claim held now void: the clocks can't be trusted.
func (l *Ledger) VoidAll(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.void = now
}

// Forget drops what is over.
func (l *Ledger) Forget(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, h := range l.attempts {
		if !h.until.IsZero() && now.After(h.until) {
			delete(l.attempts, k)
		}
	}
}

// tolerance is how differently the two clocks may have advanced (rule 23).
const tolerance = time.Second

// Spent is the claim's age: the longer of what both clocks say.
func Spent(from, now time.Time) time.Duration {
	return max(now.Sub(from), now.Round(0).Sub(from.Round(0)))
}

// Diverged tells whether wall clock and monotonic clock disagree about the age.
func Diverged(from, now time.Time) bool {
	return apart(now.Sub(from), now.Round(0).Sub(from.Round(0)))
}

func apart(monotonic, wall time.Duration) bool { return (wall - monotonic).Abs() > tolerance }
