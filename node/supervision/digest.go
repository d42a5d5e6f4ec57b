package supervision

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"
)

const digestVersion = 1

// Flags of a digest, and of a node in it.
const (
	flagWhole = 1

	nodeKnown   = 1
	nodeServing = 2
	nodeCovered = 4
)

// stale is after how long without its reports a node counts as not hearing
// another one: then who does hear it passes on what it heard.
const stale = 3 * second

// ErrDigest means that bytes are no digest, or one above this program's version.
var ErrDigest = errors.New("not a well-formed digest")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Cut ends the second that the next digests tell of. Call it before Digest.
func (c *Core) Cut(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.tick(now)
	c.seq++
	next := cut{seq: c.seq, from: at, to: at}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		next.from = min(next.from, s.from)
		next.fresh[i], s.fresh, s.from = s.fresh, nil, at
		if c.seq%60 == 0 {
			maps.DeleteFunc(s.early, func(_ uint64, e hearsay) bool { return at > e.told+keepEarly })
		}
		s.mu.Unlock()
	}
	if c.past.Swap(false) {
		for _, n := range c.nodes {
			n.acked = 0
		}
	}
	c.cuts = append(c.cuts, next)
	if len(c.cuts) > keptCuts {
		c.cuts = slices.Delete(c.cuts, 0, 1)
	}
}

// group is what a digest says of panels that one node heard at one time.
type group struct {
	path Path
	by   uint8
	age  tick
}

// Digest is what a node is to be told, and the number by which Answered knows it.
func (c *Core) Digest(now time.Time, to string) (digest []byte, seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.node(to)
	if i == nobody || i == 0 {
		return nil, 0
	}
	at, peer := c.tick(now), c.nodes[i]
	base := peer.acked
	if len(c.cuts) == 0 || base == 0 || base+1 < c.cuts[0].seq {
		base = 0
	}
	groups := map[group][]uint64{}
	var relayed [256]bool
	if base == 0 {
		c.gather(at, groups, func(*row, Path) bool { return true })
	} else {
		c.gatherCuts(at, base, groups)
		c.relay(at, peer, groups, &relayed)
	}
	b := []byte{digestVersion, 0}
	if base == 0 {
		b[1] = flagWhole
	}
	b = binary.BigEndian.AppendUint64(b, c.process)
	b = binary.AppendUvarint(b, base)
	b = binary.AppendUvarint(b, c.seq)
	b = binary.AppendUvarint(b, uint64(len(c.nodes)))
	for k, n := range c.nodes {
		b = binary.AppendUvarint(b, uint64(len(n.name)))
		b = append(b, n.name...)
		var flags byte
		for flag, has := range map[byte]bool{nodeKnown: n.reported > 0, nodeServing: n.serving, nodeCovered: k == 0 || base == 0 || relayed[k]} {
			if has {
				flags |= flag
			}
		}
		b = append(b, flags)
		b = binary.AppendUvarint(b, uint64(at-min(at, n.reported)))
		b = binary.AppendUvarint(b, uint64(at-min(at, n.since)))
	}
	return appendGroups(b, groups), c.seq
}

func appendGroups(b []byte, groups map[group][]uint64) []byte {
	order := make([]group, 0, len(groups))
	for g := range groups {
		order = append(order, g)
	}
	slices.SortFunc(order, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.by, b.by), cmp.Compare(a.age, b.age))
	})
	b = binary.AppendUvarint(b, uint64(len(order)))
	for _, g := range order {
		keys := groups[g]
		slices.Sort(keys)
		keys = slices.Compact(keys)
		b = append(b, byte(g.path), g.by)
		b = binary.AppendUvarint(b, uint64(g.age))
		b = binary.AppendUvarint(b, uint64(len(keys)))
		last := uint64(0)
		for _, k := range keys {
			b = binary.AppendUvarint(b, k-last)
			last = k
		}
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// rounded makes an age coarser, never older, so that many panels share one: by a
// second, or a 64th of a long age.
func rounded(age tick) tick { return age - age%max(second, age/64) }

// gather adds what is known of all panels that keep accepts.
func (c *Core) gather(now tick, to map[group][]uint64, keep func(*row, Path) bool) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.each(func(_ uint32, r *row) {
			for p := range paths {
				if r.heard[p] > 0 && r.by[p] != nobody && keep(r, p) {
					g := group{p, r.by[p], rounded(now - min(now, r.heard[p]))}
					to[g] = append(to[g], r.key)
				}
			}
		})
		s.mu.Unlock()
	}
}

// gatherCuts adds what was heard here since a digest.
func (c *Core) gatherCuts(now tick, base uint64, to map[group][]uint64) {
	for _, cut := range c.cuts {
		if cut.seq <= base {
			continue
		}
		for i := range c.shards {
			s := &c.shards[i]
			s.mu.Lock()
			for p := range paths {
				g := group{p, 0, now - min(now, cut.to)}
				if keys := s.keys(cut.fresh[i], func(r *row) bool { return r.by[p] == 0 && r.heard[p] >= cut.from }, to[g]); len(keys) > 0 {
					to[g] = keys
				}
			}
			s.mu.Unlock()
		}
	}
}

// relay adds what other nodes heard whose reports don't reach the peer: while
// two nodes can't reach each other, a third passes on.
func (c *Core) relay(now tick, peer *node, to map[group][]uint64, relayed *[256]bool) {
	var since [256]tick
	any := false
	for k, n := range c.nodes {
		told := peer.told[n.name]
		if k == 0 || n == peer || n.reported <= told+second/2 || now <= told+stale {
			continue
		}
		relayed[k], since[k], any = true, max(1, told.back(2*second)), true
	}
	if any {
		c.gather(now, to, func(r *row, p Path) bool { return since[r.by[p]] > 0 && r.heard[p] >= since[r.by[p]] })
	}
}

// Answered says what a node answered to a digest: it was taken, or it is to be
// sent whole.
func (c *Core) Answered(by string, seq uint64, taken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.node(by); i != nobody && i != 0 {
		if !taken {
			seq = 0
		}
		c.nodes[i].acked = seq
	}
}

// digest as it was read.
type digest struct {
	whole     bool
	process   uint64
	base, seq uint64
	nodes     []told
	groups    []telling
}

type told struct {
	name       string
	flags      byte
	age, since tick
}

type telling struct {
	group
	keys []uint64
}

func parseDigest(b []byte) (d digest, err error) {
	if len(b) > 0 && b[0] > digestVersion {
		return d, fmt.Errorf("digest of version %d, want at most %d: %w", b[0], digestVersion, ErrDigest)
	}
	if len(b) < 14 || b[0] != digestVersion {
		return d, fmt.Errorf("digest of %d bytes: %w", len(b), ErrDigest)
	}
	end := len(b) - 4
	if crc32.Checksum(b[:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
		return d, fmt.Errorf("digest: CRC differs: %w", ErrDigest)
	}
	r := reader{b: b[10:end]}
	d.whole, d.process = b[1]&flagWhole != 0, binary.BigEndian.Uint64(b[2:])
	d.base, d.seq = r.number(), r.number()
	for range r.count(4) {
		n := told{name: string(r.bytes(int(r.count(1)))), flags: r.byte()}
		n.age, n.since = r.age(), r.age()
		d.nodes = append(d.nodes, n)
	}
	for range r.count(4) {
		h := telling{group: group{path: Path(r.byte()), by: r.byte(), age: r.age()}}
		r.bad = r.bad || h.path >= paths || int(h.by) >= len(d.nodes)
		n := r.count(1)
		h.keys = make([]uint64, 0, n)
		key := uint64(0)
		for range n {
			key += r.number()
			r.bad = r.bad || key >= 1<<keyBits
			h.keys = append(h.keys, key)
		}
		d.groups = append(d.groups, h)
	}
	if r.bad || len(r.b) > 0 || len(d.nodes) == 0 {
		return digest{}, fmt.Errorf("digest: %w", ErrDigest)
	}
	return d, nil
}

// reader reads a digest's parts; the first that is not there makes it bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is a number of things of at least so many bytes each.
func (r *reader) count(least int) uint64 {
	v := r.number()
	if v > uint64(len(r.b)/least) {
		r.bad, r.b = true, nil
		return 0
	}
	return v
}

func (r *reader) age() tick {
	return tick(min(r.number(), uint64(pastTicks)))
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// Take takes over what another node told. whole: it must send all that it
// knows, for what came doesn't go on from what is known here.
func (c *Core) Take(now time.Time, from string, b []byte) (whole bool, err error) {
	d, err := parseDigest(b)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.node(from)
	if i == nobody || i == 0 || d.nodes[0].name != from {
		return false, fmt.Errorf("digest of %q from %q: %w", d.nodes[0].name, from, ErrDigest)
	}
	at, n := c.tick(now), c.nodes[i]
	if !d.whole && (n.process != d.process || n.seq == 0 || d.base > n.seq) {
		return true, nil
	}
	if n.process == d.process && d.seq < n.seq {
		return false, nil // overtaken by a later one
	}
	var index [256]uint8
	for k, t := range d.nodes[:min(len(d.nodes), nobody)] {
		index[k] = c.node(t.name)
	}
	for _, h := range d.groups {
		if by := index[h.by]; by != nobody {
			c.merge(at, at.back(h.age), by, h, d.whole || by != i)
		}
	}
	n.process, n.seq = d.process, d.seq
	for k, t := range d.nodes[:min(len(d.nodes), nobody)] {
		if index[k] != nobody {
			c.tell(at, n, index[k], t)
		}
	}
	return false, nil
}

// tell takes over what a digest says of a node. Needs mu.
func (c *Core) tell(now tick, from *node, about uint8, t told) {
	reported := now.back(t.age)
	if t.flags&nodeKnown == 0 {
		return
	}
	from.told[t.name] = reported
	n := c.nodes[about]
	if about == 0 || t.flags&nodeCovered == 0 || reported <= n.reported && n != from {
		return
	}
	since, serving := now.back(t.since), t.flags&nodeServing != 0
	if n.since == 0 || serving != n.serving || since+second/2 < n.since || since > n.since+3*second {
		n.since = since // else it is the same, told a moment later
	}
	n.reported, n.serving = max(n.reported, reported), serving
	if serving {
		c.served = min(c.served, n.since)
	}
}

// hearsay keeps what was told of a panel that isn't in the roster yet.
func (s *shard) hearsay(now tick, key uint64, p Path, at tick, by uint8) {
	if s.early == nil {
		s.early = map[uint64]hearsay{}
	}
	e, ok := s.early[key]
	if !ok {
		e.by = [paths]uint8{nobody, nobody}
	}
	e.told = now
	if at > e.heard[p] {
		e.heard[p], e.by[p] = at, by
	}
	s.early[key] = e
}

// merge takes over messages that another node heard. What was rounded on its
// way counts only where it is surely newer than what is known: a time that goes
// from node to node and back must not creep on.
func (c *Core) merge(now, at tick, by uint8, h telling, passedOn bool) {
	least := at
	if passedOn {
		least = at.back(max(second, h.age/64) + 2*second)
	}
	for k := 0; k < len(h.keys); {
		of := shardOf(h.keys[k])
		s := &c.shards[of]
		s.mu.Lock()
		for ; k < len(h.keys) && shardOf(h.keys[k]) == of; k++ {
			r, i := s.find(h.keys[k])
			if r == nil {
				s.hearsay(now, h.keys[k], h.path, at, by)
				continue
			}
			p := h.path
			if r.within[p] == 0 {
				p = Primary
			}
			newer := at > r.heard[p] && (r.by[p] != by || least > r.heard[p])
			if newer || r.heard[p] == 0 {
				if r.heard[p] == 0 {
					s.first(i, at)
				}
				r.heard[p], r.by[p] = at, by
			}
		}
		s.mu.Unlock()
	}
}
