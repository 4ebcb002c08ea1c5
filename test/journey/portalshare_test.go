package journey

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// TestPortalShare: somebody makes a link in a browser without scripts, a stranger opens the
// certificate with it and nothing else, sees it no more once it is ended; both uses are on the
// person's list, and the secret stands in no line of any log.
func TestPortalShare(t *testing.T) {
	var b harness.Builder
	t.Cleanup(func() { _ = b.Close() })
	s := harness.Start(t, &b, harness.Options{Clock: harness.ClockAt(t, "10:00")})
	c, mobile := s.Holder()
	ref := c.Enrol("Asha Test")
	s.Vaccinate(c, mobile, ref)
	p := s.Portal()
	p.SignIn(mobile)
	at := "/p/" + p.Handle(ref) + "/share"
	if a := p.Get(at); a.Status != 200 || strings.Contains(string(a.Body), ref) {
		t.Fatalf("the page: %d %s", a.Status, a.Body)
	}
	made := p.Submit(at, "days", "1")
	link := regexp.MustCompile(`https?://[^"<\s]+/share#([A-Za-z0-9_-]{22})`).FindSubmatch(made.Body)
	if made.Status != 200 || link == nil || made.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("a link: %d %s", made.Status, made.Body)
	}
	token := string(link[1])

	stranger := s.Portal()
	stranger.Get("/share")
	a := stranger.Submit("/share", "token", string(link[0]), "as", "page")
	if a.Status != 200 || !strings.Contains(string(a.Body), "Asha Test") || strings.Contains(string(a.Body), ref) || strings.Contains(string(a.Body), mobile) || len(a.Header.Values("Set-Cookie")) != 0 {
		t.Fatalf("a stranger: %d %s", a.Status, a.Body)
	}
	if f := stranger.Submit("/share", "as", "pdf"); f.Status != 200 || !bytes.HasPrefix(f.Body, []byte("%PDF-")) { // the hidden field has the secret
		t.Errorf("the file: %d", f.Status)
	}
	for _, path := range []string{at, "/p/" + p.Handle(ref) + "/certificate", "/account"} {
		if a := stranger.Get(path); a.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
	if a := p.Get(at); !strings.Contains(string(a.Body), "Opened 2 times.") || strings.Contains(string(a.Body), token) {
		t.Errorf("the person's links: %s", a.Body)
	}
	uses := 0
	for _, o := range c.Openings() {
		if o.View == "certificate" && o.Reason == "share link" && o.Reference == ref {
			uses++
		}
	}
	if uses != 2 {
		t.Errorf("%d uses on the person's list", uses)
	}
	if a := p.Submit(at + "/end"); a.Status != http.StatusSeeOther {
		t.Fatalf("its end: %d", a.Status)
	}
	stranger.Get("/share")
	if a := stranger.Submit("/share", "token", token, "as", "page"); a.Status != http.StatusNotFound || strings.Contains(string(a.Body), "Asha") {
		t.Errorf("after its end: %d %s", a.Status, a.Body)
	}
	if strings.Contains(s.Log(), token) {
		t.Error("the secret is in a log")
	}
}
