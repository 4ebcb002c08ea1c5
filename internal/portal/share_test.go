package portal

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// links are those of one person; the secret of one that opens is "GOOD".
type links struct {
	p     *papers
	made  []int
	ended []string
	asked []string
	keys  []string
	err   error
}

func (l *links) Make(_ context.Context, _ vault.Holder, _ id.Reference, days int, key string) (vault.ShareMade, error) {
	l.keys = append(l.keys, key)
	l.made = append(l.made, days)
	return vault.ShareMade{Token: "AAAAAAAAAAAAAAAAAAAAAA", Share: vault.Share{ID: "one", Expires: noon().UnixMilli()}}, l.err
}

func (l *links) List(_ context.Context, _ vault.Holder, ref id.Reference) (vault.ShareList, error) {
	if ref == secondRef {
		return vault.ShareList{}, fault.New(fault.Forbidden, "CARDFIRST", "a secret of the vault")
	}
	return vault.ShareList{Shares: []vault.Share{{ID: "one", Made: 1, Expires: noon().UnixMilli(), Live: true, Uses: 3, Last: 2}, {ID: "two", Made: 1, Expires: 2, Ended: 2}}}, nil
}

func (l *links) End(_ context.Context, _ vault.Holder, _ id.Reference, link string) error {
	l.ended = append(l.ended, link)
	return nil
}

func (l *links) Open(_ context.Context, token, _, _ string) (vault.ShareOpened, error) {
	l.asked = append(l.asked, token)
	if token != "GOOD" {
		return vault.ShareOpened{}, fault.New(fault.NotFound, vault.CodeShare, "a secret of the vault")
	}
	return vault.ShareOpened{Certificate: l.p.doc, Expires: noon().UnixMilli()}, nil
}

func newLinks(t *testing.T) (*Server, *links) {
	t.Helper()
	s, p := newPapers(t)
	l := &links{p: p}
	s.cfg.Shares, s.cfg.PublicURL = l, "https://tikakosh.example"
	return s, l
}

// TestShareOwn: somebody makes a link, which is shown once, sees their links and ends one.
func TestShareOwn(t *testing.T) {
	s, l := newLinks(t)
	at := "/p/" + (&Ctx{seat: seat}).handle(firstRef) + "/share"
	list := get(s, at, "Cookie", seated)
	if body := list.Body.String(); list.Code != 200 || !strings.Contains(body, "Opened 3 times.") || strings.Count(body, `action="`+at+`/end"`) != 1 || strings.Contains(body, firstRef) || list.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", list.Code, body)
	}
	for _, days := range []string{"", "0", "31", "7x", "1000000000000000000000"} {
		if w := send(s, at, url.Values{"days": {days}}, "Cookie", seated); w.Code != http.StatusUnprocessableEntity || len(l.made) != 0 {
			t.Errorf("%q days: %d", days, w.Code)
		}
	}
	if w := send(s, at, url.Values{"days": {"30"}, "lang": {"hi"}}, "Cookie", seated); w.Code != 200 || len(l.made) != 0 || !strings.Contains(w.Body.String(), `value="30" selected`) {
		t.Errorf("a switch of language makes a link: %d", w.Code)
	}
	made := send(s, at, url.Values{"days": {"30"}}, "Cookie", seated)
	if body := made.Body.String(); made.Code != 200 || len(l.made) != 1 || l.made[0] != 30 || !strings.Contains(body, "https://tikakosh.example/share#AAAAAAAAAAAAAAAAAAAAAA") || !strings.Contains(body, "tk-qr") || made.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", made.Code, body)
	}
	if w := get(s, at, "Cookie", seated); strings.Contains(w.Body.String(), "AAAAAAAAAAAAAAAAAAAAAA") {
		t.Error("the secret is shown again")
	}
	l.err = fault.New(fault.Conflict, "shares", "a secret of the vault")
	if w := send(s, at, url.Values{"days": {"7"}}, "Cookie", seated); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "five links already") {
		t.Errorf("too many: %d", w.Code)
	}
	if w := send(s, at+"/end", url.Values{"link": {"one"}}, "Cookie", seated); w.Code != http.StatusSeeOther || w.Header().Get("Location") != at || len(l.ended) != 1 {
		t.Errorf("the end: %d %v", w.Code, l.ended)
	}
	if w := get(s, "/p/"+(&Ctx{seat: seat}).handle(secondRef)+"/share", "Cookie", seated); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), `name="pin"`) {
		t.Errorf("an adult with a card: %d", w.Code)
	}
}

// TestShareStranger: a stranger opens a certificate with a link by pressing, and in no other
// way; the secret stands in no address and no header; what opens nothing has one answer.
func TestShareStranger(t *testing.T) {
	s, l := newLinks(t)
	page := get(s, "/share")
	if page.Code != 200 || page.Header().Get("Cache-Control") != "no-store" || !strings.Contains(page.Body.String(), `name="token"`) || len(l.asked) != 0 {
		t.Fatalf("%d %v", page.Code, page.Header())
	}
	for _, path := range []string{"/share?token=GOOD", "/share/GOOD"} {
		if w := get(s, path, "Accept", "text/html"); w.Code == 200 || len(l.asked) != 0 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for _, typed := range []string{"GOOD", " https://tikakosh.example/share#GOOD\n", "#GOOD"} {
		w := send(s, "/share", url.Values{"token": {typed}, "as": {"page"}})
		if w.Code != 200 || !strings.Contains(w.Body.String(), "Asha Test") || !strings.Contains(w.Body.String(), "tk-qr") || w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Header().Get("Location"), "GOOD") {
			t.Errorf("%q: %d", typed, w.Code)
		}
	}
	if w := send(s, "/share", url.Values{"token": {"GOOD"}, "as": {"pdf"}}); w.Code != 200 || w.Header().Get("Content-Type") != "application/pdf" {
		t.Errorf("the file: %d", w.Code)
	}
	var first string
	for _, typed := range []string{"BAD", "https://tikakosh.example/share#BAD", "<script>", strings.Repeat("x", 4000)} {
		w := send(s, "/share", url.Values{"token": {typed}, "as": {"page"}})
		if first == "" {
			first = w.Body.String()
		}
		if w.Code != http.StatusNotFound || w.Body.String() != first || strings.Contains(w.Body.String(), "secret of the vault") {
			t.Errorf("%.20q: %d", typed, w.Code)
		}
	}
	if w := send(s, "/share", url.Values{"token": {""}}); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("nothing: %d", w.Code)
	}
	if n := len(l.asked); n == 0 {
		t.Error("nobody was asked")
	} else if w := send(s, "/share", url.Values{"token": {"GOOD"}, "lang": {"hi"}}); w.Code != 200 || len(l.asked) != n {
		t.Errorf("a switch of language opens a certificate: %d", w.Code)
	}
	if w := send(s, "/share", url.Values{"token": {"GOOD"}}, "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden {
		t.Errorf("a form of another site: %d", w.Code)
	}
}
