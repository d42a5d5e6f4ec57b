package proposal

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"vedetta/cluster/consensus"
	"vedetta/node/agreement"
	"vedetta/wire/decision"
)

// mesh is Raft at one node, the way to the leader, and what is applied here.
type mesh struct {
	leader    string
	self      bool
	fail      int // tries that lose their answer
	forwarded int
	seen      []decision.ProposalID
	applied   []uint64
	first     time.Time // first try, as the log has it
	clock     time.Time // the agreement's
	mute      bool      // commands are applied here, no answer ever comes
	known     map[decision.ProposalID]agreement.Result
}

func (m *mesh) Leader() (string, bool) { return m.leader, m.self }

func (m *mesh) Propose(_ context.Context, command []byte) (agreement.Result, error) {
	c, err := decision.DecodeCommand(command)
	if err != nil {
		return agreement.Result{}, err
	}
	m.seen = append(m.seen, c.ID)
	m.first = time.UnixMilli(c.FirstMs)
	if m.mute {
		m.known = map[decision.ProposalID]agreement.Result{c.ID: {Index: 7}}
		return agreement.Result{}, errors.New("the answer was lost")
	}
	if m.fail > 0 {
		m.fail--
		return agreement.Result{}, errors.New("leadership lost, result unknown")
	}
	return agreement.Result{Index: 7}, nil
}

func (m *mesh) Call(ctx context.Context, peer, method string, req []byte) ([]byte, error) {
	if peer != "roubaix" || method != Method {
		return nil, errors.New("nobody there")
	}
	m.forwarded++
	return New(m, nil, m).Answer(ctx, req)
}

func (m *mesh) WaitIndex(_ context.Context, index uint64) error {
	m.applied = append(m.applied, index)
	return nil
}

func (m *mesh) Clock() time.Time { return m.clock }

func (m *mesh) Result(id decision.ProposalID) (agreement.Result, bool) {
	res, ok := m.known[id]
	return res, ok
}

// TestRule19_AnAnswerLostIsFoundHere: what this node has applied itself needs no
// answer, neither before a repetition nor when the time is over.
func TestRule19_AnAnswerLostIsFoundHere(t *testing.T) {
	for name, patience := range map[string]time.Duration{"before a repetition": time.Minute, "before giving up": again / 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				m := &mesh{leader: "roubaix", mute: true}
				res, err := New(m, m, m).Propose(ctx, decision.Tick{Now: 1})
				if err != nil || res.Index != 7 || len(m.seen) != 1 {
					t.Errorf("result %+v, %v after %d tries; want index 7 after one", res, err, len(m.seen))
				}
			})
		})
	}
}

// TestRule19_AgeCountsFromTheFirstTry, by the agreement's clock where this
// node's is behind it; a proposal that goes on later is never made younger.
func TestRule19_AgeCountsFromTheFirstTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().Truncate(time.Millisecond)
		for _, c := range []struct{ clock, want time.Time }{
			{time.Time{}, now}, {now.Add(-time.Hour), now}, {now.Add(time.Hour), now.Add(time.Hour)},
		} {
			m := &mesh{self: true, clock: c.clock}
			if _, err := New(m, m, m).Propose(t.Context(), decision.Tick{Now: 1}); err != nil || !m.first.Equal(c.want) {
				t.Errorf("clock %v: first try %v, %v; want %v", c.clock, m.first, err, c.want)
			}
			then := now.Add(-time.Hour)
			if _, err := New(m, m, m).ProposeAs(t.Context(), NewID(), then, decision.Tick{Now: 1}); err != nil || !m.first.Equal(then) {
				t.Errorf("clock %v: first try %v, %v; want %v as drawn", c.clock, m.first, err, then)
			}
		}
	})
}

func TestProposalTooLargeIsNotRepeated(t *testing.T) {
	large := decision.PutDocument{Customer: "c1", Revision: 1, Sealed: make([]byte, consensus.MaxCommand)}
	m := &mesh{leader: "roubaix", self: true}
	if _, err := New(m, m, m).Propose(t.Context(), large); !errors.Is(err, consensus.ErrTooLarge) || len(m.seen) != 0 {
		t.Errorf("error %v after %d tries, want ErrTooLarge and none", err, len(m.seen))
	}
	command, err := decision.EncodeCommand(NewID(), 1, large)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(m, m, m).Answer(t.Context(), command); !errors.Is(err, consensus.ErrTooLarge) || len(m.seen) != 0 {
		t.Errorf("the leader's error %v after %d tries, want ErrTooLarge and none", err, len(m.seen))
	}
}

// TestRule19_RepetitionKeepsItsId: whatever was lost on the way, at this node or
// at the leader, the repetition carries the same id.
func TestRule19_RepetitionKeepsItsId(t *testing.T) {
	for _, self := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			m := &mesh{leader: "roubaix", self: self, fail: 3}
			res, err := New(m, m, m).Propose(t.Context(), decision.Tick{Now: 1})
			if err != nil || res.Index != 7 {
				t.Fatalf("result %+v, %v", res, err)
			}
			if len(m.seen) != 4 || len(m.applied) != 1 || m.applied[0] != 7 {
				t.Fatalf("tries %d, waited for %v; want 4 tries and the wait for index 7", len(m.seen), m.applied)
			}
			for _, id := range m.seen {
				if id != m.seen[0] || id.IsZero() {
					t.Errorf("ids %v, want one", m.seen)
				}
			}
			if !self && m.forwarded != 4 {
				t.Errorf("%d calls to the leader, want 4", m.forwarded)
			}
		})
	}
}

func TestNoLeaderEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := New(&mesh{}, &mesh{}, &mesh{}).Propose(ctx, decision.Tick{Now: 1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}

func TestRule04_UnreadableCommandNeverReachesTheLog(t *testing.T) {
	m := &mesh{leader: "roubaix", self: true}
	if _, err := New(m, m, m).Answer(t.Context(), []byte{99, 1, 2}); err == nil || len(m.seen) != 0 {
		t.Errorf("error %v, %d proposals; want it refused before the log", err, len(m.seen))
	}
}
