// Package proposal puts a command before the agreement from any node: to Raft
// when this node leads it, else through a call to the node that does. A
// proposal keeps its id over all repetitions, so that it is applied once
// however often an answer was lost (rule 19).
//
// What is true after Propose returned a result: the command is applied at this
// node too. After an error it is unknown whether it ever will be, but for
// consensus.ErrTooLarge: it never will.
package proposal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"vedetta/cluster/consensus"
	"vedetta/node/agreement"
	"vedetta/wire/decision"
)

// Method is the call that a leader answers.
const Method = "agreement.propose"

// again is how long to wait before a proposal is repeated.
const again = 50 * time.Millisecond

// Raft is the log of commands.
type Raft interface {
	// Propose returns the result that the state machine gave. ErrNotLeader is
	// among its errors when another node leads.
	Propose(ctx context.Context, command []byte) (agreement.Result, error)
	// Leader names the node that leads, empty when none is known.
	Leader() (name string, self bool)
}

// Caller calls another node.
type Caller interface {
	Call(ctx context.Context, peer, method string, req []byte) ([]byte, error)
}

// Applied is what this node has applied: agreement.View.
type Applied interface {
	// WaitIndex waits until this node has applied the log up to index.
	WaitIndex(ctx context.Context, index uint64) error
	// Result is what a proposal gave; false: not known here.
	Result(id decision.ProposalID) (agreement.Result, bool)
	// Clock is the agreement's, zero before Found.
	Clock() time.Time
}

// Proposer proposes for this node.
type Proposer struct {
	raft    Raft
	caller  Caller
	applied Applied
}

// New makes a proposer; it starts nothing.
func New(r Raft, c Caller, a Applied) *Proposer {
	return &Proposer{raft: r, caller: c, applied: a}
}

// NewID draws the id of a proposal.
func NewID() decision.ProposalID {
	var id decision.ProposalID
	rand.Read(id[:])
	return id
}

// Propose repeats the command under one id until it has a result or ctx ends.
func (p *Proposer) Propose(ctx context.Context, body decision.Body) (agreement.Result, error) {
	return p.ProposeAs(ctx, NewID(), p.Now(), body)
}

// Now is the time of a first try: not before the agreement's clock, which judges
// a proposal's age. A node whose clock is behind could propose nothing else.
func (p *Proposer) Now() time.Time {
	now := time.Now()
	if clock := p.applied.Clock(); clock.After(now) {
		return clock
	}
	return now
}

// ProposeAs is Propose under an id drawn before, first tried at first, which is
// what Now was then: for who must go on with the same proposal later (rule 19).
// It is never made younger: what it gave may be forgotten.
func (p *Proposer) ProposeAs(ctx context.Context, id decision.ProposalID, first time.Time, body decision.Body) (agreement.Result, error) {
	command, err := decision.EncodeCommand(id, first.UnixMilli(), body)
	if err != nil {
		return agreement.Result{}, err
	}
	if err := fits(command); err != nil {
		return agreement.Result{}, fmt.Errorf("proposal %s: %w", id, err)
	}
	for {
		res, err := p.once(ctx, command)
		if err == nil {
			return res, p.applied.WaitIndex(ctx, res.Index)
		}
		if errors.Is(err, consensus.ErrTooLarge) {
			return agreement.Result{}, fmt.Errorf("proposal %s: %w", id, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
		// The answer may be lost while this node has applied the command itself.
		if res, ok := p.applied.Result(id); ok {
			return res, nil
		}
		if ctx.Err() != nil {
			return agreement.Result{}, fmt.Errorf("proposal %s: %w; last try: %w", id, ctx.Err(), err)
		}
	}
}

// fits refuses what the log never takes.
func fits(command []byte) error {
	if len(command) > consensus.MaxCommand {
		return fmt.Errorf("%d bytes, want at most %d: %w", len(command), consensus.MaxCommand, consensus.ErrTooLarge)
	}
	return nil
}

func (p *Proposer) once(ctx context.Context, command []byte) (agreement.Result, error) {
	name, self := p.raft.Leader()
	switch {
	case self:
		return p.raft.Propose(ctx, command)
	case name == "":
		return agreement.Result{}, errors.New("the agreement has no leader now")
	}
	// The leader may have died a moment ago; a short bound lets the next one be asked.
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	b, err := p.caller.Call(ctx, name, Method, command)
	if err != nil {
		return agreement.Result{}, err
	}
	return agreement.ParseResult(b)
}

// Answer is the leader's side of Method. A command that can't be read is
// refused here: once in the log it would stop every node (rule 4).
func (p *Proposer) Answer(ctx context.Context, command []byte) ([]byte, error) {
	if err := fits(command); err != nil {
		return nil, err
	}
	if _, err := decision.DecodeCommand(command); err != nil {
		return nil, err
	}
	res, err := p.raft.Propose(ctx, command)
	if err != nil {
		return nil, err
	}
	return res.Marshal(), nil
}
