package catcher

import (
	"context"
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

const maxHookBytes = 1 << 20

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

func (c *Catcher) handler(ctx context.Context) http.Handler {
	page := template.Must(template.New("page").Funcs(template.FuncMap{"at": at, "pretty": pretty, "title": title}).Parse(pageText))
	m := http.NewServeMux()
	m.HandleFunc("GET /messages", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.Messages()) })
	m.HandleFunc("GET /webhooks", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.Webhooks()) })
	m.HandleFunc("GET /pushes", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.Pushes()) })
	m.HandleFunc("GET /messages/{id}/html", c.mailPage)
	m.HandleFunc("DELETE /messages", c.clear("messages"))
	m.HandleFunc("DELETE /webhooks", c.clear("webhooks"))
	m.HandleFunc("DELETE /pushes", c.clear("pushes"))
	m.HandleFunc("DELETE /{$}", c.clear("all"))
	m.HandleFunc("GET /fault", func(w http.ResponseWriter, _ *http.Request) { answer(w, c.faults.get()) })
	m.HandleFunc("PUT /fault", c.putFault)
	m.HandleFunc("POST /hook", func(w http.ResponseWriter, r *http.Request) { c.hook(ctx, w, r) })
	m.HandleFunc("POST /hook/", func(w http.ResponseWriter, r *http.Request) { c.hook(ctx, w, r) })
	m.HandleFunc("POST /push/subscriptions", c.subscribe)
	m.HandleFunc("POST /push/{id}", func(w http.ResponseWriter, r *http.Request) { c.push(ctx, w, r) })
	m.HandleFunc("DELETE /push/{id}", c.unsubscribe)
	m.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		io.WriteString(w, pageStyle)
	})
	m.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		mails, hooks, pushes := c.shelf.list()
		view := struct {
			Mails, Hooks, Pushed int
			Messages             []Message
			Webhooks             []Webhook
			Pushes               []Push
			Faults               Faults
		}{len(mails), len(hooks), len(pushes), newest(mails, 50), newest(hooks, 50), newest(pushes, 50), c.faults.get()}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		if err := page.Execute(w, view); err != nil {
			c.env.Log.Warn("page was not written", "error", err)
		}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		m.ServeHTTP(w, r)
	})
}

// hook takes a webhook, or does what the fault says.
func (c *Catcher) hook(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	f := c.faults.webhook()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxHookBytes))
	if err != nil {
		http.Error(w, "want a whole body of at most 1 MiB", http.StatusBadRequest)
		return
	}
	c.env.Log.Debug("webhook came", "bytes", len(body), "fault", string(f.Mode))
	if f.answered(ctx, w, "/hook/elsewhere") {
		return
	}
	h := Webhook{ID: r.Header.Get("webhook-id"), Headers: map[string]string{}, Body: string(body), Received: Time(time.Now())}
	for name, values := range r.Header {
		h.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if err := c.shelf.add(line{Kind: "webhook", Webhook: &h}); err != nil {
		c.env.Log.Warn("webhook was not kept", "error", err)
		http.Error(w, "can't keep it", http.StatusInsufficientStorage)
		return
	}
	f.afterwards(ctx, w, r)
	answer(w, map[string]bool{"kept": true})
}

// mailPage shows a mail's HTML as a stranger's page: no script, no network.
func (c *Catcher) mailPage(w http.ResponseWriter, r *http.Request) {
	mails := c.Messages()
	i := slices.IndexFunc(mails, func(m Message) bool { return m.ID == r.PathValue("id") })
	if i < 0 {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'")
	io.WriteString(w, mails[i].HTML)
}

func (c *Catcher) clear(what string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := c.shelf.add(line{Kind: "clear", Clear: what}); err != nil {
			http.Error(w, "can't clear", http.StatusInsufficientStorage)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func (c *Catcher) putFault(w http.ResponseWriter, r *http.Request) {
	var f Faults
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		http.Error(w, `want {"mail":{"mode","delay_seconds","count"},"webhook":{...},"push":{...}}: `+err.Error(), http.StatusBadRequest)
		return
	}
	if err := c.faults.set(f); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, f)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v) // an error means that the reader has gone
}

// newest returns the last n, newest first.
func newest[T any](list []T, n int) []T {
	list = list[max(0, len(list)-n):]
	slices.Reverse(list)
	return list
}

func at(t Time) string { return time.Time(t).UTC().Format("2006-01-02 15:04:05.000") }

func pretty(body string) string {
	var v any
	if json.Unmarshal([]byte(body), &v) != nil {
		return body
	}
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if e.Encode(v) != nil {
		return body
	}
	return out.String()
}

// title is what a device would show in bold.
func title(payload string) string {
	var p struct {
		Notification struct {
			Title string `json:"title"`
		} `json:"notification"`
	}
	if json.Unmarshal([]byte(payload), &p) != nil || p.Notification.Title == "" {
		return "a push message without a title"
	}
	return p.Notification.Title
}
