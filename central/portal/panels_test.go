package portal_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/premises"
	"vedetta/wire/decision"
	"vedetta/wire/heard"
	"vedetta/wire/mesh"
)

// An event of ours about a panel's silence is no sign of the panel.
func TestSilentPanelDoesNotReport(t *testing.T) {
	v := newVisitor(t)
	r, _ := v.post("/panels", panelValues(), 200)
	path := r.Request.URL.Path
	id := path[strings.LastIndexByte(path, '/')+1:]
	at := mesh.Position{Origin: mesh.Agreement(1), Number: 1}
	v.s.Mesh.Decision(1, time.Now(), decision.Record{Customer: centraltest.Customer, Verdict: &decision.Verdict{Entry: at, Customer: centraltest.Customer,
		Panel: id, ReceivedMs: time.Now().UnixMilli(), Ruling: decision.RulingEvents,
		Events: []decision.Event{{Standard: "VEDETTA", Code: "354", Qualifier: "new", Category: "communication"}}}})
	v.apply()
	const good, waiting = "i suoi eventi arrivano", "Non è ancora arrivato nulla"
	if body := v.get(path, 200, waiting, "/events/agreement.1.1.0"); strings.Contains(body, good) {
		t.Error("an event of ours counts as the panel's")
	}
	v.s.Mesh.Heard(id, heard.Panel{Supervised: true, Silent: []string{"never"}, SilentSinceMs: 1795474800000})
	if body := v.get(path, 200, "La centrale tace dal"); strings.Contains(body, good) {
		t.Error("a panel that was never heard is said to report")
	}
	age := int64(5_000)
	v.s.Mesh.Heard(id, heard.Panel{Supervised: true, PrimaryMs: &age, Silent: []string{"primary", "all"}, SilentSinceMs: 1795474800000})
	if body := v.get(path, 200, "La centrale tace dal"); strings.Contains(body, good) {
		t.Error("a silent panel is said to report")
	}
	v.s.Mesh.Heard(id, heard.Panel{Supervised: true, PrimaryMs: &age, Silent: []string{}})
	v.get(path, 200, good)
}

// A panel that came and went reports all the same: its own event is older than
// those of ours.
func TestPanelThatComesAndGoesReports(t *testing.T) {
	v := newVisitor(t)
	for i := range uint64(6) {
		at := mesh.Position{Origin: mesh.Agreement(1), Number: i + 1}
		if r := v.s.Mesh.Decision(1, time.Now(), decision.Record{Customer: centraltest.Customer, Verdict: &decision.Verdict{Entry: at, Customer: centraltest.Customer,
			Panel: centraltest.Shop, ReceivedMs: time.Now().UnixMilli(), Ruling: decision.RulingEvents,
			Events: []decision.Event{{Standard: "VEDETTA", Code: "350", Qualifier: "new", Category: "communication"}}}}); r.Position().Origin != at.Origin {
			t.Fatalf("decided at %s", r.Position())
		}
	}
	v.apply()
	v.get("/panels/"+centraltest.Shop, 200, "i suoi eventi arrivano")
}

// Many panels are in the order of their names, and found by name and account.
func TestManyPanelsAreFound(t *testing.T) {
	v := newVisitor(t)
	err := v.s.Premises.Edit(t.Context(), time.Now(), centraltest.Customer, func(c *premises.Change) error {
		for i := 60; i > 0; i-- {
			b := premises.NewPanel()
			b.Name, b.Account = fmt.Sprint("Impianto ", i), fmt.Sprintf("AA%04X", i)
			if _, err := c.AddPanel(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`<h2><a href="/panels/[^"]+">([^<]+)</a></h2>`)
	list := func(path string) (out []string) {
		for _, m := range names.FindAllStringSubmatch(v.get(path, 200, `name="find"`), -1) {
			out = append(out, m[1])
		}
		return out
	}
	first := list("/panels")
	if len(first) != 50 || first[0] != "Impianto 1" || first[1] != "Impianto 2" || first[9] != "Impianto 10" || first[49] != "Impianto 50" {
		t.Errorf("first page: %q", first)
	}
	if rest := list("/panels?from=50"); len(rest) != 12 || rest[0] != "Impianto 51" {
		t.Errorf("second page: %q", rest)
	}
	found := func(find string) (out []string) {
		_, body := v.post("/panels/find", url.Values{"find": {find}}, 200, `name="find"`)
		for _, m := range names.FindAllStringSubmatch(body, -1) {
			out = append(out, m[1])
		}
		return out
	}
	for find, want := range map[string]string{"impianto 6": "Impianto 6,Impianto 60", "aa000a": "Impianto 10", "ROSSI": "Villa Rossi", "nowhere": ""} {
		if got := strings.Join(found(find), ","); got != want {
			t.Errorf("%q finds %q, want %q", find, got, want)
		}
	}
	_, body := v.post("/panels/find", url.Values{"find": {"Impianto"}}, 200, `name="from" value="50"`, `value="Impianto"`)
	if regexp.MustCompile(`(?:href|action)="[^"]*Impianto`).MatchString(body) {
		t.Error("what was looked for stands in an address")
	}
	if r, body := v.post("/panels/find", url.Values{"find": {"Impianto"}, "from": {"50"}}, 200, "Impianto 60"); r.Request.URL.RawQuery != "" || strings.Contains(body, ">Impianto 1<") {
		t.Errorf("the second page of what was found is at %s", r.Request.URL)
	}
	if all := list("/panels/find"); len(all) != 50 {
		t.Errorf("without words %d panels are listed, want the first 50", len(all))
	}
	v.post("/panels/find", url.Values{"find": {"nowhere"}}, 200, "Nessuna centrale con questo nome")
}
