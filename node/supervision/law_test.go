package supervision

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vedetta/wire/decision"
)

// life is a panel with two addresses: it polls each interval, and when neither
// answers it tries again after ten seconds.
type life struct {
	Panel
	interval  time.Duration
	addresses [2]string
	next      time.Time
	cut       bool
	heard     []hearing
}

type hearing struct {
	at   time.Time
	node string
}

// fate is a world with faults, and the truth about it.
type fate struct {
	*world
	r     *rapid.T
	lives []*life
	lost  map[string]time.Time   // since when a node reaches no majority
	died  map[string][]time.Time // a node's process ended
	away  map[string][]time.Time // it lost the majority, and found it again, in turns
}

// reaches tells whether a node is in touch with a majority of the three.
func (f *fate) reaches(name string) bool {
	if f.cores[name] == nil {
		return false
	}
	for _, o := range f.names {
		if o != name && f.cores[o] != nil && !f.cut[link(name, o)] {
			return true
		}
	}
	return false
}

// serves tells whether a node acknowledges: also for some seconds after it has
// lost the majority.
func (f *fate) serves(name string) bool {
	if f.cores[name] == nil {
		return false
	}
	if f.reaches(name) {
		if _, ok := f.lost[name]; ok {
			f.away[name] = append(f.away[name], f.now)
			delete(f.lost, name)
		}
		return true
	}
	if _, ok := f.lost[name]; !ok {
		f.lost[name] = f.now
		f.away[name] = append(f.away[name], f.now)
	}
	return f.now.Sub(f.lost[name]) < 12*time.Second
}

func (f *fate) tenth() {
	for _, n := range f.names {
		f.ready[n] = f.serves(n)
	}
	for _, l := range f.lives {
		if l.cut || f.now.Before(l.next) {
			continue
		}
		l.next = f.now.Add(10 * time.Second)
		for _, n := range l.addresses {
			if f.poll(n, l.ID, Primary) {
				l.next = f.now.Add(l.interval)
				l.heard = append(l.heard, hearing{f.now, n})
				break
			}
		}
	}
	if !f.reaches(f.judge) { // the shards go to one who reaches the majority
		for _, n := range f.names {
			if f.reaches(n) {
				f.lead(n)
				break
			}
		}
	}
}

// start begins a process, which serves nobody before it reaches a majority.
func (f *fate) start(name string) {
	if _, ok := f.lost[name]; !ok {
		f.away[name] = append(f.away[name], f.now)
	}
	f.lost[name] = f.now.Add(-time.Hour)
	f.world.start(name)
	f.ready[name] = f.serves(name)
	f.cores[name].Serve(f.now, f.ready[name])
}

// look decides nothing where nothing can be committed.
func (f *fate) step() {
	had := f.judge
	if !f.reaches(had) {
		f.judge = "nobody"
	}
	f.world.step()
	f.judge = had
}

func (f *fate) run(d time.Duration) {
	for end := f.now.Add(d); f.now.Before(end); {
		f.tenth()
		f.step()
	}
}

// harm does something to the mesh, or mends it.
func (f *fate) harm() {
	n := f.names[rapid.IntRange(0, 2).Draw(f.r, "node")]
	switch rapid.IntRange(0, 7).Draw(f.r, "harm") {
	case 0, 1:
		if f.cores[n] != nil {
			f.died[n] = append(f.died[n], f.now)
			f.stop(n)
		} else {
			f.start(n)
		}
	case 2:
		o := f.names[rapid.IntRange(0, 2).Draw(f.r, "other")]
		f.cut[link(n, o)] = !f.cut[link(n, o)]
	case 3:
		for _, o := range f.names { // cut off from all, or back
			if o != n {
				f.cut[link(n, o)] = !f.cut[link(n, o)]
			}
		}
	case 4:
		f.delay = time.Duration(rapid.IntRange(0, 15).Draw(f.r, "delay")) * 100 * time.Millisecond
	case 5:
		if f.reaches(n) {
			f.lead(n)
		}
	case 6:
		l := f.lives[rapid.IntRange(0, len(f.lives)-1).Draw(f.r, "panel")]
		l.cut = !l.cut
		l.next = f.now
	case 7:
		for _, o := range f.names { // all at once
			if f.cores[o] != nil {
				f.died[o] = append(f.died[o], f.now)
				f.stop(o)
			}
			f.start(o)
		}
	}
}

// falsely tells which hearing contradicts that a panel was judged silent: one
// newer than its interval and grace, at a reporting node: one that lived, and
// reached another one, for the seconds that it takes to tell of it.
func (f *fate) falsely(v verdict, l *life) string {
	for _, h := range l.heard {
		if !h.at.Before(v.at) || v.at.Sub(h.at) >= l.Within { // what is heard in the same tenth comes after it
			continue
		}
		told := true
		for _, d := range f.died[h.node] {
			told = told && (d.Before(h.at) || d.Sub(h.at) >= 4*time.Second)
		}
		for i := 0; i < len(f.away[h.node]); i += 2 {
			lost, found := f.away[h.node][i], v.at
			if i+1 < len(f.away[h.node]) {
				found = f.away[h.node][i+1]
			}
			told = told && (lost.Sub(h.at) >= 4*time.Second || found.Before(h.at))
		}
		if told {
			return fmt.Sprintf("%s heard it %s before", h.node, v.at.Sub(h.at))
		}
	}
	return ""
}

func TestRule30_Law(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := &fate{world: newWorld(r, sites...), r: r, lost: map[string]time.Time{}, died: map[string][]time.Time{}, away: map[string][]time.Time{}}
		longest := time.Duration(0)
		for i := range 6 {
			l := &life{interval: time.Duration(rapid.IntRange(20, 90).Draw(r, "interval")) * time.Second}
			l.Panel = Panel{ID: fmt.Sprint("p", i), Customer: "c", Within: l.interval + time.Duration(rapid.IntRange(10, 40).Draw(r, "grace"))*time.Second}
			first := rapid.IntRange(0, 2).Draw(r, "address")
			l.addresses = [2]string{sites[first], sites[(first+1+rapid.IntRange(0, 1).Draw(r, "second"))%3]}
			l.next = f.now.Add(time.Duration(rapid.IntRange(0, 200).Draw(r, "phase")) * 100 * time.Millisecond)
			f.put(l.Panel)
			f.lives = append(f.lives, l)
			longest = max(longest, l.Within+l.interval)
		}
		f.run(30 * time.Second)
		for range rapid.IntRange(0, 12).Draw(r, "harms") {
			f.harm()
			f.run(time.Duration(rapid.IntRange(1, 60).Draw(r, "seconds")) * time.Second)
		}
		clear(f.cut) // then all is well
		f.delay = 0
		for _, n := range f.names {
			if f.cores[n] == nil {
				f.start(n)
			}
		}
		f.run(3*longest + time.Minute)
		for _, l := range f.lives {
			silent := false
			for _, v := range f.of(l.ID) {
				raised := v.To != 0
				if raised == silent {
					r.Fatalf("%s: raised or restored twice: %s", l.ID, f.story())
				}
				silent = raised
				if !raised {
					if len(l.heard) == 0 {
						r.Fatalf("%s restored, never heard: %s", l.ID, f.story())
					}
					continue
				}
				if why := f.falsely(v, l); why != "" {
					r.Fatalf("%s raised at %s, and %s: %s", l.ID, v.at.Sub(begin), why, f.story())
				}
			}
			if silent != l.cut {
				r.Fatalf("%s: cut %v, in the end silent %v: %s", l.ID, l.cut, silent, f.story())
			}
			if got := f.known[l.ID].Silent&(decision.SilentAll|decision.SilentNever) != 0; got != silent {
				r.Fatalf("%s: the agreement says silent %v", l.ID, got)
			}
		}
		for range 3 { // each silence from now on is told in time
			for _, l := range f.lives {
				l.cut, l.next = false, f.now
			}
			f.run(slack + time.Duration(rapid.IntRange(0, 120).Draw(r, "back"))*time.Second)
			f.said = nil
			for _, l := range f.lives {
				l.cut = true
			}
			f.run(longest + 2*slack)
			for _, l := range f.lives {
				v, last := f.of(l.ID), l.heard[len(l.heard)-1].at
				if len(v) != 1 || v[0].at.Sub(last) < l.Within || v[0].at.Sub(last) > l.Within+slack+time.Second {
					r.Fatalf("%s: heard at %s for the last time, silent after %s, and told: %s", l.ID, last.Sub(begin), l.Within, f.story())
				}
			}
		}
	})
}
