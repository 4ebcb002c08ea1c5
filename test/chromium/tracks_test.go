package chromium

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"

	"tikakosh/internal/portal"
)

// ask is one request of a browser, with what came back. Status is 0 while nothing did.
type ask struct {
	id                   network.RequestID
	method, url          string
	status               int64
	keep, kind, referrer string // Cache-Control, Content-Type, Referrer-Policy of the answer
}

// sent notes a request; an answer's headers may come before or after the request that a
// redirect leads to, so that answers are counted off in the order of the requests of one id.
func (k *tracks) sent(e *network.EventRequestWillBeSent) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asks = append(k.asks, &ask{id: e.RequestID, method: e.Request.Method, url: e.Request.URL})
}

func (k *tracks) came(e *network.EventResponseReceivedExtraInfo) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range k.asks {
		if a.id == e.RequestID && a.status == 0 {
			a.status, a.keep, a.kind, a.referrer = e.StatusCode, header(e.Headers, "Cache-Control"), header(e.Headers, "Content-Type"), header(e.Headers, "Referrer-Policy")
			return
		}
	}
}

// table finds the portal's route of a request, as the server does.
type table struct {
	mux *http.ServeMux
	all map[string]portal.Route // by method and path
}

func newTable() table {
	t := table{mux: http.NewServeMux(), all: map[string]portal.Route{}}
	for _, r := range portal.Surface() {
		name := r.Method + " " + r.Path
		t.all[name] = r
		t.mux.Handle(name, http.NotFoundHandler())
	}
	return t
}

func (t table) route(method, address string) (portal.Route, string, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return portal.Route{}, "", false
	}
	_, name := t.mux.Handler(&http.Request{Method: method, URL: u, Host: u.Host})
	r, ok := t.all[name]
	return r, name, ok
}

// reached are the routes of the table that were asked for and did what they are for: neither
// refused nor asked again. wrong says which answers of a personal route may be kept, or tell
// another site where they were.
func (k *tracks) reached(t table) (names map[string]bool, wrong []string) {
	names = map[string]bool{}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range k.asks {
		r, name, ok := t.route(a.method, a.url)
		if !ok || a.status == 0 {
			continue
		}
		if a.status < 400 {
			names[name] = true
		}
		if r.Personal && a.keep != "no-store" {
			wrong = append(wrong, fmt.Sprintf("%s answered %d and may be kept: %q", name, a.status, a.keep))
		}
		if a.referrer != "same-origin" && a.referrer != "no-referrer" {
			wrong = append(wrong, fmt.Sprintf("%s answered %d with Referrer-Policy %q", name, a.status, a.referrer))
		}
	}
	return names, wrong
}

// here looks at the page that is shown: what it calls itself, and whether what shows a person
// may be kept. It returns what is wrong.
func (k *tracks) here(r *reader, seeds map[string]string) (wrong []string) {
	r.Helper()
	k.add("title", r.eval("document.title"))
	k.add("description", r.eval(`document.querySelector('meta[name=description]')?.content ?? ''`))
	at := r.eval("location.href.split('#')[0]")
	if shown := secretsIn(r.eval("document.documentElement.outerHTML"), seeds); len(shown) > 0 {
		k.mu.Lock()
		keep := k.stored[at]
		k.mu.Unlock()
		if keep != "no-store" {
			wrong = append(wrong, fmt.Sprintf("%s shows %q and may be kept: %q", at, shown, keep))
		}
	}
	return wrong
}

// past notes the addresses and titles in the window's history.
func (k *tracks) past(r *reader) {
	r.Helper()
	for _, e := range call(r, page.GetNavigationHistory, cdp.Empty{}).Entries {
		k.add("history", e.URL+" "+e.Title)
	}
}

// back presses Back some times and says what of the seeds is shown there, in the window or in
// any frame of its history.
func back(r *reader, seeds map[string]string, times int) (shown []string) {
	r.Helper()
	for range times {
		h := call(r, page.GetNavigationHistory, cdp.Empty{})
		if h.CurrentIndex < 1 {
			return shown
		}
		want := h.CurrentIndex - 1
		call(r, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: h.Entries[want].ID})
		r.until("the way back", `document.readyState === 'complete'`)
		for range 40 {
			if call(r, page.GetNavigationHistory, cdp.Empty{}).CurrentIndex == want {
				break
			}
			r.until("the way back", `document.readyState === 'complete'`)
		}
		if found := secretsIn(r.eval("document.body?.innerText ?? ''"), seeds); len(found) > 0 {
			shown = append(shown, fmt.Sprintf("%q at %s", found, r.eval("location.pathname")))
		}
	}
	return shown
}

// missing are the names of a table that are not among some.
func (t table) missing(some map[string]bool) []string {
	var out []string
	for n := range t.all {
		if !some[n] {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// TestChromiumTracksFindLeaks: what TestChromiumNoTraces goes by is worth something. A page that
// shows a person and may be kept is found; so is a title, an address in the history, and what
// the browser's cache of whole pages shows to who presses Back.
func TestChromiumTracksFindLeaks(t *testing.T) {
	on(t)
	seeds := map[string]string{"name": "Quillfeather"}
	mux := http.NewServeMux()
	for path, keep := range map[string]string{"/kept": "private, no-cache", "/not": "no-store"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", keep)
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprint(w, `<!DOCTYPE html><title>x</title><main>Quillfeather</main>`)
		})
	}
	mux.HandleFunc("/out", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, `<!DOCTYPE html><title>out</title><main>out</main>`)
	})
	r := at(t, newBrowser(t), newServer(t, mux))
	k := watch(r)
	r.open("/not")
	if bad := k.here(r, seeds); len(bad) > 0 {
		t.Errorf("a page that is not kept: %q", bad)
	}
	r.open("/kept")
	if bad := k.here(r, seeds); len(bad) != 1 {
		t.Errorf("a page that may be kept: %q", bad)
	}
	r.open("/out")
	if shown := back(r, seeds, 1); len(shown) != 1 {
		t.Errorf("Back to a page that is there again: %q", shown)
	}
	r.eval(`(history.replaceState(null, '', '/kept?who=Quillfeather'), '')`)
	k.past(r)
	if bad := k.faults(r, seeds); !slices.ContainsFunc(bad, func(f string) bool { return strings.Contains(f, "history") }) {
		t.Errorf("an address in the history: %q", bad)
	}
	r.eval(`(document.title = 'Quillfeather')`)
	k.here(r, seeds)
	if bad := k.faults(r, seeds); !slices.ContainsFunc(bad, func(f string) bool { return strings.Contains(f, "title") }) {
		t.Errorf("a title: %q", bad)
	}
}
