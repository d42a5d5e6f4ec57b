package portal_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	permission "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// What the nodes send, as node/channel/webpush/doc.go draws it.
const pushed = `{"version":1,"id":"n1","web_push":8030,"notification":{"title":"ALLARME Furto - Casa - Zona 1 Ingresso","body":"Allarme intrusione\nPORTA <è> aperta","lang":"it","dir":"ltr","tag":"Z2uLuEznJn3VIN7KSBHI8QpT5jY1LwaY","silent":false,"renotify":false,"requireInteraction":true,"timestamp":1782900001005,"navigate":"https://portal.example/events/arezzo.1-0000000000000001.7.0"},"event":{"id":"arezzo.1-0000000000000001.7.0","text":"PORTA <è> aperta"},"panel":{"id":"p1","name":"Casa"}}`

// The worker in a real browser shows what was pushed, one for a tag however
// often it comes, shows even what it can't read, and opens the event at a tap.
func TestRule10_WorkerShowsOnePerTag(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	script, err := os.ReadFile("static/sw.js")
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sw.js" {
			w.Header().Set("Content-Type", "text/javascript")
			w.Write(script)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html><title>page</title>")
	}))
	defer srv.Close()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	defer cancel()
	registered := make(chan serviceworker.RegistrationID, 16)
	if err := chromedp.Listen(ctx, func(ev any) {
		if ev, ok := ev.(*serviceworker.EventWorkerRegistrationUpdated); ok {
			for _, r := range ev.Registrations {
				if strings.HasPrefix(r.ScopeURL, srv.URL) {
					select {
					case registered <- r.RegistrationID:
					default:
					}
				}
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/")); err != nil {
		t.Fatal(err)
	}
	_, err = chromedp.CallBrowser(ctx, permission.SetPermission, permission.SetPermissionParams{
		Permission: &permission.PermissionDescriptor{Name: "notifications"}, Setting: permission.PermissionSettingGranted, Origin: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, serviceworker.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	js := func(what string) string {
		t.Helper()
		v, err := chromedp.Run(ctx, chromedp.Evaluate[string](what, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		return v
	}
	// A push to a worker that is still activating is lost.
	js(`navigator.serviceWorker.register("/sw.js").then(() => navigator.serviceWorker.ready).then(r => new Promise(done => {
		const look = () => r.active.state === "activated" && done("");
		r.active.addEventListener("statechange", look);
		look();
	}))`)
	var id serviceworker.RegistrationID
	select {
	case id = <-registered:
	case <-ctx.Done():
		t.Fatal("the worker was not registered")
	}
	deliver := func(data string) {
		t.Helper()
		_, err := chromedp.Call(ctx, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{Origin: srv.URL, RegistrationID: id, Data: data})
		if err != nil {
			t.Fatal(err)
		}
	}
	shown := func(want string) {
		t.Helper()
		got := ""
		for range 100 {
			got = js(`navigator.serviceWorker.ready.then(r => r.getNotifications()).then(l => l.map(n => [n.title, n.body, n.tag, n.lang, n.renotify, n.requireInteraction].join("|")).sort().join("\n"))`)
			if got == want {
				return
			}
			js(`new Promise(done => setTimeout(() => done(""), 50))`)
		}
		t.Errorf("shown %q, want %q", got, want)
	}
	one := "ALLARME Furto - Casa - Zona 1 Ingresso|Allarme intrusione\nPORTA <è> aperta|Z2uLuEznJn3VIN7KSBHI8QpT5jY1LwaY|it|false|true"
	deliver(pushed)
	shown(one)
	deliver(pushed)
	js(`new Promise(done => setTimeout(() => done(""), 300))`)
	shown(one)
	deliver("what is this?")
	shown(one + "\nVedetta||||false|false")

	// A tap, as the browser tells the worker of it.
	targets, err := chromedp.Targets(ctx)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(targets, func(g *target.Info) bool { return g.Type == "service_worker" && strings.HasPrefix(g.URL, srv.URL) })
	if i < 0 {
		t.Fatal("the worker doesn't run")
	}
	worker, done := chromedp.NewContext(ctx, chromedp.WithTargetID(targets[i].TargetID))
	defer done()
	_, err = chromedp.Run(worker, chromedp.Evaluate[string](`self.registration.getNotifications({tag: "Z2uLuEznJn3VIN7KSBHI8QpT5jY1LwaY"}).then(l => {
		self.dispatchEvent(new NotificationEvent("notificationclick", {notification: l[0]})); return ""; })`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	want := srv.URL + "/events/arezzo.1-0000000000000001.7.0"
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 200 { // the page is asked from outside: it goes away under us
		if targets, err = chromedp.Targets(ctx); err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(targets, func(g *target.Info) bool { return g.Type == "page" && g.URL == want }) {
			return
		}
		<-tick.C
	}
	t.Errorf("a tap did not open %s", want)
}
