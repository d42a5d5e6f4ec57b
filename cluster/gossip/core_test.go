package gossip

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"vedetta/wire/mesh"
)

func at(s int) time.Time { return time.Unix(1_700_000_000+int64(s), 0).UTC() }

func start(node string, n uint64) mesh.Origin {
	return mesh.Origin{Node: node, Incarnation: n, Random: n * 7}
}

// TestTable: the newest start counts, whatever order words come in.
func TestTable(t *testing.T) {
	tab := newTable([]string{"roubaix", "arezzo"})
	v1, v2 := About{Site: "roubaix", Version: "1"}, About{Site: "roubaix", Version: "2"}
	for i, step := range []struct {
		do   func()
		want Hint
	}{
		{func() {}, Hint{Node: "roubaix"}},
		{func() { tab.alive(at(1), start("roubaix", 1), v1) }, Hint{"roubaix", true, true, at(1), start("roubaix", 1), v1}},
		{func() { tab.alive(at(2), start("roubaix", 1), v1) }, Hint{"roubaix", true, true, at(1), start("roubaix", 1), v1}},
		{func() { tab.gone(at(3), start("roubaix", 1)) }, Hint{"roubaix", true, false, at(3), start("roubaix", 1), v1}},
		{func() { tab.alive(at(4), start("roubaix", 2), v2) }, Hint{"roubaix", true, true, at(4), start("roubaix", 2), v2}},
		{func() { tab.gone(at(5), start("roubaix", 1)) }, Hint{"roubaix", true, true, at(4), start("roubaix", 2), v2}},
		{func() { tab.alive(at(6), start("roubaix", 1), v1) }, Hint{"roubaix", true, true, at(4), start("roubaix", 2), v2}},
		{func() { tab.clear() }, Hint{Node: "roubaix"}},
	} {
		step.do()
		if got := tab.hints(); len(got) != 2 || got[0] != (Hint{Node: "arezzo"}) || got[1] != step.want {
			t.Errorf("step %d: %+v, want %+v", i, got, step.want)
		}
	}
}

func TestAboutGolden(t *testing.T) {
	a := About{Site: "arezzo", Version: "abc", Forms: Forms{1, 2}, Started: at(0)}
	want := []byte("\x01\x00\x00\x00\x00\x65\x53\xf1\x00\x01\x02\x06arezzo\x03abc")
	if got := a.encode(); !bytes.Equal(got, want) {
		t.Errorf("encoded % x, want % x", got, want)
	}
	for _, b := range [][]byte{want, append([]byte{9}, append(want[1:], "more of a later version"...)...)} {
		if got, err := decodeAbout(b); err != nil || got != a {
			t.Errorf("%+v, %v, want %+v", got, err, a)
		}
	}
	long := About{Site: "arezzo", Version: strings.Repeat("v", 300), Started: at(0)}
	if got, err := decodeAbout(long.encode()); err != nil || len(got.Version) != maxProgram {
		t.Errorf("long version: %+v, %v", got, err)
	}
}

// FuzzAbout: what decodes, encodes and decodes to the same.
func FuzzAbout(f *testing.F) {
	f.Add(About{Site: "arezzo", Version: "abc", Forms: Forms{1, 2}, Started: at(0)}.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decodeAbout(b)
		if err != nil {
			return
		}
		if again, err := decodeAbout(a.encode()); err != nil || again != a {
			t.Errorf("%+v became %+v, %v", a, again, err)
		}
	})
}

// TestLogIsBounded: a flood of lines becomes a few, and a number.
func TestLogIsBounded(t *testing.T) {
	var out bytes.Buffer
	dropped := prometheus.NewCounter(prometheus.CounterOpts{Name: "dropped"})
	l := &lines{log: slog.New(slog.NewTextHandler(&out, nil)), dropped: dropped}
	for range 1000 {
		if _, err := l.Write([]byte("[ERR] memberlist: Decrypt packet failed\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Write([]byte("[DEBUG] memberlist: Stream connection\n")); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(out.String(), "\n"); n == 0 || n > 2*logBurst {
		t.Errorf("%d lines in the log, want at most %d", n, 2*logBurst)
	}
	if strings.Contains(out.String(), "Stream") || strings.Contains(out.String(), "ERROR") {
		t.Errorf("log: %s", out.String())
	}
}
