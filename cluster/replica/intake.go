package replica

import (
	"errors"
	"sync"

	"vedetta/cluster/journal"
	"vedetta/wire/mesh"
)

const chunkRecords = 256 // of one submission to the catch-up lane

// intake brings one origin's records to the journal in order, whether they
// come live or by catch-up.
type intake struct {
	mu       sync.Mutex // guards all below
	reorder  Reorder
	underway [2]int // submissions per lane
	failed   bool   // one of those under way: the base is beyond what is stored
}

func (r *Replica) intakeOf(o mesh.Origin) *intake {
	r.intakeMu.Lock()
	defer r.intakeMu.Unlock()
	in := r.intakes[o]
	if in == nil {
		in = &intake{}
		r.intakes[o] = in
	}
	return in
}

// offer takes records of one origin. done, which may be nil, is called once
// when what this offer set going is flushed or has failed; it must not block.
func (r *Replica) offer(lane journal.Lane, o mesh.Origin, records []mesh.Record, done func(error)) {
	if done == nil {
		done = func(error) {}
	}
	if r.isQuarantined(o) {
		done(errQuarantined)
		return
	}
	in := r.intakeOf(o)
	in.mu.Lock()
	defer in.mu.Unlock()
	if mark, _ := r.journal.MarkAndHash(o); mark > in.reorder.Base() {
		in.reorder.Set(mark) // decisions come past us
	}
	if !in.held(lane) && in.reorder.Pass(records) {
		r.submit(in, lane, o, records, done)
		return
	}
	in.reorder.Hold(records)
	r.pump(in, lane, o, done)
}

// held tells whether the lane waits: live records for a catch-up that is under
// way, as the journal's lanes overtake one another, and all after a failure until
// it is known what is stored. Needs mu.
func (in *intake) held(lane journal.Lane) bool {
	return in.failed || lane == journal.LaneLive && in.underway[journal.LaneCatchUp] > 0
}

var errQuarantined = errors.New("the origin is quarantined")

// pump submits the run that is ready. Needs in.mu.
func (r *Replica) pump(in *intake, lane journal.Lane, o mesh.Origin, done func(error)) {
	if in.held(lane) {
		done(nil)
		return
	}
	ready := in.reorder.Take()
	if len(ready) == 0 {
		done(nil)
		return
	}
	r.submit(in, lane, o, ready, done)
}

// submit gives records that follow what was submitted to the journal. Needs in.mu.
func (r *Replica) submit(in *intake, lane journal.Lane, o mesh.Origin, ready []mesh.Record, done func(error)) {
	for len(ready) > 0 {
		n := min(len(ready), chunkRecords)
		if lane == journal.LaneLive {
			n = len(ready)
		}
		chunk := ready[:n]
		ready = ready[n:]
		last := len(ready) == 0
		in.underway[lane]++
		err := r.journal.Submit(lane, chunk, func(err error) {
			r.submitted(in, lane, o, err)
			if last {
				done(err)
			}
		})
		if err != nil { // the journal has ended
			in.underway[lane]--
			done(err)
			return
		}
	}
}

// submitted runs on the journal's goroutine.
func (r *Replica) submitted(in *intake, lane journal.Lane, o mesh.Origin, err error) {
	if d := (*journal.Diverged)(nil); errors.As(err, &d) {
		r.quarantine(o, d.Error())
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.underway[lane]--
	in.failed = in.failed || err != nil
	if in.failed && in.underway[0]+in.underway[1] == 0 { // whichever of them it was
		mark, _ := r.journal.MarkAndHash(o)
		in.reorder.Set(mark)
		in.failed = false
		r.wakePull()
	}
	if err == nil && in.underway[journal.LaneCatchUp] == 0 {
		r.pump(in, journal.LaneLive, o, func(error) {})
	}
}
