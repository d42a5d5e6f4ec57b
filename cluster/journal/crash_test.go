package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"vedetta/cluster/env"
	"vedetta/wire/mesh"
)

const childFolder = "VEDETTA_JOURNAL_TEST_CHILD"

// TestMain is also the process that gets killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childFolder); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(70)
	}
	os.Exit(m.Run())
}

// child appends with many producers and prints each place once it is
// acknowledged, until it is killed or its disk is full.
func child(dir string) error {
	j, err := Open(Config{Dir: dir}, env.Quiet(1))
	if err != nil {
		return err
	}
	if _, err := j.Begin("arezzo"); err != nil {
		return err
	}
	if limit := os.Getenv(childFolder + "_LIMIT"); limit != "" {
		signal.Ignore(syscall.SIGXFSZ)
		n, _ := strconv.ParseUint(limit, 10, 64)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			return err
		}
	}
	for i := range 16 {
		go func() {
			for n := 0; ; n++ {
				text := fmt.Sprintf("%d/%d %s", i, n, strings.Repeat("x", 200))
				pos, err := j.Append(context.Background(), mesh.KindMessage, 0, mesh.Identity{}, sealed(text))
				if err != nil {
					return
				}
				fmt.Printf("%s %d/%d\n", pos, i, n)
			}
		}()
	}
	return j.Run(context.Background())
}

// appendUntil runs the child until stop says so, or until it ends, and returns
// what it acknowledged.
func appendUntil(t *testing.T, dir string, environment string, enough func(lines int) bool) (acked map[string]string, state *os.ProcessState, stderr string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childFolder+"="+dir, environment)
	var errText strings.Builder
	cmd.Stderr = &errText
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked = map[string]string{}
	lines := bufio.NewScanner(out)
	for killed := false; lines.Scan(); {
		place, text, ok := strings.Cut(lines.Text(), " ")
		if !ok || !strings.Contains(text, "/") {
			continue // cut by the kill
		}
		acked[place] = text
		if !killed && enough(len(acked)) {
			killed = true
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	return acked, cmd.ProcessState, errText.String()
}

func wantAcknowledged(t *testing.T, j *Journal, acked map[string]string) {
	t.Helper()
	for place, text := range acked {
		pos, err := mesh.ParsePosition(place)
		if err != nil {
			continue // the last line may be cut
		}
		got, err := j.Read(pos.Origin, pos.Number, pos.Number, 1)
		if err != nil || len(got) != 1 || !strings.HasPrefix(string(got[0].Sealed), text) {
			t.Fatalf("acknowledged %s %q is not there: %d records, %v", place, text, len(got), err)
		}
	}
}

func TestRule01_KilledProcessKeepsWhatItAcknowledged(t *testing.T) {
	dir := create(t)
	all := map[string]string{}
	starts := map[mesh.Origin]bool{}
	for round := range 6 {
		acked, _, _ := appendUntil(t, dir, "", func(n int) bool { return n >= 50*(round+1)*(round+1) })
		if len(acked) == 0 {
			t.Fatal("the process acknowledged nothing")
		}
		for place, text := range acked {
			if all[place] != "" {
				t.Fatalf("place %s was used twice", place)
			}
			all[place] = text
			if pos, err := mesh.ParsePosition(place); err == nil {
				starts[pos.Origin] = true
			}
		}
		j := open(t, dir)
		wantAcknowledged(t, j, all)
		wantVerified(t, j)
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(starts) != 6 {
		t.Fatalf("%d incarnations in 6 starts", len(starts))
	}
}

func TestRule01_FullDiskEndsTheProcess(t *testing.T) {
	dir := create(t)
	begun := time.Now()
	acked, state, stderr := appendUntil(t, dir, childFolder+"_LIMIT=20000000", func(int) bool { return time.Since(begun) > 30*time.Second })
	if state.ExitCode() != 70 || len(acked) == 0 {
		t.Fatalf("exit %s after %d acknowledged, stderr %q, want exit status 70", state, len(acked), stderr)
	}
	j := open(t, dir)
	wantAcknowledged(t, j, acked)
	wantVerified(t, j)
	if o := begin(t, j, "arezzo"); o.Incarnation != 2 {
		t.Fatalf("after the full disk the incarnation is %s", o)
	}
	if _, _, err := j.DiskFree(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.Close()); err != nil {
		t.Fatal(err)
	}
}
