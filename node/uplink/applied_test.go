package uplink

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestRule15_AppliedWaitsForThisNodesRoster: what central calls in force holds
// at a node that is behind only once it has followed.
func TestRule15_AppliedWaitsForThisNodesRoster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _, _ := newUplink(t)
		var index atomic.Uint64
		index.Store(6)
		u.applied = index.Load
		began := time.Now()
		go func() {
			time.Sleep(300 * time.Millisecond)
			index.Store(9)
		}()
		if _, err := u.Applied(t.Context(), []byte(`{"index":8}`)); err != nil || time.Since(began) < 300*time.Millisecond {
			t.Errorf("answered after %s, %v; want it once the roster has index 8", time.Since(began), err)
		}
		if _, err := u.Applied(t.Context(), []byte(`{"index":9}`)); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := u.Applied(ctx, []byte(`{"index":10}`)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the end of the time", err)
		}
		if _, err := u.Applied(ctx, []byte(`[`)); err == nil {
			t.Error("a request that can't be read is answered")
		}
	})
}
