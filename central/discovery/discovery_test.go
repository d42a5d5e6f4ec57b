package discovery_test

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/discovery"
	"vedetta/central/premises"
	"vedetta/wire/entry"
	"vedetta/wire/mesh"
)

var (
	now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	key = []byte("0123456789abcdef")
)

func text(s string) *string { return &s }

// service is central that has taken over what strangers sent.
func service(t *testing.T, held ...centraltest.Stranger) *centraltest.Service {
	t.Helper()
	s := centraltest.NewService(t, now)
	take(t, s, held...)
	return s
}

func take(t *testing.T, s *centraltest.Service, held ...centraltest.Stranger) (list []mesh.Position) {
	t.Helper()
	for _, h := range held {
		if h.At.IsZero() {
			h.At = now.Add(-time.Minute)
		}
		list = append(list, h.Hold(s.Mesh))
	}
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
		t.Fatal(err)
	}
	return list
}

func panels(t *testing.T, s *centraltest.Service, at time.Time) []discovery.Panel {
	t.Helper()
	p, err := s.Discovery.List(t.Context(), at, 100, "")
	if err != nil {
		t.Fatal(err)
	}
	return p.Items
}

func carry(t *testing.T, s *centraltest.Service, at time.Time) {
	t.Helper()
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if err := s.Discovery.Carry(t.Context(), at); err != nil {
		t.Fatal(err)
	}
}

func newPanel(key string) premises.PanelBody {
	b := premises.NewPanel()
	b.Name, b.Key = "Magazzino", key
	return b
}

// TestHeldMessagesAreShown with where they came from and what they say; an
// encrypted one says nothing, a repeat counts, what is over 7 days old is gone.
func TestHeldMessagesAreShown(t *testing.T) {
	s := service(t)
	first := take(t, s, centraltest.Stranger{At: now.Add(-2 * time.Hour), Account: "F00D", Prefix: text("0"), Blocks: "[#F00D|Nri1/FA007^CUCINA^]", Sequence: 1})[0]
	take(t, s,
		centraltest.Stranger{At: now.Add(-2*time.Hour + 5*time.Second), Node: "roubaix", Account: "F00D", Prefix: text("0"), Blocks: "[#F00D|Nri1/FA007^CUCINA^]", Sequence: 1, CopyOf: first},
		centraltest.Stranger{At: now.Add(-time.Minute), Account: "f00d", Prefix: text("0"), Blocks: "[#F00D|Nri1/BA002]", Sequence: 2, Key: key},
		centraltest.Stranger{At: now.Add(-time.Hour), Account: "BEEF", Receiver: text("7"), Token: "ADM-CID", Blocks: "[#BEEF|1130 01 003][K00112233445566778899AABBCCDDEEFF]", Sequence: 9},
		centraltest.Stranger{At: now.Add(-time.Hour), Account: "5544", Token: "NULL", Blocks: "[]"}, // the shop's, before it was entered
		centraltest.Stranger{At: now.Add(-170 * time.Hour), Account: "0123", Blocks: "[#0123|Nri1/BA002]"},
		centraltest.Stranger{At: now.Add(-time.Second), Account: "AB12CD34", Prefix: text("0"), Reason: "ambiguous_panel", Blocks: "[#AB12CD34|Nri1/BA002]"},
	)
	list := panels(t, s, now)
	if len(list) != 3 {
		t.Fatalf("%d unknown panels, want 3: %+v", len(list), list)
	}
	if p := list[0]; p.Account != "AB12CD34" || p.Reason != "ambiguous_panel" || len(p.Fits) != 1 || p.Fits[0].Panel != centraltest.House {
		t.Errorf("the last heard: %+v", p)
	}
	p := list[1]
	if p.Account != "f00d" && p.Account != "F00D" || *p.Prefix != "0" || p.Receiver != nil || p.Count != 3 || p.EncryptedCount != 1 || p.Reason != "unknown_account" ||
		time.Time(p.FirstTime) != now.Add(-2*time.Hour) || time.Time(p.LastTime) != now.Add(-time.Minute) || len(p.Fits) != 0 || !slices.Equal(p.Addresses, []string{"198.51.100.23"}) {
		t.Errorf("unknown panel %+v", p)
	}
	if len(p.Messages) != 3 || !p.Messages[0].Encrypted || len(p.Messages[0].Events) != 0 || p.Messages[1].Encrypted || len(p.Messages[1].Events) != 1 {
		t.Fatalf("messages %+v", p.Messages)
	}
	if e := p.Messages[2].Events[0]; e.Code != "FA" || e.Category != "fire" || *e.Zone != "007" || *e.Text != "CUCINA" || *e.MeaningIt == "" {
		t.Errorf("event %+v", e)
	}
	if m := p.Messages[2]; m.Entry != first.String() || m.Transport != "tcp" || !strings.Contains(m.Raw, "Nri1/FA007") {
		t.Errorf("message %+v", m)
	}
	if raw := list[2].Messages[0].Raw; strings.Contains(raw, "0011223344") || !strings.Contains(raw, "][K") {
		t.Errorf("a key that a panel says is shown: %q", raw)
	}
	one, err := s.Discovery.Panel(t.Context(), now, p.ID)
	if err != nil || one.Count != 3 {
		t.Errorf("%+v %v", one, err)
	}
	for _, bad := range []string{"", "x!", strings.ToUpper(p.ID)} {
		if _, err := s.Discovery.Panel(t.Context(), now, bad); !errors.Is(err, discovery.ErrNone) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// Page by page it is the same.
	var ids []string
	for cursor := ""; ; {
		page, err := s.Discovery.List(t.Context(), now, 1, cursor)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page.Items {
			ids = append(ids, p.ID)
		}
		if page.Next == nil {
			break
		}
		cursor = *page.Next
	}
	if !slices.Equal(ids, []string{list[0].ID, list[1].ID, list[2].ID}) {
		t.Errorf("page by page %v", ids)
	}
	if got := panels(t, s, now.Add(8*24*time.Hour)); len(got) != 0 {
		t.Errorf("after 8 days: %+v", got)
	}
}

// TestRule31_HeldIsGoneWithItsDay: nothing of what it said is kept elsewhere.
func TestRule31_HeldIsGoneWithItsDay(t *testing.T) {
	s := service(t, centraltest.Stranger{Account: "F00D", Blocks: "[#F00D|Nri1/FA007^CUCINA^]"})
	s.Ring.Destroyed("", mesh.DayOf(now))
	if got := panels(t, s, now); len(got) != 0 {
		t.Errorf("after the day's key was destroyed: %+v", got)
	}
	rows, err := s.DB.Read().QueryContext(t.Context(), `SELECT group_index, number_index, received_ms, encrypted, listed FROM held`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var a, b []byte
		var n, e, l int64
		if err := rows.Scan(&a, &b, &n, &e, &l); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(a)+string(b), "F00D") {
			t.Error("a row tells the account")
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestAdoptionTakesTheHeldMessages, repeats too, oldest first, and those that
// are held a moment later.
func TestAdoptionTakesTheHeldMessages(t *testing.T) {
	s := service(t)
	places := take(t, s,
		centraltest.Stranger{At: now.Add(-6 * 24 * time.Hour), Account: "F00D", Blocks: "[#F00D|Nri1/FA007]", Sequence: 1, Key: key},
		centraltest.Stranger{At: now.Add(-6*24*time.Hour + time.Second), Node: "limburg", Account: "F00D", Blocks: "[#F00D|Nri1/FA007]", Sequence: 1, Key: key},
		centraltest.Stranger{At: now.Add(-2 * time.Minute), Node: "roubaix", Account: "F00D", Prefix: text("1"), Blocks: "[#F00D|Nri1/FA007]", Sequence: 2, Key: key},
		centraltest.Stranger{At: now.Add(-time.Minute), Account: "F00D", Blocks: "[#F00D|Nri1/BA1]", Sequence: 3},
		centraltest.Stranger{At: now.Add(-time.Minute), Account: "BEEF", Blocks: "[#BEEF|Nri1/BA1]", Sequence: 3},
	)
	list := panels(t, s, now)
	i := slices.IndexFunc(list, func(p discovery.Panel) bool { return p.Account == "F00D" && p.Prefix == nil })
	s.Mesh.OnAdopt(func(a centraltest.Adopting) string {
		if a.Entry == places[3] {
			return "plain_refused"
		}
		return "adopted"
	})
	a, err := s.Discovery.Adopt(t.Context(), now, list[i].ID, discovery.Request{Customer: centraltest.Customer, New: newPanel(string(key))})
	if err != nil || a.State != "running" || a.Total != 4 || a.Waiting != 4 || a.Tell != entry.TellRecent {
		t.Fatalf("%+v %v", a, err)
	}
	b, err := s.Premises.Panel(t.Context(), centraltest.Customer, a.Panel)
	if err != nil || b.Account != "F00D" || b.Listener != "main" || !b.KeySet {
		t.Errorf("the panel: %+v %v", b, err)
	}
	s.Mesh.DropReply = false
	carry(t, s, now)
	var order []mesh.Position
	for _, x := range s.Mesh.Adopting() {
		order = append(order, x.Entry)
		if x.Customer != centraltest.Customer || x.Panel != a.Panel || x.Tell != "recent" {
			t.Errorf("asked for %+v", x)
		}
	}
	if !slices.Equal(order, places[:4]) {
		t.Errorf("adopted %v, want %v: by receive time", order, places[:4])
	}
	if a, err = s.Discovery.Adoption(t.Context(), a.ID); err != nil || a.State != "running" || a.Waiting != 0 { // until it sees that nothing is left
		carry(t, s, now)
	}
	if a, err = s.Discovery.Adoption(t.Context(), a.ID); err != nil || a.State != "done" || a.Adopted != 3 || !maps.Equal(a.Left, map[string]int{"plain_refused": 1}) {
		t.Errorf("%+v %v", a, err)
	}
	list = panels(t, s, now)
	if len(list) != 2 || list[0].Count != 1 || list[1].Count != 1 {
		t.Errorf("left are %+v, want one message each", list)
	}
	for _, p := range list {
		if p.Account == "F00D" && (len(p.Fits) != 1 || p.Messages[0].Left == nil || *p.Messages[0].Left != "plain_refused") {
			t.Errorf("what was left doesn't say why: %+v", p)
		}
	}
	// A node had not applied the roster yet; and one that came later is a stranger's again.
	take(t, s, centraltest.Stranger{At: now.Add(20 * time.Second), Account: "F00D", Blocks: "[#F00D|Nri1/BA5]", Sequence: 5, Key: key},
		centraltest.Stranger{At: now.Add(20 * time.Minute), Account: "F00D", Blocks: "[#F00D|Nri1/BA6]", Sequence: 6, Key: key})
	carry(t, s, now.Add(30*time.Second))
	if a, err = s.Discovery.Adoption(t.Context(), a.ID); err != nil || a.Adopted != 4 {
		t.Errorf("%+v %v", a, err)
	}
}

// TestAdoptionGoesOnWhereItWas: answers get lost, nodes can do no more, central
// restarts; each message gets its outcome.
func TestAdoptionGoesOnWhereItWas(t *testing.T) {
	s := service(t)
	var held []centraltest.Stranger
	for i := range 250 {
		held = append(held, centraltest.Stranger{At: now.Add(time.Duration(i-300) * time.Second), Account: "F00D", Blocks: "[#F00D|Nri1/BA1]", Sequence: i + 1})
	}
	take(t, s, held...)
	a, err := s.Discovery.Adopt(t.Context(), now, panels(t, s, now)[0].ID, discovery.Request{Customer: centraltest.Customer, New: newPanel("")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Publisher.Flush(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	n := 0
	s.Mesh.OnAdopt(func(centraltest.Adopting) string {
		if n++; n%70 == 0 {
			return ""
		}
		return "adopted"
	})
	s.Mesh.DropReply = true
	s.Restart(t)
	for range 10 {
		s.Discovery.Carry(t.Context(), now) // some of them fail
	}
	if a, err = s.Discovery.Adoption(t.Context(), a.ID); err != nil || a.State != "done" || a.Adopted != 250 {
		t.Errorf("%+v %v", a, err)
	}
}

// TestAWrongKeyIsSaidAtOnce, before anything is written.
func TestAWrongKeyIsSaidAtOnce(t *testing.T) {
	s := service(t)
	for i, c := range []struct {
		name          string
		secret, plain int
		key           string
		anyway        bool
		want          string
	}{
		{"another key", 3, 0, "another key 1234", false, "key held_unopened the panel's own key: none of the encrypted held messages (3) opens with this one"},
		{"none", 3, 0, "", false, "key held_encrypted the panel's key: all held messages (3) are encrypted"},
		{"another key, anyway", 3, 0, "another key 1234", true, ""},
		{"none, anyway", 3, 0, "", true, ""},
		{"none, and some are plain", 2, 1, "", false, ""},
		{"its own", 3, 0, string(key), false, ""},
		{"its own as hex", 3, 0, "30313233343536373839616263646566", false, ""},
		{"one where all is plain", 0, 1, string(key), false, ""},
	} {
		account := fmt.Sprintf("F00%d", i)
		for n := range c.secret {
			take(t, s, centraltest.Stranger{Account: account, Blocks: "[#" + account + "|Nri1/BA1]", Sequence: n + 1, Key: key})
		}
		for n := range c.plain {
			take(t, s, centraltest.Stranger{Account: account, Blocks: "[#" + account + "|Nri1/BA1]", Sequence: n + 90})
		}
		before := count(t, s.DB.Read().QueryRowContext(t.Context(), `SELECT count(*) FROM adoptions`))
		list := panels(t, s, now)
		at := slices.IndexFunc(list, func(p discovery.Panel) bool { return p.Account == account })
		_, err := s.Discovery.Adopt(t.Context(), now, list[at].ID, discovery.Request{Customer: centraltest.Customer, New: newPanel(c.key), Anyway: c.anyway})
		var f premises.Faults
		got := ""
		if errors.As(err, &f) {
			got = f[0].Field + " " + f[0].Code + " " + f[0].Expected
		} else if err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if made := count(t, s.DB.Read().QueryRowContext(t.Context(), `SELECT count(*) FROM adoptions`)); (made == before) != (c.want != "") {
			t.Errorf("%s: %d adoptions after %d", c.name, made, before)
		}
	}
}

func count(t *testing.T, row *sql.Row) (n int) {
	t.Helper()
	if err := row.Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAdoptionByAPanelThatIsThere: what two panels could have sent, or a panel
// that was entered by hand, gets its messages; another customer's never.
func TestAdoptionByAPanelThatIsThere(t *testing.T) {
	s := service(t, centraltest.Stranger{Account: "5544", Reason: "ambiguous_panel", Blocks: "[#5544|Nri1/BA1]"})
	id := panels(t, s, now)[0].ID
	for _, r := range []discovery.Request{{Customer: "nobody", PanelID: centraltest.Shop}, {Customer: centraltest.Customer, PanelID: "none"}, {Customer: centraltest.Customer, PanelID: centraltest.Shop, Tell: "some"}} {
		var f premises.Faults
		if _, err := s.Discovery.Adopt(t.Context(), now, id, r); !errors.As(err, &f) {
			t.Errorf("%+v: %v, want faults", r, err)
		}
	}
	a, err := s.Discovery.Adopt(t.Context(), now, id, discovery.Request{Customer: centraltest.Customer, PanelID: centraltest.Shop, Tell: entry.TellNone})
	if err != nil || a.Panel != centraltest.Shop {
		t.Fatal(a, err)
	}
	s.Mesh.OnAdopt(func(centraltest.Adopting) string { return "no_panel" })
	carry(t, s, now.Add(time.Second))
	if a, err = s.Discovery.Adoption(t.Context(), a.ID); err != nil || a.Waiting != 1 {
		t.Errorf("a node that is behind gave up: %+v %v", a, err)
	}
	carry(t, s, now.Add(time.Minute))
	if a, err = s.Discovery.Adoption(t.Context(), a.ID); err != nil || a.Left["no_panel"] != 1 {
		t.Errorf("%+v %v", a, err)
	}
	if got := panels(t, s, now); len(got) != 1 {
		t.Errorf("what was left isn't shown: %+v", got)
	}
	// A taken account is refused like any panel.
	var f premises.Faults
	if _, err := s.Discovery.Adopt(t.Context(), now, id, discovery.Request{Customer: centraltest.Customer, New: newPanel("")}); !errors.Is(err, premises.ErrTaken) || !errors.As(err, &f) {
		t.Errorf("%v, want that it is taken", err)
	}
	if err := s.Discovery.Forget(t.Context(), now.Add(9*24*time.Hour)); err != nil || count(t, s.DB.Read().QueryRowContext(t.Context(), `SELECT count(*) FROM held`)) != 0 {
		t.Errorf("after 9 days rows are kept: %v", err)
	}
}
