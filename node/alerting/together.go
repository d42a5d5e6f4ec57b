package alerting

import (
	"context"
	"sync"
	"time"

	"vedetta/wire/decision"
)

// gatherFor is how long a proposal waits for shards that are being drafted.
const gatherFor = 10 * time.Millisecond

// together makes one command of what several shards propose at the same time:
// to the whole mesh a command costs much more than a shard's part in it. It has
// no goroutine: of those that ask, one proposes for all that wait.
type together struct {
	mu       sync.Mutex // guards the group below
	waiting  []*ask
	drafting int           // of shards that may ask in a moment
	quiet    chan struct{} // closed and replaced when drafting falls to 0
}

// ask is one shard's decision on its way.
type ask struct {
	decide decision.Decide
	size   int
	taken  chan struct{} // closed when it stands in a proposal
	done   chan struct{} // closed when result or err is there
	result Result
	err    error
}

func newTogether() *together { return &together{quiet: make(chan struct{})} }

// draft says that a shard is being drafted; propose takes it back, or drafted
// where nothing comes of it.
func (t *together) draft() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drafting++
}

func (t *together) drafted() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settled()
}

func (t *together) settled() {
	if t.drafting--; t.drafting == 0 {
		close(t.quiet)
		t.quiet = make(chan struct{})
	}
}

// propose returns what became of d, which was drafted. A free place in slots makes the caller
// propose for all; with urgent it gives up, false, as long as nobody has. An error
// of propose is of unknown end for everybody in it, but consensus.ErrTooLarge.
func (t *together) propose(ctx context.Context, d decision.Decide, slots chan struct{}, urgent <-chan struct{}, propose func(context.Context, decision.DecideShards) (Result, error)) (Result, bool, error) {
	a := &ask{decide: d, size: decision.Size(d), taken: make(chan struct{}), done: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, a)
	t.settled()
	t.mu.Unlock()
	select {
	case slots <- struct{}{}:
		t.gather(ctx)
		if group := t.take(a); len(group) > 0 {
			t.carry(ctx, group, propose)
		}
		<-slots
	case <-a.taken:
	case <-urgent:
		if t.withdraw(a) {
			return Result{}, false, nil
		}
	case <-ctx.Done():
		if t.withdraw(a) {
			return Result{}, false, ctx.Err()
		}
	}
	<-a.done // whoever took it ends with ctx at the latest
	return a.result, true, a.err
}

// gather waits for shards that are being drafted.
func (t *together) gather(ctx context.Context) {
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	t.mu.Lock()
	drafting, quiet := t.drafting, t.quiet
	t.mu.Unlock()
	if drafting == 0 {
		return
	}
	select {
	case <-quiet:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// take gives a command's worth of what waits, a among it unless another has
// taken that meanwhile.
func (t *together) take(a *ask) (group []*ask) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, size := -1, 0
	for i, w := range t.waiting {
		if w == a {
			at = i
		}
	}
	if at < 0 {
		return nil
	}
	t.waiting[0], t.waiting[at] = t.waiting[at], t.waiting[0]
	n := 0
	for n < len(t.waiting) && (n == 0 || size+t.waiting[n].size <= maxDrafted) {
		size += t.waiting[n].size
		n++
	}
	group = append(group, t.waiting[:n]...)
	t.waiting = append([]*ask(nil), t.waiting[n:]...)
	for _, w := range group {
		close(w.taken)
	}
	return group
}

func (t *together) withdraw(a *ask) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, w := range t.waiting {
		if w == a {
			t.waiting = append(t.waiting[:i:i], t.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// carry proposes a group and tells each what came of its own.
func (t *together) carry(ctx context.Context, group []*ask, propose func(context.Context, decision.DecideShards) (Result, error)) {
	var all decision.DecideShards
	for _, a := range group {
		all.Decides = append(all.Decides, a.decide)
	}
	ctx, cancel := context.WithTimeout(ctx, proposalPatience)
	defer cancel()
	r, err := propose(ctx, all)
	for i, a := range group {
		switch {
		case err != nil:
			a.err = err
		case r.Refused != Accepted:
			a.result = r
		case i < len(r.Shards):
			a.result = r.Shards[i]
		}
		close(a.done)
	}
}
