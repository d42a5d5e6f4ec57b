package roster

import (
	"cmp"
	"hash/maphash"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"vedetta/wire/mesh"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// Loaded is one customer's opened roster. It is shared and never changed; after
// a change of one part another one shares all others.
type Loaded struct {
	Doc      roster.Customer // part 0: its Panels are the first only, see Panel and Panels
	Key      seal.Key
	Revision uint64 // of the newest part
	Index    uint64 // agreement index at which the newest part was put
	parts    []*part
	contacts map[string]int // contact id -> index in Doc.Contacts
	record   atomic.Pointer[seal.RecordKey]

	Identifier *seal.Identifier // of Key
}

// part is one opened document's panels.
type part struct {
	customer string
	number   int
	revision uint64
	panels   []roster.Panel
	order    []uint32 // places in panels by roster id
}

// RecordKey is what the customer's key seals the records of an origin with. It
// is kept as long as the document, of the origin that was asked for last.
func (l *Loaded) RecordKey(o mesh.Origin) *seal.RecordKey {
	if r := l.record.Load(); r != nil && r.Origin() == o {
		return r
	}
	r := l.Key.For(o)
	l.record.Store(r)
	return r
}

func newPart(doc roster.Customer, d Document) *part {
	panels := compact(doc.Panels)
	return &part{customer: d.Customer, number: doc.Part, revision: d.Revision, panels: panels, order: byID(panels)}
}

// with is the customer with one part put in place of its former self; of part 0
// come the contacts and rules too. l may be nil.
func (l *Loaded) with(doc roster.Customer, k seal.Key, d Document) *Loaded {
	next := &Loaded{Doc: roster.Customer{ID: d.Customer}, Key: k, Identifier: k.Identifier(), Revision: d.Revision, Index: d.Index}
	if l != nil {
		next.Doc, next.contacts = l.Doc, l.contacts
		next.Revision, next.Index = max(l.Revision, d.Revision), max(l.Index, d.Index)
		next.parts = slices.DeleteFunc(slices.Clone(l.parts), func(p *part) bool { return p.number == doc.Part })
	}
	p := newPart(doc, d)
	doc.Panels = p.panels
	next.parts = append(next.parts, p)
	slices.SortFunc(next.parts, func(a, b *part) int { return cmp.Compare(a.number, b.number) })
	if doc.Part == 0 {
		next.Doc, next.contacts = doc, nil
		if len(doc.Contacts) > 0 {
			next.contacts = make(map[string]int, len(doc.Contacts))
		}
		for i := range doc.Contacts {
			next.contacts[doc.Contacts[i].ID] = i
		}
	}
	return next
}

// Panel finds a panel by its roster id.
func (l *Loaded) Panel(id string) (*roster.Panel, bool) {
	for _, p := range l.parts {
		if i, ok := p.find(id); ok {
			return &p.panels[i], true
		}
	}
	return nil, false
}

// Panels are all of the customer's panels; they are shared and never changed.
func (l *Loaded) Panels() iter.Seq[*roster.Panel] {
	return func(yield func(*roster.Panel) bool) {
		for _, p := range l.parts {
			for i := range p.panels {
				if !yield(&p.panels[i]) {
					return
				}
			}
		}
	}
}

// Contact finds a contact by its id.
func (l *Loaded) Contact(id string) (*roster.Contact, bool) {
	i, ok := l.contacts[id]
	if !ok {
		return nil, false
	}
	return &l.Doc.Contacts[i], true
}

// ZoneName is what the panel's owner calls the zone, empty when it has no
// name. Leading zeros make no difference.
func ZoneName(p *roster.Panel, number string) string {
	number = TrimZeros(number)
	for _, z := range p.Zones {
		if TrimZeros(z.Number) == number {
			return z.Name
		}
	}
	return ""
}

// TrimZeros is a number's shortest spelling: "001" and "1" are one zone.
func TrimZeros(number string) string {
	if t := strings.TrimLeft(number, "0"); t != "" || number == "" {
		return t
	}
	return "0"
}

// bucketCount spreads the maps, so that a change copies few of them.
const bucketCount = 256

// ref is one panel of an account, and the next. It never changes.
type ref struct {
	part  *part
	panel *roster.Panel
	next  *ref
}

// without is the list but for one panel; it shares what stands behind it.
func (r *ref) without(p *roster.Panel) *ref {
	switch {
	case r == nil:
		return nil
	case r.panel == p:
		return r.next
	}
	return &ref{r.part, r.panel, r.next.without(p)}
}

// Snapshot is the roster at one agreement index. It never changes.
type Snapshot struct {
	index uint64
	*tables
}

// tables are shared by all snapshots between two changes of documents.
type tables struct {
	customers int
	documents int // parts of all customers
	panels    int
	seed      maphash.Seed
	byID      [bucketCount]map[string]*Loaded
	byAccount [bucketCount]map[string]*ref // key: account in upper case
}

// Index is the agreement index that the snapshot reflects.
func (s *Snapshot) Index() uint64 { return s.index }

// Customer finds a customer's document.
func (s *Snapshot) Customer(id string) (*Loaded, bool) {
	if s.customers == 0 {
		return nil, false
	}
	l, ok := s.byID[s.bucket(id)][id]
	return l, ok
}

func (t *tables) bucket(key string) int {
	return int(maphash.String(t.seed, key) % bucketCount)
}

func newSnapshot() *Snapshot { return &Snapshot{tables: &tables{seed: maphash.MakeSeed()}} }

// Each calls fn for every panel of every customer.
func (s *Snapshot) Each(fn func(customer string, p *roster.Panel)) {
	s.each(func(l *Loaded) {
		for p := range l.Panels() {
			fn(l.Doc.ID, p)
		}
	})
}

func (s *Snapshot) each(fn func(*Loaded)) {
	for _, b := range s.byID {
		for _, l := range b {
			fn(l)
		}
	}
}

// builder makes the next snapshot, copying only the maps it writes to.
type builder struct {
	tables
	old       *Snapshot
	ownID     [bucketCount]bool
	ownByAcct [bucketCount]bool
	changed   bool
	moved     []moved
}

// moved are the panels of one document before and after a change.
type moved struct {
	customer string
	index    uint64 // agreement index of the document; 0: it was destroyed
	was, is  []roster.Panel
}

func newBuilder(old *Snapshot) *builder {
	return &builder{tables: *old.tables, old: old}
}

// put replaces one part of a customer's roster.
func (b *builder) put(d Document, doc roster.Customer, k seal.Key) {
	at := b.bucket(d.Customer)
	b.write(at)
	former := b.byID[at][d.Customer]
	change := moved{customer: d.Customer, index: d.Index}
	if former == nil {
		b.customers++
	} else {
		for _, p := range former.parts {
			if p.number == d.Part {
				change.was = p.panels
				b.remove(p)
			}
		}
	}
	l := former.with(doc, k, d)
	b.byID[at][d.Customer] = l
	i := slices.IndexFunc(l.parts, func(p *part) bool { return p.number == d.Part })
	b.add(l.parts[i])
	change.is = l.parts[i].panels
	b.moved = append(b.moved, change)
}

// has tells whether a customer's first part is there; it comes before all others.
func (b *builder) has(id string) bool {
	_, ok := b.byID[b.bucket(id)][id]
	return ok
}

func (b *builder) add(p *part) {
	b.documents++
	for i := range p.panels {
		account := strings.ToUpper(p.panels[i].Account)
		at := b.accounts(account)
		b.byAccount[at][account] = &ref{p, &p.panels[i], b.byAccount[at][account]}
		b.panels++
	}
}

func (b *builder) remove(p *part) {
	b.documents--
	for i := range p.panels {
		account := strings.ToUpper(p.panels[i].Account)
		at := b.accounts(account)
		rest := b.byAccount[at][account].without(&p.panels[i])
		if rest == nil {
			delete(b.byAccount[at], account)
		} else {
			b.byAccount[at][account] = rest
		}
		b.panels--
	}
}

// drop removes a customer.
func (b *builder) drop(id string) {
	at := b.bucket(id)
	l, ok := b.byID[at][id]
	if !ok {
		return
	}
	b.write(at)
	delete(b.byID[at], id)
	b.customers--
	for _, p := range l.parts {
		b.moved = append(b.moved, moved{customer: id, was: p.panels})
		b.remove(p)
	}
}

func (b *builder) write(at int) {
	b.changed = true
	if !b.ownID[at] {
		b.ownID[at] = true
		b.byID[at] = clone(b.byID[at])
	}
}

func (b *builder) accounts(account string) int {
	at := b.bucket(account)
	if !b.ownByAcct[at] {
		b.ownByAcct[at] = true
		b.byAccount[at] = clone(b.byAccount[at])
	}
	return at
}

func clone[V any](m map[string]V) map[string]V {
	if m == nil {
		return make(map[string]V)
	}
	return maps.Clone(m)
}

// done is the old snapshot when nothing changed.
func (b *builder) done(index uint64) *Snapshot {
	if !b.changed && index == b.old.index {
		return b.old
	}
	if !b.changed {
		return &Snapshot{index, b.old.tables}
	}
	t := b.tables
	return &Snapshot{index, &t}
}

// Load prepares a document that came from elsewhere than the agreement.
func Load(doc roster.Customer) *Loaded {
	return (*Loaded)(nil).with(doc, seal.Key{}, Document{Customer: doc.ID, Part: doc.Part})
}
