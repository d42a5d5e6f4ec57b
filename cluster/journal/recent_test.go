package journal

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"vedetta/wire/mesh"
)

// TestMemoryReadsAsTheDiskDoes: whatever is asked of a journal that keeps little
// in memory, while it goes on, is what the files alone say afterwards.
func TestMemoryReadsAsTheDiskDoes(t *testing.T) {
	dir := create(t)
	j := open(t, dir)
	origins := []mesh.Origin{{Node: "arezzo", Incarnation: 1, Random: 1}, {Node: "roubaix", Incarnation: 1, Random: 2}}
	chains := [][]mesh.Record{chain(t, origins[0], 1, mesh.Hash{}, 300, 20000, 20000, 20001), chain(t, origins[1], 1, mesh.Hash{}, 300, 20000)}
	j.recent.limit = 40 * len(chains[0][0].Bytes)
	stop := run(t, j)
	type asked struct {
		o          mesh.Origin
		from, upTo uint64
		most       int
		got        [][]byte
	}
	var all []asked
	random := rand.New(rand.NewPCG(7, 7))
	ask := func() {
		a := asked{o: origins[random.IntN(2)], from: 1 + random.Uint64N(300), most: 1 + random.IntN(6000)}
		a.upTo = a.from + random.Uint64N(60)
		mark, _ := j.MarkAndHash(a.o)
		records, err := j.Read(a.o, a.from, min(a.upTo, mark), a.most)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			a.got = append(a.got, bytes.Clone(r.Bytes))
		}
		if len(a.got) > 0 { // what was there then, for the question afterwards
			a.upTo = min(a.upTo, mark)
			all = append(all, a)
		}
	}
	for at := 0; at < 300; at += 10 {
		for i := range chains {
			if err := j.Accept(t.Context(), LaneLive, chains[i][at:at+10]); err != nil {
				t.Fatal(err)
			}
		}
		for range 30 {
			ask()
		}
	}
	if n := len(j.origins[origins[0]].recent); j.recent.bytes > j.recent.limit || n == 0 || n >= 30 {
		t.Fatalf("%d bytes in memory, %d commits of the first origin; want some, within %d bytes", j.recent.bytes, n, j.recent.limit)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, dir)
	for _, a := range all {
		records, err := j.Read(a.o, a.from, a.upTo, a.most)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) != len(a.got) {
			t.Fatalf("%s from %d to %d, %d bytes: %d records while it ran, %d from the files", a.o, a.from, a.upTo, a.most, len(a.got), len(records))
		}
		for i, r := range records {
			if !bytes.Equal(r.Bytes, a.got[i]) {
				t.Fatalf("%s: other bytes than while it ran", r.Position())
			}
		}
	}
}
