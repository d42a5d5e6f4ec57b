package node

import (
	"context"
	"runtime/debug"
	"testing"
	"time"
)

// sink keeps what a test allocates from being thought away.
var sink []byte

// TestCollectorFollowsTheLoad: memory for time under load only, and never
// against who runs the node.
func TestCollectorFollowsTheLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds of real load")
	}
	before := debug.SetGCPercent(collectCalm)
	defer debug.SetGCPercent(before)
	if err := followLoad(func(string) string { return "100" }, time.Second)(t.Context()); err != nil {
		t.Fatalf("with GOGC set: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- followLoad(func(string) string { return "" }, time.Second)(ctx) }()
	percent := func() int {
		p := debug.SetGCPercent(collectCalm)
		debug.SetGCPercent(p)
		return p
	}
	end := time.Now().Add(20 * time.Second)
	for percent() != collectBusy {
		if time.Now().After(end) {
			t.Fatal("load did not show within 20 s")
		}
		sink = make([]byte, 1<<20)
	}
	for percent() != collectCalm {
		if time.Now().After(end) {
			t.Fatal("calm did not show within 20 s")
		}
		<-time.After(50 * time.Millisecond)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
