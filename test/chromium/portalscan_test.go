package chromium

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"rsc.io/qr"
)

// photograph writes a picture of a code to a file.
func photograph(t *testing.T, text string) string {
	t.Helper()
	code, err := qr.Encode(text, qr.Q)
	if err != nil {
		t.Fatal(err)
	}
	code.Scale = 6
	name := filepath.Join(t.TempDir(), "photo.png")
	if err := os.WriteFile(name, code.PNG(), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// choose puts a file into a field, as a person does.
func (r *reader) choose(selector, file string) {
	r.Helper()
	set := func() error {
		ctx, end := context.WithTimeout(r.ctx, patience)
		defer end()
		root, err := chromedp.Call(ctx, dom.GetDocument, dom.GetDocumentParams{})
		if err != nil {
			return err
		}
		node, err := chromedp.Call(ctx, dom.QuerySelector, dom.QuerySelectorParams{NodeID: root.Root.NodeID, Selector: selector})
		if err != nil {
			return err
		}
		_, err = chromedp.Call(ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{NodeID: node.NodeID, Files: []string{file}})
		return err
	}
	var err error
	for range 20 { // a document that is just being replaced has no nodes any more
		if err = set(); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	r.Fatal(err)
}

// TestChromiumPortalScan: a photo of a code is read in the browser, under the page's own
// policy, by the decoder that is loaded only then; what is no code is said to be none.
func TestChromiumPortalScan(t *testing.T) {
	on(t)
	r := newReader(t, newBrowser(t), newBook(t))
	r.window(360, 640, "light")
	r.open("/s/verify?lang=en")
	if got := r.eval(`performance.getEntriesByType('resource').map(e => e.name).filter(n => n.includes('zxing')).length`); got != "0" {
		t.Errorf("the decoder is loaded before anybody wants it: %s", got)
	}
	// The form is not sent: what would be is looked at.
	r.eval(`(() => { globalThis.sent = ''; document.getElementById('verify-form').addEventListener('submit', (e) => { e.preventDefault(); globalThis.sent = e.target.elements.text.value; }); return ''; })()`)
	plain := filepath.Join(t.TempDir(), "plain.png")
	if err := os.WriteFile(plain, []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.choose("#photo", plain)
	r.until("that there is no code", `document.getElementById('scan-says').textContent.startsWith('No code was found')`)
	text := "HC1:" + strings.Repeat("6BF+70790T9WJWG.FKY*4GO0", 23) // as long as the longest of ours
	r.choose("#photo", photograph(t, text))
	r.until("the text", fmt.Sprintf("globalThis.sent === %q", text))
	if len(r.said) > 0 {
		t.Errorf("the browser complains: %q", r.said)
	}
}

// TestChromiumPortalWeight: each public page is at most 50 KB on first load, all of it counted
// as it comes over the line.
func TestChromiumPortalWeight(t *testing.T) {
	on(t)
	book := newBook(t)
	r := newReader(t, newBrowser(t), packed(book))
	call(r, network.Enable, network.EnableParams{})
	call(r, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	for _, name := range []string{"landing", "find", "find/results", "numbers", "verify", "verify/genuine", "promises", "status"} {
		for _, code := range book.Languages() {
			r.reset()
			r.open("/s/" + name + "?lang=" + code)
			r.eval(`new Promise((done) => setTimeout(done, 50))`)
			if n := r.weight(); n == 0 || n > 50<<10 {
				t.Errorf("%s in %s weighs %d bytes", name, code, n)
			} else if code == "en" {
				t.Logf("%s: %d bytes", name, n)
			}
		}
	}
}
