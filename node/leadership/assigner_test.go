package leadership

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"vedetta/node/identity"
	"vedetta/wire/mesh"
)

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

var members = []string{"arezzo", "limburg", "roubaix"}

func process(node string, incarnation uint64) mesh.Origin {
	return mesh.Origin{Node: node, Incarnation: incarnation, Random: incarnation}
}

// stage is an Assigner with the shards it has given.
type stage struct {
	t       *testing.T
	a       *Assigner
	now     time.Time
	holders []mesh.Origin
	moved   int // in the last step
}

func newStage(t *testing.T) *stage {
	return &stage{t: t, a: NewAssigner(start), now: start, holders: make([]mesh.Origin, identity.Shards)}
}

// run steps each 250 ms for a while; the renewals come each 500 ms.
func (s *stage) run(d time.Duration, renewals ...Renewal) {
	s.moved = 0
	for end := s.now.Add(d); s.now.Before(end); s.now = s.now.Add(250 * time.Millisecond) {
		if s.now.Sub(start)%(500*time.Millisecond) == 0 {
			for _, r := range renewals {
				s.a.Renew(s.now, r)
			}
		}
		for _, n := range s.a.Assign(s.now, members, s.holders) {
			if s.holders[n.Shard] == n.Holder {
				s.t.Errorf("shard %d was given again to its holder", n.Shard)
			}
			s.holders[n.Shard] = n.Holder
			s.moved++
		}
	}
}

// spread says how many shards each process has: "arezzo.1:22 ...".
func (s *stage) spread() string {
	n := map[string]int{}
	for _, h := range s.holders {
		name := "nobody"
		if !h.IsZero() {
			name = fmt.Sprintf("%s.%d", h.Node, h.Incarnation)
		}
		n[name]++
	}
	var out []string
	for name, c := range n {
		out = append(out, fmt.Sprintf("%s:%d", name, c))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func (s *stage) want(spread string, moved int) {
	s.t.Helper()
	if got := s.spread(); got != spread || moved >= 0 && s.moved != moved {
		s.t.Errorf("%v: %s after %d moves, want %s after %d", s.now.Sub(start), got, s.moved, spread, moved)
	}
}

func (s *stage) wantEven(moved int) {
	s.t.Helper()
	got := strings.NewReplacer(":22", "", ":21", "").Replace(s.spread())
	if got != "arezzo.1 limburg.1 roubaix.1" || s.moved != moved {
		s.t.Errorf("%v: %s after %d moves, want it even after %d", s.now.Sub(start), s.spread(), s.moved, moved)
	}
}

func well(node string, incarnation uint64) Renewal {
	return Renewal{Holder: process(node, incarnation), Ready: true}
}

var allWell = []Renewal{well("arezzo", 1), well("limburg", 1), well("roubaix", 1)}

const even = "arezzo.1:22 limburg.1:21 roubaix.1:21"

func TestRule25_evenly_and_stably(t *testing.T) {
	s := newStage(t)
	s.run(time.Second, well("arezzo", 1))
	s.want("arezzo.1:64", 64)
	s.run(4*time.Second, allWell...)
	s.want("arezzo.1:64", 0)
	s.run(2*time.Second, allWell...)
	s.want(even, 42)
	s.run(time.Minute, allWell...)
	s.want(even, 0)
}

func TestRule25_two_seconds_of_silence(t *testing.T) {
	s := newStage(t)
	s.run(10*time.Second, allWell...)
	s.want(even, -1)
	s.run(1750*time.Millisecond, allWell[0], allWell[1]) // its last renewal came at 9.5 s
	s.want(even, 0)
	s.run(500*time.Millisecond, allWell[0], allWell[1])
	s.want("arezzo.1:32 limburg.1:32", 21)
	s.run(10*time.Second, allWell...) // it comes back: the same process, after a pause
	s.wantEven(21)
}

func TestRule25_a_new_raft_leader_counts_from_its_election(t *testing.T) {
	s := newStage(t)
	s.run(10*time.Second, allWell...)
	s.a = NewAssigner(s.now)
	s.run(2*time.Second, allWell[0])
	s.want(even, 0)
	s.run(time.Second, allWell[0], allWell[1])
	s.want("arezzo.1:32 limburg.1:32", 21) // limburg spoke in the last moment
}

func TestRule17_a_new_process_needs_a_new_epoch(t *testing.T) {
	s := newStage(t)
	s.run(10*time.Second, allWell...)
	s.run(250*time.Millisecond, allWell[0], allWell[1], well("roubaix", 2))
	s.run(250*time.Millisecond, allWell[0], allWell[1], well("roubaix", 2))
	if got := s.spread(); strings.Contains(got, "roubaix.1") || !strings.Contains(got, "roubaix.2:21") {
		t.Errorf("%s, want the new process's shards given anew, within its lease", got)
	}
	s.run(time.Second, allWell[0], allWell[1], well("roubaix", 2), well("roubaix", 1)) // an old renewal that was on its way
	if got := s.spread(); strings.Contains(got, "roubaix.1") || s.moved != 0 {
		t.Errorf("%s after %d moves: an old process got shards", got, s.moved)
	}
}

// What a former process was punished for is not the new one's.
func TestRule17_a_penalty_is_not_inherited(t *testing.T) {
	s := newStage(t)
	s.run(10*time.Second, allWell...)
	behind := well("roubaix", 1)
	behind.DueMs = 10_000
	s.run(time.Second, allWell[0], allWell[1], behind)
	s.want("arezzo.1:32 limburg.1:32", 21)
	s.run(10*time.Second, allWell[0], allWell[1], well("roubaix", 2))
	if got := s.spread(); !strings.Contains(got, "roubaix.2:21") {
		t.Errorf("%s, want that the new process leads too", got)
	}
}

func TestRule25_not_ready_gets_none(t *testing.T) {
	s := newStage(t)
	s.run(10*time.Second, allWell...)
	draining := Renewal{Holder: process("roubaix", 1)}
	s.run(time.Second, allWell[0], allWell[1], draining)
	s.want("arezzo.1:32 limburg.1:32", 21)
	s.run(time.Minute, allWell[0], allWell[1], draining)
	s.want("arezzo.1:32 limburg.1:32", 0)
	// Nobody is ready: who holds them keeps them, for nobody could do better.
	s.run(time.Minute, draining, Renewal{Holder: process("arezzo", 1)}, Renewal{Holder: process("limburg", 1)})
	s.want("arezzo.1:32 limburg.1:32", 0)
}

func TestRule25_ten_seconds_behind(t *testing.T) {
	for name, late := range map[string]Renewal{
		"undecided": {Holder: process("roubaix", 1), Ready: true, UndecidedMs: 10_000},
		"due":       {Holder: process("roubaix", 1), Ready: true, DueMs: 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.run(10*time.Second, allWell...)
			s.run(time.Second, allWell[0], allWell[1], late)
			s.want("arezzo.1:32 limburg.1:32", 21)
			s.run(50*time.Second, allWell...) // without shards it isn't behind: no swinging to and fro
			s.want("arezzo.1:32 limburg.1:32", 0)
			s.run(20*time.Second, allWell...)
			s.wantEven(21)
			// All are behind: it costs nobody anything.
			all := []Renewal{late, late, late}
			all[0].Holder, all[1].Holder = process("arezzo", 1), process("limburg", 1)
			s.run(time.Minute, all...)
			s.wantEven(0)
		})
	}
}

func TestNoMemberNoShards(t *testing.T) {
	s := newStage(t)
	s.run(10*time.Second, append([]Renewal{well("stranger", 1)}, allWell...)...)
	s.want(even, -1)
}

// Whatever the nodes do: a shard belongs to a process that spoke within the
// last seconds, when there is one, and the numbers even out.
func TestSeeds(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, seed))
		s := newStage(t)
		incarnation := map[string]uint64{"arezzo": 1, "limburg": 1, "roubaix": 1}
		for range 20 {
			var up []Renewal
			for _, m := range members {
				if rng.IntN(4) == 0 {
					incarnation[m]++
				}
				if rng.IntN(4) != 0 {
					up = append(up, well(m, incarnation[m]))
				}
			}
			if rng.IntN(5) == 0 {
				s.a = NewAssigner(s.now)
			}
			s.run(time.Duration(1+rng.IntN(16))*500*time.Millisecond, up...)
		}
		final := []Renewal{well("arezzo", incarnation["arezzo"]), well("limburg", incarnation["limburg"]), well("roubaix", incarnation["roubaix"])}
		s.run(10*time.Second, final...)
		n := map[mesh.Origin]int{}
		for _, h := range s.holders {
			n[h]++
		}
		for _, r := range final {
			if n[r.Holder] != 21 && n[r.Holder] != 22 {
				t.Fatalf("seed %d: %s", seed, s.spread())
			}
		}
		s.run(10*time.Second, final...)
		if s.moved != 0 {
			t.Fatalf("seed %d: %d moves while nothing changes", seed, s.moved)
		}
	}
}
