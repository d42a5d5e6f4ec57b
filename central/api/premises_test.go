package api_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/premises"
	"vedetta/wire/heard"
)

// A profile sets the times of both paths; taking it away leaves them.
func TestSupervisionByAPI(t *testing.T) {
	c := newClient(t)
	c.want(c.do("POST", "/panels", `{"name":"a","account":"77ab","supervision":{"profile":"DP4"}}`), 422, "supervision.alternative path_needed")
	r := c.want(c.do("POST", "/panels", `{"name":"a","account":"77ab","supervision":{"profile":"DP4","alternative":{"prefix":"2a"}}}`), 201, "")
	if !strings.Contains(r.text, `"poll_seconds":75,"grace_seconds":15,"supervision":{"profile":"DP4","alternative":{"poll_seconds":16200,"grace_seconds":1800,"transport":null,"prefix":"2A","receiver":null}}`) {
		t.Error(r.text)
	}
	one := "/panels/" + r.id()
	c.want(c.do("PATCH", one, r.text), 200, "") // what was read is taken back
	r = c.want(c.do("PATCH", one, `{"poll_seconds":60,"supervision":{"profile":null}}`), 200, "")
	if !strings.Contains(r.text, `"poll_seconds":60,"grace_seconds":15,"supervision":{"profile":null,"alternative":{"poll_seconds":16200`) {
		t.Error(r.text)
	}
	r = c.want(c.do("PATCH", one, `{"supervision":null}`), 200, "")
	if !strings.Contains(r.text, `"supervision":null`) {
		t.Error(r.text)
	}
}

// How a panel stands is asked of the mesh; what it can't say is unknown.
func TestSupervisionStateByAPI(t *testing.T) {
	c := newClient(t)
	r := c.want(c.do("POST", "/panels", `{"name":"a","account":"77ac"}`), 201, "")
	id := r.id()
	r = c.want(c.do("GET", "/panels/"+id+"/supervision", ""), 200, "")
	if r.body["known"] != false || r.body["last_heard"] != nil || len(r.body["silent"].([]any)) != 0 {
		t.Error(r.text)
	}
	c.s.Mesh.Heard(id, heard.Panel{Supervised: true, PrimaryMs: new(int64(61_000)), Silent: []string{"all"}, SilentSinceMs: 1795474800000})
	r = c.want(c.do("GET", "/panels/"+id+"/supervision", ""), 200, "")
	at, err := time.Parse(time.RFC3339, fmt.Sprint(r.body["last_heard"]))
	if err != nil || time.Since(at) < time.Minute || time.Since(at) > 2*time.Minute || r.body["primary"] != r.body["last_heard"] || r.body["alternative"] != nil ||
		r.body["silent_since"] != "2026-11-23T23:00:00.000Z" || fmt.Sprint(r.body["silent"]) != "[all]" {
		t.Error(r.text)
	}
	if r.body["counted_since"] != nil {
		t.Error(r.text)
	}
	c.s.Mesh.Heard(id, heard.Panel{Supervised: true, CountedMs: new(int64(61_000)), Silent: []string{}})
	r = c.want(c.do("GET", "/panels/"+id+"/supervision", ""), 200, "")
	if at, err := time.Parse(time.RFC3339, fmt.Sprint(r.body["counted_since"])); err != nil || time.Since(at) < time.Minute || r.body["last_heard"] != nil {
		t.Error(r.text)
	}
	c.want(c.do("GET", "/panels/nobody/supervision", ""), 404, "")
	c.want(c.do("GET", "/panels/"+id+"/supervision?a=b", ""), 400, "")
}

func TestPanelByAPI(t *testing.T) {
	c := newClient(t)
	r := c.want(c.do("POST", "/panels", `{"name":"Magazzino","account":"77aa","key":"text:0123456789abcdef","zones":[{"number":"1","name":"Porta"}],"prefix":null}`), 201, "")
	if r.body["account"] != "77AA" || r.body["key_form"] != "text" || r.body["time_zone"] != "Europe/Rome" || r.body["poll_seconds"] != 90. || strings.Contains(r.text, "0123456789abcdef") || r.body["in_force"] != false {
		t.Error(r.text)
	}
	if _, shown := r.body["key"]; shown || r.header.Get("Location") != "/api/v1/panels/"+r.id() || r.header.Get("ETag") == "" {
		t.Error(r.text, r.header)
	}
	one := "/panels/" + r.id()
	first := r.header.Get("ETag")
	r = c.want(c.do("PATCH", one, `{"name":"Deposito","prefix":"0"}`, "If-Match", first, "Content-Type", "application/merge-patch+json"), 200, "")
	if r.body["name"] != "Deposito" || r.body["key_set"] != true || len(r.body["zones"].([]any)) != 1 || r.body["prefix"] != "0" {
		t.Error(r.text)
	}
	c.want(c.do("PATCH", one, `{"name":"Cantina"}`, "If-Match", first), 412, "")
	c.want(c.do("DELETE", one, "", "If-Match", first), 412, "")
	c.want(c.do("DELETE", one, "", "If-Match", `W/`+r.header.Get("ETag")), 412, "")
	c.want(c.do("PATCH", one, `{"name":"x"}`, "If-Match", "abc"), 400, "")
	r = c.want(c.do("PATCH", one, `{"key":null,"prefix":null,"time_zone":null,"zones":null}`, "If-Match", `"x", `+r.header.Get("ETag")), 200, "")
	if r.body["key_set"] != false || r.body["prefix"] != nil || r.body["time_zone"] != "Europe/Rome" || len(r.body["zones"].([]any)) != 0 {
		t.Error(r.text)
	}
	same := c.want(c.do("GET", one, ""), 200, "")
	if same.text != r.text || same.header.Get("ETag") != r.header.Get("ETag") {
		t.Error(same.text)
	}
	c.want(c.do("PATCH", one, same.text), 200, "") // what was read is taken back
	if err := c.s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if r := c.want(c.do("GET", one, ""), 200, ""); r.body["in_force"] != true {
		t.Error(r.text)
	}
	c.want(c.do("DELETE", one, "", "If-Match", "*"), 204, "")
	c.want(c.do("DELETE", one, ""), 404, "")
	c.want(c.do("GET", one, ""), 404, "")
	c.want(c.do("PATCH", one, `{}`), 404, "")
}

func TestContactAndRuleByAPI(t *testing.T) {
	c := newClient(t)
	r := c.want(c.do("POST", "/contacts", `{"name":"Ugo","email":"ugo@vedetta.example","webhook":{"url":"https://hook.vedetta.example/x"}}`), 201, "")
	contact := r.id()
	secret := r.body["webhook"].(map[string]any)["secret"]
	r = c.want(c.do("PATCH", "/contacts/"+contact, `{"webhook":{"url":"https://hook.vedetta.example/y"},"email":null,"language":"en"}`), 200, "")
	hook := r.body["webhook"].(map[string]any)
	if hook["secret"] != secret || hook["url"] != "https://hook.vedetta.example/y" || r.body["email"] != nil || r.body["language"] != "en" {
		t.Error(r.text)
	}
	c.want(c.do("PATCH", "/contacts/"+contact, `{"webhook":null}`), 422, "email no_address")
	r = c.want(c.do("POST", "/rules", fmt.Sprintf(`{"name":"Furto","categories":["burglary"],"panels":[%q],"from":"22:00","to":"06:00","steps":[{"contacts":[%q],"channels":["webhook"]}]}`, centraltest.House, contact)), 201, "")
	rule := r.id()
	if fmt.Sprint(r.body["qualifiers"], r.body["codes"], r.body["enabled"], r.body["warnings"]) != "[new] [] true []" {
		t.Error(r.text)
	}
	for _, path := range []string{"/contacts/" + contact, "/panels/" + centraltest.House} {
		if r := c.want(c.do("DELETE", path, ""), 409, ""); fmt.Sprint(r.body["rules"]) != "["+rule+"]" {
			t.Error(r.text)
		}
	}
	c.want(c.do("PATCH", "/contacts/"+contact, `{"webhook":null,"email":"u@vedetta.example"}`), 409, "")
	c.want(c.do("PATCH", "/rules/"+rule, `{"from":null}`), 422, "from time_form")
	r = c.want(c.do("PATCH", "/rules/"+rule, `{"from":null,"to":null,"enabled":false,"qualifiers":[]}`), 200, "")
	if fmt.Sprint(r.body["from"], r.body["enabled"], r.body["qualifiers"], len(r.body["warnings"].([]any))) != "<nil> false [new restore ongoing] 1" {
		t.Error(r.text)
	}
	c.want(c.do("DELETE", "/rules/"+rule, ""), 204, "")
	c.want(c.do("DELETE", "/contacts/"+contact, ""), 204, "")
	for _, list := range []string{"panels", "contacts", "rules"} {
		c.want(c.do("GET", "/"+list+"?limit=1", ""), 200, "")
	}
	for _, list := range []string{"events", "notifications"} {
		c.want(c.do("GET", "/"+list+"?account=ab12cd34&limit=1000", ""), 200, "")
	}
}

// Every faulty field is named at once.
func TestBadBodiesByAPI(t *testing.T) {
	c := newClient(t)
	before, _, err := c.s.Premises.Document(t.Context(), centraltest.Customer)
	if err != nil {
		t.Fatal(err)
	}
	c.want(c.do("POST", "/panels", `{"name":7,"account":"x","adress":"y","zones":[{"number":"1","nmae":"a"},3],"poll_seconds":1.5,"id":"mine"}`), 422,
		"name type, poll_seconds type, zones[0].nmae unknown_field, zones[1] type, id read_only, adress unknown_field")
	c.want(c.do("POST", "/panels", `{"account":"x","key":"short","poll_seconds":-1}`), 422, "name required, account account_form, poll_seconds range, key key_form")
	c.want(c.do("POST", "/panels", `{"name":"Doppia","account":"ab12cd34"}`), 409, "account account_taken")
	c.want(c.do("POST", "/panels", `{"name":"a","account":"123","key":""}`), 422, "key key_form")
	c.want(c.do("POST", "/panels", `{"name":"a\u0007","account":"123"}`), 422, "name characters")
	c.want(c.do("POST", "/panels", `{"name":"\ud800","account":"123"}`), 422, "name characters")
	c.want(c.do("POST", "/contacts", `{"name":"Nessuno"}`), 422, "email no_address")
	c.want(c.do("POST", "/contacts", `{"name":"a","webhook":"https://x","push":[{"endpoint":"https://127.0.0.1/x","p256dh":"AA","auth":1}]}`), 422, "webhook type, push[0].auth type")
	c.want(c.do("POST", "/contacts", `{"name":"a","webhook":{"url":"https://192.168.1.1/x"}}`), 422, "webhook.url url_private")
	c.want(c.do("POST", "/rules", `{"name":"a","steps":[{"contacts":["nobody"],"channels":["email"],"repeat":true}],"days":["1"]}`), 422, "days[0] type, steps[0].repeat type")
	c.want(c.do("POST", "/rules", `{"name":"a","codes":["FA"],"categories":["burglary"],"steps":[{"channels":["webpush"]}]}`), 422, "codes[0] code_never, steps[0].channels[0] nobody_reached")
	for body, status := range map[string]int{
		``: 415, `[]`: 400, `null`: 400, `{`: 400, `{"name":"a","name":"b","account":"123"}`: 400, `{} {}`: 400, "{\"name\":\"\xff\"}": 400,
		strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100): 400, strings.Repeat("[", 1<<19): 400, `{"name":"` + strings.Repeat("a", 1<<20) + `"}`: 413,
	} {
		c.want(c.do("POST", "/panels", body), status, "")
	}
	c.want(c.do("POST", "/panels", `{}`, "Content-Type", "text/plain"), 415, "")
	c.want(c.do("POST", "/panels", `{}`, "Content-Type", "application/json; charset=latin1"), 415, "")
	c.want(c.do("POST", "/panels", `{}`, "Content-Encoding", "gzip"), 415, "")
	for _, path := range []string{"/panels?limit=0", "/rules?limit=1001", "/contacts?cursor=x", "/contacts?name=Anna", "/panels?cursor=MS54Lnk"} {
		c.want(c.do("GET", path, ""), 400, "")
	}
	for path, allow := range map[string]string{"/panels": "GET, HEAD, POST", "/rules/r-all": "DELETE, GET, HEAD, PATCH", "/events": "GET, HEAD"} {
		if r := c.want(c.do("PUT", path, `{}`), 405, ""); r.header.Get("Allow") != allow {
			t.Errorf("%s allows %s", path, r.header.Get("Allow"))
		}
	}
	after, _, err := c.s.Premises.Document(t.Context(), centraltest.Customer)
	if err != nil || fmt.Sprint(len(after.Panels), len(after.Contacts), len(after.Rules)) != fmt.Sprint(len(before.Panels), len(before.Contacts), len(before.Rules)) {
		t.Errorf("something bad was taken: %v", err)
	}
}

func TestPostOnce(t *testing.T) {
	c := newClient(t)
	body := `{"name":"Magazzino","account":"7777"}`
	first := c.want(c.do("POST", "/panels", body, "Idempotency-Key", `"k-1"`), 201, "")
	again := c.want(c.do("POST", "/panels", body, "Idempotency-Key", "k-1"), 201, "")
	if again.text != first.text || again.header.Get("Location") != first.header.Get("Location") || again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%s\n%s", first.text, again.text)
	}
	c.want(c.do("POST", "/panels", `{"name":"Altro","account":"7777"}`, "Idempotency-Key", "k-1"), 422, "Idempotency-Key key_reused")
	c.want(c.do("POST", "/contacts", `{"name":"Ugo","email":"u@vedetta.example"}`, "Idempotency-Key", "k-1"), 201, "") // another path is another thing
	gone := c.want(c.do("POST", "/contacts", `{"name":"Ada","email":"gone@vedetta.example"}`, "Idempotency-Key", "k-9"), 201, "")
	c.want(c.do("DELETE", "/contacts/"+gone.id(), ""), 204, "")
	if left := c.do("POST", "/contacts", `{"name":"Ada","email":"gone@vedetta.example"}`, "Idempotency-Key", "k-9"); left.status != 404 || strings.Contains(left.text, "gone@") {
		t.Errorf("a deleted contact is told again: %d %s", left.status, left.text)
	}
	c.want(c.do("POST", "/panels", body, "Idempotency-Key", "k 2"), 400, "")
	c.want(c.do("POST", "/panels", body, "Idempotency-Key", "k-2"), 409, "account account_taken")
	c.want(c.do("POST", "/panels", `{"name":"Altro","account":"8888"}`, "Idempotency-Key", "k-2"), 201, "") // a refusal is not kept
	var wg sync.WaitGroup
	ids := make([]string, 6)
	for i := range ids {
		wg.Go(func() {
			ids[i] = c.do("POST", "/contacts", `{"name":"Ada","email":"ada@vedetta.example"}`, "Idempotency-Key", "k-3").id()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("made more than once: %v", ids)
		}
	}
}

// Two editors of one state: one is told.
func TestEditorsDoNotOverwriteEachOther(t *testing.T) {
	c := newClient(t)
	one := "/panels/" + centraltest.House
	tag := c.do("GET", one, "").header.Get("ETag")
	var wg sync.WaitGroup
	status := make([]int, 6)
	for i := range status {
		wg.Go(func() {
			status[i] = c.do("PATCH", one, fmt.Sprintf(`{"name":"Nome %d"}`, i), "If-Match", tag).status
		})
	}
	wg.Wait()
	won := 0
	for _, s := range status {
		if s == 200 {
			won++
		} else if s != 412 {
			t.Errorf("status %d", s)
		}
	}
	if won != 1 {
		t.Errorf("%d editors wrote, want one", won)
	}
}

func TestStrangersAndScopes(t *testing.T) {
	c := newClient(t)
	other, reads, writes := "vdt_"+strings.Repeat("1", 64), "vdt_"+strings.Repeat("2", 64), "vdt_"+strings.Repeat("3", 64)
	if _, err := c.s.Ring.Customer(t.Context(), "c-neri"); err != nil {
		t.Fatal(err)
	}
	err := c.s.DB.Write(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(t.Context(), `INSERT INTO customers(id, language, created_ms) VALUES('c-neri', 'en', 0)`); err != nil {
			return err
		}
		for key, scope := range map[string]string{other: "all", reads: "read", writes: "write"} {
			customer := centraltest.Customer
			if key == other {
				customer = "c-neri"
			}
			if err := c.s.Accounts.AddAPIKey(t.Context(), tx, at, customer, key, scope); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/panels/" + centraltest.House, "/contacts/" + centraltest.Contact, "/rules/r-all"}
	c.key = other
	for _, p := range paths {
		c.want(c.do("GET", p, ""), 404, "")
		c.want(c.do("PATCH", p, `{"name":"mio"}`), 404, "")
		c.want(c.do("DELETE", p, ""), 404, "")
	}
	c.want(c.do("POST", "/rules", fmt.Sprintf(`{"name":"a","panels":[%q],"steps":[{"contacts":[%q]}]}`, centraltest.House, centraltest.Contact)), 422, "panels[0] no_panel, steps[0].contacts[0] no_contact")
	c.want(c.do("POST", "/panels", `{"name":"Mia","account":"AB12CD34","prefix":"0","receiver":"1"}`), 409, "account account_taken")
	c.key = reads
	c.want(c.do("GET", paths[0], ""), 200, "")
	c.want(c.do("PATCH", paths[0], `{"name":"x"}`), 403, "")
	c.want(c.do("POST", "/panels", `{}`), 403, "")
	c.key = writes
	c.want(c.do("GET", paths[0], ""), 403, "")
	c.want(c.do("PATCH", paths[0], `{"name":"x"}`), 200, "")
	c.key = "vdt_" + strings.Repeat("9", 64)
	c.want(c.do("DELETE", paths[0], ""), 401, "")
}

// The stream tells of panels too.
func TestStreamOfPanels(t *testing.T) {
	c := newClient(t)
	r, _ := get(t, c.url+"/api/v1/events/stream", centraltest.APIKey)
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	made := c.want(c.do("POST", "/panels", `{"name":"Magazzino","account":"7777"}`), 201, "")
	next := func() string {
		for lines.Scan() {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				return data
			}
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok && name != "panel" {
				t.Error(name)
			}
		}
		return ""
	}
	if data := next(); !strings.Contains(data, made.id()) || !strings.Contains(data, "Magazzino") {
		t.Error(data)
	}
	c.want(c.do("DELETE", "/panels/"+made.id(), ""), 204, "")
	if data := next(); data != `{"deleted":true,"id":"`+made.id()+`"}` {
		t.Error(data)
	}
}

func TestProblemsTellNoValues(t *testing.T) {
	c := newClient(t)
	for _, code := range premises.FaultCodes() {
		if premises.Expected(code) == "" {
			t.Errorf("%s has no text", code)
		}
	}
	r := c.do("POST", "/panels", `{"name":"a","account":"123","key":"segretissima"}`)
	if strings.Contains(r.text, "segretissima") || r.status != http.StatusUnprocessableEntity {
		t.Error(r.text)
	}
	r = c.do("POST", "/contacts", `{"name":"a","email":"ugo@@segreto"}`)
	if strings.Contains(r.text, "segreto") {
		t.Error(r.text)
	}
}
