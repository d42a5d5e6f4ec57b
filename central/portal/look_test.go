package portal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"vedetta/central/centraltest"
	"vedetta/central/history"
	"vedetta/central/portal"
	"vedetta/central/premises"
	"vedetta/wire/heard"
	"vedetta/wire/push"
)

// Every page in a real browser, in both languages, on a phone and on a desk, in
// the light and in the dark: nothing is wider than the screen, every text can
// be read, every control has a name. VEDETTA_LOOK=folder keeps the pictures.
func TestPagesInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	now := time.Now()
	s, _ := site(t, now)
	furnish(t, s, now)
	var err error
	if s.Mesh.PushKey, err = push.NewKey(); err != nil {
		t.Fatal(err)
	}
	slips(t, s, now)
	srv := serve(t, s, portal.Config{Receivers: receivers()})
	refused, err := s.History.Log(t.Context(), centraltest.Customer, history.LogQuery{State: "refused", Query: history.Query{Limit: 1}})
	if err != nil || len(refused.Items) != 1 {
		t.Fatalf("%+v %v", refused, err)
	}
	copied, err := s.History.Events(t.Context(), centraltest.Customer, history.Query{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	event := ""
	for _, e := range copied.Items {
		if e.Copies == 3 {
			event = e.ID
		}
	}
	c := newChrome(t, 5*time.Minute)
	everywhere := func(name string) {
		t.Helper()
		for _, width := range []int64{360, 1440} {
			c.picture(name, width, false)
			c.picture(name, width, true)
		}
	}
	// A page in this language already would be waited for in vain: its answer would cut the next one off.
	speak := func(language, there string) {
		t.Helper()
		if eval[string](c, `document.documentElement.lang`) != language {
			c.run(chromedp.Click(chromedp.CSS(`button[value="`+language+`"]`)), chromedp.WaitVisible(chromedp.CSS(`html[lang="`+language+`"] `+there)))
		}
	}
	type press func()
	submit := func(fields ...string) press {
		return func() {
			for i := 0; i+1 < len(fields); i += 2 {
				c.run(chromedp.SetValue(chromedp.CSS(fields[i]), fields[i+1]))
			}
			c.run(chromedp.Submit(chromedp.CSS("form.form")), chromedp.WaitVisible(chromedp.CSS(".problems")))
		}
	}
	for _, language := range []string{"it", "en"} {
		c.run(chromedp.Navigate(srv.URL+"/login"), chromedp.WaitVisible(chromedp.CSS("#password")))
		speak(language, "#password")
		everywhere("login-" + language)
		c.login(srv.URL)
		speak(language, "nav.menu")
		for _, page := range []struct {
			name, path string
			then       press
		}{
			{"live", "/", nil}, {"event", "/events/" + event, nil}, {"event-refused", "/events/" + refused.Items[0].EventID, nil},
			{"log", "/notifications", nil}, {"log-none", "/notifications?state=erased", nil},
			{"panels", "/panels", nil}, {"panel", "/panels/" + centraltest.House, nil}, {"panel-new", "/panels/new", nil},
			{"watch", "/panels/" + centraltest.House + "/watch", nil}, {"watch-none", "/panels/" + centraltest.Shop + "/watch", nil},
			{"watch-open", "/panels/" + centraltest.House + "/watch", func() {
				c.run(chromedp.WaitVisible(chromedp.CSS(`#pulse[data-state="live"]`)), chromedp.Click(chromedp.CSS(".try summary")), chromedp.WaitVisible(chromedp.CSS(".try pre")))
			}},
			{"panel-edit", "/panels/" + centraltest.House + "/edit", nil},
			{"panel-problems", "/panels/new", submit("#f-account", "xyz", "#f-key", "short", "#f-poll_seconds", "often", "#f-zones-0-number", "1")},
			{"panel-in-use", "/panels/" + centraltest.Shop + "/delete", func() {
				c.run(chromedp.Click(chromedp.CSS("button.danger")), chromedp.WaitVisible(chromedp.CSS(".problems")))
			}},
			{"contacts", "/contacts", nil}, {"contact", "/contacts/" + centraltest.Contact, nil}, {"contact-new", "/contacts/new", nil},
			{"contact-problems", "/contacts/new", submit("#f-phone", "12", "#f-webhook-url", "http://10.0.0.1/x")},
			{"rules", "/rules", nil}, {"rule", "/rules/r-all", nil}, {"rule-new", "/rules/new", nil},
			{"rule-problems", "/rules/new", submit("#f-from", "22:00", "#f-codes", "130, nonsense", "#f-steps-0-after_seconds", "soon")},
			{"rule-delete", "/rules/r-all/delete", nil}, {"account", "/account", nil},
			{"account-problems", "/account", func() {
				c.run(chromedp.SendKeys(chromedp.CSS("#f-next"), "short"), chromedp.SendKeys(chromedp.CSS("#f-repeat"), "short"),
					chromedp.SendKeys(chromedp.CSS("#f-present"), "x\n"), chromedp.WaitVisible(chromedp.CSS(".problems")))
			}},
			{"device", "/device", func() {
				c.run(chromedp.WaitVisible(chromedp.CSS(`#device-pulse:not([data-state="none"]), #device-form:not([hidden])`)))
			}},
			{"not-found", "/nothing", nil},
		} {
			c.run(chromedp.Navigate(srv.URL+page.path), chromedp.WaitVisible(chromedp.CSS("h1")))
			if page.then != nil {
				page.then()
			}
			everywhere(page.name + "-" + language)
		}
		c.run(chromedp.Click(chromedp.CSS(`form[action="/logout"] button`)), chromedp.WaitVisible(chromedp.CSS("#password")))
	}
	empty(t, s, now)
	c.login(srv.URL)
	everywhere("start-en")
	for _, path := range []string{"/panels", "/contacts", "/rules"} {
		c.run(chromedp.Navigate(srv.URL+path), chromedp.WaitVisible(chromedp.CSS(".empty")))
		everywhere("empty" + strings.ReplaceAll(path, "/", "-") + "-en")
	}
}

// furnish gives the test customer what a page can show.
func furnish(t *testing.T, s *centraltest.Service, now time.Time) {
	t.Helper()
	text := func(v string) *string { return &v }
	age := int64(95_000)
	s.Mesh.Heard(centraltest.House, heard.Panel{Supervised: true, Dual: true, PrimaryMs: &age, AlternativeMs: &age, Silent: []string{"primary"}, SilentSinceMs: now.UnixMilli()})
	err := s.Premises.Edit(t.Context(), now, centraltest.Customer, func(c *premises.Change) error {
		b := premises.NewContact()
		b.Name, b.Email, b.Phone = "Marco Bianchi", text("marco.bianchi@vedetta.example"), text("+393331234567")
		marco, err := c.AddContact(b)
		if err != nil {
			return err
		}
		// Settings and keys of a special panel: what is folded is open.
		if _, err := c.EditPanel(centraltest.House, "", func(b *premises.PanelBody) error {
			set := premises.NewReception()
			set.Ack, set.BehindSeconds = "all", 120
			b.Supervision = &premises.SupervisionBody{Profile: text("DP4"), Alternative: &premises.PathBody{Transport: text("udp")}}
			b.Reception, b.Key = &set, "00112233445566778899AABBCCDDEEFF"
			b.NextKey = "text:another key 1234"
			return nil
		}); err != nil {
			return err
		}
		r := premises.NewRule()
		r.Name, r.Categories, r.Panels, r.From, r.To = "Furto di notte al negozio", []string{"burglary", "holdup"}, []string{centraltest.Shop}, text("22:00"), text("06:00")
		r.Steps = []premises.StepBody{{Contacts: []string{centraltest.Contact}, Channels: []string{"email", "webhook"}}, {Contacts: []string{marco.ID}, Channels: []string{"email"}, AfterSeconds: 300, Repeat: 2}}
		if _, err := c.AddRule(r); err != nil {
			return err
		}
		r = premises.NewRule()
		r.Name, r.Categories, r.Enabled, r.Days, r.Zones = "Solo in ferie", []string{"water", "gas"}, false, []int{1, 2, 3, 4, 5, 7}, []string{"3"}
		r.Steps = []premises.StepBody{{}}
		if _, err := c.AddRule(r); err != nil {
			return err
		}
		_, err = c.EditRule("r-all", "", func(b *premises.RuleBody) error { // so that something reaches nobody
			b.Categories = []string{"fire", "medical", "panic", "burglary", "holdup", "duress", "trouble", "power", "communication"}
			return nil
		})
		return err
	})
	if err == nil {
		err = s.Publisher.Flush(t.Context(), now)
	}
	if err != nil {
		t.Fatal(err)
	}
}
