package portal_test

import (
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"

	"vedetta/central/portal"
	"vedetta/wire/push"
)

// What the nodes push (node/channel/webpush) is shown by the worker in a real
// browser, also in a form that it doesn't know; the page registers the worker.
func TestWorkerShowsWhatIsPushed(t *testing.T) {
	s, _ := site(t, time.Now())
	var err error
	if s.Mesh.PushKey, err = push.NewKey(); err != nil {
		t.Fatal(err)
	}
	srv := serve(t, s, portal.Config{})
	c := newChrome(t, 60*time.Second)
	registrations := make(chan serviceworker.RegistrationID, 16)
	if err := chromedp.Listen(c.ctx, func(ev any) {
		if ev, ok := ev.(*serviceworker.EventWorkerRegistrationUpdated); ok {
			for _, r := range ev.Registrations {
				select {
				case registrations <- r.RegistrationID:
				default:
				}
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	c.login(srv.URL)
	if _, err := chromedp.Call(c.ctx, cdpbrowser.SetPermission, cdpbrowser.SetPermissionParams{Permission: &cdpbrowser.PermissionDescriptor{Name: "notifications"}, Setting: "granted", Origin: srv.URL}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(c.ctx, serviceworker.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	c.run(chromedp.Navigate(srv.URL+"/device"), chromedp.WaitVisible(chromedp.CSS("#device-form")))
	var id serviceworker.RegistrationID
	select {
	case id = <-registrations:
	case <-time.After(20 * time.Second):
		t.Fatal("no worker was registered")
	}
	show := `(async () => {
		const r = await navigator.serviceWorker.ready;
		for (let i = 0; i < 100; i++) {
			const list = (await r.getNotifications()).map((n) => [n.title, n.body, n.tag, n.data.path].join("|"));
			if (list.length >= 2) return list.sort().join("\n");
			await new Promise((done) => setTimeout(done, 100));
		}
		return "";
	})()`
	for _, data := range []string{
		`{"version":1,"id":"n1","notification":{"title":"ALLARME Furto - Casa","body":"Allarme intrusione","lang":"it","dir":"ltr","tag":"topic-1","silent":false,"renotify":false,"requireInteraction":true,"timestamp":1782900001005},"event":{"id":"arezzo.1-01.7.0"}}`,
		`{"version":1,"id":"n1","notification":{"title":"ALLARME Furto - Casa","body":"Allarme intrusione","tag":"topic-1"},"event":{"id":"arezzo.1-01.7.0"}}`, // again: shown once
		`not of a form that is known`,
	} {
		if _, err := chromedp.Call(c.ctx, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{Origin: srv.URL, RegistrationID: id, Data: data}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](show, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if want := "ALLARME Furto - Casa|Allarme intrusione|topic-1|/events/arezzo.1-01.7.0\nVedetta|||/"; got != want {
		t.Errorf("shown: %q\nwant %q", got, want)
	}
}
