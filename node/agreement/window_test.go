package agreement

import (
	"maps"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"vedetta/wire/mesh"
)

// plainWindows is what windows promise, without their thrift.
type plainWindows map[mesh.Identity][]Window

func (p plainWindows) clone() plainWindows {
	c := plainWindows{}
	for id, l := range p {
		c[id] = append([]Window(nil), l...)
	}
	return c
}

// TestRule11_WindowsAreThoseOfAPlainList: whatever is noted, taken back, dropped
// and restored, they are what a list per identity would be, looked through whole.
func TestRule11_WindowsAreThoseOfAPlainList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, want, clock := newWindows(), plainWindows{}, start
		ids := []mesh.Identity{{1}, {2}, {3}}
		place := func() mesh.Position {
			return at([]mesh.Origin{arezzo, roubaix}[rapid.IntRange(0, 1).Draw(t, "origin")], rapid.Uint64Range(1, 4).Draw(t, "number"))
		}
		kept, mark := want.clone(), 0
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			id := ids[rapid.IntRange(0, 2).Draw(t, "identity")]
			atMs := clock + rapid.SampledFrom([]int64{-2 * hour, -minute, 0, second, 10 * minute, 2 * hour}).Draw(t, "received")
			switch rapid.IntRange(0, 7).Draw(t, "step") {
			case 0, 1:
				p := place()
				w.event(id, p, atMs, clock)
				l := append(want[id], Window{First: p, FromMs: atMs, ToMs: atMs, UntilMs: until(atMs, clock)})
				want[id] = l[max(0, len(l)-2):]
			case 2, 3:
				p := place()
				w.copy(id, p, atMs, clock)
				for i := range want[id] {
					if x := &want[id][i]; x.First == p {
						x.FromMs, x.ToMs = min(x.FromMs, atMs), max(x.ToMs, atMs)
						x.UntilMs = max(x.UntilMs, until(x.ToMs, clock))
					}
				}
			case 4: // what comes now may be taken back
				kept, mark = want.clone(), len(w.changes)
			case 5:
				w.takeBack(mark)
				want = kept.clone()
			case 6: // a command has ended; a tick may follow
				w.done()
				mark = 0
				clock += rapid.SampledFrom([]int64{0, second, 20 * second, minute, 14*minute + 50*second, 15 * minute, 30 * minute}).Draw(t, "later")
				w.drop(clock)
				maps.DeleteFunc(want, func(_ mesh.Identity, l []Window) bool {
					for _, x := range l {
						if x.UntilMs >= clock {
							return false
						}
					}
					return true
				})
				kept = want.clone()
			case 7: // a snapshot is restored
				fresh := newWindows()
				for id := range w.newest {
					fresh.set(id, w.of(id))
				}
				w, mark, kept = fresh, 0, want.clone()
			}
			for _, id := range ids {
				if got := w.of(id); len(got)+len(want[id]) > 0 && !reflect.DeepEqual(got, want[id]) {
					t.Fatalf("%v: %+v, want %+v", id[0], got, want[id])
				}
				var first mesh.Position
				reached := false
				for _, x := range want[id] { // the newest that reaches
					if atMs >= x.FromMs-WindowMs && atMs <= x.ToMs+WindowMs {
						first, reached = x.First, true
					}
				}
				if p, ok := w.within(id, atMs); ok != reached || ok && p != first {
					t.Fatalf("%v at %d: within %v %s, want %v %s", id[0], atMs, ok, p, reached, first)
				}
			}
		}
	})
}
