package premises_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/premises"
	"vedetta/wire/roster"
)

const neighbour = "c-neri"

// second adds another customer.
func second(t *testing.T, s *centraltest.Service) {
	t.Helper()
	if _, err := s.Ring.Customer(t.Context(), neighbour); err != nil {
		t.Fatal(err)
	}
	err := s.DB.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO customers(id, language, created_ms) VALUES(?1, 'en', 0)`, neighbour)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, s *centraltest.Service, customer string, fn func(c *premises.Change) error) error {
	t.Helper()
	return s.Premises.Edit(t.Context(), at, customer, fn)
}

func addPanel(t *testing.T, s *centraltest.Service, customer string, fn func(*premises.PanelBody)) (b premises.PanelBody, err error) {
	t.Helper()
	b = premises.NewPanel()
	b.Name, b.Account = "Magazzino", "7777"
	if fn != nil {
		fn(&b)
	}
	err = edit(t, s, customer, func(c *premises.Change) error {
		b, err = c.AddPanel(b)
		return err
	})
	return b, err
}

func addContact(t *testing.T, s *centraltest.Service, fn func(*premises.ContactBody)) (b premises.ContactBody, err error) {
	t.Helper()
	b = premises.NewContact()
	b.Name, b.Email = "Ugo Neri", text("ugo@vedetta.example")
	fn(&b)
	err = edit(t, s, centraltest.Customer, func(c *premises.Change) error {
		b, err = c.AddContact(b)
		return err
	})
	return b, err
}

func addRule(t *testing.T, s *centraltest.Service, fn func(*premises.RuleBody)) (b premises.RuleBody, err error) {
	t.Helper()
	b = premises.NewRule()
	b.Name, b.Steps = "Furto", []premises.StepBody{{}}
	fn(&b)
	err = edit(t, s, centraltest.Customer, func(c *premises.Change) error {
		b, err = c.AddRule(b)
		return err
	})
	return b, err
}

func text(s string) *string { return &s }

// fields are what an error complains of, as "field code".
func fields(err error) string {
	var f premises.Faults
	if !errors.As(err, &f) {
		return fmt.Sprint(err)
	}
	var out []string
	for _, v := range f {
		if strings.Contains(v.Expected, "%") || v.Expected == "" {
			out = append(out, "bad text: "+v.Expected)
		}
		out = append(out, v.Field+" "+v.Code)
	}
	return strings.Join(out, ", ")
}

func TestBadPanels(t *testing.T) {
	s := centraltest.NewService(t, at)
	for want, fn := range map[string]func(*premises.PanelBody){
		"<nil>":                               func(b *premises.PanelBody) { b.Account = "abc"; b.Key = "hex:00112233445566778899aabbccddeeff" },
		"name required":                       func(b *premises.PanelBody) { b.Name = "  " },
		"name length":                         func(b *premises.PanelBody) { b.Name = strings.Repeat("è", 101) },
		"name characters":                     func(b *premises.PanelBody) { b.Name = "a\u202eb" },
		"account account_form":                func(b *premises.PanelBody) { b.Account = "12" },
		"account account_taken":               func(b *premises.PanelBody) { b.Account = "ab12cd34" },
		"key key_form":                        func(b *premises.PanelBody) { b.Key = "hex:zz" },
		"prefix number_form":                  func(b *premises.PanelBody) { b.Prefix = text("") },
		"receiver number_form":                func(b *premises.PanelBody) { b.Receiver = text("R1") },
		"poll_seconds range":                  func(b *premises.PanelBody) { b.PollSeconds = -1 },
		"grace_seconds range":                 func(b *premises.PanelBody) { b.GraceSeconds = 1 << 30 },
		"supervision.profile profile":         func(b *premises.PanelBody) { b.Supervision = &premises.SupervisionBody{Profile: text("SP7")} },
		"supervision.alternative path_needed": func(b *premises.PanelBody) { b.Supervision = &premises.SupervisionBody{Profile: text("DP4")} },
		"supervision.alternative path_single": func(b *premises.PanelBody) {
			b.Supervision = &premises.SupervisionBody{Profile: text("SP4"), Alternative: &premises.PathBody{Transport: text("udp")}}
		},
		"supervision.alternative.poll_seconds range, supervision.alternative path_sign": func(b *premises.PanelBody) {
			b.Supervision = &premises.SupervisionBody{Alternative: &premises.PathBody{}}
		},
		"supervision.alternative.transport one_of, supervision.alternative.prefix number_form, supervision.alternative.receiver number_form": func(b *premises.PanelBody) {
			b.Supervision = &premises.SupervisionBody{Alternative: &premises.PathBody{PollSeconds: 60, Transport: text("smoke"), Prefix: text("L"), Receiver: text("R")}}
		},
		"time_zone time_zone":    func(b *premises.PanelBody) { b.TimeZone = "Europe/Roma" },
		"listener listener_form": func(b *premises.PanelBody) { b.Listener = "Main Street" },
		"zones[1].number zone_twice, zones[1].name required": func(b *premises.PanelBody) {
			b.Zones = []premises.ZoneBody{{"1", "Porta"}, {"001", ""}}
		},
		"zones[0].number zone_form": func(b *premises.PanelBody) { b.Zones = []premises.ZoneBody{{"1 2", "x"}} },
		"zones too_many":            func(b *premises.PanelBody) { b.Zones = make([]premises.ZoneBody, 1001) },
	} {
		if _, err := addPanel(t, s, centraltest.Customer, fn); fields(err) != want {
			t.Errorf("%s, want %s", fields(err), want)
		}
	}
}

// A message must belong to one panel, and to no other customer's.
func TestPanelsThatOverlapAreRefused(t *testing.T) {
	type place struct {
		customer, prefix, receiver string // "" any
	}
	ours, theirs := centraltest.Customer, neighbour
	for name, c := range map[string]struct {
		a, b place
		ok   bool
	}{
		"same":                         {place{ours, "", ""}, place{ours, "", ""}, false},
		"leading zeros":                {place{ours, "1", "5"}, place{ours, "01", "005"}, false},
		"apart":                        {place{ours, "1", ""}, place{ours, "2", ""}, true},
		"apart, of two customers":      {place{ours, "1", "1"}, place{theirs, "1", "2"}, true},
		"neither says everything":      {place{ours, "1", ""}, place{ours, "", "5"}, false},
		"one says everything":          {place{ours, "", ""}, place{ours, "1", "5"}, true},
		"a neighbour says everything":  {place{ours, "", ""}, place{theirs, "1", "5"}, false},
		"a neighbour takes everything": {place{ours, "1", "5"}, place{theirs, "", ""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := centraltest.NewService(t, at)
			second(t, s)
			put := func(p place) error {
				_, err := addPanel(t, s, p.customer, func(b *premises.PanelBody) {
					if p.prefix != "" {
						b.Prefix = &p.prefix
					}
					if p.receiver != "" {
						b.Receiver = &p.receiver
					}
				})
				return err
			}
			if err := put(c.a); err != nil {
				t.Fatal(err)
			}
			err := put(c.b)
			if c.ok != (err == nil) || err != nil && (!errors.Is(err, premises.ErrTaken) || fields(err) != "account account_taken") {
				t.Errorf("%v, want it taken: %v", err, c.ok)
			}
		})
	}
}

// One of many who enter the same panel at once gets it.
func TestPanelRace(t *testing.T) {
	s := centraltest.NewService(t, at)
	second(t, s)
	var wg sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wg.Go(func() {
			_, results[i] = addPanel(t, s, []string{centraltest.Customer, neighbour}[i%2], nil)
		})
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, premises.ErrTaken) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d got the panel, want one", won)
	}
}

func TestPanelKeyIsKeptAndNeverShown(t *testing.T) {
	s := centraltest.NewService(t, at)
	b, err := addPanel(t, s, centraltest.Customer, func(b *premises.PanelBody) { b.Key = "text:0123456789abcdef0123456789abcdef" })
	if err != nil || b.Key != "" || !b.KeySet || *b.KeyForm != "text" {
		t.Fatalf("%+v %v", b, err)
	}
	change := func(fn func(*premises.PanelBody) error) premises.PanelBody {
		t.Helper()
		var out premises.PanelBody
		if err := edit(t, s, centraltest.Customer, func(c *premises.Change) error {
			var err error
			out, err = c.EditPanel(b.ID, "", fn)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	stored := func() string {
		t.Helper()
		doc, _, err := s.Premises.Document(t.Context(), centraltest.Customer)
		if err != nil {
			t.Fatal(err)
		}
		return string(doc.Panels[slices.IndexFunc(doc.Panels, func(p roster.Panel) bool { return p.ID == b.ID })].Key)
	}
	kept := change(func(b *premises.PanelBody) error { b.Name = "Deposito"; return nil })
	if kept.Name != "Deposito" || !kept.KeySet || *kept.KeyForm != "text" || stored() != "0123456789abcdef0123456789abcdef" || kept.Tag == b.Tag {
		t.Errorf("%+v", kept)
	}
	if again := change(func(*premises.PanelBody) error { return nil }); again.Tag != kept.Tag || again.Revision != kept.Revision {
		t.Error("written though nothing changed")
	}
	if other := change(func(b *premises.PanelBody) error { b.Key = "00112233445566778899aabbccddeeff"; return nil }); *other.KeyForm != "hex" || len(stored()) != 16 {
		t.Errorf("%+v", other)
	}
	if gone := change(func(b *premises.PanelBody) error { b.Key = ""; return nil }); gone.KeySet || gone.KeyForm != nil || stored() != "" || len(gone.Warnings) != 1 {
		t.Errorf("%+v", gone)
	}
}

func TestBadContacts(t *testing.T) {
	s := centraltest.NewService(t, at)
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point := key.PublicKey().Bytes()
	off := slices.Clone(point)
	off[64] ^= 1
	code := base64.RawURLEncoding.EncodeToString
	push := func(endpoint string, point, auth []byte) func(*premises.ContactBody) {
		return func(b *premises.ContactBody) {
			b.Push = []premises.PushBody{{endpoint, code(point), code(auth)}}
		}
	}
	hook := func(url string) func(*premises.ContactBody) {
		return func(b *premises.ContactBody) { b.Webhook = &premises.WebhookBody{URL: url} }
	}
	good := "https://push.vedetta.example/x"
	cases := []struct {
		want string
		fn   func(*premises.ContactBody)
	}{
		{"<nil>", push(good, point, make([]byte, 16))},
		{"<nil>", hook("https://93.184.216.34:8443/x?y=1")},
		{"<nil>", func(b *premises.ContactBody) { b.Email = text("Ugo.Neri+casa@bücher.example") }},
		{"<nil>", func(b *premises.ContactBody) { b.Email, b.Phone = nil, text("+39 0575 123-456") }},
		{"email no_address", func(b *premises.ContactBody) { b.Email = nil }},
		{"name required", func(b *premises.ContactBody) { b.Name = "" }},
		{"language language", func(b *premises.ContactBody) { b.Language = "de" }},
		{"push[0].p256dh p256dh_form", push(good, off, make([]byte, 16))},
		{"push[0].p256dh p256dh_form", push(good, point[:64], make([]byte, 16))},
		{"push[0].auth auth_form", push(good, point, make([]byte, 15))},
		{"push[0].endpoint url_form", push("http://push.vedetta.example/x", point, make([]byte, 16))},
		{"push[0].endpoint url_private", push("https://10.0.0.1/x", point, make([]byte, 16))},
		{"webhook.secret secret_form", func(b *premises.ContactBody) {
			b.Webhook = &premises.WebhookBody{"https://hook.vedetta.example", "whsec_c2hvcnQ="}
		}},
	}
	for _, mail := range []string{"", "x", "ugo@", "@vedetta.example", "ugo@localhost", "ugo@[127.0.0.1]", "ugo@127.0.0.1", "Ugo <ugo@vedetta.example>", "ugo@vedetta.example, b@vedetta.example",
		"ugo@vedetta.example\r\nBcc: x@vedetta.example", "ugo @vedetta.example", `"ugo neri"@vedetta.example`, strings.Repeat("u", 65) + "@vedetta.example", "ugo@-x.example", "ugo@x..example"} {
		cases = append(cases, struct {
			want string
			fn   func(*premises.ContactBody)
		}{"email email_form", func(b *premises.ContactBody) { b.Email = &mail }})
	}
	for _, phone := range []string{"", "0575123456", "+0123456789", "+39", "+39057512345678901", "+39x575123456"} {
		cases = append(cases, struct {
			want string
			fn   func(*premises.ContactBody)
		}{"phone phone_form", func(b *premises.ContactBody) { b.Phone = &phone }})
	}
	for _, url := range []string{"", "hook", "ftp://hook.vedetta.example", "http://hook.vedetta.example", "https://", "https://u:p@hook.vedetta.example", "https://hook.vedetta.example/#x", "https://hook.vedetta.example:0/",
		"https://hook.vedetta.example:99999/", "https:hook.vedetta.example", "https://hook vedetta.example", "https://hook.vedetta.example\\@x", "https://[::1", "https://hook.vedetta.example/\n"} {
		cases = append(cases, struct {
			want string
			fn   func(*premises.ContactBody)
		}{"webhook.url url_form", hook(url)})
	}
	for _, url := range []string{"https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://10.0.0.1:8443/x", "https://169.254.169.254/",
		"https://localhost/", "https://localhost./", "https://api.localhost/", "https://nas.local/", "https://router/", "https://metadata.google.internal/", "https://[fd00::1]/", "https://0177.0.0.1/", "https://192.168.1.1./"} {
		cases = append(cases, struct {
			want string
			fn   func(*premises.ContactBody)
		}{"webhook.url url_private", hook(url)})
	}
	for _, c := range cases {
		if b, err := addContact(t, s, c.fn); fields(err) != c.want {
			t.Errorf("%s, want %s: %q %+v", fields(err), c.want, *b.Email, b.Webhook)
		}
	}
}

func TestContactKeepsItsAddressIDs(t *testing.T) {
	s := centraltest.NewService(t, at)
	b, err := addContact(t, s, func(b *premises.ContactBody) {
		b.Webhook = &premises.WebhookBody{URL: "https://hook.vedetta.example/a"}
		b.Phone = text("+390575123456")
	})
	if err != nil || !strings.HasPrefix(b.Webhook.Secret, "whsec_") || *b.Email != "ugo@vedetta.example" {
		t.Fatalf("%+v %v", b, err)
	}
	ids := func() map[string]string {
		doc, _, err := s.Premises.Document(t.Context(), centraltest.Customer)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, a := range doc.Contacts[slices.IndexFunc(doc.Contacts, func(c roster.Contact) bool { return c.ID == b.ID })].Addresses {
			out[a.Channel] = a.ID
		}
		return out
	}
	before := ids()
	err = edit(t, s, centraltest.Customer, func(c *premises.Change) error {
		_, err := c.EditContact(b.ID, b.Tag, func(b *premises.ContactBody) error {
			b.Name, b.Email, b.Webhook.Secret = "Ugo N.", text("ugo.neri@vedetta.example"), premises.NewWebhookSecret()
			return nil
		})
		return err
	})
	after := ids()
	if err != nil || before["email"] == after["email"] || before["webhook"] != after["webhook"] || before["phone"] != after["phone"] || len(after) != 3 {
		t.Errorf("%v: %v became %v, want a new id for the mail only", err, before, after)
	}
	err = edit(t, s, centraltest.Customer, func(c *premises.Change) error {
		_, err := c.EditContact(b.ID, b.Tag, func(*premises.ContactBody) error { return nil })
		return err
	})
	if !errors.Is(err, premises.ErrTag) {
		t.Errorf("an edit of a former state: %v", err)
	}
}

func TestBadRules(t *testing.T) {
	s := centraltest.NewService(t, at)
	steps := func(v ...premises.StepBody) func(*premises.RuleBody) {
		return func(b *premises.RuleBody) { b.Steps = v }
	}
	for want, fn := range map[string]func(*premises.RuleBody){
		"<nil>":                                    func(b *premises.RuleBody) { b.Qualifiers, b.Codes = nil, []string{"ba", "BR", "130"} },
		"name required":                            func(b *premises.RuleBody) { b.Name = "" },
		"panels[1] no_panel":                       func(b *premises.RuleBody) { b.Panels = []string{centraltest.House, "p-other"} },
		"panels[1] twice":                          func(b *premises.RuleBody) { b.Panels = []string{centraltest.House, centraltest.House} },
		"zones[0] zone_form":                       func(b *premises.RuleBody) { b.Zones = []string{""} },
		"categories[0] one_of":                     func(b *premises.RuleBody) { b.Categories = []string{"theft"} },
		"qualifiers[0] one_of":                     func(b *premises.RuleBody) { b.Qualifiers = []string{"old"} },
		"codes[0] code_form":                       func(b *premises.RuleBody) { b.Codes = []string{"B"} },
		"codes[1] code_never":                      func(b *premises.RuleBody) { b.Codes, b.Categories = []string{"BA", "FA"}, []string{"burglary"} },
		"codes[0] code_never, codes[1] code_never": func(b *premises.RuleBody) { b.Codes, b.Qualifiers = []string{"BR", "BA"}, []string{"ongoing"} },
		"days[0] range, days[2] twice":             func(b *premises.RuleBody) { b.Days = []int{0, 7, 7} },
		"from time_form":                           func(b *premises.RuleBody) { b.From, b.To = text("24:00"), text("06:00") },
		"to time_form":                             func(b *premises.RuleBody) { b.From = text("22:00") },
		"to time_empty":                            func(b *premises.RuleBody) { b.From, b.To = text("22:00"), text("22:00") },
		"steps no_steps":                           steps(),
		"steps too_many":                           steps(make([]premises.StepBody, 11)...),
		"steps[0].contacts[0] no_contact":          steps(premises.StepBody{Contacts: []string{"k-other"}}),
		"steps[0].channels[0] channel_unsupported": steps(premises.StepBody{Channels: []string{"sms"}}),
		"steps[0].channels[0] one_of":              steps(premises.StepBody{Channels: []string{"fax"}}),
		"steps[0].channels[1] twice":               steps(premises.StepBody{Channels: []string{"email", "email"}}),
		"steps[0].channels[0] nobody_reached":      steps(premises.StepBody{Channels: []string{"webpush"}}),
		"steps[0].after_seconds range":             steps(premises.StepBody{AfterSeconds: 48 * 3600}),
		"steps[1].after_seconds step_order":        steps(premises.StepBody{AfterSeconds: 60}, premises.StepBody{AfterSeconds: 59}),
		"steps[0].repeat range":                    steps(premises.StepBody{Repeat: 11}),
	} {
		if _, err := addRule(t, s, fn); fields(err) != want {
			t.Errorf("%s, want %s", fields(err), want)
		}
	}
}

func TestRulesSayWhatTheyMiss(t *testing.T) {
	s := centraltest.NewService(t, at)
	b, err := addRule(t, s, func(b *premises.RuleBody) {
		b.Panels, b.Zones, b.Codes, b.Enabled = []string{centraltest.House}, []string{"003", "99"}, []string{"ZQ"}, false
	})
	if err != nil || fields(premises.Faults(b.Warnings)) != "enabled rule_off, zones[1] zone_unnamed, codes[0] code_unknown" {
		t.Errorf("%v %s", err, fields(premises.Faults(b.Warnings)))
	}
}

// What rules stand on can't be taken from under them.
func TestWhatRulesUseStays(t *testing.T) {
	s := centraltest.NewService(t, at)
	other, err := addContact(t, s, func(b *premises.ContactBody) {})
	if err != nil {
		t.Fatal(err)
	}
	rule, err := addRule(t, s, func(b *premises.RuleBody) {
		b.Panels, b.Steps = []string{centraltest.House}, []premises.StepBody{{Contacts: []string{other.ID}, Channels: []string{"email"}}}
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, fn := range map[string]func(c *premises.Change) error{
		"panel":   func(c *premises.Change) error { return c.DeletePanel(centraltest.House, "") },
		"contact": func(c *premises.Change) error { return c.DeleteContact(other.ID, "") },
		"its mail": func(c *premises.Change) error {
			_, err := c.EditContact(other.ID, "", func(b *premises.ContactBody) error { b.Email, b.Phone = nil, text("+390575123456"); return nil })
			return err
		},
	} {
		var use premises.InUse
		if err := edit(t, s, centraltest.Customer, fn); !errors.As(err, &use) || !slices.Equal(use.Rules, []string{rule.ID}) {
			t.Errorf("%s: %v, want it to be in use", name, err)
		}
	}
	err = edit(t, s, centraltest.Customer, func(c *premises.Change) error {
		return errors.Join(c.DeleteRule(rule.ID, rule.Tag), c.DeleteContact(other.ID, ""), c.DeletePanel(centraltest.House, ""))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Premises.Contact(t.Context(), centraltest.Customer, other.ID); !errors.Is(err, premises.ErrNone) {
		t.Errorf("the contact is still there: %v", err)
	}
}

// Nobody reads or changes what is another customer's, by no id.
func TestCustomersAreApart(t *testing.T) {
	s := centraltest.NewService(t, at)
	second(t, s)
	ctx := t.Context()
	if _, err := s.Premises.Panel(ctx, neighbour, centraltest.House); !errors.Is(err, premises.ErrNone) {
		t.Error(err)
	}
	for name, fn := range map[string]func(c *premises.Change) error{
		"edit":   func(c *premises.Change) error { _, err := c.EditPanel(centraltest.House, "", nil); return err },
		"delete": func(c *premises.Change) error { return c.DeleteContact(centraltest.Contact, "") },
		"put":    func(c *premises.Change) error { return c.PutPanel(roster.Panel{ID: centraltest.House, Account: "999"}) },
	} {
		if err := edit(t, s, neighbour, fn); !errors.Is(err, premises.ErrNone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := s.Premises.Panels(ctx, neighbour, premises.Query{Limit: 10})
	if err != nil || len(list.Items) != 0 {
		t.Error(list, err)
	}
}

func TestPagesOfPremises(t *testing.T) {
	s := centraltest.NewService(t, at)
	for i := range 7 {
		if _, err := addPanel(t, s, centraltest.Customer, func(b *premises.PanelBody) { b.Account = fmt.Sprint(1000 + i) }); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	q := premises.Query{Limit: 4}
	for pages := 1; ; pages++ {
		p, err := s.Premises.Panels(t.Context(), centraltest.Customer, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range p.Items {
			seen[b.ID] = true
		}
		if p.Next == nil {
			if pages != 3 || len(seen) != 9 {
				t.Errorf("%d pages, %d panels, want 3 and 9", pages, len(seen))
			}
			return
		}
		q.Cursor = *p.Next
	}
}

// A body says whether the mesh has it, and so can somebody who waits.
func TestRule15_BodiesSayWhenTheyAreInForce(t *testing.T) {
	s := centraltest.NewService(t, at)
	b, err := addPanel(t, s, centraltest.Customer, nil)
	if err != nil || b.InForce || b.Revision != 2 {
		t.Fatalf("%+v %v", b, err)
	}
	if ok, err := s.Premises.AwaitInForce(t.Context(), centraltest.Customer, b.Revision, 0); ok || err != nil {
		t.Error(ok, err)
	}
	done := make(chan bool)
	go func() {
		ok, err := s.Premises.AwaitInForce(t.Context(), centraltest.Customer, b.Revision, time.Minute)
		done <- ok && err == nil
	}()
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if !<-done {
		t.Error("not woken by what the mesh acknowledged")
	}
	if b, err := s.Premises.Panel(t.Context(), centraltest.Customer, b.ID); err != nil || !b.InForce {
		t.Errorf("%+v %v", b, err)
	}
}
