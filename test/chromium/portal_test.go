package chromium

import (
	"compress/gzip"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"tikakosh/internal/portal/storybook"
)

// axe is axe-core 4.14.1 (MPL-2.0, testdata/axe-LICENSE.txt), as npm has it.
//
//go:embed testdata/axe.min.js
var axe string

// reader is a browser window with the storybook.
type reader struct {
	*testing.T
	ctx  context.Context
	base string

	mu    sync.Mutex
	said  []string
	bytes int
}

// reset begins to count what comes over the line anew, and weight is the count.
func (r *reader) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes = 0
}

func (r *reader) weight() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// until waits for an expression to be true.
func (r *reader) until(what, js string) {
	r.Helper()
	for begin := time.Now(); time.Since(begin) < patience; time.Sleep(50 * time.Millisecond) {
		// A page that is on its way to the next one has no answer yet.
		if said, err := r.tell(js); err == nil && said == "true" {
			return
		}
	}
	r.Fatalf("%s did not come; the page says: %s", what, r.eval("document.body?.innerText"))
}

// newServer serves pages of the test's own.
func newServer(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

func newReader(t *testing.T, browser context.Context, h http.Handler) *reader {
	t.Helper()
	base := newServer(t, h)
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	r := &reader{T: t, ctx: ctx, base: base}
	if err := chromedp.Listen(ctx, r.hear); err != nil {
		t.Fatal(err)
	}
	call(r, log.Enable, cdp.Empty{})
	call(r, runtime.Enable, cdp.Empty{})
	call(r, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: false})
	return r
}

// hear notes what the browser complains of: a breach of the policy above all.
func (r *reader) hear(event any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		r.said = append(r.said, string(e.Entry.Source)+": "+e.Entry.Text)
	case *runtime.EventExceptionThrown:
		r.said = append(r.said, "exception: "+e.ExceptionDetails.Text)
	case *network.EventLoadingFinished:
		r.bytes += int(e.EncodedDataLength)
	}
}

// packed compresses pages as the portal does.
func packed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/s/") {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		h.ServeHTTP(packing{w, z}, r)
	})
}

type packing struct {
	http.ResponseWriter
	to io.Writer
}

func (p packing) Write(b []byte) (int, error) { return p.to.Write(b) }

func call[P, R any](r *reader, c cdp.Command[P, R], params P) R {
	r.Helper()
	ctx, end := context.WithTimeout(r.ctx, patience)
	defer end()
	got, err := chromedp.Call(ctx, c, params)
	if err != nil {
		r.Fatal(err)
	}
	return got
}

func (r *reader) open(path string) {
	r.Helper()
	ctx, end := context.WithTimeout(r.ctx, patience)
	defer end()
	if err := chromedp.Do(ctx, chromedp.Navigate(r.base+path)); err != nil {
		r.Fatalf("%s: %v", path, err)
	}
}

// eval is the value of an expression or promise in the page, as text.
func (r *reader) eval(js string) string {
	r.Helper()
	out, err := r.tell(js)
	if err != nil {
		r.Fatalf("%v in %.200s", err, js)
	}
	return out
}

func (r *reader) tell(js string) (string, error) {
	ctx, end := context.WithTimeout(r.ctx, patience)
	defer end()
	return chromedp.Run(ctx, chromedp.Evaluate[string](`(async () => String(await (`+js+`)))()`, chromedp.EvalAwaitPromise))
}

func (r *reader) window(width, height int64, scheme string) {
	r.Helper()
	call(r, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
	call(r, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// verdict is what axe and our own checks say of a page.
type verdict struct {
	Violations []string
	Passes     int
	Faint      string // texts whose contrast axe could not decide and that are nearly invisible
	Wide       bool   // it scrolls sideways
	Small      string // a control that is too small to press
	Title      string
	H1         int
}

const judge = `(async () => {
	const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
	const r = await axe.run(document, { runOnly: { type: 'tag', values: tags } });
	const over = document.querySelector('dialog[open]'); // with two layers axe decides no contrast
	const small = [...document.querySelectorAll('a, button, input:not([type=hidden]), select, summary, textarea')].find(e => {
		if (e.closest('p, dd, td, .govuk-error-summary, .tk-inline') || e.matches('.govuk-skip-link, .govuk-radios__input, .govuk-checkboxes__input')) return false;
		const b = e.getBoundingClientRect();
		const tile = e.closest('.tk-map'); // WCAG 2.2's least; the table below leads there too
		return b.height > 0 && (b.height < (tile ? 24 : 44) || b.width < (tile || e.closest('.tk-days') ? 24 : 44));
	});
	return JSON.stringify({
		Violations: r.violations.map(v => v.id + ' ' + v.nodes.map(n => n.html.slice(0, 160)).slice(0, 2).join(' ; ')),
		Passes: r.passes.length,
		Faint: r.incomplete.filter(i => i.id === 'color-contrast').flatMap(i => i.nodes).filter(n => !over && !n.html.startsWith('<text') && n.any.some(a => a.data?.contrastRatio < 1.5)).map(n => n.html.slice(0, 160)).join(' ; '),
		Wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
		Small: small ? small.outerHTML.slice(0, 200) : '',
		Title: document.title,
		H1: document.querySelectorAll('h1').length,
	});
})()`

func (r *reader) judge() (v verdict) {
	r.Helper()
	r.eval(`(() => { ` + axe + `; return ''; })()`)
	if err := json.Unmarshal([]byte(r.eval(judge)), &v); err != nil {
		r.Fatal(err)
	}
	return v
}

// faults says what is wrong with a page.
func (v verdict) faults() []string {
	out := v.Violations
	if v.Passes < 15 { // an empty page passes everything
		out = append(out, fmt.Sprint("only ", v.Passes, " rules had anything to look at"))
	}
	if v.Faint != "" {
		out = append(out, "a text is nearly invisible: "+v.Faint)
	}
	if v.Wide {
		out = append(out, "the page is wider than the screen")
	}
	if v.Small != "" {
		out = append(out, "a control is small: "+v.Small)
	}
	if v.Title == "" || v.H1 != 1 {
		out = append(out, fmt.Sprintf("title %q, %d headings of the first level", v.Title, v.H1))
	}
	return out
}

func newBook(t *testing.T) *storybook.Book {
	t.Helper()
	book, err := storybook.New()
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// only is a part of the stories' names, to look at a few.
func only(names []string) []string {
	part := os.Getenv("TIKAKOSH_STORY")
	var out []string
	for _, n := range names {
		if strings.Contains(n, part) {
			out = append(out, n)
		}
	}
	return out
}

// TestChromiumPortalAccessible: every screen in every state and language, light and dark, at
// 360 pixels: axe-core finds nothing, nothing scrolls sideways, no control is small, and the
// browser has no complaint.
func TestChromiumPortalAccessible(t *testing.T) {
	on(t)
	book, browser := newBook(t), newBrowser(t)
	names := only(book.Names())
	const halves = 2 // pages at the same time: one page keeps one processor busy
	for half := range halves {
		t.Run(fmt.Sprint("half ", half), func(t *testing.T) {
			t.Parallel()
			r := newReader(t, browser, book)
			begin, n := time.Now(), 0
			for i := half; i < len(names); i += halves {
				for _, code := range book.Languages() {
					for _, f := range r.look("/s/" + names[i] + "?lang=" + code) {
						t.Errorf("%s, %s: %s", names[i], code, f)
					}
					n++
				}
			}
			if len(r.said) > 0 {
				t.Errorf("the browser complains: %q", r.said)
			}
			t.Logf("%d pages, light and dark, in %v", n, time.Since(begin).Round(time.Second))
		})
	}
}

// look opens a page and says what is wrong with it, light and dark. Between the two only
// colours differ, so that only what goes by colours is judged again.
func (r *reader) look(path string) (bad []string) {
	r.Helper()
	r.window(360, 640, "light")
	r.open(path)
	bad = r.judge().faults()
	r.window(360, 640, "dark")
	bad = append(bad, r.colours()...)
	r.window(320, 640, "dark") // 320 pixels are 1,280 enlarged to 400 % (WCAG 1.4.10)
	if r.eval(sideways) != "0" {
		bad = append(bad, "it scrolls sideways at 320 pixels")
	}
	return bad
}

// colours judges the colours of the page as it is shown now.
func (r *reader) colours() (bad []string) {
	r.Helper()
	var v verdict
	if err := json.Unmarshal([]byte(r.eval(strings.Replace(judge, "{ type: 'tag', values: tags }", "{ type: 'rule', values: ['color-contrast', 'link-in-text-block'] }", 1))), &v); err != nil {
		r.Fatal(err)
	}
	for _, f := range v.Violations {
		bad = append(bad, "dark: "+f)
	}
	if v.Faint != "" {
		bad = append(bad, "dark: a text is nearly invisible: "+v.Faint)
	}
	if v.Passes < 1 {
		bad = append(bad, "dark: there is no text whose contrast could be told")
	}
	return bad
}

// sideways is how far a page can be moved to the side.
const sideways = `(() => { const at = [-9999, 9999].map((x) => { scrollTo(x, 0); return scrollX; }); scrollTo(0, 0); return at[0] || at[1]; })()`

// TestChromiumPortalZoom: with letters twice as large nothing scrolls sideways on a screen of
// 720 pixels; with colours of the system's own every control has an edge or is a text; where
// somebody wants no motion nothing moves (web.md 9, row 14).
func TestChromiumPortalZoom(t *testing.T) {
	on(t)
	book := newBook(t)
	r := newReader(t, newBrowser(t), book)
	call(r, page.SetFontSizes, page.SetFontSizesParams{FontSizes: &page.FontSizes{Standard: 32}}) // as in the browser's settings
	for _, name := range only(book.Names()) {
		r.window(720, 1280, "light")
		r.open("/s/" + name + "?lang=hi")
		if got := r.eval(`getComputedStyle(document.body).fontSize`); got != "34px" {
			t.Fatalf("the letters are of %s", got)
		}
		if at := r.eval(sideways); at != "0" {
			t.Errorf("%s scrolls sideways with letters of twice the size: %s", name, at)
		}
		call(r, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		if got := r.eval(`matchMedia('(forced-colors: active)').matches + ' ' + [...document.querySelectorAll('*')].filter((e) => { const s = getComputedStyle(e); return s.transitionDuration.split(',').some((d) => parseFloat(d) > 0) || s.animationName !== 'none'; }).length`); got != "true 0" {
			t.Errorf("%s, without motion: %s", name, got)
		}
		if got := r.eval(`[...document.querySelectorAll('.govuk-button, input:not([type=hidden]), select, textarea')].filter((e) => { const s = getComputedStyle(e); return e.checkVisibility() && e.type !== 'file' && !e.matches('.govuk-radios__input, .govuk-checkboxes__input') && parseFloat(s.borderTopWidth) === 0 && parseFloat(s.outlineWidth) === 0; }).map((e) => e.outerHTML.slice(0, 80)).join(' ; ')`); got != "" {
			t.Errorf("%s: no edge with forced colours: %s", name, got)
		}
	}
}

// TestChromiumPortalGate: the check above finds each defect that is put into a page.
func TestChromiumPortalGate(t *testing.T) {
	on(t)
	book := newBook(t)
	r := newReader(t, newBrowser(t), book)
	r.window(360, 640, "light")
	for what, js := range map[string]string{
		"a field without a label": `document.querySelector('main').insertAdjacentElement('beforeend', Object.assign(document.createElement('input'), { type: 'text' }))`,
		"a page without language": `document.documentElement.removeAttribute('lang')`,
		"a pale text":             `(document.querySelector('main p').style.color = '#e2e2e2', document.querySelector('main p').style.background = '#ffffff')`,
		"a small control":         `Object.assign(document.querySelector('main').appendChild(document.createElement('button')), { textContent: 'x' }).style.cssText = 'height:12px;width:12px;padding:0'`,
		"no title":                `document.title = ''`,
		"a page that is wide":     `document.querySelector('main').style.width = '900px'`,
		"two first headings":      `document.querySelector('main').appendChild(document.createElement('h1')).textContent = 'x'`,
	} {
		r.open("/s/error/not_found?lang=en")
		if bad := r.judge().faults(); len(bad) > 0 {
			t.Fatalf("the page is not clean: %q", bad)
		}
		r.eval(`(() => { ` + js + `; return ''; })()`)
		if len(r.judge().faults()) == 0 {
			t.Errorf("%s is not found", what)
		}
	}
	if bad := r.look("/s/error/not_found?lang=en"); len(bad) > 0 {
		t.Fatalf("the page is not clean: %q", bad)
	}
	r.eval(`(document.querySelector('main p').style.cssText = 'color:light-dark(#000,#444);background:light-dark(#fff,#333)', '')`)
	r.window(360, 640, "light")
	if bad := r.judge().faults(); len(bad) > 0 {
		t.Errorf("a text that is pale in the dark alone, in the light: %q", bad)
	}
	r.eval(`(document.documentElement.style.colorScheme = 'light dark', '')`)
	r.window(360, 640, "dark")
	if len(r.colours()) == 0 {
		t.Error("a text that is pale in the dark alone is not found")
	}
}

// TestChromiumPortalShots writes a picture of every screen to the folder TIKAKOSH_SHOTS, for
// people to look at: 360 and 1280 pixels wide, as tall as the page is. TIKAKOSH_STORY names a
// part of the screens, TIKAKOSH_DARK=1 makes them dark, TIKAKOSH_LANG one language.
func TestChromiumPortalShots(t *testing.T) {
	on(t)
	dir := os.Getenv("TIKAKOSH_SHOTS")
	if dir == "" {
		dir = t.TempDir()
		t.Setenv("TIKAKOSH_STORY", "landing/new") // that it works
	}
	scheme := "light"
	if os.Getenv("TIKAKOSH_DARK") == "1" {
		scheme = "dark"
	}
	book := newBook(t)
	r := newReader(t, newBrowser(t), book)
	for _, size := range [][2]int64{{360, 640}, {1280, 800}} {
		r.window(size[0], size[1], scheme)
		for _, name := range only(book.Names()) {
			for _, code := range book.Languages() {
				if only := os.Getenv("TIKAKOSH_LANG"); only != "" && only != code {
					continue
				}
				r.open("/s/" + name + "?lang=" + code)
				if r.eval(sideways) != "0" {
					t.Errorf("%s, %s scrolls sideways at %d pixels", name, code, size[0])
				}
				clip := r.whole(size)
				beyond := clip.Height > float64(size[1]) // Chromium moves a short page from right to left aside
				shot := call(r, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &beyond, Clip: clip})
				file := filepath.Join(dir, fmt.Sprintf("%s-%s-%d-%s.png", strings.ReplaceAll(name, "/", "_"), code, size[0], scheme))
				if err := os.WriteFile(file, shot.Data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// whole is the page from top to bottom.
func (r *reader) whole(size [2]int64) *page.Viewport {
	r.Helper()
	var tall float64
	if _, err := fmt.Sscan(r.eval(`document.documentElement.scrollHeight`), &tall); err != nil {
		r.Fatal(err)
	}
	return &page.Viewport{Width: float64(size[0]), Height: max(tall, float64(size[1])), Scale: 1}
}
