package portal_test

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"vedetta/central/centraltest"
	"vedetta/central/history"
	"vedetta/central/portal"
	"vedetta/central/premises"
	"vedetta/wire/heard"
)

// visitor is logged in and speaks Italian.
type visitor struct {
	t    *testing.T
	s    *centraltest.Service
	c    *http.Client
	base string
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	s, _ := site(t, time.Now())
	publish(t, s)
	srv := serve(t, s, portal.Config{Receivers: receivers()})
	c := browser(t)
	login(t, c, srv.URL, centraltest.Password)
	return &visitor{t, s, c, srv.URL}
}

// publish carries changes to the mesh, until the test ends.
func publish(t *testing.T, s *centraltest.Service) {
	var done sync.WaitGroup
	done.Go(func() { s.Publisher.Run(t.Context()) }) //nolint:errcheck // ends with the test
	t.Cleanup(done.Wait)
}

// post sends a form, and wants the status that it leads to and the texts on
// the page there.
func (v *visitor) post(path string, form url.Values, status int, texts ...string) (*http.Response, string) {
	v.t.Helper()
	r, body := post(v.t, v.c, v.base+path, form)
	v.want("POST "+path, r, body, status, texts)
	return r, body
}

func (v *visitor) get(path string, status int, texts ...string) string {
	v.t.Helper()
	r, body := get(v.t, v.c, v.base+path)
	v.want("GET "+path, r, body, status, texts)
	return body
}

func (v *visitor) want(what string, r *http.Response, body string, status int, texts []string) {
	v.t.Helper()
	if r.StatusCode != status {
		v.t.Errorf("%s: %s, want %d", what, r.Status, status)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			v.t.Errorf("%s: the page doesn't say %q", what, text)
		}
	}
	if v.t.Failed() && testing.Verbose() {
		v.t.Log(body)
	}
}

var hidden = regexp.MustCompile(`name="tag" value="([^"]*)"`)

func tagOf(t *testing.T, body string) string {
	t.Helper()
	m := hidden.FindStringSubmatch(body)
	if m == nil {
		t.Fatal("the form has no tag")
	}
	return m[1]
}

const secretKey = "hex:00112233445566778899AABBCCDDEEFF"

func panelValues() url.Values {
	return url.Values{"name": {"Magazzino"}, "account": {"beef01"}, "key": {secretKey}, "poll_seconds": {"90"}, "grace_seconds": {"30"}, "time_zone": {"Europe/Rome"},
		"zones[0].number": {""}, "zones[0].name": {""}, "zones[1].number": {"7"}, "zones[1].name": {"Portone"}}
}

// A panel is added, shown without its key, edited without losing it, and deleted.
func TestPanelByPage(t *testing.T) {
	v := newVisitor(t)
	r, body := v.post("/panels", panelValues(), 200, "Aggiunto.", "BEEF01", "Portone", "letta come cifre esadecimali", "alarm2.vedetta.example, porta 7711")
	if strings.Contains(strings.ToUpper(body), "00112233") {
		t.Error("the key is shown")
	}
	path := r.Request.URL.Path
	if strings.Contains(strings.ToUpper(r.Request.URL.String()), "BEEF01") || strings.Contains(r.Request.URL.String(), "Magazzino") {
		t.Errorf("personal data in %s", r.Request.URL)
	}
	form := v.get(path+"/edit", 200, `value="Portone"`, "Lascia vuoto per tenere la chiave")
	edit := panelValues()
	edit.Set("key", "")
	edit.Set("name", "Magazzino nuovo")
	edit.Set("tag", tagOf(t, form))
	v.post(path, edit, 200, "Modifiche salvate.", "Magazzino nuovo", "letta come cifre esadecimali")
	edit.Set("tag", tagOf(t, v.get(path+"/edit", 200)))
	edit.Set("key_remove", "yes")
	v.post(path, edit, 200, "Senza chiave i messaggi possono essere letti")
	question := v.get(path+"/delete", 200, "Eliminare «Magazzino nuovo»?")
	v.post(path+"/delete", url.Values{"tag": {tagOf(t, question)}}, 200, "Eliminato.")
	v.get(path, 404, "Pagina non trovata")
}

// A profile sets the times of both paths, and how the second is known is asked for.
func TestSupervisionByPage(t *testing.T) {
	v := newVisitor(t)
	form := panelValues()
	form.Set("supervision.profile", "DP4")
	v.post("/panels", form, 422, `href="#f-supervision-alternative-transport"`, "indica come si riconosce il secondo", "DP4: entro 1 minuto e 30 secondi, secondo percorso 5 ore", "<details open>")
	form.Set("supervision.alternative.transport", "udp")
	r, _ := v.post("/panels", form, 200, "Aggiunto.", "1 minuto e 15 secondi", "tolleranza 15 secondi", "Secondo percorso")
	edit := v.get(r.Request.URL.Path+"/edit", 200, `value="DP4" selected`, `value="udp" selected`, `value="16200"`)
	form.Set("tag", tagOf(t, edit))
	form.Set("supervision.profile", "")
	form.Set("supervision.alternative.transport", "")
	v.post(r.Request.URL.Path, form, 200, "tolleranza 30 secondi")
}

// What a panel says besides its event stands on the event's page: links that a
// browser may open, a place, never a key.
func TestExtendedDataOnThePage(t *testing.T) {
	v := newVisitor(t)
	events, err := v.s.History.Events(t.Context(), centraltest.Customer, history.Query{Limit: 50})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events.Items {
		if e.Copies != 3 {
			continue
		}
		body := v.get("/events/"+e.ID, 200, `<a href="https://video.vedetta.example/clip/8f21.mp4" rel="noopener noreferrer nofollow">`, `href="https://video.vedetta.example/a,b"`, "javascript:alert(1)", "Luogo</dt>", "Scala B, secondo piano",
			`<a href="geo:43.46333,11.88167">43.46333, 11.88167</a>`, "Indirizzo MAC", "Una chiave: non viene mostrata", "115000")
		if strings.Contains(body, `href="javascript:`) {
			t.Error("a script became a link")
		}
		if strings.Contains(body, centraltest.PanelsNewKey) || !strings.Contains(body, "[K...]") {
			t.Error("the panel's new key is shown")
		}
		return
	}
	t.Fatal("no event with copies")
}

// Settings of reception are kept, faults told at their place, and a form without
// that part changes none of them.
func TestReceptionByPage(t *testing.T) {
	v := newVisitor(t)
	form := panelValues()
	r, _ := v.post("/panels", form, 200, "Aggiunto.")
	path := r.Request.URL.Path
	edit := v.get(path+"/edit", 200, `name="reception.behind_seconds" type="text" value="40"`, `name="reception.time_window" value="yes" checked`, `<option value="majority" selected>`)
	form.Set("tag", tagOf(t, edit))
	form.Set("key", "")
	for name, value := range map[string]string{"behind_seconds": "40", "ahead_seconds": "x", "duplicate_seconds": "60", "ack": "local", "answer": "received", "unknown_token": "ack",
		"text": "utf-8", "local_time": "yes", "allow_plain": "yes"} {
		form.Set("reception."+name, value)
	}
	v.post(path, form, 422, `href="#f-reception-ahead_seconds"`, "<details open>", `name="reception.local_time" value="yes" checked`)
	form.Set("reception.ahead_seconds", "20")
	v.post(path, form, 200, "Modifiche salvate.", "presenti in un solo datacenter", "Si accettano messaggi non cifrati", "orologio della centrale non è controllato")
	edit = v.get(path+"/edit", 200, `<option value="local" selected>`, `<option value="received" selected>`, `name="reception.time_window" value="yes">`, `name="reception.local_time" value="yes" checked`)
	plain := panelValues()
	plain.Set("tag", tagOf(t, edit))
	plain.Set("key", "")
	plain.Set("name", "Altro nome")
	v.post(path, plain, 200, "Altro nome", "presenti in un solo datacenter")
}

// The next key is entered, never shown, promoted, and the former one ended.
func TestKeyRingByPage(t *testing.T) {
	v := newVisitor(t)
	form := panelValues()
	r, _ := v.post("/panels", form, 200, "Aggiunto.")
	path := r.Request.URL.Path
	const next = "ffeeddccbbaa99887766554433221100"
	save := func(change func(url.Values), status int, texts ...string) string {
		t.Helper()
		form := panelValues()
		form.Set("tag", tagOf(t, v.get(path+"/edit", 200)))
		form.Set("key", "")
		change(form)
		_, body := v.post(path, form, status, texts...)
		if strings.Contains(strings.ToLower(body), next) {
			t.Error("the next key is shown")
		}
		return body
	}
	save(func(f url.Values) { f.Set("next_key", secretKey) }, 422, "questa è la chiave attuale", `href="#f-next_key"`)
	save(func(f url.Values) { f.Set("next_key", next); f.Set("name", "") }, 422, "la chiave scritta non viene rimandata")
	save(func(f url.Values) { f.Set("next_key", next) }, 200, "Modifiche salvate.", "Chiave successiva")
	save(func(f url.Values) { f.Set("action", "promote_key") }, 200, "Modifiche salvate.")
	v.get(path+"/edit", 200, "La chiave precedente vale fino al")
	save(func(f url.Values) { f.Set("previous_key_end", "yes") }, 200, "Modifiche salvate.")
	if body := v.get(path+"/edit", 200); strings.Contains(body, "La chiave precedente vale fino al") {
		t.Error("the previous key was not ended")
	}
	save(func(f url.Values) { f.Set("action", "promote_key") }, 422, "non c’è una chiave successiva")
	body := save(func(f url.Values) { f.Set("action", "make_next_key") }, 200, "Chiave nuova")
	made := regexp.MustCompile(`name="next_key"[^>]*value="([0-9A-F]{32})"`).FindStringSubmatch(body)
	if made == nil {
		t.Fatal("no key was proposed")
	}
	save(func(f url.Values) { f.Set("next_key", made[1]) }, 200, "Chiave successiva")
	if body = save(func(f url.Values) { f.Set("next_key_remove", "yes") }, 200); strings.Contains(body, "Chiave successiva") {
		t.Error("the next key is still there")
	}
}

// A panel's page says when it was last heard, since when it is silent, and what
// isn't known.
func TestStandingByPage(t *testing.T) {
	v := newVisitor(t)
	r, _ := v.post("/panels", panelValues(), 200, "Ultimo segnale", "non noto al momento")
	path := r.Request.URL.Path
	id := path[strings.LastIndexByte(path, '/')+1:]
	v.s.Mesh.Heard(id, heard.Panel{Supervised: true, Silent: []string{}})
	v.get(path, 200, "mai finora")
	age := int64(5_000)
	v.s.Mesh.Heard(id, heard.Panel{Supervised: true, CountedMs: &age, Silent: []string{}})
	v.get(path, 200, "non dal riavvio di tutti i datacenter", time.Now().Add(-5*time.Second).In(rome(t)).Format("15:04:"), "quando prima non è noto")
	v.s.Mesh.Heard(id, heard.Panel{Supervised: true, PrimaryMs: &age, Silent: []string{}})
	v.get(path, 200, "La centrale comunica.", time.Now().Add(-5*time.Second).In(rome(t)).Format("15:04:"))
	v.s.Mesh.Heard(id, heard.Panel{Supervised: true, PrimaryMs: &age, Silent: []string{"primary"}, SilentSinceMs: 1795474800000})
	v.get(path, 200, "Il primo percorso tace dal 24 nov 2026", "00:00:00", "l’altro funziona")
	v.s.Mesh.Heard(id, heard.Panel{Supervised: true, PrimaryMs: &age, Silent: []string{"primary", "all"}, SilentSinceMs: 1795474800000})
	v.get(path, 200, "La centrale tace dal 24 nov 2026")
}

func (v *visitor) apply() {
	v.t.Helper()
	if err := v.s.Ingest.Apply(v.t.Context(), v.s.Mesh.Records()); err != nil {
		v.t.Fatal(err)
	}
}

func rome(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Rome")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// Every fault is told beside its field and above the form, what was typed is
// kept, and a secret never comes back.
func TestFaultsOfAPanel(t *testing.T) {
	v := newVisitor(t)
	form := panelValues()
	form.Set("name", "")
	form.Set("account", "xyz<")
	form.Set("poll_seconds", "often")
	form.Set("zones[0].number", "!")
	_, body := v.post("/panels", form, 422, "<title>Errore:", "Ci sono 6 problemi da correggere", `href="#f-account"`, "da 3 a 16 cifre esadecimali", `value="xyz&lt;"`, `value="often"`,
		`id="f-zones-0-number-fault"`, "la chiave scritta non viene rimandata")
	if !regexp.MustCompile(`id="f-account"[^>]*aria-describedby="f-account-hint f-account-fault"[^>]*aria-invalid="true"`).MatchString(body) {
		t.Error("the input of the account doesn't name its fault")
	}
	if strings.Contains(body, "00112233") {
		t.Error("the key that was typed came back")
	}
	form = panelValues()
	form.Set("account", "ab12cd34")
	v.post("/panels", form, 422, "esiste già una centrale con questo account")
	form.Set("key", "too short")
	if _, body := v.post("/panels", form, 422, "32, 48 o 64 cifre esadecimali"); strings.Contains(body, "too short") {
		t.Error("a wrong key came back")
	}
}

// Rows are added and a key is proposed without saving anything.
func TestButtonsInThePanelsForm(t *testing.T) {
	v := newVisitor(t)
	form := panelValues()
	form.Set("rows", "5")
	form.Set("action", "rows")
	if _, body := v.post("/panels", form, 200, `id="f-zones-14-number"`, `value="Portone"`); strings.Contains(body, "problems") {
		t.Error("more rows are told as a problem")
	}
	form = panelValues()
	form.Set("action", "make_key")
	_, one := v.post("/panels", form, 200, "copiala adesso")
	_, two := v.post("/panels", form, 200)
	key := regexp.MustCompile(`id="f-key"[^>]*value="([0-9A-F]{32})"`)
	a, b := key.FindStringSubmatch(one), key.FindStringSubmatch(two)
	if a == nil || b == nil || a[1] == b[1] {
		t.Errorf("proposed keys: %v %v", a, b)
	}
	if body := v.get("/panels", 200); strings.Contains(body, "Magazzino") {
		t.Error("a button saved the panel")
	}
}

// Who edits what somebody else has changed meanwhile is told, sees both, and
// may save again.
func TestTwoEditAtOnce(t *testing.T) {
	v := newVisitor(t)
	path := "/panels/" + centraltest.Shop
	tag := tagOf(t, v.get(path+"/edit", 200))
	mine := url.Values{"tag": {tag}, "name": {"Oreficeria mia"}, "account": {"5544"}, "poll_seconds": {"60"}, "grace_seconds": {"0"}, "time_zone": {"Europe/Rome"}}
	err := v.s.Premises.Edit(t.Context(), time.Now(), centraltest.Customer, func(c *premises.Change) error {
		_, err := c.EditPanel(centraltest.Shop, "", func(b *premises.PanelBody) error { b.Name = "Oreficeria sua"; return nil })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, body := v.post(path, mine, 409, "forse da te in un’altra scheda", `value="Oreficeria mia"`, "Salvato ora: Oreficeria sua")
	mine.Set("tag", tagOf(t, body))
	v.post(path, mine, 200, "Modifiche salvate.", "Oreficeria mia")
	v.post(path+"/delete", url.Values{"tag": {tag}}, 409, "forse tue in un’altra scheda")
}

func TestContactByPage(t *testing.T) {
	v := newVisitor(t)
	v.post("/contacts", url.Values{"name": {"Luca"}, "language": {"it"}}, 422, "C’è un problema da correggere", "serve almeno un recapito", `value="Luca"`)
	form := url.Values{"name": {"Luca"}, "language": {"it"}, "email": {"luca@vedetta.example"}, "phone": {"+39 333 1234567"},
		"webhook.url": {"https://hook.vedetta.example/luca"}}
	r, body := v.post("/contacts", form, 200, "Aggiunto.", "&#43;393331234567", "whsec_", "Al telefono non si invia ancora nulla.")
	path := r.Request.URL.Path
	secret := regexp.MustCompile(`whsec_[A-Za-z0-9+/=]{20,}`).FindString(body)
	form.Set("tag", tagOf(t, body))
	form.Set("phone", "")
	form.Set("webhook.url", "https://hook.vedetta.example/other")
	_, body = v.post(path, form, 200, "Modifiche salvate.")
	if !strings.Contains(body, secret) {
		t.Error("the webhook's secret is another after an edit of the address")
	}
	form.Set("tag", tagOf(t, body))
	form.Set("webhook.secret", "whsec_wrong-secret")
	if _, body := v.post(path, form, 422, "24 a 64 byte"); strings.Contains(body, "wrong-secret") {
		t.Error("a secret that was typed came back")
	}
	// Anna's addresses carry a rule: they can't be taken away, nor can she.
	anna := "/contacts/" + centraltest.Contact
	form = url.Values{"tag": {tagOf(t, v.get(anna, 200))}, "name": {"Anna"}, "language": {"it"}, "phone": {centraltest.Phone}}
	v.post(anna, form, 422, "Tutto ad Anna", "Modifica prima le regole")
	v.post(anna+"/delete", url.Values{"tag": {tagOf(t, v.get(anna+"/delete", 200))}}, 409, "Prima modifica queste regole", "Tutto ad Anna")
}

func TestRuleByPage(t *testing.T) {
	v := newVisitor(t)
	v.get("/rules/new", 200, `value="burglary" checked`)
	form := url.Values{"name": {"Furto di notte"}, "enabled": {"yes"}, "categories": {"burglary", "holdup"}, "qualifiers": {"new"}, "from": {"22:00"}, "to": {"06:00"},
		"steps": {"1"}, "steps[0].contacts": {centraltest.Contact}, "steps[0].channels": {"email"}, "steps[0].after_seconds": {"0"}, "steps[0].repeat": {"0"}}
	again := url.Values{}
	for k, list := range form {
		again[k] = list
	}
	again.Set("action", "add_step")
	v.post("/rules", again, 200, "Passo 2", `name="steps[1].after_seconds" type="text" value="5"`)
	again.Set("action", "remove_step 0")
	v.post("/rules", again, 200, "Passo 1")
	wrong := url.Values{}
	for k, list := range form {
		wrong[k] = list
	}
	wrong.Set("to", "")
	wrong.Set("codes", "BA, nonsense!")
	wrong.Set("steps[0].after_seconds", "9999")
	v.post("/rules", wrong, 422, "un orario HH:MM", "voce 2:", "un numero da 0 a 2820", `value="22:00"`)
	v.post("/rules", form, 200, "Aggiunto.", "Rapina e furto, ogni giorno 22:00–06:00: e-mail a Anna Rossi.")
	// Switched off, the alarms of life safety that the other rule covered reach nobody.
	off := url.Values{"tag": {ruleTag(t, v, "r-all")}, "enabled": {"no"}}
	v.post("/rules/r-all/enabled", off, 200, "Regola disattivata.", "Alcuni allarmi non raggiungono nessuno", "Incendio: nessuno viene avvisato.")
	v.post("/rules/r-all/enabled", off, 200, "forse da te in un’altra scheda")
	v.get("/", 200, "Alcuni allarmi non raggiungono nessuno")
}

func ruleTag(t *testing.T, v *visitor, id string) string {
	t.Helper()
	b, err := v.s.Premises.Rule(t.Context(), centraltest.Customer, id)
	if err != nil {
		t.Fatal(err)
	}
	return b.Tag
}

// A browser's subscription is added to a contact, with new keys replaced, and
// taken away again.
func TestDeviceByPage(t *testing.T) {
	v := newVisitor(t)
	v.get("/device", 200, "non sono attive in questa installazione")
	keys := func() (p256dh, auth string) {
		k, err := ecdh.P256().GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		secret := make([]byte, 16)
		rand.Read(secret)
		return base64.RawURLEncoding.EncodeToString(k.PublicKey().Bytes()), base64.RawURLEncoding.EncodeToString(secret)
	}
	p256dh, auth := keys()
	form := url.Values{"contact": {centraltest.Contact}, "endpoint": {"https://updates.push.services.mozilla.com/wpush/v2/x"}, "p256dh": {p256dh}, "auth": {auth}}
	v.post("/device", form, 200, "Questo dispositivo riceverà gli avvisi.")
	p256dh, auth = keys()
	form.Set("p256dh", p256dh)
	form.Set("auth", auth)
	v.post("/device", form, 200)
	b, err := v.s.Premises.Contact(context.Background(), centraltest.Customer, centraltest.Contact)
	if err != nil || len(b.Push) != 1 || b.Push[0].P256dh != p256dh {
		t.Fatalf("%d devices, %v, want one with the new keys", len(b.Push), err)
	}
	page := v.get("/contacts/"+centraltest.Contact, 200, "Firefox")
	if strings.Contains(page, "wpush") || strings.Contains(page, auth) {
		t.Error("the subscription is shown")
	}
	device := regexp.MustCompile(`name="push_remove" value="([^"]+)"`).FindStringSubmatch(page)
	form.Set("endpoint", "http://10.0.0.1/x")
	v.post("/device", form, 422)
	form.Set("contact", "nobody")
	v.post("/device", form, 422, "questo contatto non c’è più")
	v.post("/device/remove", url.Values{"contact": {centraltest.Contact}, "device": {device[1]}}, 200, "non riceverà più")
	v.get("/contacts/"+centraltest.Contact, 200, "Nessun dispositivo.")
}

func TestAccountByPage(t *testing.T) {
	v := newVisitor(t)
	const next = "quattro parole a caso"
	v.post("/account/password", url.Values{"present": {"wrong"}, "next": {next}, "repeat": {next}}, 422, "Non è la password attuale.")
	v.post("/account/password", url.Values{"present": {centraltest.Password}, "next": {next}, "repeat": {"other"}}, 422, "non sono uguali")
	v.post("/account/password", url.Values{"present": {centraltest.Password}, "next": {next}, "repeat": {next}}, 200, "Password cambiata.")
	v.post("/account/language", url.Values{"language": {"en"}}, 200, "Language saved.", `lang="en"`)
	v.post("/account/language", url.Values{"language": {"xx"}}, 404)
	// On another device the user's own choice counts, whatever its browser says.
	other := browser(t)
	login(t, other, v.base, next)
	if _, body := get(t, other, v.base+"/", "Accept-Language", "it"); !strings.Contains(body, `<html lang="en">`) {
		t.Error("the language is not the user's own")
	}
}

// What belongs to another customer, or to nobody, is not there.
func TestNothingOfOthers(t *testing.T) {
	v := newVisitor(t)
	for _, path := range []string{"/panels/nobody", "/panels/nobody/edit", "/panels/nobody/delete", "/contacts/nobody", "/rules/nobody", "/events/arezzo.1-0000000000000001.1.0", "/?panel=nobody",
		"/notifications?panel=nobody", "/notifications?before=x", "/panels?from=x", "/panels?from=-1"} {
		v.get(path, 404, "Pagina non trovata")
	}
	for _, path := range []string{"/panels/nobody", "/contacts/nobody", "/rules/nobody", "/rules/nobody/enabled", "/panels/nobody/delete"} {
		v.post(path, url.Values{"name": {"x"}}, 404)
	}
}

// Somebody whose session has ended comes back to the page, or is told that
// nothing was saved.
func TestEndedSession(t *testing.T) {
	_, srv := site(t, time.Now())
	c := browser(t)
	r, _ := get(t, c, srv.URL+"/panels")
	if r.Request.URL.RequestURI() != "/login?next=%2Fpanels" {
		t.Errorf("led to %s", r.Request.URL)
	}
	r, _ = post(t, c, srv.URL+"/login", url.Values{"email": {centraltest.Email}, "password": {centraltest.Password}, "next": {"/panels"}})
	if r.Request.URL.Path != "/panels" {
		t.Errorf("came back to %s", r.Request.URL)
	}
	r, _ = post(t, browser(t), srv.URL+"/login", url.Values{"email": {centraltest.Email}, "password": {centraltest.Password}, "next": {"//evil.example"}})
	if r.Request.URL.Path != "/" {
		t.Errorf("came to %s", r.Request.URL)
	}
	r, body := post(t, browser(t), srv.URL+"/panels", panelValues(), "Accept-Language", "it")
	if r.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "non è stato salvato nulla") {
		t.Errorf("%s %s", r.Status, body)
	}
	form := panelValues()
	form.Set("name", strings.Repeat("x", 300<<10))
	if r, body := post(t, c, srv.URL+"/panels", form, "Accept-Language", "it"); r.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(body, "Modulo troppo grande") {
		t.Errorf("too large a form: %s", r.Status)
	}
	if r, body := post(t, c, srv.URL+"/panels", panelValues(), "Sec-Fetch-Site", "cross-site", "Accept-Language", "it"); r.StatusCode != http.StatusForbidden || !strings.Contains(body, "Modulo rifiutato") {
		t.Errorf("a form of another site: %s", r.Status)
	}
}
