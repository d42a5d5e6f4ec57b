package chaos

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPlanHoldsItsPromises draws many seeds.
func TestPlanHoldsItsPromises(t *testing.T) {
	const span = 150 * time.Second
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		plan := Plan(seed, span)
		if !reflect.DeepEqual(plan, Plan(seed, span)) {
			t.Fatal("the same seed gave another plan")
		}
		type struck struct {
			kind Kind
			role Role
		}
		seen, longest, last := map[struck]bool{}, time.Duration(0), time.Duration(0)
		for _, f := range plan {
			seen[struck{f.Kind, f.Role}] = true
			longest = max(longest, f.For)
			if f.At < last || f.At+f.For > span || (f.Kind == Pause) != (f.For > 0) {
				t.Fatalf("fault %+v after %s", f, last)
			}
			last = f.At
		}
		for _, k := range []Kind{Kill, Pause} {
			for _, r := range []Role{AgreementLeader, ShardLeader, Any} {
				if !seen[struck{k, r}] {
					t.Fatalf("no %s of %s", k, r)
				}
			}
		}
		if longest != LongestPause {
			t.Fatalf("longest pause %s", longest)
		}
	})
}

// TestCoreNeverHoldsTheMajorityNorForgetsAnybody steps plans at irregular
// times with any view.
func TestCoreNeverHoldsTheMajorityNorForgetsAnybody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := Plan(rapid.Uint64().Draw(t, "seed"), 150*time.Second)
		c := NewCore(plan, 3)
		held := map[int]time.Duration{}
		kills, now := 0, time.Duration(0)
		for !c.Done() {
			wake := c.Wake()
			if wake < 0 {
				t.Fatal("not done, and nothing to wait for")
			}
			now = max(now, wake) + time.Duration(rapid.IntRange(0, 700).Draw(t, "late"))*time.Millisecond
			v := View{Leader: rapid.IntRange(-1, 2).Draw(t, "leader"), Shards: []int{rapid.IntRange(0, 64).Draw(t, "a"), 3, 5}}
			for _, a := range c.Step(now, v) {
				switch a.Do {
				case DoKill:
					kills++
					delete(held, a.Node)
				case DoStop:
					if _, ok := held[a.Node]; !ok {
						held[a.Node] = now
					}
				case DoCont:
					if since, ok := held[a.Node]; !ok || now-since > LongestPause+2*time.Second { // 2 s of lateness
						t.Fatalf("node %d goes on at %s, held %v since %s", a.Node, now, ok, since)
					}
					delete(held, a.Node)
				}
			}
			if len(held) > 1 {
				t.Fatalf("held at once: %v", held)
			}
		}
		if len(held) > 0 {
			t.Fatalf("held for ever: %v", held)
		}
		want := 0
		for _, f := range plan {
			if f.Kind == Kill {
				want++
			}
		}
		if kills != want {
			t.Fatalf("%d kills, want %d", kills, want)
		}
	})
}

// TestCoreStrikesWhomItSays holds the roles.
func TestCoreStrikesWhomItSays(t *testing.T) {
	v := View{Leader: 2, Shards: []int{10, 40, 14}}
	tests := []struct {
		fault Fault
		view  View
		want  Action
	}{
		{Fault{Kind: Kill, Role: AgreementLeader, Pick: 4}, v, Action{DoKill, 2, "agreement leader"}},
		{Fault{Kind: Kill, Role: ShardLeader, Pick: 4}, v, Action{DoKill, 1, "leader of most shards"}},
		{Fault{Kind: Kill, Role: Any, Pick: 4}, v, Action{DoKill, 1, "any node"}},
		{Fault{Kind: Kill, Role: AgreementLeader, Pick: 3}, View{Leader: -1}, Action{DoKill, 0, "agreement leader"}},
		{Fault{Kind: Pause, Role: AgreementLeader, For: time.Second}, v, Action{DoStop, 2, "agreement leader, for 1s"}},
	}
	for _, tt := range tests {
		got := NewCore([]Fault{tt.fault}, 3).Step(0, tt.view)
		if len(got) != 1 || got[0] != tt.want {
			t.Errorf("%+v: %+v, want %+v", tt.fault, got, tt.want)
		}
	}
}

// TestCoreHoldsOneAtATime strikes the held node again, kills it, and lets its
// successor run.
func TestCoreHoldsOneAtATime(t *testing.T) {
	c := NewCore([]Fault{
		{At: 0, Kind: Pause, Role: Any, Pick: 1, For: 5 * time.Second},
		{At: 2 * time.Second, Kind: Pause, Role: Any, Pick: 2, For: 6 * time.Second},
		{At: 4 * time.Second, Kind: Kill, Role: Any, Pick: 1},
	}, 3)
	for _, step := range []struct {
		at   time.Duration
		want Doing
	}{{0, DoStop}, {2 * time.Second, DoStop}, {4 * time.Second, DoKill}} {
		got := c.Step(step.at, View{Leader: -1})
		if len(got) != 1 || got[0].Do != step.want || got[0].Node != 1 {
			t.Fatalf("at %s: %+v, want %s of node 1", step.at, got, step.want)
		}
	}
	if !c.Done() {
		t.Fatalf("a killed node is still held: %+v", c.holds)
	}
}
