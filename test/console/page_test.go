package console

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/longhaul/longhaul/pkg/execution"
	"github.com/longhaul/longhaul/test/rig"
)

// tab is one tab of the browser, with cookies that no other test has.
type tab struct {
	t    testing.TB
	url  string // of the server
	ctx  context.Context
	mu   sync.Mutex
	said []string // errors of the page, as they came
}

// pageTimeout bounds each single step.
const pageTimeout = 30 * time.Second

// visit opens a page of the console for one who is not logged in.
func (h *house) visit(path string) *tab {
	h.T.Helper()
	browser, err := chromium()
	if err != nil {
		h.T.Fatal(err)
	}
	ctx, stop := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	p := &tab{t: h.T, url: h.url, ctx: ctx}
	h.T.Cleanup(func() {
		if h.T.Failed() {
			p.keep("failed", false)
		}
		stop()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, s := range p.said {
			h.T.Errorf("the page complains: %s", s)
		}
	})
	p.do(chromedp.EmulateViewport(1280, 800))
	p.listen()
	// A breach of the policy is written to the console in words that change; this stays.
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
			Source: `addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample), true)`,
		})
		return err
	}))
	p.goTo(path)
	return p
}

// open opens a page of the console for one who is logged in.
func (h *house) open(path string) *tab {
	h.T.Helper()
	p := h.visit("/console/icon.svg") // any address of the server, to which the cookie belongs
	p.setCookie(h.cookie())
	p.goTo(path)
	p.wait(`document.querySelector('main h1')`)
	return p
}

// cookie is what a browser has after logging in.
func (h *house) cookie() *http.Cookie {
	h.T.Helper()
	req, err := http.NewRequestWithContext(h.T.Context(), http.MethodPost, h.url+"/console/session", strings.NewReader(`{"token":"`+token+`"}`))
	if err != nil {
		h.T.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", h.url)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.T.Fatal(err)
	}
	defer res.Body.Close()
	if len(res.Cookies()) != 1 {
		h.T.Fatalf("log in: %s", res.Status)
	}
	return res.Cookies()[0]
}

func (p *tab) setCookie(c *http.Cookie) {
	p.t.Helper()
	yes := true
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: p.url, HTTPOnly: &yes, SameSite: network.CookieSameSiteStrict})
		return err
	}))
}

// listen collects what the page complains of. That an answer was 401 or that a server
// was away, which a browser writes down too, is for the tests to say.
func (p *tab) listen() {
	go func() {
		for m, err := range chromedp.Console(p.ctx) {
			if err != nil {
				return // the tab is closed
			}
			if m.Source == "network" || m.Type != chromedp.ConsoleError && m.Type != chromedp.ConsoleException {
				continue
			}
			p.mu.Lock()
			p.said = append(p.said, fmt.Sprintf("%s %s (%s:%d)", m.Type, m.Text, m.URL, m.Line))
			p.mu.Unlock()
		}
	}()
}

// do runs steps, each in bounded time.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	for _, step := range steps {
		if err := p.try(step); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *tab) try(step chromedp.Action[chromedp.Void]) error {
	if err := chromedp.Do(p.ctx); err != nil { // the first call must have no deadline
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, pageTimeout)
	defer cancel()
	return chromedp.Do(ctx, step)
}

// goTo loads a page.
func (p *tab) goTo(path string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.url + path))
}

// wait waits until an expression of JavaScript is true, in whatever document is
// there by then.
func (p *tab) wait(js string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageTimeout)
	defer cancel()
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	var said error // of the expression itself
	for {
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+js+")"))
		if ok {
			return
		}
		if ctx.Err() == nil {
			said = err
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("it never came to be that %s (%v)\nthe page says: %.1500s", js, said, p.eval("document.body.innerText"))
		case <-tick.C:
		}
	}
}

// eval gives the value of an expression as text.
func (p *tab) eval(js string) string {
	p.t.Helper()
	return eval[string](p, "String("+js+")")
}

func eval[T any](p *tab, js string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageTimeout)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%.200s: %v", js, err)
	}
	return v
}

// block lets the page reach no address of these patterns, in place of the ones before.
func (p *tab) block(patterns ...string) {
	p.t.Helper()
	var blocked network.SetBlockedURLsParams
	for _, pattern := range patterns {
		blocked.URLPatterns = append(blocked.URLPatterns, &network.BlockPattern{URLPattern: pattern, Block: true})
	}
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetBlockedURLs, blocked)
		return err
	}))
}

// click clicks the first element of a CSS selector, when it can be.
func (p *tab) click(css string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(css)))
}

// clickText clicks the first button or link whose text or label begins so.
func (p *tab) clickText(text string) {
	p.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll('button, a, summary')].find(e => !e.disabled && e.checkVisibility() && ((e.innerText ?? '').trim().startsWith(%[1]q) || (e.getAttribute('aria-label') ?? '').startsWith(%[1]q)))`, text)
	p.wait(find)
	p.eval(find + ".click()")
}

// fill replaces what stands in a field.
func (p *tab) fill(css, text string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(chromedp.CSS(css)), chromedp.Focus(chromedp.CSS(css)))
	p.eval(fmt.Sprintf("document.querySelector(%q).select?.()", css))
	p.do(chromedp.SendKeys(chromedp.CSS(css), text))
}

// keys presses keys, wherever the focus is.
func (p *tab) keys(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// path is the address in the bar, without the server.
func (p *tab) path() string {
	p.t.Helper()
	return p.eval("location.pathname + location.search")
}

// media sets the colour scheme, and whether the visitor wants less motion.
func (p *tab) media(scheme string) {
	p.t.Helper()
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	}))
}

// look holds a page against axe's rules and takes pictures of it: light and dark, on
// a desk and on a phone, where nothing may be wider than the screen.
func (p *tab) look(name string) {
	p.t.Helper()
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"wide", 1280, 800}, {"phone", 390, 844}} {
		p.do(chromedp.EmulateViewport(size.width, size.height))
		for _, scheme := range []string{"light", "dark"} {
			p.media(scheme)
			if size.name == "wide" || scheme == "light" { // colours are the same on a phone
				p.axe(name + ", " + size.name + ", " + scheme)
			}
			p.keep(strings.Join([]string{name, size.name, scheme}, "-"), size.name == "phone")
		}
		if over := eval[int](p, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
			p.t.Errorf("%s, %s: %d pixels wider than the screen", name, size.name, over)
		}
	}
	p.do(chromedp.EmulateViewport(1280, 800))
	p.media("light")
}

// keep writes a picture of the page into LONGHAUL_SCREENSHOTS, or else into
// .cache/screenshots.
func (p *tab) keep(name string, full bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, pageTimeout)
	defer cancel()
	shot := chromedp.CaptureScreenshot()
	if full {
		shot = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(ctx, shot)
	if err != nil {
		p.t.Logf("screenshot: %v", err)
		return
	}
	dir := os.Getenv("LONGHAUL_SCREENSHOTS")
	if dir == "" {
		dir = filepath.Join(rig.Root(), ".cache", "screenshots")
	}
	file := strings.ReplaceAll(p.t.Name(), "/", "-") + "-" + name + ".png"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, file), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// axe fails the test for each of axe-core's rules that the page breaks.
func (p *tab) axe(where string) {
	p.t.Helper()
	if eval[bool](p, "!window.axe") {
		source := filepath.Join(modules(p.t), "axe-core", "axe.min.js")
		script, err := os.ReadFile(source)
		if err != nil {
			p.t.Fatal(err)
		}
		p.eval("(() => {" + string(script) + "\n})()")
	}
	found := eval[[]string](p, `axe.run({resultTypes: ['violations']}).then(r =>
		r.violations.map(v => v.id + ': ' + v.help + ' at ' + v.nodes.map(n => n.target.join(' ') + ' ' + (n.any[0]?.message ?? '')).join('; ')))`)
	slices.Sort(found)
	for _, f := range found {
		p.t.Errorf("axe, %s: %s", where, f)
	}
}

// clickBar clicks an execution's bar in the timeline.
func (p *tab) clickBar(id execution.ID) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS("#bar-" + string(id) + " rect")))
}

// back goes back in the history.
func (p *tab) back() {
	p.t.Helper()
	p.do(chromedp.NavigateBack())
}
