package alerting

import (
	"context"
	"fmt"
	"time"

	"vedetta/wire/mesh"
)

// readPause lies between two looks at the journals, so that a look finds what
// several commits brought.
const readPause = 5 * time.Millisecond

// readBytes bounds one reading of an origin.
const readBytes = 1 << 20

// read fills the queues of the led shards with what is durable (rule 6). Each
// origin is read once for all shards, from the one that is furthest behind.
func (f *Follower) read(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		state, marks, durable := f.agreement.Changed(), f.journal.Changed(), f.journal.DurableChanged()
		led := f.refresh()
		more := f.scan(led)
		if more {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if f.queued() < f.cfg.MaxQueued {
				continue
			}
			state, marks, durable = nil, nil, nil // only room helps
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-state:
		case <-marks:
		case <-durable:
		case <-f.space:
		case <-tick.C:
		}
		if !rest(ctx, readPause) {
			return ctx.Err()
		}
	}
}

// refresh compares the shards with the agreement and returns those led here.
func (f *Follower) refresh() []*shard {
	led := make([]*shard, 0, len(f.shards))
	leads := f.agreement.Leads()            // before Decided: what a former leader
	origin, number := f.agreement.Decided() // decided last is then surely below number (rule 16)
	for i, s := range f.shards {
		ok := leads[i].Holder == f.cfg.Self // an earlier incarnation's shards are a stranger's (rule 17)
		if s.lead(leads[i].Fence, ok, origin, number) {
			s.wake()
		}
		if ok {
			led = append(led, s)
		}
	}
	f.led.Set(float64(len(led)))
	return led
}

// scan reads every origin once; true means that more is to be read.
func (f *Follower) scan(led []*shard) bool {
	more, stuck := false, false
	if len(led) > 0 {
		for _, o := range f.journal.Origins() {
			if o.IsAgreement() {
				continue
			}
			left, err := f.scanOrigin(o, led)
			more = more || left
			if err != nil {
				// A damaged file costs this node its shards, by the age that its
				// renewals carry: another node has the entries (rules 22, 25).
				f.log.Error("journal not read", "origin", o.String(), "err", err)
				stuck = true
			}
		}
	}
	f.mu.Lock()
	if !more && !stuck {
		f.behind = time.Time{}
	} else if f.behind.IsZero() {
		f.behind = time.Now()
	}
	f.mu.Unlock()
	return more
}

func (f *Follower) scanOrigin(o mesh.Origin, led []*shard) (more bool, err error) {
	upTo := min(f.journal.Durable(o), f.journal.Mark(o))
	from := upTo
	for _, s := range led {
		if n, ok := s.position(o, func() uint64 { return f.agreement.Cursor(s.number, o) }); ok {
			from = min(from, n)
		}
	}
	if from >= upTo {
		return false, nil
	}
	if f.queued() >= f.cfg.MaxQueued {
		return true, nil
	}
	records, err := f.journal.Read(o, from+1, upTo, readBytes)
	if err != nil && len(records) == 0 {
		return false, err
	}
	if len(records) == 0 {
		return false, fmt.Errorf("records %d to %d: none, want at least one below the mark", from+1, upTo)
	}
	last := records[len(records)-1].Number
	now, of := time.Now(), chained(records)
	for _, s := range led {
		s.add(o, records, &of, last, now)
	}
	return err == nil && last < upTo, err
}

func (f *Follower) queued() int {
	n := 0
	for _, s := range f.shards {
		n += s.queued()
	}
	return n
}
