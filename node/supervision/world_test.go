package supervision

import (
	"fmt"
	"slices"
	"time"

	"vedetta/wire/decision"
)

// begin is when every world begins.
var begin = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// tb is what testing.T and rapid.T share.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// patience is how long a new panel may be unheard.
const patience = 24 * time.Hour

// world is a mesh of cores, stepped in tenths of a second, with the agreement as
// it would be: what is decided once is known to all.
type world struct {
	t      tb
	now    time.Time
	names  []string
	cores  map[string]*Core // nil while the node is down
	ready  map[string]bool
	cut    map[[2]string]bool // links that carry nothing, by both ends in order
	delay  time.Duration      // of a digest on its way
	mail   []letter
	known  Known
	judge  string // leads all shards
	said   []verdict
	panels []Panel
	starts uint64
}

type letter struct {
	from, to string
	at       time.Time
	seq      uint64
	digest   []byte
	core     *Core // of the sender, as it was
}

type verdict struct {
	at time.Time
	Change
}

func newWorld(t tb, names ...string) *world {
	w := &world{t: t, now: begin, names: names, cores: map[string]*Core{}, ready: map[string]bool{}, cut: map[[2]string]bool{}, known: Known{}, judge: names[0]}
	for _, n := range names {
		w.start(n)
	}
	return w
}

func (w *world) members() (m []Member, sites []string) {
	for _, n := range w.names {
		m, sites = append(m, Member{n, n}), append(sites, n)
	}
	return m, sites
}

// start begins a node's process, which knows nothing but the roster.
func (w *world) start(name string) {
	w.starts++
	c := NewCore(w.now, name, w.starts, patience)
	c.Configure(w.members())
	for _, p := range w.panels {
		p.Before = true // the node has the roster on its disk
		c.Put(w.now, p)
	}
	w.cores[name], w.ready[name] = c, true
	c.Serve(w.now, true)
}

func (w *world) stop(name string) { w.cores[name], w.ready[name] = nil, false }

func (w *world) put(p Panel) {
	w.panels = append(w.panels, p)
	for _, c := range w.cores {
		if c != nil {
			c.Put(w.now, p)
		}
	}
}

func link(a, b string) [2]string { return [2]string{min(a, b), max(a, b)} }

// poll is a message of a panel to a node; false: it isn't answered.
func (w *world) poll(node, panel string, p Path) bool {
	c := w.cores[node]
	if c == nil || !w.ready[node] {
		return false
	}
	c.Heard(w.now, panel, p)
	return true
}

// step lets a tenth of a second pass.
func (w *world) step() {
	w.now = w.now.Add(100 * time.Millisecond)
	tenth := int(w.now.Sub(begin) / (100 * time.Millisecond))
	for i, from := range w.names {
		c := w.cores[from]
		if c == nil {
			continue
		}
		c.Serve(w.now, w.ready[from])
		if tenth%10 != i { // each has its own second
			continue
		}
		c.Cut(w.now)
		for _, to := range w.names {
			if to != from && w.cores[to] != nil && !w.cut[link(from, to)] {
				w.send(from, to)
			}
		}
		if from == w.judge {
			w.look(c)
		}
	}
	w.deliver()
}

func (w *world) send(from, to string) {
	c := w.cores[from]
	b, seq := c.Digest(w.now, to)
	w.mail = append(w.mail, letter{from, to, w.now.Add(w.delay), seq, b, c})
}

func (w *world) deliver() {
	due := w.mail
	w.mail = nil
	for _, l := range due {
		c := w.cores[l.to]
		switch {
		case l.at.After(w.now):
			w.mail = append(w.mail, l)
		case c == nil || w.cut[link(l.from, l.to)]: // lost
		default:
			whole, err := c.Take(w.now, l.from, l.digest)
			if err != nil {
				w.t.Fatalf("digest of %s at %s: %v", l.from, l.to, err)
			}
			l.core.Answered(l.to, l.seq, !whole)
			if whole && w.cores[l.from] == l.core {
				w.send(l.from, l.to)
			}
		}
	}
}

func (w *world) look(c *Core) {
	j := c.Judge(w.now)
	for shard := range byte(shards) {
		known := Known{}
		for id, r := range w.known {
			if shardOf(keyOf(id)) == int(shard) {
				known[id] = r
			}
		}
		for _, ch := range j.Shard(shard, known, 100) {
			if w.known[ch.Panel].Silent != ch.From { // the agreement refuses
				w.t.Fatalf("%s: judged from %b, known is %b", ch.Panel, ch.From, w.known[ch.Panel].Silent)
			}
			r := Raised{Customer: ch.Customer, Silent: ch.To, Primary: w.known[ch.Panel].Primary}
			if ch.From&decision.SilentPrimary == 0 {
				r.Primary = 0
			}
			if ch.To == 0 {
				delete(w.known, ch.Panel)
			} else {
				w.known[ch.Panel] = r
			}
			w.said = append(w.said, verdict{w.now, ch})
		}
	}
	for id, r := range w.known {
		r.Primary += time.Second
		w.known[id] = r
	}
}

// lead moves the shards to another judge.
func (w *world) lead(name string) {
	if c := w.cores[w.judge]; c != nil {
		j := c.Judge(w.now)
		for shard := range byte(shards) {
			j.Leave(shard)
		}
	}
	w.judge = name
}

// pass lets time pass; each is called before every tenth of a second.
func (w *world) pass(d time.Duration, each func()) {
	for end := w.now.Add(d); w.now.Before(end); {
		if each != nil {
			each()
		}
		w.step()
	}
}

// of are the verdicts about a panel.
func (w *world) of(panel string) (out []verdict) {
	for _, v := range w.said {
		if v.Panel == panel {
			out = append(out, v)
		}
	}
	return out
}

// every calls fn each d of the world's time.
func (w *world) every(d time.Duration, fn func()) func() {
	next := w.now
	return func() {
		if !w.now.Before(next) {
			next = next.Add(d)
			fn()
		}
	}
}

func (w *world) wantNothing(why string) {
	w.t.Helper()
	if len(w.said) > 0 {
		w.t.Fatalf("%s: %s", why, w.story())
	}
}

// wantRaised wants one verdict about a panel, between two spans after a time.
func (w *world) wantRaised(panel string, bits decision.Silent, after time.Time, from, to time.Duration) {
	w.t.Helper()
	l := w.of(panel)
	if len(l) != 1 || l[0].To != bits {
		w.t.Fatalf("%s: %s, want it raised once as %b", panel, w.story(), bits)
	}
	if at := l[0].at.Sub(after); at < from || at > to {
		w.t.Fatalf("%s raised after %s, want between %s and %s", panel, at, from, to)
	}
}

func (w *world) story() string {
	var out []string
	for _, v := range w.said {
		out = append(out, fmt.Sprintf("%s: %s %b -> %b, heard %v", v.at.Sub(begin), v.Panel, v.From, v.To, v.Heard))
	}
	return fmt.Sprint(slices.Clip(out))
}
