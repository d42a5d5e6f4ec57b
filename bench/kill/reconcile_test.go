package kill

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vedetta/bench/meshtest"
	"vedetta/bench/verdict"
	"vedetta/central/store"
	"vedetta/ops/panel"
)

// reconciled runs `vedettactl reconcile` and returns its exit code and words.
func reconciled(t *testing.T, m *meshtest.Mesh) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "vedettactl"), "reconcile", "--central", m.Central).CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && !ok {
		t.Fatal(err)
	}
	code := 0
	if ok {
		code = exit.ExitCode()
	}
	return code, string(out)
}

// TestReconcileAfterKills kills a node and central while alarms come. Once all
// is settled reconcile finds no fault; then one difference is planted in
// central's database, and is named.
func TestReconcileAfterKills(t *testing.T) {
	long(t)
	const alarms, workers = 120, 6
	m := meshtest.Start(t, bin, "--restart-after", "1s")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var mu sync.Mutex
	var sent []verdict.Alarm
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			p := newPanel(t, m, w%2 == 0, w%4 >= 2)
			defer p.Close()
			for i := range alarms / workers {
				text := fmt.Sprintf("~reconcile %d-%d~", w, i)
				x, err := p.SendUntilACK(ctx, addresses(m, (w+i)%3), "SIA-DCS", w*(alarms/workers)+i+1, "Nri1/BA001^"+text+"^")
				if err != nil {
					t.Errorf("alarm %s: %v", text, err)
				}
				mu.Lock()
				sent = append(sent, verdict.Alarm{Text: text, Acknowledged: x.Answer == panel.AnswerACK})
				mu.Unlock()
				meshtest.Within(ctx, 400*time.Millisecond)
			}
		})
	}
	meshtest.Within(ctx, 2*time.Second)
	m.Signal(1, syscall.SIGKILL)
	meshtest.Within(ctx, 2*time.Second)
	if err := syscall.Kill(m.CentralPID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitReady(m, 1)
	wg.Wait()
	judge(t, m, sent)

	if code, said := reconciled(t, m); code != 0 || !strings.Contains(said, "Compared with 3 of 3 nodes") || !strings.Contains(said, "No open fault.") {
		t.Fatalf("exit code %d:\n%s", code, said)
	}

	db, err := store.Open(ctx, filepath.Join(m.Dir, "central", "central.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var id string
	change := func(from, to string) {
		t.Helper()
		err := db.Write(ctx, func(tx *sql.Tx) error {
			return tx.QueryRowContext(ctx, `UPDATE notifications SET state = ?2 WHERE id = (SELECT min(id) FROM notifications WHERE state = ?1) RETURNING id`, from, to).Scan(&id)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	change("delivered", "cancelled")
	code, said := reconciled(t, m)
	if code != 1 || !strings.Contains(said, "at "+id+": expected state delivered, found state cancelled") || !strings.Contains(said, "Open faults: 1.") {
		t.Errorf("exit code %d, want 1 and notification %s named:\n%s", code, id, said)
	}
	t.Log(said)
	var status struct {
		Reconcile struct {
			Faults   int     `json:"faults"`
			LastFull *string `json:"last_full_pass"`
		} `json:"reconcile"`
	}
	if err := m.Get(m.Central+"/status", &status); err != nil || status.Reconcile.Faults != 1 || status.Reconcile.LastFull == nil {
		t.Errorf("central's status: %+v %v", status, err)
	}
	change("cancelled", "delivered")
	if code, said := reconciled(t, m); code != 0 {
		t.Errorf("healed, exit code %d:\n%s", code, said)
	}
}
