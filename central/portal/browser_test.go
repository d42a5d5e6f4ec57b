package portal_test

import (
	"errors"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"vedetta/bench/watchtest"
	"vedetta/central/centraltest"
	"vedetta/central/portal"
	"vedetta/central/premises"
	"vedetta/wire/dc09"
	"vedetta/wire/decision"
	"vedetta/wire/event"
)

// The live page in a real browser: a new alarm and its outcome appear without a
// reload, the stream comes back after a cut, nothing breaks the policy.
func TestLivePageInBrowser(t *testing.T) {
	now := time.Now()
	s, srv := site(t, now)
	c := newChrome(t, 90*time.Second)
	c.run(chromedp.Navigate(srv.URL+"/"), chromedp.WaitVisible(chromedp.CSS("#password")))
	c.login(srv.URL)
	c.run(chromedp.WaitVisible(chromedp.CSS(`#pulse[data-state="live"]`)))

	a := centraltest.Alarm{At: now, Node: "roubaix", Plan: []string{"email", "webhook"},
		Event: decision.Event{Standard: "SIA-DCS", Code: "WA", Category: "water", Qualifier: "new", Partition: "1", Zone: "12", Text: "Sonda lavanderia"}}
	p := a.Message(s.Mesh)
	ids := a.Verdict(s.Mesh, p)
	id := `[id="e-` + decision.EventID(p, 0) + `"]`
	apply := func() {
		t.Helper()
		if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
			t.Fatal(err)
		}
	}
	apply()
	c.run(chromedp.WaitVisible(chromedp.CSS(id)))
	centraltest.Settle(s.Mesh, now.Add(time.Second), ids[0], 1, decision.StateDelivered, "")
	apply()
	c.run(chromedp.WaitVisible(chromedp.CSS(id + ` .sent .tone-good`)))
	srv.CloseClientConnections()
	centraltest.Settle(s.Mesh, now.Add(2*time.Second), ids[1], 1, decision.StateDelivered, "")
	apply()
	c.run(chromedp.WaitVisible(chromedp.CSS(id + ` .sent li:nth-child(2).tone-good`)))
	first := eval[string](c, `document.querySelector(".event").id`)
	if count := eval[int](c, `document.querySelectorAll(".event").length`); `[id="`+first+`"]` != id || count != 13 {
		t.Errorf("first of %d events is %s, want %s of 13", count, first, id)
	}
	c.picture("live", 768, false)
}

// The watch page in a real browser: an attempt appears without a reload, its event
// is added in its place while its details stay open, nothing is shown twice when
// the stream comes back, and a datacenter that is back is said to be.
func TestWatchPageInBrowser(t *testing.T) {
	now := time.Now()
	s, srv := site(t, now)
	nodes := slips(t, s, now)
	c := newChrome(t, 90*time.Second)
	c.login(srv.URL)
	c.run(chromedp.Navigate(srv.URL+"/panels/"+centraltest.House+"/watch"), chromedp.WaitVisible(chromedp.CSS(`#pulse[data-state="live"]`)))
	count := func() int { return eval[int](c, `document.querySelectorAll(".try").length`) }
	if n := count(); n != 8 {
		t.Errorf("%d attempts, want 8", n)
	}
	a := centraltest.Alarm{At: now, Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: "burglary", Qualifier: "new"}}
	p := a.Message(s.Mesh)
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "AB12CD34", "Nri1/BA003", "panel-key-secret", 9, now), Word: watchtest.ACK, Reason: "stored", Entry: p})
	c.run(chromedp.WaitVisible(chromedp.CSS(".try:first-child.tone-good")), chromedp.Click(chromedp.CSS(".try:first-child summary")), chromedp.WaitVisible(chromedp.CSS(".try:first-child pre")))
	a.Verdict(s.Mesh, p)
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
		t.Fatal(err)
	}
	c.run(chromedp.WaitVisible(chromedp.CSS(`.try:first-child a[href="/events/` + decision.EventID(p, 0) + `"]`)))
	if !eval[bool](c, `document.querySelector(".try:first-child details").open`) {
		t.Error("the details were closed under the reader")
	}
	srv.CloseClientConnections()
	nodes.Came(watchtest.Come{Raw: watchtest.Frame(t, "AB12CD34", "Nri1/BA003", "", 10, now), Word: watchtest.Silence, Reason: dc09.ReasonPlain})
	c.run(chromedp.WaitVisible(chromedp.CSS(".try:first-child.tone-alarm")))
	if n := count(); n != 10 {
		t.Errorf("%d attempts after the stream came back, want 10", n)
	}
	if n := eval[int](c, `document.querySelectorAll("#nodes .tone-good").length`); n != 2 {
		t.Errorf("%d datacenters are watched, want 2", n)
	}
}

// An empty account is led from its first panel to its first alarm, in a real
// browser with the keyboard.
func TestFirstUseInBrowser(t *testing.T) {
	now := time.Now()
	s, _ := site(t, now)
	empty(t, s, now)
	publish(t, s)
	srv := serve(t, s, portal.Config{Receivers: receivers()})
	c := newChrome(t, 90*time.Second)
	c.login(srv.URL)
	type text = string
	fill := func(id, value text) { c.run(chromedp.SendKeys(chromedp.CSS("#"+id), value)) }
	next := func(step text) {
		t.Helper()
		c.run(chromedp.WaitVisible(chromedp.CSS(".start .next a")))
		if got := eval[text](c, `document.querySelector(".start .next h3").textContent`); got != step {
			t.Fatalf("the next step is %q, want %q", got, step)
		}
		c.run(chromedp.Click(chromedp.CSS(".start .next a")))
	}
	next("Aggiungi la centrale")
	c.run(chromedp.WaitVisible(chromedp.CSS("#f-name")))
	fill("f-account", "zz\n") // too much, and no name: told, and what was typed is still there
	c.run(chromedp.WaitVisible(chromedp.CSS(".problems")))
	if got := eval[text](c, `document.activeElement.className`); got != "problems" {
		t.Errorf("the focus is on %q, want the summary of problems", got)
	}
	if got := eval[text](c, `document.querySelector("#f-account").value`); got == "" {
		t.Error("what was typed is gone")
	}
	c.run(chromedp.Clear(chromedp.CSS("#f-account")))
	fill("f-name", "Casa al mare")
	fill("f-key", "hex:00112233445566778899AABBCCDDEEFF")
	fill("f-zones-0-number", "3")
	fill("f-zones-0-name", "Finestra")
	fill("f-account", "c0ffee\n")
	c.run(chromedp.WaitVisible(chromedp.CSS(".notice")))
	panel := eval[text](c, `location.pathname.split("/")[2]`)
	for _, want := range []text{"C0FFEE", "alarm.vedetta.example, porta 7711", "cifre esadecimali"} {
		if !eval[bool](c, `document.querySelector("#main").textContent.includes("`+want+`")`) {
			t.Errorf("the panel's page doesn't say %q", want)
		}
	}
	if eval[bool](c, `document.documentElement.outerHTML.includes("00112233445566778899")`) {
		t.Error("the key is shown again")
	}
	c.run(chromedp.Navigate(srv.URL + "/"))
	next("Aggiungi un contatto")
	c.run(chromedp.WaitVisible(chromedp.CSS("#f-name")))
	fill("f-name", "Luca")
	fill("f-email", "luca@vedetta.example\n")
	c.run(chromedp.WaitVisible(chromedp.CSS(".notice")), chromedp.Navigate(srv.URL+"/"))
	next("Crea una regola")
	c.run(chromedp.WaitVisible(chromedp.CSS("#f-name")))
	fill("f-name", "Tutto a Luca\n")
	c.run(chromedp.WaitVisible(chromedp.CSS(".notice")), chromedp.Navigate(srv.URL+"/"),
		chromedp.WaitVisible(chromedp.CSS(`#pulse[data-state="live"]`)))
	a := centraltest.Alarm{At: now, Panel: panel, Event: decision.Event{Standard: "SIA-DCS", Code: "BA", Category: string(event.Burglary), Qualifier: "new", Zone: "3"}}
	a.Verdict(s.Mesh, a.Message(s.Mesh))
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
		t.Fatal(err)
	}
	c.run(chromedp.WaitVisible(chromedp.CSS(".event h3 a")), chromedp.Click(chromedp.CSS(".event h3 a")), chromedp.WaitVisible(chromedp.CSS(".detail")))
	c.run(chromedp.Navigate(srv.URL+"/"), chromedp.WaitVisible(chromedp.CSS(".event")))
	if eval[bool](c, `document.querySelector(".start") !== null`) {
		t.Error("all is done, and the first steps are still shown")
	}
}

func receivers() []portal.Receiver {
	return []portal.Receiver{{Datacenter: "Arezzo", Address: "alarm.vedetta.example:7711"}, {Datacenter: "Roubaix", Address: "alarm2.vedetta.example:7711"}}
}

// empty takes away all that the test customer has.
func empty(t *testing.T, s *centraltest.Service, now time.Time) {
	t.Helper()
	err := s.Premises.Edit(t.Context(), now, centraltest.Customer, func(c *premises.Change) error {
		d, _, err := s.Premises.Document(t.Context(), centraltest.Customer)
		if err != nil {
			return err
		}
		for _, r := range d.Rules {
			err = errors.Join(err, c.DeleteRule(r.ID, ""))
		}
		for _, k := range d.Contacts {
			err = errors.Join(err, c.DeleteContact(k.ID, ""))
		}
		for _, p := range d.Panels {
			err = errors.Join(err, c.DeletePanel(p.ID, ""))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
