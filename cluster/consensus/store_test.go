package consensus

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// faulty is a log whose writes fail or hang when told to.
type faulty struct {
	LogStore
	err  error
	hang chan struct{}
}

func (f *faulty) StoreLogs([]*raft.Log) error {
	if f.hang != nil {
		<-f.hang
	}
	return f.err
}

// break puts a fault under a running node.
func (n *node) fault(f *faulty) {
	n.mu.Lock()
	st := n.store
	n.mu.Unlock()
	st.mu.Lock()
	defer st.mu.Unlock()
	f.LogStore = st.inner
	st.inner = f
}

func TestFailedOrHangingWriteEndsRun(t *testing.T) {
	hang := make(chan struct{})
	unhang := sync.OnceFunc(func() { close(hang) })
	defer unhang()
	for want, f := range map[string]*faulty{
		"no space left":                  {err: errors.New("no space left on device")},
		"a write has not returned for 3": {hang: hang, err: errors.New("closed")},
	} {
		t.Run(want, func(t *testing.T) {
			m := newMesh(t, "arezzo", "limburg", "roubaix")
			m.startAll()
			m.propose("one")
			m.same(1)
			lead := m.leader()
			lead.fault(f)
			go lead.Propose(t.Context(), []byte("two"))
			eventually(t, 8*time.Second, "Run ends", func() bool { return !lead.alive() })
			if err := lead.stop(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Run ended with %v, want %q", err, want)
			}
			m.propose("three") // the others go on
		})
	}
}

func TestDamagedEntryIsNotRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "raft")
	log := newLogger(slog.New(slog.DiscardHandler), "test")
	st, err := openStore(dir, log)
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(1); i <= 3; i++ {
		if err := st.StoreLog(&raft.Log{Index: i, Term: 1, Data: []byte("some entry"), Extensions: []byte("ext")}); err != nil {
			t.Fatal(err)
		}
	}
	var l raft.Log
	if err := st.GetLog(2, &l); err != nil || string(l.Data) != "some entry" || string(l.Extensions) != "ext" {
		t.Fatalf("%q %q %v", l.Data, l.Extensions, err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "log-*", "*.wal"))
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte("some entry"))
	f, err := os.OpenFile(files[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("XXXX"), int64(at)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := st.GetLog(1, &l); !errors.Is(err, wal.ErrCorrupt) {
		t.Errorf("a damaged entry was read: %q, %v", l.Data, err)
	}
	if err := st.GetLog(2, &l); err != nil {
		t.Errorf("the entry after it: %v", err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := st.StoreLog(&raft.Log{Index: 4}); err == nil {
		t.Error("written after closing")
	}
}

// TestTruncatedTailIsReadAfterRestart takes the end of the log back, as a former
// leader does whose entries nobody else had, and opens it again. (raft-wal 0.4.0
// sealed the file without its index then: the node could never start again.)
func TestTruncatedTailIsReadAfterRestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "raft")
	log := newLogger(slog.New(slog.DiscardHandler), "test")
	entry := func(i, term uint64) *raft.Log {
		return &raft.Log{Index: i, Term: term, Data: []byte{byte(i), byte(term)}}
	}
	terms := []uint64{0} // by index
	for term := uint64(1); term <= 4; term++ {
		st, err := openStore(dir, log)
		if err != nil {
			t.Fatalf("term %d: %v", term, err)
		}
		if last := uint64(len(terms) - 1); last > 0 {
			keep := last - 3
			if err := st.DeleteRange(keep+1, last); err != nil {
				t.Fatal(err)
			}
			terms = terms[:keep+1]
		}
		for range 10 {
			i := uint64(len(terms))
			if err := st.StoreLog(entry(i, term)); err != nil {
				t.Fatal(err)
			}
			terms = append(terms, term)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		if st, err = openStore(dir, log); err != nil {
			t.Fatalf("term %d: %v", term, err)
		}
		for i := 1; i < len(terms); i++ {
			var l raft.Log
			if err := st.GetLog(uint64(i), &l); err != nil || l.Term != terms[i] || !bytes.Equal(l.Data, entry(uint64(i), terms[i]).Data) {
				t.Fatalf("entry %d after term %d: term %d, %v; want term %d", i, term, l.Term, err, terms[i])
			}
		}
		if last, err := st.LastIndex(); err != nil || last != uint64(len(terms)-1) {
			t.Fatalf("last index %d, %v; want %d", last, err, len(terms)-1)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
