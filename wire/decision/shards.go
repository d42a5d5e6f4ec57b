package decision

import (
	"vedetta/wire/mesh"
)

// DecideShards is what one node decides at one time for several of its shards:
// each Decide is accepted or refused by itself, as a whole (rule 14). No shard
// stands in it twice. It is written in the binary form, version 2, and its plain
// verdicts become runs.
type DecideShards struct {
	Decides []Decide
}

// Kind is Body.
func (DecideShards) Kind() Kind { return KindDecideShards }

// append writes the body.
func (d DecideShards) append() []byte {
	size := 64
	for i := range d.Decides {
		size += 128 * (1 + len(d.Decides[i].Moves) + len(d.Decides[i].Entries)) // a plain one has some 60
	}
	p := pack(size)
	p.uint(uint64(len(d.Decides)))
	for i := range d.Decides {
		p.decide(&d.Decides[i])
	}
	return p.b
}

func (p *packer) decide(d *Decide) {
	p.b = append(p.b, d.Shard)
	p.uint(d.Epoch)
	p.origin(d.Holder)
	p.uint(d.RosterIndex)
	p.uint(uint64(len(d.Moves)))
	for _, m := range d.Moves {
		p.origin(m.Origin)
		p.uint(m.From)
		p.uint(m.To)
	}
	p.uint(uint64(len(d.Entries)))
	for i := range d.Entries {
		p.verdict(&d.Entries[i], true)
	}
}

func readDecideShards(b []byte) (Body, error) {
	u := unpacker{b: b}
	d := DecideShards{}
	if n := u.count(leastDecide); n > 0 {
		d.Decides = make([]Decide, n)
	}
	for i := range d.Decides {
		u.decide(&d.Decides[i])
	}
	if err := u.end(); err != nil {
		return nil, err
	}
	return d, nil
}

func (u *unpacker) decide(d *Decide) {
	if b := u.take(1, "shard"); len(b) == 1 {
		d.Shard = b[0]
	}
	d.Epoch = u.uint()
	d.Holder = u.origin()
	d.RosterIndex = u.uint()
	if n := u.count(leastMove); n > 0 {
		d.Moves = make([]Move, n)
	}
	for i := range d.Moves {
		d.Moves[i] = Move{Origin: u.origin(), From: u.uint(), To: u.uint()}
	}
	if n := u.count(leastVerdict); n > 0 {
		d.Entries = make([]Verdict, n)
	}
	for i := range d.Entries {
		u.verdict(&d.Entries[i], true)
	}
}

// Size is how long a Decide is at most within a command.
func Size(d Decide) int {
	n := 64 + originBytes(d.Holder) + len(d.Moves)*(2*10+2)
	for _, m := range d.Moves {
		n += originBytes(m.Origin)
	}
	for i := range d.Entries {
		n += SizeOf(&d.Entries[i])
	}
	return n
}

// SizeOf is how long a verdict is at most within a command.
func SizeOf(v *Verdict) int {
	n := 64 + originBytes(v.Entry.Origin) + originBytes(v.CopyOf.Origin) + len(v.Identity) + atMost(v.Customer) + atMost(v.Panel) + atMost(string(v.Ruling))
	for i := range v.Events {
		e := &v.Events[i]
		n += 32
		for _, s := range [...]string{e.Standard, e.Code, e.Qualifier, e.Category, e.Partition, e.Zone, e.ZoneName, e.User, e.Text} {
			n += atMost(s)
		}
		for _, x := range e.Extended {
			n += atMost(x)
		}
	}
	for i := range v.Plan {
		p := &v.Plan[i]
		n += 48
		for _, s := range [...]string{p.ID, p.Event, p.Contact, p.Channel, p.Address, p.Rule} {
			n += atMost(s)
		}
	}
	return n
}

// atMost is a text's length with its own, and with U+FFFD in place of what is no
// UTF-8 in the worst case.
func atMost(s string) int {
	n := len(s) + 4
	for i := range len(s) {
		if s[i] >= 0x80 {
			n += 2
		}
	}
	return n
}

func originBytes(o mesh.Origin) int { return 20 + len(o.Node) }
