package reception

import (
	"time"

	"vedetta/wire/dc09"
	"vedetta/wire/mesh"
)

// Words of a Verdict: what a frame was answered.
const (
	WordACK     = "ack"
	WordNAK     = "nak"
	WordDUH     = "duh"
	WordRSP     = "rsp"
	WordSilence = "silence"
)

// Verdict is what the handler says of one frame.
type Verdict struct {
	Answer   []byte        // the whole answer; nil is silence
	Word     string        // one of the Word constants
	Reason   dc09.Reason   // why, in one word
	Customer string        // whose panel it is; empty when no panel was found
	Panel    string        // id of the panel
	Entry    mesh.Position // where the message stands in the journal; zero: it doesn't
	Known    bool          // taken as that panel's own: found, opened by its key where it has one, in time
}

// acknowledged tells whether a known panel had its message taken.
func (v Verdict) acknowledged() bool { return v.Known && v.Word == WordACK }

// Attempt is one frame, or what came instead of one, and what became of it.
type Attempt struct {
	From     Source
	Received time.Time      // when its last byte was there
	Frame    dc09.Frame     // when Bad is nil
	Bad      *dc09.BadFrame // no frame; its Raw lies in the reader's buffer and is not to be kept
	Verdict  Verdict        // of Frame; silence and the reason of Bad otherwise
	Lost     error          // the answer could not be written
}

// Observer sees every attempt once its answer was written, in the goroutine of
// the connection: it must return at once and keep nothing that is not its own.
type Observer interface {
	Attempted(a Attempt)
}

// Observe sets who sees the attempts; before Run, and once.
func (r *Reception) Observe(o Observer) { r.observer = o }

// attempted tells the observer, if there is one.
func (r *Reception) attempted(a Attempt) {
	if r.observer != nil {
		r.observer.Attempted(a)
	}
}

func badVerdict(bad *dc09.BadFrame) Verdict {
	return Verdict{Word: WordSilence, Reason: bad.Reason}
}
