// Package portal is what people see in the browser: live events, what became of
// each, panels, contacts and rules, in Italian and English. Pages are rendered
// here and complete without script; where script runs, small files of our own
// keep the live page up to date and ask for push. Nothing is inline, nothing
// comes from third parties, and the only cookies are those of session and
// language.
//
// It checks no value itself: premises refuses what can't be used and names the
// field, and the page says it in the person's words. Every form is answered by
// a redirect, or again with what was typed, secrets excepted. A form of another
// site is refused (net/http's CrossOriginProtection). It keeps nothing and owns
// no goroutine.
package portal

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"

	"vedetta/central/account"
	"vedetta/central/discovery"
	"vedetta/central/history"
	"vedetta/central/panelimport"
	"vedetta/central/premises"
	"vedetta/central/watch"
	"vedetta/central/web"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// Config of the portal; Secure and Proxies are the program's.
type Config struct {
	Secure    bool // browsers come by https: cookies say so
	Proxies   web.Proxies
	Receivers []Receiver // what an installer types into a panel, in the order of preference
}

// Portal serves the pages.
type Portal struct {
	cfg      Config
	accounts *account.Accounts
	history  *history.History
	premises *premises.Premises
	mesh     Mesh
	watching *watch.Watch
	unknown  *discovery.Discovery
	imports  *panelimport.Importer
	words    *Words
	pages    *template.Template
	log      *slog.Logger
}

// Parts are what the pages stand on.
type Parts struct {
	Accounts *account.Accounts
	History  *history.History
	Premises *premises.Premises
	Mesh     Mesh
	Watch    *watch.Watch

	Discovery *discovery.Discovery
	Imports   *panelimport.Importer
}

// New reads the embedded texts and templates.
func New(cfg Config, p Parts, log *slog.Logger) (*Portal, error) {
	w, err := LoadWords()
	if err != nil {
		return nil, err
	}
	t, err := template.ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return &Portal{cfg: cfg, accounts: p.Accounts, history: p.History, premises: p.Premises, mesh: p.Mesh, watching: p.Watch,
		unknown: p.Discovery, imports: p.Imports, words: w, pages: t, log: log}, nil
}

// Handler serves everything that no other part does.
func (p *Portal) Handler() (http.Handler, error) {
	static, err := fs.Sub(staticFiles, "static")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	files := http.StripPrefix("/static/", http.FileServerFS(static))
	mux.HandleFunc("GET /static/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=300")
		files.ServeHTTP(w, r)
	})
	for name, kind := range map[string]string{"manifest.webmanifest": "application/manifest+json", "sw.js": "text/javascript; charset=utf-8"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Cache-Control", "no-cache") // a browser asks for its worker anew
			http.ServeFileFS(w, r, static, name)
		})
	}
	mux.HandleFunc("GET /login", p.loginPage)
	mux.HandleFunc("POST /login", p.login)
	mux.HandleFunc("POST /logout", p.logout)
	mux.HandleFunc("POST /language", p.language)
	for pattern, fn := range p.routes() {
		mux.HandleFunc(pattern, p.user(fn))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { p.problem(w, r, http.StatusNotFound, "not_found") })
	// A form of another site is refused; cookies are SameSite=Lax besides.
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.problem(w, r, http.StatusForbidden, "refused")
	}))
	// Only a file of panels may be larger than what a form sends.
	bounded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most := int64(maxForm)
		if r.URL.Path == importPage {
			most = panelimport.MaxFile + maxForm
		}
		http.MaxBytesHandler(mux, most).ServeHTTP(w, r)
	})
	return p.safely(guard.Handler(bounded)), nil
}

// maxForm bounds what a form may send, in bytes.
const maxForm = 256 << 10

// routes are the pages of who is logged in.
func (p *Portal) routes() map[string]func(visit) error {
	routes := map[string]func(visit) error{
		"GET /{$}":                            p.live,
		"GET /live":                           p.stream,
		"GET /events/{id}":                    p.event,
		"GET /notifications":                  p.notifications,
		"GET /panels":                         p.panels,
		"GET /panels/new":                     p.newPanel,
		"GET /panels/find":                    p.panels, // where a change of language leads back to
		"POST /panels/find":                   p.panels,
		"GET /panels/{id}":                    p.panel,
		"GET /panels/{id}/edit":               p.editPanel,
		"GET /panels/{id}/watch":              p.watch,
		"GET /panels/{id}/watch/stream":       p.watchStream,
		"GET " + importPage:                   p.askImport,
		"POST " + importPage:                  p.doImport,
		"GET " + importPage + "/template.csv": p.importTemplate,
		"GET /imports/{id}":                   p.importDone,
		"GET /imports/{id}/report.csv":        p.importReport,
		"GET /unknown":                        p.operator(p.unknownPanels),
		"GET /unknown/{id}":                   p.operator(p.unknownPanel),
		"POST /unknown/{id}":                  p.operator(p.adopt),
		"GET /adoptions/{id}":                 p.operator(p.adoption),
		"GET /contacts":                       p.contacts,
		"GET /contacts/new":                   p.newContact,
		"GET /contacts/{id}":                  p.contact,
		"GET /rules":                          p.rules,
		"GET /rules/new":                      p.newRule,
		"GET /rules/{id}":                     p.rule,
		"POST /rules/{id}/enabled":            p.enableRule,
		"GET /device":                         p.device,
		"POST /device":                        p.subscribe,
		"POST /device/remove":                 p.unsubscribe,
		"GET /account":                        p.account,
		"POST /account/password":              p.changePassword,
		"POST /account/language":              p.setLanguage,
	}
	for path, save := range map[string]func(visit) error{"/panels": p.savePanel, "/contacts": p.saveContact, "/rules": p.saveRule} {
		routes["POST "+path] = save
		routes["POST "+path+"/{id}"] = save
	}
	for _, k := range p.removals() {
		routes["GET "+k.path+"/{id}/delete"] = p.askRemove(k)
		routes["POST "+k.path+"/{id}/delete"] = p.doRemove(k)
	}
	return routes
}
