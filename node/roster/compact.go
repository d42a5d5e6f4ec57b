package roster

import (
	"cmp"
	"slices"
	"strings"

	"vedetta/wire/roster"
)

// A node holds every panel of the mesh, a million by design: what each takes
// beyond its struct is kept small. The texts of one document stand one after the
// other in one string, those that most panels share once.

// compact copies panels so that they take no more than they need.
func compact(in []roster.Panel) []roster.Panel {
	out := slices.Clip(slices.Clone(in))
	shared := map[string]string{}
	once := func(s string) string {
		if t, ok := shared[s]; ok {
			return t
		}
		s = strings.Clone(s)
		shared[s] = s
		return s
	}
	size, keys := 0, 0
	for i := range out {
		p := &out[i]
		size += len(p.ID) + len(p.Name) + len(p.Account)
		keys += len(p.Key)
	}
	var text strings.Builder
	text.Grow(size)
	for i := range out {
		for _, s := range [...]string{out[i].ID, out[i].Name, out[i].Account} {
			text.WriteString(s)
		}
	}
	all, at, secret := text.String(), 0, make([]byte, 0, keys)
	next := func(n int) string { at += n; return all[at-n : at] }
	for i := range out {
		p := &out[i]
		p.ID, p.Name, p.Account = next(len(p.ID)), next(len(p.Name)), next(len(p.Account))
		p.Listener, p.TimeZone, p.Profile = once(p.Listener), once(p.TimeZone), once(p.Profile)
		if len(p.Zones) == 0 {
			p.Zones = nil
		}
		if len(p.Key) > 0 {
			from := len(secret)
			secret = append(secret, p.Key...)
			p.Key = secret[from:len(secret):len(secret)]
		}
	}
	return out
}

// byID orders the places of panels by their roster ids.
func byID(panels []roster.Panel) []uint32 {
	order := make([]uint32, len(panels))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int { return cmp.Compare(panels[a].ID, panels[b].ID) })
	return order
}

// find is the place of a panel of the part.
func (p *part) find(id string) (int, bool) {
	k, ok := slices.BinarySearchFunc(p.order, id, func(i uint32, id string) int { return cmp.Compare(p.panels[i].ID, id) })
	if !ok {
		return 0, false
	}
	return int(p.order[k]), true
}
