package sim

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"time"

	"vedetta/cluster/env"
	"vedetta/cluster/replica"
	"vedetta/node/agreement"
	"vedetta/node/alerting"
	"vedetta/node/attempt"
	"vedetta/wire/mesh"
)

type meshOrigin = mesh.Origin

// node is a place with a disk; at most one process runs at it.
type node struct {
	name string
	disk *disk
	lost []*disk
	proc *process
}

// process is one run of a node's program, from its start to its death.
type process struct {
	w       *World
	node    *node
	disk    *disk
	self    mesh.Origin
	dead    bool
	held    bool    // SIGSTOP
	backlog []event // what waits until it goes on

	journal   *journalOf
	fsm       *agreement.FSM
	ticked    time.Time
	assigning bool // an Assign is under way
	admitting bool // an Admit is

	// replication
	quorum   *replica.Quorum
	members  []replica.Member
	disks    map[*node]string // as peers said last
	reorder  map[mesh.Origin]*replica.Reorder
	under    map[mesh.Origin]int // submissions under way
	marks    map[*node]map[mesh.Origin]uint64
	pulling  map[mesh.Origin]bool
	waiting  map[mesh.Position]func() // acknowledgements
	released uint64                   // own number up to which they were given

	// alerting
	copies    *alerting.Copies
	fed       uint64 // decisions taken into copies
	shards    [agreement.Shards]shard
	abandoned map[string]bool
	orphans   map[string]time.Time
	asking    int // claims and withdrawals whose answer is waited for

	// sending
	ledger    *attempt.Ledger
	slots     map[string]int
	resolving map[attempt.Key]bool
}

func (p *process) String() string { return p.self.String() }

// start is recovery: a new incarnation, the last snapshot, the marks on disk.
func (n *node) start(w *World) {
	if n.disk.incarnations == 0 || w.plant != PlantSameIncarnation {
		n.disk.incarnations, n.disk.random = n.disk.incarnations+1, w.rng.Uint64()|1
	}
	p := &process{
		w: w, node: n, disk: n.disk,
		self:   mesh.Origin{Node: n.name, Incarnation: n.disk.incarnations, Random: n.disk.random},
		quorum: replica.NewQuorum(), reorder: map[mesh.Origin]*replica.Reorder{}, under: map[mesh.Origin]int{},
		marks: map[*node]map[mesh.Origin]uint64{}, pulling: map[mesh.Origin]bool{}, waiting: map[mesh.Position]func(){},
		disks: map[*node]string{}, copies: alerting.NewCopies(), abandoned: map[string]bool{}, orphans: map[string]time.Time{},
		ledger: attempt.NewLedger(), slots: map[string]int{"email": 3, "webhook": 3}, resolving: map[attempt.Key]bool{},
	}
	p.journal = &journalOf{p: p, own: p.self, parked: map[mesh.Origin]map[uint64]mesh.Record{}}
	fsm, err := agreement.NewFSM(agreement.Config{}, w.meshKey, p.journal, env.Quiet(1))
	if err != nil {
		panic(fmt.Sprintf("sim: %v", err))
	}
	p.fsm = fsm
	if n.disk.snapshot != nil {
		if err := fsm.Restore(io.NopCloser(bytes.NewReader(n.disk.snapshot))); err != nil {
			w.broken("%s can't restore its snapshot: %v", p, err)
		}
	}
	n.proc = p
	w.note("start %s\n", p)
	for _, o := range sortedOrigins(n.disk.records) {
		mark, _ := n.disk.mark(o)
		p.quorum.Note(n.name, n.disk.id, o, mark)
	}
	p.configure()
	w.log.beat(p)
	p.tables()
	p.renew()
	p.decideLoop()
	p.dueLoop()
}

// configure has the quorum count the disks that are committed to count.
func (p *process) configure() {
	v := p.fsm.View()
	var members []replica.Member
	for _, m := range v.Members() {
		members = append(members, replica.Member{Node: m.Node, Disk: m.Disk, Site: m.Site})
	}
	if !slices.Equal(members, p.members) {
		p.members = members
		p.counted(p.quorum.Configure(v.Sites(), members), false)
	}
}

// kill ends the process; what was not flushed is gone.
func (n *node) kill() {
	if p := n.proc; p != nil {
		p.dead, n.proc, p.backlog = true, nil, nil
		p.w.note("kill %s\n", p)
		if len(p.journal.queue) > 0 || p.journal.running {
			p.w.rare["killed with records not flushed"]++
		}
	}
}

// hold stops the process where it stands, and lets it go on later.
func (p *process) hold(d time.Duration) {
	if p.dead || p.held {
		return
	}
	p.held = true
	p.w.note("hold %s\n", p)
	p.w.after(d, nil, func() {
		if p.dead {
			return
		}
		p.held = false
		backlog := p.backlog
		p.backlog = nil
		for _, e := range backlog {
			p.w.after(0, p, e.fn)
		}
	})
}

// snapshot keeps the state once all its decisions are flushed (rule 16).
func (p *process) snapshot() {
	t := p.fsm.View().Tail()
	if n, _ := p.disk.mark(t.Origin); t.Number > 0 && n < t.Number {
		return
	}
	s, err := p.fsm.Snapshot()
	if err != nil {
		p.w.broken("%s: snapshot: %v", p, err)
		return
	}
	var b sink
	if err := s.Persist(&b); err != nil {
		p.w.broken("%s: snapshot: %v", p, err)
		return
	}
	p.disk.snapshot, p.disk.index = b.Bytes(), p.fsm.View().Index()
}

type sink struct{ bytes.Buffer }

func (*sink) ID() string    { return "" }
func (*sink) Cancel() error { return nil }
func (*sink) Close() error  { return nil }

func sortedOrigins[T any](m map[mesh.Origin]T) []mesh.Origin {
	out := make([]mesh.Origin, 0, len(m))
	for o := range m {
		out = append(out, o)
	}
	slices.SortFunc(out, mesh.Origin.Compare)
	return out
}
