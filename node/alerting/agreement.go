package alerting

import (
	"context"
	"fmt"
	"time"

	"vedetta/node/agreement"
	"vedetta/node/identity"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Proposer puts commands before the agreement (node/proposal).
type Proposer interface {
	Propose(ctx context.Context, body decision.Body) (agreement.Result, error)
}

// Applied is Agreement over what this node has applied.
type Applied struct {
	*agreement.View
	Proposer Proposer
}

// Leads is Agreement.
func (a Applied) Leads() (out [identity.Shards]Lead) {
	for i, s := range a.Shards() {
		out[i] = Lead{decision.Fence{Shard: byte(i), Epoch: s.Epoch, Holder: s.Holder}, time.UnixMilli(s.SinceMs)}
	}
	return out
}

// Key is Agreement.
func (a Applied) Key(id seal.KeyID) (seal.Key, string, KeyState) {
	k, customer, state := a.View.Key(id)
	switch state {
	case agreement.KeyPresent:
		return k, customer, KeyPresent
	case agreement.KeyDestroyed:
		return k, customer, KeyDestroyed
	}
	return k, customer, KeyUnknown
}

// Steps is Agreement.
func (a Applied) Steps(shard byte, fn func(Step) bool) {
	for _, o := range a.Open(shard) {
		st := Step{Notification: o.Notification, Customer: o.Customer, Verdict: o.Verdict, Attempt: len(o.Attempts)}
		if held, n := o.Claim(); n != 0 {
			st.Holder, st.Ended = held.Holder, time.UnixMilli(held.ClockMs)
		}
		if !fn(st) {
			return
		}
	}
}

// Propose is Agreement.
func (a Applied) Propose(ctx context.Context, body decision.Body) (Result, error) {
	r, err := a.Proposer.Propose(ctx, body)
	if err != nil {
		return Result{}, err
	}
	out := answer(r.Refusal, r.Claims)
	if d, ok := body.(decision.DecideShards); ok {
		out.Shards = make([]Result, len(d.Decides))
		for _, s := range r.Shards {
			if s.At < 0 || s.At >= len(out.Shards) {
				return Result{}, fmt.Errorf("answer for decision %d of %d", s.At, len(out.Shards))
			}
			out.Shards[s.At] = answer(s.Refusal, s.Claims)
		}
	}
	for _, o := range r.Outcomes {
		out.Outcomes = append(out.Outcomes, Refusal(o.Reason))
	}
	return out, nil
}

func answer(r *agreement.Refusal, claims []agreement.Claimed) (out Result) {
	if r != nil {
		out = Result{Refused: Refusal(r.Reason), Entry: r.Entry, CopyOf: r.CopyOf}
	}
	for _, c := range claims {
		out.Claims = append(out.Claims, c.Attempt)
	}
	return out
}

// Stored is Journal over cluster/journal and cluster/replica.
type Stored struct {
	Files interface {
		Marks() map[mesh.Origin]uint64
		MarkAndHash(mesh.Origin) (uint64, mesh.Hash)
		Changed() <-chan struct{}
		Read(o mesh.Origin, from, upTo uint64, maxBytes int) ([]mesh.Record, error)
	}
	Quorum interface {
		Durable(mesh.Origin) uint64
		DurableChanged() <-chan struct{}
	}
}

// Origins is Journal.
func (s Stored) Origins() []mesh.Origin {
	marks := s.Files.Marks()
	out := make([]mesh.Origin, 0, len(marks))
	for o := range marks {
		out = append(out, o)
	}
	return out
}

// Mark is Journal.
func (s Stored) Mark(o mesh.Origin) uint64 { n, _ := s.Files.MarkAndHash(o); return n }

// MarkAndHash is the mark and the running hash there.
func (s Stored) MarkAndHash(o mesh.Origin) (uint64, mesh.Hash) { return s.Files.MarkAndHash(o) }

// Durable is Journal.
func (s Stored) Durable(o mesh.Origin) uint64 { return s.Quorum.Durable(o) }

// Changed is Journal.
func (s Stored) Changed() <-chan struct{} { return s.Files.Changed() }

// DurableChanged is Journal.
func (s Stored) DurableChanged() <-chan struct{} { return s.Quorum.DurableChanged() }

// Read is Journal.
func (s Stored) Read(o mesh.Origin, from, upTo uint64, maxBytes int) ([]mesh.Record, error) {
	return s.Files.Read(o, from, upTo, maxBytes)
}
