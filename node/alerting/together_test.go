package alerting

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"vedetta/wire/decision"
)

// shardDecide is a decision of one shard whose only event has so long a text.
func shardDecide(shard byte, text int) decision.Decide {
	return decision.Decide{Fence: decision.Fence{Shard: shard}, Entries: []decision.Verdict{{Events: []decision.Event{{Text: strings.Repeat("x", text)}}}}}
}

// What is asked while a proposal is under way goes together in the next, within
// what a command may hold; each gets the answer that is its own, an error gets
// to all.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, slots := newTogether(), make(chan struct{}, 1)
		var commands [][]byte // shards of each
		propose := func(_ context.Context, all decision.DecideShards) (Result, error) {
			var shards []byte
			var r Result
			for _, d := range all.Decides {
				shards = append(shards, d.Shard)
				r.Shards = append(r.Shards, Result{Claims: []int{int(d.Shard)}})
			}
			commands = append(commands, shards) // one at a time: slots has one place
			time.Sleep(20 * time.Millisecond)
			if len(shards) == 5 {
				return Result{}, errors.New("answer lost")
			}
			return r, nil
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		answers, failed := map[byte]int{}, 0
		ask := func(d decision.Decide) {
			g.draft()
			wg.Go(func() {
				r, asked, err := g.propose(t.Context(), d, slots, nil, propose)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case !asked:
					t.Errorf("shard %d was not asked", d.Shard)
				case err != nil:
					failed++
				default:
					answers[d.Shard] = r.Claims[0]
				}
			})
		}
		ask(shardDecide(1, 10))
		time.Sleep(time.Millisecond)
		for s := range byte(3) {
			ask(shardDecide(10+s, 10))
		}
		time.Sleep(30 * time.Millisecond) // the three are under way
		for s := range byte(5) {
			ask(shardDecide(20+s, 10))
		}
		wg.Wait()
		if len(commands) != 3 || len(commands[0]) != 1 || len(commands[1]) != 3 || len(commands[2]) != 5 || failed != 5 {
			t.Fatalf("commands of shards %v, %d failed; want 1, 3 and 5 together, the last of unknown end to all", commands, failed)
		}
		for s, got := range answers {
			if got != int(s) {
				t.Errorf("shard %d got the answer of %d", s, got)
			}
		}
		commands = nil
		ask(shardDecide(1, 10))
		time.Sleep(time.Millisecond)
		for s := range byte(4) {
			ask(shardDecide(30+s, maxDrafted*2/5))
		}
		wg.Wait()
		if len(commands) != 3 || len(commands[1]) != 2 || len(commands[2]) != 2 {
			t.Errorf("commands of shards %v, want two long ones in each after the first", commands)
		}
	})
}

// A proposal waits for shards that are being drafted, but not long; one that
// may give up does so while it is in no command, and then never stands in one.
func TestTogetherWaitsAndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, slots := newTogether(), make(chan struct{}, 1)
		var sizes []int
		propose := func(ctx context.Context, all decision.DecideShards) (Result, error) {
			sizes = append(sizes, len(all.Decides))
			time.Sleep(time.Second)
			return Result{Shards: make([]Result, len(all.Decides))}, nil
		}
		var wg sync.WaitGroup
		ask := func(d decision.Decide) {
			g.draft()
			wg.Go(func() { _, _, _ = g.propose(t.Context(), d, slots, nil, propose) })
		}
		g.draft()
		ask(shardDecide(1, 1))
		time.Sleep(gatherFor / 2)
		ask(shardDecide(2, 1))
		synctest.Wait()
		g.drafted() // a third, of which nothing comes
		synctest.Wait()
		if len(sizes) != 1 || sizes[0] != 2 {
			t.Fatalf("commands of %v shards, want both as soon as nothing is drafted", sizes)
		}
		urgent := make(chan struct{}, 1)
		urgent <- struct{}{}
		g.draft()
		if _, asked, err := g.propose(t.Context(), shardDecide(3, 1), slots, urgent, propose); asked || err != nil {
			t.Errorf("asked %v, %v; want that it gives up", asked, err)
		}
		wg.Wait()
		g.draft() // and never ends
		began := time.Now()
		ask(shardDecide(4, 1))
		wg.Wait()
		if took := time.Since(began); took != time.Second+gatherFor {
			t.Errorf("it took %s, want to wait for %s only", took, gatherFor)
		}
		if len(sizes) != 2 || sizes[1] != 1 {
			t.Errorf("commands of %v shards, want nothing of who gave up", sizes)
		}
	})
}
