package portal_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"vedetta/central/centraltest"
)

var heldKey = []byte("0123456789abcdef")

// strangers lets two panels report that nobody has entered, and one account
// that two panels could have.
func strangers(t *testing.T, s *centraltest.Service, now time.Time) {
	t.Helper()
	zero := "0"
	first := centraltest.Stranger{At: now.Add(-3 * time.Hour), Account: "F00D01", Prefix: &zero, Blocks: "[#F00D01|Nri1/FA007^Cantina^]", Sequence: 1}.Hold(s.Mesh)
	centraltest.Stranger{At: now.Add(-3*time.Hour + 4*time.Second), Node: "roubaix", Account: "F00D01", Prefix: &zero, Blocks: "[#F00D01|Nri1/FA007^Cantina^]", Sequence: 1, CopyOf: first}.Hold(s.Mesh)
	for i := range 3 {
		centraltest.Stranger{At: now.Add(time.Duration(i-9) * time.Minute), Account: "F00D02", Blocks: "[#F00D02|Nri1/BA002]", Sequence: i + 1, Key: heldKey}.Hold(s.Mesh)
	}
	centraltest.Stranger{At: now.Add(-time.Minute), Account: "5544", Reason: "ambiguous_panel", Token: "ADM-CID", Blocks: "[#5544|1130 01 003]", Sequence: 4}.Hold(s.Mesh)
	if err := s.Ingest.Apply(t.Context(), s.Mesh.Records()); err != nil {
		t.Fatal(err)
	}
}

func loginOperator(t *testing.T, s *centraltest.Service, srv *httptest.Server, now time.Time) *http.Client {
	t.Helper()
	s.AddOperator(t, now)
	c := browser(t)
	if r, _ := post(t, c, srv.URL+"/login", url.Values{"email": {centraltest.Operator}, "password": {centraltest.OperatorPassword}}); r.StatusCode != 200 {
		t.Fatalf("login: %s", r.Status)
	}
	return c
}

// TestUnknownPanelsByPage: an operator is told on the first page, looks, is told
// of a wrong key, and adopts; an owner finds no such page.
func TestUnknownPanelsByPage(t *testing.T) {
	now := time.Now()
	s, srv := site(t, now)
	strangers(t, s, now)
	owner := browser(t)
	if r, body := login(t, owner, srv.URL, centraltest.Password); r.StatusCode != 200 || strings.Contains(body, "/unknown") {
		t.Errorf("an owner is told of strangers: %s", r.Status)
	}
	if r, _ := get(t, owner, srv.URL+"/unknown"); r.StatusCode != 404 {
		t.Errorf("an owner at /unknown: %s", r.Status)
	}
	c := loginOperator(t, s, srv, now)
	if _, body := get(t, c, srv.URL+"/", "Accept-Language", "it"); !strings.Contains(body, "3 centrali sconosciute hanno inviato messaggi.") {
		t.Error("the first page doesn't tell the operator")
	}
	_, body := get(t, c, srv.URL+"/unknown", "Accept-Language", "en")
	for _, want := range []string{"F00D01", "F00D02", "2 messages", "encrypted, key unknown", "Cantina", "198.51.100.23", "This account is entered by now"} {
		if !strings.Contains(body, want) {
			t.Errorf("the list lacks %q", want)
		}
	}
	list, err := s.Discovery.List(t.Context(), now, 10, "")
	if err != nil {
		t.Fatal(err)
	}
	at := srv.URL + "/unknown/"
	for _, u := range list.Items {
		if u.Account == "F00D02" {
			at += u.ID
		}
	}
	form := url.Values{"customer_id": {centraltest.Customer}, "name": {"Cantina"}, "key": {"another key 1234"}, "tell": {"recent"}}
	r, body := post(t, c, at, form, "Accept-Language", "en")
	if r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "none of the 3 encrypted held messages opens") || !strings.Contains(body, `name="anyway"`) || strings.Contains(body, "another key") {
		t.Errorf("a wrong key: %s %s", r.Status, body)
	}
	form.Set("key", "")
	form.Set("key_typed", "yes")
	form.Set("anyway", "yes")
	if r, body := post(t, c, at, form, "Accept-Language", "en"); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "You had entered one before") || !strings.Contains(body, "Adopt without a key") {
		t.Errorf("adopted without the key that was typed before: %s %s", r.Status, body)
	}
	form.Del("anyway")
	form.Set("key", string(heldKey))
	r, body = post(t, c, at, form, "Accept-Language", "en")
	if r.StatusCode != 200 || !strings.HasPrefix(r.Request.URL.Path, "/adoptions/") || !strings.Contains(body, "Cantina is adopted") {
		t.Errorf("adopted: %s %s %s", r.Status, r.Request.URL, body)
	}
	if r, _ := get(t, c, at); r.StatusCode != 404 {
		t.Errorf("adopted, and still there: %s", r.Status)
	}
}

func upload(t *testing.T, c *http.Client, to, action, file string) (*http.Response, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("file", "panels.csv")
	if err == nil {
		_, err = part.Write([]byte(file))
	}
	if err == nil {
		err = w.WriteField("action", action)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, &b)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Accept-Language", "it")
	return do(t, c, req)
}

// TestImportByPage: a file with faults is told line by line and changes
// nothing; a good one is imported, and what was done is a file.
func TestImportByPage(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // a file holds keys: it is never written anywhere
	defer func() {
		if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
			t.Errorf("uploads are on the disk: %v %v", left, err)
		}
	}()
	_, srv := site(t, time.Now())
	c := browser(t)
	login(t, c, srv.URL, centraltest.Password)
	page := srv.URL + "/panels/import"
	bad := "Nome;Account\r\nMagazzino;BEEF01\r\nUfficio;XYZ\r\n"
	for _, action := range []string{"try", "import"} {
		r, body := upload(t, c, page, action, bad)
		if r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "1 riga non va bene") || !strings.Contains(body, "da 3 a 16 cifre esadecimali") || !strings.Contains(body, "XYZ") {
			t.Errorf("%s: %s %s", action, r.Status, body)
		}
	}
	good := strings.ReplaceAll(bad, "XYZ", "BEEF02") + strings.Repeat(";;;\r\n", 100_000) // larger than a form may be
	if r, body := upload(t, c, page, "try", good); r.StatusCode != 200 || !strings.Contains(body, "Va bene: 2 nuove") {
		t.Errorf("a try: %s %s", r.Status, body)
	}
	r, body := upload(t, c, page, "import", good)
	if r.StatusCode != 200 || !strings.HasPrefix(r.Request.URL.Path, "/imports/") || !strings.Contains(body, "2 nuove") {
		t.Fatalf("an import: %s %s %s", r.Status, r.Request.URL, body)
	}
	if r, body := get(t, c, r.Request.URL.String()+"/report.csv"); r.StatusCode != 200 || !strings.Contains(body, "BEEF02;Ufficio;new;") {
		t.Errorf("the report: %s %s", r.Status, body)
	}
	if r, body := get(t, c, page+"/template.csv"); r.StatusCode != 200 || !strings.Contains(body, "name;account;key") {
		t.Errorf("the template: %s %s", r.Status, body)
	}
	if r, body := upload(t, c, page, "import", good); r.StatusCode != 200 || !strings.Contains(body, "Nulla da cambiare") {
		t.Errorf("again: %s %s", r.Status, body)
	}
	if r, body := post(t, c, page, url.Values{"action": {"try"}}); r.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(body, "Scegli un file") {
		t.Errorf("without a file: %s", r.Status)
	}
}

// TestOperatorPagesInBrowser looks at the pages of discovery and import.
func TestOperatorPagesInBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	now := time.Now()
	s, srv := site(t, now)
	s.AddOperator(t, now)
	strangers(t, s, now)
	c := newChrome(t, 3*time.Minute)
	c.run(chromedp.Navigate(srv.URL+"/"), chromedp.WaitVisible(chromedp.CSS("#password")),
		chromedp.SendKeys(chromedp.CSS("#email"), centraltest.Operator), chromedp.SendKeys(chromedp.CSS("#password"), centraltest.OperatorPassword+"\n"),
		chromedp.WaitVisible(chromedp.CSS(`nav.menu`)))
	file := filepath.Join(t.TempDir(), "centrali.csv")
	if err := os.WriteFile(file, []byte("Nome;Account;Chiave\r\nMagazzino;XYZ;corta\r\nUfficio;BEEF02;\r\nUfficio con un nome molto lungo;BEEF02;\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := s.Discovery.List(t.Context(), now, 10, "")
	if err != nil {
		t.Fatal(err)
	}
	for n, language := range []string{"it", "en"} {
		if eval[string](c, `document.documentElement.lang`) != language {
			c.run(chromedp.Click(chromedp.CSS(`button[value="`+language+`"]`)), chromedp.WaitVisible(chromedp.CSS(`html[lang="`+language+`"]`)))
		}
		for _, page := range []struct {
			name, path string
			then       func()
		}{
			{"told", "/", nil}, {"unknown", "/unknown", nil}, {"unknown-one", "/unknown/" + list.Items[0].ID, nil}, {"unknown-encrypted", "/unknown/" + list.Items[1].ID, nil},
			{"unknown-problems", "/unknown/" + list.Items[1].ID, func() {
				c.run(chromedp.SetValue(chromedp.CSS("#f-key"), "another key 1234"), chromedp.Submit(chromedp.CSS("form.form")), chromedp.WaitVisible(chromedp.CSS(".problems")))
			}},
			{"import", "/panels/import", nil},
			{"import-problems", "/panels/import", func() {
				c.run(chromedp.SetUploadFiles(chromedp.CSS("#f-file"), []string{file}), chromedp.Click(chromedp.CSS(`button[value="try"]`)), chromedp.WaitVisible(chromedp.CSS(".problems")))
			}},
			{"adoption", "/unknown/" + list.Items[2].ID, func() {
				c.run(chromedp.SetValue(chromedp.CSS("#f-name"), fmt.Sprint("Cantina ", n)), chromedp.Submit(chromedp.CSS("form.form")), chromedp.WaitVisible(chromedp.CSS(".card")))
			}},
		} {
			if n > 0 && page.name == "adoption" {
				continue
			}
			c.run(chromedp.Navigate(srv.URL+page.path), chromedp.WaitVisible(chromedp.CSS("h1")))
			if page.then != nil {
				page.then()
			}
			for _, width := range []int64{360, 1440} {
				c.picture(page.name+"-"+language, width, width == 1440 && n == 1)
			}
		}
	}
}
