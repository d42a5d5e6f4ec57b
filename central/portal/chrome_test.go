package portal_test

import (
	"context"
	"fmt"
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
)

// chrome is one real browser; an error on its console fails the test.
type chrome struct {
	t   *testing.T
	ctx context.Context
}

func newChrome(t *testing.T, within time.Duration) *chrome {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not installed")
		}
		t.Skip("chromium is not installed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("lang", "it"), chromedp.Flag("accept-lang", "it"), chromedp.Env("LANGUAGE=it"))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("exception: %s", ev.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if text := ev.Entry.Text; strings.Contains(text, "Content Security Policy") || ev.Entry.Level == "error" && !strings.Contains(text, "ERR_") && !strings.Contains(text, "status of 4") {
				t.Errorf("console: %s", text)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, within)
	t.Cleanup(cancel)
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	return &chrome{t, ctx}
}

func (c *chrome) run(actions ...chromedp.Action[chromedp.Void]) {
	c.t.Helper()
	if err := chromedp.Do(c.ctx, actions...); err != nil {
		c.t.Fatal(err)
	}
}

func eval[T any](c *chrome, script string) T {
	c.t.Helper()
	v, err := chromedp.Run(c.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

// login opens the first page as the owner of the test customer.
func (c *chrome) login(base string) {
	c.t.Helper()
	c.run(chromedp.Navigate(base+"/"), chromedp.WaitVisible(chromedp.CSS("#password")),
		chromedp.SendKeys(chromedp.CSS("#email"), centraltest.Email), chromedp.SendKeys(chromedp.CSS("#password"), centraltest.Password+"\n"),
		chromedp.WaitVisible(chromedp.CSS(`nav.menu`)))
}

// picture checks the page on a screen of this width: nothing is wider, every
// text can be read (WCAG 2.2, 1.4.3), every control has a name (4.1.2). With
// VEDETTA_LOOK=folder it leaves a picture there.
func (c *chrome) picture(name string, width int64, dark bool) {
	c.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	_, err := chromedp.Call(c.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.run(chromedp.EmulateViewport(width, 900))
	if wide := eval[int64](c, `document.documentElement.scrollWidth`); wide > width {
		c.t.Errorf("%s: the page is %d wide on a screen of %d", name, wide, width)
	}
	for _, fault := range eval[[]string](c, looks) {
		c.t.Errorf("%s at %d, %s: %s", name, width, scheme, fault)
	}
	if dir := os.Getenv("VEDETTA_LOOK"); dir != "" {
		png, err := chromedp.Run(c.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", name, width, scheme)), png, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
}

// looks lists texts whose contrast is too low, controls without a name, and
// controls that a finger can't hit (2.5.8: 24 pixels).
const looks = `(() => {
  const faults = [];
  const parse = (s) => { const m = s.match(/[\d.]+/g); return m ? m.map(Number) : [0, 0, 0, 0]; };
  const over = (top, under) => { const a = top.length > 3 ? top[3] : 1; return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a)); };
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = (el) => {
    const layers = [];
    for (let e = el; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0) layers.push(c);
    }
    let c = parse(getComputedStyle(document.documentElement).colorScheme.includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? "rgb(18,18,18)" : "rgb(255,255,255)");
    for (const l of layers.reverse()) c = over(l, c);
    return c;
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walk.nextNode()) {
    const el = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || seen.has(el) || !el.checkVisibility() || el.closest(".hidden, .skip")) continue;
    seen.add(el);
    const s = getComputedStyle(el);
    const bg = ground(el), fg = over(parse(s.color), bg);
    const [a, b] = [light(fg), light(bg)].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05), size = parseFloat(s.fontSize);
    const need = size >= 24 || size >= 18.66 && Number(s.fontWeight) >= 700 ? 3 : 4.5;
    if (ratio < need) faults.push("contrast " + ratio.toFixed(2) + " of " + JSON.stringify(el.textContent.trim().slice(0, 40)));
  }
  for (const el of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    if (!el.checkVisibility() || el.closest(".hidden, .skip") || el.getAttribute("aria-hidden")) continue;
    const labels = el.labels ? Array.from(el.labels, (l) => l.textContent).join("") : "";
    if (!(el.getAttribute("aria-label") || labels || el.textContent || "").trim()) faults.push("no name: " + el.outerHTML.slice(0, 80));
    const box = el.getBoundingClientRect();
    if (el.matches("button, .button, .primary, .danger, input, select") && (box.width < 20 || box.height < 20)) faults.push("too small to hit: " + el.outerHTML.slice(0, 80));
  }
  return faults;
})()`
