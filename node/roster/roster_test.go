package roster

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"vedetta/cluster/env"
	"vedetta/wire/roster"
	"vedetta/wire/seal"
)

func text(s string) *string { return &s }

// source is an agreement with documents only.
type source struct {
	index   uint64
	docs    map[string]Document
	keys    map[string]seal.Key
	changed chan struct{}
}

func newSource() *source {
	return &source{docs: map[string]Document{}, keys: map[string]seal.Key{}, changed: make(chan struct{})}
}

func (s *source) Documents(after uint64) (changed []Document, count int, index uint64) {
	for _, d := range s.docs {
		if d.Index > after {
			changed = append(changed, d)
		}
	}
	return changed, len(s.docs), s.index
}
func (s *source) HasDocument(c string) bool                  { _, ok := s.docs[c]; return ok }
func (s *source) CustomerKey(c string) (k seal.Key, ok bool) { k, ok = s.keys[c]; return }
func (s *source) Changed() <-chan struct{}                   { return s.changed }

func (s *source) put(t *testing.T, c roster.Customer) {
	t.Helper()
	if _, ok := s.keys[c.ID]; !ok {
		s.keys[c.ID] = seal.NewKey()
	}
	b, err := roster.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	s.index++
	at := c.ID
	if c.Part > 0 {
		at = fmt.Sprint(c.ID, " ", c.Part)
	}
	s.docs[at] = Document{Customer: c.ID, Part: c.Part, Revision: s.docs[at].Revision + 1, Index: s.index, Sealed: seal.SealColumn(s.keys[c.ID], Purpose, b)}
}

func panel(id, listener string, prefix, receiver *string, account string) roster.Panel {
	return roster.Panel{ID: id, Listener: listener, Prefix: prefix, Receiver: receiver, Account: account}
}

func TestFind(t *testing.T) {
	s := newSource()
	s.put(t, roster.Customer{ID: "c1", Panels: []roster.Panel{
		panel("any", "", nil, nil, "12ab"),
		panel("exact", "", text("5"), text("1"), "12AB"),
		panel("prefix only", "", text("7"), nil, "12AB"),
		panel("second listener", "two", nil, nil, "12AB"),
	}})
	s.put(t, roster.Customer{ID: "c2", Panels: []roster.Panel{
		panel("twin a", "", nil, nil, "7777"), panel("alone", "", nil, nil, "8888"),
	}})
	s.put(t, roster.Customer{ID: "c3", Panels: []roster.Panel{panel("twin b", "main", nil, nil, "7777")}})
	r := New(s, env.Quiet(1))
	r.Sync()
	for name, c := range map[string]struct {
		listener         string
		prefix, receiver *string
		account          string
		want             string
	}{
		"without R and L, any":           {"main", text("0"), nil, "12AB", "any"},
		"lower case":                     {"main", text("0"), text("9"), "12ab", "any"},
		"exact wins":                     {"main", text("5"), text("1"), "12AB", "exact"},
		"leading zeros":                  {"main", text("005"), text("01"), "12AB", "exact"},
		"the exact receiver is absent":   {"main", text("5"), nil, "12AB", "any"},
		"exact in what was entered":      {"main", text("7"), nil, "12AB", "prefix only"},
		"two fit":                        {"main", text("7"), text("3"), "12AB", "ambiguous"},
		"other listener":                 {"two", text("5"), text("1"), "12AB", "second listener"},
		"unknown listener":               {"three", text("5"), text("1"), "12AB", "unknown"},
		"unknown account":                {"main", text("5"), text("1"), "12AC", "unknown"},
		"two customers with one account": {"main", text("0"), nil, "7777", "ambiguous"},
		"empty listener is main":         {"", text("0"), nil, "8888", "alone"},
	} {
		t.Run(name, func(t *testing.T) {
			m, kind := r.Find(c.listener, c.prefix, c.receiver, c.account)
			got := kind.String()
			if kind == Found {
				got = m.Panel.ID
				if m.Key() != s.keys[m.Customer.Doc.ID] {
					t.Error("key of another customer")
				}
			}
			if got != c.want {
				t.Errorf("found %s, want %s", got, c.want)
			}
		})
	}
}

func TestRule15_roster_follows(t *testing.T) {
	s := newSource()
	s.put(t, roster.Customer{ID: "c1", Panels: []roster.Panel{panel("p1", "", nil, nil, "1111")}})
	s.put(t, roster.Customer{ID: "c2", Panels: []roster.Panel{panel("p2", "", nil, nil, "2222")}})
	r := New(s, env.Quiet(1))
	r.Sync()
	before := r.Snapshot()
	if before.Index() != 2 {
		t.Fatalf("index %d, want 2", before.Index())
	}

	s.put(t, roster.Customer{ID: "c1", Panels: []roster.Panel{panel("p3", "", nil, nil, "3333")}})
	delete(s.docs, "c2")
	delete(s.keys, "c2")
	s.index = 9
	r.Sync()
	for account, want := range map[string]Kind{"1111": Unknown, "2222": Unknown, "3333": Found} {
		if _, got := r.Find("", nil, nil, account); got != want {
			t.Errorf("%s: %s, want %s", account, got, want)
		}
	}
	if r.Index() != 9 || r.Snapshot().panels != 1 || r.Snapshot().customers != 1 {
		t.Errorf("index %d, %d panels of %d customers, want 9, 1, 1", r.Index(), r.Snapshot().panels, r.Snapshot().customers)
	}
	if _, got := before.Find("", nil, nil, "2222"); got != Found {
		t.Error("a snapshot changed under its reader")
	}
}

// TestRule15_roster_in_parts: panels of all parts are the customer's; a change
// of one leaves the others as they are, in memory too.
func TestRule15_roster_in_parts(t *testing.T) {
	s := newSource()
	part := func(n int, panels ...roster.Panel) { s.put(t, roster.Customer{ID: "c1", Part: n, Panels: panels}) }
	s.put(t, roster.Customer{ID: "c1", Panels: []roster.Panel{panel("p0", "", nil, nil, "1111")}, Contacts: []roster.Contact{{ID: "ann"}}, Rules: []roster.Rule{{ID: "r"}}})
	part(1, panel("p1", "", nil, nil, "2222"))
	part(2, panel("p2", "", nil, nil, "3333"), panel("p3", "", nil, nil, "4444"))
	r := New(s, env.Quiet(1))
	r.Sync()
	want := func(accounts map[string]string, customers, panels int) {
		t.Helper()
		for account, id := range accounts {
			m, kind := r.Find("", nil, nil, account)
			if id == "" && kind != Unknown || id != "" && (kind != Found || m.Panel.ID != id || m.Key() != s.keys["c1"] || len(m.Customer.Doc.Rules) != 1) {
				t.Errorf("%s: %s %+v, want %q with the customer's rules", account, kind, m, id)
			}
			if p, ok := m.Customer.panel(id); id != "" && (!ok || p != m.Panel) {
				t.Errorf("%s isn't the customer's by its id", id)
			}
		}
		if x := r.Snapshot(); x.customers != customers || x.panels != panels {
			t.Errorf("%d customers, %d panels, want %d and %d", x.customers, x.panels, customers, panels)
		}
	}
	want(map[string]string{"1111": "p0", "2222": "p1", "3333": "p2", "4444": "p3"}, 1, 4)
	before, _ := r.Find("", nil, nil, "2222")
	part(2, panel("p3", "", nil, nil, "5555"))
	r.Sync()
	want(map[string]string{"1111": "p0", "2222": "p1", "3333": "", "4444": "", "5555": "p3"}, 1, 3)
	if after, _ := r.Find("", nil, nil, "2222"); after.Panel != before.Panel {
		t.Error("a part that didn't change was opened again")
	}
	s.put(t, roster.Customer{ID: "c1", Rules: []roster.Rule{{ID: "r2"}}, Contacts: []roster.Contact{{ID: "bob"}}})
	r.Sync()
	want(map[string]string{"1111": "", "2222": "p1", "5555": "p3"}, 1, 2)
	if l, _ := r.Snapshot().Customer("c1"); l.Index != s.index {
		t.Errorf("roster index %d, want the newest part's, %d", l.Index, s.index)
	} else if _, ok := l.Contact("bob"); !ok {
		t.Error("the new contact is missing")
	}
	n := 0
	l, _ := r.Snapshot().Customer("c1")
	for range l.Panels() {
		n++
	}
	clear(s.docs)
	delete(s.keys, "c1")
	r.Sync()
	want(map[string]string{"2222": "", "5555": ""}, 0, 0)
	if n != 2 {
		t.Errorf("%d panels by walking, want 2", n)
	}
}

func (l *Loaded) panel(id string) (*roster.Panel, bool) {
	if l == nil {
		return nil, false
	}
	return l.Panel(id)
}

func TestUnopenedDocumentHarmsNobody(t *testing.T) {
	s := newSource()
	s.put(t, roster.Customer{ID: "bad", Panels: []roster.Panel{panel("former", "", nil, nil, "1111")}})
	r := New(s, env.Quiet(1))
	r.Sync()
	s.put(t, roster.Customer{ID: "bad", Panels: []roster.Panel{panel("newer", "", nil, nil, "1111")}})
	good := s.docs["bad"]
	broken := good
	broken.Sealed = append([]byte(nil), good.Sealed...)
	broken.Sealed[len(broken.Sealed)-1] ^= 1
	s.docs["bad"] = broken
	s.put(t, roster.Customer{ID: "fine", Panels: []roster.Panel{panel("p", "", nil, nil, "2222")}})
	r.Sync()
	if m, kind := r.Find("", nil, nil, "1111"); kind != Found || m.Panel.ID != "former" {
		t.Errorf("found %s, want the former document's panel", kind)
	}
	if _, kind := r.Find("", nil, nil, "2222"); kind != Found {
		t.Errorf("the other customer's panel is %s", kind)
	}
	if n := testutil.ToFloat64(r.unopened); n != 1 {
		t.Errorf("%v documents counted as not opened, want 1", n)
	}
	good.Index = s.index + 1
	s.index++
	s.docs["bad"] = good
	r.Sync()
	if m, _ := r.Find("", nil, nil, "1111"); m.Panel == nil || m.Panel.ID != "newer" {
		t.Error("the document that can be opened again was not taken")
	}
	if n := testutil.ToFloat64(r.unopened); n != 0 {
		t.Errorf("%v documents counted as not opened, want 0", n)
	}
}

// Without the customer's rules nobody would be told of an alarm: such a panel is
// unknown, and its messages are held for the operator.
func TestRule15_NoPanelWithoutItsCustomersRules(t *testing.T) {
	for range 8 { // whichever is looked at first
		s := newSource()
		s.put(t, roster.Customer{ID: "c1", Panels: []roster.Panel{panel("p0", "", nil, nil, "1111")}, Rules: []roster.Rule{{ID: "r"}}})
		good := s.docs["c1"]
		broken := good
		broken.Sealed = append([]byte(nil), good.Sealed...)
		broken.Sealed[len(broken.Sealed)-1] ^= 1
		s.docs["c1"] = broken
		s.put(t, roster.Customer{ID: "c1", Part: 1, Panels: []roster.Panel{panel("p1", "", nil, nil, "2222")}})
		r := New(s, env.Quiet(1))
		r.Sync()
		if m, kind := r.Find("", nil, nil, "2222"); kind != Unknown {
			t.Fatalf("%s, with %d rules; want it unknown", kind, len(m.Customer.Doc.Rules))
		}
		if n := testutil.ToFloat64(r.unopened); n != 2 {
			t.Errorf("%v documents counted as not opened, want 2", n)
		}
		s.index++
		good.Index = s.index
		s.docs["c1"] = good
		r.Sync()
		if m, kind := r.Find("", nil, nil, "2222"); kind != Found || len(m.Customer.Doc.Rules) != 1 {
			t.Errorf("%s once the first part is there, want it with its rules", kind)
		}
	}
}

func TestLookup(t *testing.T) {
	s := newSource()
	s.keys["c"] = seal.NewKey()
	ck := seal.NewContactKey()
	token := func(subject, field, value string) string {
		tok, err := ck.Encrypt(subject, field, value)
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	s.put(t, roster.Customer{ID: "c", Contacts: []roster.Contact{{
		ID: "ann", Language: "it", WrappedKey: ck.Wrap(s.keys["c"], "ann"), Name: token("ann", NameField, "Anna"),
		Addresses: []roster.Address{
			{ID: "a1", Channel: "email", Token: token("ann", AddressField("email"), "anna@example.org")},
			{ID: "a2", Channel: "email", Token: token("bob", AddressField("email"), "bob@example.org")},
			{ID: "a3", Channel: "sms", Token: token("ann", AddressField("email"), "anna@example.org")},
		}}}})
	r := New(s, env.Quiet(1))
	r.Sync()
	if v, lang, ok, err := r.Lookup("c", "ann", "a1"); v != "anna@example.org" || lang != "it" || !ok || err != nil {
		t.Errorf("lookup: %q %q %v %v", v, lang, ok, err)
	}
	for name, addr := range map[string]string{"another's token": "a2", "another channel's token": "a3"} {
		if v, _, ok, err := r.Lookup("c", "ann", addr); v != "" || !ok || err == nil {
			t.Errorf("%s: %q %v %v, want an error", name, v, ok, err)
		}
	}
	for _, who := range [][3]string{{"c", "ann", "a9"}, {"c", "eve", "a1"}, {"d", "ann", "a1"}} {
		if _, _, ok, err := r.Lookup(who[0], who[1], who[2]); ok || err != nil {
			t.Errorf("%v: %v %v, want none", who, ok, err)
		}
	}
}

func TestRunFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		r := New(s, env.Quiet(1))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		synctest.Wait()
		s.put(t, roster.Customer{ID: "c", Panels: []roster.Panel{panel("p", "", nil, nil, "1111")}})
		changed := s.changed
		s.changed = make(chan struct{})
		close(changed)
		<-time.After(2 * syncPause)
		synctest.Wait()
		if _, kind := r.Find("", nil, nil, "1111"); kind != Found {
			t.Errorf("panel is %s after the change", kind)
		}
		cancel()
		<-done
	})
}

// A change of one small customer must not cost what all customers cost.
func BenchmarkChange(b *testing.B) {
	s := newSource()
	for c := range 2000 {
		doc := roster.Customer{ID: fmt.Sprint("c", c)}
		for p := range 50 {
			doc.Panels = append(doc.Panels, panel(fmt.Sprint(c, "-", p), "", nil, nil, fmt.Sprintf("%08X", c*50+p)))
		}
		t := &testing.T{}
		s.put(t, doc)
	}
	r := New(s, env.Quiet(1))
	r.Sync()
	runtime.GC()
	for b.Loop() {
		s.put(&testing.T{}, roster.Customer{ID: "c7", Panels: []roster.Panel{panel("x", "", nil, nil, "FFFF")}})
		r.Sync()
	}
}
