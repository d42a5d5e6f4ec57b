package node

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"vedetta/cluster/env"
	"vedetta/cluster/journal"
	"vedetta/wire/decision"
	"vedetta/wire/seal"
)

// TestRule32_EveryErasureCompactsTheLog: once for each destruction, again until
// it succeeds, and once more by the next process, which can't know.
func TestRule32_EveryErasureCompactsTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := founded(t)
		for _, c := range []string{"c1", "c2"} {
			k := seal.NewKey()
			l.do(decision.PutKeys{Customer: c, KeyID: k.ID[:], Wrapped: l.wrap(k, c)})
		}
		var fails atomic.Bool
		var compacted atomic.Int32
		compact := func(context.Context) error {
			compacted.Add(1)
			if fails.Load() {
				return errors.New("disk busy")
			}
			return nil
		}
		run := func() (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- followErasures(l.fsm.View(), compact, env.Quiet(1))(ctx) }()
			return func() {
				t.Helper()
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}
		}
		want := func(n int32, what string) {
			t.Helper()
			synctest.Wait()
			if got := compacted.Load(); got != n {
				t.Errorf("%s: compacted %d times, want %d", what, got, n)
			}
		}
		stop := run()
		time.Sleep(time.Hour)
		want(0, "nothing destroyed")
		l.do(decision.Destroy{Customer: "c1"})
		want(1, "a customer destroyed")
		time.Sleep(time.Hour)
		l.do(decision.Tick{Now: time.Now().UnixMilli()})
		want(1, "other commands")
		fails.Store(true)
		l.do(decision.Destroy{Customer: "c2"})
		want(2, "a second one, failed")
		fails.Store(false)
		time.Sleep(eraseAgain)
		want(3, "tried again")
		time.Sleep(time.Hour)
		want(3, "done")
		stop()
		stop = run()
		want(4, "a new process")
		stop()
	})
}

// TestDamagedFileIsNamedAndTheNodeNotReady: the fault is logged with what to do.
func TestDamagedFileIsNamedAndTheNodeNotReady(t *testing.T) {
	var log strings.Builder
	e := env.Quiet(1)
	e.Log = slog.New(slog.NewTextHandler(&log, nil))
	ctx, cancel := context.WithCancel(t.Context())
	damaged := false
	verify := func(context.Context) (journal.Report, error) {
		cancel()
		return journal.Report{Faults: []string{"2026-11-24.db: record 23"}}, nil
	}
	if err := checkFiles(verify, func([]string) { damaged = true }, e)(ctx); err != nil {
		t.Fatal(err)
	}
	if !damaged || !strings.Contains(log.String(), "2026-11-24.db: record 23") || !strings.Contains(log.String(), "move the file aside") {
		t.Errorf("damaged %v, log %s", damaged, log.String())
	}
}
