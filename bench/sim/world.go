package sim

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"vedetta/cluster/consensus"
	"vedetta/node/agreement"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Plant is a fault built into the simulation's own loops, to see that the judge
// finds it.
type Plant string

// Plants.
const (
	PlantNone            Plant = ""
	PlantAckBeforeQuorum Plant = "ack before quorum"          // rule 7
	PlantNotDurable      Plant = "decide before durable"      // rule 6
	PlantAgeFromCommit   Plant = "claim age from commit"      // rule 23
	PlantSameIncarnation Plant = "incarnation used once more" // rule 1
)

// Options of one run; the zero value of a field is its default.
type Options struct {
	Seed   uint64
	Sites  int           // 3, or 5 for one seed of eight
	Panels int           // 9
	Faults time.Duration // how long there are faults; 60 s of the world's time
	Heal   time.Duration // how long the mesh has afterwards; 90 s
	Plant  Plant
	Quiet  bool // no faults at all
}

// Report is what one run showed.
type Report struct {
	Seed          uint64
	Faults        []string       // promises that did not hold; empty: all did
	Rare          map[string]int // states that were reached, and how often
	Messages      int
	Notifications int
	Trace         uint64 // equal for equal options
}

// World is one run.
type World struct {
	*engine
	net       *network
	log       *log
	nodes     []*node
	names     []string
	shards    []byte
	panels    []*panel
	messages  []*message
	providers map[string]*provider
	meshKey   seal.MeshKey
	keys      map[seal.KeyID]*seal.RecordKey
	faultsEnd time.Time
	faults    []string
	rare      map[string]int
	plant     Plant
	quiet     bool
	resting   bool
	disks     int  // lost so far
	madeGood  bool // all disks are level since the last was lost
}

// Run plays one seed.
func Run(o Options) Report {
	w := &World{engine: newEngine(o.Seed), rare: map[string]int{}, keys: map[seal.KeyID]*seal.RecordKey{}, plant: o.Plant, quiet: o.Quiet, madeGood: true,
		providers: map[string]*provider{"email": {taken: map[string][]time.Time{}}, "webhook": {taken: map[string][]time.Time{}}}}
	w.net = &network{w: w, cut: map[pair]bool{}, conns: map[pair]*conn{}}
	w.log = &log{w: w, members: map[string]string{}}
	copy(w.meshKey[:], "the mesh's key, of thirty-two b.")
	sites := cmp.Or(o.Sites, 3)
	if o.Sites == 0 && w.chance(8) {
		sites = 5
	}
	for i := range sites {
		name := fmt.Sprintf("n%d", i+1)
		w.names = append(w.names, name)
		w.nodes = append(w.nodes, &node{name: name, disk: &disk{id: name + "-1", records: map[mesh.Origin][]mesh.Record{}}})
	}
	for i := range cmp.Or(o.Panels, 9) {
		pn := &panel{name: fmt.Sprintf("p%d", i), customer: fmt.Sprintf("c%d", i%2), shard: byte(i * 7 % agreement.Shards), home: i, silent: i%3 == 2, sequence: w.rng.IntN(9999)}
		w.panels = append(w.panels, pn)
		w.shards = append(w.shards, pn.shard)
		w.after(w.between(3*time.Second, 6*time.Second), nil, func() { w.speak(pn) })
	}
	slices.Sort(w.shards)
	w.shards = slices.Compact(w.shards)
	w.faultsEnd = w.now.Add(cmp.Or(o.Faults, time.Minute))
	w.found()
	for _, n := range w.nodes {
		n.start(w)
	}
	w.net.dial()
	w.after(time.Second, nil, w.log.watch)
	w.after(5*time.Second, nil, w.misfortune)
	w.makeGood()
	w.run(w.faultsEnd)
	w.heal()
	w.run(w.faultsEnd.Add(cmp.Or(o.Heal, 90*time.Second)))
	w.resting = true // the clock of the agreement stands still, so that all can come level
	w.run(w.now.Add(3 * time.Second))
	w.judge()
	taken := 0
	for _, pr := range w.providers {
		taken += len(pr.taken)
	}
	return Report{Seed: o.Seed, Faults: w.faults, Rare: w.rare, Messages: len(w.messages), Notifications: taken, Trace: w.trace.Sum64()}
}

// found commits what a mesh begins with: its members, and its keys.
func (w *World) found() {
	var members []decision.Member
	for _, n := range w.names {
		members = append(members, decision.Member{Node: n, Disk: n + "-1", Site: n})
		w.log.members[n] = n + "-1"
		w.log.servers = append(w.log.servers, consensus.Server{Node: n, Disk: n + "-1", Voter: true})
	}
	bodies := []decision.Body{decision.Found{Generation: 1, Sites: w.names, Members: members}}
	for i, owner := range []string{"c0", "c1", agreement.DayOwner(mesh.DayOf(w.now)), agreement.DayOwner(mesh.DayOf(w.now) + 1)} {
		var k seal.Key
		binary.BigEndian.PutUint64(k.ID[:], uint64(0xface0000+i))
		binary.BigEndian.PutUint64(k.Data[:], w.rng.Uint64())
		binary.BigEndian.PutUint64(k.Identity[:], w.rng.Uint64())
		wrapped, err := w.meshKey.Wrap(k, owner)
		if err != nil {
			panic(fmt.Sprintf("sim: %v", err))
		}
		if i < 2 {
			bodies = append(bodies, decision.PutKeys{Customer: owner, KeyID: k.ID[:], Wrapped: wrapped})
		} else {
			bodies = append(bodies, decision.PutDayKey{Day: mesh.DayOf(w.now) + mesh.Day(i-2), KeyID: k.ID[:], Wrapped: wrapped})
		}
	}
	for i, body := range bodies {
		command, err := decision.EncodeCommand(decision.ProposalID{15: byte(i + 1)}, w.now.UnixMilli(), body)
		if err != nil {
			panic(fmt.Sprintf("sim: %v", err))
		}
		w.log.commands = append(w.log.commands, command)
	}
}

func (w *World) node(name string) *node {
	i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.name == name })
	return w.nodes[i]
}

func sortedPlans(plans map[string]decision.Notification) []decision.Notification {
	return slices.SortedFunc(maps.Values(plans), func(a, b decision.Notification) int { return cmp.Compare(a.ID, b.ID) })
}
