package journal

import (
	"context"
	"fmt"
	"testing"

	"vedetta/cluster/env"
	"vedetta/wire/mesh"
)

// open opens the data folder and closes it with the test.
func open(t testing.TB, dir string) *Journal {
	t.Helper()
	j, err := Open(Config{Dir: dir}, env.Quiet(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func create(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := Create(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run runs the journal until the returned function is called, which gives Run's error.
func run(t testing.TB, j *Journal) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	var once bool
	var err error
	stop = func() error {
		if !once {
			once = true
			cancel()
			err = <-ended
		}
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func begin(t testing.TB, j *Journal, node string) mesh.Origin {
	t.Helper()
	o, err := j.Begin(node)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func sealed(text string) func(mesh.Header) ([]byte, error) {
	return func(mesh.Header) ([]byte, error) { return []byte(text), nil }
}

func appendText(t testing.TB, j *Journal, text string) mesh.Position {
	t.Helper()
	pos, err := j.Append(t.Context(), mesh.KindMessage, mesh.NoShard, mesh.Identity{}, sealed(text))
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

// chain makes count records of o after prev, days[i] for the i-th or the last one given.
func chain(t testing.TB, o mesh.Origin, from uint64, prev mesh.Hash, count int, days ...mesh.Day) []mesh.Record {
	t.Helper()
	var all []mesh.Record
	for i := range count {
		h := mesh.Header{Kind: mesh.KindDecision, Origin: o, Number: from + uint64(i), Day: days[min(i, len(days)-1)], Shard: 7}
		r, err := mesh.Encode(h, fmt.Appendf(nil, "%s/%d", o, h.Number), prev)
		if err != nil {
			t.Fatal(err)
		}
		all, prev = append(all, r), r.Hash
	}
	return all
}

func wantMark(t testing.TB, j *Journal, o mesh.Origin, want uint64) {
	t.Helper()
	if got, _ := j.MarkAndHash(o); got != want {
		t.Fatalf("mark of %s is %d, want %d", o, got, want)
	}
}

func wantVerified(t testing.TB, j *Journal) Report {
	t.Helper()
	r, err := j.Verify(t.Context())
	if err != nil || len(r.Faults) > 0 {
		t.Fatalf("verify: %v, faults %q", err, r.Faults)
	}
	return r
}
