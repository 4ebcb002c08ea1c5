package chromium

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"tikakosh/test/harness"
)

// tracks are what a browser told others or kept of a person's visit.
type tracks struct {
	mu     sync.Mutex
	lines  []string          // "what: text" of addresses, titles and referrers
	stored map[string]string // Cache-Control of a document, by its address
	asks   []*ask
}

func (k *tracks) add(what, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if text != "" {
		k.lines = append(k.lines, what+": "+text)
	}
}

func header(h network.Headers, name string) string {
	for k, v := range h {
		if strings.EqualFold(k, name) {
			return fmt.Sprint(v)
		}
	}
	return ""
}

// watch notes every address that the window asks for, with its Referer, and how long each
// document may be kept.
func watch(r *reader) *tracks {
	r.Helper()
	k := &tracks{stored: map[string]string{}}
	call(r, network.Enable, network.EnableParams{})
	if err := chromedp.Listen(r.ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			k.add("address", e.Request.URL+e.Request.URLFragment)
			k.add("referrer", header(e.Request.Headers, "Referer"))
			k.sent(e)
		case *network.EventResponseReceivedExtraInfo:
			k.came(e)
		case *network.EventRequestWillBeSentExtraInfo:
			k.add("referrer", header(e.Headers, "Referer"))
		case *network.EventResponseReceived:
			if e.Type == network.ResourceTypeDocument {
				k.mu.Lock()
				k.stored[e.Response.URL] = header(e.Response.Headers, "Cache-Control")
				k.mu.Unlock()
			}
		}
	}); err != nil {
		r.Fatal(err)
	}
	return k
}

// kept is all that the browser keeps for the site: both storages, every row of every IndexedDB,
// every answer in the Cache Storage (the text of it, unless it is large), workers.
const kept = `(async () => {
	const out = { ...Object.fromEntries(Object.entries(localStorage).map(([k, v]) => ['local ' + k, v])), ...Object.fromEntries(Object.entries(sessionStorage).map(([k, v]) => ['session ' + k, v])) };
	for (const { name } of await indexedDB.databases()) {
		const db = await new Promise((done, fail) => { const q = indexedDB.open(name); q.onsuccess = () => done(q.result); q.onerror = fail; });
		for (const store of db.objectStoreNames) {
			const all = (f) => new Promise((done, fail) => { const q = db.transaction(store).objectStore(store)[f](); q.onsuccess = () => done(q.result); q.onerror = fail; });
			out['database ' + name + ' ' + store] = JSON.stringify([await all('getAllKeys'), (await all('getAll')).map((v) => v instanceof CryptoKey ? 'key' : v)]);
		}
		db.close();
	}
	for (const name of await caches.keys()) {
		const cache = await caches.open(name);
		for (const q of await cache.keys()) {
			const a = await cache.match(q), text = await a.text();
			out['cache ' + name + ' ' + q.url] = text.length < 200000 ? text : '';
		}
	}
	out.name = window.name;
	return JSON.stringify(out);
})()`

// left is what the browser keeps, cookies among them; a cookie that is a token is read.
func (r *reader) left() map[string]string {
	r.Helper()
	out := map[string]string{}
	if err := json.Unmarshal([]byte(r.eval(kept)), &out); err != nil {
		r.Fatal(err)
	}
	for _, c := range call(r, network.GetCookies, network.GetCookiesParams{}).Cookies {
		text := c.Value
		for part := range strings.SplitSeq(c.Value, ".") {
			if raw, err := base64.RawURLEncoding.DecodeString(part); err == nil {
				text += " " + string(raw)
			}
		}
		out["cookie "+c.Name] = text
	}
	return out
}

// secretsIn are the seeds that a text holds, spelled as they are or as an address has them.
func secretsIn(text string, seeds map[string]string) []string {
	low := strings.ToLower(text)
	if plain, err := url.QueryUnescape(low); err == nil {
		low += "\n" + plain
	}
	var out []string
	for what, seed := range seeds {
		if seed != "" && strings.Contains(low, strings.ToLower(seed)) {
			out = append(out, what)
		}
	}
	slices.Sort(out)
	return out
}

// faults are the seeds in what a browser told or keeps.
func (k *tracks) faults(r *reader, seeds map[string]string) []string {
	r.Helper()
	var out []string
	k.mu.Lock()
	for _, l := range k.lines {
		if found := secretsIn(l, seeds); len(found) > 0 {
			out = append(out, fmt.Sprintf("%q in %.200s", found, l))
		}
	}
	k.mu.Unlock()
	for where, text := range r.left() {
		if found := secretsIn(where+" "+text, seeds); len(found) > 0 {
			out = append(out, fmt.Sprintf("%q in %s", found, where))
		}
	}
	return out
}

// signIn signs a number in on the page that asks for it.
func (r *reader) signIn(s *harness.Server, mobile string) (code string) {
	r.Helper()
	have := len(s.To(mobile))
	r.typed(`input[name="mobile"]`, mobile)
	r.press(`main form:has(input:not([type=hidden])) button[type="submit"]`)
	r.until("the code's field", `!!document.querySelector("input[name=code]")`)
	code = s.CodeAfter(mobile, have)
	r.typed(`input[name="code"]`, code)
	r.press(`main form:has(input:not([type=hidden])) button[type="submit"]`)
	r.until("another page", `!document.querySelector("input[name=code]")`)
	return code
}

// oneOf names the kind of an address, so that each kind is walked a few times only.
var oneOf = regexp.MustCompile(`/[A-Za-z0-9_-]{11,}|/[0-9]+`)

// links are the addresses of this site that the page leads to.
func (r *reader) links() []string {
	r.Helper()
	var out []string
	if err := json.Unmarshal([]byte(r.eval(`JSON.stringify([...document.querySelectorAll('a[href]')].map((a) => new URL(a.href)).filter((u) => u.origin === location.origin && !u.hash).map((u) => u.pathname + u.search))`)), &out); err != nil {
		r.Fatal(err)
	}
	return out
}

// walk visits every page that can be reached by links from one, and looks at each: what has a
// person on it may not be kept, and its title says nothing of them. It returns the pages.
func (k *tracks) walk(r *reader, seeds map[string]string, from ...string) []string {
	r.Helper()
	var seen []string
	kinds := map[string]int{}
	for queue := from; len(queue) > 0 && len(seen) < 120; {
		path := queue[0]
		queue = queue[1:]
		kind := oneOf.ReplaceAllString(strings.SplitN(path, "?", 2)[0], "/*")
		if slices.Contains(seen, path) || kinds[kind] >= 2 || strings.Contains(path, "lang=") || strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/ledger/") {
			continue
		}
		kinds[kind]++
		seen = append(seen, path)
		// A file is asked for by the page, as pressing its link would not open one.
		var got struct{ Kind, Keep, Text string }
		if err := json.Unmarshal([]byte(r.eval(fmt.Sprintf(`fetch(%q, { credentials: 'same-origin' }).then(async (a) => JSON.stringify({ Kind: a.headers.get('content-type') ?? '', Keep: a.headers.get('cache-control') ?? '', Text: (a.headers.get('content-type') ?? '').startsWith('application/pdf') ? 'PDF' : await a.text() }))`, path))), &got); err != nil {
			r.Fatalf("%s: %v", path, err)
		}
		personal := got.Text == "PDF" || len(secretsIn(got.Text, seeds)) > 0
		if personal && got.Keep != "no-store" {
			r.Errorf("%s shows %q and may be kept: %q", path, secretsIn(got.Text, seeds), got.Keep)
		}
		if !strings.HasPrefix(got.Kind, "text/html") {
			continue
		}
		r.open(path)
		k.add("title", r.eval("document.title"))
		k.add("description", r.eval(`document.querySelector('meta[name=description]')?.content ?? ''`))
		queue = append(queue, r.links()...)
	}
	return seen
}

// TestChromiumNoTraces: somebody signs in, registers a person, and walks every page that there
// is. Nothing personal stands in an address, a title, a Referer, a cookie or anything else that
// the browser keeps; what shows a person may not be stored; and after the sign-out nothing is
// left and Back shows nothing. What each check is worth is shown at the end with a leak of its
// kind.
func TestChromiumNoTraces(t *testing.T) {
	on(t)
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	c, mobile := s.Holder()
	number := s.PAN()
	ref, a := c.TryEnrol(harness.Person{Name: "Zarina Quillfeather", ID: number})
	if !a.OK() {
		t.Fatal(a.Text())
	}
	s.Vaccinate(c, mobile, ref)
	child, a := c.TryEnrol(harness.Person{Name: "Ravindra Quillfeather", Born: s.Now().Year() - 16})
	if !a.OK() {
		t.Fatal(a.Text())
	}
	r := at(t, newBrowser(t), s.Root)
	k := watch(r)
	r.open("/account") // asks who it is
	code := r.signIn(s, mobile)
	seeds := map[string]string{"name": "Quillfeather", "first name": "Zarina", "child's name": "Ravindra", "mobile": mobile, "mobile's end": mobile[4:], "reference": ref, "child's reference": child, "id number": number, "code": code}
	if got := r.eval("location.pathname"); got != "/account" {
		t.Fatalf("after the sign-in: %s", got)
	}
	pages := k.walk(r, seeds, "/account", "/", "/find", "/verify", "/numbers", "/status", "/promises")
	t.Logf("%d pages: %q", len(pages), pages)
	for _, f := range k.faults(r, seeds) {
		t.Error(f)
	}
	if cookies := call(r, network.GetCookies, network.GetCookiesParams{}).Cookies; len(cookies) > 0 {
		for _, k := range cookies {
			if !k.Secure || !k.HTTPOnly || !strings.HasPrefix(k.Name, "__Host-") || (k.Name != "__Host-lang" && !k.Session) {
				t.Errorf("the cookie %s: secure %v, unreadable %v, ends with the browser %v", k.Name, k.Secure, k.HTTPOnly, k.Session)
			}
		}
	}

	// Signed out, nothing is left, and Back shows nothing.
	r.open("/account")
	r.press(`form[action="/sign-out"] button`)
	r.until("the sign-out", `location.pathname === '/sign-out'`)
	for where, text := range r.left() {
		// The browser's key stays: it opens nothing (ADR 44). So does the public page of the check
		// (ADR 43), as it is for a stranger. That no seed is in them was seen above.
		public := strings.HasPrefix(where, "cache verify") && !strings.Contains(text, "/sign-out")
		if where != "cookie __Host-lang" && text != "" && !public && !strings.HasPrefix(where, "database ") {
			t.Errorf("after the sign-out there is %s (%d bytes)", where, len(text))
		}
	}
	for range 3 {
		r.eval(`(() => { setTimeout(() => history.back(), 10); return ''; })()`)
		time.Sleep(700 * time.Millisecond)
		r.until("a page", `document.readyState === 'complete'`)
		if found := secretsIn(r.eval("document.body.innerText"), seeds); len(found) > 0 {
			t.Errorf("Back shows %q at %s", found, r.eval("location.pathname"))
		}
	}

	// A leak of each kind is found.
	for what, js := range map[string]string{
		"local":    `localStorage.setItem('x', 'Zarina')`,
		"session":  `sessionStorage.setItem('x', 'Zarina')`,
		"name":     `(window.name = 'Zarina')`,
		"database": `new Promise((done) => { const q = indexedDB.open('x'); q.onupgradeneeded = () => q.result.createObjectStore('y'); q.onsuccess = () => { const w = q.result.transaction('y', 'readwrite'); w.objectStore('y').put('Zarina', 1); w.oncomplete = () => { q.result.close(); done(); }; }; })`,
		"cache":    `caches.open('x').then((c) => c.put('/x', new Response('Zarina')))`,
		"cookie":   `(document.cookie = 'x=Zarina')`,
		"address":  `fetch('/find?pin=Zarina').then(() => 1)`,
		"referrer": `(history.replaceState(null, '', '/find?q=Zarina'), fetch('/healthz').then(() => 1))`,
	} {
		r.open("/")
		before := len(k.faults(r, seeds))
		r.eval(`(async () => { await (` + js + `); return ''; })()`)
		found := k.faults(r, seeds)
		if len(found) <= before || !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, what) }) {
			t.Errorf("a leak into %s is not found: %q", what, found)
		}
	}
}
