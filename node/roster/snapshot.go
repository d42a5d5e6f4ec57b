package roster

import (
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"vedetta/wire/mesh"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

// Loaded is one customer's opened document. It is shared and never changed.
type Loaded struct {
	Doc      roster.Customer
	Key      seal.Key
	Revision uint64
	Index    uint64         // agreement index at which the document was put
	panels   map[string]int // roster id -> index in Doc.Panels
	contacts map[string]int // contact id -> index in Doc.Contacts
	record   atomic.Pointer[seal.RecordKey]
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

func newLoaded(doc roster.Customer, k seal.Key, d Document) *Loaded {
	l := &Loaded{Doc: doc, Key: k, Revision: d.Revision, Index: d.Index,
		panels: make(map[string]int, len(doc.Panels)), contacts: make(map[string]int, len(doc.Contacts))}
	for i := range doc.Panels {
		l.panels[doc.Panels[i].ID] = i
	}
	for i := range doc.Contacts {
		l.contacts[doc.Contacts[i].ID] = i
	}
	return l
}

// Panel finds a panel by its roster id.
func (l *Loaded) Panel(id string) (*roster.Panel, bool) {
	i, ok := l.panels[id]
	if !ok {
		return nil, false
	}
	return &l.Doc.Panels[i], true
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

type ref struct {
	l     *Loaded
	panel int
}

// Snapshot is the roster at one agreement index. It never changes.
type Snapshot struct {
	index uint64
	*tables
}

// tables are shared by all snapshots between two changes of documents.
type tables struct {
	customers int
	panels    int
	seed      maphash.Seed
	byID      [bucketCount]map[string]*Loaded
	byAccount [bucketCount]map[string][]ref // key: account in upper case
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
}

func newBuilder(old *Snapshot) *builder {
	return &builder{tables: *old.tables, old: old}
}

func (b *builder) put(l *Loaded) {
	b.drop(l.Doc.ID)
	at := b.bucket(l.Doc.ID)
	b.write(at)
	b.byID[at][l.Doc.ID] = l
	b.customers++
	for i := range l.Doc.Panels {
		account := strings.ToUpper(l.Doc.Panels[i].Account)
		at := b.accounts(account)
		b.byAccount[at][account] = append(slices.Clip(b.byAccount[at][account]), ref{l, i})
		b.panels++
	}
}

func (b *builder) drop(id string) {
	at := b.bucket(id)
	l, ok := b.byID[at][id]
	if !ok {
		return
	}
	b.write(at)
	delete(b.byID[at], id)
	b.customers--
	for i := range l.Doc.Panels {
		account := strings.ToUpper(l.Doc.Panels[i].Account)
		at := b.accounts(account)
		rest := slices.DeleteFunc(slices.Clone(b.byAccount[at][account]), func(r ref) bool { return r.l == l && r.panel == i })
		if len(rest) == 0 {
			delete(b.byAccount[at], account)
		} else {
			b.byAccount[at][account] = rest
		}
		b.panels--
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
func Load(doc roster.Customer) *Loaded { return newLoaded(doc, seal.Key{}, Document{}) }
