package uplink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"vedetta/node/agreement"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

func call(t *testing.T, fn func(context.Context, []byte) ([]byte, error), req string, into any) {
	t.Helper()
	b, err := fn(t.Context(), []byte(req))
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", req, err)
	}
}

func TestOpenMakesKeysOnce(t *testing.T) {
	u, l, _ := newUplink(t)
	var first, second, other key
	call(t, u.Open, `{"customer":"c1"}`, &first)
	proposed := len(l.bodies)
	call(t, u.Open, `{"customer":"c1"}`, &second)
	call(t, u.Open, `{"customer":"c2"}`, &other)
	if len(first.ID) != 8 || len(first.Data) != 32 || len(first.Identity) != 32 || first.Customer != "c1" {
		t.Fatalf("keys %+v", first)
	}
	if !bytes.Equal(first.ID, second.ID) || !bytes.Equal(first.Data, second.Data) || !bytes.Equal(first.Identity, second.Identity) {
		t.Errorf("a second open gave other keys")
	}
	if bytes.Equal(first.Data, other.Data) || len(l.bodies) != proposed+1 {
		t.Errorf("%d proposals after the first customer's, want one for the other customer and other keys", len(l.bodies)-proposed)
	}
	p := l.bodies[proposed-1].(decision.PutKeys)
	if bytes.Contains(p.Wrapped, first.Data) || bytes.Contains(p.Wrapped, first.Identity) {
		t.Error("the key went to the agreement unwrapped")
	}
	if k, err := meshKey.Unwrap(seal.KeyID(first.ID), "c1", p.Wrapped); err != nil || !bytes.Equal(k.Data[:], first.Data) {
		t.Errorf("what was committed is not what was given: %v", err)
	}
}

// Two centrals, or one that asks again, get what stands, not what they made.
func TestOpenGivesTheKeyThatStands(t *testing.T) {
	u, l, _ := newUplink(t)
	k := seal.NewKey()
	w, err := meshKey.Wrap(k, "c1")
	if err != nil {
		t.Fatal(err)
	}
	u.proposer = race{l, func() { // another one's keys are committed first
		if _, err := l.Propose(t.Context(), decision.PutKeys{Customer: "c1", KeyID: k.ID[:], Wrapped: w}); err != nil {
			t.Error(err)
		}
	}}
	var got key
	call(t, u.Open, `{"customer":"c1"}`, &got)
	if !bytes.Equal(got.Data, k.Data[:]) {
		t.Error("the keys given are not those that stand")
	}
}

type race struct {
	*lone
	first func()
}

func (r race) Propose(ctx context.Context, b decision.Body) (agreement.Result, error) {
	r.first()
	return r.lone.Propose(ctx, b)
}

func TestOpenWaitsUntilTheKeyIsAppliedHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, l, _ := newUplink(t)
		l.hold = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := u.Open(ctx, []byte(`{"customer":"c1"}`)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v, want that the wait was cut", err)
		}
		done := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := u.Open(ctx, []byte(`{"customer":"c2"}`))
			done <- err
		}()
		synctest.Wait()
		for _, log := range l.held {
			l.fsm.Apply(log)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestKeysAreTheStandingOnes(t *testing.T) {
	u, l, _ := newUplink(t)
	var a, b key
	call(t, u.Open, `{"customer":"c1"}`, &a)
	call(t, u.Open, `{"customer":"c2"}`, &b)
	today := mesh.DayOf(time.Now())
	for _, day := range []mesh.Day{today, today + 1} {
		k := seal.NewKey()
		w, err := meshKey.Wrap(k, agreement.DayOwner(day))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := l.Propose(t.Context(), decision.PutDayKey{Day: day, KeyID: k.ID[:], Wrapped: w}); err != nil || r.Refusal != nil {
			t.Fatal(r.Refusal, err)
		}
	}
	if r, err := l.Propose(t.Context(), decision.Destroy{Customer: "c1"}); err != nil || r.Refusal != nil {
		t.Fatal(r.Refusal, err)
	}
	var out struct {
		Keys    []key `json:"keys"`
		DayKeys []key `json:"day_keys"`
	}
	call(t, u.Keys, `{}`, &out)
	if len(out.Keys) != 1 || out.Keys[0].Customer != "c2" || !bytes.Equal(out.Keys[0].Data, b.Data) {
		t.Errorf("keys %+v, want those of c2 alone: c1's are destroyed", out.Keys)
	}
	if len(out.DayKeys) != 2 || out.DayKeys[0].Day == out.DayKeys[1].Day {
		t.Errorf("day keys %+v, want two", out.DayKeys)
	}
	if _, err := u.Open(t.Context(), []byte(`{"customer":"c1"}`)); err == nil {
		t.Error("keys were made anew for an erased customer")
	}
}

func TestPutAndStatus(t *testing.T) {
	u, l, _ := newUplink(t)
	var k key
	call(t, u.Open, `{"customer":"c1"}`, &k)
	var put struct{ Index uint64 }
	call(t, u.Put, `{"customer":"c1","revision":3,"sealed":"c2VhbGVk"}`, &put)
	if put.Index != l.index {
		t.Errorf("index %d, want %d", put.Index, l.index)
	}
	first := put.Index
	call(t, u.Put, `{"customer":"c1","revision":3,"sealed":"c2VhbGVk"}`, &put) // the answer was lost
	if put.Index != first {
		t.Errorf("put twice has index %d, want that of the first, %d", put.Index, first)
	}
	var part struct{ Index uint64 }
	call(t, u.Put, `{"customer":"c1","part":2,"revision":4,"sealed":"c2VhbGVk"}`, &part)
	for _, bad := range []string{`{"customer":"c1","revision":2,"sealed":"c2VhbGVk"}`, `{"customer":"c1","part":-1,"revision":2,"sealed":"c2VhbGVk"}`, `{"customer":"nobody","revision":1,"sealed":"c2VhbGVk"}`, `{"revision":1}`, `[`} {
		if b, err := u.Put(t.Context(), []byte(bad)); err == nil {
			t.Errorf("%s answered %s, want a refusal", bad, b)
		}
	}
	var st struct {
		Documents map[string]struct {
			Revision, Index uint64
			Parts           map[int]uint64
		}
		Leader string
	}
	call(t, u.Status, `{}`, &st)
	if d := st.Documents["c1"]; len(st.Documents) != 1 || d.Revision != 3 || d.Index != put.Index || len(d.Parts) != 1 || d.Parts[2] != 4 || st.Leader != "roubaix" {
		t.Errorf("status %+v, want c1 at revision 3, index %d, leader roubaix", st, put.Index)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	u, l, _ := newUplink(t)
	n := len(l.bodies)
	for _, bad := range []string{``, `{}`, `{"customer":""}`, `{"customer":7}`} {
		if b, err := u.Open(t.Context(), []byte(bad)); err == nil {
			t.Errorf("open %q answered %s", bad, b)
		}
	}
	if len(l.bodies) != n {
		t.Errorf("%d proposals of bad requests", len(l.bodies)-n)
	}
}
