package keys_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/keys"
	"vedetta/cluster/env"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

func TestRing(t *testing.T) {
	m, ctx := centraltest.New(), t.Context()
	r := keys.New(m, env.Quiet(1))
	m.SetDown(true)
	if err := r.Refresh(ctx); !errors.Is(err, keys.ErrMissing) || r.Ready() {
		t.Fatalf("with the mesh down: %v, ready %v", err, r.Ready())
	}
	if _, err := r.ByID(seal.KeyID{1}); !errors.Is(err, keys.ErrMissing) {
		t.Errorf("key before any refresh: %v, want ErrMissing", err)
	}
	m.SetDown(false)
	m.DayKey(20000)
	if err := r.Refresh(ctx); err != nil {
		t.Fatal(err)
	}
	changed := r.Changed()
	own, err := r.Customer(ctx, keys.Central)
	if err != nil || !r.Ready() || own != m.Key(keys.Central) {
		t.Fatalf("own key: %v, ready %v", err, r.Ready())
	}
	select {
	case <-changed:
	default:
		t.Error("a new key was not told")
	}
	demo, err := r.Customer(ctx, "demo")
	if err != nil {
		t.Fatal(err)
	}
	if o, err := r.ByID(demo.ID); err != nil || o.Customer != "demo" {
		t.Errorf("by id: %+v %v", o, err)
	}
	if o, err := r.ByID(m.DayKey(20000).ID); err != nil || o.Customer != "" || o.Day != 20000 {
		t.Errorf("day key: %+v %v", o, err)
	}
	r.Destroyed("demo", 0)
	if _, err := r.ByID(demo.ID); !errors.Is(err, keys.ErrUnknown) {
		t.Errorf("destroyed key: %v, want ErrUnknown", err)
	}
	r.Destroyed("", 20000)
	if _, err := r.ByID(m.DayKey(20000).ID); !errors.Is(err, keys.ErrUnknown) || !r.Ready() {
		t.Errorf("destroyed day key: %v, want ErrUnknown; ready %v", err, r.Ready())
	}
}

// One answer of a node that lags takes no key away; what every refresh lacks
// for 30 s is forgotten.
func TestRefreshFromLaggingNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ctx := centraltest.New(), t.Context()
		r := keys.New(m, env.Quiet(1))
		k, err := r.Customer(ctx, "demo")
		if err != nil {
			t.Fatal(err)
		}
		step := func(wait time.Duration, listed, want bool) {
			t.Helper()
			time.Sleep(wait)
			if m.Forget("demo"); listed {
				m.Learn("demo", k)
			}
			if err := r.Refresh(ctx); err != nil {
				t.Fatal(err)
			}
			_, byID := r.ByID(k.ID)
			_, of := r.Of("demo")
			if (byID == nil) != want || (of == nil) != want {
				t.Fatalf("key by id: %v, by customer: %v; want it here: %v", byID, of, want)
			}
		}
		step(0, false, true)
		step(29*time.Second, false, true)
		step(time.Second/2, true, true) // listed again: counted anew
		step(time.Minute, false, true)
		step(30*time.Second, false, false)
	})
}

func TestOpenRecord(t *testing.T) {
	m := centraltest.New()
	r := keys.New(m, env.Quiet(1))
	rec := m.Message(mesh.Origin{Node: "arezzo", Incarnation: 1, Random: 7}, entry.Message{Received: time.Now(), Account: "1234"})
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	plain, owner, err := r.OpenRecord(rec)
	if err != nil || owner.Customer != "" {
		t.Fatal(owner.Customer, err)
	}
	if msg, err := entry.Unmarshal(plain); err != nil || msg.Account != "1234" {
		t.Fatal(msg, err)
	}
}
