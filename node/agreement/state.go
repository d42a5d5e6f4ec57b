package agreement

import (
	"errors"
	"fmt"
	"slices"

	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Spans of the agreement's clock, in milliseconds.
const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute

	WindowMs    = 10 * minute // two messages of one identity within it are one event (rule 11)
	windowSlack = 5 * minute  // a window is kept this much longer, for entries decided late
	ProposalMs  = 10 * minute // a proposal's first result is kept so long after its first try (rule 19)
	OpenMs      = 48 * hour   // a step open longer is expired (rule 14)
	ClosedMs    = 48 * hour   // a final state is kept so long, for late outcomes (rule 18)
	ResolveMs   = 12 * second // another's claim is resolved this long after the epoch that followed its own (rule 24)
	MaxTickMs   = 60 * second // one tick moves the clock by no more (rule 20)
)

// Shards is how many shards the panels hash onto (rule 13).
const Shards = 64

// KeyOpener unwraps what PutKeys and PutDayKey carry: a seal.MeshKey. The same
// arguments give the same key at every node.
type KeyOpener interface {
	Unwrap(id seal.KeyID, owner string, wrapped []byte) (seal.Key, error)
}

// State is what is decided. It is stepped by Apply, in the order of the
// agreement's log, and reads nothing else: same log, same state, same records,
// byte for byte. Not safe for use by several goroutines; FSM locks it.
type State struct {
	opener KeyOpener
	opened map[seal.KeyID]seal.Key        // unwrapped keys, a cache; never in a snapshot
	record map[seal.KeyID]*seal.RecordKey // of opened keys, for the agreement's own origin
	owners map[seal.KeyID]owner           // whose key it is, derived from keys and dayKeys

	index      uint64 // of the last command applied
	clock      int64  // Unix milliseconds (rule 20); 0 before Found
	generation uint64 // 0 before Found
	sites      []string
	members    []decision.Member // by node
	shards     [Shards]Shard
	cursors    map[cursor]uint64 // last number decided

	meshKey   seal.KeyID // id of the mesh's key that wraps all below; zero before the first
	keys      map[string]Wrapped
	dayKeys   map[mesh.Day]Wrapped
	daysGone  mesh.Day             // newest day whose key was destroyed
	gone      map[string]int64     // destroyed customers -> clock; kept for good, an id is never used again
	goneKeys  map[seal.KeyID]int64 // destroyed keys -> clock; kept for good, so that `erased` is told from `behind`
	erasure   uint64               // index of the last command that destroyed a key
	documents map[string]parts     // roster by customer
	partCount int                  // documents of all customers, derived
	rosters   map[string]uint64    // index of each customer's newest document, derived (rule 15)
	changedAt uint64               // index of the newest document, derived

	open      map[string]*Open
	byShard   [Shards]map[string]*Open // the same, derived
	closed    map[string]*Closed
	windows   windows
	proposals map[decision.ProposalID]proposal
	confirmed map[mesh.Origin]uint64
	silent    [Shards]map[string]Silence // by panel: never empty of bits (rule 30)

	tail     Tail
	verdicts [][]decision.Verdict // of the last command, by shard, once they were accepted
}

// Tail is where the agreement's own origin stands after the last command.
type Tail struct {
	Origin mesh.Origin
	Number uint64    // of the last decision, 0: none
	Hash   mesh.Hash // running hash after it
	Day    mesh.Day  // of the last decision
}

// Shard is who holds one shard (rules 17, 25).
type Shard struct {
	Holder  mesh.Origin `json:"holder,omitzero"` // zero: nobody
	Epoch   uint64      `json:"epoch"`           // rises with every other holder
	SinceMs int64       `json:"since"`           // the epoch's clock: the later of the agreement's and its proposer's
}

// Wrapped is a key as the agreement keeps it.
type Wrapped struct {
	ID    seal.KeyID
	Bytes []byte // seal.MeshKey.Wrap
}

// maxParts bounds a customer's roster.
const maxParts = 10_000

// parts are a customer's roster documents by part.
type parts map[int]Document

// Document is one part of a customer's roster as it was put.
type Document struct {
	Revision uint64 // central's
	Index    uint64 // of the command that put it: the roster index (rule 15)
	Sealed   []byte
}

type cursor struct {
	Shard  byte
	Origin mesh.Origin
}

type owner struct {
	customer string
	day      mesh.Day // of a day's key, when customer is empty
}

type proposal struct {
	UntilMs int64 // agreement's clock
	Result  Result
}

// NewState is the state before Found.
func NewState(keys KeyOpener) *State {
	s := &State{
		opener:    keys,
		opened:    map[seal.KeyID]seal.Key{},
		record:    map[seal.KeyID]*seal.RecordKey{},
		owners:    map[seal.KeyID]owner{},
		cursors:   map[cursor]uint64{},
		keys:      map[string]Wrapped{},
		dayKeys:   map[mesh.Day]Wrapped{},
		gone:      map[string]int64{},
		goneKeys:  map[seal.KeyID]int64{},
		documents: map[string]parts{},
		rosters:   map[string]uint64{},
		open:      map[string]*Open{},
		closed:    map[string]*Closed{},
		windows:   newWindows(),
		proposals: map[decision.ProposalID]proposal{},
		confirmed: map[mesh.Origin]uint64{},
	}
	for i := range s.byShard {
		s.byShard[i] = map[string]*Open{}
	}
	return s
}

// ErrIndex means that a command came twice or out of order.
var ErrIndex = errors.New("command is not above the last one applied")

// Apply applies the command at index of the log and returns its result and the
// records that it adds to the agreement's origin. A refusal is a result. An
// error means that this node can't go on: a form above its version (rule 4), a
// damaged command, another mesh key than the others'. The state is of no use then.
func (s *State) Apply(index uint64, command []byte) (Result, []mesh.Record, error) {
	if index <= s.index {
		return Result{}, nil, fmt.Errorf("apply %d after %d: %w", index, s.index, ErrIndex)
	}
	c, err := decision.DecodeCommand(command)
	if err != nil {
		return Result{}, nil, fmt.Errorf("apply %d: %w", index, err)
	}
	s.index, s.verdicts = index, nil
	if p, ok := s.proposals[c.ID]; ok {
		return p.Result, nil, nil // rule 19
	}
	b := &batch{s: s}
	result, err := s.step(c, b)
	if err != nil {
		return Result{}, nil, fmt.Errorf("apply %d: %w", index, err)
	}
	result.Index = index
	if !c.ID.IsZero() && !result.is(ReasonStale) {
		s.proposals[c.ID] = proposal{max(s.clock, c.FirstMs) + ProposalMs, result}
	}
	return result, b.records, nil
}

func (s *State) step(c decision.Command, b *batch) (Result, error) {
	found, isFound := c.Body.(decision.Found)
	switch {
	case s.generation == 0 && !isFound:
		return refuse(ReasonNotFounded), nil
	case isFound:
		return s.found(found, c.FirstMs), nil
	}
	switch body := c.Body.(type) { // those that repeat harmlessly need no id and don't age
	case decision.Tick:
		return s.tick(body, b)
	case decision.Confirm:
		return s.confirm(body), nil
	}
	if c.ID.IsZero() {
		return refuse(ReasonBad), nil
	}
	if c.FirstMs+ProposalMs < s.clock {
		return refuse(ReasonStale), nil // its first result may be forgotten
	}
	switch body := c.Body.(type) {
	case decision.Assign:
		return s.assign(body, c.FirstMs), nil
	case decision.Decide:
		return s.decide(body, b)
	case decision.DecideShards:
		return s.decideShards(body, b)
	case decision.Claim:
		return s.claim(body, b)
	case decision.Settle:
		return s.settle(body, b)
	case decision.PutKeys:
		return s.putKeys(body)
	case decision.PutDayKey:
		return s.putDayKey(body)
	case decision.PutDocument:
		return s.putDocument(body), nil
	case decision.Destroy:
		return s.destroy(body, b)
	case decision.Admit:
		return s.admit(body), nil
	case decision.Supervise:
		return s.supervise(body, b)
	}
	return Result{}, fmt.Errorf("command %T: %w", c.Body, decision.ErrVersion)
}

// found makes the mesh; the clock begins at the proposer's.
func (s *State) found(f decision.Found, firstMs int64) Result {
	if s.generation != 0 {
		return refuse(ReasonFounded)
	}
	if f.Generation == 0 || len(f.Sites) == 0 || len(f.Members) == 0 || firstMs < 0 {
		return refuse(ReasonBad)
	}
	members := slices.Clone(f.Members)
	slices.SortFunc(members, byNode)
	for i, m := range members {
		if !s.validMember(m, f.Sites) || i > 0 && m.Node == members[i-1].Node {
			return refuse(ReasonBad)
		}
	}
	s.generation, s.sites, s.members, s.clock = f.Generation, slices.Clone(f.Sites), members, firstMs
	s.tail.Origin = mesh.Agreement(f.Generation)
	return Result{}
}

// tick moves the clock: never back, at most MaxTickMs (rule 20).
func (s *State) tick(t decision.Tick, b *batch) (Result, error) {
	to := min(t.Now, s.clock+MaxTickMs)
	if to <= s.clock {
		return Result{}, nil
	}
	from := s.clock
	s.clock = to
	if from/minute == to/minute {
		return Result{}, nil
	}
	return Result{}, s.expire(b)
}

// today is the agreement's day: that of its decisions.
func (s *State) today() mesh.Day { return mesh.Day(s.clock / (24 * hour)) }

func (s *State) confirm(c decision.Confirm) Result {
	for _, m := range c.Cursors {
		s.confirmed[m.Origin] = max(s.confirmed[m.Origin], m.Number)
	}
	return Result{}
}
