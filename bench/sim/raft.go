package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"vedetta/cluster/consensus"
	"vedetta/cluster/replica"
	"vedetta/node/agreement"
	"vedetta/node/leadership"
	"vedetta/node/membership"
	"vedetta/wire/decision"
)

// log is Raft as its users see it: commands commit one after the other through
// a leader that has a majority; whether one commits whose leader was lost is
// anybody's guess; every process learns of commits when it is connected.
type log struct {
	w        *World
	commands [][]byte // commands[i] has index i+1
	leader   *process
	elected  time.Time
	assigner *leadership.Assigner
	members  map[string]string  // node -> disk that counts, as committed
	servers  []consensus.Server // of Raft
}

// counts tells whether a node's present disk is a member and has its vote. A
// disk that was made a member a moment ago and has no vote yet counts for
// nothing here: that is less than Raft and the replicas would grant it.
func (l *log) counts(n *node) bool {
	return l.members[n.name] == n.disk.id && slices.Contains(l.servers, consensus.Server{Node: n.name, Disk: n.disk.id, Voter: true})
}

// heartbeat is how often leaders speak, and how soon one is missed.
const (
	heartbeat = 200 * time.Millisecond
	missed    = 500 * time.Millisecond
)

// watch elects a leader when there is none that has a majority.
func (l *log) watch() {
	if p := l.leader; p == nil || p.dead || p.held || !l.w.net.reaches(p) {
		l.leader = nil
		var able []*process
		for _, n := range l.w.nodes {
			if n.proc != nil && !n.proc.held && l.w.net.reaches(n.proc) {
				able = append(able, n.proc)
			}
		}
		if len(able) > 0 {
			p := able[l.w.rng.IntN(len(able))]
			l.leader, l.elected = p, l.w.now
			l.assigner = leadership.NewAssigner(l.w.now)
			l.w.rare["leader elected"]++
			l.w.note("leader %s\n", p)
			p.learn(uint64(len(l.commands)))
		}
	}
	l.w.after(l.w.between(missed, 2*missed), nil, l.watch)
}

// beat has the leader tell what is committed, keep the clock and assign shards.
func (l *log) beat(p *process) {
	if l.leader == p {
		l.tell(p)
		v := p.fsm.View()
		if v.Generation() != 0 && !l.w.resting && l.w.now.Sub(p.ticked) >= time.Second {
			p.ticked = l.w.now
			p.propose(decision.Tick{Now: l.w.now.UnixMilli()}, func(agreement.Result, error) {})
		}
		l.assign(p, v)
		l.replace(p, v)
	}
	l.w.after(heartbeat, p, func() { l.beat(p) })
}

func (l *log) tell(p *process) {
	n := uint64(len(l.commands))
	p.learn(n)
	for _, to := range l.w.nodes {
		if to != p.node && to.proc != nil {
			to := to.proc
			l.w.net.send(p, to.node, func() { to.learn(n) })
		}
	}
}

func (l *log) assign(p *process, v *agreement.View) {
	if v.Generation() == 0 || p.assigning || v.Index() < uint64(len(l.commands)) {
		return
	}
	shards := v.Shards()
	holders := make([]meshOrigin, len(shards))
	for i, s := range shards {
		holders[i] = s.Holder
	}
	moves := l.assigner.Assign(l.w.now, l.w.names, holders)
	if len(moves) == 0 {
		return
	}
	p.assigning = true
	p.propose(decision.Assign{Shards: moves}, func(agreement.Result, error) { p.assigning = false })
}

// replace takes the next step of giving an emptied node its place again (rule 28).
func (l *log) replace(p *process, v *agreement.View) {
	if v.Generation() == 0 || p.admitting {
		return
	}
	f := membership.Facts{Members: v.Members(), Servers: l.servers}
	for _, n := range l.w.nodes {
		if n == p.node || l.w.net.connected(p, n) == nil || p.disks[n] == "" {
			continue
		}
		peer := replica.PeerStatus{Name: n.name, Site: n.name, Disk: p.disks[n], Connected: true, Counted: p.quorum.Counted(n.name, p.disks[n])}
		for _, o := range sortedOrigins(union(p.disk.records, n.disk.records)) {
			switch ours, theirs := uint64(len(p.disk.records[o])), p.marks[n][o]; {
			case ours > theirs:
				peer.Behind += ours - theirs
			case theirs > ours:
				peer.Ahead += theirs - ours
			}
		}
		f.Peers = append(f.Peers, peer)
	}
	switch a := membership.Next(f); {
	case a.Add != "":
		node, disk, _ := strings.Cut(a.Add, "/")
		l.servers = append(slices.Clone(l.servers), consensus.Server{Node: node, Disk: disk})
	case a.Admit != nil:
		p.admitting = true
		p.propose(decision.Admit{Member: *a.Admit}, func(agreement.Result, error) { p.admitting = false })
	case a.Replace[1] != "":
		var servers []consensus.Server
		for _, s := range l.servers {
			if s.ID() != a.Replace[0] {
				s.Voter = s.Voter || s.ID() == a.Replace[1]
				servers = append(servers, s)
			}
		}
		l.servers = servers
	}
}

// proposal is one command on its way, under one id over all repetitions.
type proposal struct {
	command []byte
	body    decision.Body
	id      decision.ProposalID
	until   time.Time
	ended   bool
	done    func(agreement.Result, error)
}

// errUnknownEnd says that a proposal may still be applied.
var errUnknownEnd = fmt.Errorf("no answer in time: it may still be applied")

// propose repeats a command until it is applied here or patience ends.
func (p *process) propose(body decision.Body, done func(agreement.Result, error)) {
	var id decision.ProposalID
	binary.BigEndian.PutUint64(id[:], p.w.rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], p.w.rng.Uint64())
	first := p.w.now
	if clock := p.fsm.View().Clock(); clock.After(first) {
		first = clock
	}
	command, err := decision.EncodeCommand(id, first.UnixMilli(), body)
	if err != nil {
		panic(fmt.Sprintf("sim: %v", err)) // a fault of the simulation
	}
	if _, tick := body.(decision.Tick); tick { // repeats harmlessly: it has no id, and nobody waits
		p.w.log.offer(p, p, &proposal{command: command, body: body})
		return
	}
	p.try(&proposal{command: command, body: body, id: id, until: p.w.now.Add(8 * time.Second), done: done})
}

func (p *process) try(q *proposal) {
	if q.ended {
		return
	}
	if r, ok := p.fsm.View().Result(q.id); ok {
		q.ended = true
		q.done(r, nil)
		return
	}
	if !p.w.now.Before(q.until) {
		q.ended = true
		p.w.rare["proposal of unknown end"]++
		q.done(agreement.Result{}, errUnknownEnd)
		return
	}
	if l := p.w.log.leader; l == p {
		p.w.log.offer(p, p, q)
	} else if l != nil {
		p.w.net.send(p, l.node, func() { p.w.log.offer(l, p, q) })
	}
	p.w.after(p.w.between(50*time.Millisecond, time.Second), p, func() { p.try(q) })
}

// offer is a command at a process that leads, or thought it did.
func (l *log) offer(at, from *process, q *proposal) {
	l.w.after(l.w.between(time.Millisecond, 8*time.Millisecond), nil, func() {
		led := l.leader == at && !at.dead && !at.held && l.w.net.reaches(at)
		if !led && (len(l.commands) == 0 || !l.w.chance(4)) {
			return // never replicated to a majority
		}
		if !led {
			l.w.rare["command of a lost leader committed"]++
		}
		l.commands = append(l.commands, q.command)
		switch b := q.body.(type) {
		case decision.DecideShards:
			for _, d := range b.Decides {
				l.w.decided(d)
			}
		case decision.Admit:
			l.members[b.Member.Node] = b.Member.Disk
			l.w.rare["emptied disk admitted"]++
		}
		if led {
			l.w.after(0, at, func() { l.tell(at) })
		}
		if from != nil && q.done != nil { // wakes the proposer as soon as it has applied it
			l.w.after(l.w.between(time.Millisecond, 10*time.Millisecond), from, func() { from.look(q) })
		}
	})
}

// look ends a proposal whose result is applied here.
func (p *process) look(q *proposal) {
	if r, ok := p.fsm.View().Result(q.id); ok && !q.ended {
		q.ended = true
		q.done(r, nil)
	}
}

// learn applies what is committed up to an index.
func (p *process) learn(n uint64) {
	p.install(n)
	for i := p.fsm.View().Index(); i < n; i = p.fsm.View().Index() {
		out := p.fsm.Apply(&raft.Log{Index: i + 1, Type: raft.LogCommand, Data: p.w.log.commands[i]})
		if err, bad := out.(error); bad {
			p.w.broken("%s can't apply command %d: %v", p, i+1, err)
			return
		}
	}
	p.configure()
	if p.fsm.View().Index() >= p.disk.index+40 {
		p.snapshot()
	}
}

// install takes the leader's snapshot when the log it lacks is no longer there.
// Decisions before it come by catch-up only (rule 16).
func (p *process) install(n uint64) {
	l := p.w.log.leader
	if l == nil || l == p || n < p.fsm.View().Index()+50 || l.disk.index <= p.fsm.View().Index() {
		return
	}
	p.w.rare["snapshot installed"]++
	if err := p.fsm.Restore(io.NopCloser(bytes.NewReader(l.disk.snapshot))); err != nil {
		p.w.broken("%s can't install the snapshot of %s: %v", p, l, err)
	}
	p.configure()
}
