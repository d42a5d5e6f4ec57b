package consensus

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"vedetta/cluster/link"
	"vedetta/wire/mesh"
)

// MethodSeen is the call by which a node asks what was seen of it.
const MethodSeen = "consensus.seen"

const (
	askInterval = 300 * time.Millisecond
	askTimeout  = 2 * time.Second
)

// seenAnswer is what one peer has seen of a node, one entry per disk.
type seenAnswer struct {
	Site string     `json:"site"`
	Seen []seenDisk `json:"seen"`
}

type seenDisk struct {
	Disk  string            `json:"disk"`
	Term  uint64            `json:"term"`
	Index uint64            `json:"index"`
	Marks map[string]uint64 `json:"marks,omitempty"` // by mesh.Origin's text
}

// own is what this node's folders hold before Raft starts.
type own struct {
	Member
	term, index uint64 // current term, last entry in log or snapshot
	founding    bool   // listed among the founding members
	marks       map[mesh.Origin]uint64
}

// Start is how a node begins, by rule 28.
type Start int

// Ways to start.
const (
	StartWait    Start = iota // too few sites have answered
	StartFound                // first start of all: make the founding configuration
	StartMember               // goes on from its folder
	StartNew                  // a new node: without configuration, until a leader adds it
	StartRefused              // its folder is behind what was seen of it
)

func (s Start) String() string {
	return [...]string{"wait", "found", "member", "new", "refused"}[s]
}

// judge decides how to start from what the peers have seen, by node name. Peers
// report a disk's term and commit index and its marks of flushed entries: none
// of them can fall but by loss. An origin that is unknown here is not compared
// unless all are: its days may be over.
func judge(o own, sites []string, answers map[string]seenAnswer) (Start, string) {
	heard := map[string]bool{o.Site: true}
	known := "" // who has seen this node at all
	for _, peer := range sortedKeys(answers) {
		a := answers[peer]
		if slices.Contains(sites, a.Site) {
			heard[a.Site] = true
		}
		for _, s := range a.Seen {
			if s.Term > 0 || s.Index > 0 || len(s.Marks) > 0 {
				known = fmt.Sprintf("%s has seen %s/%s at term %d, index %d, with marks of %d origins", peer, o.Node, s.Disk, s.Term, s.Index, len(s.Marks))
			}
			if s.Disk != o.Disk {
				continue
			}
			if s.Term > o.term {
				return StartRefused, fmt.Sprintf("%s has seen term %d, here is %d", peer, s.Term, o.term)
			}
			if s.Index > o.index {
				return StartRefused, fmt.Sprintf("%s has seen Raft index %d, here is %d", peer, s.Index, o.index)
			}
			for _, origin := range sortedKeys(s.Marks) {
				have, ok := o.mark(origin)
				if (ok || len(o.marks) == 0) && s.Marks[origin] > have {
					return StartRefused, fmt.Sprintf("%s has seen mark %d of %s, here is %d", peer, s.Marks[origin], origin, have)
				}
			}
		}
	}
	switch {
	case 2*len(heard) <= len(sites):
		return StartWait, fmt.Sprintf("%d of %d sites have answered, want a majority", len(heard), len(sites))
	case o.term > 0 || o.index > 0:
		return StartMember, ""
	case !o.founding:
		return StartNew, "this disk is none of the founding members'"
	case known != "":
		return StartNew, known
	}
	return StartFound, ""
}

func (o own) mark(origin string) (uint64, bool) {
	parsed, err := mesh.ParseOrigin(origin)
	if err != nil {
		return 0, false
	}
	n, ok := o.marks[parsed]
	return n, ok
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// answerSeen answers a peer's MethodSeen from the journal.
func (c *Consensus) answerSeen(_ context.Context, from link.Identity, _ []byte) ([]byte, error) {
	a := seenAnswer{Site: c.cfg.Self.Site}
	for _, s := range c.journal.Seen(from.Name) {
		d := seenDisk{Disk: s.Disk, Term: s.RaftTerm, Index: s.RaftIndex, Marks: map[string]uint64{}}
		for o, n := range s.Marks {
			d.Marks[o.String()] = n
		}
		a.Seen = append(a.Seen, d)
	}
	return json.Marshal(a)
}

// ask asks all peers until a majority of sites has answered, and judges.
func (c *Consensus) ask(ctx context.Context, o own) (Start, string, error) {
	answers := map[string]seenAnswer{}
	tick := time.NewTicker(askInterval)
	defer tick.Stop()
	said := ""
	for {
		for peer, a := range c.askOnce(ctx, answers) {
			answers[peer] = a
		}
		start, why := judge(o, c.cfg.Sites, answers)
		if start != StartWait {
			return start, why, nil
		}
		if why != said {
			said = why
			c.env.Log.Info("agreement waits for peers before it starts", "reason", why)
		}
		select {
		case <-ctx.Done():
			return StartWait, why, ctx.Err()
		case <-tick.C:
		}
	}
}

// askOnce asks those who haven't answered, all at a time.
func (c *Consensus) askOnce(ctx context.Context, have map[string]seenAnswer) map[string]seenAnswer {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var mu sync.Mutex // guards got
	got := map[string]seenAnswer{}
	var wg sync.WaitGroup
	for _, peer := range c.cfg.Peers {
		if _, ok := have[peer]; ok {
			continue
		}
		wg.Go(func() {
			b, err := c.link.Call(ctx, peer, MethodSeen, []byte("{}"))
			var a seenAnswer
			if err == nil {
				err = json.Unmarshal(b, &a)
			}
			if err != nil {
				c.env.Log.Debug("peer doesn't say what it has seen", "node", peer, "error", err)
				return
			}
			mu.Lock()
			got[peer] = a
			mu.Unlock()
		})
	}
	wg.Wait()
	return got
}
