package portal_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"vedetta/central/centraltest"
	"vedetta/wire/decision"
	"vedetta/wire/event"
)

func iconNames() []string {
	names := []string{"email", "webpush", "sms", "whatsapp", "voice", "webhook", "automation"}
	for _, c := range event.Categories() {
		names = append(names, string(c))
	}
	return names
}

// The live page in a real browser: login, a new alarm and its outcome appear
// without a reload, the stream comes back after a cut, nothing breaks the
// policy, nothing is wider than the screen. With VEDETTA_LOOK=folder it leaves
// pictures there.
func TestLivePageInBrowser(t *testing.T) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	now := time.Now()
	s, srv := site(t, now)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("lang", "it"), chromedp.Env("LANGUAGE=it"))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	if err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("exception: %s", ev.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if text := ev.Entry.Text; strings.Contains(text, "Content Security Policy") || ev.Entry.Level == "error" && !strings.Contains(text, "ERR_") {
				t.Errorf("console: %s", text)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	run := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	media := func(scheme string) {
		t.Helper()
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	picture := func(name string, width int64, dark bool) {
		t.Helper()
		scheme := "light"
		if dark {
			scheme = "dark"
		}
		media(scheme)
		run(chromedp.EmulateViewport(width, 900))
		wide, err := chromedp.Run(ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
		if err != nil {
			t.Fatal(err)
		}
		if wide > width {
			t.Errorf("%s: the page is %d wide on a screen of %d", name, wide, width)
		}
		if dir := os.Getenv("VEDETTA_LOOK"); dir != "" {
			png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	run(chromedp.Navigate(srv.URL+"/"), chromedp.WaitVisible(chromedp.CSS("#password")))
	picture("login-360", 360, false)
	picture("login-1440-dark", 1440, true)
	run(chromedp.SendKeys(chromedp.CSS("#email"), centraltest.Email), chromedp.SendKeys(chromedp.CSS("#password"), centraltest.Password+"\n"), chromedp.WaitVisible(chromedp.CSS(`#pulse[data-state="live"]`)))

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
	run(chromedp.WaitVisible(chromedp.CSS(id)))
	centraltest.Settle(s.Mesh, now.Add(time.Second), ids[0], 1, decision.StateDelivered, "")
	apply()
	run(chromedp.WaitVisible(chromedp.CSS(id + ` .sent .tone-good`)))
	srv.CloseClientConnections()
	centraltest.Settle(s.Mesh, now.Add(2*time.Second), ids[1], 1, decision.StateDelivered, "")
	apply()
	run(chromedp.WaitVisible(chromedp.CSS(id + ` .sent li:nth-child(2).tone-good`)))
	first, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(".event").id`))
	if err != nil {
		t.Fatal(err)
	}
	count, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll(".event").length`))
	if err != nil {
		t.Fatal(err)
	}
	if `[id="`+first+`"]` != id || count != 13 {
		t.Errorf("first of %d events is %s, want %s of 13", count, first, id)
	}
	picture("live-360", 360, false)
	picture("live-360-dark", 360, true)
	picture("live-1440", 1440, false)
	picture("live-1440-dark", 1440, true)
	picture("live-768", 768, false)
}
