package journal

import (
	"errors"
	"testing"

	"vedetta/wire/mesh"
)

// A folder that lost something becomes a new node's: another disk id, no entry
// less, and what was seen of others stays (rule 28).
func TestRule28_NewDiskKeepsEntries(t *testing.T) {
	dir := create(t)
	j := open(t, dir)
	old, o := j.DiskID(), begin(t, j, "arezzo")
	stop := run(t, j)
	j.NoteSeen("roubaix", "r1", map[mesh.Origin]uint64{o: 2}, 4, 100)
	for _, text := range []string{"one", "two"} {
		appendText(t, j, text)
	}
	if err := errors.Join(stop(), j.Close()); err != nil {
		t.Fatal(err)
	}

	if err := NewDisk(dir); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	if id := j.DiskID(); id == old || len(id) != len(old) {
		t.Fatalf("disk id %q after %q, want another one", id, old)
	}
	wantMark(t, j, o, 2)
	if rs, err := j.Read(o, 1, 2, 1<<20); err != nil || len(rs) != 2 || string(rs[0].Sealed) != "one" || string(rs[1].Sealed) != "two" {
		t.Fatalf("entries %v, %v, want the two that were there", rs, err)
	}
	wantVerified(t, j)
	if seen := j.Seen("roubaix"); len(seen) != 1 || seen[0].RaftIndex != 100 || seen[0].Marks[o] != 2 {
		t.Fatalf("seen of roubaix: %+v, want what was noted", seen)
	}
	if next := begin(t, j, "arezzo"); next == o || next.Incarnation != 2 { // the counter goes on
		t.Fatalf("incarnation %s after %s", next, o)
	}
	if err := Create(dir); !errors.Is(err, ErrExists) {
		t.Fatalf("create on it: %v, want ErrExists", err)
	}
}

// TestDiskIDOfAFolderInUse: who asks needs no lock and opens no day file.
func TestDiskIDOfAFolderInUse(t *testing.T) {
	dir := create(t)
	j := open(t, dir)
	if id, err := DiskID(dir); err != nil || id != j.DiskID() {
		t.Errorf("disk id %q, %v; want %q", id, err, j.DiskID())
	}
	if _, err := DiskID(t.TempDir()); err == nil {
		t.Error("a folder without a journal has a disk id")
	}
}
