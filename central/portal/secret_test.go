package portal_test

import (
	"encoding/base64"
	"html"
	"net/url"
	"strings"
	"testing"
)

// A key or a secret that was typed before a refusal is asked for again: neither
// is a panel saved without its key nor another secret made in silence.
func TestSecretsAreAskedForAgain(t *testing.T) {
	v := newVisitor(t)
	const offered, asked = "scritta non viene rimandata", "Prima ne avevi scritto uno"
	form := panelValues()
	form.Set("name", "")
	v.post("/panels", form, 422, offered, `name="key_typed" value="yes"`, "Salva senza chiave")
	form.Set("name", "Magazzino")
	form.Del("key")
	form.Set("key_typed", "yes")
	v.post("/panels", form, 422, asked, `href="#f-key"`, `name="key_typed" value="yes"`)
	if body := v.get("/panels", 200); strings.Contains(body, "Magazzino") {
		t.Error("a refused form added the panel")
	}
	form.Set("key_waived", "yes")
	v.post("/panels", form, 200, "Aggiunto.", "Nessuna chiave")
	form = panelValues()
	form.Set("key_typed", "yes")
	form.Set("account", "BEEF02")
	r, _ := v.post("/panels", form, 200, "Aggiunto.", "letta come cifre esadecimali")
	form.Set("tag", tagOf(t, v.get(r.Request.URL.Path+"/edit", 200)))
	form.Set("key", "")
	v.post(r.Request.URL.Path, form, 422, asked, "Lascia ciò che è salvato ora")

	own := "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret of thirty-two bytes ...."))
	contact := url.Values{"name": {"Luca"}, "language": {"it"}, "email": {"luca@"}, "webhook.url": {"https://hook.vedetta.example/luca"}, "webhook.secret": {own}}
	if _, body := v.post("/contacts", contact, 422, "il segreto scritto non viene rimandato", `name="webhook.secret_typed" value="yes"`); strings.Contains(body, own) {
		t.Error("the secret came back")
	}
	contact.Set("email", "luca@vedetta.example")
	contact.Set("webhook.secret", "")
	contact.Set("webhook.secret_typed", "yes")
	v.post("/contacts", contact, 422, asked, `href="#f-webhook-secret"`, "Crea invece un segreto nuovo")
	contact.Set("webhook.secret", own)
	_, body := v.post("/contacts", contact, 200, "Aggiunto.")
	if !strings.Contains(html.UnescapeString(body), own) {
		t.Error("the secret is another than the one that was typed")
	}
}
