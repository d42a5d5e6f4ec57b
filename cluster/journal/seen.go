package journal

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.etcd.io/bbolt"

	"vedetta/wire/mesh"
)

// Seen is the highest that a peer's disk has announced of itself (rule 28).
type Seen struct {
	Node, Disk string
	Marks      map[mesh.Origin]uint64
	RaftTerm   uint64
	RaftIndex  uint64
}

// NoteSeen remembers what a peer announced of its own marks and of its Raft log;
// lower values change nothing. It is stored with the journal's next commit.
func (j *Journal) NoteSeen(node, disk string, marks map[mesh.Origin]uint64, raftTerm, raftIndex uint64) {
	if len(node) > 255 || len(disk) > 255 || node == "" {
		return
	}
	j.seen.note(string(peerKey(node, disk)), marks, raftTerm, raftIndex)
}

// Seen returns what was seen of a node, one entry for each disk it ever had.
func (j *Journal) Seen(node string) []Seen {
	j.seen.mu.Lock()
	defer j.seen.mu.Unlock()
	var all []Seen
	for peer, p := range j.seen.peers {
		name, disk, _, err := readPeer([]byte(peer))
		if err == nil && name == node {
			all = append(all, Seen{Node: name, Disk: disk, Marks: maps.Clone(p.marks), RaftTerm: p.term, RaftIndex: p.index})
		}
	}
	slices.SortFunc(all, func(a, b Seen) int { return strings.Compare(a.Disk, b.Disk) })
	return all
}

type seenTable struct {
	mu    sync.Mutex // guards all below
	peers map[string]*seenPeer
	rows  map[string][]byte // changed since the last commit
	out   map[string][]byte // in the commit under way
	day   mesh.Day          // newest file that holds the whole table
}

type seenPeer struct {
	marks       map[mesh.Origin]uint64
	term, index uint64
}

func (t *seenTable) init() {
	t.peers, t.rows = map[string]*seenPeer{}, map[string][]byte{}
}

func (t *seenTable) peer(key string) *seenPeer {
	p := t.peers[key]
	if p == nil {
		p = &seenPeer{marks: map[mesh.Origin]uint64{}}
		t.peers[key] = p
	}
	return p
}

func (t *seenTable) note(key string, marks map[mesh.Origin]uint64, term, index uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.peer(key)
	for o, mark := range marks {
		if mark > p.marks[o] {
			p.marks[o] = mark
			t.rows[string(o.Append([]byte(key)))] = numberKey(mark)
		}
	}
	if term > p.term || term == p.term && index > p.index {
		p.term, p.index = term, index
		t.rows[key] = append(numberKey(term), numberKey(index)...)
	}
}

func (t *seenTable) dirty() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.rows) > 0
}

// write puts the changed rows into the newest file of a commit; a file that is
// newer than all before gets the whole table. Only the writer calls it.
func (t *seenTable) write(tx *bbolt.Tx, day mesh.Day) error {
	t.mu.Lock()
	if day > t.day {
		t.day = day
		t.all()
	}
	t.out, t.rows = t.rows, map[string][]byte{}
	t.mu.Unlock()
	b := tx.Bucket(bucketSeen)
	for _, k := range slices.Sorted(maps.Keys(t.out)) {
		if err := b.Put([]byte(k), t.out[k]); err != nil {
			return err
		}
	}
	return nil
}

func (t *seenTable) written() { t.out = nil }

// all marks the whole table as changed. Needs mu.
func (t *seenTable) all() {
	for key, p := range t.peers {
		for o, mark := range p.marks {
			t.rows[string(o.Append([]byte(key)))] = numberKey(mark)
		}
		if p.term > 0 || p.index > 0 {
			t.rows[key] = append(numberKey(p.term), numberKey(p.index)...)
		}
	}
}

// flushSeen stores what was seen when nothing else is to be committed.
func (w *writer) flushSeen() error {
	var newest *dayFile
	for _, f := range w.files {
		if newest == nil || f.day > newest.day {
			newest = f
		}
	}
	if newest == nil {
		w.seen.mu.Lock()
		defer w.seen.mu.Unlock()
		clear(w.seen.rows) // a journal without records has nothing to protect
		return nil
	}
	err := guard(newest.path, func() error {
		return newest.db.Update(func(tx *bbolt.Tx) error { return w.seen.write(tx, newest.day) })
	})
	if err != nil {
		return fmt.Errorf("day file %s: %w", newest.path, err)
	}
	w.seen.written()
	return nil
}

func (j *Journal) loadSeen(f *dayFile, tx *bbolt.Tx) error {
	c := tx.Bucket(bucketSeen).Cursor()
	j.seen.mu.Lock()
	defer j.seen.mu.Unlock()
	j.seen.day = max(j.seen.day, f.day)
	for k, v := c.First(); k != nil; k, v = c.Next() {
		node, disk, rest, err := readPeer(k)
		if err != nil {
			return &Damaged{File: f.path, Err: err}
		}
		p := j.seen.peer(string(peerKey(node, disk)))
		if len(rest) == 0 && len(v) == 16 {
			term, index := binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])
			if term > p.term || term == p.term && index > p.index {
				p.term, p.index = term, index
			}
			continue
		}
		o, left, err := mesh.ReadOrigin(rest)
		if err != nil || len(left) != 0 || len(v) != 8 {
			return &Damaged{File: f.path, Err: fmt.Errorf("row of bucket seen: % x", k)}
		}
		p.marks[o] = max(p.marks[o], binary.BigEndian.Uint64(v))
	}
	return nil
}

func peerKey(node, disk string) []byte {
	b := append([]byte{byte(len(node))}, node...)
	return append(append(b, byte(len(disk))), disk...)
}

func readPeer(b []byte) (node, disk string, rest []byte, err error) {
	for _, s := range []*string{&node, &disk} {
		if len(b) < 1 || len(b) < 1+int(b[0]) {
			return "", "", nil, fmt.Errorf("row of bucket seen: % x is cut short", b)
		}
		*s, b = string(b[1:1+b[0]]), b[1+int(b[0]):]
	}
	return node, disk, b, nil
}
