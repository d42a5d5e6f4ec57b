package replica

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/wire/mesh"
)

// pull begins catch-ups as the planner says.
func (r *Replica) pull(ctx context.Context, g *errgroup.Group) error {
	p := &planner{grace: r.cfg.Grace, agreementGrace: r.cfg.AgreementGrace, lags: map[mesh.Origin]*lag{}, retry: map[attempt]time.Time{}}
	type ending struct {
		attempt
		good bool
	}
	ends := make(chan ending, maxCatchUps)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-ends:
			mark, _ := r.journal.MarkAndHash(e.origin)
			p.ended(e.attempt, e.good, mark, time.Now())
		case <-r.look:
		case <-timer.C:
		}
		now := time.Now()
		wants, hurry := r.wants()
		for _, w := range hurry {
			p.hurry(w.origin, w.ours, now)
		}
		begin, again := p.step(now, wants)
		for _, a := range begin {
			g.Go(func() error {
				n, err := r.catchUp(ctx, a)
				if err != nil && ctx.Err() == nil {
					r.env.Log.Warn("catch-up broke", "node", a.peer, "origin", a.origin.String(), "records", n, "error", err)
				}
				ends <- ending{a, err == nil && n > 0}
				return nil
			})
		}
		if !again.IsZero() {
			timer.Reset(max(time.Until(again), pullPause))
		}
	}
}

// wants returns the origins of which a connected peer has more than we, and
// those of them that are in a hurry.
func (r *Replica) wants() (all, hurry []want) {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Peers may flush our own records before we do: those are on their way to the disk.
	delete(r.ahead, r.journal.Own())
	for o := range r.ahead {
		ours, _ := r.journal.MarkAndHash(o)
		w := want{origin: o, ours: ours}
		more := false
		for _, p := range r.peers {
			if p.marks[o] > ours {
				more = true
				if p.connected {
					w.offers = append(w.offers, offer{p.name, p.marks[o]})
				}
			}
			w.home = w.home || p.connected && p.name == o.Node
		}
		if !more || r.quarantined[o] != "" {
			delete(r.ahead, o)
			delete(r.hurry, o)
			continue
		}
		if len(w.offers) == 0 {
			continue
		}
		slices.SortFunc(w.offers, func(a, b offer) int { return cmp.Compare(a.peer, b.peer) })
		all = append(all, w)
		if r.hurry[o] {
			delete(r.hurry, o)
			hurry = append(hurry, w)
		}
	}
	slices.SortFunc(all, func(a, b want) int { return a.origin.Compare(b.origin) })
	return all, hurry
}

// catchUp fetches an origin's records from a peer until that has no more, and
// returns how many came. One chunk is flushed while the next is on its way.
func (r *Replica) catchUp(ctx context.Context, a attempt) (n int, err error) {
	s, err := r.openStream(ctx, a.peer, link.PurposeCatchUp)
	if err != nil {
		return 0, err
	}
	defer s.Abort()
	defer context.AfterFunc(ctx, s.Abort)()
	mark, hash := r.journal.MarkAndHash(a.origin)
	_ = s.SetDeadline(time.Now().Add(streamTimeout))
	if _, err := s.Write(request{a.origin, mark + 1, hash}.append(nil)); err != nil {
		return 0, err
	}
	in := bufio.NewReaderSize(s, 64<<10)
	switch answer, err := in.ReadByte(); {
	case err != nil:
		return 0, noEOF(err)
	case answer == answerDiffers:
		r.quarantine(a.origin, fmt.Sprintf("running hash at number %d differs from that of node %s", mark, a.peer))
		return 0, nil
	case answer != answerRecords:
		return 0, fmt.Errorf("node %s answers %d: it does not serve this origin", a.peer, answer)
	}
	room := make(chan error, 2) // two chunks under way
	room <- nil
	room <- nil
	wait := func() error {
		select {
		case err := <-room:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for {
		_ = s.SetDeadline(time.Now().Add(streamTimeout))
		records, err := readFrame(in)
		if err != nil {
			return n, noEOF(err)
		}
		if err := wait(); err != nil {
			return n, err
		}
		if len(records) == 0 {
			return n, wait() // until all is flushed
		}
		for _, rec := range records {
			if rec.Origin != a.origin {
				return n, fmt.Errorf("catch-up of %s brought %s", a.origin, rec.Position())
			}
		}
		n += len(records)
		r.metrics.caughtUp.Add(float64(len(records)))
		r.offer(journal.LaneCatchUp, a.origin, records, func(err error) { room <- err })
	}
}
