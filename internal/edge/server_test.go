package edge

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tikakosh/internal/fault"
)

// TestOrigin: a forwarding header counts only from a configured proxy, read
// from the right (R18), and an origin is a network, not an address.
func TestOrigin(t *testing.T) {
	for _, c := range []struct {
		name, from string
		forwarded  []string
		proxies    []string
		want       string
	}{
		{"direct", "203.0.113.9:1", nil, nil, "203.0.113.0/24"},
		{"direct IPv6", "[2001:db8:1:2::9]:1", nil, nil, "2001:db8:1::/48"},
		{"IPv4 in IPv6", "[::ffff:203.0.113.9]:1", nil, nil, "203.0.113.0/24"},
		{"link-local with zone", "[fe80::1%eth0]:1", nil, nil, "fe80::/48"},
		{"no address", "@", nil, nil, "unknown"},
		{"spoofed, no proxies", "203.0.113.9:1", []string{"198.51.100.1"}, nil, "203.0.113.0/24"},
		{"spoofed past the proxy", "203.0.113.9:1", []string{"198.51.100.1"}, []string{"10.0.0.0/8"}, "203.0.113.0/24"},
		{"through the proxy", "10.0.0.1:1", []string{"198.51.100.1"}, []string{"10.0.0.0/8"}, "198.51.100.0/24"},
		{"spoofed through the proxy", "10.0.0.1:1", []string{"192.0.2.1, 198.51.100.1"}, []string{"10.0.0.0/8"}, "198.51.100.0/24"},
		{"spoofed as another header", "10.0.0.1:1", []string{"192.0.2.1", "198.51.100.1"}, []string{"10.0.0.0/8"}, "198.51.100.0/24"},
		{"spoofed as a proxy", "10.0.0.1:1", []string{"192.0.2.1, 10.9.9.9, 198.51.100.1"}, []string{"10.0.0.0/8"}, "198.51.100.0/24"},
		{"two proxies", "10.0.0.1:1", []string{"192.0.2.1, 198.51.100.1, 172.16.0.5"}, []string{"10.0.0.0/8", "172.16.0.0/12"}, "198.51.100.0/24"},
		{"proxies only", "10.0.0.1:1", []string{"10.1.0.1, 10.2.0.1"}, []string{"10.0.0.0/8"}, "10.1.0.0/24"},
		{"garbage at the end", "10.0.0.1:1", []string{"198.51.100.1, x"}, []string{"10.0.0.0/8"}, "10.0.0.0/24"},
		{"garbage behind", "10.0.0.1:1", []string{"x, 198.51.100.1"}, []string{"10.0.0.0/8"}, "198.51.100.0/24"},
		{"port in the hop", "10.0.0.1:1", []string{"198.51.100.1:80"}, []string{"10.0.0.0/8"}, "10.0.0.0/24"},
		{"empty", "10.0.0.1:1", []string{""}, []string{"10.0.0.0/8"}, "10.0.0.0/24"},
		{"IPv6 hop", "[fd00::1]:1", []string{"2001:db8:7:8::1"}, []string{"fd00::/8"}, "2001:db8:7::/48"},
		{"mapped hop", "10.0.0.1:1", []string{"::ffff:198.51.100.1"}, []string{"10.0.0.0/8"}, "198.51.100.0/24"},
	} {
		var changes []func(*Config)
		for _, p := range c.proxies {
			changes = append(changes, prefix(p))
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.from
		r.Header["X-Forwarded-For"] = c.forwarded
		r.Header.Set("Forwarded", "for=192.0.2.77")
		r.Header.Set("X-Real-Ip", "192.0.2.77")
		if got := newRig(t, changes...).origin(r); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestSpoofedCallersShareALimit: a caller who invents an address for every
// request stays one caller.
func TestSpoofedCallersShareALimit(t *testing.T) {
	r := newRig(t, prefix("10.0.0.0/8"))
	r.limits[RateSearch] = tiny(1)
	refused := 0
	for _, spoof := range []string{"198.51.100.1", "198.51.101.1", "10.0.0.1", "2001:db8::1"} {
		if r.send("GET", "/api/v3/keys", "", "X-Forwarded-For", spoof).Code == 429 {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d of 4 requests were refused, want the 2 beyond the burst", refused)
	}
}

func TestNowhere(t *testing.T) {
	r := newRig(t)
	for _, target := range []string{"/x", "/api/", "//", "/api//v3/keys", "/api/./v3/keys", "/api/../healthz", "/healthz/", "/ledger", "/ledger/", "/ledger/..%2f", "/debug/pprof/", "/API/v3/keys"} {
		w := r.send("GET", target, "")
		if code, _ := errorOf(t, w); w.Code != 404 || code != "NOTFOUND" || w.Header().Get("Location") != "" {
			t.Errorf("%s: %d %v", target, w.Code, w.Header())
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", target, w.Header())
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
		w := r.send(method, "/api/v3/keys", "")
		if code, _ := errorOf(t, w); w.Code != 405 || code != "METHOD" || w.Header().Get("Allow") != "GET, HEAD" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}

// TestLedgerFiles: only files of the public log's forms, whatever lies there.
func TestLedgerFiles(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"checkpoint", "tile/0/000", ".state/secret", "secret"} {
		file := filepath.Join(r.cfg.LedgerDir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, c := range map[string]struct {
		status int
		kind   string
		cache  string
	}{
		"checkpoint":    {200, typeText, "no-cache"},
		"tile/0/000":    {200, typeBinary, "public, max-age=31536000, immutable"},
		"tile/0/001":    {404, typeJSON, "no-store"},
		"secret":        {404, typeJSON, "no-store"},
		".state/secret": {404, typeJSON, "no-store"},
		"tile/0":        {404, typeJSON, "no-store"},
	} {
		w := r.send("GET", "/ledger/"+path, "")
		if h := w.Header(); w.Code != c.status || h.Get("Content-Type") != c.kind || h.Get("Cache-Control") != c.cache {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
	}
}

// TestHomeStyle: the page's policy names the page's own style and nothing else.
func TestHomeStyle(t *testing.T) {
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllSubmatch(homePage, -1)
	if len(style) != 1 {
		t.Fatalf("%d style elements", len(style))
	}
	sum := sha256.Sum256(style[0][1])
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != homeStyle {
		t.Errorf("the style's hash is %s", got)
	}
	if policy := newRig(t).send("GET", "/", "").Header().Get("Content-Security-Policy"); !strings.Contains(policy, homeStyle) || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
}

func TestLanguage(t *testing.T) {
	r := newRig(t)
	for header, hindi := range map[string]bool{"": false, "hi": true, "hi_IN": true, " HI-in,en;q=0.5": true, "en, hi": false, "mr": false} {
		w := r.send("GET", "/api/v2/registration/beneficiary/genders", "", "Accept-Language", header)
		if strings.Contains(w.Body.String(), "महिला") != hindi || w.Header().Get("Vary") != "Accept-Language" {
			t.Errorf("%q: %s", header, w.Body)
		}
	}
}

// TestIdempotencyKey: the caller's key is marked as the caller's, so that it
// never meets one of ours.
func TestIdempotencyKey(t *testing.T) {
	key := func(text string) (string, error) {
		c := &Ctx{r: &http.Request{Header: http.Header{"Idempotency-Key": {text}}}}
		return c.idempotencyKey()
	}
	if got, err := key("k-1"); err != nil || got != "c/k-1" {
		t.Errorf("%q, %v", got, err)
	}
	a, _ := key("")
	if b, _ := key(""); a == b || strings.HasPrefix(a, "c/") {
		t.Errorf("fresh keys %q, %q", a, b)
	}
	for _, bad := range []string{strings.Repeat("k", 65), "a b", "a\n", "é", "\x00"} {
		if _, err := key(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestRun: a stop lets the request under way finish and takes no new one.
func TestRun(t *testing.T) {
	r := newRig(t)
	r.back.wait = make(chan struct{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, ln, nil) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer := make(chan string, 1)
	go func() {
		res, err := client.Get("http://" + ln.Addr().String() + "/healthz")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		raw, _ := io.ReadAll(res.Body)
		answer <- res.Status + " " + string(raw)
	}()
	for r.last.n.Load() == 0 { // until the request is inside
		time.Sleep(time.Millisecond)
	}
	stop()
	select {
	case err := <-ended:
		t.Fatalf("ended with a request under way: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(r.back.wait)
	if got := <-answer; got != "200 OK ok\nroles not separated\n" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if res, err := client.Get("http://" + ln.Addr().String() + "/healthz"); err == nil {
		res.Body.Close()
		t.Error("a request after the end was answered")
	}
	if err := r.Run(context.Background(), ln, nil); err == nil {
		t.Error("a closed listener was served")
	}
}

// TestIdle: memory is cleared once per idle phase, not while requests come.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a activity
		ctx, stop := context.WithCancel(t.Context())
		var cleared atomic.Int64
		go a.watch(ctx, func() { cleared.Add(1) })
		rest := func(d time.Duration, want int64, when string) {
			t.Helper()
			time.Sleep(d)
			synctest.Wait()
			if got := cleared.Load(); got != want {
				t.Errorf("%s: cleared %d times, want %d", when, got, want)
			}
		}
		for range 10 {
			a.touch()
			time.Sleep(idleAfter / 4)
		}
		rest(0, 0, "under load")
		rest(2*idleAfter, 1, "after a pause")
		rest(10*idleAfter, 1, "in the same pause")
		a.touch()
		rest(2*idleAfter, 2, "after another request")
		stop()
		synctest.Wait()
	})
}
