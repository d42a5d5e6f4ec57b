package consensus

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// findBytes names the files below dir that contain b.
func findBytes(t *testing.T, dir string, b []byte) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, b) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRule32_DestroyedIsNowhereInTheFolder(t *testing.T) {
	m := newMesh(t, "arezzo", "limburg", "roubaix")
	m.startAll()
	key := "WRAPPED-KEY-OF-ROSSI"
	for i := range 50 {
		m.propose(fmt.Sprintf("command %d", i))
	}
	m.propose("put " + key)
	m.propose("more")
	m.same(52)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, n := range m.nodes {
		if err := n.Snapshot(ctx); err != nil { // an older snapshot that holds the key
			t.Fatal(err)
		}
		if found := findBytes(t, n.cfg.Dir, []byte(key)); len(found) < 2 {
			t.Fatalf("the key is in %v, want it in log and snapshot: the test would prove nothing", found)
		}
	}
	m.propose("forget ROSSI")
	m.propose("after")
	m.propose("and after that")
	m.same(53) // more than before, so that all have forgotten
	stop := make(chan struct{})
	wrote := make(chan int)
	go func() { // the agreement goes on meanwhile
		n := 0
		defer func() { wrote <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, x := range m.nodes {
				if _, self, _, _ := x.Leader(); self {
					if _, _, err := x.Propose(ctx, fmt.Appendf(nil, "meanwhile %d", n)); err != nil {
						t.Errorf("propose during erasure: %v", err)
						return
					}
					n++
				}
			}
		}
	}()
	for range 3 { // repeating is harmless
		for _, n := range m.nodes {
			if err := n.CompactForErasure(ctx); err != nil {
				t.Errorf("%s: %v", n.cfg.Self.Node, err)
			}
			if found := findBytes(t, n.cfg.Dir, []byte(key)); len(found) > 0 {
				t.Errorf("%s: the destroyed key is still in %v", n.cfg.Self.Node, found)
			}
			if snaps, _ := filepath.Glob(filepath.Join(n.cfg.Dir, snapshotsDir, "*")); len(snaps) != 1 {
				t.Errorf("%s keeps %d snapshots, want one", n.cfg.Self.Node, len(snaps))
			}
		}
	}
	close(stop)
	n := <-wrote
	if n == 0 {
		t.Error("nothing was proposed meanwhile")
	}
	m.same(53 + n)
	// all come back from what is left
	for _, x := range m.nodes {
		x.mustEnd()
	}
	m.startAll()
	m.propose("at the end")
	m.same(54 + n)
	for _, x := range m.nodes {
		if found := findBytes(t, x.cfg.Dir, []byte(key)); len(found) > 0 {
			t.Errorf("%s: the destroyed key came back in %v", x.cfg.Self.Node, found)
		}
	}
}

// A compaction that dies at any step leaves a folder whose recovery has the
// same term, vote and entries, and the destroyed bytes gone from the switch on.
func TestRule32_CrashAtEachStep(t *testing.T) {
	log := newLogger(slog.New(slog.DiscardHandler), "test")
	dir := filepath.Join(t.TempDir(), "raft")
	st, err := openStore(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	key := []byte("WRAPPED-KEY-OF-ROSSI")
	entry := func(i uint64) *raft.Log {
		data := fmt.Appendf(nil, "entry %d", i)
		if i == 40 {
			data = key
		}
		return &raft.Log{Index: i, Term: 3, Type: raft.LogCommand, Data: data}
	}
	for i := uint64(1); i <= 60; i++ {
		if err := st.StoreLog(entry(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.SetUint64([]byte("CurrentTerm"), 3); err != nil {
		t.Fatal(err)
	}
	if err := st.Set([]byte("LastVoteCand"), []byte("roubaix/d")); err != nil {
		t.Fatal(err)
	}
	if err := st.SetUint64([]byte("LastVoteTerm"), 3); err != nil {
		t.Fatal(err)
	}
	if err := st.DeleteRange(1, 45); err != nil {
		t.Fatal(err)
	}
	if len(findBytes(t, dir, key)) == 0 {
		t.Fatal("raft-wal removed a deleted entry's bytes by itself: the test would prove nothing")
	}

	type crash struct{ step, dir string }
	var crashes []crash
	st.step = func(step string) {
		at := filepath.Join(t.TempDir(), "raft")
		if err := os.CopyFS(at, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		crashes = append(crashes, crash{step, at})
	}
	if err := st.compact(50); err != nil {
		t.Fatal(err)
	}
	crashes = append(crashes, crash{"done", dir})
	if err := st.StoreLog(entry(61)); err != nil {
		t.Errorf("writing after a compaction: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	// dying within the removal of the old folder, or of a compaction left over
	half := filepath.Join(t.TempDir(), "raft")
	for _, c := range crashes {
		if c.step == "switched" {
			if err := os.CopyFS(half, os.DirFS(c.dir)); err != nil {
				t.Fatal(err)
			}
		}
	}
	os.Remove(filepath.Join(half, logName(1), "wal-meta.db"))
	crashes = append(crashes, crash{"removal half done", half})
	if len(crashes) != 8 {
		t.Fatalf("%d crashes, want 8", len(crashes))
	}

	switched := false
	for _, c := range crashes {
		if c.step == "switched" {
			switched = true
		}
		again, err := openStore(c.dir, log)
		if err != nil {
			t.Errorf("%s: %v", c.step, err)
			continue
		}
		term, _ := again.GetUint64([]byte("CurrentTerm"))
		voted, _ := again.GetUint64([]byte("LastVoteTerm"))
		cand, _ := again.Get([]byte("LastVoteCand"))
		if term != 3 || voted != 3 || string(cand) != "roubaix/d" {
			t.Errorf("%s: term %d, voted %d for %q", c.step, term, voted, cand)
		}
		for i := uint64(51); i <= 60; i++ {
			var l raft.Log
			if err := again.GetLog(i, &l); err != nil || !bytes.Equal(l.Data, entry(i).Data) || l.Extensions != nil {
				t.Errorf("%s: entry %d: %q, %v", c.step, i, l.Data, err)
			}
		}
		if err := again.StoreLog(entry(max(61, last(again)+1))); err != nil {
			t.Errorf("%s: writing after recovery: %v", c.step, err)
		}
		if err := again.compact(50); err != nil { // it is called again after a crash
			t.Errorf("%s: compacting again: %v", c.step, err)
		}
		found := findBytes(t, c.dir, key)
		if len(found) > 0 {
			t.Errorf("%s: the destroyed bytes are in %v after compacting again", c.step, found)
		}
		if err := again.Close(); err != nil {
			t.Error(err)
		}
		folders, _ := filepath.Glob(filepath.Join(c.dir, logPrefix+"*"))
		if len(folders) != 1 {
			t.Errorf("%s: log folders %v, want one", c.step, folders)
		}
	}
	if !switched {
		t.Error("no crash after the switch was tried")
	}
}

func last(s *store) uint64 {
	n, _ := s.LastIndex()
	return n
}

// From the switch on, recovery alone is enough.
func TestRule32_RecoveryRemovesTheOldLog(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{logName(3), logName(4), logName(5) + newSuffix, snapshotsDir + "/1-2-3" + tmpSuffix} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "f"), []byte("KEY"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n, err := recoverFolder(dir)
	if err != nil || n != 4 {
		t.Fatalf("log %d, %v, want 4", n, err)
	}
	if found := findBytes(t, dir, []byte("KEY")); len(found) != 1 || filepath.Base(filepath.Dir(found[0])) != logName(4) {
		t.Errorf("left: %v, want only %s", found, logName(4))
	}
	if err := os.Mkdir(filepath.Join(dir, "log-x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := recoverFolder(dir); err == nil {
		t.Error("a strange log folder was taken")
	}
}
