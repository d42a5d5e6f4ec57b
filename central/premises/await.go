package premises

import (
	"context"
	"time"
)

// published wakes who waits for the mesh to have a document.
func (p *Premises) published() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.sent)
	p.sent = make(chan struct{})
}

func (p *Premises) nextSent() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

// AwaitInForce waits until the mesh has acknowledged the customer's document of
// this revision or a later one, at most so long, and tells whether it has. An
// alarm that comes after that is planned by it (rule 15). Documents that another
// instance of central publishes are seen when the time is up.
func (p *Premises) AwaitInForce(ctx context.Context, customer string, revision uint64, most time.Duration) (bool, error) {
	late := time.NewTimer(most)
	defer late.Stop()
	for last := most <= 0; ; {
		sent := p.nextSent() // before looking, so that nothing is missed
		n, err := inForce(ctx, p.db.Read(), customer)
		if err != nil || n >= revision || last {
			return err == nil && n >= revision, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-sent:
		case <-late.C:
			last = true
		}
	}
}
